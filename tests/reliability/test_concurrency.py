"""Many calls at once: they share a channel, an interceptor or an error instance.

The calls come from threads, tasks, channels, servers and event loops.
"""

import asyncio
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
import uvloop

import errgrpc
from errgrpc import RemoteError, ResCode, ServiceError, remote

pytestmark = [pytest.mark.full, pytest.mark.thinned(8)]

THREADS, TASKS = 64, 1_000
CODES = [code for code in ResCode if code is not ResCode.SUCCESS]
LOCALES = ("zh-CN", "en-US")

SHARED = ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="shared")
UNFORESEEN = LookupError("shared")


def key_of(code: errgrpc.ErrorCode) -> str:
    """The metadata key for the number of a call: the first declared key, or else any key."""
    return code.metadata_fields[0].key if code.metadata_fields else "call"


def told(context: Any) -> dict[str, Any]:
    return dict(context.invocation_metadata())


def answer(context: Any) -> None:
    """Raises the error that the request's metadata name, with the number of the call."""
    asked = told(context)
    code = ResCode[asked["x-reason"]]
    raise ServiceError(code, metadata={key_of(code): asked["x-call"]})


def asking(number: int) -> list[tuple[str, str]]:
    code, locale = CODES[number % len(CODES)], LOCALES[number // 3 % 2]
    return [("x-reason", code.reason), ("x-call", str(number)), ("accept-language", locale)]


def check(number: int, error: RemoteError) -> None:
    code, locale = CODES[number % len(CODES)], LOCALES[number // 3 % 2]
    assert type(error) is remote(code)
    assert error.metadata == {key_of(code): str(number)}
    assert (error.hint, error.code(), error.details()) == (
        code.hints.get(locale),
        code.grpc_status,
        code.message,
    )


def kind_of(number: int) -> str:
    return harness.KINDS[number % 4]


def call_sync(channel: Any, kind: str, request: bytes, metadata: Any) -> RemoteError:
    method = harness.method(channel, kind)
    try:
        list(method(harness.argument(kind, request), metadata=metadata, timeout=harness.DEADLINE))
    except RemoteError as error:
        return error
    raise AssertionError("answered without an error")


async def call_aio(channel: Any, kind: str, request: bytes, metadata: Any) -> RemoteError:
    call = harness.method(channel, kind)(
        harness.argument(kind, request), metadata=metadata, timeout=harness.DEADLINE
    )
    try:
        if kind.endswith("unary"):
            await call
        else:
            async for _ in call:
                pass
    except RemoteError as error:
        return error
    raise AssertionError("answered without an error")


def in_threads(run: Callable[[int], None], count: int = THREADS) -> None:
    """Runs it in this many threads, which start together."""
    barrier = threading.Barrier(count)

    def start(number: int) -> None:
        barrier.wait(harness.DEADLINE)
        run(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(start, range(count)))


def test_threads_on_one_channel(target: str) -> None:
    interceptor = errgrpc.ClientInterceptor(ResCode)
    with harness.action(answer) as request, harness.sync_channel(target, interceptor) as channel:

        def run(thread: int) -> None:
            for number in range(thread, THREADS * 8, THREADS - 1):
                check(number, call_sync(channel, kind_of(number), request, asking(number)))

        in_threads(run)


async def _tasks(channel: Any, request: bytes, count: int = TASKS) -> None:
    async def run(number: int) -> None:
        check(number, await call_aio(channel, kind_of(number), request, asking(number)))

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(run(number))


async def test_tasks_on_one_channel(target: str) -> None:
    interceptors = errgrpc.aio.client_interceptors(ResCode)
    with harness.action(answer) as request:
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            await _tasks(channel, request)


def test_interceptors_shared_by_servers_channels_and_loops() -> None:
    """One interceptor of each type serves two sync servers, two asyncio servers and all channels.

    Each asyncio server has its own loop.
    """
    sync_guard, aio_guard = (
        errgrpc.ServerInterceptor(ResCode),
        errgrpc.aio.ServerInterceptor(ResCode),
    )
    sync_reader, aio_readers = (
        errgrpc.ClientInterceptor(ResCode),
        errgrpc.aio.client_interceptors(ResCode),
    )
    with ExitStack() as stack:
        request = stack.enter_context(harness.action(answer))
        styles = ("sync", "sync", "aio", "sync_on_aio")
        servers = [
            stack.enter_context(
                harness.serve(style, [sync_guard if style == "sync" else aio_guard])
            )
            for style in styles
        ]
        channels = [
            stack.enter_context(harness.sync_channel(server, sync_reader)) for server in servers
        ]

        async def loop(thread: int) -> None:
            async with grpc.aio.insecure_channel(
                servers[thread % 4], interceptors=aio_readers
            ) as channel:
                await _tasks(channel, request, 100)

        def run(thread: int) -> None:
            if thread < 4:
                asyncio.run(loop(thread))
            for number in range(thread, 12 + thread):
                check(
                    number,
                    call_sync(
                        channels[number % 4], harness.KINDS[thread % 4], request, asking(number)
                    ),
                )

        in_threads(run, 8)


@pytest.mark.parametrize("style", harness.STYLES[1:])
def test_uvloop(style: str) -> None:
    """A server and a client on one loop of uvloop."""

    async def main(request: bytes) -> None:
        server = grpc.aio.server(pool, interceptors=[errgrpc.aio.ServerInterceptor(ResCode)])
        server.add_generic_rpc_handlers((harness.handlers(harness.SERVICERS[style]()),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        interceptors = errgrpc.aio.client_interceptors(ResCode)
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", interceptors=interceptors
        ) as channel:
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
            await _tasks(channel, request, 200)
        await server.stop(None)

    with (
        harness.action(answer) as request,
        ThreadPoolExecutor() as pool,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(main(request))


def raise_shared(context: Any) -> None:
    context.set_trailing_metadata((("x-own", told(context)["x-call"]),))
    raise SHARED


def raise_shared_while_handling(context: Any) -> None:
    context.set_trailing_metadata((("x-own", told(context)["x-call"]),))
    try:
        raise LookupError(told(context)["x-call"])
    except LookupError:
        raise SHARED  # noqa: B904  the implicit context is tested


def raise_unforeseen(context: Any) -> None:
    context.set_trailing_metadata((("x-own", told(context)["x-call"]),))
    raise UNFORESEEN


@pytest.mark.parametrize("act", [raise_shared, raise_shared_while_handling, raise_unforeseen])
def test_one_instance_raised_by_many(target: str, act: Callable[[Any], None]) -> None:
    """Each answer has the language, request id and trailing metadata of its own request only."""
    interceptor = errgrpc.ClientInterceptor(ResCode)
    foreseen = act is not raise_unforeseen
    code = ResCode.ROOM_NOT_EXIST if foreseen else ResCode.INTERNAL_SERVER_ERROR

    with harness.action(act) as request, harness.sync_channel(target, interceptor) as channel:

        def run(thread: int) -> None:
            for number in range(thread * 6, thread * 6 + 6):
                locale = LOCALES[number % 2]
                metadata = [
                    ("x-request-id", f"id-{number}"),
                    ("x-call", str(number)),
                    ("accept-language", locale),
                ]
                error = call_sync(channel, kind_of(number // 2), request, metadata)
                assert type(error) is remote(code)
                assert (error.locale, error.hint) == (locale, code.hints[locale])
                assert error.request_id == (None if foreseen else f"id-{number}")
                assert error.metadata == ({"room_uuid": "shared"} if foreseen else {})
                assert [value for key, value in error.trailing_metadata() if key == "x-own"] == [
                    str(number)
                ]

        in_threads(run)


@pytest.mark.parametrize("act", [raise_shared, raise_unforeseen])
def test_one_instance_does_not_gather_its_requests(
    target: str, kind: str, act: Callable[[Any], None]
) -> None:
    """The traceback of the instance must not grow.

    Each raise would add frames, which hold the requests and would be logged.
    """
    with (
        harness.action(act) as request,
        harness.sync_channel(target, errgrpc.ClientInterceptor(ResCode)) as channel,
    ):
        lengths = []
        for number in range(6):
            call_sync(channel, kind, request, [("x-call", str(number))])
            lengths.append(sum(1 for _ in traceback.walk_tb(UNFORESEEN.__traceback__)))
        assert SHARED.__traceback__ is None
        assert len(set(lengths[1:])) == 1
