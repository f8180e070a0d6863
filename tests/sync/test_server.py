"""The server's side as plain grpc and google.rpc read it: all styles and all kinds of methods."""

import asyncio
import functools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status
from harness import coded, logged, on_the_wire

import errgrpc
from errgrpc import ComponentCode, ResCode, ServiceError
from errgrpc.guards import Guards

pytestmark = pytest.mark.thinned(2)  # the default: some tests have their own number

FALLBACK = "INTERNAL_SERVER_ERROR"
SECRET = "canary-4711"  # noqa: S105  the secret of the tests
STREAMS = [kind for kind in harness.KINDS if kind.endswith("stream")]


@pytest.fixture(scope="session")
def bare_targets() -> Iterator[dict[str, str]]:
    """Servers of each style without any interceptor: their addresses."""
    with ExitStack() as stack:
        yield {style: stack.enter_context(harness.serve(style, [])) for style in harness.STYLES}


@pytest.fixture(params=harness.STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return request.param


PLACES = [
    (kind, after) for kind in harness.KINDS for after in (range(3) if kind in STREAMS else [0])
]


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def place(request: pytest.FixtureRequest) -> tuple[str, int]:
    """A kind of method, and the number of responses (of two) before its handler acts."""
    return request.param


def ask(
    target: str,
    kind: str,
    act: Callable[[Any], Any],
    after: int = 1,
    stack: str = "sync",
    **options: Any,
) -> harness.Outcome:
    """What a client without our interceptor gets from a handler that acts."""
    with harness.action(act, after) as request:
        return harness.call(stack, target, kind, request, interceptors=(), **options)


def given(kind: str, after: int) -> list[bytes]:
    """The responses that arrive from a handler that fails after this many."""
    return list(harness.RESPONSES[:after]) if kind in STREAMS else []


def raising(error: Any) -> Callable[[Any], Any]:
    def act(_: Any) -> None:
        raise error() if isinstance(error, type) else error

    return act


class TestResults:
    """A successful handler gives the same as without our interceptor."""

    def test_responses(self, target: str, kind: str, stack: str) -> None:
        outcome = ask(target, kind, lambda _: None, stack=stack)
        assert (outcome.code, outcome.details, outcome.error, outcome.trailing) == (
            StatusCode.OK,
            "",
            None,
            {},
        )
        assert outcome.responses == list(harness.RESPONSES[: 2 if kind in STREAMS else 1])

    def test_metadata(self, target: str, kind: str, stack: str) -> None:
        def act(context: Any) -> Any:
            context.set_trailing_metadata(
                (("x-cost", "3"), ("x-cost-bin", b"\x00\xff"), (harness.DETAILS_KEY, b"own"))
            )
            return context.send_initial_metadata((("x-started", "now"),))

        outcome = ask(target, kind, act, after=0, stack=stack)
        assert outcome.code is StatusCode.OK
        assert outcome.initial["x-started"] == "now"
        assert outcome.trailing == {
            "x-cost": "3",
            "x-cost-bin": b"\x00\xff",
            harness.DETAILS_KEY: b"own",
        }

    def test_what_a_context_says(
        self, style: str, targets: dict[str, str], bare_targets: dict[str, str], kind: str
    ) -> None:
        def answers(target: str) -> dict[str, Any]:
            said: dict[str, Any] = {}

            def act(context: Any) -> None:
                said["x-sent"] = dict(context.invocation_metadata())["x-sent"]
                said["peer"] = context.peer().rpartition(":")[0]
                said["time_remaining"] = 0 < context.time_remaining() < harness.DEADLINE + 1
                said["auth_context"] = dict(context.auth_context())
                said["peer_identities"] = context.peer_identities(), context.peer_identity_key()
                said["active"] = context.is_active() if style == "sync" else None
                said["done"] = (
                    context.done(),
                    context.cancelled() if style in {"aio", "reader_writer"} else None,
                )
                context.disable_next_message_compression()

            def tolerant(context: Any) -> None:
                with suppress(AttributeError):  # a sync context has no `done`
                    act(context)

            assert ask(target, kind, tolerant, metadata=(("x-sent", "1"),)).code is StatusCode.OK
            return said

        guarded = answers(targets[style])
        assert guarded == answers(bare_targets[style])
        assert guarded["time_remaining"] is True

    @pytest.mark.parametrize("code", [StatusCode.NOT_FOUND, StatusCode.OK, "garbage", 5])
    @pytest.mark.thinned(2)
    def test_a_status_that_is_set(
        self,
        code: Any,
        style: str,
        targets: dict[str, str],
        bare_targets: dict[str, str],
        place: tuple[str, int],
    ) -> None:
        kind, after = place

        def act(context: Any) -> None:
            context.set_code(code)
            context.set_details("as set")
            context.set_trailing_metadata((("x-cost", "3"),))

        guarded, bare = (
            ask(targets[style], kind, act, after),
            ask(bare_targets[style], kind, act, after),
        )
        assert (guarded.code, guarded.details, guarded.trailing) == (
            bare.code,
            bare.details,
            bare.trailing,
        )
        assert guarded.responses == bare.responses
        assert guarded.details == "as set" or code is StatusCode.OK


class TestErrors:
    """A ServiceError, wherever in the call it is raised."""

    def test_arrives_after_the_responses_before_it(
        self, target: str, place: tuple[str, int], stack: str
    ) -> None:
        kind, after = place
        outcome = ask(
            target,
            kind,
            raising(ServiceError(ResCode.ROOM_NOT_EXIST, "No r-42", room_uuid="r-42")),
            after,
            stack,
        )
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No r-42")
        assert outcome.responses == given(kind, after)
        details = on_the_wire(outcome)
        assert list(details) == ["ErrorInfo", "LocalizedMessage"]
        assert (details["ErrorInfo"].domain, details["ErrorInfo"].reason) == (
            "errgrpc.v1.ResCode",
            "ROOM_NOT_EXIST",
        )
        assert dict(details["ErrorInfo"].metadata) == {"code": "1004", "room_uuid": "r-42"}
        assert (details["LocalizedMessage"].locale, details["LocalizedMessage"].message) == (
            "zh-CN",
            "房间不存在",
        )

    def test_grpcio_status_reads_it(self, target: str, kind: str) -> None:
        outcome = ask(
            target, kind, raising(ServiceError(ResCode.SERVICE_UNAVAILABLE, retry_delay=1))
        )
        status = rpc_status.from_call(outcome.error)
        assert status is not None
        assert status.code == code_pb2.UNAVAILABLE
        assert [detail.TypeName() for detail in status.details][-1] == "google.rpc.RetryInfo"

    def test_of_another_catalogue_is_itself(self, target: str, kind: str) -> None:
        code = next(code for code in ComponentCode)
        info = on_the_wire(ask(target, kind, raising(ServiceError(code))))["ErrorInfo"]
        assert (info.domain, info.reason) == ("errgrpc.v1.ComponentCode", code.reason)

    # A sync client asks: the asyncio client may lose the initial metadata of a failed stream of any
    # server.
    def test_keeps_the_metadata_of_the_handler(self, target: str, kind: str) -> None:
        def act(context: Any) -> Any:
            context.set_trailing_metadata(
                (("x-cost", "3"), ("x-cost-bin", b"\x00\xff"), (harness.DETAILS_KEY, b"own"))
            )
            return then_raise(
                context.send_initial_metadata((("x-started", "now"),)),
                ServiceError(ResCode.NOT_FOUND),
            )

        outcome = ask(target, kind, act, after=0)
        assert outcome.initial["x-started"] == "now"
        assert coded(outcome) == "NOT_FOUND"  # replaces the handler's own details
        assert {
            key: value for key, value in outcome.trailing.items() if key != harness.DETAILS_KEY
        } == {
            "x-cost": "3",
            "x-cost-bin": b"\x00\xff",
        }

    def test_wins_over_a_status_set_before(self, target: str, kind: str) -> None:
        def act(context: Any) -> None:
            context.set_code(StatusCode.DATA_LOSS)
            context.set_details("set before")
            raise ServiceError(ResCode.NOT_FOUND)

        outcome = ask(target, kind, act)
        assert (coded(outcome), outcome.code) == ("NOT_FOUND", StatusCode.NOT_FOUND)

    @pytest.mark.parametrize(
        "entry",
        [("x-text", "é"), ("Upper", "case"), ("x-bin", "text"), ("x-text", b"\xff"), ("", "none")],
        ids=repr,
    )
    @pytest.mark.thinned(4)
    def test_survives_trailing_metadata_that_grpc_cannot_send(
        self, entry: Any, target: str, kind: str, caplog: Any
    ) -> None:
        def act(context: Any) -> None:
            context.set_trailing_metadata((("x-cost", "3"), entry))
            raise ServiceError(ResCode.NOT_FOUND)

        outcome = ask(target, kind, act)
        assert coded(outcome) == "NOT_FOUND"
        assert {**outcome.trailing, harness.DETAILS_KEY: b""} == {
            "x-cost": "3",
            harness.DETAILS_KEY: b"",
        }
        assert [
            record.levelno for record in logged(caplog) if "left out" in record.getMessage()
        ] == [logging.WARNING]

    @pytest.mark.parametrize(
        "garbage", [7, {"x-cost": "3"}, [("x-cost",)], ["x"], [("x-cost", 3)], None], ids=repr
    )
    @pytest.mark.thinned(4)
    def test_survives_trailing_metadata_of_wrong_types(
        self, garbage: Any, target: str, kind: str
    ) -> None:
        def act(context: Any) -> None:
            with suppress(TypeError):  # asyncio grpc raises at once
                context.set_trailing_metadata(garbage)
            raise ServiceError(ResCode.NOT_FOUND)

        assert coded(ask(target, kind, act)) == "NOT_FOUND"

    def test_raised_by_one_instance_for_many(self, target: str, kind: str) -> None:
        error = ServiceError(ResCode.NOT_FOUND)
        outcomes = [
            ask(target, kind, raising(error), metadata=(("accept-language", tag),))
            for tag in ("en-US", "zh-CN", "en")
        ]
        assert [on_the_wire(outcome)["LocalizedMessage"].locale for outcome in outcomes] == [
            "en-US",
            "zh-CN",
            "en-US",
        ]


def then_raise(sent: Any, error: Exception) -> Any:
    """Raises after `sent`, which is an awaitable for async handlers."""
    if sent is None:
        raise error

    async def finish() -> None:
        await sent
        raise error

    return finish()


class TestOwnStatus:
    """A status that the handler sets or sends itself stays, and always arrives."""

    def test_abort(self, target: str, place: tuple[str, int], stack: str, caplog: Any) -> None:
        kind, after = place

        def act(context: Any) -> Any:
            context.set_trailing_metadata((("x-cost", "3"), (harness.DETAILS_KEY, b"own")))
            return context.abort(StatusCode.NOT_FOUND, "No such thing")

        outcome = ask(target, kind, act, after, stack)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")
        assert outcome.trailing == {"x-cost": "3", harness.DETAILS_KEY: b"own"}
        assert outcome.responses == given(kind, after)
        assert not logged(caplog)

    def test_a_bare_exception_is_no_abort(self, target: str, kind: str) -> None:
        def act(context: Any) -> None:
            context.set_details("internal")
            raise Exception

        outcome = ask(target, kind, act)
        assert (outcome.code, outcome.details) == (StatusCode.INTERNAL, "Internal Server Error")

    def test_abort_with_status(self, target: str, kind: str) -> None:
        status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="No such thing")
        status.details.add().Pack(
            error_details_pb2.ErrorInfo(reason="THEIRS", domain="example.com")
        )
        outcome = ask(
            target, kind, lambda context: context.abort_with_status(rpc_status.to_status(status))
        )
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")
        assert outcome.trailing == {harness.DETAILS_KEY: status.SerializeToString()}

    # The stacks differ as grpc's own do. Only asyncio takes numbers; on sync, details that cannot
    # be encoded are lost.
    @pytest.mark.parametrize(
        ("code", "details", "on_sync", "on_aio"),
        [
            (StatusCode.OK, "fine", (StatusCode.UNKNOWN, ""), (StatusCode.UNKNOWN, "")),
            (5, "five", (StatusCode.UNKNOWN, "five"), (StatusCode.NOT_FOUND, "five")),
            (0, "zero", (StatusCode.UNKNOWN, "zero"), (StatusCode.UNKNOWN, "zero")),
            (99, "many", (StatusCode.UNKNOWN, "many"), (StatusCode.UNKNOWN, "many")),
            (None, "none", (StatusCode.UNKNOWN, "none"), (StatusCode.UNKNOWN, "none")),
            ("garbage", "text", (StatusCode.UNKNOWN, "text"), (StatusCode.UNKNOWN, "text")),
            ([], "list", (StatusCode.UNKNOWN, "list"), (StatusCode.UNKNOWN, "list")),
            (StatusCode.ABORTED, None, (StatusCode.ABORTED, ""), (StatusCode.ABORTED, "")),
            (
                StatusCode.ABORTED,
                "a\ud800b",
                (StatusCode.ABORTED, ""),
                (StatusCode.ABORTED, "a\ufffdb"),
            ),
            (
                StatusCode.ABORTED,
                "é 房间 🎓 %\n",
                (StatusCode.ABORTED, "é 房间 🎓 %\n"),
                (StatusCode.ABORTED, "é 房间 🎓 %\n"),
            ),
        ],
        ids=ascii,
    )
    @pytest.mark.thinned(4)
    def test_odd_aborts(
        self,
        code: Any,
        details: Any,
        on_sync: Any,
        on_aio: Any,
        style: str,
        targets: Any,
        kind: str,
    ) -> None:
        outcome = ask(targets[style], kind, lambda context: context.abort(code, details))
        assert (outcome.code, outcome.details) == (on_sync if style == "sync" else on_aio)
        assert harness.DETAILS_KEY not in outcome.trailing

    @pytest.mark.parametrize(
        "entry",
        [("x-text", "é"), ("Upper", "case"), ("x-bin", "text"), ("x-text", b"\xff"), "garbage"],
        ids=repr,
    )
    @pytest.mark.parametrize("how", ["set", "argument", "status"])
    @pytest.mark.parametrize("kept", [{}, {"x-cost": "3"}], ids=["alone", "among others"])
    @pytest.mark.thinned(4)
    def test_abort_with_bad_trailing_metadata(
        self, kept: dict[str, str], how: str, entry: Any, style: str, targets: Any, kind: str
    ) -> None:
        if (style, how) == ("sync", "argument"):
            how = "set"  # grpc's sync abort takes no trailing metadata

        def act(context: Any) -> Any:
            trailers = (*kept.items(), entry)
            if how == "argument":
                return context.abort(StatusCode.NOT_FOUND, "No such thing", trailers)
            if how == "status":
                return context.abort_with_status(
                    Status(StatusCode.NOT_FOUND, "No such thing", trailers)
                )
            # asyncio grpc refuses some at once, and then sends no metadata
            with suppress(TypeError):
                context.set_trailing_metadata(trailers)
            return context.abort(StatusCode.NOT_FOUND, "No such thing")

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")
        refused = (how, entry) == ("set", "garbage") and style != "sync"
        assert outcome.trailing == ({} if refused else kept)

    def test_second_abort(self, style: str, targets: Any, bare_targets: Any, kind: str) -> None:
        def act(context: Any) -> Any:
            async def twice() -> None:
                with suppress(grpc.aio.AbortError):
                    await context.abort(StatusCode.NOT_FOUND, "first")
                await context.abort(StatusCode.ABORTED, "second")

            if style in {"aio", "reader_writer"}:
                return twice()
            with suppress(Exception):
                context.abort(StatusCode.NOT_FOUND, "first")
            return context.abort(StatusCode.ABORTED, "second")

        # grpc's stacks differ in which one they send.
        expected = (
            (StatusCode.ABORTED, "second") if style == "sync" else (StatusCode.NOT_FOUND, "first")
        )
        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details) == expected

    def test_swallowed_abort(self, style: str, targets: Any, kind: str) -> None:
        def act(context: Any) -> Any:
            async def swallow() -> None:
                with suppress(grpc.aio.AbortError):
                    await context.abort(StatusCode.NOT_FOUND, "No such thing")

            if style in {"aio", "reader_writer"}:
                return swallow()
            with suppress(Exception):
                context.abort(StatusCode.NOT_FOUND, "No such thing")
            return None

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")
        assert outcome.responses[:1] == given(kind, 1)

    def test_replaced_abort(self, style: str, targets: Any, kind: str) -> None:
        """If a handler turns its own abort into another exception, the abort still counts."""

        def act(context: Any) -> Any:
            async def replace() -> None:
                try:
                    await context.abort(StatusCode.NOT_FOUND, "No such thing")
                finally:
                    raise ValueError(SECRET)

            if style in {"aio", "reader_writer"}:
                return replace()
            try:
                return context.abort(StatusCode.NOT_FOUND, "No such thing")
            finally:
                raise ValueError(SECRET)

        outcome = ask(targets[style], kind, act)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")

    def test_set_before_another_exception(
        self, target: str, place: tuple[str, int], stack: str, caplog: Any
    ) -> None:
        kind, after = place

        def act(context: Any) -> None:
            context.set_trailing_metadata((("x-cost", "3"),))
            context.set_details("No such thing")
            context.set_code(StatusCode.NOT_FOUND)
            raise ValueError(SECRET)

        caplog.set_level(logging.INFO)
        outcome = ask(target, kind, act, after, stack)
        assert (outcome.code, outcome.details, outcome.trailing) == (
            StatusCode.NOT_FOUND,
            "No such thing",
            {"x-cost": "3"},
        )
        assert outcome.responses == given(kind, after)
        assert [
            (record.levelno, SECRET in (record.exc_text or "")) for record in logged(caplog)
        ] == [(logging.ERROR, True)]

    @pytest.mark.parametrize("code", [StatusCode.OK, None, "garbage"])
    def test_what_is_no_failure_does_not_stand(self, code: Any, target: str, kind: str) -> None:
        def act(context: Any) -> None:
            context.set_code(code)
            context.set_details("as set")
            raise ValueError(SECRET)

        assert coded(ask(target, kind, act)) == FALLBACK


