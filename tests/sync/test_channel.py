"""Wrapped channels of the sync stack: classes, methods and lifetime.

test_client.py tests what their calls raise, and test_transparency.py what else their calls do.
"""

import functools
import gc
import queue
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
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import proto_reflection_descriptor_database, reflection  # type: ignore[import-untyped]

import errgrpc
from errgrpc import ErrorCode, RemoteError, ResCode, ServiceError, Spec, remote

DEADLINE = harness.DEADLINE
CLASSES: list[Any] = [
    grpc.Channel,
    grpc.UnaryUnaryMultiCallable,
    grpc.UnaryStreamMultiCallable,
    grpc.StreamUnaryMultiCallable,
    grpc.StreamStreamMultiCallable,
    grpc.RpcContext,
    grpc.Call,
    grpc.Future,
    grpc.RpcError,
]


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def succeed(_: Any) -> None:
    pass


@pytest.fixture
def bare(targets: dict[str, str]) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(targets["sync"]) as channel:
        yield channel


@pytest.fixture
def wrapped(bare: grpc.Channel) -> grpc.Channel:
    return errgrpc.wrap_channel(bare, ResCode)


# Classes of the channel and its objects.


def kinds_of(value: Any) -> list[Any]:
    return [kind for kind in CLASSES if isinstance(value, kind)]


def made_by(channel: grpc.Channel, kind: str) -> Iterator[Any]:
    """The channel and each object that it makes."""
    method = harness.method(channel, kind)
    yield from (channel, method)
    for act in (fail, succeed):
        with harness.action(act) as request:
            if kind.endswith("stream"):
                call = method(harness.argument(kind, request))
                yield call
                try:
                    list(call)
                except grpc.RpcError as error:
                    yield error
                yield call
            else:
                future = method.future(harness.argument(kind, request))
                yield from (future, future.exception(), future)
                try:
                    yield method.with_call(harness.argument(kind, request))[1]
                except grpc.RpcError as error:
                    yield error


def test_all_is_of_the_classes_of_grpc(
    bare: grpc.Channel, wrapped: grpc.Channel, kind: str
) -> None:
    of_bare, of_wrapped = (
        list(map(kinds_of, made_by(bare, kind))),
        list(map(kinds_of, made_by(wrapped, kind))),
    )
    assert of_wrapped == of_bare
    assert grpc.RpcError in of_wrapped[2]
    assert any(
        isinstance(value, remote(ResCode.ROOM_NOT_EXIST)) for value in made_by(wrapped, kind)
    )


# Refused channels and catalogues.


async def test_what_is_no_channel_is_refused(bare: grpc.Channel) -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as aio:
        for value in (
            aio,
            None,
            "127.0.0.1:1",
            grpc.Channel,
            errgrpc.ClientInterceptor(),
            harness.method(bare, "unary_unary"),
        ):
            with pytest.raises(
                TypeError,
                match=r"is no grpc\.Channel; errgrpc\.aio\.wrap_channel takes those of grpc\.aio",
            ):
                errgrpc.wrap_channel(value, ResCode)  # type: ignore[arg-type]


class Twin(ErrorCode, domain=ResCode.domain):
    ROOM_NOT_EXIST = 1, Spec(StatusCode.NOT_FOUND, message="Another")


WRONG: list[tuple[Any, Any, type[Exception], str]] = [
    (("ResCode",), None, TypeError, "no catalogue"),
    ((ResCode.NOT_FOUND,), None, TypeError, "no catalogue"),
    ((ResCode, Twin), None, ValueError, "ROOM_NOT_EXIST"),
    ((ResCode,), "zh_CN", ValueError, "locale"),
]


@pytest.mark.parametrize(("catalogues", "locale", "kind_of_error", "named"), WRONG)
async def test_wrong_arguments_are_refused_as_by_the_interceptors(
    catalogues: Any, locale: Any, kind_of_error: type[Exception], named: str, bare: grpc.Channel
) -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as aio:
        said = set()
        for make in (
            errgrpc.ClientInterceptor,
            functools.partial(errgrpc.wrap_channel, bare),
            functools.partial(errgrpc.aio.wrap_channel, aio),
        ):
            with pytest.raises(kind_of_error, match=named) as caught:
                make(*catalogues, locale=locale)
            said.add(str(caught.value))
    assert len(said) == 1


def test_a_channel_of_someone_else_is_one() -> None:
    assert isinstance(errgrpc.wrap_channel(Recorder()), grpc.Channel)


# Everything except calls.


def test_it_is_its_own_context(targets: dict[str, str]) -> None:
    for wrap in (lambda channel: channel, lambda channel: errgrpc.wrap_channel(channel, ResCode)):
        channel = wrap(grpc.insecure_channel(targets["sync"]))
        with harness.action(succeed) as request, channel as entered:
            assert entered is channel
            method = harness.method(entered, "unary_unary")
            assert method(request) == b"first"
        with pytest.raises(ValueError, match="closed channel"):
            method(request)
        channel.close()  # a second close is allowed
        with pytest.raises(LookupError), wrap(grpc.insecure_channel(targets["sync"])):
            raise LookupError


