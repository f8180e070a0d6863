"""A process with the client of one contender.

`python -m bench.client CLIENT STACK TARGET FOREIGN_TARGET` prints a line when it is ready. Then it
reads one block a line, `{"work": name, "calls": count}`, and prints
`{"wall": seconds, "cpu": seconds}` for it. It ends at the end of its input.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue

from . import contenders, service
from .works import FIRST, WORKS, Work

OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
READY = "ready"
DEADLINE = 300  # seconds; a call that hangs must fail
BY_NAME = {work.name: work for work in (*WORKS, FIRST)}


def request(work: Work) -> BytesValue:
    """Returns the first request of a call."""
    payload = b"x" * work.size
    return (
        service.asked_for(work.messages, payload)
        if work.method == "Down"
        else BytesValue(value=payload)
    )


def sync_call(client: contenders.Client, work: Work) -> Callable[[], None]:
    """Returns a function that makes one call of a work."""
    method, message, read = client.methods[work.method], request(work), client.read

    def down() -> None:
        for _ in method(message, timeout=DEADLINE):
            pass

    def requests() -> Iterator[BytesValue]:
        for _ in range(work.messages):
            yield message

    def up() -> None:
        method(requests(), timeout=DEADLINE)

    def fail() -> None:
        try:
            method(message, timeout=DEADLINE)
        except Exception as error:  # each contender raises its own class
            read(error)
        else:
            raise AssertionError(f"{work.name} did not fail")

    def echo() -> None:
        method(message, timeout=DEADLINE)

    return {"Down": down, "Up": up, "Echo": echo}.get(work.method, fail)


def sync_block(client: contenders.Client, work: Work, calls: int, pool: ThreadPoolExecutor) -> None:
    """Makes this number of calls."""
    call = sync_call(client, work)

    def some() -> None:
        for _ in range(calls // work.at_once):
            call()

    if work.at_once == 1:
        some()
    else:
        for done in [pool.submit(some) for _ in range(work.at_once)]:
            done.result()


def aio_call(client: contenders.Client, work: Work) -> Callable[[], Any]:
    """Returns a function that makes one call of a work."""
    method, message, read = client.methods[work.method], request(work), client.read

    async def down() -> None:
        responses = method(message, timeout=DEADLINE)
        if not hasattr(responses, "__aiter__"):  # google-api-core returns it when it is connected
            responses = await responses
        async for _ in responses:
            pass

    async def requests() -> AsyncIterator[BytesValue]:
        for _ in range(work.messages):
            yield message

    async def up() -> None:
        call = method(requests(), timeout=DEADLINE)
        if asyncio.iscoroutine(call):  # see above
            call = await call
        await call

    async def fail() -> None:
        try:
            await method(message, timeout=DEADLINE)
        except Exception as error:
            read(error)
        else:
            raise AssertionError(f"{work.name} did not fail")

    async def echo() -> None:
        await method(message, timeout=DEADLINE)

    return {"Down": down, "Up": up, "Echo": echo}.get(work.method, fail)


async def aio_block(client: contenders.Client, work: Work, calls: int) -> None:
    """Makes this number of calls."""
    call = aio_call(client, work)

    async def some() -> None:
        for _ in range(calls // work.at_once):
            await call()

    if work.at_once == 1:
        await some()
    else:
        await asyncio.gather(*(some() for _ in range(work.at_once)))


def _tell(wall: float, cpu: float) -> None:
    print(
        json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}),
        flush=True,
    )


def run_sync(name: str, *targets: str) -> None:
    own, foreign = (contenders.client(name, "sync", target, OPTIONS) for target in targets)
    with (
        own.channel,
        foreign.channel,
        ThreadPoolExecutor(max(work.at_once for work in WORKS)) as pool,
    ):
        print(READY, flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            work = BY_NAME[asked["work"]]
            started = time.perf_counter(), time.process_time()
            sync_block(foreign if work.foreign else own, work, asked["calls"], pool)
            _tell(*started)


async def run_aio(name: str, *targets: str) -> None:
    own, foreign = (contenders.client(name, "aio", target, OPTIONS) for target in targets)
    async with own.channel, foreign.channel:
        print(READY, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            work = BY_NAME[asked["work"]]
            started = time.perf_counter(), time.process_time()
            await aio_block(foreign if work.foreign else own, work, asked["calls"])
            _tell(*started)


if __name__ == "__main__":
    if sys.argv[2] == "aio":
        asyncio.run(run_aio(sys.argv[1], *sys.argv[3:]))
    else:
        run_sync(sys.argv[1], *sys.argv[3:])
