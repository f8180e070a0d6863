"""protoc-gen-errgrpc as protoc and buf see it: requests in, modules or refusals out."""

import asyncio
import functools
import io
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st

from errgrpc.codegen import plugin
from errgrpc.codes import ErrorCode, Spec, Variant

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Request = Callable[..., CodeGeneratorRequest]
Run = Callable[..., Any]

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def execute(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated", "exec"), namespace)  # noqa: S102
    return namespace


def golden(case: str) -> dict[str, str]:
    return {
        path.relative_to(GOLDEN / case).as_posix(): path.read_text("utf-8")
        for path in sorted((GOLDEN / case).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def generated(response: CodeGeneratorResponse) -> dict[str, str]:
    assert response.error == ""
    return {file.name: file.content for file in response.file}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, build: Build, request_for: Request) -> None:
    """The modules match the golden files; RECREATE_GOLDEN=1 in the environment rewrites these."""
    files = golden(case)
    protos = {path: text for path, text in files.items() if path.endswith(".proto")}
    response = plugin.generate(
        request_for(build(protos), [path for path in protos if not path.startswith("deps/")])
    )
    found = generated(response)
    if os.environ.get("RECREATE_GOLDEN"):
        for path in files.keys() - protos.keys():
            (GOLDEN / case / path).unlink()
        for path, text in found.items():
            (GOLDEN / case / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / case / path).write_text(text, "utf-8")
    assert found == {path: text for path, text in golden(case).items() if path not in protos}


@pytest.mark.parametrize("case", CASES)
def test_golden_modules_run(case: str) -> None:
    for path, text in golden(case).items():
        if path.endswith(".py"):
            namespace = execute(text)
            for method, codes in namespace.get("RAISES", {}).items():
                assert method.startswith("/")
                assert isinstance(codes, frozenset)
                assert all(isinstance(code, ErrorCode) for code in codes)
            for name in set(namespace["__all__"]) - {"RAISES"}:
                assert issubclass(namespace[name], ErrorCode)
                assert namespace[name].__name__ == name
                assert list(namespace[name])


@pytest.mark.full
def test_golden_modules_type_check(root: Path, tmp_path: Path) -> None:
    async def check(*command: str | Path) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async def both() -> tuple[tuple[int | None, str], ...]:
        mypy = check(
            "mypy",
            "--strict",
            "--explicit-package-bases",
            "--cache-dir",
            tmp_path,
            "--follow-imports=silent",
            GOLDEN,
        )
        return await asyncio.gather(mypy, check("pyright", "--pythonpath", sys.executable, GOLDEN))

    for code, output in asyncio.run(both()):
        assert code == 0, output


def test_a_class_by_hand_equals_the_generated_one() -> None:
    class ShopCode(
        ErrorCode,
        domain="shop.example.com",
        default_locale="en-US",
        fallback="BROKEN",
        infer={StatusCode.NOT_FOUND: "GONE", StatusCode.INTERNAL: "BROKEN"},
    ):
        """What the shop answers."""

        GONE = (
            1,
            Spec(
                StatusCode.NOT_FOUND,
                http_status=404,
                message="Gone",
                hints={"en-US": "It is gone.", "zh-CN": "没有了"},
                variants=[
                    Variant({"coupon": "true"}, {"en-US": "It is gone, and so is your coupon."})
                ],
                description="The article left the shop after it was put into the cart.",
            ),
        )
        BROKEN = 2, Spec(StatusCode.INTERNAL, http_status=500, message="Broken")

    other = execute(golden("shop")["shop/v1/shop_code_errgrpc.py"])["ShopCode"]
    assert ShopCode.__doc__ == other.__doc__
    assert (ShopCode.__name__, ShopCode.__qualname__.rpartition(".")[2]) == (
        other.__name__,
        other.__qualname__,
    )
    assert [facts(code) for code in ShopCode] == [facts(code) for code in other]
    assert (ShopCode.domain, ShopCode.default_locale) == (other.domain, other.default_locale)
    assert repr(ShopCode.fallback) == repr(other.fallback)
    assert {status: repr(code) for status, code in ShopCode.inference.items()} == {
        status: repr(code) for status, code in other.inference.items()
    }


def facts(code: ErrorCode) -> dict[str, object]:
    names = (
        "name",
        "number",
        "reason",
        "domain",
        "grpc_status",
        "http_status",
        "message",
        "description",
        "__doc__",
    )
    hints = {"hints": dict(code.hints), "coupon": dict(code.hints_for({"coupon": "true"}))}
    return (
        {name: getattr(code, name) for name in names}
        | hints
        | {"int": int(code), "repr": repr(code), "spec": code.spec}
    )


def test_committed_modules_are_not_stale(root: Path, build: Build, request_for: Request) -> None:
    names = ["errgrpc/v1/component_code.proto", "errgrpc/v1/res_code.proto"]
    found = generated(plugin.generate(request_for(build({}), names)))
    assert found == {path: (root / path).read_text("utf-8") for path in found}
    assert sorted(found) == sorted(
        path.relative_to(root).as_posix() for path in (root / "errgrpc").rglob("*_errgrpc.py")
    )


def test_another_teams_200_codes(build: Build, request_for: Request) -> None:
    values = "\n".join(
        f"  // Rule {number} of the warehouse.\n"
        f"  WAREHOUSE_CODE_RULE_{number} = {number} [(errgrpc.v1.code) = {{"
        f"grpc_status: FAILED_PRECONDITION, http_status: {400 + number % 100}, message: "
        f'"Rule {number}"'
        f' hints: {{locale: "de", text: "Regel {number}"}} hints: {{locale: "en", text: '
        f'"Rule {number}!"}}}}];'
        for number in range(1, 201)
    )
    text = (
        'syntax = "proto3";\npackage acme.warehouse.v3;\nimport "errgrpc/v1/annotations.proto";\n'
        "enum WarehouseCode {\n"
        '  option (errgrpc.v1.catalog) = {domain: "warehouse.acme.example" default_locale: '
        '"de" fallback: "RULE_200"};\n'
        f"  WAREHOUSE_CODE_UNSPECIFIED = 0;\n{values}\n}}\n"
    )
    path = "acme/warehouse/v3/codes.proto"
    (name, module), *more = generated(
        plugin.generate(request_for(build({path: text}), [path]))
    ).items()
    assert (name, more) == ("acme/warehouse/v3/codes_errgrpc.py", [])
    codes = list(execute(module)["WarehouseCode"])
    assert [code.number for code in codes] == list(range(1, 201))
    for code in codes:
        assert code.reason == f"RULE_{code.number}"
        assert (code.grpc_status, code.http_status) == (
            StatusCode.FAILED_PRECONDITION,
            400 + code.number % 100,
        )
        assert (code.message, code.description) == (
            f"Rule {code.number}",
            f"Rule {code.number} of the warehouse.",
        )
        assert dict(code.hints) == {"de": f"Regel {code.number}", "en": f"Rule {code.number}!"}


def test_buf_generate_runs_the_plugin(workspace: Callable[..., Path], tool: Run) -> None:
    folder = workspace({"shop/v1/shop_code.proto": golden("shop")["shop/v1/shop_code.proto"]})
    template = (
        "version: v2\n"
        f'plugins: [{{local: ["{sys.executable}", -m, errgrpc.codegen.plugin], out: out}}]\n'
    )
    (folder / "buf.gen.yaml").write_text(template)
    result = tool("buf", "generate", "--path", "shop", cwd=folder)
    assert result.returncode == 0, result.stderr.decode()
    written = {
        path.relative_to(folder / "out").as_posix(): path.read_text("utf-8")
        for path in (folder / "out").rglob("*.*")
    }
    assert written == {path: text for path, text in golden("shop").items() if path.endswith(".py")}


def test_buf_generate_shows_every_refusal(workspace: Callable[..., Path], tool: Run) -> None:
    text = (
        golden("shop")["shop/v1/shop_code.proto"]
        .replace('"shop.example.com"', '""')
        .replace("http_status: 404", "http_status: 1")
    )
    folder = workspace({"shop/v1/shop_code.proto": text})
    template = (
        "version: v2\n"
        f'plugins: [{{local: ["{sys.executable}", -m, errgrpc.codegen.plugin], out: out, opt: '
        f"paths=x}}]\n"
    )
    (folder / "buf.gen.yaml").write_text(template)
    result = tool("buf", "generate", "--path", "shop", cwd=folder)
    assert result.returncode != 0
    for line in (
        "protoc-gen-errgrpc: paths=x: is an unknown option; this plugin takes none",
        (
            "shop/v1/shop_code.proto:8: ShopCode: has no domain; give the owner of the codes, "
            'such as "shop.example.com"'
        ),
        (
            "shop/v1/shop_code.proto:19: SHOP_CODE_GONE: has the http_status 1; give 100 to 599, "
            "or leave it out"
        ),
    ):
        assert line in result.stderr.decode()
    assert not (folder / "out").exists()


def test_two_files_of_one_module(build: Build, request_for: Request) -> None:
    text = golden("editions")["editions.proto"]
    files = build(
        {
            "a-b.proto": text,
            "a_b.proto": text.replace("editions", "other")
            .replace("EditionCode", "OtherCode")
            .replace("EDITION", "OTHER"),
        }
    )
    response = plugin.generate(request_for(files, ["a-b.proto", "a_b.proto"]))
    assert (
        response.error
        == "a_b.proto: a_b_errgrpc.py: is also the module of a-b.proto; rename one of the two files"
    )
    assert not response.file


def test_unknown_options_are_refused() -> None:
    response = plugin.generate(CodeGeneratorRequest(parameter="paths=source_relative, ,x"))
    assert response.error.split("\n") == [
        "protoc-gen-errgrpc: paths=source_relative: is an unknown option; this plugin takes none",
        "protoc-gen-errgrpc: x: is an unknown option; this plugin takes none",
    ]


def test_features() -> None:
    response = plugin.generate(CodeGeneratorRequest())
    assert (response.supported_features, response.minimum_edition, response.maximum_edition) == (
        3,
        998,
        1001,
    )
    assert (response.error, list(response.file)) == ("", [])


def main(
    monkeypatch: pytest.MonkeyPatch,
    stdin: bytes,
    *arguments: str,
    tty: bool = False,
    start: Callable[[], object] = plugin.main,
) -> bytes:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "argv", ["protoc-gen-errgrpc", *arguments])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: tty))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    start()
    return out.getvalue()


