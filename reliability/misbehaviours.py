"""Misbehaviours of handlers, as actions for the harness's servers, and the expected answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import harness
from harness import Action

from errgrpc import ErrorCode, ResCode

from .peers import Fail

CANARY = "canary-7f3a9c"
"""A secret in the text of exceptions. No client may see it."""
LEAKS = (CANARY, "recursion depth exceeded")

CODE, OTHER = ResCode.ROOM_NOT_EXIST, ResCode.ROOM_MEMBER_CONCURRENCY_OUT
_ABORTED = frozenset({CODE.grpc_status, OTHER.grpc_status})


@dataclass(frozen=True)
class Misbehaviour:
    """A misbehaviour of a handler, given its peer's way of failing with a code."""

    name: str
    sync: Callable[[Fail], Action]
    aio: Callable[[Fail], Action] | None = None
    """The action for async handlers, if it is different."""
    code: ErrorCode | None = None
    """The code with which the handler failed, or None for an unhandled exception."""
    stands: frozenset[grpc.StatusCode] = frozenset()
    """If the handler gave a status rather than a code, one of these must arrive."""
    styles: tuple[str, ...] = harness.STYLES
    after: int = 1
    """The number of responses before the error, in streams."""

    def act(self, style: str, fail: Fail) -> Action:
        make = self.sync if self.aio is None or style in ("sync", "sync_on_aio") else self.aio
        return make(fail)


def _raising(make: Callable[[], BaseException]) -> Callable[[Fail], Action]:
    def of(_: Fail) -> Action:
        def act(_: Any) -> None:
            raise make()

        return act

    return of


class HostileStr(Exception):
    def __str__(self) -> str:
        raise ValueError(CANARY)


class HostileRepr(Exception):
    def __repr__(self) -> str:
        raise ValueError(CANARY)


class HostileBoth(HostileStr, HostileRepr):
    pass


def _secret(_: object) -> type:
    raise ValueError(CANARY)


class HostileClass(Exception):
    __class__ = property(_secret)


def _recursion(_: Fail) -> Action:
    def act(context: Any) -> Any:
        return act(context)

    return act


def _chained(_: Fail) -> Action:
    def act(_: Any) -> None:
        try:
            raise ValueError(CANARY)
        except ValueError as cause:
            cause.add_note(CANARY)
            raise LookupError(f"no row for {CANARY}") from cause

    return act


def _interrupted_group() -> BaseException:
    return BaseExceptionGroup(CANARY, [KeyboardInterrupt(CANARY), ValueError(CANARY)])


async def _awaited(result: Any) -> None:
    if asyncio.iscoroutine(result):
        await result


async def _failing(fail: Fail, context: Any, code: ErrorCode) -> None:
    await _awaited(fail(context, code))


# A coded error at unusual places, for sync and for async handlers.


def _coded(fail: Fail) -> Action:
    return lambda context: fail(context, CODE)


def _in_finally(fail: Fail) -> Action:
    def act(context: Any) -> None:
        try:
            raise LookupError(CANARY)
        finally:
            fail(context, CODE)

    return act


def _in_finally_aio(fail: Fail) -> Action:
    async def act(context: Any) -> None:
        try:
            raise LookupError(CANARY)
        finally:
            await _failing(fail, context, CODE)

    return act


def _in_close(fail: Fail) -> Action:
    def act(context: Any) -> None:
        def rows() -> Iterator[int]:
            try:
                yield 1
            finally:
                fail(context, CODE)

        generator = rows()
        next(generator)
        generator.close()  # type: ignore[attr-defined]

    return act


def _in_close_aio(fail: Fail) -> Action:
    async def act(context: Any) -> None:
        async def rows() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await _failing(fail, context, CODE)

        generator = rows()
        await anext(generator)
        await generator.aclose()  # type: ignore[attr-defined]

    return act


