"""`errgrpc list` and `errgrpc explain`: they find codes by reason, number, status or class."""

import csv
import io
import json
import runpy
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from errgrpc import ComponentCode, ResCode
from errgrpc.cli import tables
from errgrpc.cli.app import app
from errgrpc.cli.explain import find
from errgrpc.cli.facts import anchor, facts
from errgrpc.codegen.render import output

pytestmark = pytest.mark.thinned(2)  # each case compiles protos

GOLDEN = Path(__file__).parents[1] / "codegen/golden"
CODES = [code for catalogue in (ResCode, ComponentCode) for code in catalogue]
SOURCES = {
    "installed": (),
    "classes": ("errgrpc:ResCode", "errgrpc:ComponentCode"),
    "a folder": ("protos",),
    "files": ("protos/errgrpc/v1/res_code.proto", "protos/errgrpc/v1/component_code.proto"),
    "a descriptor set": ("protos/released.binpb",),
}


def options(sources: Any) -> list[str]:
    return [option for source in sources for option in ("-c", source)]


@pytest.mark.parametrize("name", SOURCES)
def test_each_code_is_listed_from_each_kind_of_source(name: str, run: Any) -> None:
    ran = run("list", "--format", "json", *options(SOURCES[name]))
    assert (ran.code, ran.err) == (0, "")
    found = {(code["catalogue"], code["number"]): code for code in json.loads(ran.out)}
    assert set(found) == {(f"errgrpc.v1.{type(code).__name__}", code.number) for code in CODES}
    if name == "a descriptor set":  # it is of an older release
        return
    for code in CODES:
        told = found[f"errgrpc.v1.{type(code).__name__}", code.number]
        assert (told["reason"], told["domain"], told["grpc_status"]) == (
            code.reason,
            code.domain,
            code.grpc_status.name,
        )
        assert (told["http_status"], told["message"], told["description"]) == (
            code.http_status,
            code.message,
            code.spec.description,
        )
        assert (told["retryable"], told["resolution"], told["help_url"]) == (
            code.retryable,
            code.resolution,
            code.help_url,
        )
        assert {hint["locale"]: hint["text"] for hint in told["hints"] if not hint["when"]} == dict(
            code.hints
        )
        assert [field["key"] for field in told["metadata_fields"]] == [
            field.key for field in code.metadata_fields
        ]


