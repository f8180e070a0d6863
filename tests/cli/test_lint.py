"""`errgrpc lint`: each rule finds its bad fixture and accepts its good one; the page shows both."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from errgrpc.cli import tables
from errgrpc.cli.lint import exempting
from errgrpc.cli.lint.findings import Edit, Finding, Rule
from errgrpc.cli.lint.fixing import applied
from errgrpc.cli.lint.linting import lint
from errgrpc.cli.lint.rules import RULES
from errgrpc.cli.lint.shipped import SHIPPED
from errgrpc.cli.lint.showing import as_text
from errgrpc.cli.places import character
from errgrpc.cli.settings import Settings
from errgrpc.cli.tables import Tables
from errgrpc.codegen import schema
from errgrpc.codegen.schema import Catalog, Code, Field, Hint

pytestmark = pytest.mark.thinned(5)  # each case compiles protos

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "lint"
IDS = [*(rule.id for rule in RULES), exempting.ID]
BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}


@pytest.fixture(scope="module")
def fixtures() -> Tables:
    """All fixtures, compiled at once."""
    return tables.load([str(FIXTURES)])


def findings(fixtures: Tables, name: str) -> list[Finding]:
    """The findings of one of them."""
    others = {each for each in fixtures.paths if each != name}
    alone = Tables(
        tuple(catalog for catalog in fixtures.catalogs if catalog.file == name),
        FileDescriptorSet(file=[file for file in fixtures.files.file if file.name not in others]),
        {name: fixtures.paths[name]},
    )
    return lint(alone, {name: fixtures.paths[name].read_text()})


@pytest.mark.parametrize("id", IDS)
def test_a_rule_finds_what_is_bad(id: str, fixtures: Tables) -> None:
    found = findings(fixtures, f"{id}/bad.proto")
    assert {each.rule for each in found} == {id}
    told = [as_text(each).removeprefix(f"{FIXTURES}/{id}/bad.proto:") for each in found]
    assert told == (FIXTURES / id / "bad.txt").read_text().splitlines()


@pytest.mark.parametrize("id", IDS)
def test_a_rule_finds_nothing_in_what_is_good(id: str, fixtures: Tables) -> None:
    assert findings(fixtures, f"{id}/good.proto") == []


def sections() -> dict[str, str]:
    page = (ROOT / "docs/lint.md").read_text()
    return {part.split("\n", 1)[0].strip("`"): part for part in page.split("\n### ")[1:]}


def test_each_rule_has_a_section() -> None:
    assert list(sections()) == IDS
    assert not {path.name for path in FIXTURES.iterdir()} ^ set(IDS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", id) for id in IDS[:-1])


@pytest.mark.parametrize("id", IDS)
def test_a_section_says_all_and_shows_the_fixtures(id: str) -> None:
    section = sections()[id]
    assert re.findall(r"^\*\*(\w+)[.:]", section, re.MULTILINE) == [
        "What",
        "Why",
        "Wrong",
        "Right",
        "Exempt",
    ]
    assert (
        f"| `{id}` | {BY_ID[id].severity if id in BY_ID else exempting.SEVERITY} |"
        in (ROOT / "docs/lint.md").read_text()
    )
    for kind, block in zip(
        ("bad", "good"), re.findall(r"```proto\n(.*?)```", section, re.DOTALL), strict=True
    ):
        fixture = [
            line.strip() for line in (FIXTURES / id / f"{kind}.proto").read_text().splitlines()
        ]
        shown = [line.strip() for line in block.splitlines()]
        assert "\n".join(shown) in "\n".join(fixture)


@pytest.mark.parametrize(
    "sources",
    [
        (),
        ("protos",),
        ("protos/errgrpc/v1/res_code.proto",),
        ("examples/classroom",),
        ("examples/classroom", "protos"),
        ("errgrpc:ResCode", "errgrpc:ComponentCode"),
        ("protos/released.binpb",),
    ],
    ids=str,
)
def test_what_is_shipped_has_no_finding(sources: tuple[str, ...], run: Any) -> None:
    ran = run("lint", *sources)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_each_exemption_of_what_is_shipped_is_needed() -> None:
    known = tables.load([str(ROOT / "protos"), str(ROOT / "examples/classroom")])
    found = {(each.where, rule.id) for rule in RULES for each in rule.check(known)}
    for where, rules in SHIPPED.items():
        for rule in rules:
            assert any(
                rule == other and f"{name}.".startswith(f"{where}.") for name, other in found
            ), (where, rule)


# Cases that are clearer here than as fixtures.


def code(reason: str = "GONE", number: int = 1, **given: Any) -> Code:
    base = Code(reason, reason, number, 1, "It is gone.", True, 5, None, f"The {reason}", ())
    return replace(base, **given)


def check(id: str, *codes: Code, **given: Any) -> list[str]:
    catalog = Catalog(
        "shop.proto", "shop", "Shop", 1, "", True, "shop.example.com", "", "", (), tuple(codes)
    )
    known = Tables(
        (replace(catalog, **given),),
        FileDescriptorSet(file=[FileDescriptorProto(name="shop.proto")]),
    )
    return [found.where.removeprefix("shop.Shop.") for found in BY_ID[id].check(known)]


@pytest.mark.parametrize(
    ("status", "http", "found"),
    [
        (5, 404, False), (5, 410, False), (5, 403, True), (5, None, False), (None, 404, False),
        (3, 400, False), (3, 422, False), (3, 404, True), (9, 400, False), (9, 412, False),
        (9, 304, False), (9, 403, True), (12, 501, False), (12, 405, False), (12, 400, True),
        (6, 409, False), (10, 409, False), (10, 400, True), (0, 200, False), (0, 201, False),
        (0, 404, True), (2, 500, False), (15, 500, False), (13, 507, False), (14, 500, True),
        (1, 499, False), (99, 404, False),
    ],
)  # fmt: skip
def test_pairs_of_statuses(status: int | None, http: int | None, found: bool) -> None:
    assert bool(check("http-status-mapping", code(grpc_status=status, http_status=http))) is found


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("password", True), ("user_password", True), ("apiKey", True), ("api-key", True),
        ("access_token", True), ("tokens", True), ("sessionId", True), ("credentials", True),
        ("set_cookie", True), ("key", False), ("room_uuid", False), ("passed", False),
        ("tokenizer", False), ("secretary", False), ("spinner", False), ("keyboard", False),
        ("session", False),
    ],
)  # fmt: skip
def test_keys_that_look_like_secrets(key: str, found: bool) -> None:
    assert (
        bool(check("secret-key", code(metadata_fields=(Field(key, "It", "", True, 0),)))) is found
    )


@pytest.mark.parametrize(
    ("numbers", "reserved", "found"),
    [
        ([1, 2, 4], (), [4]),
        ([1, 2, 4], ((3, 3),), []),
        ([1, 2, 4], ((3, 9),), []),
        ([1, 2, 6], ((4, 4),), [6]),
        ([1, 3, 4], (), [3]),
        ([0, 1, 3], (), [3]),
        ([10, 20, 30], (), []),  # not consecutive
        ([1, 3, 5], (), []),  # not consecutive either
        ([1, 2, 8, 9], (), [8]),
        ([1, 2, 9, 10], (), []),  # a gap of six numbers starts a new block
        ([1, 2, 8, 9], ((3, 7),), []),
        ([7, 4, 1, 2], (), [4]),
        ([-4, -1, 0], (), [-1]),
        ([99998, 99999, 100001], (), []),  # 100000 is where another block begins
        ([1098, 1100, 1101], (), []),
        ([1100, 1102, 1103], (), [1102]),
        ([2, 3], (), []),
    ],
)
def test_gaps_in_numbers(numbers: list[int], reserved: Any, found: list[int]) -> None:
    codes = [code(f"CODE_{number}", number) for number in numbers]
    assert check("reserved-gap", *codes, reserved_numbers=reserved) == [
        f"CODE_{number}" for number in found
    ]
    assert check("reserved-gap", *codes, reserved_numbers=reserved, file="shop:Shop") == []
    assert (
        check(
            "reserved-gap",
            *(replace(each, http_status=each.number) for each in codes),
            reserved_numbers=reserved,
        )
        == []
    )


@pytest.mark.parametrize(
    ("hints", "given", "found"),
    [
        ((), {}, False),
        ((Hint("en", "a", ()),), {}, False),  # half of the codes have zh
        ((Hint("en", "a", ()),), {"default_locale": "zh"}, True),
        ((Hint("en", "a", ()),), {"locales": ("en", "zh")}, True),
        ((Hint("EN", "a", ()), Hint("zh", "b", ())), {}, False),
        ((Hint("en", "a", ()),), {"locales": ("en",)}, False),
        ((Hint("zh", "a", ()),), {"locales": ("zh",), "default_locale": "en"}, True),
        ((Hint("en", "a", ()), Hint("zh", "b", ()), Hint("en", "c", (("k", "v"),))), {}, True),
        (
            (
                Hint("en", "a", ()),
                Hint("zh", "b", ()),
                Hint("en", "c", (("k", "v"),)),
                Hint("ZH", "d", (("k", "v"),)),
            ),
            {},
            False,
        ),
    ],
)
def test_gaps_in_locales(hints: tuple[Hint, ...], given: Any, found: bool) -> None:
    other = code("OTHER", 2, hints=(Hint("en", "c", ()), Hint("zh", "d", ())))
    assert check("locale-gap", code(hints=hints), other, **given) == ["GONE"] * found


@pytest.mark.parametrize(
    ("translated", "gaps"), [(0, 0), (1, 0), (2, 0), (3, 0), (4, 3), (6, 1), (7, 0)]
)
def test_a_locale_counts_if_more_than_half_of_the_codes_have_it(translated: int, gaps: int) -> None:
    """Codes without any hint are not asked. The fourth of seven is more than half."""
    codes = [
        code(
            f"N{number}",
            number,
            hints=(
                Hint("en", f"{number}", ()),
                *([Hint("de", f"{number}", ())] if number <= translated else []),
            ),
        )
        for number in range(1, 8)
    ]
    codes += [code(f"BARE{number}", number) for number in range(8, 20)]
    assert check("locale-gap", *codes) == [f"N{number}" for number in range(8 - gaps, 8)]
    assert check("locale-gap", *codes, locales=("en",)) == []
    named = [f"N{number}" for number in range(translated + 1, 8)]
    assert check("locale-gap", *codes, locales=("en", "de")) == named


def test_a_condition_needs_each_locale_of_its_code() -> None:
    """Even one that few codes have."""
    hints = (Hint("en", "a", ()), Hint("de", "b", ()), Hint("en", "c", (("k", "v"),)))
    others = [code(f"N{number}", number, hints=(Hint("en", "d", ()),)) for number in range(2, 9)]
    assert check("locale-gap", code(hints=hints), *others) == ["GONE"]


def test_texts_are_shared_within_a_locale_and_a_catalogue() -> None:
    first = code(
        "FIRST",
        1,
        message="Gone",
        hints=(Hint("en", "It is gone", ()), Hint("en", "It is gone", (("k", "v"),))),
    )
    assert check("text-shared", first, code("SECOND", 2, message="GONE ")) == ["FIRST"]
    assert check(
        "text-shared", first, code("SECOND", 2, hints=(Hint("EN", "it is  gone", ()),))
    ) == ["FIRST"]
    assert (
        check("text-shared", first, code("SECOND", 2, hints=(Hint("de", "It is gone", ()),))) == []
    )
    assert (
        check("text-shared", first, code("SECOND", 2, message=""), code("THIRD", 3, message=""))
        == []
    )


IN_ALL = "// errgrpc:lint:ignore description-missing Short.\n"


def sharing(*exempted: int, count: int = 3) -> str:
    """A table whose codes have one message; some of them are exempted."""
    values = "".join(
        ("  // errgrpc:lint:ignore text-shared Why.\n" if number in exempted else "")
        + f"  SHOP_N{number}X = {number} "
        '[(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Gone"}];\n'
        for number in range(1, count + 1)
    )
    return SHOP[: SHOP.index("%s  SHOP_GONE")] % IN_ALL + values + "}\n"


@pytest.mark.parametrize(
    ("exempted", "found"),
    [
        ((), [1, 2, 3]),
        ((1,), [2, 3]),
        ((2,), [1, 3]),
        ((3,), [1, 2]),
        ((1, 2), []),
        ((2, 3), []),
        ((1, 2, 3), []),
    ],
)
def test_a_shared_text_is_one_finding(
    exempted: tuple[int, ...], found: list[int], run: Any, tmp_path: Path
) -> None:
    """It names all codes that are not exempted."""
    (tmp_path / "shop.proto").write_text(sharing(*exempted))
    told = json.loads(run("lint", "shop.proto", "-f", "json", cwd=tmp_path).out)
    names = [f"shop.Shop.N{number}X" for number in found]
    assert [[each["rule"], each["where"], *each["also"]] for each in told] == (
        [["text-shared", *names]] if names else []
    )


def test_a_text_that_many_share_names_a_few(shop: Any, run: Any) -> None:
    assert shop(sharing(count=9)) == ["8:71 text-shared"]
    assert "say what differs from N2X, N3X, N4X, N5X, N6X, 3 more [text-shared]" in (
        run("lint", "shop.proto").out
    )


def test_messages() -> None:
    assert check("message-english", code(message="Café, naïve: 404 – {article}")) == []
    assert check("message-english", code(message="Комната not found")) == ["GONE"]
    assert check("message-missing", code(message=" ")) == ["GONE"]
    assert (
        check(
            "message-is-hint",
            code(grpc_status=0, message="Success", hints=(Hint("en", "Success", ()),)),
        )
        == []
    )
    assert check("text-length", code(message="x" * 200)) == []
    assert check("text-length", code(message="x" * 201)) == ["GONE"]


def test_a_class_has_the_rules_that_it_can_heed(run: Any, tmp_path: Path) -> None:
    (tmp_path / "lint_shop.py").write_text(
        "import errgrpc\nfrom errgrpc import ErrorCode, Spec\nfrom grpc import StatusCode\n\n"
        'class Shop(ErrorCode, domain="shop.example.com"):\n'
        '    GONE = 1, Spec(StatusCode.NOT_FOUND, http_status=403, message="Gone", '
        'description="It is gone.")\n'
        '    SOLD = 2, Spec(StatusCode.NOT_FOUND, message="Sold")\n'
        '    LATE = 4, Spec(StatusCode.NOT_FOUND, message="Late", description="It is late.")\n'
    )
    ran = run("lint", "lint_shop:Shop", cwd=tmp_path)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        (
            "lint_shop:Shop: warning: Shop.SOLD: has no description; say when it occurs, "
            "in a comment above the value [description-missing]"
        ),
        "lint_shop:Shop: warning: Shop.GONE: has the HTTP status 403, "
        "but NOT_FOUND is 404 in google/rpc/code.proto; change one "
        "[http-status-mapping]",
    ]


def test_a_name_that_protobuf_would_not_take() -> None:
    assert check("name-format", code("GONE_"), prefix="") == ["GONE_"]
    assert check("name-format", code("A" * 64)) == ["A" * 64]
    assert check("name-format", code("GONE", name="SHOP_GONE"), prefix="SHOP_") == []
    assert check(
        "name-format", code("GONE", metadata_fields=(Field("details", "They", "", True, 0),))
    ) == ["GONE"]


# Forms of output.


def bad(id: str) -> str:
    return f"tests/cli/lint/{id}/bad.proto"


def test_text(run: Any) -> None:
    ran = run("lint", bad("secret-key"))
    assert (ran.code, ran.err) == (1, "1 found: 1 secret-key\n")
    assert ran.out.startswith(
        "tests/cli/lint/secret-key/bad.proto:15:28: error: bad.secret_key.ShopCode.STRANGER: "
        "the metadata key"
    )


def test_json(run: Any) -> None:
    ran = run("lint", bad("reserved-gap"), "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    assert json.loads(ran.out) == [
        {
            "rule": "reserved-gap",
            "severity": "warning",
            "file": "tests/cli/lint/reserved-gap/bad.proto",
            "line": 15,
            "column": 3,
            "where": "bad.reserved_gap.ShopCode.STRANGER",
            "also": [],
            "message": "unused and not reserved before it: 2; "
            "reserve each number that a removed code had",
            "fixable": True,
        }
    ]
    ran = run("lint", "protos", "--format", "json")
    assert (ran.code, json.loads(ran.out)) == (0, [])


def test_github(run: Any) -> None:
    ran = run("lint", bad("name-format"), "--format", "github")
    assert ran.code == 1
    assert ran.out.splitlines()[0].startswith(
        "::error file=tests/cli/lint/name-format/bad.proto,line=12,col=3,title=name-format::"
        "bad.name_format.ShopCode.SOLD_OUT_: the reason"
    )
    ran = run("lint", bad("text-shared"), "--format", "github")
    assert ran.out.startswith(
        "::warning file=tests/cli/lint/text-shared/bad.proto,line=12,col=91,title=text-shared::"
    )


@pytest.mark.parametrize("command", ["lint", "diff"])
def test_github_of_a_refused_file(command: str, run: Any, tmp_path: Path) -> None:
    """What protoc says stands beside its line. The exit code remains that of misuse."""
    sound = Path("tests/cli/lint/name-format/good.proto").read_text()
    tmp_path.joinpath("good.proto").write_text(sound)
    tmp_path.joinpath("shop.proto").write_text(sound.replace("grpc_status", "status"))
    sources = ["shop.proto"] if command == "lint" else ["good.proto", "shop.proto"]
    ran = run(command, *sources, "--format", "github", cwd=tmp_path)
    assert ran.code == 2
    assert re.fullmatch(
        r"::error file=shop\.proto,line=12,col=\d+,title=protoc::protoc: .+ no field named.+",
        ran.out.splitlines()[0],
    )
    assert "protoc refuses shop.proto" in ran.err
    assert "--include" not in ran.err
    assert run(command, *sources, cwd=tmp_path).out == ""


def test_github_of_a_missing_import(run: Any, tmp_path: Path) -> None:
    sound = Path("tests/cli/lint/name-format/good.proto").read_text()
    tmp_path.joinpath("shop.proto").write_text(
        sound.replace("enum", 'import "rooms.proto"; enum', 1)
    )
    ran = run("lint", "shop.proto", "--format", "github", cwd=tmp_path)
    assert ran.code == 2
    assert ran.out.startswith("::error file=shop.proto,line=7,col=1,title=protoc::protoc: Import")
    assert ran.err.endswith("Give the folders of imports by --include.\n")


def test_github_of_a_warning_of_protoc(run: Any, tmp_path: Path) -> None:
    unused = 'syntax = "proto3";\nimport "google/protobuf/any.proto";\n'
    (tmp_path / "a.proto").write_text(unused)
    (tmp_path / "b.proto").write_text('syntax = "proto3";\nmessage B { Missing x = 1; }\n')
    ran = run("lint", ".", "--format", "github", cwd=tmp_path)
    assert ran.code == 2
    assert [line.partition(",")[0] for line in ran.out.splitlines()] == [
        "::warning file=a.proto",
        "::error file=b.proto",
    ]


SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": {"$ref": "#/$defs/message"},
                                                "help": {"$ref": "#/$defs/message"},
                                                "defaultConfiguration": {
                                                    "properties": {
                                                        "level": {"$ref": "#/$defs/level"}
                                                    }
                                                },
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "locations"],
                            "properties": {
                                "message": {"$ref": "#/$defs/message"},
                                "level": {"$ref": "#/$defs/level"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {
                                    "type": "array",
                                    "items": {"$ref": "#/$defs/location"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "location": {
            "type": "object",
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "properties": {"uri": {"type": "string", "pattern": "^[^ \\\\]+$"}},
                            "required": ["uri"],
                        },
                        "region": {
                            "required": ["startLine"],
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "startColumn": {"type": "integer", "minimum": 1},
                            },
                        },
                    },
                },
                "logicalLocations": {
                    "type": "array",
                    "items": {"properties": {"fullyQualifiedName": {"type": "string"}}},
                },
            },
        },
    },
}
"""The schema of SARIF 2.1.0 for the parts that lint writes."""


def test_sarif(run: Any, tmp_path: Path) -> None:
    text = (ROOT / bad("description-missing")).read_text()
    (tmp_path / "my shop.proto").write_text(text)
    ran = run("lint", "my shop.proto", "--format", "sarif", cwd=tmp_path)
    assert ran.code == 1
    log = json.loads(ran.out)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (ran_once,) = log["runs"]
    rules = ran_once["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == IDS
    assert len(ran_once["results"]) == 2
    for result in ran_once["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "description-missing"
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "my%20shop.proto"
        assert place["region"]["startLine"] in (11, 14)
    empty = json.loads(run("lint", "errgrpc:ResCode", "--format", "sarif").out)
    jsonschema.Draft202012Validator(SARIF).validate(empty)
    assert empty["runs"][0]["results"] == []


# Which findings count.

TWO = (
    'syntax = "proto3";\npackage shop;\nimport "errgrpc/v1/annotations.proto";\n\n'
    'enum Shop {\n  option (errgrpc.v1.catalog) = {domain: "shop.example.com"};\n'
    "  SHOP_UNSPECIFIED = 0;\n"
    '  SHOP_GONE = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Gone"}];\n'
    "  // It is sold.\n"
    "  SHOP_SOLD = 2 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND}];\n}\n"
)
LATE = '  SHOP_LATE = 3 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "gone"}];\n}\n'
WRITTEN = """{
  "description-missing": [
    "shop.Shop.GONE"
  ],
  "message-missing": [
    "shop.Shop.SOLD"
  ]
}
"""


@pytest.fixture
def two(tmp_path: Path, run: Any) -> Path:
    """A table with an error and a warning, and their baseline."""
    (tmp_path / "shop.proto").write_text(TWO)
    ran = run("lint", "shop.proto", "--write-baseline", "known.json", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == ("2 found: 1 description-missing, 1 message-missing; written to known.json\n")
    assert (tmp_path / "known.json").read_text() == WRITTEN
    return tmp_path


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
@pytest.mark.parametrize(
    ("fail_on", "given", "code"),
    [
        ("error", "", 1),
        ("warning", "", 1),
        ("error", "message", 0),
        ("warning", "message", 1),
        ("error", "all", 0),
        ("warning", "all", 0),
    ],
)
def test_what_fails(
    fail_on: str, given: str, code: int, form: str, tmp_path: Path, run: Any
) -> None:
    text = TWO.replace("  SHOP_GONE", "  // It is gone.\n  SHOP_GONE") if given == "all" else TWO
    text = text.replace("NOT_FOUND}", 'NOT_FOUND, message: "Sold"}') if given else text
    (tmp_path / "shop.proto").write_text(text)
    ran = run("lint", "shop.proto", "--fail-on", fail_on, "-f", form, cwd=tmp_path)
    assert ran.code == code


def test_only_what_is_new_counts(two: Path, run: Any) -> None:
    known = ("lint", "shop.proto", "--baseline", "known.json")
    assert (ran := run(*known)).code == 0
    assert (ran.out, ran.err) == ("", "")
    (two / "shop.proto").write_text(TWO.replace("\n\nenum", "\n\n// The shop.\n\nenum"))
    assert run(*known).code == 0  # all lines moved
    (two / "shop.proto").write_text(TWO.removesuffix("}\n") + LATE)
    ran = run(*known)
    assert ran.code == 1
    assert [line.rpartition("[")[2] for line in ran.out.splitlines()] == [
        "text-shared]",
        "description-missing]",
    ]
    assert ran.err == "2 found: 1 text-shared, 1 description-missing\n"


def test_a_baseline_is_written_anew(two: Path, run: Any) -> None:
    (two / "shop.proto").write_text(TWO.removesuffix("}\n") + LATE)
    both = ("lint", "shop.proto", "--baseline", "new.json", "--write-baseline", "new.json")
    assert run(*both).code == 0
    assert run(*both[:4]).code == 0
    assert set(json.loads((two / "new.json").read_text())) == {
        "description-missing",
        "message-missing",
        "text-shared",
    }


def test_a_code_that_joins_a_known_shared_text_counts(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(sharing(count=3))
    run("lint", "shop.proto", "--write-baseline", "known.json", cwd=tmp_path)
    known = ("lint", "shop.proto", "--baseline", "known.json")
    assert run(*known).code == 0
    (tmp_path / "shop.proto").write_text(sharing(count=4))
    assert (ran := run(*known)).code == 1
    assert (ran.out.count("\n"), ran.err) == (1, "1 found: 1 text-shared\n")


@pytest.mark.parametrize(
    ("text", "sources", "said"),
    [
        (TWO.replace("NOT_FOUND}", 'NOT_FOUND, message: "Sold"}'), ["shop.proto"], True),
        (TWO[: TWO.index("  // It is sold")] + "}\n", ["shop.proto"], True),
        (TWO.replace("Shop {", "Other {"), ["shop.proto"], False),  # it is not linted
        (TWO.replace("Shop {", "Other {"), [], True),
    ],
)
def test_what_is_no_longer_found_is_told(
    text: str, sources: list[str], said: bool, two: Path, run: Any
) -> None:
    (two / "shop.proto").write_text(text)
    (two / "pyproject.toml").write_text('[tool.errgrpc]\ncatalogues = ["shop.proto"]\n')
    ran = run("lint", *sources, "--baseline", "known.json")
    line = 'known.json: shop.Shop.SOLD: no longer found, remove it from "message-missing"'
    assert (line.replace('"', "'") in ran.err.splitlines()) is said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "known.json does not exist; write it by --write-baseline known.json"),
        ("{", "known.json cannot be read: "),
        ("[" * 200_000, "known.json cannot be read: "),
        ("\udcff", "known.json cannot be read: "),
        ("[]", "known.json is no baseline; write it by --write-baseline known.json"),
        ('{"a": [1]}', "known.json is no baseline; write it by --write-baseline known.json"),
    ],
)
def test_what_is_no_baseline(text: str | None, says: str, two: Path, run: Any) -> None:
    (two / "known.json").unlink()
    if text is not None:
        (two / "known.json").write_bytes(text.encode(errors="surrogateescape"))
    ran = run("lint", "shop.proto", "--baseline", "known.json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"errgrpc: {says}")
    ran = run("lint", "shop.proto", "--write-baseline", "none/known.json")
    assert ran.err == "errgrpc: none/known.json cannot be written: No such file or directory\n"


# Exemptions.

SHOP = """syntax = "proto3";
package shop;
import "errgrpc/v1/annotations.proto";
%senum Shop {
  option (errgrpc.v1.catalog) = {domain: "shop.example.com"};
  SHOP_UNSPECIFIED = 0;
%s  SHOP_GONE = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, http_status: 403, \
message: "Gone"}];%s
}
"""
REASON = "errgrpc:lint:ignore http-status-mapping As the old API has it."


@pytest.fixture
def shop(tmp_path: Path, run: Any) -> Any:
    """Lints one file; returns the output without the name of the file."""

    def shop(text: str, *arguments: str, pyproject: str = "") -> list[str]:
        (tmp_path / "shop.proto").write_bytes(text.encode())
        (tmp_path / "pyproject.toml").write_text(pyproject)
        ran = run("lint", *(arguments or ("shop.proto",)), cwd=tmp_path)
        assert ran.code == (1 if ran.out else 0)
        return [
            re.sub(r": (error|warning): .*\[", " ", line.removeprefix("shop.proto:")).rstrip("]")
            for line in ran.out.splitlines()
        ]

    return shop


def test_comments_exempt(shop: Any) -> None:
    assert shop(SHOP % ("", "  // It is gone.\n", "")) == ["8:63 http-status-mapping"]
    assert shop(SHOP % ("", f"  // It is gone.\n  // {REASON}\n", "")) == []
    assert shop(SHOP % ("", f"  /*\n   * It is gone.\n   * {REASON}\n   */\n", "")) == []
    assert shop(SHOP % ("", "  // It is gone.\n", f"  // {REASON}")) == []
    assert shop(SHOP % (f"// {REASON}\n", "  // It is gone.\n", "")) == []
    # Here it is a trailing comment of the zero value.
    assert shop(SHOP % ("", f"  // {REASON}\n\n  // It is gone.\n", "")) == [
        "7:6 exemption",
        "10:63 http-status-mapping",
    ]
    assert shop(SHOP % ("", f"  // {REASON}\n", "")) == ["8:3 description-missing"]
    assert shop(SHOP % ("", f"  // See {REASON}\n", "")) == ["8:63 http-status-mapping"]


def test_an_exemption_must_be_one(shop: Any) -> None:
    assert shop(
        SHOP % ("", "  // It is gone.\n  // errgrpc:lint:ignore http-status-mapping\n", "")
    ) == ["8:6 exemption"]
    assert shop(SHOP % ("", "  // It is gone.\n  // errgrpc:lint:ignore\n", "")) == [
        "8:6 exemption",
        "9:63 http-status-mapping",
    ]
    assert shop(
        SHOP % ("", "  // It is gone.\n  // errgrpc:lint:ignore exemption Why not?\n", "")
    ) == [
        "8:6 exemption",
        "9:63 http-status-mapping",
    ]
    unused = "errgrpc:lint:ignore secret-key It is none."
    assert shop(SHOP % (f"// {unused}\n", f"  // It is gone.\n  // {REASON}\n", "")) == [
        "4:4 exemption"
    ]
    assert shop(SHOP % ("", f"  // It is gone.\n  // {REASON}\n", f" // {unused}")) == [
        "9:103 exemption"
    ]
    # No method declares codes, so this rule did not run.
    assert (
        shop(
            SHOP
            % (
                "// errgrpc:lint:ignore code-not-raised Soon.\n",
                f"  // It is gone.\n  // {REASON}\n",
                "",
            )
        )
        == []
    )


DESCRIBED = SHOP % ("", "  // It is gone.\n", "")
DEFAULT = '[tool.errgrpc]\ncatalogues = ["shop.proto"]\n'


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ('"shop.Shop.GONE" = {http-status-mapping = "Old."}', []),
        ('"shop.Shop" = {http-status-mapping = "Old."}', []),
        (
            '"shop.Shop.GO" = {http-status-mapping = "Old."}',
            ["pyproject.toml:5:1 exemption", "8:63 http-status-mapping"],
        ),
        ('"shop.Shop.GONE" = {http-status-mapping = " "}', ["pyproject.toml:5:1 exemption"]),
        (
            '"shop.Shop.GONE" = {http-status = "Old."}',
            ["pyproject.toml:5:1 exemption", "8:63 http-status-mapping"],
        ),
        (
            '"shop.Shop.GONE" = {http-status-mapping = "Old.", secret-key = "None."}',
            ["pyproject.toml:5:1 exemption"],
        ),
    ],
)
def test_pyproject_exempts(entry: str, found: list[str], run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(DESCRIBED)
    (tmp_path / "pyproject.toml").write_text(f"{DEFAULT}\n[tool.errgrpc.lint.ignore]\n{entry}\n")
    ran = run("lint", cwd=tmp_path)
    told = [
        re.sub(r": (error|warning): .*\[", " ", line.removeprefix("shop.proto:")).rstrip("]")
        for line in ran.out.splitlines()
    ]
    assert (told, ran.code) == (found, 1 if found else 0)


def test_a_part_of_the_sources_need_not_use_each_exemption(shop: Any) -> None:
    entries = (
        '\n[tool.errgrpc.lint.ignore]\n"other.Other" = {secret-key = "None."}\n'
        '"shop.Shop" = {http-status-mapping = "Old."}\n'
    )
    assert shop(DESCRIBED, "shop.proto", pyproject=DEFAULT + entries) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool", "pyproject.toml is no TOML: "),
        ("a = " + "[" * 20_000, "pyproject.toml is no TOML: "),
        (
            "[tool.errgrpc]\ncatalogues = 'protos'",
            'tool.errgrpc.catalogues is no list of sources; write catalogues = ["protos"]',
        ),
        ("[tool.errgrpc.lint]\nignore = ['a']", "each entry of tool.errgrpc.lint.ignore is as "),
        (
            "[tool.errgrpc.lint.ignore]\nshop = {text-shared = 1}",
            "each entry of tool.errgrpc.lint.ignore is as ",
        ),
        ("[tool.errgrpc]\nlint = 1", "each entry of tool.errgrpc.lint.ignore is as "),
        ("[tool]\nerrgrpc = 1", "tool.errgrpc is no table"),
        ("tool = 1", "tool.errgrpc is no table"),
    ],
)
def test_what_pyproject_may_not_say(text: str, says: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    ran = run("lint", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_no_source_is_misuse(run: Any) -> None:
    ran = run("lint", "nothing")
    assert (ran.code, ran.out) == (2, "")
    assert "nothing is no catalogue" in ran.err


# Findings with only one fix are fixed.


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_fix(end: str, shop: Any, tmp_path: Path) -> None:
    text = (ROOT / bad("reserved-gap")).read_text().replace("\n", end)
    assert shop(text, "shop.proto", "--fix") == []
    mended = (tmp_path / "shop.proto").read_bytes().decode()
    assert mended == text.replace(f"}}];{end}}}", f"}}];{end}  reserved 2;{end}}}")
    assert shop(mended, "shop.proto", "--fix") == []
    assert (tmp_path / "shop.proto").read_bytes().decode() == mended


def test_fix_in_one_line(shop: Any, tmp_path: Path) -> None:
    value = '%s = %d [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "%s"}];'
    values = " ".join(value % (f"SHOP_N{n}X", n, f"é{n}") for n in (1, 2, 4, 7, 8))
    text = (
        'syntax = "proto3";\npackage shop;\nimport "errgrpc/v1/annotations.proto";\n'
        "// errgrpc:lint:ignore description-missing Short.\n"
        'enum Shop { option (errgrpc.v1.catalog) = {domain: "shop.example.com"};\t'
        f"SHOP_UNSPECIFIED = 0; {values} }}\n"
    )
    assert shop(text, "shop.proto", "--fix") == []
    assert (tmp_path / "shop.proto").read_text() == text.replace(
        "; }\n", "; reserved 3; reserved 5, 6; }\n"
    )


def test_fix_removes_an_exemption_that_is_not_needed(shop: Any, tmp_path: Path) -> None:
    used, unused = f"  // {REASON}\n", "  // errgrpc:lint:ignore secret-key It is none.\n"
    text = SHOP % ("", f"  // It is gone.\n{unused}{used}", "")
    assert shop(text, "shop.proto", "--fix") == []
    assert (tmp_path / "shop.proto").read_text() == text.replace(unused, "")
    text = SHOP % ("", f"  // It is gone.\n{used}", " //" + unused.strip(" /"))
    assert len(shop(text, "shop.proto", "--fix")) == 1  # a line with code stays
    assert (tmp_path / "shop.proto").read_text() == text


@pytest.mark.parametrize(
    "lines",
    [["Why", "Why not"], ["Why not", "Why"], ["Why", "Why"]],
    ids=["begins", "ends", "same"],
)
def test_fix_removes_exemptions_with_the_same_words(
    lines: list[str], shop: Any, tmp_path: Path
) -> None:
    unused = "".join(f"  // errgrpc:lint:ignore secret-key {why}\n" for why in lines)
    text = SHOP % ("", f"  // It is gone.\n  // {REASON}\n{unused}", "")
    assert shop(text, "shop.proto", "--fix") == []
    assert (tmp_path / "shop.proto").read_text() == text.replace(unused, "")


def test_fix_keeps_the_exemption_of_another_code(shop: Any, tmp_path: Path) -> None:
    late = (
        f"\n  /* It is late.\n  {REASON} */ SHOP_LATE = 2 "
        '[(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Late"}];'
    )
    text = SHOP % ("", f"  // It is gone.\n  // {REASON}\n", late)
    assert len(shop(text, "shop.proto", "--fix")) == 1  # a line with code stays
    assert (tmp_path / "shop.proto").read_text() == text


def test_edits_do_not_move_each_other() -> None:
    edits = [
        Edit(1, 1, "b"),
        Edit(1, 1, "c"),
        Edit(2),
        Edit(3, 0, "d\n"),
        Edit(3, 0, "e\n"),
        Edit(2),
    ]
    assert applied("ax\ny\nz", edits) == "abcx\nd\ne\nz"


@pytest.mark.parametrize(
    ("line", "column", "found"),
    [("ab", 1, 1), ("\tab", 8, 1), ("a\tb", 8, 2), ("éa", 2, 1), ("课a", 3, 1), ("", 5, 0)],
)
def test_columns_of_protoc(line: str, column: int, found: int) -> None:
    assert character(line, column) == found


# Untrusted text.


def test_no_control_character_of_a_table_is_printed(shop: Any, run: Any, tmp_path: Path) -> None:
    shop(SHOP.replace('"Gone"', r'"\033[31m\n::error::gone\342\200\256 课"') % ("", "", ""))
    for form in ("text", "json", "github", "sarif"):
        ran = run("lint", "shop.proto", "--format", form)
        assert ran.code == 1
        assert "课" in ran.out
        assert not {"\x1b", "\u202e"} & set(ran.out)
        assert not re.search(r"^::error::", ran.out, re.MULTILINE)


# Services.


def test_codes_of_an_imported_catalogue_count_as_declared(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(
        DESCRIBED.replace('import "', 'import "errgrpc/v1/res_code.proto";\nimport "', 1).replace(
            ", http_status: 403", ""
        )
        + "message Empty {}\nservice ShopService {\n"
        "  rpc Buy(Empty) returns (Empty) { option (errgrpc.v1.raises_res_code) = "
        "RES_CODE_CONFLICT; }\n"
        "  // errgrpc:lint:ignore method-raises-nothing It only tells the time.\n"
        "  rpc Tell(Empty) returns (Empty);\n  rpc Look(Empty) returns (Empty);\n}\n"
        "service StrictService {\n"
        "  option (errgrpc.v1.every_method_raises_res_code) = RES_CODE_UNAUTHORIZED;\n"
        "  rpc Look(Empty) returns (Empty);\n}\n"
    )
    ran = run("lint", "shop.proto", cwd=tmp_path)
    assert [line.split(": ")[:3] for line in ran.out.splitlines()] == [
        ["shop.proto:16:3", "warning", "shop.ShopService.Look"]
    ]


def test_settings_by_hand() -> None:
    known = Tables(
        (Catalog("a.proto", "a", "A", 1, "", True, "a", "", "", (), (code(http_status=403),)),)
    )
    assert [each.rule for each in lint(known, {})] == ["http-status-mapping"]
    assert lint(known, {}, Settings(ignore={"a.A.GONE": {"http-status-mapping": "Old."}})) == []


def test_a_descriptor_set_of_an_older_text_mends_nothing(run: Any, tmp_path: Path) -> None:
    text = (ROOT / bad("reserved-gap")).read_text()
    (tmp_path / "shop.proto").write_text(text)
    compiled, _ = tables.compiled(tmp_path)
    (tmp_path / "old.binpb").write_bytes(compiled.SerializeToString())
    for newer in (
        "\n\n" + text,
        text.rstrip("}\n") + "// }\n" * 3 + "}\n",
        text.replace("\n  SHOP", "\nSHOP"),
    ):
        (tmp_path / "shop.proto").write_text(newer)
        run("lint", "old.binpb", "shop.proto", "--fix", cwd=tmp_path)
        tables.compiled(tmp_path)  # still a valid .proto
    (tmp_path / "shop.proto").unlink()
    ran = run("lint", "old.binpb", "--fix", cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "1 found: 1 reserved-gap\n")
    assert ran.out.startswith("shop.proto:15:3: warning: bad.reserved_gap.ShopCode.STRANGER")


def test_a_hostile_descriptor_set_is_judged(run: Any, tmp_path: Path) -> None:
    compiled, _ = tables.compiled(ROOT / bad("method-raises-nothing"))
    whole = compiled.SerializeToString()
    (file,) = [file for file in compiled.file if file.service]
    for location in file.source_code_info.location:
        del location.span[1:]
    (tmp_path / "cut.binpb").write_bytes(compiled.SerializeToString())
    (tmp_path / "bytes.binpb").write_bytes(whole.replace(b"Look", b"L\xffok"))
    for name in ("cut", "bytes"):
        ran = run("lint", f"{name}.binpb", cwd=tmp_path)
        assert (ran.code, ran.out.count("[method-raises-nothing]")) == (1, 1), ran.err


def test_a_class_beside_its_proto_is_linted_once(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(DESCRIBED.replace("package shop;", "package lint_twice;"))
    (tmp_path / "lint_twice.py").write_text(
        "from errgrpc import ErrorCode, Spec\nfrom grpc import StatusCode\n\n"
        'class Shop(ErrorCode, domain="lint_twice.Shop"):\n'
        '    GONE = 1, Spec(StatusCode.NOT_FOUND, http_status=403, message="Gone", '
        'description="It is gone.")\n'
    )
    (tmp_path / "use.proto").write_text(
        'syntax = "proto3";\nimport "shop.proto";\nmessage Use { lint_twice.Shop shop = 1; }\n'
    )
    assert run("lint", "lint_twice:Shop", "shop.proto", cwd=tmp_path).out.startswith(
        "shop.proto:8:63: warning: lint_twice.Shop.GONE: "
    )
    ran = run("lint", "lint_twice:Shop", "use.proto")
    assert (ran.out.count("\n"), ran.out.split(": ")[0]) == (1, "lint_twice:Shop")


@pytest.mark.parametrize("name", ["pyproject.toml", "shop.proto"])
def test_what_cannot_be_read_or_written(
    name: str, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "shop.proto").write_text((ROOT / bad("reserved-gap")).read_text())

    def refused(self: Path, *arguments: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    if name == "pyproject.toml":
        (tmp_path / name).write_bytes(b"\xff")
        says = "pyproject.toml cannot be read: 'utf-8' codec"
    else:
        says = "shop.proto cannot be written: [Errno 13] Permission denied"
        known = tables.load([str(tmp_path)])
        monkeypatch.setattr(tables, "load", lambda *_: known)
        monkeypatch.setattr(Path, "write_bytes", refused)
    ran = run("lint", "shop.proto", "--fix", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_a_comment_in_another_encoding(run: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_bytes(DESCRIBED.encode().replace(b"It is", b"It \xe9s"))
    ran = run("lint", "shop.proto", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "shop.proto" in ran.err
    assert "utf-8" in ran.err.lower()


def test_a_comment_whose_text_is_not_at_hand() -> None:
    compiled, _ = tables.compiled(ROOT / bad("exemption"))
    known = Tables(
        tuple(catalog for file in compiled.file for catalog in schema.read(file)), compiled
    )
    assert [(each.line, each.column, each.fix) for each in lint(known, {})] == [
        (13, 1, None),
        (18, 1, None),
        (18, 1, None),
    ]
