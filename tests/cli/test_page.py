"""`errgrpc docs`: the page has all declarations, and no text of a catalogue becomes markup.

`make test-page` runs the tests in a browser.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cli.page_tables import CLOSING, hostile, large
from grpc import StatusCode
from markdown_it import MarkdownIt

from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError
from errgrpc.cli.page.content import reference
from errgrpc.cli.page.html import html
from errgrpc.cli.page.markdown import markdown
from errgrpc.cli.page.words import WORDS
from errgrpc.cli.tables import Tables
from errgrpc.http import Request, Responder

CODES = [code for catalogue in (ResCode, ComponentCode) for code in catalogue]


class Page(HTMLParser):
    """The elements of a page, the texts by kind, and the attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements = Counter[str]()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, str] = {}
        self.ids: list[str] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id" and tag == "article"]
        if tag not in ("meta", "link", "input"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside[-1]] = self.texts.get(self.inside[-1], "") + data


@pytest.mark.parametrize(
    ("help_url", "shown"),
    [
        ("https://x.example.com/errors.html#shop.v1.ShopCode.{reason}", False),
        ("https://x.example.com/errors.html#shop%2Ev1.ShopCode.{reason}", False),
        ("https://x.example.com/errors.html#other.v1.ShopCode.{reason}", True),
        ("https://x.example.com/errors.html#{reason}", True),
        ("https://x.example.com/shop.v1.ShopCode.{reason}", True),
        ("https://x.example.com[#", True),  # of a descriptor set, which was not checked
        ("", False),
    ],
)
def test_no_code_links_to_its_own_place(help_url: str, shown: bool) -> None:
    (catalog,) = large().catalogs
    code = replace(catalog.values[0], name="GONE", reason="GONE")
    known = reference(Tables((replace(catalog, values=(code,), help_url=help_url),)), "Errors")
    assert known["catalogues"][0]["codes"][0]["anchor"] == "shop.v1.ShopCode.GONE"
    assert ("https://x.example.com" in html(known)) is shown
    assert ("**More:**" in markdown(known)) is shown


def test_each_code_has_its_part(run: Any) -> None:
    ran = run("docs")
    assert (ran.code, ran.err) == (0, "")
    page = Page(ran.out)
    assert page.ids == [f"errgrpc.v1.{type(code).__name__}.{code.reason}" for code in CODES]
    shown = "".join(page.texts.values())
    for code in CODES:
        texts = (
            *code.hints.values(),
            code.message,
            *code.spec.description.split("\n"),
            code.resolution,
        )
        assert all(text in shown for text in texts)
        assert all(each.key in shown and each.description in shown for each in code.metadata_fields)


