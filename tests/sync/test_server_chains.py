"""Our server interceptor before and after others.

The others are a team's own, grpc-interceptor's, OpenTelemetry's and ours again.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import grpc_interceptor
import grpc_interceptor.exceptions
import harness
import pytest
from grpc import StatusCode
from harness import coded, logged, on_the_wire
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import errgrpc
from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError, Spec

pytestmark = pytest.mark.thinned(2)

FALLBACK = "INTERNAL_SERVER_ERROR"
SECRET = "canary-4711"  # noqa: S105  the secret of the tests
STREAMS = [kind for kind in harness.KINDS if kind.endswith("stream")]


@pytest.fixture(params=harness.STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["before", "after", "both"])
def place(request: pytest.FixtureRequest) -> str:
    """The place of the other interceptor: before ours, it is the outer one."""
    return request.param


def ask(target: str, kind: str, act: Callable[[Any], Any], **options: Any) -> harness.Outcome:
    """What a client without our interceptor gets from a handler that acts."""
    with harness.action(act, 1) as request:
        return harness.call("sync", target, kind, request, interceptors=(), **options)


def raising(error: BaseException) -> Callable[[Any], Any]:
    def act(_: Any) -> None:
        raise error

    return act


def ours(style: str, catalogue: type[ErrorCode] = ResCode) -> Any:
    return (
        errgrpc.ServerInterceptor(catalogue)
        if style == "sync"
        else errgrpc.aio.ServerInterceptor(catalogue)
    )


def placed(place: str, style: str, other: Callable[[], Any]) -> list[Any]:
    return [
        *([other()] if place != "after" else []),
        ours(style),
        *([other()] if place != "before" else []),
    ]


class Other(grpc.ServerInterceptor):
    """A team's own interceptor on the sync server: changes the details, then the handler."""

    def __init__(
        self, change: Callable[[Any], Any], before: Callable[[], Any] = lambda: None
    ) -> None:
        self._change = change
        self._before = before

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self._before()
        return self._change(continuation(handler_call_details))


class AsyncOther(grpc.aio.ServerInterceptor):
    """The same on the asyncio server."""

    def __init__(
        self, change: Callable[[Any], Any], before: Callable[[], Any] = lambda: None
    ) -> None:
        self._change = change
        self._before = before

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self._before()
        return self._change(await continuation(handler_call_details))


def other(style: str, *arguments: Any) -> Any:
    return (Other if style == "sync" else AsyncOther)(*arguments)


def behaving(change: Callable[[Any], Any], handler: Any) -> Any:
    """A new handler like `handler`, with its behavior changed."""
    kind = ("stream" if handler.request_streaming else "unary") + (
        "_stream" if handler.response_streaming else "_unary"
    )
    return handler._replace(**{kind: change(getattr(handler, kind))})


def around(context_of: Callable[[Any], Any], behavior: Any) -> Any:
    """A behavior of the same kind as `behavior`, with another context."""
    if inspect.isasyncgenfunction(behavior):

        async def generating(request: Any, context: Any) -> Any:
            async for response in behavior(request, context_of(context)):
                yield response

        return generating
    if inspect.iscoroutinefunction(behavior):

        async def awaiting(request: Any, context: Any) -> Any:
            return await behavior(request, context_of(context))

        return awaiting
    return lambda request, context: behavior(request, context_of(context))


class Wrapped:
    """A context that passes everything on, as teams write them to count or to log."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class Narrow:
    """A context with only the methods that a handler needs.

    It cannot tell a status, nor what was sent.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def abort(self, *arguments: Any) -> Any:
        return self._context.abort(*arguments)

    def set_code(self, code: Any) -> None:
        self._context.set_code(code)

    def set_details(self, details: Any) -> None:
        self._context.set_details(details)

    def set_trailing_metadata(self, trailers: Any) -> None:
        self._context.set_trailing_metadata(trailers)

    def write(self, message: Any) -> Any:
        return self._context.write(message)

    def read(self) -> Any:
        return self._context.read()

    def code(self) -> Any:
        raise NotImplementedError

    def details(self) -> Any:
        raise RuntimeError

    def invocation_metadata(self) -> Any:
        return None


def check(target: str, kind: str) -> None:
    """Checks that results, coded errors, unhandled exceptions and aborts arrive."""
    assert ask(target, kind, lambda _: None).responses == list(
        harness.RESPONSES[: 2 if kind in STREAMS else 1]
    )
    outcome = ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND, seat="3")))
    assert (coded(outcome), on_the_wire(outcome)["ErrorInfo"].metadata["seat"]) == (
        "NOT_FOUND",
        "3",
    )
    assert outcome.responses == ([b"first"] if kind in STREAMS else [])
    outcome = ask(target, kind, raising(ValueError(SECRET)))
    assert coded(outcome) == FALLBACK
    assert SECRET not in repr((outcome.details, outcome.trailing))
    outcome = ask(target, kind, lambda context: context.abort(StatusCode.DATA_LOSS, "lost"))
    assert (outcome.code, outcome.details) == (StatusCode.DATA_LOSS, "lost")


