"""`buf-plugin-errgrpc` under real buf, as its page shows it, and its procedures in this process."""

import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from errgrpc.cli import tables
from errgrpc.cli.bufplugin import check_pb2 as check
from errgrpc.cli.bufplugin import pluginrpc_pb2 as rpc
from errgrpc.cli.bufplugin.protocol import PROCEDURES, answer, run
from errgrpc.cli.lint import exempting
from errgrpc.cli.lint.rules import RULES
from errgrpc.codegen.breaking import CHANGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/command-buf.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PROGRAM = "from errgrpc.cli.bufplugin import main; main()"
CHECK, LIST_RULES, LIST_CATEGORIES = PROCEDURES
SHOP = """syntax = "proto3";
package shop.v1;
import "errgrpc/v1/annotations.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions {
  repeated ShopCode raises_shop_code = 50123;
}
enum ShopCode {
  option (errgrpc.v1.catalog) = {domain: "shop.example.com"};
  SHOP_CODE_UNSPECIFIED = 0;
  // The article is gone.
  SHOP_CODE_GONE = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Gone"}];
  // The shop is full.
  SHOP_CODE_FULL = 2 [(errgrpc.v1.code) = {grpc_status: UNAVAILABLE, message: "Full"}];
}
message Request {}
service ShopService {
  rpc Buy(Request) returns (Request) {
    option (raises_shop_code) = SHOP_CODE_GONE;
    option (raises_shop_code) = SHOP_CODE_FULL;
  }
}
"""
FINE = """syntax = "proto3";

package fine.v1;

import "errgrpc/v1/annotations.proto";

// buf:lint:ignore ERRGRPC_HTTP_STATUS_MAPPING
enum FineCode {
  option (errgrpc.v1.catalog) = {domain: "fine.example.com"};
  FINE_CODE_UNSPECIFIED = 0;
  // The comment of the enum exempts it.
  FINE_CODE_ONE = 1 [(errgrpc.v1.code) = {
    grpc_status: NOT_FOUND, http_status: 403, message: "One"
  }];
  // buf:lint:ignore ERRGRPC_DESCRIPTION_MISSING
  FINE_CODE_TWO = 2 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND, message: "Two"}];
  // errgrpc:lint:ignore retryable-status The other service asks for it.
  // This is the third code.
  FINE_CODE_THREE = 3 [(errgrpc.v1.code) = {
    grpc_status: NOT_FOUND, message: "Three", retryable: true
  }];
}
"""


def example(language: str, index: int = 0) -> str:
    return [text for kind, text in BLOCKS if kind == language][index]


def workspace(folder: Path, name: str, text: str) -> Path:
    """A workspace of buf with the configuration of the page."""
    for source in ("protos/errgrpc/v1/annotations.proto", "third_party/google/rpc/code.proto"):
        target = folder / "third_party" / Path(*Path(source).parts[1:])
        target.parent.mkdir(parents=True)
        shutil.copy(ROOT / source, target)
    (folder / "buf.yaml").write_text(example("yaml"))
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