def test_only_its_own_style_and_script_run() -> None:
    text = html(reference(hostile(), CLOSING))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    said = dict(part.split(" ", 1) for part in policy.split("; "))
    assert said["default-src"] == "'none'"
    for name, tag in (("style-src", "<style>"), ("script-src", "<script>")):
        (inside,) = re.findall(rf"{tag}(.*?)</", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert said[name] == f"'sha256-{digest}'"


def test_what_a_catalogue_says_is_no_markup() -> None:
    text = html(reference(hostile(), CLOSING))
    page, plain = Page(text), Page(html(reference(large_one(), "Errors")))
    assert set(page.elements) == set(plain.elements)
    assert (page.elements["script"], page.elements["style"], page.elements["img"]) == (2, 1, 0)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(
        value.startswith(("#", "https://", "data:image/"))
        for _, name, value in page.attributes
        if name in ("href", "src")
    )
    assert page.ids == [f"shop.v1.{CLOSING}.{CLOSING}"]
    assert page.texts["title"] == page.texts["h1"] == CLOSING
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    assert "\ufffd[31mred&#8238;\ufffd" in text


def large_one() -> Any:
    """One code of the large catalogue, in the same template."""
    tables = large()
    (catalog,) = tables.catalogs
    return type(tables)(
        (
            type(catalog)(
                **{name: getattr(catalog, name) for name in catalog.__slots__}
                | {"values": catalog.values[:1]}
            ),
        )
    )


def test_markdown_is_text_alone() -> None:
    text = markdown(reference(hostile(), CLOSING))
    rendered = Page(MarkdownIt("gfm-like", {"linkify": False}).render(text))
    assert not rendered.elements.keys() & {"script", "style", "img", "em", "strike"}
    assert not [name for _, name, _ in rendered.attributes if name.startswith("on")]
    assert all(value.startswith("#") for _, name, value in rendered.attributes if name == "href")
    assert rendered.texts["h1"] == " ".join(CLOSING.split())


def test_markdown_of_ours(run: Any) -> None:
    ran = run("docs", "--format", "markdown", "--title", "Errors")
    assert ran.out.startswith("# Errors\n\n## errgrpc.v1.ResCode\n\nDomain `errgrpc.v1.ResCode`.\n")
    rendered = Page(MarkdownIt("gfm-like", {"linkify": False}).render(ran.out))
    assert (rendered.elements["h3"], rendered.elements["pre"]) == (
        len(CODES),
        len([code for code in CODES if is_error(code)]),
    )
    targets = {value for tag, name, value in rendered.attributes if (tag, name) == ("a", "id")}
    links = {value.removeprefix("#") for _, name, value in rendered.attributes if name == "href"}
    assert targets == links == {f"errgrpc.v1.{type(code).__name__}.{code.reason}" for code in CODES}
    assert "| `room_uuid` | string, optional | `r-42` | The room |" in ran.out


def is_error(code: ErrorCode) -> bool:
    return code.grpc_status is not StatusCode.OK


def test_the_json_on_the_wire_is_what_is_answered(run: Any) -> None:
    told = {
        code["anchor"]: code
        for catalogue in json.loads(run("docs", "-f", "json").out)["catalogues"]
        for code in catalogue["codes"]
    }
    compared, responder = 0, Responder(ResCode, form="aip193")
    for code in CODES:
        known = told[f"errgrpc.v1.{type(code).__name__}.{code.reason}"]
        if not is_error(code):
            assert known["wire"] is None
            continue
        examples: Any = {
            field.key: field.example for field in code.metadata_fields if field.example
        }
        answer = responder.answer(ServiceError(code, **examples), Request())
        if not answer.body:  # a 304 has no body
            continue
        answered = json.loads(answer.body)["error"]
        answered["details"] = [
            detail for detail in answered["details"] if "RequestInfo" not in detail["@type"]
        ]
        assert known["wire"]["error"] == answered
        compared += 1
    assert compared > 30


def test_a_condition_counts_if_the_examples_meet_it() -> None:
    (catalogue,) = reference(hostile(), "")["catalogues"]
    (info, localized) = catalogue["codes"][0]["wire"]["error"]["details"]
    assert info["metadata"] == {"code": "1", CLOSING: CLOSING, "seat": "3"}
    assert localized["locale"] == "zh-CN"


def test_a_file_and_a_title(run: Any, tmp_path: Path) -> None:
    ran = run("docs", "-o", str(tmp_path / "errors.html"), "--title", "Errors of <the> shop")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "<h1>Errors of &lt;the&gt; shop</h1>" in (tmp_path / "errors.html").read_text("utf-8")
    ran = run("docs", "-o", "nowhere/errors.html", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "errgrpc: --output nowhere/errors.html cannot be written: No such file or directory: "
        "give a file in a folder that exists\n"
    )


def test_every_word_is_said_and_used() -> None:
    folder = Path(__file__).parents[2] / "errgrpc/cli/page"
    source = (folder / "page.html.jinja").read_text() + (folder / "page.js").read_text()
    used = set(re.findall(r'words\.(\w+)|words\["(\w+)"\]|w\("(\w+)"\)|word\("(\w+)"\)', source))
    told = {name for names in used for name in names if name}
    told |= {f"retry_{value}{kind}" for value in ("yes", "no") for kind in ("", "_filter")} | {
        "retry_unsaid_filter"
    }
    assert told | {"deprecated_yes", "deprecated_no"} == set(WORDS)
    assert all(
        english and re.search("[\u4e00-\u9fff]|\\{", chinese) for english, chinese in WORDS.values()
    )


def test_the_language_of_a_text_is_guessed_by_its_script() -> None:
    text = html(reference(large_one(), "Errors"))
    assert '<dd class="t" lang="zh">房间 1 查不到' in text
    assert '<dd class="t" lang="en">Check the id' in text
    assert '<span class="t l0" lang="zh-CN">房间1不存在' in text
    assert '<span class="t l1" lang="en-US">The room 1' in text
