"""The sync client's interceptor outside and inside other interceptors.

Covers all kinds of methods, blocking calls and futures.
"""

import functools
import queue
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc_interceptor
import harness
import pytest
from grpc import StatusCode
from opentelemetry.instrumentation.grpc import client_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel as intercept_by_otel
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, Spec, remote

DEADLINE = harness.DEADLINE
WAYS = [
    ("unary_unary", "blocking"),
    ("unary_unary", "with_call"),
    ("unary_unary", "future"),
    ("unary_stream", "stream"),
    ("stream_unary", "blocking"),
    ("stream_unary", "with_call"),
    ("stream_unary", "future"),
    ("stream_stream", "stream"),
]
every_door = pytest.mark.parametrize(
    "door", [errgrpc.ClientInterceptor, harness.wrapped], ids=["intercepted", "wrapped"]
)
every_way = pytest.mark.parametrize(("kind", "way"), WAYS)
both_orders = pytest.mark.parametrize(
    "order", ["outside", "inside", "outside_wrapped", "inside_wrapped"]
)


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def succeed(_: Any) -> None:
    pass


def chain(order: str, other: Any) -> tuple[Any, ...]:
    """The other interceptor outside or inside ours, or in a wrapped channel (outermost first)."""
    ours = (
        harness.wrapped(ResCode)
        if order.endswith("wrapped")
        else errgrpc.ClientInterceptor(ResCode)
    )
    return (other, ours) if order.startswith("outside") else (ours, other)


def outcome(
    channel: grpc.Channel, kind: str, way: str, *requests: bytes, **options: Any
) -> list[bytes]:
    """Makes a call in one of the ways; returns its responses or raises its error."""
    method, argument = harness.method(channel, kind), harness.argument(kind, *requests)
    if way == "blocking":
        return [method(argument, timeout=DEADLINE, **options)]
    if way == "with_call":
        return [method.with_call(argument, timeout=DEADLINE, **options)[0]]
    if way == "future":
        return [method.future(argument, timeout=DEADLINE, **options).result()]
    return list(method(argument, timeout=DEADLINE, **options))


def responses(kind: str) -> list[bytes]:
    return list(harness.RESPONSES[: 1 if kind.endswith("unary") else 2])


Intercept = Callable[[Any, Any, Any], Any]


class Own(harness.NullClientInterceptor):
    """An interceptor made of a function."""

    def __init__(self, intercept: Intercept) -> None:
        self.intercept: Any = intercept


# Interceptors that must change nothing.


def nothing(continuation: Any, details: Any, request: Any) -> Any:
    return continuation(details, request)


def asks_for_the_result(continuation: Any, details: Any, request: Any) -> Any:
    call = continuation(details, request)
    if details.method.endswith("unary"):
        call.result()
    return call


def asks_for_all(continuation: Any, details: Any, request: Any) -> Any:
    call = continuation(details, request)
    if details.method.endswith("unary"):
        error = call.exception()
        assert call.code() is (StatusCode.OK if error is None else error.code())
        assert (call.details(), call.done(), call.cancelled()) == (
            "" if error is None else error.details(),
            True,
            False,
        )
        assert call.initial_metadata() is not None
        assert call.trailing_metadata() is not None
        call.add_done_callback(lambda future: future.exception())
    return call


def raises_what_it_caught(continuation: Any, details: Any, request: Any) -> Any:
    call = continuation(details, request)
    if details.method.endswith("unary") and (error := call.exception()) is not None:
        raise error
    return call