@pytest.mark.full
def test_the_page_shows_what_buf_prints(tmp_path: Path) -> None:
    """Both at once, as each starts the plugin nine times. Nothing is found in a second file."""
    (tmp_path / "bin").mkdir()
    plugin = tmp_path / "bin/buf-plugin-errgrpc"
    plugin.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{PROGRAM}' \"$@\"\n")
    plugin.chmod(0o700)
    path = os.pathsep.join(
        (str(plugin.parent), str(Path(sys.executable).parent), os.environ["PATH"])
    )
    none = dict.fromkeys(("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"), os.devnull)
    env = (
        os.environ | none | {"PATH": path, "PYTHONPATH": str(ROOT), "BUF_CACHE_DIR": str(tmp_path)}
    )

    now = example("proto")
    bad = workspace(tmp_path / "shop", now.splitlines()[0].removeprefix("// "), now)
    bad.write_text(now.replace("NOT_FOUND", "PERMISSION_DENIED"))
    good = tmp_path / "shop/protos/fine/v1/fine_code.proto"
    good.parent.mkdir(parents=True)
    good.write_text(FINE)
    git = "git -c user.name=a -c user.email=a@example.com"
    made = f"git init -q -b main && git add . && {git} commit -q -m 'Add the protos'"
    subprocess.run(["sh", "-euc", made], cwd=tmp_path / "shop", env=env, check=True)
    bad.write_text(now)

    running = [
        subprocess.Popen(
            ["sh", "-euc", example("sh", index)],
            cwd=tmp_path / "shop",
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for index in (1, 2)
    ]
    ended = [(*each.communicate(timeout=60), each.returncode) for each in running]
    assert ended == [(example("text", index), "", 100) for index in (0, 1)]


def test_pip_installs_the_plugin() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["buf-plugin-errgrpc"].partition(":")
    assert callable(getattr(import_module(module), name))


def call(procedure: str, request: Message | None, response: Any, form: str = "binary") -> Any:
    """Calls a procedure as buf does, and returns its response, or the error."""
    wrapped, answered = rpc.Request(), rpc.Response()
    if request is not None:
        wrapped.value.Pack(request)
    if form == "json":
        text = answer(procedure, json_format.MessageToJson(wrapped).encode(), form)
        json_format.Parse(text, answered)
    else:
        answered.ParseFromString(answer(procedure, wrapped.SerializeToString(), form))
    if answered.HasField("error"):
        return answered.error
    assert answered.value.Unpack(response)
    return response


@pytest.mark.parametrize("form", ["binary", "json"])
def test_the_rules_are_those_of_lint_and_diff(form: str) -> None:
    listed = call(LIST_RULES, None, check.ListRulesResponse(), form).rules
    by_type = {kind: {each.id for each in listed if each.type == kind} for kind in (1, 2)}
    lint = [*(rule.id for rule in RULES), exempting.ID]
    for kind, ids in ((check.RULE_TYPE_LINT, lint), (check.RULE_TYPE_BREAKING, [*CHANGES])):
        assert by_type[kind] == {f"ERRGRPC_{id.upper().replace('-', '_')}" for id in ids}
    default = {each.id for each in listed if each.default}
    assert default == {each.id for each in listed if "ERRGRPC" in each.category_ids}
    assert len(default) == len(lint) + list(CHANGES.values()).count("breaking")


def test_buf_accepts_ids_and_purposes() -> None:
    """As check.proto of buf demands it."""
    rules = call(LIST_RULES, None, check.ListRulesResponse()).rules
    categories = call(LIST_CATEGORIES, None, check.ListCategoriesResponse()).categories
    for each in (*rules, *categories):
        assert re.fullmatch(r"[A-Z0-9][A-Z0-9_]{1,62}[A-Z0-9]", each.id)
        assert re.fullmatch(r"[A-Z].{0,254}[.]", each.purpose)
    ids = [each.id for each in (*rules, *categories)]
    assert len(ids) == len(set(ids))
    assert {id for rule in rules for id in rule.category_ids} == {each.id for each in categories}


def test_the_page_names_the_categories() -> None:
    categories = call(LIST_CATEGORIES, None, check.ListCategoriesResponse()).categories
    assert re.findall(r"^\| `(ERRGRPC\w*)` \|", PAGE, re.MULTILINE) == [
        each.id for each in categories
    ]


def test_rules_come_in_pages() -> None:
    every = call(LIST_RULES, None, check.ListRulesResponse()).rules
    found, token = [], ""
    for _ in range(len(every)):
        request = check.ListRulesRequest(page_size=20, page_token=token)
        page = call(LIST_RULES, request, check.ListRulesResponse())
        assert len(page.rules) <= 20
        found += page.rules
        if not (token := page.next_page_token):
            break
    assert found == list(every)
    for odd in ("-1", "²", "9" * 5000):
        request = check.ListRulesRequest(page_token=odd)
        assert call(LIST_RULES, request, check.ListRulesResponse()).rules == every


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    file = tmp_path_factory.mktemp("protos") / "shop/v1/shop.proto"
    file.parent.mkdir(parents=True)
    file.write_text(SHOP)
    return tables.compiled(file.parents[2])[0]


def changed(files: FileDescriptorSet, old: str, new: str) -> FileDescriptorSet:
    """The files with a text of the same length in its place."""
    data = files.SerializeToString()
    assert len(old) == len(new)
    assert old.encode() in data
    return FileDescriptorSet.FromString(data.replace(old.encode(), new.encode()))


def request(
    new: FileDescriptorSet,
    old: FileDescriptorSet | None = None,
    rules: tuple[str, ...] = (),
    own: str = "shop",
) -> check.CheckRequest:
    made = check.CheckRequest(rule_ids=rules)
    for files, target in (
        (new, made.file_descriptors),
        (old or FileDescriptorSet(), made.against_file_descriptors),
    ):
        for file in files.file:
            target.add(file_descriptor_proto=file, is_import=not file.name.startswith(own))
    return made


def annotations(asked: check.CheckRequest, form: str = "binary") -> list[Any]:
    return list(call(CHECK, asked, check.CheckResponse(), form).annotations)


@pytest.mark.parametrize("form", ["binary", "json"])
def test_a_finding_has_the_path_of_its_declaration(shop: FileDescriptorSet, form: str) -> None:
    assert annotations(request(shop), form) == []
    (found,) = annotations(request(changed(shop, "Full", "Gone")), form)
    assert found.rule_id == "ERRGRPC_TEXT_SHARED"
    assert found.message.startswith("shop.v1.ShopCode.GONE: ")
    assert found.file_location.file_name == "shop/v1/shop.proto"
    assert list(found.file_location.source_path) == [5, 0, 2, 1]


def test_only_the_rules_that_are_asked_for_run(shop: FileDescriptorSet) -> None:
    asked = request(changed(shop, "Full", "Gone"), rules=("ERRGRPC_LOCALE_GAP",))
    assert annotations(asked) == []


def test_imported_files_are_not_checked(shop: FileDescriptorSet) -> None:
    new = changed(changed(shop, "Full", "Gone"), "shop.example.com", "shap.example.com")
    assert annotations(request(new, shop, own="other")) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "place", "against"),
    [
        ("shop.example", "shap.example", "DOMAIN_CHANGED", [5, 0], [5, 0]),
        ("SHOP_CODE_FULL", "SHOP_CODE_FUEL", "REASON_CHANGED", [5, 0], [5, 0, 2, 2]),
        ("\x98\xbc\x18", "\x98\xbc\x19", "OPTION_NUMBER_CHANGED", [7, 0], [7, 0]),
    ],
)
def test_a_change_has_its_place_in_both_states(
    shop: FileDescriptorSet, old: str, new: str, rule: str, place: list[int], against: list[int]
) -> None:
    if rule == "OPTION_NUMBER_CHANGED":
        after = FileDescriptorSet.FromString(shop.SerializeToString())
        (file,) = (each for each in after.file if each.extension and each.name.startswith("shop"))
        file.extension[0].number = 50124
    else:
        after = changed(shop, old, new)
    (found,) = annotations(request(after, shop, (f"ERRGRPC_{rule}",)))
    assert list(found.file_location.source_path) == place
    assert list(found.against_file_location.source_path) == against


