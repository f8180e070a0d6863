"""Changes that a release must not make, option by option."""

import dataclasses
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from errgrpc.codegen import breaking

pytestmark = pytest.mark.thinned(2)  # most cases compile protos

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

OLD = """
syntax = "proto3";
package shop.v1;
import "errgrpc/v1/annotations.proto";

enum ShopCode {
  option (errgrpc.v1.catalog) = {
    domain: "shop" default_locale: "en" fallback: "BROKEN"
    infer: {grpc_status: NOT_FOUND, reason: "GONE"}
  };
  SHOP_CODE_UNSPECIFIED = 0;
  SHOP_CODE_GONE = 1 [(errgrpc.v1.code) = {
    grpc_status: NOT_FOUND http_status: 404 message: "Gone"
    hints: {locale: "en", text: "It is gone"}
    hints: {locale: "en", text: "Your coupon is gone", when: {key: "coupon", value: "true"}}
  }];
  SHOP_CODE_BROKEN = 2 [(errgrpc.v1.code) = {grpc_status: INTERNAL}];
}
"""
SHOP = "shop.v1.ShopCode: "
GONE, BROKEN = SHOP + "GONE: ", SHOP + "BROKEN: "
BROKEN_LINE = "SHOP_CODE_BROKEN = 2 [(errgrpc.v1.code) = {grpc_status: INTERNAL}];"
NOT_RESERVED = (
    "removed, but a later code may take {}: declare `reserved` for each [removed-not-reserved]"
)
EN, COUPON = "hint for en", "hint for en when {'coupon': 'true'}"
CHANGED: dict[str, tuple[str, str, list[str]]] = {
    "nothing": ("", "", []),
    "comment": ("enum ShopCode", "// Codes.\nenum ShopCode", []),
    "number": ("GONE = 1", "GONE = 3", [GONE + "number was 1, is 3 [number-changed]"]),
    "reason": (
        "SHOP_CODE_BROKEN",
        "SHOP_CODE_BROKE",
        [BROKEN + "reason was BROKEN, is BROKE [reason-changed]"],
    ),
    "domain": ('"shop"', '"store"', [SHOP + "domain was 'shop', is 'store' [domain-changed]"]),
    "grpc status": (
        "grpc_status: NOT_FOUND http",
        "grpc_status: DATA_LOSS http",
        [GONE + "grpc_status was NOT_FOUND, is DATA_LOSS [grpc-status-changed]"],
    ),
    "http status": ("404", "410", [GONE + "http_status was 404, is 410 [http-status-changed]"]),
    "http status removed": (
        "http_status: 404",
        "",
        [GONE + "http_status was 404, is none [http-status-changed]"],
    ),
    "http status given": (
        "INTERNAL}",
        "INTERNAL http_status: 500}",
        [BROKEN + "http_status was none, is 500 [http-status-changed]"],
    ),
    "message": ('"Gone"', '"Away"', [GONE + "message was 'Gone', is 'Away' [message-changed]"]),
    "message given": (
        "INTERNAL}",
        'INTERNAL message: "x"}',
        [BROKEN + "message was none, is 'x' [message-changed]"],
    ),
    "hint": (
        "It is gone",
        "It has gone",
        [GONE + f"{EN} was 'It is gone', is 'It has gone' [hint-changed]"],
    ),
    "hint removed": (
        'hints: {locale: "en", text: "It is gone"}',
        "",
        [GONE + f"{EN} was 'It is gone', is none [hint-removed]"],
    ),
    "hint under a condition": (
        "Your coupon",
        "A coupon",
        [GONE + f"{COUPON} was 'Your coupon is gone', is 'A coupon is gone' [hint-changed]"],
    ),
    "condition": (
        '"true"',
        '"false"',
        [
            GONE + f"{COUPON} was 'Your coupon is gone', is none [hint-removed]",
            GONE + f"{COUPON.replace('true', 'false')} added: 'Your coupon is gone' [hint-added]",
        ],
    ),
    "hint first": (
        'hints: {locale: "en", text: "It is gone"}',
        'hints: {locale: "de", text: "Weg"} hints: {locale: "en", text: "It is gone"}',
        [
            GONE + "hint for de added: 'Weg' [hint-added]",
            GONE
            + (
                "the order was en, en when {'coupon': 'true'}, is de, en, en when {'coupon': "
                "'true'} [hints-reordered]"
            ),
        ],
    ),
    "hint last": (
        '"true"}}',
        '"true"}} hints: {locale: "de", text: "Weg"}',
        [GONE + "hint for de added: 'Weg' [hint-added]"],
    ),
    "case of a locale": ('locale: "en", text: "It', 'locale: "EN", text: "It', []),
    "default locale": (
        'default_locale: "en"',
        'default_locale: "de"',
        [SHOP + "default_locale was 'en', is 'de' [default-locale-changed]"],
    ),
    "default locale removed": (
        'default_locale: "en"',
        "",
        [SHOP + "default_locale was 'en', is none [default-locale-changed]"],
    ),
    "fallback": (
        'fallback: "BROKEN"',
        'fallback: "GONE"',
        [SHOP + "fallback was BROKEN, is GONE [fallback-changed]"],
    ),
    "fallback removed": (
        'fallback: "BROKEN"',
        "",
        [SHOP + "fallback was BROKEN, is none [fallback-changed]"],
    ),
    "inference": (
        'reason: "GONE"',
        'reason: "BROKEN"',
        [SHOP + "inference from NOT_FOUND was GONE, is BROKEN [inference-changed]"],
    ),
    "inference removed": (
        'infer: {grpc_status: NOT_FOUND, reason: "GONE"}',
        "",
        [SHOP + "inference from NOT_FOUND was GONE, is none [inference-changed]"],
    ),
    "inference given": (
        "infer:",
        'infer: {grpc_status: ABORTED, reason: "GONE"} infer:',
        [SHOP + "inference from ABORTED added: GONE [inference-added]"],
    ),
    "code": (
        "SHOP_CODE_BROKEN",
        "SHOP_CODE_NEW = 9 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\nSHOP_CODE_BROKEN",
        [SHOP + "NEW: added [code-added]"],
    ),
    "code removed": (
        BROKEN_LINE,
        "",
        [
            BROKEN + "removed [code-removed]",
            BROKEN + NOT_RESERVED.format('2 and "SHOP_CODE_BROKEN"'),
        ],
    ),
    "number reserved": (
        BROKEN_LINE,
        "reserved 2;",
        [BROKEN + "removed [code-removed]", BROKEN + NOT_RESERVED.format('"SHOP_CODE_BROKEN"')],
    ),
    "name reserved": (
        BROKEN_LINE,
        'reserved "SHOP_CODE_BROKEN"; reserved 3 to max;',
        [BROKEN + "removed [code-removed]", BROKEN + NOT_RESERVED.format("2")],
    ),
    "both reserved": (
        BROKEN_LINE,
        'reserved 1000, 2 to 5; reserved "X", "SHOP_CODE_BROKEN";',
        [BROKEN + "removed [code-removed]"],
    ),
    "code is one no more": (
        " [(errgrpc.v1.code) = {grpc_status: INTERNAL}]",
        "",
        [BROKEN + "removed [code-removed]"],
    ),
    "deprecated": (
        "= {grpc_status: INTERNAL}]",
        "= {grpc_status: INTERNAL}, deprecated = true]",
        [BROKEN + "deprecated was false, is true [deprecation-changed]"],
    ),
    "retryable": (
        "INTERNAL}",
        "INTERNAL retryable: false}",
        [BROKEN + "retryable was not said, is false [retryable-changed]"],
    ),
    "resolution": (
        "INTERNAL}",
        'INTERNAL resolution: "Ask"}',
        [BROKEN + "resolution was none, is 'Ask' [resolution-changed]"],
    ),
    "locales": (
        "default_locale",
        'locales: "en" default_locale',
        [SHOP + "locales was none, is en [locales-changed]"],
    ),
    "help url": (
        "default_locale",
        'help_url: "https://x/{reason}" default_locale',
        [SHOP + "help_url was none, is 'https://x/{reason}' [help-url-changed]"],
    ),
    "enum removed": (
        "enum ShopCode",
        "enum Nothing { NOTHING = 0; } /* ",
        [SHOP + "removed [catalogue-removed]"],
    ),
    "enum and domain renamed": (
        'ShopCode {\n  option (errgrpc.v1.catalog) = {\n    domain: "shop"',
        'StoreCode {\n  option (errgrpc.v1.catalog) = {\n    domain: "store"',
        [SHOP + "removed [catalogue-removed]", "shop.v1.StoreCode: added [catalogue-added]"],
    ),
    "package renamed": (
        "package shop.v1",
        "package shop.v2",
        [SHOP + "is shop.v2.ShopCode now, under the same domain [catalogue-renamed]"],
    ),
    "catalogue": (
        "enum ShopCode",
        'enum More { option (errgrpc.v1.catalog) = {domain: "more"}; MORE_X = 0; }\nenum ShopCode',
        ["shop.v1.More: added [catalogue-added]"],
    ),
}
SEVERITIES = {
    "breaking": {
        "catalogue-removed", "code-removed", "domain-changed", "number-changed", "reason-changed",
        "grpc-status-changed", "http-status-changed", "hint-removed", "metadata-field-removed",
        "metadata-field-retyped", "metadata-field-made-optional", "option-number-clash",
    },
    "caution": {
        "deprecated-code-removed", "removed-not-reserved", "catalogue-renamed",
        "default-locale-changed", "fallback-changed", "inference-changed", "hints-reordered",
        "metadata-field-required", "required-metadata-field-added", "retryable-changed",
        "method-raises-more", "raises-removed", "option-number-changed",
    },
    "note": {
        "catalogue-added", "code-added", "hint-added", "fallback-added", "inference-added",
        "message-changed", "hint-changed", "deprecation-changed", "metadata-field-added",
        "metadata-field-documented", "resolution-changed", "locales-changed", "help-url-changed",
        "method-raises-less", "raises-declared",
    },
}  # fmt: skip


