"""`errgrpc import`: the .proto has the facts of the table, and the report lists the rest."""

import contextlib
import csv
import io
import json
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from code_table import CODES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errgrpc.cli import importing, tables
from errgrpc.cli.importing import Wanted, building, java, protos
from errgrpc.cli.importing.entries import Entry, Notes
from errgrpc.cli.lint.rules import http_status_mapping
from errgrpc.cli.output import Misuse
from errgrpc.codegen.schema import STATUSES, Catalog, Code
from errgrpc.codes import MAX_REASON, REASON
from errgrpc.http.statuses import grpc_status

pytestmark = pytest.mark.thinned(3)  # each case compiles protos

SEED = "tests/data/seed-error-codes.md"
NAMED = ("--package", "shop.v1", "--enum", "ShopCode", "--domain", "shop.example.com")
SHOP = Wanted("shop.v1", "ShopCode", "shop.example.com", "en")


def read_back(text: str, folder: Path) -> Catalog:
    file = folder / "back.proto"
    file.write_text(text, encoding="utf-8")
    (catalog,) = tables.load([str(file)]).catalogs
    return catalog


def said(code: Code) -> tuple[Any, ...]:
    return (
        code.reason,
        code.number,
        code.http_status,
        code.message,
        code.description,
        {hint.locale: hint.text for hint in code.hints},
    )


def imported(run: Any, file: Path, *options: str) -> tuple[list[Code], list[str]]:
    """The codes of the written .proto, and the report."""
    ran = run("import", str(file), *NAMED, *options)
    assert ran.code == 0, ran.err
    codes = read_back(ran.out, file.parent).codes
    return codes, ran.err.splitlines()


def test_the_seed_s_document_says_what_the_shipped_protos_say(run: Any, tmp_path: Path) -> None:
    ran = run(
        "import",
        SEED,
        "-o",
        str(tmp_path / "res_code.proto"),
        "--format",
        "json",
        "--package",
        "classroom.v1",
    )
    assert (ran.code, ran.out) == (0, "")
    (catalog,) = tables.load([str(tmp_path / "res_code.proto")]).catalogs
    assert (catalog.full_name, catalog.default_locale, len(catalog.codes)) == (
        "classroom.v1.ResCode",
        "zh-CN",
        len(CODES),
    )
    shipped = {row.number: row for row in CODES}
    unsaid = set()  # codes without a hint or description in the document
    for code in catalog.codes:
        row = shipped[code.number]
        hints = {hint.locale: hint.text for hint in code.hints}
        if row.catalogue == "ResCode":  # the document does not name the others, nor their messages
            assert (code.reason, code.http_status, code.message) == (
                row.reason,
                row.http_status,
                row.message,
            )
        assert code.description in ("", row.description)
        if code.number == -4:  # the document gives its condition in words
            assert "复用IM时，请先登录IM" in hints["zh-CN"]
        elif hints:
            assert hints == {"zh-CN": row.chinese}
        unsaid |= {
            (code.number, what)
            for what, there in (("hint", hints), ("description", code.description))
            if not there
        }
    assert unsaid == {
        *((number, "hint") for number in (0, 304, 704, 1016, 1017)),
        (0, "description"),
        (304, "description"),
    }
    notes = json.loads(ran.err)
    assert {note["kind"] for note in notes} == {"guessed", "lost"}
    for code in catalog.codes:
        assert any(
            note["kind"] == "guessed" and f"of {code.reason}: from " in note["text"]
            for note in notes
        )
    assert [note for note in notes if note["kind"] == "lost" and "of FORBIDDEN" in note["text"]][0][
        "place"
    ] == "line 9"


HEADERS = {
    "english": [
        "Code",
        "Name",
        "HTTP status",
        "gRPC status",
        "Message",
        "zh-CN",
        "hint_en_US",
        "Description",
    ],
    "chinese": [
        "错误码",
        "枚举",
        "HTTP状态码",
        "gRPC状态",
        "英文描述",
        "zh-CN",
        "提示(en-US)",
        "场景",
    ],
}


def rows_of_the_table() -> list[list[str]]:
    return [
        [
            str(r.number),
            r.reason,
            str(r.http_status or ""),
            r.grpc_status.name,
            r.message,
            r.chinese,
            r.english,
            r.description,
        ]
        for r in CODES
    ]


