"""Hints in the formats of translators: files have the texts of the table, and can be read back."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errgrpc.cli import tables
from errgrpc.cli.output import Misuse
from errgrpc.cli.tables import Tables
from errgrpc.cli.translations import FORMATS
from errgrpc.cli.translations.texts import texts
from errgrpc.codegen.schema import Catalog, Code, Field, Hint
from errgrpc.placeholders import fill, parts

pytestmark = pytest.mark.thinned(3)  # each case compiles protos

ROOT = Path(__file__).parents[2]
SINGLE = ["android", "strings", "i18next", "po", "properties"]
RES = "protos/errgrpc/v1/res_code.proto"
literals = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
) | st.text("%'\"\\@?${}[]()<>&;#!=:/*- \t\n\r1st\u2060u0", max_size=8)
templates = st.lists(
    literals.map(lambda text: text.replace("{", "{{").replace("}", "}}"))
    | st.sampled_from(["{limit}", "{user-name}", "%1$s", "$t(x)", "{{limit}}"]),
    min_size=1,
    max_size=5,
).map("".join)


def code(reason: str, hints: list[Hint], fields: tuple[str, ...] = ()) -> Code:
    return Code(
        reason,
        reason,
        1,
        0,
        "When -- it */ occurs\nsecond line-",
        True,
        5,
        404,
        "It failed",
        tuple(hints),
        metadata_fields=tuple(Field(key, "How many", "30", False, 0) for key in fields),
    )


def table(*codes: Code) -> Tables:
    values = tuple(replace(each, number=number) for number, each in enumerate(codes))
    return Tables(
        (Catalog("a.proto", "shop.v1", "Code", 0, "", True, "shop", "en", "", (), values, ""),)
    )


def normal(template: str, fields: tuple[str, ...]) -> str:
    """The same template, with each lone brace doubled."""
    if not fields:
        return template
    return "".join(
        f"{{{key}}}" if key else text.replace("{", "{{").replace("}", "}}")
        for text, key in parts(template)
    )


@pytest.mark.parametrize("name", FORMATS)
@given(
    template=templates, fields=st.sampled_from([(), ("limit", "user-name"), ("user-name", "limit")])
)
def test_each_text_comes_back(name: str, template: str, fields: tuple[str, ...]) -> None:
    if not template.strip():
        template += "x"
    form = FORMATS[name]
    hints = [
        Hint("en", "x", ()),
        Hint("de", template, ()),
        Hint("de", template + "!", (("a", "b"),)),
    ]
    known = texts(table(code("FULL", hints, fields), code("OTHER", [Hint("de", "y", ())], fields)))
    told = [each for each in form.read(form.write(known, "de")) if each.locale in ("", "de")]
    assert {
        each.key: form.style.read(each.text, fields) for each in told if not each.unfinished
    } == {
        "FULL": normal(template, fields),
        "FULL_IF_A_B": normal(template + "!", fields),
        "OTHER": "y",
    }


def test_java_reads_one_pair_of_quotes_for_a_run() -> None:
    written = FORMATS["properties"].style.written("}}'}}''{limit}'", ("limit",))
    assert written == "'}''}'''''{0}''"


@given(template=templates)
def test_what_is_filled_in_is_what_the_catalogue_fills_in(template: str) -> None:
    fields = ("limit", "user-name")
    values = {"limit": "30", "user-name": "%s {0} Li"}
    wanted = fill(template, values)
    printf = FORMATS["android"].style.written(template, fields)
    assert printf.replace("%1$s", "%(limit)s").replace("%2$s", "%(name)s") % {
        "limit": "30",
        "name": values["user-name"],
    } == wanted or re.search(r"%[12]\$s", template)
    i18next = FORMATS["i18next"].style.written(template, fields)
    filled = re.sub("{{(.+?)}}", lambda found: values[found[1]], i18next)  # as in i18next
    assert filled.replace("\u2060", "") == wanted.replace("\u2060", "")


@pytest.mark.parametrize(
    ("name", "plain", "formatted"),
    [
        ("android", r"\@a 5% \'\"<b>&\n{limit}", r"%1$s of 5%% \'\"{"),
        ("strings", r"@a 5% '\"<b>&\n{limit}", r"%1$@ of 5%% '\"{"),
        ("i18next", "@a 5% '\"<b>&\n{limit}", "{{limit}} of 5% '\"{"),
        ("po", "@a 5% '\"<b>&\n{limit}", "{limit} of 5% '\"{{"),
        ("properties", "@a 5% '\"<b>&\\n{limit}", "{0} of 5% ''\"'{'"),
    ],
)
def test_what_a_format_takes_for_its_own_is_escaped(name: str, plain: str, formatted: str) -> None:
    hints = [Hint("en", "@a 5% '\"<b>&\n{limit}", ())]
    other = [Hint("en", "{limit} of 5% '\"{{", ())]
    written = FORMATS[name].write(
        texts(table(code("A", hints), code("B", other, ("limit",)))), "en"
    )
    match name:
        case "i18next":
            assert json.loads(written) == {"A": plain, "B": formatted}
        case "po":
            assert {entry.msgctxt: entry.msgstr for entry in polib.pofile(written)} == {
                "A": plain,
                "B": formatted,
            }
            assert [entry.flags for entry in polib.pofile(written)] == [[], ["python-brace-format"]]
        case "android":
            root = ElementTree.fromstring(written)  # noqa: S314  written by this package
            assert [element.text for element in root] == [
                plain,
                formatted,
            ]
            assert [element.get("formatted") for element in root] == [
                "false",
                None,
            ]
        case _:
            assert plain in written
            assert formatted in written


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "none"])
def test_the_text_of_an_xml_is_decoded_once(encoding: str) -> None:
    file = f'<?xml version="1.0" encoding="{encoding}"?><string name="A">zu spät</string>'
    assert [each.text for each in FORMATS["android"].read(file)] == ["zu spät"]


def test_android_reads_as_aapt_does() -> None:
    file = """<resources xmlns:xliff="urn:oasis:names:tc:xliff:document:1.2">
      <string name="A">  two   words
      </string>
      <string name="B">"  kept  "\\u0020\\@\\?</string>
      <string name="C"><xliff:g id="x">%1$s</xliff:g> seats</string>
      <string name="D">a <b>bold</b> word</string>
      <string name="E"><![CDATA[<b>]]></string>
      <plurals name="F"><item quantity="one">a seat</item></plurals>
    </resources>"""
    told = FORMATS["android"].read(file)
    assert [each.text for each in told if not each.unfinished] == [
        "two words",
        "  kept   @?",
        "%1$s seats",
        "<b>",
    ]
    assert [each.unfinished for each in told if each.unfinished] == [
        "it has the element <b>, and a hint is plain text",
        "it has the element <plurals>, and a hint is one text",
    ]
    for wrong in ('<!DOCTYPE r [<!ENTITY a "b">]><r/>', "<resources>", ""):
        with pytest.raises(ValueError, match=r"document type|no XML"):
            FORMATS["android"].read(wrong)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("strings", '"A" = "x"'),
        ("strings", '"A" = "x"; rest'),
        ("xcstrings", "[]"),
        (
            "xcstrings",
            (
                '{"strings": {"A": {"localizations": {"en": {"stringUnit": {"state": "new", '
                '"value": 1}}}}}}'
            ),
        ),
        ("i18next", '{"A": {"b": "c"}}'),
        ("i18next", "[1"),
        ("po", "nonsense"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, file: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        FORMATS[name].read(file)


def test_two_catalogues_with_one_reason_are_refused() -> None:
    one = table(code("FULL", [Hint("en", "x", ())]))
    other = replace(one.catalogs[0], name="Other")
    with pytest.raises(Misuse, match=r"shop.v1.Code.FULL and shop.v1.Other.FULL would both have"):
        texts(Tables((*one.catalogs, other)))


def test_conditions_that_look_alike_have_keys_of_their_own() -> None:
    hints = [Hint("en", value, (("a", value),)) for value in ("x y", "x-y", "X_Y")]
    keys = [text.key for text in texts(table(code("FULL", hints)))]
    assert keys == ["FULL", "FULL_IF_A_X_Y", "FULL_IF_A_X_Y_2", "FULL_IF_A_X_Y_3"]


def test_no_reason_of_the_catalogue_is_the_key_of_a_condition() -> None:
    full = code("FULL", [Hint("en", "x", (("a", "b"),)), Hint("en", "y", (("a", "if-b-c"),))])
    late = code("FULL_IF_A", [Hint("en", "z", (("b", "c"),))])
    known = texts(table(full, late, code("FULL_IF_A_B", [])))
    assert [(text.code.reason, text.key) for text in known] == [
        ("FULL", "FULL"),
        ("FULL", "FULL_IF_A_B_2"),
        ("FULL", "FULL_IF_A_IF_B_C"),
        ("FULL_IF_A", "FULL_IF_A"),
        ("FULL_IF_A", "FULL_IF_A_IF_B_C_2"),
        ("FULL_IF_A_B", "FULL_IF_A_B"),
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_the_shipped_table_comes_back_as_it_was(name: str, run: Any, tmp_path: Path) -> None:
    locale = () if name == "xcstrings" else ("--locale", "zh_cn")
    file = tmp_path / f"zh{FORMATS[name].suffix}"
    assert run("export", name, "-c", RES, *locale, "-o", str(file)).code == 0
    back = tmp_path / "back.proto"
    ran = run(
        "import", str(file), "-c", RES, *locale[:1], *(["zh-CN"] if locale else []), "-o", str(back)
    )
    assert (ran.code, ran.err) == (0, f"wrote {back}: 32 codes\n")
    assert back.read_bytes() == Path(RES).read_bytes()


@pytest.mark.parametrize("default", ["en", "EN", "zh-CN"])
def test_a_po_says_what_its_source_is_if_it_is_not_the_default_locale(default: str) -> None:
    hints = [Hint("en", "Full", ()), Hint("zh-CN", "满了", ()), Hint("en", "If", (("a", "b"),))]
    known = table(
        code("FULL", hints),
        code("LATE", [Hint("de", "Zu spät", ())]),
        code("GONE", []),
        replace(code("BARE", []), message=""),
    )
    known = Tables((replace(known.catalogs[0], default_locale=default),))
    written = FORMATS["po"].write(texts(known), "fr")
    found = {
        entry.msgctxt: [line for line in entry.comment.splitlines() if line.startswith("source:")]
        for entry in polib.pofile(written)
    }
    assert found == {
        "FULL": [],
        "FULL_IF_A_B": [],  # without a text of its own in zh-CN, the plain one is translated
        "LATE": ["source: de"],
        "GONE": ["source: the message for developers"],
        "BARE": ["source: the reason"],
    }


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="needs gettext")
@pytest.mark.parametrize("locale", ["de", "zh-CN", "en-US"])
def test_gettext_has_nothing_to_say(locale: str, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "hints.po"
    assert run("export", "po", "-c", RES, "--locale", locale, "-o", str(file)).code == 0
    command = ["msgfmt", "--check", "-o", str(tmp_path / "hints.mo"), str(file)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("", "")
    first = file.read_bytes()
    assert run("export", "po", "-c", RES, "--locale", locale, "-o", str(file)).code == 0
    assert file.read_bytes() == first


PROTO = """\
// Apache-2.0
syntax = "proto3";