def test_a_class_says_what_its_proto_says() -> None:
    classes, protos = tables.load(SOURCES["classes"]), tables.load(SOURCES["a folder"])
    told = [
        {
            (catalog.full_name, code.number): facts(known, catalog, code)
            for catalog, code in known.codes()
        }
        for known in (classes, protos)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("case", [path.name for path in sorted(GOLDEN.iterdir())])
def test_a_generated_class_has_the_names_of_its_proto(case: str) -> None:
    known = tables.load([str(GOLDEN / case)])
    for catalog in known.catalogs:
        module = GOLDEN / case / output(catalog.file)
        if module.exists():  # an imported file has none
            found = tables.of_class(runpy.run_path(str(module))[catalog.class_name])
            assert found.full_name == catalog.full_name
            assert [anchor(found, code) for code in found.codes] == [
                anchor(catalog, code) for code in catalog.codes
            ]


@pytest.mark.parametrize(
    ("domain", "full_name", "found"),
    [
        ("shop.example.com", "shop.v1.ShopCode", "shop.v1.ShopCode"),
        ("shop.v1.ShopCode", "", "shop.v1.ShopCode"),
        ("shop.example.com", "", "ShopCode"),  # generated before, or written by hand
    ],
)
def test_the_name_of_a_class(domain: str, full_name: str, found: str) -> None:
    namespace: dict[str, Any] = {}
    exec(  # noqa: S102
        "from errgrpc import ErrorCode\n"
        f"class ShopCode(ErrorCode, domain={domain!r}, full_name={full_name!r}): pass",
        namespace,
    )
    assert tables.of_class(namespace["ShopCode"]).full_name == found


def test_filters(run: Any) -> None:
    def listed(*arguments: str) -> list[str]:
        return [line.split("\t")[1] for line in run("list", *arguments).out.splitlines()]

    assert listed("--status", "not-found", "--http", "404") == ["NOT_FOUND", "ROOM_NOT_EXIST"]
    assert listed("--http", "403", "--http", "409") == [
        code.reason for code in CODES if code.http_status in (403, 409)
    ]
    assert listed("--text", "SIT_full", "--locale", "EN-us") == ["ROOM_SIT_FULL"]
    assert listed("--locale", "zh-CN") == [code.reason for code in CODES if code.hints]
    ran = run("list", "--text", "no such text")
    assert (ran.code, ran.out, ran.err) == (1, "", "no code matches\n")
    ran = run("list", "--status", "GONE")
    assert (ran.code, ran.err) == (
        2,
        "errgrpc: GONE is no gRPC status: give one such as NOT_FOUND\n",
    )


def test_the_columns(run: Any) -> None:
    assert (
        run("list", "--text", "Room Not Found").out
        == "1004\tROOM_NOT_EXIST\tNOT_FOUND\t404\t房间不存在\tRoom Not Found\terrgrpc.v1.ResCode\n"
    )
    rows = list(
        csv.DictReader(io.StringIO(run("list", "--format", "csv", "--locale", "en-US").out))
    )
    assert {row["reason"]: row["hint"] for row in rows} == {
        code.reason: code.hint("en-US") for code in CODES if code.hints
    }
    assert {row["number"] for row in rows if row["catalogue"] == "errgrpc.v1.ComponentCode"} >= {
        "-4"
    }


@pytest.mark.parametrize(
    "query",
    [
        "1004",
        "ROOM_NOT_EXIST",
        "room_not_exist",
        "房间不存在",
        "Room Not Found",
        " room  not found ",
        "errgrpc.v1.ResCode.ROOM_NOT_EXIST",
        "指定的roomUuid查不到",
    ],
)
def test_a_code_is_explained_by_what_people_have(query: str, run: Any) -> None:
    ran = run("explain", query)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(
        "1004 ROOM_NOT_EXIST  errgrpc.v1.ResCode\n  gRPC: NOT_FOUND\n  HTTP: 404\n"
    )
    for text in (
        "message: Room Not Found",
        "hint zh-CN: 房间不存在",
        "metadata room_uuid: The room (STRING, optional, such as r-42)",
    ):
        assert f"  {text}\n" in ran.out
    (told,) = json.loads(run("explain", query, "--format", "json").out)
    assert told["number"] == 1004


def test_the_methods_that_raise_it_are_told(run: Any) -> None:
    ran = run("explain", "1004", "-c", "examples/classroom/v1/classroom.proto")
    assert "  raised by: /classroom.v1.ClassroomService/GetRoom\n" in ran.out


def test_a_condition_of_a_hint_is_told(run: Any) -> None:
    assert "im_reused is true" in run("explain", "--", "-4").out


@pytest.mark.parametrize(
    ("query", "like"),
    [
        ("ROOM_NOT_EXST", "ROOM_NOT_EXIST"),
        ("1099", "; near: 1017 ROOM_CONFIG_CONFLICT, 1016 ROOM_MEMBER_EXIST"),
        ("房间不在", "; near: 1004 ROOM_NOT_EXIST (房间不存在)"),
        ("zzzzzz", None),
        ("--5", None),
        ("-", None),
        ("²", None),
        ("9" * 5000, None),
        ("", None),
    ],
)
def test_what_names_nothing_has_its_near_misses(query: str, like: str | None, run: Any) -> None:
    ran = run("explain", "--", query)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"no code is named {query!r}")
    assert (like or "near") in ran.err or like is None


FILLED = """from errgrpc import ErrorCode, MetadataField, Spec
from grpc import StatusCode

FIELDS = [MetadataField("limit", "The limit"), MetadataField("unit", "Its unit")]

def full(message: str, hint: str = "") -> Spec:
    hints = {"zh-CN": hint} if hint else {}
    return Spec(StatusCode.NOT_FOUND, message=message, hints=hints, metadata_fields=FIELDS)

class Filled(ErrorCode, domain="filled_table.Filled"):
    CART = 1, full("More than {limit} {unit}s", "购物车超过上限 {limit} 个  ")
    ROW = 2, full("{limit} is full")
    SHELF = 3, full("The shelf {limit} is full")
    BRACES = 4, full("a {{b}} {limit} a {{b}}")
    ALL = 5, full("{limit}")
    AGAIN = 6, full("the SHELF {unit} is  full")
    TWICE = 7, full("{limit}-{limit}-{unit}.")
"""


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("购物车超过上限 30 个", ["CART"]),
        ("购物车超过上限 30 个  ", ["CART"]),
        ("more than 30 Pieces", ["CART"]),
        ("it is full", ["ROW"]),
        ("The shelf B is full", ["SHELF", "AGAIN"]),  # the one that says more
        ("a {b} x a {b}", ["BRACES"]),
        ("a {b}", []),
        ("1-2-3.", ["TWICE"]),
        ("1-2.", []),
        ("something else", []),  # {limit} alone says nothing
    ],
)
def test_a_text_with_values_is_explained(
    query: str, found: list[str], run: Any, tmp_path: Path
) -> None:
    (tmp_path / "filled_table.py").write_text(FILLED)
    ran = run("explain", query, "-c", "filled_table:Filled", "-f", "json", cwd=tmp_path)
    assert ran.code == (0 if found else 1)
    assert [code["reason"] for code in json.loads(ran.out)] == found