def changed(old: str, new: str) -> str:
    assert old in OLD
    text = OLD.replace(old, new, 1)
    return text + "*/" if "/*" in new else text


def compare(build: Build, new: str) -> list[breaking.Change]:
    return breaking.compare(build({"shop.proto": OLD}), build({"shop.proto": new}))


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.thinned(2)
def test_what_changed(name: str, build: Build) -> None:
    old, new, expected = CHANGED[name]
    changes = compare(build, changed(old, new))
    assert [str(change) for change in changes] == [
        f"{severity_of(text)}: {text}" for text in expected
    ]
    for change in changes:
        assert change.id in SEVERITIES[change.severity]


def severity_of(text: str) -> str:
    return next(
        severity
        for severity, ids in SEVERITIES.items()
        if text.rpartition("[")[2].removesuffix("]") in ids
    )


def test_the_severities_are_the_documented_ones() -> None:
    assert {
        severity: {id_ for id_, found in breaking.CHANGES.items() if found == severity}
        for severity in SEVERITIES
    } == SEVERITIES


def test_the_page_names_every_change(root: Path) -> None:
    rows = re.findall(
        r"^\| (breaking|caution|note) \| (.*) \|$",
        (root / "docs/protobuf.md").read_text(),
        re.MULTILINE,
    )
    assert {severity: set(re.findall(r"`(.*?)`", ids)) for severity, ids in rows} == SEVERITIES


