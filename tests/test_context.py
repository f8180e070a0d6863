"""The current call in handlers of every stack and over HTTP, its one id, and what is sent on."""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fastapi
import grpc
import grpc.aio
import harness
import httpx
import pytest
from google.rpc.error_details_pb2 import RequestInfo
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import errgrpc
from errgrpc import (
    Answered,
    ComponentCode,
    CurrentCall,
    ResCode,
    ServiceError,
    context,
    current_call,
)
from errgrpc.answering import Answering, Rpc
from errgrpc.http.asgi import ErrorMiddleware
from errgrpc.http.responder import Responder
from errgrpc.http.starlette import install

pytestmark = pytest.mark.thinned(2)  # the default: some tests have their own number

OWN = (("x-request-id", "own-1"), ("accept-language", "en"))
ID = "own-1"


@contextmanager
def tracking(style: str, servicer: Any = None, **options: Any) -> Iterator[str]:
    with harness.serve(style, servicer=servicer, track_context=True, **options) as target:
        yield target


def rule(seen: list[Any]) -> None:
    """Code that never sees grpc's context."""
    seen.append(current_call())


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("after", [0, 1])
def test_the_call_is_known_in_all_that_a_handler_does(style: str, kind: str, after: int) -> None:
    seen: list[Any] = []
    with tracking(style) as target, harness.action(lambda _: rule(seen), after) as request:
        for _ in range(2):
            assert (
                harness.call("sync", target, kind, request, metadata=OWN, interceptors=()).code
                is StatusCode.OK
            )
        assert harness.call("sync", target, kind, request, interceptors=()).code is StatusCode.OK
    assert seen[:2] == [CurrentCall(f"/test.Service/{kind}", ID, "en")] * 2
    assert (seen[2].method, seen[2].accept_language) == (f"/test.Service/{kind}", None)
    assert seen[2].request_id not in ("", ID)
    assert current_call() is None


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_server_that_does_not_track_knows_no_call(
    style: str, kind: str, targets: dict[str, str]
) -> None:
    seen: list[Any] = []
    with harness.action(lambda _: rule(seen)) as request:
        harness.call("sync", targets[style], kind, request, metadata=OWN)
    assert seen == [None]


@pytest.mark.parametrize("style", ["sync", "sync_on_aio"])
def test_a_thread_that_serves_other_calls_too_does_not_keep_it(style: str) -> None:
    """Two servers share a one-thread pool: the untracked one sees nothing of the tracked one."""
    seen: list[Any] = []

    class Steps(harness.SyncServicer):
        def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
            for _ in range(2):
                rule(seen)
                yield b""
            raise ServiceError(ResCode.CONFLICT)

    with (
        tracking(style, servicer=Steps()) as target,
        harness.action(lambda _: rule(seen)) as request,
    ):
        outcome = harness.call("sync", target, "unary_stream", request, metadata=OWN)
        assert outcome.error.request_id == ID
        harness.call("sync", target, "unary_unary", request, metadata=(("x-request-id", "own-2"),))
    assert [call.request_id for call in seen] == [ID, ID, "own-2"]


