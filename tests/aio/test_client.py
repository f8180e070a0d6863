"""What the asyncio client raises, and when.

tests/sync/test_client.py tests what both clients share, and test_transparency.py that calls behave
as on a bare channel.
"""

import asyncio
import contextlib
import gc
import itertools
import socket
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode

import errgrpc
from errgrpc import ComponentCode, RemoteError, ResCode, ServiceError, remote
from errgrpc.aio.client import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from errgrpc.calls import Caller

DEADLINE = harness.DEADLINE
CALLS: dict[str, Any] = {
    "unary_unary": UnaryUnaryCall,
    "unary_stream": UnaryStreamCall,
    "stream_unary": StreamUnaryCall,
    "stream_stream": StreamStreamCall,
}


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def connect(target: str, *, interceptors: Any = None, **options: Any) -> Any:
    if interceptors is None:
        interceptors = errgrpc.aio.client_interceptors(ResCode, ComponentCode, **options)
    return grpc.aio.insecure_channel(target, interceptors=interceptors)


@pytest.fixture(params=["intercepted", "wrapped"])
async def channel(request: pytest.FixtureRequest, targets: dict[str, str]) -> AsyncIterator[Any]:
    """A channel with our interceptors, and a wrapped channel."""
    connected = connect(targets["sync"], interceptors=() if request.param == "wrapped" else None)
    async with (
        errgrpc.aio.wrap_channel(connected, ResCode, ComponentCode)
        if request.param == "wrapped"
        else connected as typed
    ):
        yield typed


@pytest.fixture(autouse=True)
async def nothing_goes_unnoticed() -> AsyncIterator[None]:
    async with harness.noticing():
        yield


@contextlib.contextmanager
def held(
    act: Callable[[Any], None] = fail, after: int = 0
) -> Iterator[tuple[bytes, threading.Event]]:
    """A request whose handler waits for the event before it acts."""
    gate = threading.Event()

    def handle(context: Any) -> None:
        assert gate.wait(DEADLINE)
        act(context)

    with harness.action(handle, after) as request:
        try:
            yield request, gate
        finally:
            gate.set()


async def consume(call: Any) -> Any:
    """Awaits or iterates a call, and returns the responses."""
    if isinstance(call, grpc.aio.UnaryUnaryCall | grpc.aio.StreamUnaryCall):
        return [await call]
    return [response async for response in call]


def started(channel: Any, kind: str, request: bytes, **options: Any) -> Any:
    return harness.method(channel, kind)(harness.argument(kind, request), **options)


# Classes of the exception.


CATCHERS = (
    remote(ResCode.ROOM_NOT_EXIST),
    (remote(ResCode.FORBIDDEN), remote(ResCode.ROOM_NOT_EXIST)),
    remote(ResCode),
    (remote(ComponentCode), remote(ResCode)),
    RemoteError,
    grpc.RpcError,
    grpc.aio.AioRpcError,
    Exception,
)
OTHERS = (
    remote(ResCode.NOT_FOUND),
    remote(ComponentCode),
    remote(ResCode.FORBIDDEN),
    ServiceError,
    asyncio.CancelledError,
)


@pytest.mark.parametrize("catcher", CATCHERS)
async def test_caught_as(catcher: Any, kind: str, channel: Any) -> None:
    with harness.action(fail) as request:
        try:
            await consume(started(channel, kind, request))
        except OTHERS:
            pytest.fail("caught by another code")
        except catcher as error:
            assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
            assert error.error_code is ResCode.ROOM_NOT_EXIST
            assert error.metadata == {"room_uuid": "r-42"}
        else:
            pytest.fail("raised nothing")
        with contextlib.suppress(catcher):
            await consume(started(channel, kind, request))


