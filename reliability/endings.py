"""Tests event loops that end while a handler fails, and requests that stay alive.

For each kind of handler, it runs a child process many times. The loop of the child ends in the
middle of a failing call, and then the process must end. It also counts how many requests of 2 MB
are alive after each failed call, with the cycle collector off. It writes
docs/reliability-endings.json.
"""

import argparse
import asyncio
import gc
import json
import logging
import platform
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

import errgrpc

__all__ = ["HANDLERS", "OUTCOMES", "alive", "ends", "main"]

PAGE = Path(__file__).parents[1] / "docs" / "reliability-endings.json"
PATIENCE = 30.0
"""Seconds. A child takes half a second, so one that has not ended by then hangs."""

HANDLERS = {
    "sync, one response": (
        "def handler(request, context):\n    end()\n"
        "    raise errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)\n"
    ),
    "sync, one response, aborts": (
        "def handler(request, context):\n    end()\n"
        "    context.abort(grpc.StatusCode.ABORTED, '')\n"
    ),
    "sync, masked": "def handler(request, context):\n    end()\n    raise LookupError\n",
    "coroutine": (
        "async def handler(request, context):\n    end()\n"
        "    raise errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)\n"
    ),
}
_CHILD = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
import grpc, grpc.aio, errgrpc

def end():
    loop.call_soon_threadsafe(loop.stop)

{handler}
async def serve():
    server = grpc.aio.server(pool, interceptors=[errgrpc.aio.ServerInterceptor(errgrpc.ResCode)])
    handlers = {{"Method": grpc.unary_unary_rpc_method_handler(handler)}}
    service = grpc.method_handlers_generic_handler("test.Service", handlers)
    server.add_generic_rpc_handlers([service])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{{port}}")
    return server, channel, channel.unary_unary("/test.Service/Method")(b"", timeout=5)

pool = ThreadPoolExecutor(4)
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(serve())
loop.run_forever()
print("the loop has ended", flush=True)
"""


def ends(handler: str) -> bool:
    """Returns whether a process ends after its loop ended while this handler failed."""
    try:
        command = [sys.executable, "-c", _CHILD.format(handler=HANDLERS[handler])]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return "the loop has ended" in done.stdout


class Request:
    """A request of 2 MB."""

    def __init__(self) -> None:
        self.held = bytearray(2_000_000)


def coded(_: Any) -> None:
    raise errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)


def masked(_: Any) -> None:
    raise LookupError


OUTCOMES: dict[str, Callable[[Any], None]] = {"coded": coded, "masked": masked}


def alive(outcome: str, calls: int, *, guarded: bool = True) -> int:
    """Returns the most requests alive after a failed call, with the cycle collector off."""
    requests: list[weakref.ref[Request]] = []

    async def handler(request: Request, context: Any) -> bytes:
        requests.append(weakref.ref(request))
        OUTCOMES[outcome](context)
        return b""

    def parsed(_: bytes) -> Request:
        return Request()

    async def run() -> int:
        interceptors = (
            [errgrpc.aio.ServerInterceptor(errgrpc.ResCode, on_error=lambda *_, **__: None)]
            if guarded
            else []
        )
        server, most = grpc.aio.server(interceptors=interceptors), 0
        behavior: Any = grpc.unary_unary_rpc_method_handler(handler, request_deserializer=parsed)
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("test.Service", {"Method": behavior})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method: Any = channel.unary_unary("/test.Service/Method")
            for _ in range(calls):
                assert await method(b"").code() is not grpc.StatusCode.OK
                most = max(most, sum(request() is not None for request in requests))
        await server.stop(None)
        return most

    gc.collect()
    gc.disable()
    try:
        return asyncio.run(run())
    finally:
        gc.enable()


def main() -> int:
    """Runs everything and prints the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=100, help="child processes for each kind of handler"
    )
    options = parser.parse_args()
    logging.disable()
    figures: dict[str, Any] = {"runs": options.runs, "hung": {}, "alive": {}}
    for name in HANDLERS:
        began, hung = time.monotonic(), 0
        for run in range(options.runs):
            hung += not ends(name)
            if (run + 1) % max(1, options.runs // 10) == 0:
                print(
                    f"{name}: {run + 1} of {options.runs}, {hung} hung, "
                    f"{time.monotonic() - began:.0f} s",
                    flush=True,
                )
        figures["hung"][name] = hung
    for name in OUTCOMES:
        figures["alive"][name] = alive(name, options.runs)
        figures["alive"][f"{name}, bare"] = alive(name, options.runs, guarded=False)
    figures["versions"] = {name: metadata.version(name) for name in ("grpcio", "protobuf")} | {
        "python": platform.python_version()
    }
    print(json.dumps(figures))
    if options.runs >= 100:
        PAGE.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    return (
        1
        if any(figures["hung"].values()) or any(figures["alive"][name] > 1 for name in OUTCOMES)
        else 0
    )


if __name__ == "__main__":
    raise SystemExit(main())