class Status(grpc.Status):
    """A status as grpcio-status makes it."""

    def __init__(self, code: Any, details: Any, trailing_metadata: Any) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = trailing_metadata


class Hostile(Exception):
    """Raises in each method."""

    def __str__(self) -> str:
        raise ValueError(SECRET)

    __repr__ = __str__

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
        raise ValueError(SECRET)

    @property
    def exceptions(self) -> Any:  # type: ignore[override]
        raise ValueError(SECRET)

    @property
    def __notes__(self) -> Any:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        raise ValueError(SECRET)


class HostileBase(BaseException):
    __str__ = Hostile.__str__
    __repr__ = Hostile.__repr__


class Forgot(ServiceError):
    def __init__(self) -> None:
        """Without super().__init__."""


def recurse(_: object = None) -> None:
    recurse()


def nested(depth: int) -> BaseException:
    error: Any = ValueError(SECRET)
    for _ in range(depth):
        error = BaseExceptionGroup(SECRET, [error])
    return error


MISBEHAVIOURS: dict[str, Any] = {
    "ValueError": lambda: ValueError(SECRET),
    "bare": Exception,
    "KeyboardInterrupt": lambda: KeyboardInterrupt(SECRET),
    "SystemExit": lambda: SystemExit(SECRET),
    "CancelledError": lambda: asyncio.CancelledError(SECRET),
    "GeneratorExit": lambda: GeneratorExit(SECRET),
    "StopIteration": lambda: StopIteration(SECRET),
    "StopAsyncIteration": lambda: StopAsyncIteration(SECRET),
    "MemoryError": lambda: MemoryError(SECRET),
    "BaseException": lambda: BaseException(SECRET),
    "hostile": Hostile,
    "hostile base": HostileBase,
    "surrogate": lambda: ValueError(SECRET + "\ud800"),
    "group": lambda: ExceptionGroup(SECRET, [ValueError(SECRET), OSError(SECRET)]),
    "base group": lambda: BaseExceptionGroup(
        SECRET, [KeyboardInterrupt(SECRET), ValueError(SECRET)]
    ),
    "deep group": lambda: nested(3_000),
    "forgot": Forgot,
    "AbortError": lambda: grpc.aio.AbortError(SECRET),
    "UsageError": lambda: grpc.aio.UsageError(SECRET),
    "InternalError": lambda: grpc.aio.InternalError(SECRET),
    "BaseError": lambda: grpc.aio.BaseError(SECRET),
    "own BaseError": lambda: type("Own", (grpc.aio.BaseError,), {})(SECRET),
    "RpcError": grpc.RpcError,
    "UnicodeEncodeError": lambda: UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET),
}


