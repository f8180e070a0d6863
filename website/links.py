"""Where a link of a document leads on the site."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from website.lists import prose

__all__ = ["PAGES", "ROOT", "page_of", "rewritten", "targets"]

ROOT = Path(__file__).parent.parent

PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh-CN.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "conformance/README.md": "conformance.md",
}
"""The documents outside docs/ that are pages of the site, by their paths in the repository."""

_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^()\s]+)\)")


def page_of(path: str) -> str:
    """The path below the site's root of what has this path in the repository."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    # JSON stays a file: browsers show it, and a page of it would be slow.
    return f"source/{path}" if path.endswith(".json") else f"source/{path}.md"


def targets(document: str, text: str) -> set[str]:
    """The paths in the repository to which the links of a document lead."""
    found: set[str] = set()
    for line, is_prose in prose(text):
        if is_prose:
            found |= {path for link in _LINK.finditer(line) if (path := _local(document, link[3]))}
    return found


def rewritten(document: str, text: str) -> str:
    """Returns a document whose links into the repository are links of the site."""
    here = posixpath.dirname(page_of(document))

    def rewrite(link: re.Match[str]) -> str:
        path = _local(document, link[3])
        if path is None:
            return link[0]
        if (ROOT / path).is_dir():  # no page shows a folder
            return link[2]
        fragment = urlsplit(link[3]).fragment
        target = posixpath.relpath(page_of(path), here) + (f"#{fragment}" if fragment else "")
        return f"{link[1]}[{link[2]}]({target})"

    return "\n".join(
        _LINK.sub(rewrite, line) if is_prose else line for line, is_prose in prose(text)
    )


def _local(document: str, target: str) -> str | None:
    """The path in the repository; None for another host, or an anchor of the same document."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), unquote(parts.path)))
