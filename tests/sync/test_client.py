"""What the sync client raises, and when.

Also tests errors without an ErrorInfo and languages, for both clients. test_transparency.py tests
that all else is as on the bare channel.
"""

import contextlib
import gc
import itertools
import logging
import pickle
import queue
import socket
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, Spec, remote
from errgrpc.sync.client import TypedCall

DEADLINE = harness.DEADLINE


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


@pytest.fixture(params=[errgrpc.ClientInterceptor, harness.wrapped], ids=["intercepted", "wrapped"])
def door(request: pytest.FixtureRequest) -> Any:
    """The interceptor, and the wrapped channel."""
    return request.param


@pytest.fixture
def channel(targets: dict[str, str], door: Any) -> Iterator[grpc.Channel]:
    with harness.sync_channel(targets["sync"], door(ResCode, ComponentCode)) as typed:
        yield typed


@pytest.fixture(params=harness.CLIENTS)
def stack(request: pytest.FixtureRequest) -> str:
    """Each client, not only one of each stack."""
    return request.param


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """The address of a server without errgrpc."""
    with harness.serve("sync", interceptors=[]) as target:
        yield target


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
OTHERS = (remote(ResCode.NOT_FOUND), remote(ComponentCode), ServiceError, grpc.FutureCancelledError)


@pytest.mark.parametrize("catcher", CATCHERS)
def test_caught_as(catcher: Any, channel: grpc.Channel) -> None:
    with harness.action(fail) as request:
        call = harness.method(channel, "unary_unary")
        try:
            call(request)
        except OTHERS:
            pytest.fail("caught by another code")
        except catcher as error:
            assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
            assert error.error_code is ResCode.ROOM_NOT_EXIST
            assert error.metadata == {"room_uuid": "r-42"}
        else:
            pytest.fail("raised nothing")
        with contextlib.suppress(catcher):
            call(request)
        with pytest.raises(catcher):
            call(request)


def test_caught_in_groups(channel: grpc.Channel) -> None:
    call = harness.method(channel, "unary_unary")
    caught: list[Any] = []
    with harness.action(fail) as request:
        try:
            try:
                call(request)
            except RemoteError as error:
                raise ExceptionGroup("both", [error, ValueError()]) from None
        except* remote(ResCode.NOT_FOUND):
            pytest.fail("caught by another code")
        except* remote(ResCode.ROOM_NOT_EXIST) as group:
            caught.extend(group.exceptions)
        except* ValueError:
            pass
    assert [error.error_code for error in caught] == [ResCode.ROOM_NOT_EXIST]


def test_is_a_call_and_a_future_of_grpc(channel: grpc.Channel, kind: str) -> None:
    method = harness.method(channel, kind)
    with harness.action(fail) as request:
        argument = harness.argument(kind, request)
        call: Any = method.future(argument) if kind.endswith("unary") else method(argument)
        assert all(
            isinstance(call, base)
            for base in (grpc.Call, grpc.Future, grpc.RpcContext, grpc.RpcError)
        )
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            call.result() if kind.endswith("unary") else next(call)
        assert "ROOM_NOT_EXIST" not in repr(call)
        assert "StatusCode.NOT_FOUND" in repr(call)  # as the repr of grpc's own call
        assert str(call) == repr(call)


# Traceback and context of the exception.


def futures(channel: grpc.Channel, kind: str, request: bytes) -> Any:
    return harness.method(channel, kind).future(harness.argument(kind, request))


@pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
def test_one_exception_for_one_future(channel: grpc.Channel, kind: str) -> None:
    with harness.action(fail) as request:
        future = futures(channel, kind, request)
        errors = [future.exception(), future.exception(timeout=DEADLINE)]
        for _ in range(3):
            with pytest.raises(RemoteError) as caught:
                future.result(timeout=DEADLINE)
            errors.append(caught.value)
        assert all(error is errors[0] for error in errors)
        assert future.traceback() is not None


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
def test_one_exception_for_one_stream(channel: grpc.Channel, kind: str) -> None:
    with harness.action(fail, after=1) as request:
        call = harness.method(channel, kind)(harness.argument(kind, request))
        assert next(call) == b"first"
        errors = []
        for _ in range(3):
            with pytest.raises(RemoteError) as caught:
                next(call)
            errors.append(caught.value)
        assert [*errors, call.exception()] == [errors[0]] * 4


def frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_the_traceback_does_not_grow(channel: grpc.Channel) -> None:
    with harness.action(fail) as request:
        future = futures(channel, "unary_unary", request)
        stream = harness.method(channel, "unary_stream")(request)
        seen = []
        for act in (future.result, stream.__next__):
            for _ in range(3):
                with pytest.raises(RemoteError) as caught:
                    act()
                seen.append(frames(caught.value))
        assert seen[0] == seen[1] == seen[2] == ["test_the_traceback_does_not_grow", "result"]
        assert seen[3] == seen[4] == seen[5] == ["test_the_traceback_does_not_grow", "__next__"]
        assert future.exception().__traceback__ is not None  # asking keeps the traceback


def test_shows_no_error_of_grpc_beside_itself(channel: grpc.Channel, kind: str) -> None:
    method = harness.method(channel, kind)
    with harness.action(fail) as request:
        with pytest.raises(RemoteError) as caught:
            list(method(harness.argument(kind, request)))
        assert caught.value.__cause__ is caught.value.__context__ is None
        # The error keeps the exception that the caller is handling as its context, as on the bare
        # channel.
        try:
            raise LookupError("cache")
        except LookupError as handled:
            with pytest.raises(RemoteError) as caught:
                list(method(harness.argument(kind, request)))
            assert caught.value.__context__ is handled
        assert not caught.value.__suppress_context__


def test_nothing_keeps_a_call_alive(channel: grpc.Channel) -> None:
    with harness.action(fail) as request:
        future = futures(channel, "unary_unary", request)
        reference = weakref.ref(future.exception())
        del future
        gc.collect()
        assert reference() is None


# Futures.


@pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
def test_a_future_in_time(channel: grpc.Channel, kind: str) -> None:
    with held() as (request, gate):
        future = futures(channel, kind, request)
        assert (future.running(), future.done(), future.cancelled(), future.is_active()) == (
            True,
            False,
            False,
            True,
        )
        for ask in (future.result, future.exception, future.traceback):
            with pytest.raises(grpc.FutureTimeoutError):
                ask(timeout=0.01)
            with pytest.raises(grpc.FutureTimeoutError):
                ask(0.01)
        gate.set()
        assert future.exception().error_code is ResCode.ROOM_NOT_EXIST
        assert (future.running(), future.done(), future.cancelled(), future.is_active()) == (
            False,
            True,
            False,
            False,
        )
        assert future.code() is StatusCode.NOT_FOUND


@pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
def test_a_cancelled_future(channel: grpc.Channel, kind: str) -> None:
    with held() as (request, _):
        future = futures(channel, kind, request)
        done: queue.Queue[Any] = queue.Queue()
        future.add_done_callback(done.put)
        assert future.cancel()
        assert not future.cancel()
        for ask in (future.result, future.exception, future.traceback):
            with pytest.raises(grpc.FutureCancelledError):
                ask()
        assert future.cancelled()
        assert future.code() is StatusCode.CANCELLED
        assert done.get(timeout=DEADLINE) is future


def test_a_cancelled_stream(channel: grpc.Channel) -> None:
    with held(after=1) as (request, _):
        call = harness.method(channel, "unary_stream")(request)
        assert next(call) == b"first"
        assert call.cancel()
        # grpc sets no debug string for such a call, so asking for it would wait forever.
        with pytest.raises(RemoteError) as caught:
            next(call)
        assert type(caught.value) is RemoteError
        assert caught.value.code() is StatusCode.CANCELLED
        assert (caught.value.error_code, caught.value.inferred, caught.value.hint) == (
            None,
            False,
            None,
        )
        assert caught.value.debug_error_string() is None


