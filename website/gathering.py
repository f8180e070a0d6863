"""The pages of the site, gathered in one folder for the generator."""

import re
import shutil
from pathlib import Path

from website.links import PAGES, ROOT, page_of, rewritten, targets
from website.lists import normalized

__all__ = ["gather"]


def gather(folder: Path) -> None:
    """Writes all pages and their files to a folder, which is emptied first.

    A file of the repository that a page links to becomes a page, too, below `source/`. Raises
    FileNotFoundError if a page links to a file that does not exist.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "website" / "pages", folder)
    documents = list(PAGES)
    for path in sorted((ROOT / "docs").iterdir()):
        if path.suffix == ".md":
            documents.append(f"docs/{path.name}")
        else:
            shutil.copy(path, folder)
    for name in documents:
        text = (ROOT / name).read_text()
        _write(folder / page_of(name), normalized(rewritten(name, text)))
        for target in targets(name, text):
            _add_source(folder, name, target)


def _add_source(folder: Path, document: str, path: str) -> None:
    target, source = page_of(path), ROOT / path
    if not source.exists():
        raise FileNotFoundError(f"{document} links to {path}, which does not exist")
    if not target.startswith("source/") or source.is_dir():
        return
    text = source.read_text()
    _write(folder / target, text if target.endswith(".json") else _shown(path, text))


def _shown(path: str, text: str) -> str:
    """A page that shows a file."""
    fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    return (
        "---\nsearch:\n  exclude: true\nhide: [toc]\n---\n"
        f"# `{path}`\n\n{fence}{Path(path).suffix[1:]}\n{text.rstrip()}\n{fence}\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