def test_a_renamed_enum_is_the_same_under_its_domain(build: Build) -> None:
    text = OLD.replace("ShopCode", "StoreCode").replace("SHOP_CODE", "STORE_CODE")
    (change,) = compare(build, text)
    assert change == breaking.Change(
        "catalogue-renamed", "shop.v1.ShopCode", "is shop.v1.StoreCode now, under the same domain"
    )


def test_two_codes_swap_their_numbers(build: Build) -> None:
    text = (
        OLD.replace("GONE = 1", "GONE = 99")
        .replace("BROKEN = 2", "BROKEN = 1")
        .replace("GONE = 99", "GONE = 2")
    )
    assert [change.what for change in compare(build, text)] == [
        "number was 1, is 2",
        "number was 2, is 1",
    ]


def test_a_fallback_may_come(build: Build) -> None:
    without = OLD.replace('fallback: "BROKEN"', "")
    (change,) = breaking.compare(build({"shop.proto": without}), build({"shop.proto": OLD}))
    assert change == breaking.Change("fallback-added", "shop.v1.ShopCode", "fallback added: BROKEN")


def test_a_code_that_had_been_deprecated_may_go(build: Build) -> None:
    old = OLD.replace("INTERNAL}]", "INTERNAL}, deprecated = true]")
    new = OLD.replace(BROKEN_LINE, 'reserved 2; reserved "SHOP_CODE_BROKEN";')
    (change,) = breaking.compare(build({"shop.proto": old}), build({"shop.proto": new}))
    assert change == breaking.Change(
        "deprecated-code-removed", "shop.v1.ShopCode: BROKEN", "removed"
    )