class TestMisbehaviours:
    """Whatever a handler raises, the client is answered at once and sees nothing of it."""

    @pytest.mark.parametrize("name", MISBEHAVIOURS)
    @pytest.mark.thinned(4)
    def test_is_masked(self, name: str, target: str, place: tuple[str, int]) -> None:
        kind, after = place
        outcome = ask(target, kind, raising(MISBEHAVIOURS[name]()), after)
        assert coded(outcome) == FALLBACK
        assert on_the_wire(outcome)["RequestInfo"].request_id
        assert SECRET not in repr((outcome.details, outcome.trailing, outcome.initial))
        assert outcome.responses == given(kind, after)

    @pytest.mark.skipif(
        sys.version_info[:3] == (3, 13, 0),
        reason="CPython 3.13.0 never ends a recursion in a thread, grpc or not",
    )
    def test_recursion(self, target: str, kind: str) -> None:
        assert coded(ask(target, kind, recurse)) == FALLBACK


def child_aborts(context: Any) -> Any:
    """Aborts in a child task, whose task group wraps grpc's signal in an exception group."""

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(context.abort(StatusCode.NOT_FOUND, "No such thing"))

    return run()


class TestGroups:
    """The answer of a group comes from the first member, in the order of failing, that has one."""

    def test_one_coded(self, target: str, kind: str, caplog: Any) -> None:
        error = ExceptionGroup(SECRET, [ServiceError(ResCode.NOT_FOUND)])
        assert coded(ask(target, kind, raising(error))) == "NOT_FOUND"
        assert not logged(caplog)

    def test_several_coded(self, target: str, kind: str, caplog: Any) -> None:
        error = ExceptionGroup(
            SECRET,
            [
                ExceptionGroup("inner", [ServiceError(ResCode.CONFLICT)]),
                ServiceError(ResCode.NOT_FOUND),
            ],
        )
        assert coded(ask(target, kind, raising(error))) == "CONFLICT"
        assert not logged(caplog)

    def test_among_others(self, target: str, kind: str, caplog: Any) -> None:
        error = ExceptionGroup(SECRET, [ValueError(SECRET), ServiceError(ResCode.NOT_FOUND)])
        outcome = ask(target, kind, raising(error))
        assert coded(outcome) == "NOT_FOUND"
        assert SECRET not in repr(outcome.trailing)
        # the other error is logged
        assert [record.levelno for record in logged(caplog)] == [logging.ERROR]

    def test_with_a_fatal_one(self, target: str, kind: str) -> None:
        error = BaseExceptionGroup(
            SECRET, [KeyboardInterrupt(SECRET), ServiceError(ResCode.NOT_FOUND)]
        )
        assert coded(ask(target, kind, raising(error))) == "NOT_FOUND"

    def test_of_a_task_group(self, kind: str, targets: dict[str, str]) -> None:
        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(harness.DEADLINE))
                group.create_task(fail())

        async def fail() -> None:
            raise ServiceError(ResCode.NOT_FOUND)

        assert coded(ask(targets["aio"], kind, lambda _: run())) == "NOT_FOUND"

    def test_abort_in_a_task_group(self, kind: str, targets: dict[str, str]) -> None:
        outcome = ask(targets["aio"], kind, child_aborts)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "No such thing")