package shop.v1;

import "errgrpc/v1/annotations.proto";

option go_package = "example.com/shop/v1";

message Kept { string name = 1; }  // kept

enum ShopCode {
  option (errgrpc.v1.catalog) = {domain: "shop.example.com", default_locale: "en"};
  reserved 7;

  SHOP_CODE_UNSPECIFIED = 0;
  // 满 \t tab; a comment before
\tSHOP_CODE_FULL = 1 [(errgrpc.v1.code) = {grpc_status: RESOURCE_EXHAUSTED \
message: "Full" /* inside */
    hints: {locale: "en" text: "All {limit} are taken"}
    hints: {locale: "DE" text: "alt {limit}"}
    metadata_fields: {key: "limit"}}];  // behind
  SHOP_CODE_GONE = 2 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND message: "Gone" \
hints: {locale: "en" text: "Gone"}}];
}
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_translation_changes_its_hints_alone(end: str, run: Any, tmp_path: Path) -> None:
    source = tmp_path / "shop" / "v1" / "shop.proto"
    source.parent.mkdir(parents=True)
    source.write_bytes(PROTO.replace("\n", end).encode())
    file = tmp_path / "de.po"
    assert run("export", "po", "-c", str(source), "--locale", "de", "-o", str(file)).code == 0
    po = polib.pofile(str(file))
    for entry in po:
        entry.msgstr = "Weg \u2028 \"'" if entry.msgctxt == "GONE" else "Alle {limit} vergeben"
    po.save()
    ran = run("import", str(file), "-c", str(source), "-o", str(source))
    assert ran.code == 0
    assert ran.err == (
        f"lost: {source} line 18: the comments inside of shop.v1.ShopCode.FULL\n"
        f"wrote {source}: 2 codes\n"
    )
    text = source.read_bytes().decode()
    assert text.count("\n") == text.count(end)
    lines = text.replace("\r\n", "\n").split("\n")
    old = PROTO.split("\n")
    assert lines[:17] == old[:17]
    assert lines[-2:] == old[-2:]
    assert "];  // behind" in text
    (catalog,) = tables.load([str(source)]).catalogs
    assert [code.hints for code in catalog.codes] == [
        (Hint("en", "All {limit} are taken", ()), Hint("DE", "Alle {limit} vergeben", ())),
        (Hint("en", "Gone", ()), Hint("DE", "Weg \u2028 \"'", ())),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n// \U0001f469\u200d\U0001f680 \x1b[31m\n"])
def test_a_pipe_gets_the_rest_as_it_was(end: str, tmp_path: Path) -> None:
    source, old = tmp_path / "shop.proto", "\ufeff" + PROTO.replace("\n", end).rstrip("\n")
    source.write_bytes(old.encode())
    (tmp_path / "de.json").write_text("{}")
    command = [sys.executable, "-m", "errgrpc", "import", "de.json", "--locale", "de"]
    ran = subprocess.run(
        [*command, "-c", "shop.proto"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert (ran.stdout, ran.stderr) == (old.encode(), b"")


SHORT = """\
syntax = "proto3"; package shop; import "errgrpc/v1/annotations.proto"; enum Shop { option \
(errgrpc.v1.catalog) = {domain: "shop"}; SHOP_UNSPECIFIED = 0; \
@SHOP_FULL = 1 [(errgrpc.v1.code).message = "];", (errgrpc.v1.code).grpc_status = NOT_FOUND,
  (errgrpc.v1.code).hints = {locale: "en" text: "// }];"}];@ \
/* ]; 满\t*/\t@SHOP_GONE = 0x2 [deprecated = true,
  (errgrpc.v1.code) = {grpc_status: NOT_FOUND message: 'a' "b" hints: [<locale: "de" text: "a">]}];@
// \x85 \u2028 \x0b
}
message Shops { enum Other { option (errgrpc.v1.catalog) = {domain: "other"}; \
OTHER_UNSPECIFIED = 0;\t\t
\t@OTHER_LATE = -7 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "a"}];@}}"""


@pytest.mark.parametrize(("mixed", "mark"), [(0, ""), (5, ""), (2, "\ufeff"), (7, "\ufeff")])
def test_the_rest_is_the_same_byte_for_byte(
    mixed: int, mark: str, run: Any, tmp_path: Path
) -> None:
    ends = ["\r\n" if mixed >> (index % 3) & 1 else "\n" for index in range(SHORT.count("\n"))]
    old = mark + "".join(
        line + end for line, end in zip(SHORT.split("\n"), [*ends, ""], strict=True)
    )
    source, file = tmp_path / "shop.proto", tmp_path / "de.json"
    source.write_bytes(old.replace("@", "").encode())
    file.write_text('{"FULL": "Voll", "GONE": "Weg", "LATE": "Spät"}', encoding="utf-8")
    arguments = ("--locale", "de", "-c", str(source), "-o", str(source))
    ran = run("import", str(file), *arguments)
    assert (ran.code, ran.err) == (0, f"wrote {source}: 3 codes\n")
    rest = ".+?".join(map(re.escape, old.split("@")[::2]))
    assert re.fullmatch(rest, source.read_bytes().decode(), re.DOTALL)
    hints = {
        code.reason: [(hint.locale, hint.text) for hint in code.hints]
        for _, code in tables.load([str(source)]).codes()
    }
    assert hints == {
        "FULL": [("en", "// }];"), ("de", "Voll")],
        "GONE": [("de", "Weg")],
        "LATE": [("de", "Spät")],
    }


def test_the_source_may_stand_in_the_current_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(PROTO, encoding="utf-8")
    (tmp_path / "de.json").write_text('{"GONE": "Weg"}')
    ran = run("import", "de.json", "--locale", "de", "-c", "shop.proto", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert 'hints: {locale: "de", text: "Weg"}' in ran.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"msgstr": "Alle {limits}"}, "{limits} stands for no field of the code"),
        ({"msgstr": "Alle"}, "it must have the placeholders of the other locales: limit"),
        ({"flags": ["fuzzy"]}, "it is marked fuzzy"),
        ({"msgid": "Old"}, "it translates 'Old', and the text is now 'All {limit} are taken'"),
        ({"msgctxt": "NONE"}, "no code has this key"),
    ],
)
def test_what_is_not_taken_is_said(
    change: dict[str, Any], said: str, run: Any, tmp_path: Path
) -> None:
    source, file = tmp_path / "shop.proto", tmp_path / "de.po"
    source.write_text(PROTO, encoding="utf-8")
    assert run("export", "po", "-c", str(source), "--locale", "de", "-o", str(file)).code == 0
    po = polib.pofile(str(file))
    (entry,) = (each for each in po if each.msgctxt == "FULL")
    entry.msgstr = "Alle {limit} vergeben"
    for name, value in change.items():
        setattr(entry, name, value)
    po.save()
    ran = run("import", str(file), "-c", str(source))
    assert (ran.code, ran.out) == (0, PROTO)
    assert ran.err == f"lost: de.po: {entry.msgctxt}: {said}\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", r'{"GONE": "\ud800"}', "GONE: it has half of a character, a lone surrogate"),
        ("x.json", r'{"\ud800": "x"}', "no code has this key"),
        ("x.json", "[" * 200_000, "x.json cannot be read: "),
        ("x.xcstrings", "[" * 200_000, "x.xcstrings cannot be read: "),
        ("x.xcstrings", "[]", "x.xcstrings cannot be read: it is no string catalogue of Xcode\n"),
        ("x.xml", "<string>" * 200_000, "x.xml cannot be read: it is no XML: no element found"),
    ],
)
def test_a_hostile_file_is_no_traceback(
    name: str, text: str, said: str, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "shop.proto").write_text(PROTO, encoding="utf-8")
    (tmp_path / name).write_text(text)
    ran = run("import", name, "--locale", "de", "-c", "shop.proto", cwd=tmp_path)
    assert (ran.code, ran.out) in ((0, PROTO), (2, ""))
    assert said in ran.err


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("de.json", '"{key}": "{text}"'),
        ("de.properties", "{key} = {text}\n"),
        ("de.strings", '"{key}" = "{text}";'),
        ("de.po", 'msgctxt "{key}"\nmsgid "Gone"\nmsgstr "{text}"\n\n'),
        ("de.xml", '<string name="{key}">{text}</string>'),
        (
            "de.xcstrings",
            '"{key}": {{"localizations": {{"de": {{"stringUnit": '
            '{{"state": "translated", "value": "{text}"}}}}}}}}',
        ),
    ],
)
def test_a_key_that_is_there_twice_is_said(name: str, one: str, run: Any, tmp_path: Path) -> None:
    source, file = tmp_path / "shop.proto", tmp_path / name
    source.write_text(PROTO, encoding="utf-8")
    both = [one.format(key="GONE", text=text) for text in ("Weg", "Gone")]
    around, between = {
        ".json": ("{%s}", ","),
        ".xcstrings": ('{"strings": {%s}}', ","),
        ".xml": ("<resources>%s</resources>", ""),
    }.get(file.suffix, ("%s", ""))
    file.write_text(around % between.join(both))
    locale = [] if file.suffix == ".xcstrings" else ["--locale", "de"]
    ran = run("import", str(file), *locale, "-c", str(source))
    assert ran.err == f"lost: {name}: GONE: the file has this key twice; the first text is taken\n"
    assert 'hints: {locale: "de", text: "Weg"}' in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "android", "-c", RES), "give --locale: there are zh-CN, en-US"),
        (
            ("export", "android", "-c", RES, "--locale", "fr"),
            "no hint is in the locale 'fr': there are",
        ),
        (("export", "xcstrings", "-c", RES, "--locale", "en"), "leave out --locale"),
        (("export", "csv", "-c", RES, "--locale", "en"), "leave out --locale"),
        (("import", "README.md", "-c", RES), "is in no format of translators: give one of .xml,"),
        (("import", "a.po", "-c", RES, "-c", RES), "the one .proto file"),
        (("import", "missing.po", "-c", RES), "missing.po cannot be read"),
    ],
)
def test_misuse_is_said(arguments: tuple[str, ...], said: str, run: Any) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_file_without_its_language_needs_one(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"CONFLICT": "x"}')
    assert "does not say its language; give --locale" in run("import", str(file), "-c", RES).err
    assert "is no .proto file" in run("import", str(file), "-c", "errgrpc:ResCode").err