FIELDS: list[tuple[str, str, list[str]]] = [
    ("", 'key: "room"', ["metadata-field-added"]),
    ('key: "room"', "", ["metadata-field-removed"]),
    ('key: "room"', 'key: "zoom"', ["metadata-field-removed", "required-metadata-field-added"]),
    ('key: "room"', 'key: "room" type: INT64', ["metadata-field-retyped"]),
    ('key: "room"', 'key: "room" optional: true', ["metadata-field-made-optional"]),
    ('key: "room" optional: true', 'key: "room"', ["metadata-field-required"]),
    ('key: "room"', 'key: "room" description: "d"', ["metadata-field-documented"]),
    ('key: "room"', 'key: "room" example: "r-42"', ["metadata-field-documented"]),
    (
        'key: "room" optional: true',
        'key: "room"} metadata_fields: {key: "more" optional: true',
        ["metadata-field-required", "metadata-field-added"],
    ),
    (
        'key: "room"',
        'key: "room"} metadata_fields: {key: "more"',
        ["required-metadata-field-added"],
    ),
]


@pytest.mark.parametrize(("was", "now", "ids"), FIELDS)
def test_changed_metadata_fields(was: str, now: str, ids: list[str], build: Build) -> None:
    texts = [
        OLD.replace(
            "INTERNAL}", f"INTERNAL metadata_fields: {{{fields}}}}}" if fields else "INTERNAL}"
        )
        for fields in (was, now)
    ]
    old, new = (build({"shop.proto": text.replace('fallback: "BROKEN"', "")}) for text in texts)
    assert [change.id for change in breaking.compare(old, new)] == ids


MORE = """hints: {locale: "zh-Hant", text: "A"} hints: {locale: "zh-Hans", text: "B"}
    hints: {locale: "en", text: "C", when: {key: "a", value: "1"}}
    hints: {locale: "en", text: "D", when: {key: "b", value: "1"}}"""


@pytest.mark.parametrize("parts", [(0, 1), (2, 3)])
def test_the_order_of_hints_and_of_variants_is_seen(parts: tuple[int, int], build: Build) -> None:
    """The order decides what users get.

    The first hint of a language wins, and of two conditions that both hold, the first one.
    """
    declared = ["hints:" + part.strip() + "\n" for part in MORE.split("hints:")[1:]]
    swapped = list(declared)
    swapped[parts[0]], swapped[parts[1]] = swapped[parts[1]], swapped[parts[0]]
    was, now = (
        OLD.replace('hints: {locale: "en", text: "It is gone"}', "".join(hints))
        for hints in (declared, swapped)
    )
    (change,) = breaking.compare(build({"shop.proto": was}), build({"shop.proto": now}))
    assert (change.id, change.where) == ("hints-reordered", "shop.v1.ShopCode: GONE")


def test_what_no_compiler_would_write(build: Build) -> None:
    old, new = (
        build({"shop.proto": OLD}),
        build({"shop.proto": OLD.replace("grpc_status: INTERNAL", "")}),
    )
    (gone, broken) = next(
        catalog.codes for catalog in breaking._catalogs(new) if catalog.domain == "shop"
    )
    assert breaking._code_facts(dataclasses.replace(gone, grpc_status=99))["grpc_status"] == (
        "grpc-status",
        "99",
    )
    assert [change.what for change in breaking.compare(old, new)] == [
        "grpc_status was INTERNAL, is none"
    ]
    assert broken.grpc_status is None