def test_closing_cancels_what_is_under_way(targets: dict[str, str], kind: str) -> None:
    seen = []
    gate = threading.Event()
    with harness.action(lambda _: gate.wait(DEADLINE)) as request:
        for wrap in (
            lambda channel: channel,
            lambda channel: errgrpc.wrap_channel(channel, ResCode),
        ):
            channel = wrap(grpc.insecure_channel(targets["sync"]))
            method = harness.method(channel, kind)
            call: Any = (method.future if kind.endswith("unary") else method)(
                harness.argument(kind, request)
            )
            channel.close()
            with pytest.raises(grpc.RpcError):
                call.result() if kind.endswith("unary") else next(call)
            seen.append((call.code(), call.details()))
        gate.set()
    assert seen[0] == seen[1]
    assert seen[1][0] is StatusCode.CANCELLED


def test_its_connectivity(wrapped: grpc.Channel) -> None:
    states: queue.Queue[grpc.ChannelConnectivity] = queue.Queue()
    wrapped.subscribe(states.put, try_to_connect=True)
    seen = []
    while grpc.ChannelConnectivity.READY not in seen:
        seen.append(states.get(timeout=DEADLINE))
    assert seen[0] is grpc.ChannelConnectivity.IDLE
    wrapped.unsubscribe(states.put)
    wrapped.close()
    assert states.empty()


def test_it_can_be_waited_for(wrapped: grpc.Channel) -> None:
    future = grpc.channel_ready_future(wrapped)
    future.result(timeout=DEADLINE)
    assert future.done()
    with grpc.insecure_channel("127.0.0.1:1") as nobody:
        future = grpc.channel_ready_future(errgrpc.wrap_channel(nobody))
        with pytest.raises(grpc.FutureTimeoutError):
            future.result(timeout=0.01)
        assert future.cancel()


# What the channel passes on.