async def test_caught_in_task_groups(channel: Any) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    caught: list[Any] = []
    with harness.action(fail) as request:
        try:
            async with asyncio.TaskGroup() as group:
                for kind in harness.KINDS:
                    group.create_task(consume(started(channel, kind, request)))
                group.create_task(wait())
        except* remote(ResCode.NOT_FOUND):
            pytest.fail("caught by another code")
        except* remote(ResCode.ROOM_NOT_EXIST) as errors:
            caught.extend(errors.exceptions)
    assert caught
    assert {error.error_code for error in caught} == {ResCode.ROOM_NOT_EXIST}


async def test_gathered(channel: Any) -> None:
    with harness.action(fail) as request:
        calls = [started(channel, "unary_unary", request) for _ in range(3)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in errors] == [remote(ResCode.ROOM_NOT_EXIST)] * 3


async def test_what_the_calls_are(kind: str, targets: dict[str, str]) -> None:
    """They have grpc's own classes of calls: an outer interceptor gets one of these."""
    seen = []

    async def see(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(await continuation(details, request))
        return seen[0]

    interceptors = [*harness.aio_interceptors(see), *errgrpc.aio.client_interceptors(ResCode)]
    async with connect(targets["sync"], interceptors=interceptors) as channel:
        with harness.action(fail) as request, pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await consume(started(channel, kind, request))
        [call] = seen
        assert isinstance(call, getattr(grpc.aio, f"{kind.title().replace('_', '')}Call"))
        assert isinstance(call, grpc.aio.Call)
        assert isinstance(call, grpc.aio.RpcContext)
        assert not isinstance(call, grpc.RpcError)
        assert "NOT_FOUND" in repr(call)  # as the repr of grpc's own call
        assert await call.code() is StatusCode.NOT_FOUND


def test_the_interceptors_are_one_for_each_kind() -> None:
    interceptors = errgrpc.aio.client_interceptors(ResCode)
    kinds = [
        grpc.aio.UnaryUnaryClientInterceptor,
        grpc.aio.UnaryStreamClientInterceptor,
        grpc.aio.StreamUnaryClientInterceptor,
        grpc.aio.StreamStreamClientInterceptor,
    ]
    assert [
        [isinstance(interceptor, kind) for kind in kinds].index(True)
        for interceptor in interceptors
    ] == [0, 1, 2, 3]
    assert [
        sum(isinstance(interceptor, kind) for kind in kinds) for interceptor in interceptors
    ] == [1, 1, 1, 1]


# Traceback, context and lifetime of the exception.


async def test_awaited_again(channel: Any) -> None:
    """Each await raises a new error, as with grpc, so that its traceback does not grow."""
    with harness.action(fail) as request:
        call = started(channel, "unary_unary", request)
        frames = []
        for _ in range(3):
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)) as caught:
                await call
            frames.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert frames[0] == frames[1] == frames[2]


async def test_shows_no_error_of_grpc_beside_itself(channel: Any, kind: str) -> None:
    with harness.action(fail) as request:
        with pytest.raises(RemoteError) as caught:
            await consume(started(channel, kind, request))
        assert caught.value.__cause__ is caught.value.__context__ is None
        # The error keeps the exception that the caller is handling as its context, as on the bare
        # channel.
        try:
            raise LookupError("cache")
        except LookupError as handled:
            with pytest.raises(RemoteError) as caught:
                await consume(started(channel, kind, request))
            assert caught.value.__context__ is handled
            assert not caught.value.__suppress_context__


@pytest.mark.thinned(2)
async def test_an_error_refers_to_nothing_that_refers_to_it(channel: Any, kind: str) -> None:
    async def fails() -> weakref.ref[RemoteError]:
        try:
            await consume(started(channel, kind, request))
        except RemoteError as error:
            return weakref.ref(error)
        raise AssertionError

    with harness.action(fail) as request:
        await fails()
        gc.collect()
        gc.disable()
        try:
            # freed without the garbage collector, as grpc's own error is
            assert (await fails())() is None
        finally:
            gc.enable()


