"""Where a link of a document leads on the site."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["PAGES", "ROOT", "local_path", "page_of", "source_page", "targets"]

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

_TARGET = re.compile(r"\]\(([^()\s]+)\)")


def local_path(document: str, target: str) -> tuple[str, str] | None:
    """The path in the repository to which a link of a document leads, and the link's fragment.

    None for a link to another host or to an anchor of the same document.
    """
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = posixpath.join(posixpath.dirname(document), unquote(parts.path))
    return posixpath.normpath(path), parts.fragment


def targets(document: str, text: str) -> list[str]:
    """The paths in the repository to which the links of a document lead."""
    found = (local_path(document, target) for target in _TARGET.findall(text))
    return [path for path, _ in filter(None, found)]


def page_of(path: str) -> str:
    """The path below the site's root of what has this path in the repository."""
    if path in PAGES:
        return PAGES[path]
    for folder in ("docs/", "website/pages/"):
        if path.startswith(folder):
            return path.removeprefix(folder)
    # JSON stays a file: a page of highlighted JSON is slow, and browsers show the file itself.
    return f"source/{path}" if path.endswith(".json") else f"source/{path}.md"


def source_page(path: str, text: str) -> str:
    """A page that shows a file of the repository."""
    fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    language = Path(path).suffix[1:]
    return (
        "---\nsearch:\n  exclude: true\nhide: [toc]\n---\n"
        f"# `{path}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"
    )