def coded(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


def detailed(_: Any) -> None:
    raise ServiceError(ResCode.SERVICE_UNAVAILABLE, "Busy", hint="x", retry_delay=2)


def translated(_: Any) -> None:
    raise KeyError("text")


def unhandled(_: Any) -> None:
    raise LookupError("text")


ACTS = {"coded": coded, "detailed": detailed, "translated": translated, "unhandled": unhandled}


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("name", ACTS)
def test_each_error_that_answers_it_has_its_id(
    name: str, style: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Answered] = []
    seen: list[Any] = []

    def act(context: Any) -> None:
        rule(seen)
        ACTS[name](context)

    with (
        tracking(style, on_answer=heard.append, translate={KeyError: ResCode.NOT_FOUND}) as target,
        harness.action(act, 1) as request,
    ):
        for metadata in (OWN, (), (("x-request-id", " "),), (("x-request-id", "i" * 129),)):
            caplog.clear()
            error = harness.call("sync", target, kind, request, metadata=metadata).error
            own = seen.pop().request_id
            assert (own == ID) is (metadata is OWN)
            assert error.request_id == heard.pop().request_id == own
            assert [record.request_id for record in harness.logged(caplog)] == (
                [own] if name == "unhandled" else []
            )


@pytest.mark.parametrize("style", harness.STYLES)
def test_an_error_that_is_passed_on_keeps_the_id_of_its_origin(style: str, kind: str) -> None:
    def act(_: Any) -> None:
        status = errgrpc.encode(ServiceError(ResCode.CONFLICT, details=[request_info("origin-1")]))
        raise ServiceError.from_remote(errgrpc.decode(status, ResCode))

    with tracking(style) as target, harness.action(act) as request:
        assert (
            harness.call("sync", target, kind, request, metadata=OWN).error.request_id == "origin-1"
        )


def request_info(text: str) -> Any:
    return RequestInfo(request_id=text)


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_masked_error_of_another_service_has_this_call_s_id(style: str, kind: str) -> None:
    def act(_: Any) -> None:
        raise errgrpc.decode(
            errgrpc.encode(ServiceError(ResCode.CONFLICT, details=[request_info("origin-1")])),
            ResCode,
        )

    with tracking(style) as target, harness.action(act) as request:
        assert harness.call("sync", target, kind, request, metadata=OWN).error.request_id == ID
        assert harness.call("sync", target, kind, request).error.request_id not in ("origin-1", ID)


@pytest.mark.parametrize("style", ["sync", "aio"])
def test_an_interceptor_that_fails_is_answered_with_an_id_too(style: str, kind: str) -> None:
    class Full(grpc.ServerInterceptor):
        def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(ResCode.FORBIDDEN)

    class AsyncFull(grpc.aio.ServerInterceptor):
        async def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(ResCode.FORBIDDEN)

    stack, inner = (errgrpc, Full()) if style == "sync" else (errgrpc.aio, AsyncFull())
    with harness.serve(
        style, [stack.ServerInterceptor(ResCode, track_context=True), inner]
    ) as target:
        assert harness.call("sync", target, kind, b"", metadata=OWN).error.request_id == ID
        assert harness.call("sync", target, kind, b"").error.request_id


def test_the_id_counts_in_the_budget_and_is_shed_as_any() -> None:
    answering = Answering(ResCode, track_context=True, max_trailer_bytes=1_024)
    for size, request_id in ((50, ID), (600, None)):
        answer = answering.answer(ServiceError(ResCode.BAD_REQUEST, "m" * size), Rpc("/a/b", OWN))
        trailers: dict[str, Any] = dict(answer.trailers)
        assert errgrpc.decode(trailers["grpc-status-details-bin"], ResCode).request_id == request_id


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("given", [" ", "ü", "a\n", "i" * 129, "own-2"])
def test_an_id_that_may_not_travel_gives_way_to_the_call_s(
    given: str, style: str, kind: str
) -> None:
    def act(_: Any) -> None:
        raise ServiceError(ResCode.CONFLICT, details=[request_info(given)])

    with tracking(style) as target, harness.action(act) as request:
        assert harness.call("sync", target, kind, request, metadata=OWN).error.request_id == (
            given if given == "own-2" else ID
        )


class Odd:
    """The context of another interceptor, whose metadata are not pairs."""

    def __init__(self, context: Any, metadata: Any) -> None:
        self._context, self._metadata = context, metadata

    def invocation_metadata(self) -> Any:
        return self._metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def odd_interceptor(style: str, metadata: Any) -> Any:
    """An interceptor that wraps the context of each call, around ours."""

    def wrapped(handler: Any) -> Any:
        behavior = handler.unary_unary
        if style == "sync":
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: behavior(request, Odd(context, metadata))
            )

        async def guarded(request: Any, context: Any) -> Any:
            return await behavior(request, Odd(context, metadata))

        return grpc.unary_unary_rpc_method_handler(guarded)

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return wrapped(continuation(details))

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return wrapped(await continuation(details))

    return Sync() if style == "sync" else Async()