class Wrapper(grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A careless wrapper: `result` takes no timeout, and it is iterable but not an iterator."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def result(self) -> Any:  # type: ignore[override]
        return self._call.result()

    def exception(self) -> Any:  # type: ignore[override]
        return self._call.exception()

    def traceback(self) -> Any:  # type: ignore[override]
        return self._call.traceback()

    def __iter__(self) -> Iterator[Any]:
        yield from self._call


for _name in Wrapper.__abstractmethods__:
    setattr(
        Wrapper,
        _name,
        functools.partialmethod(lambda self, name, *rest: getattr(self._call, name)(*rest), _name),
    )
Wrapper.__abstractmethods__ = frozenset()
_wrap: Callable[[Any], Any] = Wrapper


def wraps(continuation: Any, details: Any, request: Any) -> Any:
    return _wrap(continuation(details, request))


def wraps_in_a_generator(continuation: Any, details: Any, request: Any) -> Any:
    call = continuation(details, request)
    if details.method.endswith("unary"):
        return call

    def generator() -> Iterator[Any]:
        yield from call

    return generator()


class Bare(grpc.ClientCallDetails):
    """Details with the method only: grpc takes the rest from the call."""

    def __init__(self, method: str) -> None:
        self.method = method


def changes_the_details(continuation: Any, details: Any, request: Any) -> Any:
    return continuation(Bare(details.method), request)


def replaces_the_details(continuation: Any, details: Any, request: Any) -> Any:
    return continuation(
        details._replace(metadata=[*(details.metadata or ()), ("x-added", "1")]), request
    )


def maps_the_requests(continuation: Any, details: Any, request: Any) -> Any:
    return continuation(
        details, request if isinstance(request, bytes) else (bytes(part) for part in request)
    )


class FromAPackage(grpc_interceptor.ClientInterceptor):
    def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,
        call_details: grpc.ClientCallDetails,
    ) -> Any:
        return method(request_or_iterator, call_details)


HARMLESS = {
    intercept.__name__: Own(intercept)
    for intercept in (
        nothing,
        asks_for_the_result,
        asks_for_all,
        raises_what_it_caught,
        wraps,
        wraps_in_a_generator,
        changes_the_details,
        replaces_the_details,
        maps_the_requests,
    )
} | {"grpc_interceptor": FromAPackage()}


@pytest.mark.parametrize("other", HARMLESS)
@every_way
@both_orders
@pytest.mark.thinned(3)
def test_typed_among_others(
    order: str, kind: str, way: str, other: str, targets: dict[str, str]
) -> None:
    with harness.sync_channel(targets["sync"], *chain(order, HARMLESS[other])) as channel:
        with harness.action(fail, after=1) as request:
            for _ in range(2):
                with pytest.raises(RemoteError) as caught:
                    outcome(channel, kind, way, request)
                assert type(caught.value) is remote(ResCode.ROOM_NOT_EXIST)
                assert caught.value.metadata == {"room_uuid": "r-42"}
                assert caught.value.code() is StatusCode.NOT_FOUND
                assert caught.value.__cause__ is caught.value.__context__ is None
        with harness.action(succeed) as request:
            assert outcome(channel, kind, way, request) == responses(kind)


@every_way
def test_two_of_each(kind: str, way: str, targets: dict[str, str]) -> None:
    null, ours = Own(asks_for_all), errgrpc.ClientInterceptor(ResCode)
    with (
        harness.sync_channel(targets["sync"], null, ours, null, ours, null) as channel,
        harness.action(fail) as request,
    ):
        for _ in range(2):
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                outcome(channel, kind, way, request)


# What an interceptor outside of ours sees.


@every_way
def test_outer_interceptors_see_a_typed_call(kind: str, way: str, targets: dict[str, str]) -> None:
    seen: list[Any] = []

    def see(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        assert isinstance(call, grpc.Call)
        assert isinstance(call, grpc.Future)
        if kind.endswith("unary"):
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)) as caught:
                call.result(timeout=DEADLINE)
            assert call.exception(timeout=DEADLINE) is caught.value
            assert call.traceback(timeout=DEADLINE) is not None
            assert (call.running(), call.is_active(), call.cancel(), call.cancelled()) == (
                False,
                False,
                False,
                False,
            )
            assert not call.add_callback(lambda: None)
            call.add_done_callback(seen.append)
            seen.append(call.code())
        return call

    interceptors = chain("outside", Own(see))
    expected = pytest.raises(remote(ResCode.ROOM_NOT_EXIST))
    with (
        harness.action(fail) as request,
        harness.sync_channel(targets["sync"], *interceptors) as channel,
        expected as caught,
    ):
        outcome(channel, kind, way, request)
    if kind.endswith("unary"):
        assert seen[1] is StatusCode.NOT_FOUND
        assert seen[0].exception() is caught.value