def test_main(monkeypatch: pytest.MonkeyPatch) -> None:
    request = CodeGeneratorRequest(parameter="x")
    assert main(monkeypatch, request.SerializeToString()) == plugin.run(request.SerializeToString())


def test_main_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "errgrpc.codegen.plugin")
    start = functools.partial(runpy.run_module, "errgrpc.codegen.plugin", run_name="__main__")
    assert main(monkeypatch, b"", start=start) == plugin.run(b"")


def test_main_on_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SystemExit,
        match=r"^protoc-gen-errgrpc: standard input is no CodeGeneratorRequest of protoc or buf "
        r"\(.+\)$",
    ):
        main(monkeypatch, b"\xff\xff garbage")


@pytest.mark.parametrize("how", [{"arguments": ["--help"]}, {"tty": True}])
def test_main_by_hand_says_what_it_is(how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SystemExit,
        match=r"^protoc-gen-errgrpc is a plugin of protoc and buf and takes no arguments: "
        r"protoc --errgrpc_out=",
    ):
        main(monkeypatch, b"", *how.get("arguments", []), tty=how.get("tty", False))


def test_garbage_on_a_real_standard_input(tool: Run, tmp_path: Path) -> None:
    result = tool(sys.executable, "-m", "errgrpc.codegen.plugin", cwd=tmp_path, stdin=b"\xff" * 9)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(
        b"protoc-gen-errgrpc: standard input is no CodeGeneratorRequest of protoc or buf ("
    )
    assert b"Traceback" not in result.stderr