class Recorder(grpc.Channel):
    """Records how its methods are made and called; it has only the members of `grpc.Channel`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def _made(self, *args: Any, **kwargs: Any) -> Any:
        self.seen.append((args, kwargs))

        class Method(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
            def __call__(_, *args: Any, **kwargs: Any) -> Any:
                self.seen.append((args, kwargs))

            with_call: Any = __call__
            future: Any = __call__

        return Method()

    unary_unary: Any = _made
    unary_stream: Any = _made
    stream_unary: Any = _made
    stream_stream: Any = _made

    def subscribe(self, callback: Any, try_to_connect: Any = False) -> None: ...
    def unsubscribe(self, callback: Any) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *_: Any) -> Any: ...


@pytest.mark.parametrize(
    "made",
    [
        (("/a/b",), {}),
        (("/a/b", bytes, bytes, True), {}),
        (("/a/b",), {"request_serializer": 1, "_registered_method": True}),
    ],
)
def test_methods_are_made_as_asked_for(made: Any, kind: str) -> None:
    recorder = Recorder()
    getattr(errgrpc.wrap_channel(recorder), kind)(*made[0], **made[1])
    assert recorder.seen == [made]


class Untouchable(tuple[tuple[str, str], ...]):
    """Metadata that must not be read."""

    def __iter__(self) -> Any:
        raise AssertionError


@pytest.mark.parametrize("way", ["__call__", "with_call", "future"])
def test_without_a_locale_nothing_is_touched(way: str, kind: str) -> None:
    if kind.endswith("stream") and way != "__call__":
        return
    recorder = Recorder()
    call = getattr(getattr(errgrpc.wrap_channel(recorder, ResCode), kind)("/a/b"), way)
    metadata = Untouchable()
    calls: list[Any] = [
        ((1,), {}),
        ((), {"request": 1, "timeout": 2}),
        ((1, 2, metadata), {}),
        ((1,), {"metadata": metadata, "other": 3}),
    ]
    for args, kwargs in calls:
        call(*args, **kwargs)
    assert recorder.seen[1:] == calls
    assert all(
        value is metadata for value in (recorder.seen[3][0][2], recorder.seen[4][1]["metadata"])
    )


@pytest.mark.parametrize("way", ["__call__", "with_call", "future"])
def test_a_locale_is_added(way: str, kind: str) -> None:
    if kind.endswith("stream") and way != "__call__":
        return
    recorder = Recorder()
    call = getattr(
        getattr(errgrpc.wrap_channel(recorder, ResCode, locale="zh-CN"), kind)("/a/b"), way
    )
    language, own, other = ("accept-language", "zh-CN"), ("accept-language", "en"), ("x-a", "1")
    calls: list[Any] = [
        ((1,), {}, ((1,), {"metadata": (language,)})),
        ((1,), {"timeout": 2, "metadata": None}, ((1,), {"timeout": 2, "metadata": (language,)})),
        ((1, 2, (other,), 4), {}, ((1, 2, (other, language), 4), {})),
        ((1, 2, iter([other])), {}, ((1, 2, (other, language)), {})),
        ((1,), {"metadata": [other]}, ((1,), {"metadata": [other, language]})),
        ((1,), {"metadata": [own]}, ((1,), {"metadata": [own]})),
        ((1,), {"metadata": 5}, ((1,), {"metadata": 5})),  # grpc refuses it later
    ]
    for args, kwargs, _ in calls:
        call(*args, **kwargs)
    assert recorder.seen[1:] == [passed for _, _, passed in calls]
    metadata = [other]
    call(1, metadata=metadata)
    assert metadata == [other]  # the caller's list is unchanged


def test_stubs_of_generated_code(targets: dict[str, str]) -> None:
    services: list[str] = [health.SERVICE_NAME, "grpc.reflection.v1alpha.ServerReflection"]
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        reflection.enable_server_reflection(services, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with errgrpc.wrap_channel(
            grpc.insecure_channel(f"127.0.0.1:{port}"), ResCode, locale="zh-CN"
        ) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert (
                stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE).status
                == health_pb2.HealthCheckResponse.SERVING
            )
            with pytest.raises(RemoteError) as caught:
                stub.Check(health_pb2.HealthCheckRequest(service="none"), timeout=DEADLINE)
            assert (caught.value.code(), caught.value.error_code) == (
                StatusCode.NOT_FOUND,
                ResCode.NOT_FOUND,
            )
            watch = stub.Watch(health_pb2.HealthCheckRequest())
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            assert watch.cancel()
            assert (
                services[0]
                in proto_reflection_descriptor_database.ProtoReflectionDescriptorDatabase(
                    channel
                ).get_services()
            )
        server.stop(None).wait()


# How errors leave the channel.


def test_one_frame_of_ours_in_the_traceback(wrapped: grpc.Channel, kind: str) -> None:
    if kind.endswith("stream"):
        return  # streams raise later, not in the call: see test_client.py
    method = harness.method(wrapped, kind)
    with harness.action(fail) as request:
        for name, call in (("__call__", method), ("with_call", method.with_call)):
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)) as caught:
                call(harness.argument(kind, request))
            assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][
                1:
            ] == [name]


def refuse(_: Any) -> bytes:
    raise ValueError("refused")


def test_invalid_metadata_do_not_hide_the_error(bare: grpc.Channel, kind: str) -> None:
    for locale in (None, "zh-CN"):
        method = harness.method(errgrpc.wrap_channel(bare, ResCode, locale=locale), kind, refuse)
        if not kind.startswith("stream"):  # streams serialize their requests later
            with pytest.raises(RemoteError) as caught:
                method(b"", metadata=(("only", "two", "go"),))
            assert caught.value.details() == "Exception serializing request!"


# Nothing is kept alive.


def without_collector(act: Callable[[], Any]) -> Any:
    """Runs an act with the garbage collector disabled."""
    gc.collect()
    gc.disable()
    try:
        return act()
    finally:
        gc.enable()


def test_an_error_refers_to_nothing_that_refers_to_it(wrapped: grpc.Channel) -> None:
    def is_freed(call: Any, request: Any) -> bool:
        try:
            call(request, metadata=())
        except RemoteError as error:
            reference = weakref.ref(error)
        return reference() is None

    with harness.action(fail) as request:
        for kind in ("unary_unary", "stream_unary"):
            method = harness.method(wrapped, kind)
            for call in (method, method.with_call):
                assert without_collector(
                    functools.partial(is_freed, call, harness.argument(kind, request))
                )
    unserializable = harness.method(wrapped, "unary_stream", refuse)
    assert without_collector(functools.partial(is_freed, unserializable, b""))


def test_a_channel_that_is_dropped_is_gone(targets: dict[str, str]) -> None:
    def drop() -> list[Any]:
        bare = grpc.insecure_channel(targets["sync"])
        wrapped = errgrpc.wrap_channel(bare, ResCode)
        with harness.action(succeed) as request:
            kept = harness.method(wrapped, "unary_unary")
            kept(request)
            references = [weakref.ref(bare), weakref.ref(wrapped)]
            del bare, wrapped
            assert kept(request) == b"first"  # as with grpc, a method outlives its channel
        return [reference() for reference in references]

    assert without_collector(drop) == [None, None]


@pytest.mark.thinned(2)
def test_a_call_that_is_dropped_is_gone(
    wrapped: grpc.Channel, bare: grpc.Channel, kind: str
) -> None:
    def is_freed(channel: grpc.Channel) -> bool:
        method = harness.method(channel, kind)
        with harness.action(succeed) as request:
            call: Any = (method.future if kind.endswith("unary") else method)(
                harness.argument(kind, request)
            )
            call.result() if kind.endswith("unary") else list(call)
            reference = weakref.ref(call)
            del call
            return reference() is None

    assert without_collector(functools.partial(is_freed, wrapped)) is without_collector(
        functools.partial(is_freed, bare)
    )
