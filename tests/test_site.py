"""The documentation site without its generator.

`make docs` checks the rest.
"""

import re
from pathlib import Path

import pytest

from website.check import problems
from website.gathering import gather
from website.links import PAGES, page_of, rewritten, targets
from website.lists import normalized

ROOT = Path(__file__).parent.parent
NAV = re.findall(
    r"^ *- (?:[^:\n]+: )?(\S+\.(?:md|html))$",
    (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2],
    re.MULTILINE,
)
MADE_BY_THE_COMMAND = {"shipped-codes.md", "files/errors.html"}


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    gather(folder)
    return folder


def test_each_page_is_in_the_navigation_once(gathered: Path) -> None:
    pages = {path.relative_to(gathered).as_posix() for path in gathered.rglob("*.md")}
    shown = {
        name
        for name in pages | MADE_BY_THE_COMMAND
        if not name.startswith("source/") and not name.endswith("-tables.md")
    }
    assert sorted(NAV) == sorted(shown)


def test_each_link_leads_to_a_page_or_a_file_of_the_site(gathered: Path) -> None:
    for path in gathered.rglob("*.md"):
        name = path.relative_to(gathered).as_posix()
        # The site does not follow the links in a shown source.
        if not name.startswith("source/"):
            for target in targets(name, path.read_text()) - MADE_BY_THE_COMMAND:
                assert (gathered / target).is_file(), f"{name} links to {target}"


def test_the_start_pages_link_to_each_other(gathered: Path) -> None:
    assert "(zh-CN.md)" in (gathered / "index.md").read_text()
    assert "(index.md)" in (gathered / "zh-CN.md").read_text()


def test_each_module_of_the_reference_exists() -> None:
    pages = [path.read_text() for path in (ROOT / "website/pages/api").glob("*.md")]
    names = re.findall(r"^::: (\S+)$", "\n".join(pages), re.MULTILINE)
    assert "errgrpc" in names
    # failing() has its module's name, so the page names both.
    names = [name.removesuffix(".failing.failing") for name in names]
    paths = [ROOT / name.replace(".", "/") for name in names]
    assert [
        path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())
    ] == []


def test_each_document_outside_docs_exists() -> None:
    assert [name for name in PAGES if not (ROOT / name).is_file()] == []


def test_a_link_to_a_file_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "website" / "pages").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("[b](../gone.py)")
    monkeypatch.setattr("website.gathering.ROOT", tmp_path)
    monkeypatch.setattr("website.gathering.PAGES", {})
    with pytest.raises(FileNotFoundError, match=r"docs/a\.md links to gone\.py"):
        gather(tmp_path / "pages")


@pytest.mark.parametrize(
    ("document", "text", "on_the_site"),
    [
        ("README.md", "[a](docs/http.md#x)", "[a](http.md#x)"),
        ("README.md", "![a](docs/classroom.png)", "![a](classroom.png)"),
        ("README.md", "[a](#raise) [b](https://example.com/docs/a.md)", None),
        ("docs/http.md", "[a](wire.md) [b](../README.md)", "[a](wire.md) [b](index.md)"),
        ("docs/http.md", "[a](../conformance/ours.py)", "[a](source/conformance/ours.py.md)"),
        ("docs/wire.md", "[`a`](../conformance/vectors)", "`a`"),
        ("conformance/README.md", "[a](../docs/gateway.md)", "[a](gateway.md)"),
        ("docs/wire.md", "```md\n[a](../README.md)\n```", None),
    ],
)
def test_links_are_rewritten(document: str, text: str, on_the_site: str | None) -> None:
    assert rewritten(document, text) == (text if on_the_site is None else on_the_site)


def test_json_stays_a_file() -> None:
    assert page_of("conformance/vectors/vectors.json") == "source/conformance/vectors/vectors.json"


@pytest.mark.parametrize(
    ("as_on_github", "as_the_generator_needs_it"),
    [
        ("a\n- b\n- c", "a\n\n- b\n- c"),
        ("1. a\n   - b\n   - c\n2. d", "1. a\n    - b\n    - c\n2. d"),
        ("- a\n   - b\n     c\n- d", "- a\n    - b\n        c\n- d"),
        ("- a\n  b\n\n  c\n\nd", "- a\n    b\n\n    c\n\nd"),
        (
            "- a\n\n  ```py\n  if b:\n      c\n  ```",
            "- a\n\n    ```py\n    if b:\n        c\n    ```",
        ),
        ("- a\nb\n- c", "- a\nb\n- c"),
        ("- a\n```\n    b\n```", "- a\n```\n    b\n```"),
        ("```\na\n- b\n```", "```\na\n- b\n```"),
    ],
)
def test_lists_are_normalized(as_on_github: str, as_the_generator_needs_it: str) -> None:
    assert normalized(as_on_github) == as_the_generator_needs_it


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="b.html#there">', None),
        ('<a href="#here" id="here">', None),
        ('<a href="https://example.com"><img src="data:image/png;base64,">', None),
        ('<a href="/sub/">', None),
        ('<a href="c.html">', "a.html: links to c.html, which does not exist"),
        ('<a href="../b.html">', "a.html: links to ../b.html, which does not exist"),
        ('<a href="b.html#gone">', "a.html: links to b.html#gone, but b.html has no anchor gone"),
        ('<img src="gone.png">', "a.html: links to gone.png, which does not exist"),
        ('<script src="//cdn.test/a.js">', "a.html: loads //cdn.test/a.js from another host"),
        (
            '<link rel="stylesheet" href="https://cdn.test/a.css">',
            "a.html: loads https://cdn.test/a.css from another host",
        ),
        (
            "<style>@import 'https://cdn.test/b.css';</style>",
            "a.html: loads https://cdn.test/b.css from another host",
        ),
    ],
)
def test_the_built_site_is_checked(tmp_path: Path, html: str, problem: str | None) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").touch()
    (tmp_path / "a.html").write_text(html)
    (tmp_path / "b.html").write_text('<h2 id="there">')
    assert problems(tmp_path) == ([] if problem is None else [problem])


def test_style_sheets_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{src:url(https://cdn.test/f.woff2)}b{src:url('gone.png')}")
    assert problems(tmp_path) == [
        "a.css: loads https://cdn.test/f.woff2 from another host",
        "a.css: links to gone.png, which does not exist",
    ]