async def test_all_that_can_be_awaited(channel: Any, kind: str) -> None:
    def act(context: Any) -> None:
        context.send_initial_metadata((("x-initial", "1"),))
        context.set_trailing_metadata((("x-trailing", "2"),))
        fail(context)

    with harness.action(act) as request:
        call = started(channel, kind, request, timeout=DEADLINE)
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)) as caught:
            await consume(call)
        assert await call.code() is caught.value.code() is StatusCode.NOT_FOUND
        assert await call.details() == caught.value.details() == "Room Not Found"
        # older grpcio may lose the initial metadata of a stream without responses
        if kind.endswith("unary"):
            assert (
                await call.initial_metadata()
                == caught.value.initial_metadata()
                == grpc.aio.Metadata(("x-initial", "1"))
            )
        assert await call.trailing_metadata() == caught.value.trailing_metadata()
        assert caught.value.trailing_metadata()["x-trailing"] == "2"
        assert await call.debug_error_string() == caught.value.debug_error_string()
        assert (call.done(), call.cancelled(), call.cancel()) == (True, False, False)


async def test_done_callbacks(channel: Any, kind: str) -> None:
    done: asyncio.Queue[Any] = asyncio.Queue()
    with held() as (request, gate):
        call = started(channel, kind, request)
        call.add_done_callback(done.put_nowait)
        consuming = asyncio.create_task(consume(call))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await consuming
        assert await done.get() is call


async def test_a_stream_that_breaks_off(channel: Any) -> None:
    for kind in ("unary_stream", "stream_stream"):
        with harness.action(fail, after=2) as request:
            responses = aiter(started(channel, kind, request))
            assert [await anext(responses), await anext(responses)] == [b"first", b"second"]
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                await anext(responses)
            with pytest.raises(StopAsyncIteration):
                await anext(responses)


# Readers and writers.


class Talk(harness.SyncServicer):
    """Echoes each request, fails on `fail`, and counts the responses of an endless stream."""

    sent = 0

    def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
        for request in requests:
            if request == b"fail":
                fail(context)
            yield request

    def stream_unary(self, requests: Any, context: Any) -> bytes:
        total = 0
        for request in requests:
            if request == b"fail":
                fail(context)
            total += len(request)
        return str(total).encode()

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        for self.sent in itertools.count(1):
            if not context.is_active():
                return
            yield request


@pytest.fixture(scope="module")
def talk() -> Iterator[tuple[Talk, str]]:
    servicer = Talk()
    with harness.serve("sync", servicer=servicer) as target:
        yield servicer, target


async def test_a_conversation(talk: tuple[Talk, str]) -> None:
    async with connect(talk[1]) as channel:
        call = harness.method(channel, "stream_stream")(timeout=DEADLINE)
        for text in (b"one", b"two"):
            await call.write(text)
            assert await call.read() == text
        await call.write(b"fail")
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await call.read()
        # After the error, grpc ends an intercepted call with EOF; a bare call raises again.
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is StatusCode.NOT_FOUND
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"more")
        await call.done_writing()  # ends a task of grpc that waits for more writes


async def test_a_conversation_that_ends_well(talk: tuple[Talk, str]) -> None:
    async with connect(talk[1]) as channel:
        call = harness.method(channel, "stream_stream")(timeout=DEADLINE)
        await call.write(b"one")
        assert await call.read() == b"one"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is StatusCode.OK
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"more")


async def test_writes_that_come_to_nothing(talk: tuple[Talk, str]) -> None:
    async with connect(talk[1]) as channel:
        call = harness.method(channel, "stream_unary")(timeout=DEADLINE)
        await call.write(b"one")
        await call.write(b"fail")
        assert await call.code() is StatusCode.NOT_FOUND
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"more")
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await call
        await call.done_writing()  # ends a task of grpc that waits for more writes
        call = harness.method(channel, "stream_unary")(timeout=DEADLINE)
        await call.write(b"four")
        await call.done_writing()
        assert await call == b"4"