def finally_raising(_: Any) -> None:
    try:
        raise ValueError(SECRET)
    finally:
        raise ServiceError(ResCode.NOT_FOUND)


def test_error_in_a_finally(target: str, kind: str) -> None:
    outcome = ask(target, kind, finally_raising)
    assert coded(outcome) == "NOT_FOUND"
    assert SECRET not in repr(outcome.trailing)


# The shapes of handlers: what `unary_unary` and `unary_stream` may be on the servicer.


class Iterating:
    """An iterator that is not a generator; the sync server needs only `__next__`."""

    def __init__(self, request: bytes, context: Any) -> None:
        self._responses = harness.SyncServicer().unary_stream(request, context)

    def __next__(self) -> bytes:
        return next(self._responses)


class Iterable(Iterating):
    def __iter__(self) -> "Iterable":
        return self


class Called:
    def __init__(self, servicer: Any, kind: str) -> None:
        self._behavior = getattr(servicer, kind)

    def __call__(self, request: Any, context: Any) -> Any:
        return self._behavior(request, context)


class AsyncCalled(Called):
    async def __call__(self, request: Any, context: Any) -> Any:
        return await self._behavior(request, context)


class GeneratorCalled(Called):
    async def __call__(self, request: Any, context: Any) -> Any:
        async for response in self._behavior(request, context):
            yield response


