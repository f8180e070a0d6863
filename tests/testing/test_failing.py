"""Stand-ins against the real call: one suite calls both each way, and sees the same."""

import asyncio
import inspect
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

import errgrpc
from errgrpc import MisuseWarning, RemoteError, ResCode, ServiceError
from errgrpc.testing import failing

CODE = ResCode.SERVICE_UNAVAILABLE
GIVEN: dict[str, Any] = {
    "message": "Full",
    "room_uuid": "r-42",
    "details": [rpc.Help()],
    "retry_delay": 2,
}
LOCALE = "en-US"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[dict[str, str], bytes]]:
    """A server of each style, and a request that fails."""

    def act(_: Any) -> None:
        raise ServiceError(CODE, **GIVEN)

    with ExitStack() as stack:
        request = stack.enter_context(harness.action(act))
        yield (
            {style: stack.enter_context(harness.serve(style)) for style in ("sync", "aio")},
            request,
        )


def seen(error: Any) -> Any:
    """All that a caller can read from an error."""
    assert type(error) is errgrpc.remote(CODE), repr(error)
    assert pickle.loads(pickle.dumps(error)).error_code is CODE  # noqa: S301
    return (
        *(
            error.code(),
            error.details(),
            error.error_code,
            error.reason,
            error.domain,
            dict(error.metadata),
            error.hint,
            error.locale,
        ),
        *(
            error.inferred,
            error.retryable,
            error.retry_delay,
            error.request_id,
            error.status_details,
            error.number,
            str(error),
        ),
        sorted((key, value) for key, value in error.trailing_metadata()),
    )


# The sync stack

Ways = dict[str, Callable[[Any, Any], Any]]


def raised(call: Callable[[], Any]) -> Any:
    try:
        return "returned", call()
    except grpc.RpcError as error:
        return "raised", seen(error)
    except grpc.FutureCancelledError:
        return "cancelled"


def told(call: Any) -> Any:
    """What an ended call says."""
    status = call.code()
    return (
        *(
            status,
            call.details(),
            call.done(),
            call.running(),
            call.is_active(),
            call.cancelled(),
            call.cancel(),
            call.add_callback(print),
        ),
        sorted((key, value) for key, value in call.trailing_metadata()),
        *(
            isinstance(call, grpc.Call),
            isinstance(call, grpc.Future),
            isinstance(call, grpc.RpcError),
        ),
        call.time_remaining() is None,
    )


def callbacks(call: Any) -> Any:
    call.code()
    heard: list[bool] = []
    call.add_done_callback(lambda done: heard.append(done is call))
    return heard


def same_twice(call: Any) -> bool:
    return call.exception() is call.exception()


def next_twice(call: Any) -> Any:
    return [raised(lambda: next(call)) for _ in range(2)]


UNARY_RESPONSE: Ways = {
    "call": lambda method, request: raised(lambda: method(request)),
    "all arguments": lambda method, request: raised(
        lambda: method(
            request,
            timeout=harness.DEADLINE,
            metadata=(("x-a", "b"),),
            credentials=None,
            wait_for_ready=True,
            compression=None,
        )
    ),
    "positional": lambda method, request: raised(
        lambda: method(request, harness.DEADLINE, (("x-a", "b"),))
    ),
    "with_call": lambda method, request: raised(
        lambda: method.with_call(request, timeout=harness.DEADLINE)
    ),
    "result": lambda method, request: raised(lambda: method.future(request).result()),
    "result with a timeout": lambda method, request: raised(
        lambda: method.future(request).result(timeout=harness.DEADLINE)
    ),
    "exception": lambda method, request: seen(method.future(request).exception()),
    "exception twice": lambda method, request: same_twice(method.future(request)),
    "traceback": lambda method, request: (
        type(method.future(request).traceback()).__name__ in {"traceback", "NoneType"}
    ),
    "told": lambda method, request: told(method.future(request)),
    "told with a timeout": lambda method, request: told(
        method.future(request, timeout=harness.DEADLINE)
    ),
    "callbacks": lambda method, request: callbacks(method.future(request)),
    "wrong arguments": lambda method, request: type(
        _failure(lambda: method(request, colour="red"))
    ),
    "german": lambda method, request: raised(
        lambda: method(request, metadata=(("accept-language", "zh-CN"),))
    ),
}
STREAM_RESPONSE: Ways = {
    "iteration": lambda method, request: raised(lambda: list(method(request))),
    "all arguments": lambda method, request: raised(
        lambda: list(
            method(request, timeout=harness.DEADLINE, metadata=(("x-a", "b"),), wait_for_ready=True)
        )
    ),
    "next": lambda method, request: raised(lambda: next(method(request))),
    "next twice": lambda method, request: next_twice(method(request)),
    "told": lambda method, request: told(method(request)),
    "told with a timeout": lambda method, request: told(method(request, timeout=harness.DEADLINE)),
    "result": lambda method, request: raised(lambda: method(request).result()),
    "exception": lambda method, request: seen(method(request).exception()),
    "callbacks": lambda method, request: callbacks(method(request)),
    "for": lambda method, request: raised(lambda: [*method(request)]),
}