def test_what_a_method_raises_stands_at_the_method(shop: FileDescriptorSet) -> None:
    after = FileDescriptorSet.FromString(shop.SerializeToString())
    (file,) = (each for each in after.file if each.name.startswith("shop"))
    options = file.service[0].method[0].options
    data = options.SerializeToString()
    assert data.endswith(b"\x02\x01\x02")  # two bytes: GONE and FULL
    options.ParseFromString(data.removesuffix(b"\x02\x01\x02") + b"\x01\x01")
    (found,) = annotations(request(after, shop, ("ERRGRPC_METHOD_RAISES_LESS",)))
    assert found.message.startswith("/shop.v1.ShopService/Buy: raises shop.v1.ShopCode.FULL")
    assert list(found.file_location.source_path) == [6, 0, 2, 0]


def test_a_removed_catalogue_stands_at_its_file_if_that_is_left(shop: FileDescriptorSet) -> None:
    after = FileDescriptorSet.FromString(shop.SerializeToString())
    (file,) = (each for each in after.file if each.name.startswith("shop"))
    for field in ("enum_type", "extension", "service"):
        file.ClearField(field)
    (found,) = annotations(request(after, shop))
    assert found.rule_id == "ERRGRPC_CATALOGUE_REMOVED"
    assert found.file_location.file_name == "shop/v1/shop.proto"
    assert not found.file_location.source_path
    after.file.remove(file)
    (found,) = annotations(request(after, shop))
    assert not found.HasField("file_location")
    assert found.against_file_location.file_name == "shop/v1/shop.proto"


