"""Checks a built site.

Each link to a page, a file or an anchor must resolve. No script, style, font or picture may load
from another host.
"""

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["problems"]

_CSS_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
_LOADED = {("link", "href"), ("object", "data")}
"""What loads beside each `src`.

The `href` of a link element counts unless its `rel` only names a page.
"""
_NAMES_A_PAGE = {"alternate", "canonical", "next", "prev"}


class _Document(HTMLParser):
    """The links and anchors of one HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self._in_style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self._in_style = tag == "style"
        if tag == "link" and set(values.get("rel", "").split()) & _NAMES_A_PAGE:
            self.links.append(values["href"])
            return
        for name, value in values.items():
            if name in {"src", "poster"} or (tag, name) in _LOADED:
                self.loaded.append(value)
            elif name == "srcset":
                self.loaded += [part.split()[0] for part in value.split(",")]
            elif name == "href":
                self.links.append(value)
            elif name == "style":
                self.loaded += _urls(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loaded += _urls(data)


def _urls(css: str) -> list[str]:
    return [one or other for one, other in _CSS_URL.findall(css)]


def problems(site: Path) -> list[str]:
    """Returns a line for each broken link and each external resource of the site in a folder."""
    pages = {
        path.relative_to(site).as_posix(): _Document(path.read_text())
        for path in sorted(site.rglob("*.html"))
    }
    found = []
    for name, page in pages.items():
        found += [_external(name, url) for url in page.loaded if _is_external(url)]
        local = [url for url in page.links + page.loaded if not _is_external(url)]
        found += [problem for url in local if (problem := _broken(site, pages, name, url))]
    for path in sorted(site.rglob("*.css")):
        name = path.relative_to(site).as_posix()
        for url in _urls(path.read_text()):
            found.append(
                _external(name, url) if _is_external(url) else _broken(site, pages, name, url)
            )
    return [problem for problem in found if problem]


def _is_external(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "mailto"}


def _external(name: str, url: str) -> str:
    return f"{name}: loads {url} from another host"


def _broken(site: Path, pages: dict[str, _Document], name: str, url: str) -> str:
    """What is wrong with a link that stays on the site; empty if it resolves."""
    parts = urlsplit(url)
    if parts.scheme:  # data:, javascript:
        return ""
    path = unquote(parts.path)
    # 404.html is served for any path, so its links begin at the root.
    target = path[1:] if path[:1] == "/" else posixpath.join(posixpath.dirname(name), path)
    target = posixpath.normpath(target) if path else name
    if (site / target).is_dir():
        target = posixpath.normpath(posixpath.join(target, "index.html"))
    if target.startswith("..") or not (site / target).is_file():
        return f"{name}: links to {url}, which does not exist"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"{name}: links to {url}, but {target} has no anchor {anchor}"
    return ""