@pytest.mark.parametrize("style", ["sync", "aio", "reader_writer"])
@pytest.mark.parametrize(
    "metadata", [{"x-request-id": ID}, 5, ["text"], [("a", "b", "c")], [None], None], ids=repr
)
@pytest.mark.parametrize("tracks", [True, False])
def test_metadata_that_are_no_pairs_cost_no_code(tracks: bool, metadata: Any, style: str) -> None:
    seen: list[Any] = []

    def act(_: Any) -> None:
        rule(seen)
        raise ServiceError(ResCode.CONFLICT)

    stack = errgrpc if style == "sync" else errgrpc.aio
    interceptors = [
        odd_interceptor(style, metadata),
        stack.ServerInterceptor(ResCode, track_context=tracks),
    ]
    with harness.serve(style, interceptors) as target, harness.action(act) as request:
        error = harness.call("sync", target, "unary_unary", request, metadata=OWN).error
    assert error.error_code is ResCode.CONFLICT
    assert error.request_id == (seen[0].request_id if tracks else None)


# Streams that are stepped or closed elsewhere


def test_a_sync_stream_that_is_cancelled_ends_in_its_call() -> None:
    seen: list[Any] = []
    ended = threading.Event()

    class Cancelled(harness.SyncServicer):
        def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
            try:
                while True:
                    yield b""
            finally:
                rule(seen)
                ended.set()

    with tracking("sync", servicer=Cancelled()) as target, grpc.insecure_channel(target) as channel:
        call = harness.method(channel, "unary_stream")(b"", metadata=OWN, timeout=harness.DEADLINE)
        next(call)
        call.cancel()
        assert ended.wait(harness.DEADLINE)
    assert [known.request_id for known in seen] == [ID]


@pytest.mark.parametrize("tracks", [True, False])
def test_a_generator_that_the_service_still_holds_goes_on_after_a_cancelled_call(
    tracks: bool,
) -> None:
    numbers = (str(number).encode() for number in range(10**6))
    dropped = threading.Event()

    class Shared(harness.SyncServicer):
        def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
            context.add_callback(dropped.set)
            return numbers

    with (
        harness.serve("sync", servicer=Shared(), track_context=tracks) as target,
        grpc.insecure_channel(target) as channel,
    ):
        call = harness.method(channel, "unary_stream")(b"", timeout=harness.DEADLINE)
        next(call)
        call.cancel()
        assert dropped.wait(harness.DEADLINE)
        again = harness.method(channel, "unary_stream")(b"", timeout=harness.DEADLINE)
        assert int(next(again)) > 0
        again.cancel()


