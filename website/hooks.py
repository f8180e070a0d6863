"""What mkdocs calls while it builds the site."""

import logging
import posixpath
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from website import lists
from website.links import PAGES, ROOT, local_path, page_of, source_page, targets

__all__ = ["on_config", "on_files", "on_page_markdown", "on_post_page"]

_LOG = logging.getLogger("mkdocs.plugins.website")
_GENERATED = ROOT / "build" / "site-pages"


class _Links(Extension):
    """Turns a document's links, which GitHub follows in the repository, into links of the site."""

    def __init__(self) -> None:
        super().__init__()
        self.documents = {page: path for path, page in PAGES.items()}
        self.page = ""
        self.files = Files([])

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  the library's name
        # After the links were made (20), and before mkdocs resolves them (0).
        md.treeprocessors.register(_Rewriting(md, self), "website-links", 10)

    def rewrite(self, element: Element, attribute: str) -> None:
        document = self.documents.get(self.page, f"docs/{self.page}")
        found = local_path(document, element.get(attribute, ""))
        if found is None:
            return
        path, fragment = found
        target = page_of(path)
        if self.files.get_file_from_path(target) is not None:
            link = posixpath.relpath(target, posixpath.dirname(self.page))
            element.set(attribute, f"{link}#{fragment}" if fragment else link)
        elif (ROOT / path).is_dir() and element.tag == "a":  # no page shows a folder
            element.tag = "span"
            element.attrib.clear()
        else:
            _LOG.warning("%s links to %s, which does not exist", document, path)


class _Rewriting(Treeprocessor):
    def __init__(self, md: Markdown, links: _Links) -> None:
        super().__init__(md)
        self._links = links

    def run(self, root: Element) -> None:
        for element in root.iter():
            for attribute in ("href", "src"):
                if attribute in element.attrib:
                    self._links.rewrite(element, attribute)


_links = _Links()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.markdown_extensions.append(_links)  # type: ignore[arg-type]  mkdocs hands it on
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the documents outside docs/, the pages that only the site has, and linked sources."""
    for folder in (ROOT / "website" / "pages", _GENERATED):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                files.append(File.generated(config, name, abs_src_path=str(path)))
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for page in files.documentation_pages():
        document = _links.documents.get(page.src_uri, f"docs/{page.src_uri}")
        for path in targets(document, page.content_string):
            _add_source(path, files, config)
    _links.files = files
    return files


def _add_source(path: str, files: Files, config: MkDocsConfig) -> None:
    name = page_of(path)
    if files.get_file_from_path(name) or not name.startswith("source/"):
        return
    source = ROOT / path
    if name.endswith(".json") and source.is_file():
        files.append(File.generated(config, name, abs_src_path=str(source)))
    elif source.is_file():
        page = source_page(path, source.read_text())
        level = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, name, content=page, inclusion=level))


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    _links.page = page.file.src_uri
    return lists.normalized(markdown)


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """Names the language of a Chinese page, so that browsers choose its font."""
    language = page.meta.get("language") or ("zh-CN" if page.file.src_uri == "zh-CN.md" else "")
    return output.replace('<html lang="en"', f'<html lang="{language}"', 1) if language else output
