"""Contexts of an asyncio server's handlers: what a handler can call and what the client gets."""

import functools
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode
from harness import coded

from errgrpc import ResCode, ServiceError
from errgrpc.aio.context import Aborted, AsyncContext, SyncContext
from errgrpc.answering import Answering, RpcAnswer

ASYNC_STYLES = ("aio", "reader_writer")
AIO_STYLES = (*ASYNC_STYLES, "sync_on_aio")


@pytest.fixture(params=AIO_STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return request.param


LOOP: Any = SimpleNamespace(is_running=lambda: True)
STANDING = functools.partial(Answering(ResCode).standing, "/test.Service/Method")


def ask(target: str, kind: str, act: Any, after: int = 1) -> harness.Outcome:
    with harness.action(act, after) as request:
        return harness.call("sync", target, kind, request, interceptors=())


class TestOnTheWire:
    def test_abort_takes_what_was_set_in_place_of_what_is_empty(
        self, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        def act(context: Any) -> Any:
            context.set_details("as set")
            context.set_trailing_metadata((("x-cost", "3"),))
            return context.abort(StatusCode.NOT_FOUND)

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details, outcome.trailing) == (
            StatusCode.NOT_FOUND,
            "as set",
            {"x-cost": "3"},
        )

    def test_abort_takes_what_it_is_given_before_what_was_set(
        self, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        def act(context: Any) -> Any:
            context.set_details("as set")
            context.set_trailing_metadata((("x-cost", "3"),))
            return context.abort(
                StatusCode.NOT_FOUND, details="as given", trailing_metadata=(("x-cost", "4"),)
            )

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details, outcome.trailing) == (
            StatusCode.NOT_FOUND,
            "as given",
            {"x-cost": "4"},
        )

    @pytest.mark.parametrize(
        "trailers",
        [[("x-cost", "3")], grpc.aio.Metadata(("x-cost", "3"))],
        ids=["list", "Metadata"],
    )
    def test_abort_takes_any_trailing_metadata(
        self, trailers: Any, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        outcome = ask(
            targets[style], kind, lambda context: context.abort(StatusCode.NOT_FOUND, "", trailers)
        )
        assert (outcome.code, outcome.trailing) == (StatusCode.NOT_FOUND, {"x-cost": "3"})

    @pytest.mark.parametrize("trailers", [7, None, "text", {"x-cost": "3"}], ids=repr)
    def test_abort_leaves_out_what_is_no_metadata(
        self, trailers: Any, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        outcome = ask(
            targets[style],
            kind,
            lambda context: context.abort(StatusCode.NOT_FOUND, "gone", trailers),
        )
        assert (outcome.code, outcome.details, outcome.trailing) == (
            StatusCode.NOT_FOUND,
            "gone",
            {},
        )

    @pytest.mark.parametrize("details", ["a\ud800b", None, b"bytes", 7], ids=ascii)
    def test_details_are_text(
        self, details: Any, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        def act(context: Any) -> None:
            context.set_code(StatusCode.NOT_FOUND)
            context.set_details(details)

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details) == (
            StatusCode.NOT_FOUND,
            "a\ufffdb" if isinstance(details, str) else "",
        )

    def test_a_number_that_is_set_before_an_exception_stands(
        self, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        def act(context: Any) -> None:
            context.set_code(5)
            raise ValueError

        assert ask(targets[style], kind, act).code is StatusCode.NOT_FOUND

    def test_no_answer_takes_what_the_handler_had_set(
        self, style: str, kind: str, targets: dict[str, str]
    ) -> None:
        def act(context: Any) -> None:
            context.set_details("as set")
            raise ServiceError(ResCode.NOT_FOUND, "")

        outcome = ask(targets[style], kind, act)
        # `coded` compares it with the Status, too
        assert (coded(outcome), outcome.details) == ("NOT_FOUND", "")

    def test_what_can_be_read_back(self, style: str, kind: str, targets: dict[str, str]) -> None:
        read: list[Any] = []

        def act(context: Any) -> None:
            context.set_code(StatusCode.NOT_FOUND)
            context.set_details("as set")
            context.set_trailing_metadata((("x-cost", "3"),))
            read.extend((context.code(), context.details(), tuple(context.trailing_metadata())))

        ask(targets[style], kind, act)
        assert read == [StatusCode.NOT_FOUND, "as set", (("x-cost", "3"),)]

    def test_what_grpc_gives_beside(self, style: str, kind: str, targets: dict[str, str]) -> None:
        seen: list[Any] = []

        def act(context: Any) -> None:
            context.set_compression(grpc.Compression.Gzip)
            with pytest.raises(AttributeError):
                _ = context.no_such_thing
            seen.append(context.peer().split(":")[0])

        assert ask(targets[style], kind, act, after=0).code is StatusCode.OK
        assert seen == ["ipv4"]

    async def test_abort_in_a_sync_stream_is_never_lost(self, targets: dict[str, str]) -> None:
        """Bare grpc loses about half of these aborts (measured)."""

        def act(context: Any) -> None:
            context.abort(StatusCode.NOT_FOUND, "No such thing")

        with harness.action(act, 1) as request:
            async with grpc.aio.insecure_channel(targets["sync_on_aio"]) as channel:
                method: Any = channel.unary_stream("/test.Service/unary_stream")
                for _ in range(100):
                    call = method(request, timeout=harness.DEADLINE)
                    assert await call.read() == b"first"
                    assert await call.code() is StatusCode.NOT_FOUND


class Told:
    """A context that records what it is told.

    It can tell as little as the context of another interceptor may.
    """

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    async def abort(self, code: Any, details: str, trailers: Any) -> None:
        self.told.update(code=code, details=details, trailers=trailers)
        raise grpc.aio.AbortError

    def set_code(self, code: Any) -> None:
        self.told["code"] = code

    def set_details(self, details: str) -> None:
        self.told["details"] = details

    def set_trailing_metadata(self, trailers: Any) -> None:
        self.told["trailers"] = trailers


class TestAsyncContext:
    async def test_the_first_abort_stands(self) -> None:
        told = Told()
        context = AsyncContext(told, STANDING)
        with pytest.raises(grpc.aio.AbortError) as caught:
            await context.abort(StatusCode.NOT_FOUND, "first")
        assert context.sent is caught.value
        with pytest.raises(grpc.aio.UsageError):
            await context.abort(StatusCode.ABORTED, "second")
        assert told.told == {"code": StatusCode.NOT_FOUND, "details": "first", "trailers": ()}

    async def test_a_context_that_cannot_be_asked(self) -> None:
        context = AsyncContext(Told(), STANDING)
        assert (context.details(), tuple(context.trailing_metadata())) == ("", ())
        rpc = context.rpc("/m", gone=False)
        assert (rpc.method, rpc.metadata, rpc.trailers, rpc.status, rpc.details) == (
            "/m",
            (),
            (),
            None,
            None,
        )

    async def test_an_abort_that_returns(self) -> None:
        """The `abort` of a mock may return: the handler must not continue after it."""

        class Returning(Told):
            async def abort(self, code: Any, details: str, trailers: Any) -> None: ...

        with pytest.raises(AssertionError):
            await AsyncContext(Returning(), STANDING).abort(StatusCode.NOT_FOUND, "No such thing")


class TestSyncContext:
    def test_an_abort_is_set_when_the_handler_has_ended(self) -> None:
        told = Told()
        context = SyncContext(told, STANDING, LOOP)
        for details in ("first", "second"):
            with pytest.raises(Aborted):
                context.abort(StatusCode.NOT_FOUND, details)
        assert told.told == {}
        context.finish()
        assert told.told == {"code": StatusCode.NOT_FOUND, "details": "first", "trailers": ()}

    def test_an_abort_stands_whatever_follows(self) -> None:
        told = Told()
        context = SyncContext(told, STANDING, LOOP)
        with pytest.raises(Aborted):
            context.abort(StatusCode.NOT_FOUND, "No such thing")
        context.set_code(StatusCode.OK)
        context.apply(RpcAnswer(StatusCode.INTERNAL, "another", ()))
        assert told.told == {
            "code": StatusCode.NOT_FOUND,
            "details": "No such thing",
            "trailers": (),
        }

    def test_nothing_is_set_without_an_abort(self) -> None:
        told = Told()
        context = SyncContext(told, STANDING, LOOP)
        context.finish()
        assert told.told == {}
