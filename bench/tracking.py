"""Measures the cost of `track_context` and `forward` in one process.

    python -m bench.tracking           # about a minute
    python -m bench.tracking --quick   # once, to see that it runs

Calls with and without them run in turn, each over its own connection. The full run writes
docs/performance-tracking.json and its table in docs/performance.md.
"""

import argparse
import asyncio
import json
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

import errgrpc
from bench.ratios import Ratio, middle, ratio
from errgrpc import ResCode, ServiceError, context

__all__ = ["PAGE", "RESULTS", "WORKS", "measure", "with_table"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
RESULTS = PAGE.with_name("performance-tracking.json")
CALLS = 100  # calls of one burst
METADATA = (("x-request-id", "0123456789abcdef0123456789abcdef"), ("accept-language", "zh-CN"))
FORWARD = ("x-request-id", "accept-language")
WORKS: Mapping[str, tuple[str, bytes, bool]] = {
    "sync, success": ("sync", b"succeed", False),
    "sync, ROOM_NOT_EXIST": ("sync", b"fail", False),
    "asyncio, success": ("aio", b"succeed", False),
    "asyncio, ROOM_NOT_EXIST": ("aio", b"fail", False),
    "forward, success": ("sync", b"succeed", True),
}
"""The stack of the server, the request, and the measured option, by name.

If the last value is true, the option is the client's `forward`, else the server's `track_context`.
"""


def _answer(request: bytes, _: Any) -> bytes:
    if request == b"fail":
        raise ServiceError(ResCode.ROOM_NOT_EXIST)
    return b""


async def _answer_async(request: bytes, context: Any) -> bytes:
    return _answer(request, context)


def _handlers(behavior: Callable[..., Any]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        "bench.Service", {"Call": grpc.unary_unary_rpc_method_handler(behavior)}
    )


@contextmanager
def _served(stack: str, *, tracks: bool) -> Iterator[str]:
    if stack == "sync":
        with ThreadPoolExecutor(4) as pool:
            server = grpc.server(
                pool, interceptors=[errgrpc.ServerInterceptor(ResCode, track_context=tracks)]
            )
            server.add_generic_rpc_handlers((_handlers(_answer),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            yield f"127.0.0.1:{port}"
            server.stop(None).wait()
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[Any, int]:
        started = grpc.aio.server(
            interceptors=[errgrpc.aio.ServerInterceptor(ResCode, track_context=tracks)]
        )
        started.add_generic_rpc_handlers((_handlers(_answer_async),))
        bound = started.add_insecure_port("127.0.0.1:0")
        await started.start()
        return started, bound

    running, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def measure(name: str, rounds: int, calls: int = CALLS) -> tuple[float, float, Ratio]:
    """Returns the microseconds of a call without and with the option, and the ratio."""
    stack, request, forwards = WORKS[name]
    bursts: list[list[float]] = [[], []]
    with ExitStack() as exits:
        methods = list[Any]()
        for on in (False, True):
            target = exits.enter_context(_served(stack, tracks=on and not forwards))
            forward = FORWARD if on and forwards else ()
            channel = exits.enter_context(
                errgrpc.wrap_channel(grpc.insecure_channel(target), ResCode, forward=forward)
            )
            methods.append(channel.unary_unary("/bench.Service/Call"))
        pairs = list(zip(bursts, methods, strict=True))
        token = context.begin("/bench.Front/Call", METADATA)
        try:
            for number in range(rounds + 1):
                for found, method in pairs[:: -1 if number % 2 else 1]:  # each first in turn
                    begun = time.perf_counter()
                    for _ in range(calls):
                        with suppress(errgrpc.RemoteError):
                            method(request, metadata=None if forwards else METADATA)
                    if number:  # the first round warms up
                        found.append((time.perf_counter() - begun) / calls * 1e6)
        finally:
            context.end(token)
    off, on_ = ([burst] for burst in bursts)
    return middle(off), middle(on_), ratio(on_, off)


def with_table(page: str, results: Mapping[str, Any]) -> str:
    """The page with its table made anew."""
    rows = [("call", "off, µs", "on, µs", "on / off", "95 % interval"), ("---",) * 5]
    rows += [
        (
            name,
            f"{row['off']:.0f}",
            f"{row['on']:.0f}",
            f"{row['ratio']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
        )
        for name, row in results["works"].items()
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    said = (
        f"Python {results['python']}, grpcio {results['grpcio']}, {results['rounds']} bursts "
        f"of {CALLS} calls each, on and off in turn."
    )
    text = f"{said}\n\n{table}"
    return re.sub(
        r"(?s)(<!-- tracking -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{text}\n\n{found[2]}",
        page,
    )


def main() -> None:
    """Measures everything and writes it."""

    parser = argparse.ArgumentParser(
        prog="python -m bench.tracking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few and short bursts, which mean little, and nothing is written",
    )
    quick = parser.parse_args().quick
    rounds = 2 if quick else 200
    works = {}
    for name in WORKS:
        off, on, found = measure(name, rounds, 5 if quick else CALLS)
        print(
            f"{name}: {off:.0f} us off, {on:.0f} us on, {found.value:.3f} ({found.low:.3f} to "
            f"{found.high:.3f})",
            flush=True,
        )
        works[name] = {
            "off": round(off, 1),
            "on": round(on, 1),
            "ratio": found.value,
            "low": found.low,
            "high": found.high,
        }
    if not quick:
        results = {
            "python": platform.python_version(),
            "grpcio": grpc.__version__,
            "rounds": rounds,
            "works": works,
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