async def test_an_awaited_call_takes_writes(talk: tuple[Talk, str]) -> None:
    """Our interceptor must not wait for the outcome: the outcome waits for these writes."""
    async with connect(talk[1]) as channel:
        call = harness.method(channel, "stream_unary")(timeout=DEADLINE)
        waiting = asyncio.ensure_future(call)
        await call.write(b"four")
        await call.done_writing()
        assert await waiting == b"4"


async def test_wrapped_calls_raise_on_each_read_and_write(talk: tuple[Talk, str]) -> None:
    """Our call objects without grpc's chain of interceptors around them."""
    async with connect(talk[1], interceptors=[]) as channel:
        bare = harness.method(channel, "stream_stream")(timeout=DEADLINE)
        call = StreamStreamCall(bare, Caller((ResCode,)), None, "/test.Service/stream_stream")
        await call.write(b"fail")
        for _ in range(2):
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                await call.read()
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await call.wait_for_connection()
        assert call.time_remaining() > 0


@pytest.mark.parametrize("kind", ["stream_unary", "stream_stream"])
async def test_wrapped_calls_raise_without_a_listening_server(kind: str) -> None:
    with socket.socket() as bound:  # bound, but not listening
        bound.bind(("127.0.0.1", 0))
        async with connect(f"127.0.0.1:{bound.getsockname()[1]}", interceptors=[]) as channel:
            call = CALLS[kind](
                harness.method(channel, kind)(),
                Caller((ResCode,)),
                None,
                "/test.Service/stream_stream",
            )
            with pytest.raises(RemoteError) as caught:
                await call.write(b"x")
            assert (caught.value.code(), caught.value.error_code) == (
                StatusCode.UNAVAILABLE,
                ResCode.SERVICE_UNAVAILABLE,
            )
            await call.done_writing()