class TestOwn:
    def test_that_does_nothing(self, place: str, style: str) -> None:
        with harness.serve(
            style, placed(place, style, lambda: other(style, lambda handler: handler))
        ) as target:
            for kind in harness.KINDS:
                check(target, kind)

    def test_that_wraps_the_handler_anew_in_each_call(self, place: str, style: str) -> None:
        change = functools.partial(behaving, functools.partial(around, lambda context: context))
        with harness.serve(style, placed(place, style, lambda: other(style, change))) as target:
            for kind in harness.KINDS:
                check(target, kind)
                check(target, kind)

    @pytest.mark.parametrize("wrapper", [Wrapped, Narrow])
    def test_that_replaces_the_context(self, wrapper: Any, place: str, style: str) -> None:
        change = functools.partial(behaving, functools.partial(around, wrapper))
        with harness.serve(style, placed(place, style, lambda: other(style, change))) as target:
            for kind in harness.KINDS:
                check(target, kind)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (ServiceError(ResCode.UNAUTHORIZED), "UNAUTHORIZED"),
            (ServiceError(next(iter(ComponentCode))), next(iter(ComponentCode)).reason),
            (ValueError(SECRET), FALLBACK),
            (KeyboardInterrupt(SECRET), FALLBACK),
            (GeneratorExit(SECRET), FALLBACK),
            (StopIteration(SECRET), FALLBACK),
            (Exception(), FALLBACK),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("when", ["intercepted", "called"])
    @pytest.mark.thinned(3)
    def test_that_raises(
        self, when: str, error: BaseException, reason: str, style: str, kind: str
    ) -> None:
        def refuse(*_: Any) -> Any:
            raise error

        def change(handler: Any) -> Any:
            return (
                behaving(functools.partial(around, refuse), handler)
                if when == "called"
                else handler
            )

        inner = other(style, change, refuse if when == "intercepted" else lambda: None)
        with harness.serve(style, [ours(style), inner]) as target:
            outcome = ask(
                target,
                kind,
                lambda _: pytest.fail("not reached"),
                metadata=(("accept-language", "en"), ("x-request-id", "r-1")),
            )
        details = on_the_wire(outcome)
        assert coded(outcome) == reason
        assert details["LocalizedMessage"].locale == "en-US"
        assert reason != FALLBACK or details["RequestInfo"].request_id == "r-1"
        assert SECRET not in repr((outcome.details, outcome.trailing))
        assert outcome.responses == []

    def test_that_raises_under_another(self, style: str, kind: str) -> None:
        """An outer interceptor may wrap the handler by which an inner one replaces the real one."""

        def refuse() -> None:
            raise ServiceError(ResCode.UNAUTHORIZED)

        change = functools.partial(behaving, functools.partial(around, Wrapped))
        with harness.serve(
            style,
            [other(style, change), ours(style), other(style, lambda handler: handler, refuse)],
        ) as target:
            assert coded(ask(target, kind, lambda _: None)) == "UNAUTHORIZED"

    def test_that_answers_in_place_of_the_handler(self, place: str, style: str, kind: str) -> None:
        """Its own handler aborts, as in authentication."""

        def refuse(_: Any, context: Any) -> Any:
            return context.abort(StatusCode.UNAUTHENTICATED, "Who are you?")

        async def refuse_async(_: Any, context: Any) -> Any:
            await context.abort(StatusCode.UNAUTHENTICATED, "Who are you?")

        change = functools.partial(
            behaving, lambda _: refuse_async if style in {"aio", "reader_writer"} else refuse
        )
        if style == "sync_on_aio":
            # Outside ours, the handler gets grpc's own context. The abort of a stream on the loop's
            # thread then waits for itself forever.
            place = "after"
        with harness.serve(style, placed(place, style, lambda: other(style, change))) as target:
            outcome = ask(target, kind, lambda _: pytest.fail("not reached"))
        assert (outcome.code, outcome.details) == (StatusCode.UNAUTHENTICATED, "Who are you?")

    def test_that_finds_no_handler(self, style: str, kind: str) -> None:
        with harness.serve(style, [ours(style), other(style, lambda _: None)]) as target:
            assert ask(target, kind, lambda _: None).code is StatusCode.UNIMPLEMENTED


class TestOurselves:
    def test_twice(self, style: str) -> None:
        with harness.serve(style, [ours(style), ours(style)]) as target:
            for kind in harness.KINDS:
                check(target, kind)

    def test_the_inner_one_answers(self, style: str, kind: str, caplog: Any) -> None:
        with harness.serve(style, [ours(style), ours(style, ShopCode)]) as target:
            outcome = ask(target, kind, raising(ValueError(SECRET)))
        assert on_the_wire(outcome)["ErrorInfo"].domain == "shop.example.com"
        assert len(logged(caplog)) == 1