def test_every_change_is_seen_against_the_committed_release(root: Path, build: Build) -> None:
    released = breaking.load(str(root / "protos/released.binpb"))
    assert [
        change for change in breaking.compare(released, build({})) if change.severity == "breaking"
    ] == []


def main(tmp_path: Path, old: bytes, new: bytes, *options: str) -> int:
    (tmp_path / "old.binpb").write_bytes(old)
    (tmp_path / "new.binpb").write_bytes(new)
    return breaking.main([str(tmp_path / "old.binpb"), str(tmp_path / "new.binpb"), *options])


def test_main(tmp_path: Path, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    old = build({"shop.proto": OLD}).SerializeToString()
    new = build(
        {
            "shop.proto": OLD.replace("404", "410").replace(
                "infer:", 'infer: {grpc_status: ABORTED, reason: "GONE"} infer:'
            )
        }
    )
    assert main(tmp_path, old, old) == 0
    assert capsys.readouterr() == ("", "")
    told = f"note: {SHOP}inference from ABORTED added: GONE [inference-added]\n"
    told += f"breaking: {GONE}http_status was 404, is 410 [http-status-changed]\n"
    for options, left in (
        ((), 1),
        (("--allow", "number-changed"), 1),
        (("--allow", "number-changed", "--allow", "http-status-changed"), 0),
    ):
        assert main(tmp_path, old, new.SerializeToString(), *options) == left
        printed = (
            told.replace("breaking:", "allowed breaking:")
            if "http-status-changed" in options
            else told
        )
        assert capsys.readouterr().out == printed
    text = build({"shop.proto": OLD.replace("It is gone", "Gone")}).SerializeToString()
    assert main(tmp_path, old, text) == 0  # a note passes
    with pytest.raises(SystemExit) as refused:
        main(tmp_path, old, text, "--allow", "no-such-change")
    assert refused.value.code == 2
    assert "invalid choice: 'no-such-change'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "error"),
    [
        (b"\xff garbage", r"old.binpb is no descriptor set ("),
        (b"", r"old.binpb holds no files: give a descriptor set, such as `buf build -o "),
    ],
)
def test_what_is_no_descriptor_set(
    old: bytes, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path, old, b"") == 2
    assert error in capsys.readouterr().err


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert breaking.main([str(tmp_path / "none"), str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        breaking.main(["one"])
    assert left.value.code == 2
    usage = "usage: python -m errgrpc.codegen.breaking [-h] [--allow ID] OLD.binpb NEW.binpb"
    assert " ".join(capsys.readouterr().err.split()).startswith(usage)


def test_buf_and_the_comparison_read_the_same_release(
    root: Path, workspace: Any, tool: Run, tmp_path: Path
) -> None:
    """buf passes this change, and the comparison reports it."""
    text = (
        (root / "protos/errgrpc/v1/res_code.proto")
        .read_text("utf-8")
        .replace("http_status: 415", "http_status: 400")
    )
    folder = workspace({"errgrpc/v1/res_code.proto": text})
    released = root / "protos/released.binpb"
    assert (
        tool("buf", "breaking", "--path", "errgrpc", "--against", released, cwd=folder).stdout
        == b""
    )
    image = tool("buf", "build", "--path", "errgrpc", "-o", tmp_path / "new.binpb", cwd=folder)
    assert image.returncode == 0
    result = tool(
        sys.executable,
        "-m",
        "errgrpc.codegen.breaking",
        released,
        tmp_path / "new.binpb",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    told = (
        b"breaking: errgrpc.v1.ResCode: UNSUPPORTED_MEDIA_TYPE: http_status was 415, "
        b"is 400 [http-status-changed]"
    )
    assert told in result.stdout.splitlines()


def test_as_a_module(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    released = str(root / "protos/released.binpb")
    monkeypatch.setattr(sys, "argv", ["breaking", released, released])
    monkeypatch.delitem(sys.modules, "errgrpc.codegen.breaking")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("errgrpc.codegen.breaking", run_name="__main__")
    assert exit_.value.code == 0