async def test_not_connected(kind: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with connect(f"127.0.0.1:{bound.getsockname()[1]}") as channel:
            call = started(channel, kind, b"")
            with pytest.raises(RemoteError) as caught:
                await call.wait_for_connection()
            assert (caught.value.code(), caught.value.error_code) == (
                StatusCode.UNAVAILABLE,
                ResCode.SERVICE_UNAVAILABLE,
            )


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
async def test_no_such_method(kind: str, channel: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        await consume(getattr(channel, kind)("/test.Service/none")(b""))
    assert (caught.value.error_code, caught.value.inferred) == (ResCode.METHOD_NOT_ALLOWED, True)


# Laziness and back pressure.


async def test_responses_are_not_read_ahead(talk: tuple[Talk, str]) -> None:
    servicer, target = talk
    async with connect(target) as channel:
        call = harness.method(channel, "unary_stream")(b"x" * 100_000, timeout=DEADLINE)
        for _ in range(3):
            assert len(await anext(aiter(call))) == 100_000
        # the flow-control window takes some; a reader ahead would never end
        assert servicer.sent < 500
        call.cancel()


class Refusing(harness.AsyncServicer):
    async def stream_unary(self, requests: Any, context: Any) -> bytes:
        await anext(aiter(requests))
        fail(context)
        return b""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with harness.serve("aio", servicer=Refusing()) as target:
        yield target


async def test_requests_are_not_read_ahead(refusing: str) -> None:
    read = []

    async def requests() -> AsyncIterator[bytes]:
        for number in range(10_000):
            read.append(number)
            yield b"x" * 100_000

    async with connect(refusing) as channel:
        # sometimes INTERNAL by grpc, if it was writing when the answer came
        with pytest.raises(RemoteError):
            await harness.method(channel, "stream_unary")(requests(), timeout=DEADLINE)
    assert len(read) < 10_000


async def test_the_call_is_asked_for_nothing(kind: str) -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    async def continuation(*_: Any) -> Any:
        return Untouchable()

    [interceptor] = [
        one for one in errgrpc.aio.client_interceptors(ResCode) if hasattr(one, f"intercept_{kind}")
    ]
    details = grpc.aio.ClientCallDetails("/test.Service/any", None, None, None, None)
    assert (
        type(await getattr(interceptor, f"intercept_{kind}")(continuation, details, b""))
        is CALLS[kind]
    )


# Cancelled.


async def test_cancelled_before_it_starts(channel: Any, kind: str) -> None:
    call = started(channel, kind, b"")
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consume(call)
    assert call.cancelled()
    assert call.done()
    assert await call.code() is StatusCode.CANCELLED


async def test_cancelled_midway(channel: Any) -> None:
    for kind in ("unary_stream", "stream_stream"):
        with held(after=1) as (request, _):
            call = started(channel, kind, request)
            responses = aiter(call)
            assert await anext(responses) == b"first"
            assert call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await anext(responses)
            assert call.cancelled()
            assert await call.code() is StatusCode.CANCELLED


async def test_cancelled_when_it_is_over(channel: Any, kind: str) -> None:
    with harness.action(fail) as request:
        call = started(channel, kind, request)
        with pytest.raises(RemoteError):
            await consume(call)
        assert not call.cancel()
        assert not call.cancelled()


async def test_a_task_that_is_cancelled(channel: Any, kind: str) -> None:
    gone = asyncio.Event()
    with held() as (request, _):
        call = started(channel, kind, request)
        call.add_done_callback(lambda _: gone.set())
        task = asyncio.create_task(consume(call))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await gone.wait()
        assert await call.code() is StatusCode.CANCELLED


async def test_a_timeout_of_asyncio(channel: Any, kind: str) -> None:
    with held() as (request, _):
        call = started(channel, kind, request)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await consume(call)


async def test_a_deadline_of_grpc(channel: Any, kind: str) -> None:
    with held() as (request, _):
        with pytest.raises(RemoteError) as caught:
            await consume(started(channel, kind, request, timeout=0.03))
        assert type(caught.value) is RemoteError
        assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
        assert (caught.value.error_code, caught.value.inferred) == (
            ResCode.SERVICE_UNAVAILABLE,
            True,
        )


@pytest.mark.thinned(2)
async def test_dropped_calls(channel: Any, kind: str) -> None:
    """Drops calls in each state of their lives, neither awaited nor iterated.

    The fixture checks that nothing is logged or left.
    """
    with held() as (request, gate):
        started(channel, kind, request)
        call = started(channel, kind, request)
        await asyncio.sleep(0.01)
        del call
        gc.collect()
        gate.set()
        call = started(channel, kind, request)
        assert await call.code() is StatusCode.NOT_FOUND
        del call
        gc.collect()
    if kind.endswith("stream"):
        with harness.action(fail, after=1) as request:
            responses = aiter(started(channel, kind, request))
            assert await anext(responses) == b"first"
            del responses
            gc.collect()


# Languages.


LANGUAGE = ("accept-language", "zh-CN")


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (None, grpc.aio.Metadata(LANGUAGE)),
        ((("x-a", "1"),), grpc.aio.Metadata(("x-a", "1"), LANGUAGE)),
        (grpc.aio.Metadata(("x-a", "1")), grpc.aio.Metadata(("x-a", "1"), LANGUAGE)),
        (
            grpc.aio.Metadata(("accept-language", "en")),
            grpc.aio.Metadata(("accept-language", "en")),
        ),
    ],
)
async def test_the_next_interceptor_gets_what_it_expects(
    given: Any, passed: Any, kind: str, targets: dict[str, str]
) -> None:
    seen: list[Any] = []
    credentials = grpc.access_token_call_credentials("token")

    async def see(_: Any, details: Any, __: Any) -> Any:
        seen.append(details)
        raise asyncio.CancelledError  # the test needs only the details

    interceptors = [
        *errgrpc.aio.client_interceptors(ResCode, locale="zh-CN"),
        *harness.aio_interceptors(see),
    ]
    async with connect(targets["sync"], interceptors=interceptors) as channel:
        call = started(
            channel,
            kind,
            b"",
            timeout=DEADLINE,
            metadata=given,
            credentials=credentials,
            wait_for_ready=True,
        )
        with pytest.raises(asyncio.CancelledError):
            await consume(call)
    details: Any = seen[0]
    assert len(seen) == 1
    assert type(details.metadata) is grpc.aio.Metadata
    assert details.metadata == passed
    assert (details.method, details.timeout, details.wait_for_ready) == (
        f"/test.Service/{kind}".encode(),
        DEADLINE,
        True,
    )
    assert details.credentials is credentials
    assert type(details) is grpc.aio.ClientCallDetails


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (None, (LANGUAGE,)),
        ((), (LANGUAGE,)),
        ((("x-a", "1"),), (("x-a", "1"), LANGUAGE)),
        ([("x-a", "1")], [("x-a", "1"), LANGUAGE]),
        ([("Accept-Language", "en")], [("Accept-Language", "en")]),
        (iter([("x-a", "1")]), (("x-a", "1"), LANGUAGE)),
        (iter([("accept-language", "en")]), (("accept-language", "en"),)),
    ],
)
async def test_metadata_of_other_interceptors(given: Any, passed: Any) -> None:
    class Details(grpc.aio.ClientCallDetails):
        """With an attribute that grpc's details lack, for an inner interceptor."""

        extra = object()

    seen: list[Any] = []

    async def continuation(details: Any, _: Any) -> None:
        seen.append(details)

    interceptor: Any = errgrpc.aio.client_interceptors(ResCode, locale="zh-CN")[0]
    await interceptor.intercept_unary_unary(
        continuation, Details("/test.Service/any", 1.5, given, None, True), b""
    )
    details: Any = seen[0]
    assert details == ("/test.Service/any", 1.5, passed, None, True)
    assert type(details) is Details
    assert details.extra is Details.extra
    assert type(details.metadata) is type(passed)
    assert details.metadata == passed


