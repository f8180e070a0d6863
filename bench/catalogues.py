"""Catalogues of many codes, as errgrpc's generator writes them, and the same tables as enums."""

import importlib
import py_compile
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.rpc import code_pb2

from errgrpc import ErrorCode
from errgrpc.codegen.render import render
from errgrpc.codegen.schema import Catalog, Code, Hint

__all__ = ["SIZES", "load", "module", "write"]

SIZES = (10, 1_000, 10_000)


def module(size: int) -> str:
    """Returns the name of the module with this number of codes."""
    return f"bench_{size}_errgrpc"


def write(folder: Path) -> None:
    """Writes two modules for each size, compiled as an installer does it."""
    for size in SIZES:
        codes = tuple(map(_code, range(size)))
        catalog = Catalog(
            file=f"bench_{size}.proto",
            package="bench",
            name="BenchCode",
            line=1,
            description="Many codes.",
            annotated=True,
            domain=f"bench.example.com.{size}",
            default_locale="zh-CN",
            fallback="CODE_0",
            infer=(),
            values=codes,
        )
        _write(folder / f"{module(size)}.py", render(catalog.file, [catalog]))
        _write(folder / f"bench_{size}_plain.py", _plain(codes))


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    py_compile.compile(str(path), doraise=True)


def _plain(codes: Iterable[Code]) -> str:
    """Returns an enum with the same values and nothing else."""
    lines = ["from enum import Enum", "from grpc import StatusCode", "class BenchCode(Enum):"]
    for code in codes:
        hints = {hint.locale: hint.text for hint in code.hints}
        values = (
            f"StatusCode.NOT_FOUND, {code.http_status}, {code.message!r}, {hints!r}, "
            f"{code.description!r}"
        )
        lines.append(f"    {code.reason} = {code.number}, {values}")
    return "\n".join(lines) + "\n"


def load(folder: Path, size: int) -> type[ErrorCode]:
    """Returns the catalogue with this number of codes."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    found: Any = importlib.import_module(module(size))
    kind: type[ErrorCode] = found.BenchCode
    return kind


def _code(number: int) -> Code:
    return Code(
        name=f"BENCH_CODE_CODE_{number}",
        reason=f"CODE_{number}",
        number=number + 1,
        line=number + 2,
        description=f"When thing {number} is not there.",
        annotated=True,
        grpc_status=code_pb2.NOT_FOUND,
        http_status=404,
        message=f"Thing {number} not found",
        hints=(
            Hint("zh-CN", f"没有找到第{number}个", ()),
            Hint("en-US", f"Number {number} was not found", ()),
        ),
    )
