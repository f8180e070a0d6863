"""A server that a test can stop at any time, and one to be killed, in a process of its own.

`python -m reliability.victim STYLE PORT` serves until its input ends. The request `raise` fails
with a code. The request `hold` prints a line and never ends.
"""

import asyncio
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import harness

import errgrpc
from errgrpc import ResCode, ServiceError

HOLD, RAISE = b"hold", b"raise"


def hold(_: Any) -> None:
    os.write(1, b"held\n")
    threading.Event().wait()


async def hold_async(_: Any) -> None:
    os.write(1, b"held\n")
    await asyncio.Event().wait()


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


@contextmanager
def stoppable(
    style: str, port: int = 0
) -> Iterator[tuple[str, Callable[[float | None], Future[Any]]]]:
    """Runs a server, and yields its address and a function that begins to stop it with a grace."""
    # The handlers' threads end before the loop. On an asyncio server, each gives grpc's loop the
    # end of its stream.
    with harness.loop_thread() as loop, ThreadPoolExecutor(16) as pool:
        on_loop = functools.partial(asyncio.run_coroutine_threadsafe, loop=loop)

        async def make() -> tuple[Any, int]:
            interceptors: list[Any] = [
                errgrpc.ServerInterceptor(ResCode)
                if style == "sync"
                else errgrpc.aio.ServerInterceptor(ResCode)
            ]
            made: Any = (
                grpc.server(pool, interceptors=interceptors)
                if style == "sync"
                else grpc.aio.server(pool, interceptors=interceptors)
            )
            made.add_generic_rpc_handlers((harness.handlers(harness.SERVICERS[style]()),))
            bound = made.add_insecure_port(f"127.0.0.1:{port}")
            started = made.start()
            if started is not None:
                await started
            return made, bound

        async def stop_async(grace: float | None) -> None:
            await server.stop(grace)

        def stop(grace: float | None) -> Future[Any]:
            if style == "sync":
                stopped = server.stop(grace)
                return stopping.submit(stopped.wait, harness.DEADLINE)
            return on_loop(stop_async(grace))

        with ThreadPoolExecutor(4) as stopping:
            server, bound = on_loop(make()).result(harness.DEADLINE)
            try:
                yield f"127.0.0.1:{bound}", stop
            finally:
                stop(None).result(harness.DEADLINE)


def main() -> None:
    style, port = sys.argv[1:]
    harness.ACTIONS.update({HOLD: (hold if style == "sync" else hold_async, 1), RAISE: (fail, 1)})
    with stoppable(style, int(port)):
        os.write(1, b"ready\n")
        sys.stdin.read()
        os._exit(0)  # handlers that hold never end


if __name__ == "__main__":
    main()