@pytest.mark.parametrize("tracks", [True, False])
def test_an_interceptor_may_close_a_sync_stream(tracks: bool) -> None:
    seen: list[Any] = []

    class Closing(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            handler = continuation(details)

            def first(request: Any, context: Any) -> Iterator[Any]:
                responses = handler.unary_stream(request, context)
                yield next(responses)
                responses.close()
                rule(seen)

            return grpc.unary_stream_rpc_method_handler(first)

    class Servicer(harness.SyncServicer):
        def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
            try:
                yield from (b"1", b"2")
            finally:
                rule(seen)

    interceptors = [Closing(), errgrpc.ServerInterceptor(ResCode, track_context=tracks)]
    with harness.serve("sync", interceptors, Servicer()) as target:
        outcome = harness.call("sync", target, "unary_stream", b"", metadata=OWN)
    assert (outcome.code, outcome.responses) == (StatusCode.OK, [b"1"])
    assert [call and call.request_id for call in seen] == [ID if tracks else None, None]


class Stepping(grpc.aio.ServerInterceptor):
    """Takes each response in its own task, as a deadline per response does.

    After some responses, it closes the stream.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)

        async def stepped(request: Any, context: Any) -> Any:
            responses = handler.unary_stream(request, context)
            for _ in range(self._most):
                try:
                    yield await asyncio.create_task(anext(responses))
                except StopAsyncIteration:
                    return
            await asyncio.create_task(responses.aclose())

        return grpc.unary_stream_rpc_method_handler(stepped)


@pytest.mark.parametrize("most", [1, 9], ids=["closed", "to the end"])
def test_an_async_stream_knows_its_call_in_whichever_task_it_is_stepped(most: int) -> None:
    seen: list[Any] = []

    class Steps(harness.AsyncServicer):
        async def unary_stream(self, request: bytes, context: Any) -> Any:
            try:
                for _ in range(2):
                    rule(seen)
                    yield b""
                raise ServiceError(ResCode.CONFLICT)
            finally:
                rule(seen)

    interceptors = [Stepping(most), errgrpc.aio.ServerInterceptor(ResCode, track_context=True)]
    with harness.serve("aio", interceptors, Steps()) as target:
        error = harness.call("sync", target, "unary_stream", b"", metadata=OWN).error
    assert (error and error.request_id) == (None if most == 1 else ID)
    assert [call and call.request_id for call in seen] == [ID] * (2 if most == 1 else 3)


async def test_an_interceptor_s_failure_on_a_server_that_was_started_in_a_call_has_its_own_id() -> (
    None
):
    class Full(grpc.aio.ServerInterceptor):
        async def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(ResCode.FORBIDDEN)

    server = grpc.aio.server(
        interceptors=[errgrpc.aio.ServerInterceptor(ResCode, track_context=True), Full()]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    with as_current((("x-request-id", "starter"),)):
        await server.start()
    async with errgrpc.aio.wrap_channel(
        grpc.aio.insecure_channel(f"127.0.0.1:{port}"), ResCode
    ) as channel:
        with pytest.raises(errgrpc.RemoteError) as caught:
            await harness.method(channel, "unary_unary")(b"", metadata=OWN)
    await server.stop(None)
    assert caught.value.request_id == ID


# Tasks and threads


@pytest.mark.parametrize("style", ["aio", "reader_writer"])
def test_tasks_that_a_handler_starts_know_it(style: str, kind: str) -> None:
    seen: list[Any] = []

    async def act(_: Any) -> None:
        async def task() -> None:
            await asyncio.sleep(0)
            rule(seen)

        async with asyncio.TaskGroup() as group:
            group.create_task(task())
            group.create_task(task())
        await asyncio.to_thread(rule, seen)
        rule(seen)

    with tracking(style) as target, harness.action(act) as request:
        harness.call("sync", target, kind, request, metadata=OWN)
    assert [call.request_id for call in seen] == [ID] * 4


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_thread_of_one_s_own_needs_the_context(style: str) -> None:
    seen: list[Any] = []

    def act(_: Any) -> None:
        run = contextvars.copy_context().run
        for target in (lambda: rule(seen), lambda: run(rule, seen)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    with tracking(style) as target, harness.action(act) as request:
        harness.call("sync", target, "unary_unary", request, metadata=OWN)
    assert [call and call.request_id for call in seen] == [None, ID]


@pytest.mark.parametrize("style", harness.STYLES)
def test_calls_at_once_do_not_mix(style: str, kind: str) -> None:
    barrier, seen = threading.Barrier(4), list[tuple[str, str]]()

    def act(context: Any) -> Any:
        own = next(value for key, value in context.invocation_metadata() if key == "x-request-id")
        if style in ("sync", "sync_on_aio"):
            barrier.wait(harness.DEADLINE)
        call = current_call()
        assert call is not None
        seen.append((own, call.request_id))

    with tracking(style) as target, harness.action(act, 1) as request:
        threads = [
            threading.Thread(
                target=harness.call,
                args=("sync", target, kind, request),
                kwargs={"metadata": (("x-request-id", f"id-{n}"),)},
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == [(f"id-{n}", f"id-{n}") for n in range(4)]


def test_two_event_loops_that_call_each_other_and_themselves_do_not_mix() -> None:
    """Many calls go back and forth between two servers.

    Each server has its own loop, and each call its own language.
    """
    targets: list[str] = []
    seen: list[tuple[str, str, str]] = []

    def servicer(own: int) -> Any:
        class There(harness.AsyncServicer):
            async def unary_unary(self, request: bytes, context: Any) -> bytes:
                depth, number = map(int, request.split())
                call = current_call()
                assert call is not None
                seen.append((str(number), call.request_id, call.accept_language or ""))
                if not depth:
                    raise KeyError(number)
                target = targets[own if depth % 3 == 0 else 1 - own]  # itself, or the other one
                async with errgrpc.aio.wrap_channel(
                    grpc.aio.insecure_channel(target), ResCode, forward=FORWARD[:2]
                ) as channel:
                    try:
                        return bytes(
                            await harness.method(channel, "unary_unary")(
                                f"{depth - 1} {number}".encode()
                            )
                        )
                    except errgrpc.RemoteError as error:
                        again = current_call()
                        assert again is not None
                        seen.append((str(number), again.request_id, again.accept_language or ""))
                        raise ServiceError.from_remote(error) from error

        return There()

    async def ask(number: int) -> Any:
        asked = (("x-request-id", f"id-{number}"), ("accept-language", LANGUAGES[number % 2]))
        async with errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(targets[number % 2]), ResCode
        ) as channel:
            with pytest.raises(errgrpc.remote(ResCode.ROOM_NOT_EXIST)) as caught:
                await harness.method(channel, "unary_unary")(
                    f"4 {number}".encode(), metadata=asked, timeout=harness.DEADLINE
                )
        assert caught.value.request_id == f"id-{number}"
        return caught.value.hint

    async def run() -> list[Any]:
        return await asyncio.gather(*map(ask, range(12)))

    options: Any = {"translate": {KeyError: ResCode.ROOM_NOT_EXIST}}
    with (
        tracking("aio", servicer(0), **options) as first,
        tracking("aio", servicer(1), **options) as second,
    ):
        targets += [first, second]
        hints = asyncio.run(run())
    assert hints == [ResCode.ROOM_NOT_EXIST.hint(LANGUAGES[number % 2]) for number in range(12)]
    assert len(seen) == 12 * 9
    assert {(f"id-{number}", language) for number, _, language in seen} == {
        (f"id-{n}", LANGUAGES[n % 2]) for n in range(12)
    }
    assert all(request_id == f"id-{number}" for number, request_id, _ in seen)


LANGUAGES = ("zh-CN", "en-US")


# Sent on


FORWARD = ("x-request-id", "accept-language", "x-tenant")
CLIENTS = {
    "wrapped": lambda target, **options: errgrpc.wrap_channel(
        grpc.insecure_channel(target), ResCode, **options
    ),
    "intercepted": lambda target, **options: grpc.intercept_channel(
        grpc.insecure_channel(target), errgrpc.ClientInterceptor(ResCode, **options)
    ),
}
AIO_CLIENTS = {
    "wrapped": lambda target, **options: errgrpc.aio.wrap_channel(
        grpc.aio.insecure_channel(target), ResCode, **options
    ),
    "intercepted": lambda target, **options: grpc.aio.insecure_channel(
        target, interceptors=errgrpc.aio.client_interceptors(ResCode, **options)
    ),
}


def sent(seen: list[Any]) -> Any:
    """The forwarded metadata that a service in the back received."""
    return {key: value for key, value in seen.pop() if key in (*FORWARD, "authorization")}


@contextmanager
def back() -> Iterator[tuple[str, bytes, list[Any]]]:
    seen: list[Any] = []
    with (
        harness.serve("sync") as target,
        harness.action(
            lambda context: seen.append(tuple(context.invocation_metadata()))
        ) as request,
    ):
        yield target, request, seen


BROUGHT = (*OWN, ("x-tenant", "t-1"), ("authorization", "Bearer secret"))


@contextmanager
def as_current(metadata: Any = BROUGHT) -> Iterator[None]:
    token = context.begin("/front.Service/Method", metadata)
    try:
        yield
    finally:
        context.end(token)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_current_call_brought_is_sent_on(client: str, kind: str) -> None:
    with back() as (target, request, seen), CLIENTS[client](target, forward=FORWARD) as channel:

        def call(**options: Any) -> Any:
            made = harness.method(channel, kind)(
                harness.argument(kind, request), timeout=harness.DEADLINE, **options
            )
            list(made if kind.endswith("stream") else ())
            return sent(seen)

        assert call() == {}
        with as_current():
            assert call() == {"x-request-id": ID, "accept-language": "en", "x-tenant": "t-1"}
            assert call(metadata=(("x-tenant", "t-2"), ("accept-language", "fr"))) == {
                "x-request-id": ID,
                "accept-language": "fr",
                "x-tenant": "t-2",
            }
            assert call(metadata=[("x-tenant", "t-2")])["x-tenant"] == "t-2"
        with as_current(()):
            assert set(call()) == {"x-request-id"}  # a new id


@pytest.mark.parametrize("client", AIO_CLIENTS)
def test_what_the_current_call_brought_is_sent_on_by_asyncio(client: str, kind: str) -> None:
    async def run() -> None:
        async with AIO_CLIENTS[client](target, forward=FORWARD, locale="zh-CN") as channel:

            async def call(**options: Any) -> Any:
                made = harness.method(channel, kind)(
                    harness.argument(kind, request), timeout=harness.DEADLINE, **options
                )
                if kind.endswith("stream"):
                    async for _ in made:
                        pass
                else:
                    await made
                return sent(seen)

            assert await call() == {"accept-language": "zh-CN"}
            with as_current():
                # it wins over the channel's own locale
                assert await call() == {
                    "x-request-id": ID,
                    "accept-language": "en",
                    "x-tenant": "t-1",
                }
                own = grpc.aio.Metadata(("accept-language", "fr"))
                assert await call(metadata=own) == {
                    "x-request-id": ID,
                    "accept-language": "fr",
                    "x-tenant": "t-1",
                }

    with back() as (target, request, seen):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        ("x-request-id", "forward is 'x-request-id': give a collection"),
        (5, "forward is 5: give a collection"),
        *(
            ([name], f"forward holds '{name}', which is not sent on")
            for name in (
                *(
                    "authorization",
                    "cookie",
                    "proxy-authorization",
                    "set-cookie",
                    "grpcgateway-authorization",
                    "grpcgateway-cookie",
                ),
                *(
                    "connection",
                    "proxy-connection",
                    "keep-alive",
                    "te",
                    "trailer",
                    "transfer-encoding",
                    "upgrade",
                    "expect",
                    "host",
                ),
                *(
                    "user-agent",
                    "content-type",
                    "content-length",
                    "content-encoding",
                    "accept-encoding",
                    "grpc-timeout",
                    "trace-bin",
                ),
            )
        ),
        *(
            ([name], f"forward holds {name!r}: give names of metadata in lower case")
            for name in ("X-Request-Id", "", "a b", ":path", "ü", 5)
        ),
    ],
)
def test_what_is_never_sent_on(forward: Any, says: str) -> None:
    for make in (CLIENTS["wrapped"], CLIENTS["intercepted"]):
        with pytest.raises((TypeError, ValueError), match=says):
            make("127.0.0.1:1", forward=forward)
    with pytest.raises((TypeError, ValueError), match=says):
        errgrpc.aio.client_interceptors(ResCode, forward=forward)


VALUES = (
    st.text(max_size=300)
    | st.binary(max_size=20)
    | st.sampled_from(["", " ", "a" * 256, "a" * 257, "a\nb", "ü", "\x7f", "~ ok"])
)


@given(VALUES, VALUES, VALUES)
def test_hostile_values_are_not_sent_on(request_id: Any, language: Any, tenant: Any) -> None:
    brought = (("x-request-id", request_id), ("accept-language", language), ("x-tenant", tenant))
    token = context.begin("/a/b", brought)
    try:
        call = current_call()
        assert call is not None
        found = dict(context.forwarded(FORWARD))
    finally:
        context.end(token)
    assert found["x-request-id"] == call.request_id
    assert len(call.request_id) <= 128
    for name, value in found.items():
        assert 1 <= len(value) <= 256
        assert all(" " <= character <= "~" for character in value), name
        assert value in (call.request_id, language, tenant)
    fits = (
        isinstance(tenant, str)
        and 1 <= len(tenant) <= 256
        and all(" " <= c <= "~" for c in tenant)
        and tenant.strip() != ""
    )
    assert ("x-tenant" in found) is fits


def test_of_several_values_the_first_that_may_travel_is_sent_on() -> None:
    with as_current((("x-tenant", ""), ("x-tenant", "t-1"), ("x-tenant", "t-2"))):
        assert dict(context.forwarded(["x-tenant"])) == {"x-tenant": "t-1"}


# Over HTTP


def applications() -> dict[str, Any]:
    async def asynchronous(_: Any) -> PlainTextResponse:
        call = current_call()
        assert call is not None
        return PlainTextResponse(repr(call))

    def synchronous(_: Any) -> PlainTextResponse:
        return PlainTextResponse(repr(current_call()))

    async def fails(_: Any) -> PlainTextResponse:
        raise ServiceError(ResCode.ROOM_NOT_EXIST)

    async def breaks(_: Any) -> PlainTextResponse:
        raise LookupError("text")

    routes = {
        "asynchronous": asynchronous,
        "synchronous": synchronous,
        "fails": fails,
        "breaks": breaks,
    }
    starlette = Starlette(routes=[Route(f"/{name}", function) for name, function in routes.items()])
    install(starlette, ResCode, track_context=True)
    fast = fastapi.FastAPI()
    for name, function in routes.items():

        def endpoint(request: Request, function: Any = function) -> Any:
            return function(request)

        async def async_endpoint(request: Request, function: Any = function) -> Any:
            return await function(request)

        fast.add_api_route(
            f"/{name}", endpoint if name == "synchronous" else async_endpoint, response_model=None
        )
        endpoint.__annotations__ = async_endpoint.__annotations__ = {"request": Request}
    install(fast, ResCode, track_context=True)
    return {"starlette": starlette, "fastapi": fast}


async def get(app: Any, path: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
async def test_a_request_over_http_is_a_call(
    framework: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = applications()[framework]
    asked = {"x-request-id": ID, "accept-language": "en", "x-tenant": "t-1"}
    for path in ("asynchronous", "synchronous"):
        answer = await get(app, f"/{path}", asked)
        assert answer.text == repr(CurrentCall(f"GET /{path}", ID, "en"))
        assert "request_id='" in (await get(app, f"/{path}", {})).text
    for path, code in (("fails", 404), ("breaks", 500), ("nothing", 404)):
        for headers in (asked, {}, {"x-request-id": "i" * 129}):
            caplog.clear()
            answer = await get(app, f"/{path}", headers)
            own = answer.headers["x-request-id"]
            assert (answer.status_code, answer.json()["requestId"]) == (code, own)
            assert (own == ID) is (headers is asked)
            assert [record.request_id for record in harness.logged(caplog)] == (
                [own] if path == "breaks" else []
            )  # type: ignore[attr-defined]
    assert current_call() is None


async def test_an_asgi_application_without_a_framework() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        rule(seen)
        raise ServiceError(ResCode.CONFLICT)

    answer = await get(
        ErrorMiddleware(app, Responder(ResCode), track_context=True),
        "/a",
        {"accept-language": "en"},
    )
    assert answer.headers["x-request-id"] == seen[0].request_id
    assert seen[0] == CurrentCall("GET /a", answer.headers["x-request-id"], "en")
    await get(ErrorMiddleware(app, Responder(ResCode)), "/a", {})
    assert seen[1] is None


@pytest.mark.parametrize(
    "outer", [None, False, True], ids=["alone", "in one that does not track", "in one that tracks"]
)
async def test_an_application_that_tracks_does_so_wherever_it_is_mounted(
    outer: bool | None,
) -> None:
    async def shows(_: Any) -> PlainTextResponse:
        return PlainTextResponse(repr(current_call()))

    async def fails(_: Any) -> PlainTextResponse:
        raise ServiceError(ResCode.CONFLICT)

    app = Starlette(routes=[Route("/shows", shows), Route("/fails", fails)])
    install(app, ResCode, track_context=True)
    if outer is not None:
        inner, app = app, Starlette()
        app.mount("/inner", inner)
        install(app, ResCode, track_context=outer)
    where = "" if outer is None else "/inner"
    assert (await get(app, f"{where}/shows", {"x-request-id": ID})).text == repr(
        CurrentCall(f"GET {where}/shows", ID, None)
    )
    answer = await get(app, f"{where}/fails", {})
    assert answer.status_code == ResCode.CONFLICT.http_status
    assert answer.headers["x-request-id"] == answer.json()["requestId"]


def test_a_request_that_is_closed_by_another_context_is_no_error_of_its_own() -> None:
    """A request may still wait when its loop has ended: then another context closes it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "GET", "path": "/a", "headers": []}
    request: Any = ErrorMiddleware(app, Responder(ResCode), track_context=True)(scope, None, None)  # type: ignore[arg-type]
    contextvars.copy_context().run(request.send, None)
    request.close()