def answer(request: bytes) -> bytes | None:
    try:
        return plugin.run(request)
    except ValueError:
        return None


@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_never_crash(request: bytes) -> None:
    answer(request)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", ["hints", "raises"])
def test_damaged_requests_never_crash(case: str, build: Build, request_for: Request) -> None:
    request = request_for(
        build({f"{case}.proto": golden(case)[f"{case}.proto"]}), [f"{case}.proto"]
    )
    start = request.SerializeToString()
    assert answer(start)

    @settings(derandomize=True, deadline=None, database=None, max_examples=300)
    @given(
        st.lists(
            st.tuples(st.integers(len(start) // 2, len(start) - 1), st.integers(0, 255)),
            min_size=1,
            max_size=3,
        )
    )
    def damaged(changes: list[tuple[int, int]]) -> None:
        data = bytearray(start)
        for position, byte in changes:
            data[position] = byte
        answer(bytes(data))

    damaged()


def test_the_answer_is_deterministic(
    build: Build, request_for: Request, tool: Run, tmp_path: Path
) -> None:
    request = request_for(
        build({"hints.proto": golden("hints")["hints.proto"]}), ["hints.proto"]
    ).SerializeToString()
    result = tool(sys.executable, "-m", "errgrpc.codegen.plugin", cwd=tmp_path, stdin=request)
    assert result.stdout == plugin.run(request) == plugin.run(request)
