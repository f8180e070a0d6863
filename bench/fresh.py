"""Measures the cost of a new process.

`python -m bench.fresh WHAT FOLDER` prints seconds, and the bytes of memory that were added.
"""

import importlib
import json
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import psutil

__all__ = ["WHAT"]

GRPC = ("grpc", "grpc.aio", "google.rpc.error_details_pb2", "google.rpc.status_pb2")


def imports(*names: str) -> None:
    for name in names:
        importlib.import_module(name)


def _first_error() -> object:
    from .in_process import READING, failed, with_metadata

    return READING.read(failed(with_metadata()))


def _first_error_by_hand() -> object:
    import grpc
    from grpc_status import rpc_status

    from . import by_hand

    answered: Any = rpc_status.to_status(by_hand.with_metadata())
    return by_hand.read(
        grpc.aio.AioRpcError(
            answered.code, grpc.aio.Metadata(), answered.trailing_metadata, answered.details
        )
    )


def _codes(module: str) -> Callable[[], object]:
    return lambda: imports(module)


# The modules that are imported before, and the function that is measured.
WHAT: dict[str, tuple[tuple[str, ...], Callable[[], object]]] = {
    "grpc and google.rpc imported": ((), lambda: imports(*GRPC)),
    "errgrpc imported": (GRPC, lambda: imports("errgrpc")),
    "first error": (("bench.in_process",), _first_error),
    "first error by hand": (("bench.in_process",), _first_error_by_hand),
}
# the values of catalogues.SIZES: its import would change the measurement
for _size in (10, 1_000, 10_000):
    WHAT[f"{_size:,} codes imported"] = ("errgrpc",), _codes(f"bench_{_size}_errgrpc")
    WHAT[f"{_size:,} members of a plain Enum imported"] = (
        ("errgrpc",),
        _codes(f"bench_{_size}_plain"),
    )


def main() -> None:
    before, run = WHAT[sys.argv[1]]
    sys.path.insert(0, sys.argv[2])
    imports(*before)
    process = psutil.Process()
    memory = process.memory_info().rss
    start = perf_counter()
    run()
    seconds = perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": process.memory_info().rss - memory}))


if __name__ == "__main__":
    main()
