"""What a release must not change, option by option."""

import dataclasses
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from errgrpc.codegen import breaking

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
GONE = "shop.v1.ShopCode: GONE: "
BROKEN = "shop.v1.ShopCode: BROKEN: "
BREAKING = {
    "number": ("GONE = 1", "GONE = 3", [GONE + "number was 1, is 3"]),
    "reason": ("SHOP_CODE_BROKEN", "SHOP_CODE_BROKE", [BROKEN + "reason was BROKEN, is BROKE"]),
    "domain": ('"shop"', '"store"', ["shop.v1.ShopCode: domain was 'shop', is 'store'"]),
    "grpc status": (
        "grpc_status: NOT_FOUND http",
        "grpc_status: DATA_LOSS http",
        [GONE + "grpc_status was NOT_FOUND, is DATA_LOSS"],
    ),
    "http status": ("404", "410", [GONE + "http_status was 404, is 410"]),
    "http status removed": ("http_status: 404", "", [GONE + "http_status was 404, is none"]),
    "http status given": ("INTERNAL}", "INTERNAL http_status: 500}", [BROKEN + "http_status was none, is 500"]),
    "message": ('"Gone"', '"Away"', [GONE + "message was 'Gone', is 'Away'"]),
    "message given": ("INTERNAL}", 'INTERNAL message: "x"}', [BROKEN + "message was none, is 'x'"]),
    "hint": ("It is gone", "It has gone", [GONE + "hint for en was 'It is gone', is 'It has gone'"]),
    "hint removed": ('hints: {locale: "en", text: "It is gone"}', "", [GONE + "hint for en was 'It is gone', is none"]),
    "hint under a condition": (
        "Your coupon",
        "A coupon",
        [GONE + "hint for en when {'coupon': 'true'} was 'Your coupon is gone', is 'A coupon is gone'"],
    ),
    "condition": (
        '"true"',
        '"false"',
        [
            GONE + "hint for en when {'coupon': 'true'} was 'Your coupon is gone', is none",
            GONE + "hint for en when {'coupon': 'false'} added: 'Your coupon is gone'",
        ],
    ),
    "default locale": ('default_locale: "en"', 'default_locale: "de"', ["shop.v1.ShopCode: default_locale was 'en', is 'de'"]),
    "default locale removed": ('default_locale: "en"', "", ["shop.v1.ShopCode: default_locale was 'en', is none"]),
    "fallback": ('fallback: "BROKEN"', 'fallback: "GONE"', ["shop.v1.ShopCode: fallback was BROKEN, is GONE"]),
    "inference": ('reason: "GONE"', 'reason: "BROKEN"', ["shop.v1.ShopCode: inference from NOT_FOUND was GONE, is BROKEN"]),
    "inference removed": (
        'infer: {grpc_status: NOT_FOUND, reason: "GONE"}',
        "",
        ["shop.v1.ShopCode: inference from NOT_FOUND was GONE, is none"],
    ),
    "code removed": (
        "SHOP_CODE_BROKEN = 2 [(errgrpc.v1.code) = {grpc_status: INTERNAL}];",
        "",
        [BROKEN + "removed"],
    ),
    "code is one no more": (" [(errgrpc.v1.code) = {grpc_status: INTERNAL}]", "", [BROKEN + "removed"]),
    "enum removed": ("enum ShopCode", "enum Nothing { NOTHING = 0; } /* ", ["shop.v1.ShopCode: removed"]),
    "enum and domain renamed": (
        "ShopCode {\n  option (errgrpc.v1.catalog) = {\n    domain: \"shop\"",
        "StoreCode {\n  option (errgrpc.v1.catalog) = {\n    domain: \"store\"",
        ["shop.v1.ShopCode: removed", "shop.v1.StoreCode: added"],
    ),
}  # fmt: skip
HARMLESS = {
    "nothing": ("", "", []),
    "comment": ("enum ShopCode", "// Codes.\nenum ShopCode", []),
    "package renamed": ("package shop.v1", "package shop.v2", ["shop.v1.ShopCode: is shop.v2.ShopCode now, under the same domain"]),
    "code": (
        "SHOP_CODE_BROKEN",
        "SHOP_CODE_NEW = 9 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\nSHOP_CODE_BROKEN",
        ["shop.v1.ShopCode: NEW: added"],
    ),
    "hint": (
        'hints: {locale: "en", text: "It is gone"}',
        'hints: {locale: "de", text: "Weg"} hints: {locale: "en", text: "It is gone"}',
        [GONE + "hint for de added: 'Weg'"],
    ),
    "inference": (
        "infer:",
        'infer: {grpc_status: ABORTED, reason: "GONE"} infer:',
        ["shop.v1.ShopCode: inference from ABORTED added: GONE"],
    ),
    "catalogue": (
        "enum ShopCode",
        'enum More { option (errgrpc.v1.catalog) = {domain: "more"}; MORE_X = 0; }\nenum ShopCode',
        ["shop.v1.More: added"],
    ),
}


def changed(old: str, new: str) -> str:
    assert old in OLD
    text = OLD.replace(old, new, 1)
    return text + "*/" if "/*" in new else text