def _failure(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


@contextmanager
def sync_method(how: str, kind: str, target: str) -> Iterator[Any]:
    if how == "wrapped":
        with errgrpc.wrap_channel(grpc.insecure_channel(target), ResCode, locale=LOCALE) as channel:
            yield harness.method(channel, kind)
    else:
        with grpc.insecure_channel(target) as channel:
            yield harness.method(
                grpc.intercept_channel(channel, errgrpc.ClientInterceptor(ResCode, locale=LOCALE)),
                kind,
            )


@pytest.mark.parametrize("how", ["wrapped", "intercepted"])
def test_the_sync_stack(how: str, kind: str, served: Any) -> None:
    targets, request = served
    with sync_method(how, kind, targets["sync"]) as real:
        fake = failing(CODE, like=real, locale=LOCALE, **GIVEN)
        for name, way in (UNARY_RESPONSE if kind.endswith("unary") else STREAM_RESPONSE).items():
            expected = way(real, harness.argument(kind, request))
            assert way(fake, harness.argument(kind, b"anything")) == expected, name


@pytest.mark.parametrize("how", ["wrapped", "intercepted"])
def test_a_cancelled_call_of_the_sync_stack(how: str, kind: str, served: Any) -> None:
    """On the real side, the handler waits: else the answer might come first."""
    targets, _ = served
    with harness.action(_until_gone) as request, sync_method(how, kind, targets["sync"]) as real:
        fake = failing(CODE, like=real)
        found = []
        for method in (real, fake):
            call = (method.future if kind.endswith("unary") else method)(
                harness.argument(kind, request)
            )
            told = (
                call.cancel(),
                call.cancelled(),
                call.code(),
                call.details(),
                call.done(),
                call.cancel(),
                call.running(),
            )
            outcomes = [raised_or_cancelled(call.result), raised_or_cancelled(call.exception)]
            if kind.endswith("stream"):
                outcomes.append(raised_or_cancelled(lambda: next(call)))  # noqa: B023
            found.append((told, outcomes))
        assert found[0] == found[1]


def _until_gone(context: Any) -> None:
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(harness.DEADLINE)


def raised_or_cancelled(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except grpc.FutureCancelledError:
        return "cancelled"
    except RemoteError as error:
        return error.code(), error.details(), error.reason


# The asyncio stack


async def araised(call: Any) -> Any:
    try:
        return "returned", await call
    except grpc.RpcError as error:
        return "raised", seen(error)
    except asyncio.CancelledError:
        return "cancelled"
    except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
        return type(error).__name__, str(error)


async def all_of(call: Any) -> list[Any]:
    return [response async for response in call]


async def atold(call: Any) -> Any:
    status = await call.code()
    return (
        *(
            status,
            await call.details(),
            call.done(),
            call.cancelled(),
            call.cancel(),
            has_no_deadline(call),
        ),
        sorted((key, value) for key, value in await call.trailing_metadata()),
        type(await call.trailing_metadata()).__name__,
        type(await call.initial_metadata()).__name__,
        isinstance(call, grpc.aio.Call),
    )


def has_no_deadline(call: Any) -> bool:
    try:
        return call.time_remaining() is None
    except NotImplementedError:  # grpc's intercepted calls lack it
        return True


async def acallbacks(call: Any) -> Any:
    heard: list[bool] = []
    call.add_done_callback(lambda done: heard.append(done is call))
    await call.code()
    call.add_done_callback(lambda done: heard.append(done is call))
    await asyncio.sleep(0)
    return heard


async def written(call: Any, request: bytes, outcome: Callable[[Any], Any]) -> Any:
    await call.write(request)
    await call.done_writing()
    await call.done_writing()
    first = await araised(outcome(call))
    return first, await araised(call.write(request)), await araised(call.done_writing())


Async = dict[str, Callable[[Any, Any], Any]]
AWAITED: Async = {
    "await": lambda method, request: araised(method(request)),
    "all arguments": lambda method, request: araised(
        method(
            request,
            timeout=harness.DEADLINE,
            metadata=(("x-a", "b"),),
            credentials=None,
            wait_for_ready=True,
            compression=None,
        )
    ),
    "metadata of its own": lambda method, request: araised(
        method(request, metadata=grpc.aio.Metadata(("x-a", "b")))
    ),
    "await twice": lambda method, request: twice(method(request), lambda call: call),
    "told": lambda method, request: atold(method(request)),
    "told with a timeout": lambda method, request: atold(method(request, timeout=harness.DEADLINE)),
    "callbacks": lambda method, request: acallbacks(method(request)),
    "gather": lambda method, request: asyncio.gather(*(araised(method(request)) for _ in range(3))),
    "wait_for": lambda method, request: araised(
        asyncio.wait_for(awaited(method(request)), harness.DEADLINE)
    ),
}
ITERATED: Async = {
    "iteration": lambda method, request: araised(all_of(method(request))),
    "iteration twice": lambda method, request: twice(method(request), all_of),
    "read": lambda method, request: araised(method(request).read()),
    "told": lambda method, request: atold(method(request)),
    "callbacks": lambda method, request: acallbacks(method(request)),
}
WRITING = {
    "stream_unary": lambda method, request: written(method(), request, awaited),
    "stream_stream": lambda method, request: written(method(), request, lambda call: call.read()),
}


async def awaited(call: Any) -> Any:
    return await call


async def twice(call: Any, outcome: Callable[[Any], Any]) -> Any:
    return [await araised(outcome(call)), await araised(outcome(call))]


@asynccontextmanager
async def aio_method(how: str, kind: str, target: str) -> Any:
    if how == "wrapped":
        async with errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(target), ResCode, locale=LOCALE
        ) as channel:
            yield harness.method(channel, kind)
    else:
        interceptors = errgrpc.aio.client_interceptors(ResCode, locale=LOCALE)
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            yield harness.method(channel, kind)


@pytest.mark.parametrize("how", ["wrapped", "intercepted"])
async def test_the_asyncio_stack(how: str, kind: str, served: Any) -> None:
    targets, request = served
    async with aio_method(how, kind, targets["aio"]) as real:
        fake = failing(CODE, like=real, locale=LOCALE, **GIVEN)
        for name, way in (AWAITED if kind.endswith("unary") else ITERATED).items():
            if (kind == "stream_unary" and name == "gather") or (
                how == "intercepted" and name == "told with a timeout"
            ):
                # One iterator of requests cannot serve three calls. An intercepted call does not
                # know its deadline.
                continue
            expected = await way(real, harness.argument(kind, request))
            assert await way(fake, harness.argument(kind, b"anything")) == expected, name
        # on intercepted calls, grpc's request proxies answer differently
        if kind.startswith("stream") and how == "wrapped":
            assert await WRITING[kind](fake, b"anything") == await WRITING[kind](real, request)


@pytest.mark.parametrize("how", ["wrapped", "intercepted"])
async def test_a_cancelled_call_of_the_asyncio_stack(how: str, kind: str, served: Any) -> None:
    targets, request = served
    async with aio_method(how, kind, targets["aio"]) as real:
        found = []
        for method in (real, failing(CODE, like=real)):
            call: Any = method(harness.argument(kind, request))
            cancelled = call.cancel()
            outcome = await araised(awaited(call) if kind.endswith("unary") else all_of(call))
            found.append(
                (
                    cancelled,
                    outcome,
                    call.cancelled(),
                    call.done(),
                    await call.code(),
                    call.cancel(),
                )
            )
        assert found[0] == found[1]


async def test_a_task_that_waits_for_a_stand_in_can_be_cancelled() -> None:
    task = asyncio.ensure_future(awaited(failing(CODE)(b"")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Without `like`


def test_without_like_it_is_a_unary_method_of_the_sync_stack() -> None:
    method = failing(CODE, **GIVEN)
    for call in (method, method.with_call, lambda request: method.future(request).result()):
        with pytest.raises(errgrpc.remote(CODE)) as caught:
            call(b"")
        assert caught.value.metadata == {"room_uuid": "r-42"}


async def test_without_like_it_is_one_of_asyncio_where_a_loop_runs() -> None:
    call = failing(CODE, **GIVEN)(b"")
    assert isinstance(call, grpc.aio.UnaryUnaryCall)
    with pytest.raises(errgrpc.remote(CODE)):
        await call


def test_in_place_of_a_method_of_a_stub() -> None:
    class Stub:
        def __init__(self, channel: grpc.Channel) -> None:
            make: Any = channel.unary_unary  # as generated code calls it
            self.GetRoom = make("/classroom.v1.ClassroomService/GetRoom", _registered_method=True)

    with grpc.insecure_channel("127.0.0.1:1") as channel:
        stub = Stub(channel)
        stub.GetRoom = failing(ResCode.ROOM_NOT_EXIST, like=stub.GetRoom, room_uuid="r-42")
        with pytest.raises(errgrpc.remote(ResCode.ROOM_NOT_EXIST)) as caught:
            stub.GetRoom(b"")
    assert caught.value.hint == "房间不存在"


def test_each_call_has_an_error_of_its_own() -> None:
    method = failing(CODE)
    errors = [method.future(b"").exception() for _ in range(2)]
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])


def test_a_failure_without_a_code() -> None:
    with pytest.raises(RemoteError) as caught:
        failing(StatusCode.UNAVAILABLE, "refused")(b"")
    assert (caught.value.code(), caught.value.details(), caught.value.error_code) == (
        StatusCode.UNAVAILABLE,
        "refused",
        None,
    )


def test_wrong_arguments_are_wrong_at_once() -> None:
    with pytest.raises(ValueError, match="SUCCESS is a success"):
        failing(ResCode.SUCCESS)
    with pytest.raises(
        TypeError,
        match=r"like is 5: give a method of a stub, such as ShopServiceStub\(channel\).Buy",
    ):
        failing(CODE, like=5)
    with pytest.raises(TypeError, match="is no error code"):
        failing("ROOM_NOT_EXIST")  # type: ignore[arg-type]
    with pytest.warns(MisuseWarning, match="the metadata key 'Bad' is left out") as caught:
        failing(CODE, Bad=1)
    assert caught[0].filename == __file__


def test_a_stand_in_takes_what_the_real_method_takes() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel:
        for kind in harness.KINDS:
            real = harness.method(channel, kind)
            for name in ("__call__", "with_call", "future"):
                if hasattr(real, name):
                    ours = inspect.signature(failing(CODE, like=real).arguments)
                    assert [*ours.parameters] == [
                        *inspect.signature(getattr(real, name)).parameters
                    ]


async def test_a_stand_in_of_asyncio_takes_what_the_real_method_takes() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        for kind in harness.KINDS:
            real = harness.method(channel, kind)
            ours, theirs = (
                inspect.signature(each).parameters
                for each in (failing(CODE, like=real).arguments, type(real).__call__)
            )
            assert [*ours] == [*theirs][1:]
            assert [each.kind for each in ours.values()] == [each.kind for each in theirs.values()][
                1:
            ]