class ShopCode(ErrorCode, domain="shop.example.com", default_locale="zh-CN", fallback="BROKEN"):
    BROKEN = 2, Spec(StatusCode.INTERNAL, message="Broken")


class Box:
    """A response as an object: grpc-interceptor takes bytes for a stream."""

    def __init__(self, content: bytes) -> None:
        self.content = content


def boxed(handler: Any) -> Any:
    def change(behavior: Any) -> Any:
        if inspect.isasyncgenfunction(behavior):

            async def generating(request: Any, context: Any) -> Any:
                async for response in behavior(request, context):
                    yield Box(response)

            return generating
        if inspect.iscoroutinefunction(behavior):

            async def awaiting(request: Any, context: Any) -> Any:
                return Box(await behavior(request, context))

            return awaiting
        if handler.response_streaming:
            return lambda request, context: map(Box, behavior(request, context))
        return lambda request, context: Box(behavior(request, context))

    return behaving(change, handler)._replace(response_serializer=lambda box: box.content)


# grpc-interceptor and OpenTelemetry support only these
@pytest.mark.parametrize("style", ["sync", "aio"])
class TestGrpcInterceptor:
    def serve(self, place: str, style: str, **options: Any) -> Any:
        kind: Any = grpc_interceptor.ExceptionToStatusInterceptor
        if style == "aio":
            kind = grpc_interceptor.AsyncExceptionToStatusInterceptor
        return harness.serve(
            style, [*placed(place, style, lambda: kind(**options)), other(style, boxed)]
        )

    def test_errors(self, place: str, style: str) -> None:
        with self.serve(place, style) as target:
            for kind in harness.KINDS:
                check(target, kind)

    def test_its_own_exceptions(self, style: str, kind: str) -> None:
        """Inside ours, it answers them; outside, it does not see them, and they are unhandled."""
        act = raising(grpc_interceptor.exceptions.NotFound("No such thing"))
        with self.serve("after", style) as target:
            outcome = ask(target, kind, act)
            assert (outcome.code, outcome.details, outcome.trailing) == (
                StatusCode.NOT_FOUND,
                "No such thing",
                {},
            )
        with self.serve("before", style) as target:
            assert coded(ask(target, kind, act)) == FALLBACK

    def test_with_a_status_for_unknown_exceptions(self, style: str, kind: str) -> None:
        """Outside ours, it never uses that status; inside, it aborts with it, hiding our errors."""
        with self.serve(
            "before", style, status_on_unknown_exception=StatusCode.DATA_LOSS
        ) as target:
            assert coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))) == "NOT_FOUND"
            assert coded(ask(target, kind, raising(ValueError(SECRET)))) == FALLBACK
        with self.serve("after", style, status_on_unknown_exception=StatusCode.DATA_LOSS) as target:
            assert (
                ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND))).code
                is StatusCode.DATA_LOSS
            )


@pytest.fixture(scope="module")
def tracing() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


@pytest.mark.parametrize("style", ["sync", "aio"])
class TestOpenTelemetry:
    @pytest.fixture
    def spans(self, tracing: Any) -> Iterator[InMemorySpanExporter]:
        yield tracing[1]
        tracing[1].clear()

    def made(self, style: str, tracing: Any) -> Any:
        return (server_interceptor if style == "sync" else aio_server_interceptor)(
            tracer_provider=tracing[0]
        )

    def test_errors(self, place: str, style: str, tracing: Any, spans: Any) -> None:  # noqa: ARG002
        with harness.serve(
            style, placed(place, style, lambda: self.made(style, tracing))
        ) as target:
            for kind in harness.KINDS:
                check(target, kind)

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (None, StatusCode.OK),
            (ServiceError(ResCode.SERVICE_UNAVAILABLE), StatusCode.UNAVAILABLE),
            (ValueError(SECRET), StatusCode.INTERNAL),
        ],
        ids=["OK", "ServiceError", "ValueError"],
    )
    def test_a_span_around_ours_has_the_status(
        self, error: Any, status: StatusCode, style: str, kind: str, tracing: Any, spans: Any
    ) -> None:
        with harness.serve(style, [self.made(style, tracing), ours(style)]) as target:
            outcome = ask(target, kind, raising(error) if error else lambda _: None)
        assert outcome.code is status
        (span,) = spans.get_finished_spans()
        assert span.attributes["rpc.grpc.status_code"] == status.value[0]
        assert span.status.is_ok is (error is None)
        assert SECRET not in span.to_json()

    def test_a_span_inside_ours_has_the_exception(
        self, style: str, kind: str, tracing: Any, spans: Any
    ) -> None:
        """The span ends before we answer, so it lacks the status: put OpenTelemetry first."""
        with harness.serve(style, [ours(style), self.made(style, tracing)]) as target:
            assert coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))) == "NOT_FOUND"
        (span,) = spans.get_finished_spans()
        assert span.attributes["rpc.grpc.status_code"] == 0
        assert {event.attributes["exception.type"] for event in span.events} == {
            "errgrpc.ServiceError"
        }