class Opaque:
    """A callable without a name, documentation or attributes to copy."""

    __slots__ = ("_behavior",)

    def __init__(self, behavior: Any) -> None:
        self._behavior = behavior

    def __call__(self, request: Any, context: Any) -> Any:
        return self._behavior(request, context)


def extra(servicer: Any, kind: str, word: str, request: Any, context: Any) -> Any:
    assert word == "extra"
    return getattr(servicer, kind)(request, context)


def made_callable(servicer: Any, kind: str, asynchronous: bool) -> Any:
    if not asynchronous:
        return Called(servicer, kind)
    generates = kind in STREAMS and type(servicer) is harness.AsyncServicer
    return GeneratorCalled(servicer, kind) if generates else AsyncCalled(servicer, kind)


SHAPES: dict[str, Callable[[Any, str, bool], Any]] = {
    "bound method": lambda servicer, kind, _: getattr(servicer, kind),
    "unbound method": lambda servicer, kind, _: functools.partial(
        getattr(type(servicer), kind), servicer
    ),
    "partial of a partial": lambda servicer, kind, _: functools.partial(
        functools.partial(getattr(type(servicer), kind)), servicer
    ),
    "callable": made_callable,
    "partial of a callable": lambda servicer, kind, asynchronous: functools.partial(
        made_callable(servicer, kind, asynchronous)
    ),
    "bound __call__": lambda servicer, kind, asynchronous: (
        made_callable(servicer, kind, asynchronous).__call__
    ),
}
SYNC_SHAPES: dict[str, Callable[[Any, str, bool], Any]] = {
    "lambda": lambda servicer, kind, _: (
        lambda request, context: extra(servicer, kind, "extra", request, context)
    ),
    "partial with an argument": lambda servicer, kind, _: functools.partial(
        extra, servicer, kind, "extra"
    ),
    "opaque": lambda servicer, kind, _: Opaque(getattr(servicer, kind)),
}


