"""Measures where a failed call spends its time.

    python -m bench.stages    # about two minutes

It writes into docs/performance.json and docs/performance-tables.md.

The server's part goes from the handler to `context.abort`. The client's part goes from grpc's error
to `except`. Each part is measured in real calls, in a process of its own, with null on the other
side. Between two calls the code is cold, so it takes several times longer than in a loop.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import grpc._channel
import grpc.aio._call
from rich.console import Console
from rich.progress import Progress

from . import client, contenders, report, server
from .results import Results, rounded
from .works import WORKS

__all__ = ["CLIENTS", "NAMES", "SERVERS", "measure"]

MODULE = "bench.stages"
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SERVERS = ("null", "errgrpc", "by hand")
CLIENTS = ("null", "errgrpc", "wrapped", "by hand")
NAMES = ("error", "error with metadata", "error with ten violations")
CALLS = 4_000
_now = time.perf_counter_ns
_took: list[int] = []
_began = 0


class _Context:
    """A context that notes the time of its abort."""

    def __init__(self, context: Any) -> None:
        self._context, self._began = context, _now()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def abort(self, *args: Any) -> Any:
        _took.append(_now() - self._began)
        return self._context.abort(*args)

    def abort_with_status(self, status: Any) -> Any:
        _took.append(_now() - self._began)
        return self._context.abort_with_status(status)


class _Noting(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return _noting(continuation(handler_call_details))


class _NotingAio(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return _noting(await continuation(handler_call_details))


def _noting(handler: Any) -> Any:
    if handler.unary_unary is None:
        return handler
    behavior = handler.unary_unary

    def noted(request: Any, context: Any) -> Any:
        return behavior(request, _Context(context))

    async def noted_aio(request: Any, context: Any) -> Any:
        return await behavior(request, _Context(context))

    make = noted_aio if asyncio.iscoroutinefunction(behavior) else noted
    return grpc.unary_unary_rpc_method_handler(
        make, handler.request_deserializer, handler.response_serializer
    )


def _serve(which: str, stack: str) -> None:
    """Runs the bench's server, and at the end prints how long each call took."""
    own = contenders.server_interceptors
    noting: Any = _NotingAio() if stack == "aio" else _Noting()
    contenders.server_interceptors = lambda server, stack: [noting, *own(server, stack)]
    if stack == "aio":
        asyncio.run(server.serve_aio(which))
    else:
        server.serve_sync(which)
    _tell()


def _note_errors() -> None:
    """Makes grpc note when it makes an error, by private names: nothing public is called."""
    channel: Any = grpc._channel
    call: Any = grpc.aio._call
    ended, made = channel._end_unary_response_blocking, call._create_rpc_error

    def ended_now(*args: Any) -> Any:
        _begin()
        return ended(*args)

    def made_now(*args: Any) -> Any:
        _begin()
        return made(*args)

    channel._end_unary_response_blocking, call._create_rpc_error = ended_now, made_now


def _begin() -> None:
    global _began  # noqa: PLW0603  the start of the one call that runs at a time
    _began = _now()


def _call(which: str, stack: str, target: str, name: str, count: str) -> None:
    """Makes the calls of a work, and prints how long each took from its error on."""
    _note_errors()
    work = next(work for work in WORKS if work.name == name)

    def connected() -> contenders.Client:
        made = contenders.client(which, stack, target, client.OPTIONS)

        def read(error: Any) -> None:
            made.read(error)
            _took.append(_now() - _began)

        return contenders.Client(made.channel, made.methods, read)

    async def calls() -> None:
        made = connected()
        async with made.channel:
            await client.aio_block(made, work, int(count))

    if stack == "aio":
        asyncio.run(calls())
    else:
        made = connected()
        with made.channel, ThreadPoolExecutor(1) as pool:
            client.sync_block(made, work, int(count), pool)
    _tell()


def _tell() -> None:
    print(median(_took[-len(_took) * 7 // 8 :]) / 1e9, flush=True)  # without the warm-up


def measure(done: Callable[[], object]) -> Results:
    """Returns medians in seconds by side and work, and then by contender."""
    found: Results = {}
    for stack, name in product(("sync", "aio"), NAMES):
        for which in SERVERS:
            took = _pair(stack, name, [MODULE, "serve", which], "null")[0]
            found.setdefault(f"{stack} server, {name}", {})[which] = took
            done()
        for which in CLIENTS:
            took = _pair(stack, name, ["bench.server", "null"], which)[1]
            found.setdefault(f"{stack} client, {name}", {})[which] = took
            done()
    results: Results = rounded(found)
    return results


def _pair(
    stack: str, name: str, serving: list[str], which: str, calls: int = CALLS
) -> tuple[float, float]:
    """Returns the last lines of a server and of its client."""
    with _process(*serving, stack) as running, running.stdout as lines:
        with _process(
            MODULE, "call", which, stack, f"127.0.0.1:{int(lines.readline())}", name, str(calls)
        ) as calling:
            took = calling.communicate()[0].split()[-1]
        running.stdin.close()
        return float(lines.read() or 0), float(took)


def _process(*arguments: str) -> Any:
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def main() -> int:
    """Writes them into the figures of the last whole run."""
    path = DOCS / "performance.json"
    results = json.loads(path.read_text("utf-8"))
    with Progress() as progress:
        task = progress.add_task(
            "a call's stages", total=2 * len(NAMES) * (len(SERVERS) + len(CLIENTS))
        )
        results["stages"] = measure(lambda: progress.advance(task))
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    report.write(DOCS, results)
    Console().print(report.rich_table(report.tables(results)["stages"]))
    return 0


if __name__ == "__main__":
    roles: dict[str, Any] = {"serve": _serve, "call": _call}
    if sys.argv[1:]:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