def _in_task_group(fail: Fail) -> Action:
    async def other() -> None:
        await asyncio.sleep(5)

    async def act(context: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(other())
            group.create_task(_failing(fail, context, CODE))

    return act


def _caught(fail: Fail, context: Any, code: ErrorCode) -> list[Exception]:
    try:
        fail(context, code)
    except Exception as error:  # noqa: BLE001
        return [error]
    return []


async def _caught_aio(fail: Fail, context: Any, code: ErrorCode) -> list[Exception]:
    try:
        await _failing(fail, context, code)
    except Exception as error:  # noqa: BLE001
        return [error]
    return []


def _group(*codes: ErrorCode, first: tuple[Exception, ...] = ()) -> Callable[[Fail], Action]:
    def of(fail: Fail) -> Action:
        def act(context: Any) -> None:
            raise ExceptionGroup(
                CANARY,
                [*first, *(error for code in codes for error in _caught(fail, context, code))],
            )

        return act

    return of


def _group_aio(*codes: ErrorCode, first: tuple[Exception, ...] = ()) -> Callable[[Fail], Action]:
    def of(fail: Fail) -> Action:
        async def act(context: Any) -> None:
            errors = [error for code in codes for error in await _caught_aio(fail, context, code)]
            raise ExceptionGroup(CANARY, [*first, *errors])

        return act

    return of


# Misuse of the context by a handler.


Make = Callable[[Fail], Action]


def _abort(
    *arguments: Any,
    again: tuple[Any, ...] = (),
    then: Exception | None = None,
    swallow: bool = False,
) -> Make:
    def of(_: Fail) -> Action:
        def act(context: Any) -> None:
            try:
                context.abort(*arguments)
            except Exception:
                if again:
                    context.abort(*again)
                if then is not None:
                    raise then from None
                if not swallow:
                    raise

        return act

    return of


def _abort_aio(
    *arguments: Any,
    again: tuple[Any, ...] = (),
    then: Exception | None = None,
    swallow: bool = False,
) -> Make:
    def of(_: Fail) -> Action:
        async def act(context: Any) -> None:
            try:
                await context.abort(*arguments)
            except Exception:
                if again:
                    await context.abort(*again)
                if then is not None:
                    raise then from None
                if not swallow:
                    raise

        return act

    return of


def _aborting(
    name: str, stands: frozenset[grpc.StatusCode], *arguments: Any, **options: Any
) -> Misbehaviour:
    return Misbehaviour(
        name, _abort(*arguments, **options), _abort_aio(*arguments, **options), stands=stands
    )


_STATUS = (CODE.grpc_status, CODE.message)
_ITS_OWN = frozenset({CODE.grpc_status, grpc.StatusCode.UNKNOWN})
_FAILURES = frozenset(grpc.StatusCode) - {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}

UNFORESEEN = (
    Misbehaviour("an exception with a secret in its text, cause and notes", _chained),
    Misbehaviour("KeyboardInterrupt", _raising(lambda: KeyboardInterrupt(CANARY))),
    Misbehaviour("SystemExit", _raising(lambda: SystemExit(CANARY))),
    Misbehaviour(
        "CancelledError of the handler's own", _raising(lambda: asyncio.CancelledError(CANARY))
    ),
    Misbehaviour("GeneratorExit", _raising(lambda: GeneratorExit(CANARY))),
    Misbehaviour("StopIteration", _raising(lambda: StopIteration(CANARY))),
    Misbehaviour("StopAsyncIteration", _raising(lambda: StopAsyncIteration(CANARY))),
    Misbehaviour("RecursionError", _recursion),
    Misbehaviour("MemoryError", _raising(lambda: MemoryError(CANARY))),
    Misbehaviour("an exception whose `__str__` raises", _raising(lambda: HostileStr(CANARY))),
    Misbehaviour("an exception whose `__repr__` raises", _raising(lambda: HostileRepr(CANARY))),
    Misbehaviour(
        "an exception whose `__str__` and `__repr__` raise", _raising(lambda: HostileBoth(CANARY))
    ),
    Misbehaviour("an exception whose `__class__` raises", _raising(lambda: HostileClass(CANARY))),
    Misbehaviour(
        "ExceptionGroup without a coded error",
        _raising(lambda: ExceptionGroup(CANARY, [ValueError(CANARY)])),
    ),
    Misbehaviour("BaseExceptionGroup with a KeyboardInterrupt", _raising(_interrupted_group)),
)
CODED = (
    Misbehaviour("a coded error", _coded, code=CODE),
    Misbehaviour("a coded error after the last message", _coded, code=CODE, after=2),
    Misbehaviour(
        "a coded error in a `finally`, over another exception",
        _in_finally,
        _in_finally_aio,
        code=CODE,
    ),
    Misbehaviour("a coded error in a generator's close", _in_close, _in_close_aio, code=CODE),
    Misbehaviour(
        "a coded error inside a TaskGroup",
        _in_task_group,
        code=CODE,
        styles=("aio", "reader_writer"),
    ),
    Misbehaviour("ExceptionGroup with one coded error", _group(CODE), _group_aio(CODE), code=CODE),
    Misbehaviour(
        "ExceptionGroup with several coded errors: the first",
        _group(CODE, OTHER),
        _group_aio(CODE, OTHER),
        code=CODE,
    ),
    Misbehaviour(
        "ExceptionGroup with a coded error after another exception",
        _group(CODE, first=(ValueError(CANARY),)),
        _group_aio(CODE, first=(ValueError(CANARY),)),
        code=CODE,
    ),
)
ABORTS = (
    _aborting("double abort", _ABORTED, *_STATUS, again=(OTHER.grpc_status, OTHER.message)),
    _aborting(
        "abort, then another exception",
        frozenset({CODE.grpc_status}),
        *_STATUS,
        then=ValueError(CANARY),
    ),
    _aborting(
        "abort, swallowed by the handler's own `except Exception`",
        frozenset({CODE.grpc_status}),
        *_STATUS,
        swallow=True,
    ),
    _aborting("abort(OK)", _FAILURES, grpc.StatusCode.OK, "fine"),
    _aborting("abort with a number for a code", _FAILURES, 5, "five"),
    _aborting("abort with no code at all", _FAILURES, None, "none"),
    _aborting("abort with None for details", _ITS_OWN, CODE.grpc_status, None),
    _aborting("abort with a lone surrogate in the details", _ITS_OWN, CODE.grpc_status, "\ud800"),
)
MISBEHAVIOURS = (*UNFORESEEN, *CODED, *ABORTS)


def sleeping_then_failing(style: str, seconds: float, fail: Fail) -> Action:
    """Fails with a code after the client is gone."""

    def act(context: Any) -> None:
        time.sleep(seconds)
        fail(context, CODE)

    async def act_aio(context: Any) -> None:
        await asyncio.sleep(seconds)
        await _failing(fail, context, CODE)

    return act if style in ("sync", "sync_on_aio") else act_aio