class Shaped:
    """A servicer whose handlers have another shape."""

    def __init__(self, style: str, shape: Callable[[Any, str, bool], Any]) -> None:
        for kind in harness.KINDS:
            setattr(
                self,
                kind,
                shape(harness.SERVICERS[style](), kind, style in {"aio", "reader_writer"}),
            )


class TestShapes:
    @pytest.mark.parametrize("shape", SHAPES | SYNC_SHAPES)
    def test_of_handlers(self, shape: str, style: str) -> None:
        if shape in SYNC_SHAPES:  # async handlers lack these: grpc recognizes them by the function
            style = {"aio": "sync", "reader_writer": "sync_on_aio"}.get(style, style)
        with harness.serve(style, servicer=Shaped(style, (SHAPES | SYNC_SHAPES)[shape])) as target:
            for kind in harness.KINDS:
                assert ask(target, kind, lambda _: None).responses == list(
                    harness.RESPONSES[: 2 if kind in STREAMS else 1]
                )
                outcome = ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))
                assert (coded(outcome), outcome.responses) == ("NOT_FOUND", given(kind, 1))

    @pytest.mark.parametrize(
        ("style", "shape"), [("sync", Iterating), ("sync", Iterable), ("sync_on_aio", Iterable)]
    )
    def test_of_responses(self, style: str, shape: type, place: tuple[str, int]) -> None:
        servicer = harness.SyncServicer()
        servicer.unary_stream = shape  # type: ignore[method-assign]
        with harness.serve(style, servicer=servicer) as target:
            assert ask(target, "unary_stream", lambda _: None).responses == list(harness.RESPONSES)
            outcome = ask(
                target, "unary_stream", raising(ServiceError(ResCode.NOT_FOUND)), place[1]
            )
        assert (coded(outcome), outcome.responses) == ("NOT_FOUND", given("unary_stream", place[1]))

    @pytest.mark.parametrize("style", ["sync", "sync_on_aio"])
    def test_lists(self, style: str) -> None:
        """grpc's sync server calls `next` on the responses; its asyncio server iterates."""

        class Listing(harness.SyncServicer):
            def unary_stream(self, request: bytes, context: Any) -> Any:
                harness.ACTIONS[request][0](context)
                return list(harness.RESPONSES)

        with harness.serve(style, servicer=Listing()) as target:
            outcome = ask(target, "unary_stream", lambda _: None)
            assert (coded(outcome), outcome.responses) == (
                (FALLBACK, []) if style == "sync" else (None, list(harness.RESPONSES))
            )
            assert (
                coded(ask(target, "unary_stream", raising(ServiceError(ResCode.NOT_FOUND))))
                == "NOT_FOUND"
            )

    def test_non_blocking(self) -> None:
        """grpc's experimental handlers send responses through a callback, from their own pool."""
        threads: list[str] = []

        def behavior(request: bytes, context: Any, send: Callable[[Any], None]) -> None:
            threads.append(threading.current_thread().name)
            send(b"first")
            harness.ACTIONS[request][0](context)
            send(b"second")
            send(None)

        servicer = harness.SyncServicer()
        with ThreadPoolExecutor(1, "own") as pool:
            behavior.experimental_non_blocking = True  # type: ignore[attr-defined]
            behavior.experimental_thread_pool = pool  # type: ignore[attr-defined]
            servicer.unary_stream = behavior  # type: ignore[method-assign,assignment]
            with harness.serve("sync", servicer=servicer) as target:
                assert ask(target, "unary_stream", lambda _: None).responses == [
                    b"first",
                    b"second",
                ]
                outcome = ask(target, "unary_stream", raising(ServiceError(ResCode.NOT_FOUND)))
        assert (coded(outcome), outcome.responses) == ("NOT_FOUND", [b"first"])
        assert threads == ["own_0", "own_0"]

    def test_servicers_of_subclasses_and_static_methods(self, kind: str) -> None:
        class Static(harness.SyncServicer):
            unary_unary = staticmethod(
                lambda request, context: harness.SyncServicer().unary_unary(request, context)
            )  # type: ignore[assignment]

        with harness.serve("sync", servicer=Static()) as target:
            assert coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))) == "NOT_FOUND"