async def test_compression_is_passed_on(targets: dict[str, str], kind: str) -> None:
    seen = []
    with harness.action(lambda context: seen.extend(context.invocation_metadata())) as request:
        async with connect(targets["sync"], locale="zh-CN") as channel:
            assert await consume(started(channel, kind, request, compression=grpc.Compression.Gzip))
    assert [value for key, value in seen if key == "accept-language"] == ["zh-CN"]


# Many calls at once.


async def test_many_tasks_on_one_channel(channel: Any) -> None:
    codes = (ResCode.NOT_FOUND, ResCode.UNAUTHORIZED, ResCode.NIM_SERVICE_ERROR, ComponentCode(-1))

    async def run(number: int) -> None:
        kind, code = harness.KINDS[number % 4], codes[number // 4 % 4]

        def act(_: Any) -> None:
            raise ServiceError(code, number=number)

        with harness.action(act, after=1) as request:
            with pytest.raises(remote(code)) as caught:
                await consume(started(channel, kind, request, timeout=DEADLINE))
            assert caught.value.metadata == {"number": str(number)}

    await asyncio.gather(*map(run, range(200)))


def test_the_same_interceptors_for_several_channels_and_loops(targets: dict[str, str]) -> None:
    interceptors = errgrpc.aio.client_interceptors(ResCode)

    async def run() -> None:
        async with (
            connect(targets["sync"], interceptors=interceptors) as one,
            connect(targets["aio"], interceptors=interceptors) as two,
        ):
            for channel in (one, two):
                for kind in harness.KINDS:
                    with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                        await consume(started(channel, kind, request))

    with harness.action(fail) as request:
        asyncio.run(run())
        threads = [threading.Thread(target=asyncio.run, args=(run(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
