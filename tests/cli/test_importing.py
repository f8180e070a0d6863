"""`errgrpc import`: the .proto has the facts of the table, and the report lists the rest."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from code_table import CODES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errgrpc.cli import importing, tables
from errgrpc.cli.importing import Wanted, building, protos
from errgrpc.cli.importing.entries import Entry, Notes
from errgrpc.codegen.schema import STATUSES, Catalog, Code
from errgrpc.codes import MAX_REASON, REASON

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
    assert report.pop(0) == "lost: codes.xlsx, sheet Sheet: another sheet is taken"
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
            "line 2: the metadata fields are not JSON such as",
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
        in run("import", str(tmp_path / "a.csv"), "-o", str(tmp_path / "no/out.proto")).err
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


def test_no_formula_is_evaluated(run: Any, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["number", "message"])
    book.active.append([1, '=HYPERLINK("http://x")'])
    book.save(tmp_path / "a.xlsx")
    ((code,), _) = imported(run, tmp_path / "a.xlsx")
    assert code.message == ""


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
        "FAILED_PRECONDITION",
        "RESOURCE_EXHAUSTED",
        "CANCELLED",
        "INTERNAL",
        "UNIMPLEMENTED",
        "INTERNAL",
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