def check_all(codes: list[Code], report: list[str]) -> None:
    assert {code.number: said(code) for code in codes} == {
        row.number: (
            row.reason,
            row.number,
            row.http_status,
            row.message,
            row.description,
            {"zh-CN": row.chinese, "en-US": row.english},
        )
        for row in CODES
    }
    assert {code.number: STATUSES[code.grpc_status or 0] for code in codes} == {
        row.number: row.grpc_status for row in CODES
    }
    assert all(line.startswith("guessed: default_locale") or "GB18030" in line for line in report)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_csv_in_the_encodings_of_spreadsheets(
    encoding: str, suffix: str, delimiter: str, run: Any, tmp_path: Path
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(
        [HEADERS["chinese" if encoding == "gb18030" else "english"], *rows_of_the_table()]
    )
    file = tmp_path / f"codes{suffix}"
    file.write_bytes(text.getvalue().encode(encoding))
    codes, report = imported(run, file)
    check_all(codes, report)
    assert ("guessed: codes" + suffix + ": the encoding GB18030: it is not UTF-8" in report) == (
        encoding == "gb18030"
    )


@pytest.mark.parametrize("language", HEADERS)
def test_xlsx(language: str, run: Any, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["notes of the team"])
    sheet = book.create_sheet("Codes")
    sheet.append(HEADERS[language])
    for row in rows_of_the_table():
        sheet.append([int(row[0]), row[1], int(row[2]) if row[2] else None, *row[3:]])
    book.save(tmp_path / "codes.xlsx")
    codes, report = imported(run, tmp_path / "codes.xlsx")
    assert report.pop(0) == "lost: codes.xlsx, sheet Sheet: a sheet without a column of numbers"
    check_all(codes, report)


def test_a_markdown_table(run: Any, tmp_path: Path) -> None:
    rows = [
        [cell.replace("|", "\\|").replace("\n", "<br>") for cell in row]
        for row in rows_of_the_table()
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (HEADERS["chinese"], ["---"] * 8, *rows)]
    (tmp_path / "codes.md").write_text(
        "\n".join(["# Codes", "", "| a | b |", "|---|:-:|", "| 1 | 2 |", "", *lines, "", "end"])
    )
    codes, report = imported(run, tmp_path / "codes.md")
    assert report.pop(0) == "lost: codes.md line 3: a table without a column of numbers"
    check_all(codes, report)


JAVA = r"""
package shop; // enum Fake { A(1) }
import x.HttpStatus;
/** An enum of { braces }. */
@SuppressWarnings("all")
public enum ShopError implements Coded {
    /** Gone, <b>really</b>.
     *  Twice "gone". */
    GONE(1, "It's \"gone\"" + ", \u4e2d{x}\t", HttpStatus.NOT_FOUND),
    // not a description
    @Deprecated @JsonProperty("x, y")
    OLD(2_000, HttpStatus.SC_UNPROCESSABLE_ENTITY.value(), "Old", "旧的") { int f() { return 3; } },
    badName(0x10, Status.ABORTED, "Bad name", now(), 409),
    LATER;
    private final int number; ShopError(int n) { }
}
"""


def test_a_java_enum(run: Any, tmp_path: Path) -> None:
    (tmp_path / "ShopError.java").write_text(JAVA)
    ran = run(
        "import",
        str(tmp_path / "ShopError.java"),
        "--package",
        "shop.v1",
        "--domain",
        "shop.example.com",
    )
    assert ran.code == 0, ran.err
    catalog = read_back(ran.out, tmp_path)
    assert catalog.name == "ShopError"
    gone, old, bad, later = catalog.codes[:4]
    assert said(gone) == (
        "GONE",
        1,
        404,
        "",
        'Gone, <b>really</b>.\nTwice "gone".',
        {"zh-CN": 'It\'s "gone", 中{x}\t'},
    )
    assert (said(old), old.deprecated) == (("OLD", 2000, 422, "Old", "", {"zh-CN": "旧的"}), True)
    assert (said(bad), bad.grpc_status) == (("BAD_NAME", 16, 409, "Bad name", "", {}), 10)
    assert said(later) == ("LATER", 3, None, "", "", {})
    place = f"ShopError.java line {JAVA.count(chr(10), 0, JAVA.index('badName')) + 1}"
    assert (
        f"lost: {place}: now() of badName: it is no number, text or status that a code has"
        in ran.err
    )
    assert f"renamed: {place}: badName is now BAD_NAME" in ran.err
    assert "number 3 of LATER: its place in the enum" in ran.err


@pytest.mark.parametrize("number", ["0999", "9" * 5000, "0x" + "f" * 5000, "0x_"])
def test_a_number_that_java_or_python_refuses_is_lost(
    number: str, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.java").write_text(f'enum A {{ GONE({number}, "Gone") }}')
    ran = run("import", str(tmp_path / "a.java"), *NAMED)
    assert ran.code == 0
    assert f"lost: a.java line 1: {number} of GONE: it is no number" in ran.err


@pytest.mark.full
@pytest.mark.parametrize(
    "text", ["enum " * 100_000, "enum A {" + "A(1),\n" * 50_000 + "}"], ids=["enum", "constants"]
)
def test_a_long_java_file_takes_a_moment(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(Misuse):
        java.read(text, "a.java", [])
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("a.java", "class A {}", "a.java has no Java enum"),
        ("a.java", "enum A { B(1", "a.java, line 1: a bracket is not closed"),
        ("a.java", "enum A { B(1)", "a.java: the enum does not end"),
        ("a.csv", "", "a.csv is empty"),
        (
            "a.csv",
            "Name,Text\nA,b\n",
            "a.csv, line 1: no column of numbers is among the headers (Name, Text)",
        ),
        ("a.csv", "code,name\n\n1,AAA\n2,BBB\n1,CCC\n", "line 3 and line 5 both have the number 1"),
        ("a.csv", "number,name\n1,ROOM_1\n2,room1\n", "line 2 and line 3 both have the reason"),
        (
            "a.csv",
            "number\none\n",
            "line 2: the number 'one' is no whole number from -2147483648 to 2147483647; give one",
        ),
        (
            "a.csv",
            "number,http\n1,42\n",
            "line 2: the http '42' is no whole number from 100 to 599; give one",
        ),
        ("a.csv", "number,grpc\n1,GONE\n", "line 2: 'GONE' is no gRPC status"),
        ("a.csv", "number,retryable\n1,maybe\n", "line 2: retryable is 'maybe'"),
        (
            "a.csv",
            'number,metadata\n1,"[{""key"": 1}]"\n',
            "line 2: the metadata fields are neither `limit, seconds` nor JSON such as",
        ),
        (
            "a.csv",
            'number,metadata\n1,"[{""key"": ""ab"", ""example"": ""\\ud800""}]"\n',
            'a lone surrogate, is in an argument or a cell: metadata_fields: {key: "ab", example: ',
        ),
        ("a.csv", 'number,metadata\n1,"[{""key"": ""code""}]"\n', "ShopCode makes a catalogue"),
        ("a.csv", 'number\n"1"2\n', "a.csv, line 2:"),
        ("a.csv", "number\n", "has no code"),
        ("a.csv", b"number\n\x00", "a.csv is no text in UTF-8"),
        ("a.csv", b"\xff\xfe\x00", "a.csv is no text in UTF-8"),
        (
            "a.md",
            "| a | b |\n|---|---|\n| 1 | 2 |\n",
            "a.md, line 1: no column of numbers is among the headers (a, b)",
        ),
        ("a.md", "nothing", "a.md has no table of codes and no Java enum"),
        ("a.xlsx", "no archive", "a.xlsx is no .xlsx file"),
        ("a.doc", "", ".doc is no known format"),
    ],
)
def test_what_cannot_be_imported(
    file: str, text: str | bytes, says: str, run: Any, tmp_path: Path
) -> None:
    (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run("import", str(tmp_path / file), *NAMED)
    assert (ran.code, ran.out) == (2, "")
    assert says.removeprefix("ShopCode ") in ran.err


def test_all_wrong_cells_are_told_at_once(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "number,name,http,grpc,retryable,metadata\n"
        "one,AAA,42,GONE,maybe,{\n"
        "2,BBB,abc,,,\n"
        "—— 支付 ——,,,,,\n"
        "2,CCC,404,,,\n"
        "4,CCC,404,,,\n"
    )
    ran = run("import", str(tmp_path / "a.csv"), *NAMED)
    assert (ran.code, ran.out) == (2, "")
    first, *rest = ran.err.splitlines()
    assert first.endswith("a.csv: 8 cells or rows are wrong:")
    assert [line.partition(";")[0] for line in rest] == [
        "line 2: the number 'one' is no whole number from -2147483648 to 2147483647",
        "line 2: the http '42' is no whole number from 100 to 599",
        "line 2: retryable is 'maybe'",
        "line 2: the metadata fields are neither `limit, seconds` nor JSON such as "
        '[{"key": "limit", "example": "30", "optional": true, "type": "INT64"}]',
        "line 2: 'GONE' is no gRPC status",
        "line 3: the http 'abc' is no whole number from 100 to 599",
        "line 3 and line 5 both have the number 2",
        "line 5 and line 6 both have the reason CCC",
    ]


@pytest.mark.parametrize(
    ("number", "http", "read"),
    [
        ("10001", "HTTP 429", (10001, 429)),
        ("10,001", "429 Too Many Requests", (10001, 429)),
        ("１０００１", "４２９", (10001, 429)),
        ("１０，００１", "http/1.1 429", (10001, 429)),
        ("-1,000.0", "429（限流）", (-1000, 429)),
        *(("\u22127", empty, (-7, None)) for empty in ("-", "无", "N/A", "n/a", "/", "——")),
    ],
)
def test_cells_as_people_write_them(
    number: str, http: str, read: tuple[int, int | None], run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        f'number,name,http,grpc,zh-CN,场景\n"{number}",AAA,{http},-,无,N/A\n', encoding="utf-8"
    )
    ((code,), _) = imported(run, tmp_path / "a.csv")
    assert (code.number, code.http_status) == read
    assert (code.hints, code.description) == ((), "")


def test_rows_that_are_no_codes(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,name\n1. Orders,\n1,AAA\nnumber,name\n2,BBB\n-,CCC\n")
    codes, report = imported(run, tmp_path / "a.csv")
    assert [code.number for code in codes] == [1, 2]
    assert report[:2] == [
        "lost: line 2: the row holds a text alone: 1. Orders",
        "lost: line 6: it has no number: - | CCC",
    ]


def workbook(file: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file


def test_all_sheets_are_joined_and_titles_are_skipped(run: Any, tmp_path: Path) -> None:
    file = workbook(
        tmp_path / "a.xlsx",
        说明=[["列", "说明"], ["错误码", "唯一"], ["名称", "大写"]],
        订单=[["错误码总表 2026"], [], ["错误码", "名称", "提示"], [1, "AAA", "一"]],
        支付=[["提示", "名称", "错误码"], ["二", "BBB", 2], ["三", "CCC", "x"]],
        空=[],
    )
    ran = run("import", str(file), *NAMED)
    assert (ran.code, ran.out) == (2, "")
    assert "a.xlsx: 支付 row 3: the number 'x' is no whole number" in ran.err
    workbook(
        file,
        说明=[["列", "说明"], ["错误码", "唯一"], ["名称", "大写"]],
        订单=[["错误码总表 2026"], [], ["错误码", "名称", "提示"], [1, "AAA", "一"]],
        支付=[["提示", "名称", "错误码"], ["二", "BBB", 2]],
    )
    codes, report = imported(run, file)
    assert [(code.number, code.hints[0].text) for code in codes] == [(1, "一"), (2, "二")]
    assert report[:2] == [
        "lost: a.xlsx, sheet 说明: a sheet without a column of numbers",
        "lost: 订单 row 1: the row is above the headers: 错误码总表 2026",
    ]
    codes, report = imported(run, file, "--column", "number=错误码")
    assert [code.number for code in codes] == [1, 2]


def test_a_sheet_under_a_title_is_not_dropped_for_its_numbers(run: Any, tmp_path: Path) -> None:
    file = workbook(
        tmp_path / "a.xlsx",
        A=[["code", "name"], [1, "AAA"]],
        B=[["WMS errors"], ["Code", "HTTP", "Name"], ["WMS-01", 404, "BBB"]],
    )
    ran = run("import", str(file), *NAMED)
    assert (ran.code, ran.out) == (2, "")
    assert "B row 3: the number 'WMS-01' is no whole number" in ran.err


def test_formulas_in_a_column_that_is_not_taken_are_not_reported(run: Any, tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["序号", "code", "name", "message"],
        ["=ROW()", 1, "AAA", "Gone"],
    ]
    _, report = imported(run, workbook(tmp_path / "a.xlsx", A=rows))
    assert not any("formula" in line for line in report)


def test_a_refusal_names_the_columns_that_were_not_taken(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,label,message\n1,A_B,Gone\n")
    ran = run("import", str(tmp_path / "a.csv"), *NAMED, "--fallback", "A_B")
    assert ran.code == 2
    assert "names no code" in ran.err
    assert "column 'label': its header is unknown" in ran.err


def test_a_corrected_sheet_may_change_what_was_guessed(run: Any, tmp_path: Path) -> None:
    file, output = tmp_path / "a.csv", str(tmp_path / "a.proto")
    file.write_text("number,name,http,message\n1,一,,Gone\n2,,,\n", encoding="utf-8")
    assert run("import", str(file), *NAMED, "-o", output).code == 0
    file.write_text("number,name,http,message\n1,一,404,Gone\n2,BBB,409,Twice\n", encoding="utf-8")
    ran = run("import", str(file), *NAMED, "-o", output)
    assert ran.code == 0, ran.err
    assert ran.err.endswith(f"wrote {output}: 2 codes\n")


@pytest.mark.parametrize("role", ["owner", "massage", "x", "zh CN", "en-"])
def test_a_column_has_a_role_or_a_language(role: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,name,message,owner\n1,AAA,Gone,Li\n")
    ran = run("import", str(tmp_path / "a.csv"), *NAMED, "--column", f"{role}=owner")
    assert (ran.code, ran.out) == (2, "")
    assert f"{role!r} is no role and no language; give one of number, name" in ran.err


def test_several_catalogues_of_an_export(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,reason,catalogue\n1,AAA,a.v1.A\n2,BBB,b.v1.B\n")
    _, report = imported(run, tmp_path / "a.csv")
    assert report[0].startswith("lost: a.csv: the codes of a.v1.A, b.v1.B become one enum")


def test_a_hidden_sheet_is_left_out(run: Any, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", A=[["code"], [1]], B=[["code"], [2]])
    book = openpyxl.load_workbook(file)
    book["B"].sheet_state = "hidden"
    book.save(file)
    codes, report = imported(run, file)
    assert [code.number for code in codes] == [1]
    assert report[0] == "lost: a.xlsx, sheet B: the sheet is hidden"


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        (
            "错误码 code,英文名称,http状态码,错误信息,错误提示(中文),错误提示（英文）",
            ["zh-CN", "en"],
        ),
        ("错误码(必填),枚举/reason,HTTP 状态码,英文描述,中文提示,英文提示", ["zh-CN", "en"]),
        (
            "error code 错误码,名称 name,HTTP,message 英文描述,提示（en-US）,提示",
            ["en-US", "zh-CN"],
        ),
        ("Code,Name,http_status,Message,hint,hint_en_US", ["zh-CN", "en-US"]),
        ("编号,标识,http码,错误信息,英文用户提示语,提示文案", ["en", "zh-CN"]),
    ],
)
def test_headers_and_the_order_of_hints(
    headers: str, hints: list[str], run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        f"{headers}\n1,AAA,404,Gone,没有了,也没有了\n", encoding="utf-8"
    )
    ((code,), report) = imported(run, tmp_path / "a.csv")
    assert (code.reason, code.http_status, code.message) == ("AAA", 404, "Gone")
    assert [hint.locale for hint in code.hints] == hints
    assert not [line for line in report if line.startswith("lost")]


def test_spaces_around_texts_are_taken_off(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "number,name,message,zh-CN,description\n"
        "1,AAA , Gone,没有了  ,\n2,BBB,Lost,丢了,\u3000何时\n",
        encoding="utf-8",
    )
    codes, report = imported(run, tmp_path / "a.csv")
    assert [(code.message, code.hints[0].text) for code in codes] == [
        ("Gone", "没有了"),
        ("Lost", "丢了"),
    ]
    assert "lost: a.csv: the spaces around 3 texts" in report


@pytest.mark.parametrize(
    ("message", "chinese", "english", "metadata", "fields", "lost"),
    [
        ("Over {limit}", "最多 {limit} 个", "At most {limit}", "", ["limit"], ""),
        ("Gone", "等 {seconds} 秒 {limit}", "{limit}{seconds}s", "", ["limit", "seconds"], ""),
        ("Over", "最多 {limit} 个 %s", "At most {limit}", "", ["limit"], "%s of AAA: sent as text"),
        ("Over", "{limit}", "{limit}", "limit、seconds", ["limit", "seconds"], ""),
        ("Over", "{limit}", "{limit}", "{limit}", ["limit"], ""),
        ("Over", "{limit}", "none", "", [], "{limit} of AAA: sent as text; no placeholders in "),
        ("Over", "{0} 个", "{1}", "", [], "{0}, {1} of AAA: sent as text; a value is {key}"),
        ("Over", "${limit}", "${limit}", "", [], "${limit} of AAA: sent as text; a value is {key}"),
        ("{message}", "一", "a", "", [], "{message} of AAA: sent as text; code, message, hint"),
        ("Over {limit} {", "一", "a", "", [], "{limit}, { of AAA: sent as text; a lone '{'"),
        ("100% sure, 5%discount", "100%", "%", "", [], ""),
        ("%1$s %d %.2f", "一", "a", "", [], "%1$s, %d, %.2f of AAA: sent as text"),
        ("{{limit}}", "一", "a", "", [], "{{limit}} of AAA: sent as text"),
    ],
)
def test_placeholders(
    message: str,
    chinese: str,
    english: str,
    metadata: str,
    fields: list[str],
    lost: str,
    run: Any,
    tmp_path: Path,
) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                ["code", "name", "message", "zh-CN", "en", "metadata"],
                ["1", "AAA", message, chinese, english, metadata],
            ]
        )
    ((code,), report) = imported(run, tmp_path / "a.csv")
    assert [field.key for field in code.metadata_fields] == fields
    assert (code.message, {hint.text for hint in code.hints}) == (message, {chinese, english})
    assert [line for line in report if line.startswith("lost")] == [
        line for line in report if lost and line.startswith(f"lost: line 2: {lost}")
    ]
    assert bool(lost) == report[0].startswith("lost")
    for key in fields if not metadata else ():
        assert f"guessed: line 2: metadata field {key} of AAA: its texts have {{{key}}}" in report


@pytest.mark.parametrize(
    ("name", "message", "number", "note"),
    [
        (
            "重复提交",
            "Submitted twice",
            "1",
            "重复提交 is now SUBMITTED_TWICE: made from the message",
        ),
        ("重复提交", "", "-1", "重复提交 is now CODE_MINUS_1: made from the number -1"),
        ("", "Submitted twice", "1", "reason SUBMITTED_TWICE of 1: made from the message"),
        ("SHOP_CODE_GONE", "", "1", "SHOP_CODE_GONE is now GONE: the prefix of the enum"),
        ("ShopCode.GONE", "", "1", "ShopCode.GONE is now GONE: reasons match"),
        ("shopCodeGone", "", "1", "shopCodeGone is now GONE: reasons match"),
    ],
)
def test_the_report_says_what_a_reason_is_made_of(
    name: str, message: str, number: str, note: str, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        f"code,name,message\n{number},{name},{message}\n", encoding="utf-8"
    )
    assert note in "\n".join(imported(run, tmp_path / "a.csv")[1])


def test_the_report_sums_up_what_is_certain(run: Any, tmp_path: Path) -> None:
    rows = [f"{n},orderGone{n},{404 if n % 10 else ''},一 {{limit}}\n" for n in range(1, 101)]
    (tmp_path / "a.csv").write_text(
        f"code,name,http,hint,owner\n{''.join(rows)}101,也,409,,张三\n", encoding="utf-8"
    )
    _, report = imported(run, tmp_path / "a.csv")
    assert [line.partition(": ")[0] for line in report[:12]] == ["lost"] * 2 + ["guessed"] * 10
    assert report[1] == (
        "lost: a.csv: 101 codes have no message, which developers read in logs; "
        "name its column: --column message=HEADER"
    )
    assert all(line.endswith("from nothing") for line in report[2:12])
    assert report[12:] == [
        "guessed: default_locale: zh-CN: from the letters of the hints; give --default-locale",
        "renamed: line 102: 也 is now CODE_101: made from the number 101",
        "guessed: line 102: grpc_status ALREADY_EXISTS of CODE_101: from HTTP 409; "
        "it may be ABORTED",
        "renamed: 100 names in another case: such as line 2: orderGone1 is now ORDER_GONE1: "
        "reasons match [A-Z][A-Z0-9_]+[A-Z0-9], at most 63 characters",
        "guessed: 90 times NOT_FOUND from HTTP 404: such as line 2: grpc_status NOT_FOUND of "
        "ORDER_GONE1: from HTTP 404",
        "guessed: 100 metadata fields of the texts: such as line 2: metadata field limit of "
        "ORDER_GONE1: its texts have {limit}",
    ]
    told = run("import", str(tmp_path / "a.csv"), *NAMED, "--format", "json").err
    assert len(json.loads(told)) == 2 + 10 + 3 + 100 + 90 + 100
    assert "张三" not in told
    assert "也 is now CODE_101" in told  # not as escapes


def test_the_generator_names_the_place_in_the_sheet(run: Any, tmp_path: Path) -> None:
    file = workbook(
        tmp_path / "a.xlsx",
        Codes=[
            ["code", "name", "zh-CN", "en", "metadata"],
            [1, "AAA", "一", "a", None],
            [2, "BBB", "{limit}", "none", "limit"],
        ],
    )
    ran = run("import", str(file), *NAMED, "--fallback", "CCC")
    assert (ran.code, ran.out) == (2, "")
    assert "imported.proto" not in ran.err
    assert "Codes row 3: SHOP_CODE_BBB: has hints with no placeholders" in ran.err
    assert "a.xlsx: ShopCode: " in ran.err


def test_parents_are_made_and_options_are_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,name\n1,AAA\n")
    output = tmp_path / "protos/shop/v1/shop_code.proto"
    given = ("--fallback", "AAA", "--help-url", "https://example.com/#{reason}")
    for _ in range(2):  # the second time, it is there
        ran = run("import", str(tmp_path / "a.csv"), "-o", str(output), *NAMED, *given)
        assert (ran.code, ran.out) == (0, "")
    (catalog,) = tables.load([str(output)]).catalogs
    assert (catalog.fallback, catalog.help_url) == ("AAA", given[3])


KEPT = """syntax = "proto3";
// detached

package shop.v1;
import "errgrpc/v1/annotations.proto";
import "google/protobuf/any.proto";
option java_package = "shop";
// the table
// errgrpc:lint:ignore text-shared
enum ShopCode {
  option deprecated = true;
  option (errgrpc.v1.catalog) = {
    domain: "shop.example.com"
    default_locale: "en"
    fallback: "BROKEN"
    infer: {grpc_status: NOT_FOUND, reason: "AAA"}
    locales: "en"
    help_url: "https://example.com/#{reason}"
  };
  reserved 7, 10 to 12;
  reserved "OLD";
  SHOP_CODE_UNSPECIFIED = 0 [(errgrpc.v1.code) = {grpc_status: UNKNOWN}];
  // when /* it */ "occurs"
  SHOP_CODE_AAA = 1 [debug_redact = true, deprecated = true, (errgrpc.v1.code) = {
    grpc_status: ABORTED
    http_status: 409  // inside
    message: "Gone // no comment"
    hints: {locale: "en", text: "Gone {limit}"}
    hints: {locale: "de", text: "Weg {limit}"}
    metadata_fields: {key: "limit", example: "3"}
    metadata_fields: {key: "seconds", optional: true}
    retryable: false
    resolution: "Wait"
  }];
  SHOP_CODE_BBB = 2 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND}];
  SHOP_CODE_BROKEN = 9 [(errgrpc.v1.code) = {grpc_status: INTERNAL, message: "Broken"}];
}
message Other { google.protobuf.Any any = 1; enum Kind { A = 0; } }
"""


def test_what_the_sheet_lacks_is_not_overwritten(run: Any, tmp_path: Path) -> None:
    file, output = tmp_path / "a.csv", tmp_path / "shop_code.proto"
    file.write_text("code,name,http,en\n1,AAA,409,Gone {limit}\n2,CCC,404,\n")
    output.write_text(KEPT)
    arguments = ("import", str(file), "-o", str(output), *NAMED, "--default-locale", "en")
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert output.read_text() == KEPT
    lost = [
        "fallback: BROKEN",
        "help_url: https://example.com/#{reason}",
        "infer: NOT_FOUND as AAA",
        "locales: en",
        "reserved: 7, 10 to 12, OLD",
        "description: AAA",
        "message: AAA",
        "retryable: AAA",
        "resolution: AAA",
        "deprecated: AAA",
        "grpc_status ABORTED: AAA",
        "hints in de: AAA",
        "metadata field limit: AAA",
        "metadata field seconds: AAA",
        "reasons: BBB = 2",
        "codes: BROKEN = 9",
        "import: google/protobuf/any.proto",
        "option: java_package",
        "message: Other",
        "other options: ShopCode, SHOP_CODE_AAA",
        "enum: Other.Kind",
        "comment: 'detached', 'the table', 'errgrpc:lint:ignore text-shared', 'inside'",
    ]
    kinds = {line.partition(":")[0]: line for line in lost}
    assert "overwrite the file by --force" in ran.err.splitlines()[0]
    told = ran.err.splitlines()[1:]
    assert "message: AAA, Other" in told  # of a code, and of the file
    assert set(told) - {"message: AAA, Other"} == {
        line for kind, line in kinds.items() if kind != "message"
    }
    forced = run(*arguments, "--force")
    assert forced.code == 0
    assert f"lost: {output}: fallback: BROKEN" in forced.err
    assert "BROKEN" not in output.read_text()
    assert run(*arguments).code == 0  # nothing is lost any more


@pytest.mark.full
def test_what_is_no_catalogue_is_not_overwritten(run: Any, tmp_path: Path) -> None:
    file, output = tmp_path / "a.csv", tmp_path / "out.proto"
    file.write_text("code,name\n1,AAA\n")
    for text, code in (("", 0), ("diary", 2), ('syntax = "proto3";', 2)):
        output.write_text(text)
        ran = run("import", str(file), "-o", str(output), *NAMED)
        assert ran.code == code
        assert not code or "is no catalogue to compare with" in ran.err
    assert run("import", str(file), "-o", str(output), *NAMED, "--force").code == 0
    assert run("import", str(file), "-o", str(output), *NAMED, "--enum", "Other").code == 2


def test_misuse_of_options(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number\n1\n")
    for option, says in (
        ("number", "give ROLE=HEADER"),
        ("number=x", "has no column 'x', which --column names; it has number"),
    ):
        assert says in run("import", str(tmp_path / "a.csv"), "--column", option).err
    assert "cannot be read: No such file" in run("import", "nothing.csv").err
    assert (
        "cannot be written"
        in run("import", str(tmp_path / "a.csv"), "-o", str(tmp_path / "a.csv/out.proto")).err
    )
    assert "protoc refuses" in run("import", str(tmp_path / "a.csv"), "--package", "1shop").err


def bomb(parts: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return data.getvalue()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {f"{n}.bin": bytes(10_000_001) for n in range(10)},
            "unpacks to 100000010 bytes, more than 100000000; save the sheet as CSV",
        ),
        (
            {"xl/sheet.xml": bytes(2_000_000)},
            "xl/sheet.xml unpacks to more than 200 times its size",
        ),
        (
            {"xl/sheet.xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>'},
            "xl/sheet.xml declares a document type",
        ),
        ({"a.txt": b"nothing"}, "is no workbook that can be read"),
    ],
)
def test_a_hostile_workbook_is_refused(
    parts: dict[str, bytes], says: str, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.xlsx").write_bytes(bomb(parts))
    ran = run("import", str(tmp_path / "a.xlsx"), *NAMED)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_the_escapes_of_a_workbook_are_read(run: Any, tmp_path: Path) -> None:
    rows: list[list[Any]] = [["number", "name", "message"]]
    rows.append([1, "AAA", "a_x000D_\nb _x005F_x000D_ _x00e9_"])
    ran = run("import", str(workbook(tmp_path / "a.xlsx", Codes=rows)), *NAMED)
    assert (ran.code, 'message: "a\\nb _x000D_ é"' in ran.out) == (0, True)


def test_no_formula_is_evaluated(run: Any, tmp_path: Path) -> None:
    file = workbook(
        tmp_path / "a.xlsx",
        Cover=[["=1+1"]],
        Codes=[
            ["number", "message", "zh-CN", "name"],
            [1, '=HYPERLINK("http://x")', "#REF!", "AAA"],
            ["=A2+1", "Lost", "一", "BBB"],
            [3, "=A2", "=A3", "CCC"],
        ],
    )
    # As Excel stores them: B4 has a value.
    parts = {}
    with zipfile.ZipFile(file) as archive:
        for part in archive.namelist():
            parts[part] = re.sub(
                rb"<f>A2</f><v ?(?:/>|></v>)", b"<f>A2</f><v>1</v>", archive.read(part)
            )
    assert sum(b"<f>A2</f><v>1</v>" in text for text in parts.values()) == 1
    file.write_bytes(bomb(parts))
    codes, report = imported(run, file)
    assert [(code.number, code.message, code.hints) for code in codes] == [
        (1, "", ()),
        (3, "1", ()),
    ]
    never = "the formula has no stored value; open and save the file in a spreadsheet program"
    assert report[:5] == [
        f"lost: Codes B2: {never}",
        "lost: Codes C2: the cell shows the error #REF!; correct its formula",
        f"lost: Codes A3: {never}",
        f"lost: Codes C4: {never}",
        "lost: Codes row 3: it has no number: Lost | 一 | BBB",
    ]


def test_guesses_and_columns(run: Any, tmp_path: Path) -> None:
    statuses = (400, 401, 403, 404, 409, 418, 429, 499, 500, 501, 502, 503, 504, 302, 200)
    rows = "".join(f"{n},n{n},{http},{http}!,url\n" for n, http in enumerate(statuses, 1))
    (tmp_path / "a.csv").write_text(f"编,key,http,文案,url\n{rows},,,,\n,LOST,,,\n")
    codes, report = imported(
        run,
        tmp_path / "a.csv",
        "--column",
        "number=编",
        "--column",
        "name=key",
        "--column",
        "en=文案",
    )
    assert [STATUSES[code.grpc_status or 0].name for code in codes] == [
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "INVALID_ARGUMENT",
        "RESOURCE_EXHAUSTED",
        "CANCELLED",
        "INTERNAL",
        "UNIMPLEMENTED",
        "UNAVAILABLE",
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "UNKNOWN",
        "UNKNOWN",
    ]
    assert [hint.text for code in codes for hint in code.hints] == [f"{http}!" for http in statuses]
    assert report[:2] == [
        "lost: line 1: column 'url': its header is unknown; name it by --column ROLE=HEADER",
        "lost: line 18: it has no number: LOST",
    ]
    assert (
        "guessed: line 6: grpc_status ALREADY_EXISTS of CODE_N5: from HTTP 409; it may be ABORTED"
        in report
    )
    assert any(
        line.startswith("renamed: line 2: n1 is now CODE_N1: reasons match") for line in report
    )


def test_each_guessed_status_passes_the_lint_rule() -> None:
    rows = [
        Entry("", {"number": str(1000 + http), "name": f"HTTP{http}X", "http": str(http)})
        for http in range(100, 600)
    ]
    for http in (200, 204):
        zero = Entry("", {"number": "0", "name": "SUCCESS", "http": str(http)})
        catalog = building.build([zero, *rows], SHOP, "a.csv", Notes())
        assert len(catalog.codes) == 501
        assert not list(http_status_mapping.check(tables.Tables((catalog,))))
    table = Path("docs/command-import.md").read_text(encoding="utf-8")
    for told, name in re.findall(r"^\| ((?:\d{3}(?:, )?)+) \| (\w+) \|$", table, re.MULTILINE):
        assert {grpc_status(int(http)).name for http in told.split(", ")} == {name}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=90), texts, st.integers(-(2**31), 2**31 - 1))
def test_each_name_becomes_a_reason(name: str, message: str, number: int) -> None:
    notes = Notes()
    catalog = building.build(
        [Entry("row", {"number": str(number), "name": name, "message": message})],
        SHOP,
        "a.csv",
        notes,
    )
    (code,) = catalog.codes
    assert REASON.fullmatch(code.reason)
    assert len(code.reason) <= MAX_REASON
    assert (code.reason == name) == (
        not any(note.kind == "renamed" or note.text.startswith("reason") for note in notes)
    )


@pytest.mark.full
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(texts, texts, texts, texts, st.sampled_from([None, True, False])),
        min_size=5,
        max_size=30,
    )
)
def test_what_is_written_reads_back_equal(
    tmp_path: Path, rows: list[tuple[str, str, str, str, bool | None]]
) -> None:
    entries = [
        Entry(
            f"row {n}",
            {
                "number": str(n - 2),
                "name": f"A_CODE{n}X",
                "message": message,
                "description": description,
                "resolution": resolution,
            }
            | ({"retryable": str(retryable)} if retryable is not None else {}),
            {("en", (("a_key", resolution),)): hint, ("de", ()): hint} if hint else {},
        )
        for n, (message, hint, description, resolution, retryable) in enumerate(rows)
    ]
    catalog = building.build(entries, SHOP, "a.csv", Notes())
    text = protos.render(catalog)
    importing.check(text, catalog)
    back = read_back(text, tmp_path)
    told = [
        (*said(code), code.hints, code.resolution, code.retryable, code.grpc_status)
        for code in back.codes
    ]
    assert told == [
        (*said(code), code.hints, code.resolution, code.retryable, code.grpc_status)
        for code in catalog.codes
    ]