def test_pyproject_exempts_as_for_lint(
    shop: FileDescriptorSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = request(changed(shop, "Full", "Gone"))
    settings = Path("pyproject.toml")
    exempt = '[tool.errgrpc.lint.ignore]\n"shop.v1.ShopCode.FULL" = {text-shared = '
    settings.write_text(f'{exempt}"It is on its way out."}}')
    assert annotations(bad) == []
    settings.write_text(f'{exempt}""}}')
    (found,) = annotations(bad)
    assert found.rule_id == "ERRGRPC_EXEMPTION"
    assert found.message.startswith("pyproject.toml:2: shop.v1.ShopCode.FULL: ")
    assert not found.HasField("file_location")
    settings.write_text("[")
    error = call(CHECK, bad, check.CheckResponse())
    assert error.code == rpc.CODE_FAILED_PRECONDITION
    assert error.message.startswith("pyproject.toml is no TOML: ")


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("binary", b"\xff\xff\xff"),
        ("binary", b"<html>"),
        ("binary", rpc.Request(value={"type_url": "x/y.Z"}).SerializeToString()),
        ("binary", rpc.Request(value={"type_url": "x/google.protobuf.Any"}).SerializeToString()),
        ("json", b"{"),
        ("json", b"\xff"),
        ("json", b"[" * 100_000),
        ("json", b'{"value": {"@type": "type.googleapis.com/y.Z"}}'),
    ],
)
def test_garbage_is_an_error_with_a_message(procedure: str, form: str, data: bytes) -> None:
    answered = answer(procedure, data, form)
    response = (
        json_format.Parse(answered, rpc.Response())
        if form == "json"
        else rpc.Response.FromString(answered)
    )
    assert response.error.code == rpc.CODE_INVALID_ARGUMENT
    assert response.error.message.startswith(
        "standard input is no pluginrpc.v1.Request with a buf."
    )


def test_damaged_requests_are_answered(shop: FileDescriptorSet) -> None:
    wrapped = rpc.Request()
    own = FileDescriptorSet(file=[each for each in shop.file if each.name.startswith("shop")])
    wrapped.value.Pack(request(changed(own, "Full", "Gone"), own))
    data, chosen = wrapped.SerializeToString(), random.Random(20)
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(chosen.randrange(1, 5)):
            damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
        assert rpc.Response.FromString(answer(CHECK, bytes(damaged), "binary")).ListFields()


def test_flags(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    def ran(*arguments: str) -> bytes:
        monkeypatch.setattr(sys, "argv", ["buf-plugin-errgrpc", *arguments])
        run()
        sys.stdout.flush()
        out: bytes = capfdbinary.readouterr().out
        return out

    assert ran("--protocol") == b"1\n"
    spec = rpc.Spec.FromString(ran("--spec"))
    assert [each.path for each in spec.procedures] == list(PROCEDURES)
    assert json_format.Parse(ran("--spec", "--format", "json"), rpc.Spec()) == spec


@pytest.mark.parametrize("arguments", [(), ("Check",), ("--format", "xml"), ("--unknown",)])
def test_misuse_is_a_line_on_standard_error(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "argv", ["buf-plugin-errgrpc", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert "\nbuf-plugin-errgrpc: error: " in capsys.readouterr().err


def test_a_process_answers_garbage_and_says_what_it_lacks(tmp_path: Path) -> None:
    def ran(*arguments: str, program: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", f"{program}; {PROGRAM}", *arguments],
            input=b"garbage",
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )

    answered = ran(CHECK, program="pass")
    assert (answered.returncode, answered.stderr) == (0, b"")
    assert rpc.Response.FromString(answered.stdout).error.code == rpc.CODE_INVALID_ARGUMENT
    lacking = ran(CHECK, program="import sys; sys.modules['rich'] = None")
    assert (lacking.returncode, lacking.stdout) == (2, b"")
    assert b"pip install 'errgrpc[cli]'" in lacking.stderr