def compare(build: Build, new: str) -> list[breaking.Change]:
    return breaking.compare(build({"shop.proto": OLD}), build({"shop.proto": new}))


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.thinned(2)
def test_breaks(name: str, build: Build) -> None:
    old, new, expected = BREAKING[name]
    changes = compare(build, changed(old, new))
    assert [str(change) for change in changes] == expected
    assert [change.breaks for change in changes] == [" added" not in str(change) for change in changes]
    assert changes[0].breaks


@pytest.mark.parametrize("name", HARMLESS)
def test_does_not_break(name: str, build: Build) -> None:
    old, new, expected = HARMLESS[name]
    changes = compare(build, changed(old, new))
    assert [str(change) for change in changes] == expected
    assert not any(change.breaks for change in changes)


def test_a_renamed_enum_is_the_same_under_its_domain(build: Build) -> None:
    text = OLD.replace("ShopCode", "StoreCode").replace("SHOP_CODE", "STORE_CODE")
    (change,) = compare(build, text)
    assert change == breaking.Change("shop.v1.ShopCode", "is shop.v1.StoreCode now, under the same domain", False)


def test_two_codes_swap_their_numbers(build: Build) -> None:
    text = OLD.replace("GONE = 1", "GONE = 99").replace("BROKEN = 2", "BROKEN = 1").replace("GONE = 99", "GONE = 2")
    assert list(map(str, compare(build, text))) == [GONE + "number was 1, is 2", BROKEN + "number was 2, is 1"]


def test_a_fallback_may_come(build: Build) -> None:
    without = OLD.replace('fallback: "BROKEN"', "")
    (change,) = breaking.compare(build({"shop.proto": without}), build({"shop.proto": OLD}))
    assert change == breaking.Change("shop.v1.ShopCode", "fallback added: BROKEN", False)


def test_what_no_compiler_would_write(build: Build) -> None:
    old, new = build({"shop.proto": OLD}), build({"shop.proto": OLD.replace("grpc_status: INTERNAL", "")})
    (gone, broken) = next(catalog.codes for catalog in breaking._catalogs(new) if catalog.domain == "shop")
    assert breaking._code_facts(dataclasses.replace(gone, grpc_status=99))["grpc_status"] == "99"
    assert [str(change) for change in breaking.compare(old, new)] == [BROKEN + "grpc_status was INTERNAL, is none"]
    assert broken.grpc_status is None


def test_every_change_is_seen_against_the_committed_release(root: Path, build: Build) -> None:
    released = breaking.load(str(root / "protos/released.binpb"))
    assert [change for change in breaking.compare(released, build({})) if change.breaks] == []


def main(tmp_path: Path, old: bytes, new: bytes) -> int:
    (tmp_path / "old.binpb").write_bytes(old)
    (tmp_path / "new.binpb").write_bytes(new)
    return breaking.main([str(tmp_path / "old.binpb"), str(tmp_path / "new.binpb")])


def test_main(tmp_path: Path, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    old = build({"shop.proto": OLD}).SerializeToString()
    new = build({"shop.proto": OLD.replace("404", "410").replace("infer:", 'infer: {grpc_status: ABORTED, reason: "GONE"} infer:')})
    assert main(tmp_path, old, old) == 0
    assert capsys.readouterr() == ("", "")
    assert main(tmp_path, old, new.SerializeToString()) == 1
    assert capsys.readouterr().out == f"shop.v1.ShopCode: inference from ABORTED added: GONE\n{GONE}http_status was 404, is 410\n"


@pytest.mark.parametrize(
    ("old", "error"),
    [
        (b"\xff garbage", r"old.binpb is no descriptor set ("),
        (b"", r"old.binpb holds no files: give a descriptor set, such as `buf build -o "),
    ],
)
def test_what_is_no_descriptor_set(old: bytes, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path, old, b"") == 2
    assert error in capsys.readouterr().err


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert breaking.main([str(tmp_path / "none"), str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        breaking.main(["one"])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m errgrpc.codegen.breaking [-h] OLD.binpb NEW.binpb\n")


def test_buf_and_the_comparison_read_the_same_release(root: Path, workspace: Any, tool: Run, tmp_path: Path) -> None:
    """What buf passes, the comparison names."""
    text = (root / "protos/errgrpc/v1/res_code.proto").read_text("utf-8").replace("http_status: 415", "http_status: 400")
    folder = workspace({"errgrpc/v1/res_code.proto": text})
    released = root / "protos/released.binpb"
    assert tool("buf", "breaking", "--path", "errgrpc", "--against", released, cwd=folder).stdout == b""
    image = tool("buf", "build", "--path", "errgrpc", "-o", tmp_path / "new.binpb", cwd=folder)
    assert image.returncode == 0
    result = tool(sys.executable, "-m", "errgrpc.codegen.breaking", released, tmp_path / "new.binpb", cwd=tmp_path)
    assert result.returncode == 1
    changed = [line for line in result.stdout.splitlines() if not line.endswith(b": added")]  # until the next release
    assert changed == [b"errgrpc.v1.ResCode: UNSUPPORTED_MEDIA_TYPE: http_status was 415, is 400"]


def test_as_a_module(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    released = str(root / "protos/released.binpb")
    monkeypatch.setattr(sys, "argv", ["breaking", released, released])
    monkeypatch.delitem(sys.modules, "errgrpc.codegen.breaking")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("errgrpc.codegen.breaking", run_name="__main__")
    assert exit_.value.code == 0