class TestOutsideTheHandler:
    """Errors outside of handlers stay grpc's."""

    def test_unknown_method(self, target: str) -> None:
        with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/test.Service/none")(b"", timeout=harness.DEADLINE)  # type: ignore[arg-type]
        assert caught.value.code() is StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
        assert caught.value.details() == "Method not found!"  # type: ignore[attr-defined]

    def test_request_that_does_not_parse(self, style: str, kind: str) -> None:
        class Parsing(grpc.ServerInterceptor):
            def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
                return continuation(handler_call_details)._replace(request_deserializer=parse)

        class AsyncParsing(grpc.aio.ServerInterceptor):
            async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
                return (await continuation(handler_call_details))._replace(
                    request_deserializer=parse
                )

        parsing, stack = (Parsing(), errgrpc) if style == "sync" else (AsyncParsing(), errgrpc.aio)
        outcomes = []
        for interceptors in ([parsing], [stack.ServerInterceptor(ResCode), parsing]):
            with harness.serve(style, interceptors) as target:
                outcomes.append(ask(target, kind, lambda _: None))
        assert outcomes[0].code is not StatusCode.OK
        if kind.startswith("unary"):
            assert (outcomes[0].code, outcomes[0].trailing) == (
                outcomes[1].code,
                outcomes[1].trailing,
            )
        else:  # the handler reads the request, so it gets the failure
            assert outcomes[1].code is not StatusCode.OK


def parse(_: bytes) -> Any:
    raise ValueError("no message")


