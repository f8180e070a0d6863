"""The asyncio client's interceptors outside and inside other interceptors.

Covers all kinds of methods and all ways of reading.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, Spec, remote

# If an interceptor raised, older grpcio asks for its outcome when the call is deleted.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*InterceptedCall.__del__:pytest.PytestUnraisableExceptionWarning"
)

DEADLINE = harness.DEADLINE
WAYS = [
    ("unary_unary", "await"),
    ("unary_stream", "async for"),
    ("unary_stream", "read"),
    ("stream_unary", "await"),
    ("stream_unary", "write"),
    ("stream_stream", "async for"),
    ("stream_stream", "read"),
    ("stream_stream", "write"),
]
every_way = pytest.mark.parametrize(("kind", "way"), WAYS)
# a wrapped channel is always the outermost
both_orders = pytest.mark.parametrize("order", ["outside", "inside", "inside_wrapped"])


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def succeed(_: Any) -> None:
    pass


@pytest.fixture(autouse=True)
async def nothing_goes_unnoticed() -> AsyncIterator[None]:
    async with harness.noticing():
        yield


def connect(target: str, order: str, other: Any) -> Any:
    """A channel with another interceptor per kind, outside or inside ours (outermost first)."""
    ours, others = errgrpc.aio.client_interceptors(ResCode), harness.aio_interceptors(other)
    if order == "inside_wrapped":
        return errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(target, interceptors=others), ResCode
        )
    return grpc.aio.insecure_channel(
        target, interceptors=[*others, *ours] if order == "outside" else [*ours, *others]
    )


async def outcome(channel: Any, kind: str, way: str, request: bytes) -> list[bytes]:
    """Makes a call in one of the ways; returns its responses or raises its error."""
    method = harness.method(channel, kind)
    if way == "write":
        call = method(timeout=DEADLINE)
        await call.write(request)
        await call.done_writing()
    else:
        call = method(harness.argument(kind, request), timeout=DEADLINE)
    if kind.endswith("unary"):
        return [await call]
    if way == "async for":
        return [response async for response in call]
    return [response async for response in _read(call)]


async def _read(call: Any) -> AsyncIterator[bytes]:
    while (response := await call.read()) is not grpc.aio.EOF:
        yield response


def responses(kind: str) -> list[bytes]:
    return list(harness.RESPONSES[: 1 if kind.endswith("unary") else 2])


# Interceptors that must change nothing.


async def nothing(continuation: Any, details: Any, request: Any) -> Any:
    return await continuation(details, request)


async def awaits(continuation: Any, details: Any, request: Any) -> Any:
    """Awaits unary requests only: other kinds may still have requests to write."""
    call = await continuation(details, request)
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        await call
    return call


async def raises_what_it_caught(continuation: Any, details: Any, request: Any) -> Any:
    call = await continuation(details, request)
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        try:
            await call
        except grpc.aio.AioRpcError as error:
            assert error.code() is await call.code()
            raise
    return call


async def returns_the_response(continuation: Any, details: Any, request: Any) -> Any:
    call = await continuation(details, request)
    return await call if isinstance(call, grpc.aio.UnaryUnaryCall) else call


async def asks_for_the_code(continuation: Any, details: Any, request: Any) -> Any:
    call = await continuation(details, request)
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        assert await call.code() in (StatusCode.OK, StatusCode.NOT_FOUND)
        assert await call.details() in ("", "Room Not Found")
        assert await call.initial_metadata() is not None
        assert await call.trailing_metadata() is not None
    call.add_done_callback(lambda done: done.cancelled())
    return call


async def wraps_in_a_generator(continuation: Any, details: Any, request: Any) -> Any:
    call = await continuation(details, request)
    if not isinstance(call, grpc.aio.UnaryStreamCall | grpc.aio.StreamStreamCall):
        return call

    async def generator() -> AsyncIterator[bytes]:
        async for response in call:
            yield response

    return generator()


class Details(grpc.ClientCallDetails):
    """All attributes that grpc reads, on a class that is not a named tuple."""

    def __init__(self, details: Any) -> None:
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = details.metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready


async def replaces_the_details(continuation: Any, details: Any, request: Any) -> Any:
    return await continuation(Details(details), request)


async def adds_metadata(continuation: Any, details: Any, request: Any) -> Any:
    details.metadata.add("x-added", "1")
    return await continuation(
        details._replace(metadata=grpc.aio.Metadata(*details.metadata, ("x-too", "2"))), request
    )


async def maps_the_requests(continuation: Any, details: Any, request: Any) -> Any:
    async def mapped() -> AsyncIterator[bytes]:
        if hasattr(request, "__aiter__"):
            async for part in request:
                yield part
        else:
            for part in request:
                yield part

    return await continuation(details, request if isinstance(request, bytes) else mapped())


HARMLESS: dict[str, Callable[..., Any]] = {
    intercept.__name__: intercept
    for intercept in (
        nothing,
        awaits,
        raises_what_it_caught,
        returns_the_response,
        asks_for_the_code,
        wraps_in_a_generator,
        replaces_the_details,
        adds_metadata,
        maps_the_requests,
    )
}


@pytest.mark.parametrize("other", HARMLESS)
@every_way
@both_orders
@pytest.mark.thinned(3)
async def test_typed_among_others(
    order: str, kind: str, way: str, other: str, targets: dict[str, str]
) -> None:
    if (kind, other) == ("stream_stream", "wraps_in_a_generator") and harness.GRPC < (1, 80):
        pytest.skip(
            "grpcio before 1.80 may not know its own iterator when a channel with such a call "
            "closes"
        )
    async with connect(targets["sync"], order, HARMLESS[other]) as channel:
        with harness.action(fail, after=1) as request:
            for _ in range(2):
                with pytest.raises(RemoteError) as caught:
                    await outcome(channel, kind, way, request)
                assert type(caught.value) is remote(ResCode.ROOM_NOT_EXIST)
                assert caught.value.metadata == {"room_uuid": "r-42"}
                assert caught.value.code() is StatusCode.NOT_FOUND
                assert caught.value.__cause__ is caught.value.__context__ is None
        with harness.action(succeed) as request:
            assert await outcome(channel, kind, way, request) == responses(kind)


@pytest.mark.parametrize("other", HARMLESS)
@both_orders
@pytest.mark.thinned(3)
async def test_the_outcome_is_known_among_others(
    order: str, kind: str, other: str, targets: dict[str, str]
) -> None:
    async with connect(targets["sync"], order, HARMLESS[other]) as channel:
        with harness.action(fail) as request:
            call = harness.method(channel, kind)(harness.argument(kind, request), timeout=DEADLINE)
            done: asyncio.Queue[Any] = asyncio.Queue()
            call.add_done_callback(done.put_nowait)
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                await (call if kind.endswith("unary") else anext(aiter(call)))
            assert await done.get() is call
            assert await call.code() is StatusCode.NOT_FOUND
            assert await call.details() == "Room Not Found"
            assert "grpc-status-details-bin" in [key for key, _ in await call.trailing_metadata()]
            assert (call.done(), call.cancelled()) == (True, False)


@every_way
@both_orders
async def test_retried_by_its_status(
    order: str, kind: str, way: str, targets: dict[str, str]
) -> None:
    """A typical hand-written retry for unary calls, by the error and by the code."""
    for by_error in (True, False):
        tries: list[int] = []

        def act(_: Any, tries: list[int] = tries) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise ServiceError(ResCode.SERVICE_UNAVAILABLE)

        async def retry(
            continuation: Any, details: Any, request: Any, by_error: bool = by_error
        ) -> Any:
            for _ in range(5):
                call = await continuation(details, request)
                if not isinstance(call, grpc.aio.UnaryUnaryCall):
                    return call
                try:
                    code = None if by_error else await call.code()
                    if by_error:
                        await call
                except grpc.aio.AioRpcError as error:
                    code = error.code()
                if code is not StatusCode.UNAVAILABLE:
                    return call
            raise AssertionError("too many")

        async with connect(targets["sync"], order, retry) as channel:
            with harness.action(act) as request:
                if kind == "unary_unary":
                    assert await outcome(channel, kind, way, request) == [b"first"]
                    assert len(tries) == 3
                else:
                    with pytest.raises(remote(ResCode.SERVICE_UNAVAILABLE)):
                        await outcome(channel, kind, way, request)


# Interceptors that answer without calling the server.


@both_orders
async def test_a_default_value(order: str, targets: dict[str, str]) -> None:
    async def default(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        try:
            return await call
        except grpc.aio.AioRpcError:
            return b"default"

    async with connect(targets["sync"], order, default) as channel:
        with harness.action(fail) as request:
            call = harness.method(channel, "unary_unary")(request)
            assert await call == b"default"
            assert await call.code() is StatusCode.OK
            assert await call.debug_error_string() is None
            await call.wait_for_connection()


@both_orders
@pytest.mark.parametrize("way", ["async for", "read"])
async def test_responses_of_its_own(order: str, way: str, targets: dict[str, str]) -> None:
    async def replace(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)

        async def generator() -> AsyncIterator[bytes]:
            yield b"mine"
            async for response in call:
                yield response + b"!"

        return generator()

    async with connect(targets["sync"], order, replace) as channel:
        for kind in ("unary_stream", "stream_stream"):
            with harness.action(succeed) as request:
                assert await outcome(channel, kind, way, request) == [
                    b"mine",
                    b"first!",
                    b"second!",
                ]
            with harness.action(fail) as request, pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                await outcome(channel, kind, way, request)


class Refused(grpc.aio.AioRpcError):
    """An error of another package with its own status."""

    def __init__(self) -> None:
        super().__init__(
            StatusCode.UNAUTHENTICATED, grpc.aio.Metadata(), grpc.aio.Metadata(), "log in"
        )


class Plain(grpc.RpcError):
    """Not an AioRpcError: `code()` raises it, except if our interceptor is outside of it."""


# without a call, grpc's own `write` raises
READS = [(kind, way) for kind, way in WAYS if way != "write"]


@pytest.mark.parametrize(("kind", "way"), READS)
@both_orders
@pytest.mark.parametrize("kind_of_error", [ValueError, Refused, Plain])
async def test_an_interceptor_that_raises(
    order: str, kind: str, way: str, kind_of_error: type[Exception], targets: dict[str, str]
) -> None:
    error = kind_of_error()

    async def refuse(*_: Any) -> Any:
        raise error

    async with connect(targets["sync"], order, refuse) as channel:
        itself = order == "outside" or kind_of_error is ValueError
        with pytest.raises(kind_of_error if itself else RemoteError) as caught:
            await outcome(channel, kind, way, b"")
    if itself:
        assert caught.value is error
    else:  # our interceptor converts each RpcError that it can read
        assert type(caught.value) is RemoteError
        assert caught.value.inferred
        assert caught.value.error_code is (
            ResCode.UNAUTHORIZED if kind_of_error is Refused else ResCode.INTERNAL_SERVER_ERROR
        )


@pytest.mark.parametrize(("kind", "way"), READS)
@pytest.mark.parametrize("order", ["inside", "inside_wrapped"])
async def test_an_error_that_an_inner_interceptor_made(
    order: str, kind: str, way: str, targets: dict[str, str]
) -> None:
    """The error stays the same object, with its cause and traceback.

    Some interceptors raise an error that they got elsewhere.
    """
    cause = KeyError("cause")

    async def replay(*_: Any) -> Any:
        raise errgrpc.decode(errgrpc.encode(ServiceError(ResCode.FORBIDDEN)), ResCode) from cause

    async with connect(targets["sync"], order, replay) as channel:
        with pytest.raises(remote(ResCode.FORBIDDEN)) as caught:
            await outcome(channel, kind, way, b"")
    assert caught.value.__cause__ is cause
    assert "replay" in [entry.name for entry in caught.traceback]


# Several interceptors of ours in one chain.


class ShopCode(
    ErrorCode,
    domain="aio.shop.example.com",
    default_locale="en-US",
    fallback="BROKEN",
    infer={StatusCode.NOT_FOUND: "GONE"},
):
    GONE = (
        1,
        Spec(
            StatusCode.NOT_FOUND, message="Gone", hints={"zh-CN": "没有了", "en-US": "It is gone"}
        ),
    )
    BROKEN = 2, Spec(StatusCode.INTERNAL, message="Broken")


@every_way
@pytest.mark.parametrize("code", [ResCode.NOT_FOUND, ComponentCode(-1), ShopCode.GONE], ids=str)
async def test_each_of_ours_knows_its_own_catalogue(
    kind: str, way: str, code: ErrorCode, targets: dict[str, str]
) -> None:
    def act(_: Any) -> None:
        raise ServiceError(code, room="1")

    made = errgrpc.aio.client_interceptors
    ours = [made(catalogue, locale="en-US") for catalogue in (ResCode, ComponentCode, ShopCode)]
    with harness.action(act) as request:
        for several in (ours, ours[::-1], [*ours, *ours], [made(), *ours, made()]):
            interceptors = [interceptor for one in several for interceptor in one]
            async with grpc.aio.insecure_channel(
                targets["sync"], interceptors=interceptors
            ) as channel:
                with pytest.raises(RemoteError) as caught:
                    await outcome(channel, kind, way, request)
            assert type(caught.value) is remote(code)
            assert caught.value.metadata == {"room": "1"}


@every_way
async def test_the_innermost_table_infers(kind: str, way: str, targets: dict[str, str]) -> None:
    catalogues = (ResCode, ShopCode, ComponentCode)
    interceptors = [
        interceptor
        for catalogue in catalogues
        for interceptor in errgrpc.aio.client_interceptors(catalogue)
    ]
    async with grpc.aio.insecure_channel(targets["sync"], interceptors=interceptors) as channel:
        with (
            harness.action(lambda context: context.abort(StatusCode.NOT_FOUND, "")) as request,
            pytest.raises(RemoteError) as caught,
        ):
            await outcome(channel, kind, way, request)
    assert type(caught.value) is RemoteError
    assert (caught.value.error_code, caught.value.inferred) == (ShopCode.GONE, True)


# OpenTelemetry.


# OpenTelemetry's interceptors await the outcome, so a caller that writes later deadlocks
@pytest.mark.parametrize(("kind", "way"), READS)
@both_orders
@pytest.mark.parametrize("act", [fail, succeed])
async def test_opentelemetry(
    order: str, kind: str, way: str, act: Any, targets: dict[str, str]
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    others, ours = aio_client_interceptors(provider), errgrpc.aio.client_interceptors(ResCode)
    seen = []
    with harness.action(act, after=1) as request:
        for typed in (False, True):
            interceptors = (
                {"outside": [*others, *ours], "inside": [*ours, *others]}.get(order, others)
                if typed
                else others
            )
            bare = grpc.aio.insecure_channel(targets["sync"], interceptors=interceptors)
            async with (
                errgrpc.aio.wrap_channel(bare, ResCode)
                if typed and order == "inside_wrapped"
                else bare as channel
            ):
                try:
                    assert await outcome(channel, kind, way, request) == responses(kind)
                except grpc.RpcError as error:
                    assert not typed or type(error) is remote(ResCode.ROOM_NOT_EXIST)
            [span] = exporter.get_finished_spans()
            events = [event.name for event in span.events]
            seen.append((span.name, span.status.status_code, dict(span.attributes or {}), events))
            exporter.clear()
    assert seen[0] == seen[1]
    assert seen[0][2]["rpc.grpc.status_code"] == (5 if act is fail else 0)
    provider.shutdown()