# A chain: FastAPI, an asyncio service, a sync service


@pytest.mark.parametrize("act", [coded, unhandled])
@pytest.mark.parametrize("passing", [True, False], ids=["passed on", "masked"])
def test_one_id_in_a_chain_of_services(
    act: Any, passing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    caplog.set_level(logging.INFO)

    def last(context: Any) -> None:
        rule(seen)
        act(context)

    async def middle(_: Any) -> None:
        rule(seen)
        async with errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(back_target), ResCode, ComponentCode, forward=FORWARD[:2]
        ) as channel:
            try:
                await harness.method(channel, "unary_unary")(last_request)
            except errgrpc.RemoteError as error:
                if passing:
                    raise ServiceError.from_remote(error) from error
                raise

    front = fastapi.FastAPI()
    install(front, ResCode, form="aip193", track_context=True)

    @front.get("/rooms")
    async def rooms() -> None:
        rule(seen)
        async with errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(middle_target), ResCode, ComponentCode, forward=FORWARD[:2]
        ) as channel:
            try:
                await harness.method(channel, "unary_unary")(middle_request)
            except errgrpc.RemoteError as error:
                raise ServiceError.from_remote(error) from error

    with (
        tracking("sync") as back_target,
        tracking("aio") as middle_target,
        harness.action(last) as last_request,
        harness.action(middle) as middle_request,
    ):
        answer = asyncio.run(
            get(front, "/rooms", {"x-request-id": ID, "accept-language": "en-GB, en;q=0.5"})
        )
    code = ResCode.ROOM_NOT_EXIST if passing and act is coded else ResCode.INTERNAL_SERVER_ERROR
    told = answer.json()["error"]
    details = {detail["@type"].rpartition(".")[2]: detail for detail in told["details"]}
    assert details["ErrorInfo"]["reason"] == code.reason
    assert (details["LocalizedMessage"]["locale"], details["LocalizedMessage"]["message"]) == (
        "en-US",
        code.hint("en"),
    )
    assert answer.headers["x-request-id"] == details["RequestInfo"]["requestId"] == ID
    assert [call.request_id for call in seen] == [ID] * 3
    assert {call.accept_language for call in seen} == {"en-GB, en;q=0.5"}
    records = [record for record in harness.logged(caplog) if record.name == "errgrpc"]
    assert {record.request_id for record in records} <= {ID}  # type: ignore[attr-defined]
    assert len(records) == (act is unhandled) + (not passing)