class Watched:
    """A sync handler of each kind that waits for the end of its call, and records what it sees."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.started, self.over, self.ended = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )
        self.seen: list[Any] = []

    def _watch(self, context: Any) -> None:
        self.seen += [
            context.add_callback(self.over.set),
            context.is_active(),
            context.time_remaining() > 0,
        ]
        self.started.set()
        assert self.over.wait(harness.DEADLINE)
        self.seen += [context.is_active()]
        if self.error is not None:
            raise self.error

    def unary_unary(self, request: bytes, context: Any) -> bytes:  # noqa: ARG002
        try:
            self._watch(context)
        finally:
            self.ended.set()
        return b""

    def stream_unary(self, requests: Any, context: Any) -> bytes:
        next(requests)
        return self.unary_unary(b"", context)

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:  # noqa: ARG002
        try:
            yield b"first"
            self._watch(context)
            yield b"into the void"
            self.seen += ["not reached: grpc drops the generator"]
        finally:
            self.ended.set()

    def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
        next(requests)
        yield from self.unary_stream(b"", context)


@contextmanager
def requests() -> Iterator[Any]:
    """Requests: the first comes at once, and the end comes when the block ends."""
    over = threading.Event()

    def generate() -> Iterator[bytes]:
        yield b""
        over.wait(harness.DEADLINE)

    try:
        yield generate()
    finally:
        over.set()


@contextmanager
def running(target: str, kind: str, watched: Any, **options: Any) -> Iterator[Any]:
    """A call whose handler is running."""
    with grpc.insecure_channel(target) as channel, requests() as stream:
        method = getattr(channel, kind)(f"/test.Service/{kind}")
        argument = stream if kind.startswith("stream") else b""
        if kind.endswith("unary"):
            call = method.future(argument, **options)
        else:
            call = method(argument, **options)
            assert next(call) == b"first"
        assert watched.started.wait(harness.DEADLINE)
        yield call


def final_code(call: Any, kind: str) -> Any:
    with suppress(grpc.RpcError, grpc.FutureCancelledError):
        if kind.endswith("unary"):
            call.result(harness.DEADLINE)
        else:
            list(call)
    return call.code()


class TestTheEndOfACall:
    """Cancellation, deadlines and shutdown work as without our interceptor."""

    @pytest.mark.parametrize(
        "error", [None, ServiceError(ResCode.NOT_FOUND)], ids=["returns", "raises"]
    )
    @pytest.mark.parametrize("interceptors", [None, []], ids=["guarded", "bare"])
    def test_cancelled_by_the_client(
        self, interceptors: Any, error: Any, kind: str, caplog: Any
    ) -> None:
        watched = Watched(error)
        with (
            harness.serve("sync", interceptors, watched) as target,
            running(target, kind, watched) as call,
        ):
            call.cancel()
            assert watched.ended.wait(harness.DEADLINE)
        assert watched.seen == [True, True, True, False]
        if interceptors is None:  # bare grpc logs a traceback
            assert not logged(caplog)

    @pytest.mark.parametrize("interceptors", [None, []], ids=["guarded", "bare"])
    @pytest.mark.thinned(2)
    def test_deadline(self, interceptors: Any, kind: str, caplog: Any) -> None:
        watched = Watched()
        with (
            harness.serve("sync", interceptors, watched) as target,
            running(target, kind, watched, timeout=0.3) as call,
        ):
            assert final_code(call, kind) is StatusCode.DEADLINE_EXCEEDED
            assert watched.ended.wait(harness.DEADLINE)
        assert watched.seen == [True, True, True, False]
        assert not logged(caplog)

    @pytest.mark.parametrize("kind", ["stream_unary", "stream_stream"])
    @pytest.mark.parametrize("interceptors", [None, []], ids=["guarded", "bare"])
    def test_cancelled_while_the_handler_waits_for_requests(
        self, interceptors: Any, kind: str, caplog: Any
    ) -> None:
        class Reading(Watched):
            def stream_unary(self, requests: Any, context: Any) -> bytes:  # noqa: ARG002
                try:
                    next(requests)
                    self.started.set()
                    list(requests)
                except BaseException as error:
                    self.seen.append(type(error))
                    raise
                finally:
                    self.ended.set()
                return b""

            def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
                yield b"first"
                yield self.stream_unary(requests, context)

        watched = Reading()
        with (
            harness.serve("sync", interceptors, watched) as target,
            running(target, kind, watched) as call,
        ):
            call.cancel()
            assert watched.ended.wait(harness.DEADLINE)
        # This is a race in grpc: if it hears of the end of the requests before the cancellation,
        # they just end.
        assert watched.seen in ([grpc.RpcError], [])
        assert not logged(caplog)

    def test_foreign_error_after_the_client_has_gone(self, kind: str, caplog: Any) -> None:
        watched = Watched(ValueError(SECRET))
        with (
            harness.serve("sync", servicer=watched) as target,
            running(target, kind, watched) as call,
        ):
            call.cancel()
            assert watched.ended.wait(harness.DEADLINE)
        # an unhandled exception is logged, even if no client is left
        assert [record.levelno for record in logged(caplog)] == [logging.ERROR]

    def test_error_in_the_close_of_a_generator(self) -> None:
        """Python itself reports the error, as no code uses the generator any more."""
        reported: list[Any] = []

        class Closing(Watched):
            def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:  # noqa: ARG002
                try:
                    while True:
                        self.started.set()
                        yield b"first"
                finally:
                    self.ended.set()
                    raise ServiceError(ResCode.NOT_FOUND)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.unraisablehook", reported.append)
            watched = Closing()
            with (
                harness.serve("sync", servicer=watched) as target,
                running(target, "unary_stream", watched) as call,
            ):
                call.cancel()
                assert watched.ended.wait(harness.DEADLINE)
        assert [type(one.exc_value) for one in reported] == [ServiceError]

    @pytest.mark.parametrize(
        "error", [None, ServiceError(ResCode.NOT_FOUND)], ids=["returns", "raises"]
    )
    def test_stopped_with_grace(self, error: Any, kind: str) -> None:
        watched = Watched(error)
        with ThreadPoolExecutor(4) as pool:
            server = grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(ResCode)])
            server.add_generic_rpc_handlers((harness.handlers(watched),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            with running(f"127.0.0.1:{port}", kind, watched) as call:
                stopped = server.stop(harness.DEADLINE)
                watched.over.set()  # within the grace period
                assert final_code(call, kind) is (StatusCode.NOT_FOUND if error else StatusCode.OK)
            assert stopped.wait(harness.DEADLINE)

    def test_stopped_without_grace(self, kind: str, caplog: Any) -> None:
        watched = Watched()
        with harness.serve("sync", servicer=watched) as target:
            held = running(target, kind, watched)
            call = held.__enter__()
        try:
            assert final_code(call, kind) in {StatusCode.UNAVAILABLE, StatusCode.CANCELLED}
            assert watched.ended.wait(harness.DEADLINE)
        finally:
            held.__exit__(None, None, None)
        assert watched.seen == [True, True, True, False]
        assert not logged(caplog)


HANDLER: Any = grpc.unary_unary_rpc_method_handler(harness.SyncServicer().unary_unary)


class TestGuards:
    def test_a_handler_is_guarded_once(self) -> None:
        guards = Guards(lambda _method, _handler, behavior: functools.partial(behavior))
        handler = HANDLER._replace(request_deserializer=len, response_serializer=str)
        guarded = guards.get("/a", handler)
        assert guards.get("/a", handler) is guarded
        assert guards.get("/b", handler) is not guarded
        assert (guarded.request_deserializer, guarded.response_serializer) == (len, str)
        assert (guarded.request_streaming, guarded.response_streaming) == (False, False)

    def test_another_handler_of_the_same_method_takes_its_place(self) -> None:
        guards = Guards(lambda _method, _handler, behavior: behavior)
        for number in range(3):
            assert guards.get("/a", HANDLER._replace(unary_unary=number)).unary_unary == number
        assert len(guards._made) == 1

    def test_methods_that_clients_make_up_are_bounded(self) -> None:
        guards = Guards(lambda _method, _handler, behavior: behavior)
        for number in range(3 * Guards._MOST):
            assert guards.get(str(number), HANDLER) is not None
            assert len(guards._made) <= Guards._MOST

    def test_no_handler(self) -> None:
        assert Guards(lambda _method, _handler, behavior: behavior).get("/a", None) is None


class TestSharing:
    @pytest.mark.parametrize("stack", harness.STACKS)
    def test_one_interceptor_for_several_servers_one_after_the_other_and_at_once(
        self, stack: str
    ) -> None:
        interceptor = (errgrpc if stack == "sync" else errgrpc.aio).ServerInterceptor(ResCode)
        for _ in range(2):
            with (
                harness.serve(stack, [interceptor]) as one,
                harness.serve(stack, [interceptor]) as other,
            ):
                for target in (one, other, one):
                    for kind in harness.KINDS:
                        assert (
                            coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND))))
                            == "NOT_FOUND"
                        )

    def test_nothing_is_left(self, style: str) -> None:
        before = set(threading.enumerate())
        with harness.serve(style) as target:
            for kind in harness.KINDS:
                ask(target, kind, raising(ValueError(SECRET)))
        assert not [
            thread
            for thread in set(threading.enumerate()) - before
            if "grpc" not in thread.name and not thread.daemon
        ]