@pytest.mark.parametrize("ask", ["exception", "result"])
def test_done_callbacks_get_the_typed_call(channel: grpc.Channel, kind: str, ask: str) -> None:
    """When a callback runs, a part of the answer may be missing.

    A callback that waits for it would block the whole channel.
    """
    done: queue.Queue[Any] = queue.Queue()

    def callback(future: Any) -> None:
        try:
            done.put((future, getattr(future, ask)()))
        except RemoteError as error:
            done.put((future, error))

    method = harness.method(channel, kind)
    for _ in range(20):
        with held() as (request, gate):
            argument = harness.argument(kind, request)
            call = method.future(argument) if kind.endswith("unary") else method(argument)
            call.add_done_callback(callback)
            gate.set()
            if kind.endswith("stream"):  # grpc sees the end of a stream only when it is read
                with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                    next(call)
            future, error = done.get(timeout=DEADLINE)
        assert future is call
        assert error.error_code is ResCode.ROOM_NOT_EXIST
        assert error.initial_metadata() == ()
        assert pickle.loads(pickle.dumps(error)).error_code is ResCode.ROOM_NOT_EXIST  # noqa: S301


def test_a_callback_that_raises_is_named_in_the_log(
    channel: grpc.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    called = threading.Event()

    def careless(_: Any) -> None:
        raise ValueError("oops")

    with held() as (request, gate), caplog.at_level(logging.ERROR, "grpc"):
        future = futures(channel, "unary_unary", request)
        future.add_done_callback(careless)
        future.add_done_callback(lambda _: called.set())
        gate.set()
        assert called.wait(DEADLINE)
    assert "careless" in caplog.text


def test_threads_that_wait_for_one_future(channel: grpc.Channel) -> None:
    with held() as (request, gate), ThreadPoolExecutor(8) as pool:
        future = futures(channel, "unary_unary", request)
        waiting = [pool.submit(future.exception) for _ in range(8)]
        gate.set()
        assert len({id(task.result(DEADLINE)) for task in waiting}) == 1


# Streams: as lazy as grpc's own.


class Talk(harness.SyncServicer):
    """Echoes each request, fails on `fail`, and counts the responses of an endless stream."""

    sent = 0

    def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
        for request in requests:
            if request == b"fail":
                fail(context)
            yield request

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        for self.sent in itertools.count(1):
            if not context.is_active():
                return
            yield request

    def stream_unary(self, requests: Any, context: Any) -> bytes:
        next(requests)
        fail(context)
        return b""


@pytest.fixture(scope="module")
def talk() -> Iterator[tuple[Talk, str]]:
    servicer = Talk()
    with harness.serve("sync", servicer=servicer) as target:
        yield servicer, target


def test_a_conversation(talk: tuple[Talk, str], door: Any) -> None:
    requests: queue.Queue[bytes] = queue.Queue()
    with harness.sync_channel(talk[1], door(ResCode)) as channel:
        call = harness.method(channel, "stream_stream")(iter(requests.get, None), timeout=DEADLINE)
        # each request is taken only after the answer to the one before
        for text in (b"one", b"two", b"three"):
            requests.put(text)
            assert next(call) == text
        requests.put(b"fail")
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            next(call)
        requests.put(b"to end the thread that reads the requests")


def test_responses_are_not_read_ahead(talk: tuple[Talk, str], door: Any) -> None:
    servicer, target = talk
    with harness.sync_channel(target, door(ResCode)) as channel:
        call = harness.method(channel, "unary_stream")(b"x" * 100_000, timeout=DEADLINE)
        for _ in range(3):
            assert len(next(call)) == 100_000
        # the flow-control window takes some; a reader ahead would never end
        assert servicer.sent < 500
        call.cancel()


def test_requests_are_not_read_ahead(talk: tuple[Talk, str], door: Any) -> None:
    read = []

    def requests() -> Iterator[bytes]:
        for number in range(10_000):
            read.append(number)
            yield b"x" * 100_000

    with harness.sync_channel(talk[1], door(ResCode)) as channel:
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            harness.method(channel, "stream_unary")(requests(), timeout=DEADLINE)
        assert len(read) < 10_000


def test_a_call_that_is_dropped_is_cancelled(talk: tuple[Talk, str], door: Any) -> None:
    gone = threading.Event()
    with harness.sync_channel(talk[1], door(ResCode)) as channel:
        call = harness.method(channel, "unary_stream")(b"x", timeout=DEADLINE)
        next(call)
        call.add_callback(gone.set)
        del call
        gc.collect()
        assert gone.wait(DEADLINE)


# Errors without an ErrorInfo, by both clients.


INFERRED = {
    StatusCode.CANCELLED: None,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 503,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 503,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 503,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 405,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNAUTHENTICATED: 401,
}


def assert_inferred(error: RemoteError, status: StatusCode, number: int | None) -> None:
    assert type(error) is RemoteError  # never remote(code): no server named a code
    assert not isinstance(error, remote(ResCode))
    assert error.code() is status
    assert error.reason is error.domain is error.request_id is None
    assert (error.metadata, error.status_details) == ({}, ())
    assert error.number == number
    assert error.inferred is (number is not None)
    assert error.error_code is (None if number is None else ResCode(number))
    assert error.hint == (None if number is None else ResCode(number).hints["zh-CN"])


@pytest.mark.parametrize("status", INFERRED, ids=lambda status: status.name)
@pytest.mark.thinned(4)
def test_inferred_from_the_status(status: StatusCode, foreign: str, kind: str, stack: str) -> None:
    def abort(context: Any) -> None:
        context.set_trailing_metadata((("x-a", "1"), ("x-b-bin", b"\xff")))
        context.abort(status, "a text")

    with harness.action(abort, after=1) as request:
        outcome = harness.call(stack, foreign, kind, request)
    assert_inferred(outcome.error, status, INFERRED[status])
    assert outcome.error.details() == outcome.details == "a text"
    assert dict(iter(outcome.error.trailing_metadata())) == {"x-a": "1", "x-b-bin": b"\xff"}
    assert outcome.error.debug_error_string()


def test_inferred_without_a_listening_server(kind: str, stack: str) -> None:
    with socket.socket() as bound:  # bound but not listening, so no other program gets the port
        bound.bind(("127.0.0.1", 0))
        outcome = harness.call(stack, f"127.0.0.1:{bound.getsockname()[1]}", kind, b"")
    assert_inferred(outcome.error, StatusCode.UNAVAILABLE, 503)


def test_inferred_for_an_unknown_method(channel: grpc.Channel, kind: str) -> None:
    with pytest.raises(RemoteError) as caught:
        list(getattr(channel, kind)("/test.Service/none")(harness.argument(kind, b"")))
    assert_inferred(caught.value, StatusCode.UNIMPLEMENTED, 405)


def test_inferred_at_the_deadline(targets: dict[str, str], kind: str, stack: str) -> None:
    with held() as (request, _):
        outcome = harness.call(stack, targets["sync"], kind, request, timeout=0.03)
    assert_inferred(outcome.error, StatusCode.DEADLINE_EXCEEDED, 503)


def test_wait_for_ready_waits(kind: str, door: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        with (
            harness.sync_channel(target, door(ResCode)) as channel,
            pytest.raises(RemoteError) as caught,
        ):
            list(
                harness.method(channel, kind)(
                    harness.argument(kind, b""), timeout=0.05, wait_for_ready=True
                )
            )
    assert_inferred(caught.value, StatusCode.DEADLINE_EXCEEDED, 503)


def test_without_a_table_nothing_is_inferred(foreign: str, stack: str) -> None:
    with harness.action(lambda context: context.abort(StatusCode.NOT_FOUND, "")) as request:
        for catalogues in ((), (ComponentCode,)):
            outcome = harness.call(stack, foreign, "unary_unary", request, catalogues=catalogues)
            assert_inferred(outcome.error, StatusCode.NOT_FOUND, None)


class ShopCode(
    ErrorCode,
    domain="shop.example.com",
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


def test_the_first_table_infers(foreign: str, stack: str) -> None:
    with harness.action(lambda context: context.abort(StatusCode.NOT_FOUND, "")) as request:
        outcome = harness.call(
            stack, foreign, "unary_unary", request, catalogues=(ComponentCode, ShopCode, ResCode)
        )
    assert outcome.error.error_code is ShopCode.GONE


# Languages, by both clients.


@pytest.mark.parametrize(
    ("locale", "metadata", "heard", "hint"),
    [
        (None, (), [], "没有了"),  # the default locale of the server below
        ("en-US", (), ["en-US"], "It is gone"),
        ("zh-TW, en;q=0.5", (), ["zh-TW, en;q=0.5"], "没有了"),
        ("en-US", (("accept-language", "zh-CN"),), ["zh-CN"], "没有了"),
        (None, (("accept-language", "en-GB"),), ["en-GB"], "It is gone"),
        ("zh-CN", (("x-a", "1"),), ["zh-CN"], "没有了"),
    ],
)
@pytest.mark.thinned(3)
def test_the_language_is_asked_for(
    locale: str | None, metadata: Any, heard: list[str], hint: str, stack: str, kind: str
) -> None:
    seen: list[Any] = []

    class Shop(ErrorCode, domain="zh.shop.example.com", default_locale="zh-CN", fallback="GONE"):
        GONE = (
            1,
            Spec(
                StatusCode.NOT_FOUND,
                message="Gone",
                hints={"zh-CN": "没有了", "en-US": "It is gone"},
            ),
        )

    def act(context: Any) -> None:
        seen.extend(
            entry
            for entry in context.invocation_metadata()
            if entry.key in ("accept-language", "x-a")
        )
        raise ServiceError(Shop.GONE)

    with harness.serve("sync", catalogue=Shop) as target, harness.action(act) as request:
        outcome = harness.call(
            stack, target, kind, request, catalogues=(Shop,), locale=locale, metadata=metadata
        )
    assert [entry.value for entry in seen if entry.key == "accept-language"] == heard
    assert [entry.value for entry in seen if entry.key == "x-a"] == [
        value for key, value in metadata if key == "x-a"
    ]
    assert outcome.error.hint == hint


@pytest.mark.parametrize(
    ("locale", "metadata", "hint"),
    [
        (None, (), "It is gone"),
        ("zh-CN", (), "没有了"),
        ("en-US", (("accept-language", "zh-CN"),), "没有了"),
        (None, (("accept-language", "zh"),), "没有了"),
        ("zh-CN", ((b"accept-language", b"en"),), "It is gone"),  # grpc accepts bytes, too
        ("zh-CN", (("accept-language", "fr"),), "It is gone"),
    ],
)
@pytest.mark.thinned(3)
def test_the_table_speaks_the_language_of_the_call(
    locale: str | None, metadata: Any, hint: str, foreign: str, stack: str, kind: str
) -> None:
    with harness.action(lambda context: context.abort(StatusCode.NOT_FOUND, "")) as request:
        outcome = harness.call(
            stack, foreign, kind, request, catalogues=(ShopCode,), locale=locale, metadata=metadata
        )
    assert outcome.error.inferred
    assert outcome.error.hint == hint


@pytest.mark.parametrize("locale", ["zh_CN", "", "中文", "en;q=2", "en,,zh\n", 7])
def test_a_broken_locale_is_refused(locale: Any) -> None:
    for make in (errgrpc.ClientInterceptor, errgrpc.aio.client_interceptors):
        with pytest.raises(ValueError, match="locale"):
            make(ResCode, locale=locale)


def test_wrong_catalogues_are_refused() -> None:
    for make in (errgrpc.ClientInterceptor, errgrpc.aio.client_interceptors):
        with pytest.raises(TypeError, match="no catalogue"):
            make("ResCode")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="no catalogue"):
            make(ResCode.NOT_FOUND)  # type: ignore[arg-type]


class Recording(harness.NullClientInterceptor):
    """Keeps the details of each call, and the request."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        self.seen.append(details)
        return continuation(details, request)


LANGUAGE = ("accept-language", "zh-CN")


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (None, (LANGUAGE,)),
        ((), (LANGUAGE,)),
        ((("x-a", "1"),), (("x-a", "1"), LANGUAGE)),
        ([("x-a", "1")], [("x-a", "1"), LANGUAGE]),
        (grpc.aio.Metadata(("x-a", "1")), grpc.aio.Metadata(("x-a", "1"), LANGUAGE)),
        ((("accept-language", "en"),), (("accept-language", "en"),)),
        ([("accept-language", "en")], [("accept-language", "en")]),
    ],
)
def test_the_next_interceptor_gets_what_it_expects(
    given: Any, passed: Any, kind: str, targets: dict[str, str], door: Any
) -> None:
    inner, credentials = Recording(), grpc.access_token_call_credentials("token")
    with harness.sync_channel(targets["sync"], door(ResCode, locale="zh-CN"), inner) as channel:
        method = harness.method(channel, kind)
        call = method.future if kind.endswith("unary") else method
        call(
            harness.argument(kind, b""),
            timeout=DEADLINE,
            metadata=given,
            credentials=credentials,
            wait_for_ready=True,
            compression=grpc.Compression.Gzip,
        ).cancel()
    [details] = inner.seen
    assert type(details.metadata) is type(passed)
    assert list(details.metadata) == list(passed)
    assert (details.method, details.timeout, details.wait_for_ready) == (
        f"/test.Service/{kind}",
        DEADLINE,
        True,
    )
    assert details.credentials is credentials
    assert details.compression is grpc.Compression.Gzip


def test_metadata_that_can_be_read_only_once(targets: dict[str, str], kind: str, door: Any) -> None:
    seen = []
    with harness.action(lambda context: seen.extend(context.invocation_metadata())) as request:
        for locale in (None, "zh-CN"):
            with harness.sync_channel(targets["sync"], door(ResCode, locale=locale)) as channel:
                response = harness.method(channel, kind)(
                    harness.argument(kind, request), metadata=iter([("x-a", "1")])
                )
                assert list(response)
    assert [value for key, value in seen if key in ("x-a", "accept-language")] == [
        "1",
        "1",
        "zh-CN",
    ]


def test_details_that_are_no_named_tuple(targets: dict[str, str]) -> None:
    """Details of a hand-written call of the interceptor: present and absent attributes stay so."""

    class Details(grpc.ClientCallDetails):
        method = "/test.Service/unary_unary"
        metadata = (("x-a", "1"),)
        extra = object()

    passed = []
    interceptor = errgrpc.ClientInterceptor(ResCode, locale="zh-CN")
    interceptor.intercept_unary_unary(lambda details, _: passed.append(details), Details(), b"")
    assert passed[0].metadata == (("x-a", "1"), LANGUAGE)
    assert passed[0].method == Details.method
    assert passed[0].extra is Details.extra
    assert not hasattr(passed[0], "timeout")
    assert isinstance(passed[0], grpc.ClientCallDetails)


# Threads and channels.


def test_many_threads_on_one_channel(channel: grpc.Channel) -> None:
    codes = (ResCode.NOT_FOUND, ResCode.UNAUTHORIZED, ResCode.NIM_SERVICE_ERROR, ComponentCode(-1))

    def run(number: int) -> None:
        kind, code = harness.KINDS[number % 4], codes[number // 4 % 4]

        def act(_: Any) -> None:
            raise ServiceError(code, number=number)

        with harness.action(act, after=1) as request:
            for _ in range(5):
                with pytest.raises(remote(code)) as caught:
                    list(
                        harness.method(channel, kind)(
                            harness.argument(kind, request), timeout=DEADLINE
                        )
                    )
                assert caught.value.metadata == {"number": str(number)}

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(run, range(32)))


def test_one_interceptor_for_several_channels(targets: dict[str, str], foreign: str) -> None:
    interceptor = errgrpc.ClientInterceptor(ResCode)
    with (
        harness.sync_channel(targets["sync"], interceptor) as ours,
        harness.sync_channel(targets["aio"], interceptor) as too,
        harness.sync_channel(foreign, interceptor) as theirs,
        harness.action(fail) as request,
    ):
        for channel, kind in (
            (ours, remote(ResCode.ROOM_NOT_EXIST)),
            (theirs, RemoteError),
            (too, remote(ResCode.ROOM_NOT_EXIST)),
        ):
            with pytest.raises(RemoteError) as caught:
                harness.method(channel, "unary_unary")(request)
            assert type(caught.value) is kind


def test_the_call_is_asked_for_nothing() -> None:
    class Details(grpc.ClientCallDetails):
        method = "/test.Service/unary_stream"
        metadata = None

    class Untouchable:
        def __getattribute__(self, name: str) -> Any:
            assert name == "__class__"  # isinstance reads it
            return object.__getattribute__(self, name)

    call = errgrpc.ClientInterceptor(ResCode).intercept_unary_stream(
        lambda *_: Untouchable(), Details(), b""
    )
    assert type(call) is TypedCall