def test_each_filled_text_of_what_is_shipped_finds_its_code() -> None:
    known = tables.load(SOURCES["classes"])
    for code in CODES:
        metadata = {field.key: "r-42" for field in code.metadata_fields}
        for text in (code.message_for(metadata), *code.hints_for(metadata).values()):
            if text:
                assert code.reason in {each.reason for _, each in find(known, text)}


def test_several_queries(run: Any) -> None:
    ran = run("explain", "404", "nothing of that name", "409")
    assert ran.code == 1
    assert [line for line in ran.out.splitlines() if line and line[0] != " "] == [
        "404 NOT_FOUND  errgrpc.v1.ResCode",
        "409 CONFLICT  errgrpc.v1.ResCode",
    ]


HOSTILE = """
import errgrpc
from errgrpc import ErrorCode, Spec
from grpc import StatusCode

class Bad(ErrorCode, domain="bad.example.com"):
    GONE = 1, Spec(
        StatusCode.NOT_FOUND,
        message="\\x1b[31m=cmd|x",
        hints={"en-US": "a\\u202eb\\tc\\nd"},
        description="[red]no[/red]",
    )
"""


def test_no_control_character_of_a_table_reaches_the_terminal(
    run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "bad_table.py").write_text(HOSTILE)
    for arguments in (
        ("list",),
        ("list", "-f", "csv"),
        ("list", "-f", "json"),
        ("explain", "1"),
        ("explain", "1", "-f", "json"),
    ):
        out = run(*arguments, "-c", "bad_table:Bad", cwd=tmp_path).out
        assert "GONE" in out
        assert not {"\x1b", "\u202e"} & set(out)
        if arguments[-1] == "json":
            (told,) = json.loads(out)
            assert told["message"] == "\x1b[31m=cmd|x"
            assert "[red]" in out
    sys.modules.pop("bad_table")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "nothing",
            (
                "nothing is no catalogue: give module:Class, a .proto file, a folder of them, "
                "or a descriptor set"
            ),
        ),
        (
            "no_module:Class",
            "no_module:Class cannot be imported: ModuleNotFoundError: No module named 'no_module'",
        ),
        ("errgrpc:Nothing", "errgrpc:Nothing cannot be imported: AttributeError"),
        (
            "errgrpc:ServiceError",
            "errgrpc:ServiceError is no catalogue: give a subclass of errgrpc.ErrorCode",
        ),
        ("README.md", "README.md is no descriptor set"),
        ("tests/sync", "tests/sync: no .proto file is in this folder"),
    ],
)
def test_what_is_no_source(source: str, says: str, run: Any) -> None:
    ran = run("list", "-c", source)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_what_protoc_refuses_is_said_with_file_and_line(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(
        'syntax = "proto3";\nimport "other.proto";\nenum Shop { A = 0; }\n'
    )
    ran = run("list", "-c", "shop.proto", cwd=tmp_path)
    assert ran.code == 2
    assert 'shop.proto:2:1: Import "other.proto" was not found' in ran.err
    (tmp_path / "shop.proto").write_text('syntax = "proto3";\nenum Shop { A = 0; }\n')
    ran = run("list", "-c", "shop.proto", cwd=tmp_path)
    assert (ran.code, ran.err) == (
        2,
        (
            "errgrpc: shop.proto: no enum with (errgrpc.v1.catalog) is declared there; "
            "see docs/protobuf.md\n"
        ),
    )


def test_an_import_may_stand_elsewhere(run: Any, tmp_path: Path) -> None:
    shop = tmp_path / "protos/shop/v1/shop.proto"
    shop.parent.mkdir(parents=True)
    (tmp_path / "lib/common.proto").parent.mkdir()
    (tmp_path / "lib/common.proto").write_text('syntax = "proto3";\nmessage Common {}\n')
    shop.write_text(
        'syntax = "proto3";\npackage shop.v1;\nimport "common.proto";\n'
        'import "errgrpc/v1/annotations.proto";\n'
        'enum Shop {\n  option (errgrpc.v1.catalog) = {domain: "shop.example.com"};\n'
        "  SHOP_UNSPECIFIED = 0;\n"
        '  SHOP_GONE = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Gone"}];\n}\n'
    )
    assert run("list", "-c", "protos/shop/v1/shop.proto", cwd=tmp_path).code == 2
    for source in ("protos", "protos/shop/v1/shop.proto"):
        ran = run("list", "-c", source, "-I", "lib", cwd=tmp_path)
        assert (ran.code, ran.out) == (0, "1\tGONE\tNOT_FOUND\t\t\tGone\tshop.v1.Shop\n")


SHOP = (
    'syntax = "proto3";\npackage shop.v1;\nimport "errgrpc/v1/annotations.proto";\n'
    'enum Shop {\n  option (errgrpc.v1.catalog) = {domain: "shop.example.com"};\n'
    "  SHOP_UNSPECIFIED = 0;\n  SHOP_GONE = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND}];\n}\n"
)
GONE = """{"error": {"code": 404, "message": "Gone", "status": "NOT_FOUND", "details": [{
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  "reason": "GONE", "domain": "shop.example.com"
}]}}"""
BY_DEFAULT = [
    ("list",),
    ("explain", "1"),
    ("decode", GONE),
    ("lint",),
    ("docs", "-f", "markdown"),
    ("export", "csv"),
]


@pytest.mark.parametrize("command", BY_DEFAULT, ids=lambda command: command[0])
def test_pyproject_names_the_tables_of_every_command(
    command: tuple[str, ...], run: Any, tmp_path: Path
) -> None:
    (tmp_path / "shop.proto").write_text(SHOP)
    pyproject = tmp_path / "pyproject.toml"
    named = run(*command, *(("-c",) if command[0] != "lint" else ()), "shop.proto", cwd=tmp_path)
    installed = run(*command)
    pyproject.write_text('[tool.errgrpc]\ncatalogues = ["shop.proto"]\n')
    assert run(*command) == named != installed
    pyproject.write_text('[tool.errgrpc]\n[project]\nname = "shop"\n')
    assert run(*command) == installed
    pyproject.write_text('[tool.errgrpc]\ncatalogues = ["nothing"]\n')
    assert (run(*command).code, run(*command).err[:27]) == (2, "errgrpc: nothing is no cata")


def test_each_command_with_tables_is_in_that_test() -> None:
    options = {
        command.name or getattr(command.callback, "__name__", ""): signature(command.callback)
        for command in app.registered_commands
        if command.callback
    }
    assert {name for name, given in options.items() if "include" in given.parameters} == {
        *(name for name, *_ in BY_DEFAULT),
        "diff",  # it needs both of its sources
        "import",  # it writes the catalogue that it is given
    }


def test_a_set_counts_beside_a_proto_that_it_does_not_hold(run: Any) -> None:
    known = tables.load(["protos/released.binpb", "examples/classroom/v1/classroom.proto"])
    assert {catalog.full_name.rpartition(".")[2] for catalog in known.catalogs} >= {
        "ResCode",
        "ComponentCode",
    }


def test_a_proto_is_newer_than_a_set(tmp_path: Path) -> None:
    older = FileDescriptorSet.FromString(Path("protos/released.binpb").read_bytes())
    for file in older.file:
        for enum in file.enum_type:
            del enum.value[-1]
        file.source_code_info.location.add().span.extend([1, 1, 1])
    path = tmp_path / "older.binpb"
    path.write_bytes(older.SerializeToString())
    assert tables.load([str(path), "protos"]).catalogs == tables.load(["protos"]).catalogs
    assert tables.load([str(path)]).catalogs != tables.load(["protos"]).catalogs


def test_two_files_of_one_name_are_refused(run: Any, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shop.proto").write_text('syntax = "proto3";')
    ran = run("list", *options(["a/shop.proto", "b/shop.proto"]), cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "a/shop.proto and b/shop.proto are both shop.proto to protoc" in ran.err


def test_as_a_process(run_process: Any) -> None:
    assert run_process("explain", "404").out.startswith("404 NOT_FOUND")
    assert run_process("--version").out == "errgrpc 0.1.0\n"
    assert run_process("nothing").code == 2
    piped = subprocess.run(
        f"{sys.executable} -m errgrpc list | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (piped.stdout.split("\t")[1], piped.stderr) == (CODES[0].reason, "")


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; import errgrpc.cli; errgrpc.cli.main()"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "errgrpc: the command needs the extra `cli`: pip install 'errgrpc[cli]'\n"