@every_way
@both_orders
def test_retried_by_its_status(order: str, kind: str, way: str, targets: dict[str, str]) -> None:
    """A typical hand-written retry: ask for the code, and retry if it is UNAVAILABLE."""
    tries = []

    def act(_: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ServiceError(ResCode.SERVICE_UNAVAILABLE)

    def retry(continuation: Any, details: Any, request: Any) -> Any:
        requests = list(request) if kind.startswith("stream") else request
        for _ in range(5):
            call = continuation(details, iter(requests) if kind.startswith("stream") else requests)
            if kind.endswith("stream"):
                return call  # a stream has a code only after it was read
            if call.code() is not StatusCode.UNAVAILABLE:
                return call
        raise AssertionError("too many")

    with (
        harness.sync_channel(targets["sync"], *chain(order, Own(retry))) as channel,
        harness.action(act) as request,
    ):
        if kind.endswith("stream"):
            with pytest.raises(remote(ResCode.SERVICE_UNAVAILABLE)):
                outcome(channel, kind, way, request)
        else:
            assert outcome(channel, kind, way, request) == [b"first"]
            assert len(tries) == 3


# Interceptors that answer without calling the server.


class Value(grpc.Future):  # type: ignore[type-arg]
    """As in grpc's own example of an interceptor with a default value: not a Call."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def result(self, timeout: float | None = None) -> bytes:
        return self._value

    def exception(self, timeout: float | None = None) -> None:
        return None

    def done(self) -> bool:
        return True

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        fn(self)

    traceback: Any = exception
    cancel: Any = exception
    cancelled: Any = exception
    running: Any = exception


@every_way
@both_orders
def test_a_default_value(order: str, kind: str, way: str, targets: dict[str, str]) -> None:
    def default(continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        if kind.endswith("stream"):
            return [b"a", b"list"]  # iterable, but not an iterator
        return call if call.exception() is None else Value(b"default")

    with (
        harness.sync_channel(targets["sync"], *chain(order, Own(default))) as channel,
        harness.action(fail) as request,
    ):
        assert outcome(channel, kind, way, request) == (
            [b"default"] if kind.endswith("unary") else [b"a", b"list"]
        )


class Refused(grpc.RpcError):
    """An error of another package with its own status."""

    def code(self) -> StatusCode:
        return StatusCode.UNAUTHENTICATED

    def details(self) -> str:
        return "log in"


@every_way
@both_orders
@pytest.mark.parametrize(
    "error", [ValueError("not today"), Refused()], ids=lambda error: type(error).__name__
)
def test_an_interceptor_that_raises(
    order: str, kind: str, way: str, error: Exception, targets: dict[str, str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise error

    itself = order.startswith("outside") or isinstance(error, ValueError)
    expected = pytest.raises(type(error) if itself else RemoteError)
    with (
        harness.sync_channel(targets["sync"], *chain(order, Own(refuse))) as channel,
        expected as caught,
    ):
        outcome(channel, kind, way, b"")
    if itself:
        assert caught.value is error
    else:  # our interceptor converts each RpcError that it can read
        assert type(caught.value) is RemoteError
        assert (caught.value.error_code, caught.value.inferred) == (ResCode.UNAUTHORIZED, True)
        assert (caught.value.code(), caught.value.details()) == (
            StatusCode.UNAUTHENTICATED,
            "log in",
        )
        assert (
            caught.value.initial_metadata()
            is caught.value.trailing_metadata()
            is caught.value.debug_error_string()
            is None
        )


@every_way
@pytest.mark.parametrize("order", ["inside", "inside_wrapped"])
def test_an_error_that_an_inner_interceptor_made(
    order: str, kind: str, way: str, targets: dict[str, str]
) -> None:
    """The error stays the same object, with its cause and traceback.

    Some interceptors raise an error that they got elsewhere.
    """
    cause = KeyError("cause")

    def replay(*_: Any) -> Any:
        raise errgrpc.decode(errgrpc.encode(ServiceError(ResCode.FORBIDDEN)), ResCode) from cause

    expected = pytest.raises(remote(ResCode.FORBIDDEN))
    with (
        harness.sync_channel(targets["sync"], *chain(order, Own(replay))) as channel,
        expected as caught,
    ):
        outcome(channel, kind, way, b"")
    assert caught.value.__cause__ is cause
    assert "replay" in [entry.name for entry in caught.traceback]


# Several interceptors of ours in one chain.


class ShopCode(
    ErrorCode,
    domain="sync.shop.example.com",
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
@every_door
def test_each_of_ours_knows_its_own_catalogue(
    door: Any, kind: str, way: str, code: ErrorCode, targets: dict[str, str]
) -> None:
    def act(_: Any) -> None:
        raise ServiceError(code, room="1")

    ours = [door(catalogue, locale="en-US") for catalogue in (ResCode, ComponentCode, ShopCode)]
    with harness.action(act) as request:
        for interceptors in (
            ours,
            ours[::-1],
            [*ours, *ours],
            [errgrpc.ClientInterceptor(), *ours, door()],
        ):
            with (
                harness.sync_channel(targets["sync"], *interceptors) as channel,
                pytest.raises(RemoteError) as caught,
            ):
                outcome(channel, kind, way, request)
            assert type(caught.value) is remote(code)
            assert caught.value.metadata == {"room": "1"}
            assert caught.value.trailing_metadata()


@every_way
@every_door
def test_the_innermost_table_infers(
    door: Any, kind: str, way: str, targets: dict[str, str]
) -> None:
    ours = [door(catalogue) for catalogue in (ResCode, ShopCode, ComponentCode)]
    abort = harness.action(lambda context: context.abort(StatusCode.NOT_FOUND, ""))
    with (
        harness.sync_channel(targets["sync"], *ours) as channel,
        abort as request,
        pytest.raises(RemoteError) as caught,
    ):
        outcome(channel, kind, way, request)
    assert type(caught.value) is RemoteError
    assert (caught.value.error_code, caught.value.inferred) == (ShopCode.GONE, True)


# OpenTelemetry wraps channels with its own kind of interceptors.


class Spans(SpanProcessor):
    """Waits for spans: the span of a future ends in a callback."""

    def __init__(self) -> None:
        self._ended: queue.Queue[ReadableSpan] = queue.Queue()
        self.provider = TracerProvider()
        self.provider.add_span_processor(self)

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.put(span)

    def next(self) -> tuple[Any, ...]:
        span = self._ended.get(timeout=DEADLINE)
        return (
            span.name,
            span.status.status_code,
            dict(span.attributes or {}),
            [event.name for event in span.events],
        )


@every_way
@both_orders
@pytest.mark.parametrize("act", [fail, succeed])
def test_opentelemetry(order: str, kind: str, way: str, act: Any, targets: dict[str, str]) -> None:
    spans = Spans()
    other = client_interceptor(spans.provider)
    seen = []

    def ours(channel: grpc.Channel) -> grpc.Channel:
        return (
            errgrpc.wrap_channel(channel, ResCode)
            if order.endswith("wrapped")
            else grpc.intercept_channel(channel, interceptor)
        )

    interceptor = errgrpc.ClientInterceptor(ResCode)
    with harness.sync_channel(targets["sync"]) as bare, harness.action(act, after=1) as request:
        traced = intercept_by_otel(bare, other)
        typed = ours(traced) if order.startswith("inside") else intercept_by_otel(ours(bare), other)
        for channel in (traced, typed):
            try:
                assert outcome(channel, kind, way, request) == responses(kind)
            except grpc.RpcError as error:
                assert channel is traced or type(error) is remote(ResCode.ROOM_NOT_EXIST)
            seen.append(spans.next())
    assert seen[0] == seen[1]
    assert seen[0][2]["rpc.grpc.status_code"] == (5 if act is fail else 0)
    spans.provider.shutdown()
