"""What is to be logged or reported of an answer, as values, and the one function that does each.

Nothing here raises, whatever a hook or a handler of `logging` does: the client still waits for its answer.
"""

import contextlib
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol

from grpc import StatusCode

from errgrpc.codes import ErrorCode
from errgrpc.raised import link, traceback_of
from errgrpc.remote_error import RemoteError

__all__ = [
    "Answered",
    "OnAnswer",
    "OnError",
    "OnReceived",
    "Outcome",
    "Report",
    "Unhandled",
    "as_hook",
    "is_function",
    "notify",
    "report",
]

_LOGGER = logging.getLogger("errgrpc")
_with_traceback = BaseException.with_traceback


class OnError(Protocol):
    """What is called with an unhandled exception, in place of the log record."""

    def __call__(
        self, error: BaseException, /, *, method: str, code: ErrorCode, request_id: str
    ) -> object: ...


Outcome = Literal["coded", "translated", "unhandled", "aborted", "undelivered"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that failed in a handler, or in an interceptor behind ours, and what its client is answered."""

    method: str
    """`/package.Service/Method`; over HTTP `GET /rooms/r-42`."""
    error: BaseException | None
    """What was raised; None if a status was set, or aborted with, and nothing else was raised."""
    code: ErrorCode | None
    """The code of the answer; None if a status of the handler's own stands."""
    status: StatusCode | int
    """The status of the answer; over HTTP its number."""
    request_id: str | None
    """The request id that the client is given, or None."""
    outcome: Outcome
    """How it came about: a ServiceError, what `translate` made, the fallback, a status of the handler's own, or an answer
    that the client did not get, as far as grpc tells."""
    undeclared: bool = False
    """Whether the method declares its errors (`raises=`), and not this code; never for the catalogue's fallback."""


OnAnswer = Callable[[Answered], object]
"""What is called once for each call that failed, when its answer is decided and before that is delivered."""


class OnReceived(Protocol):
    """What is called once for each failed call, when its caller is first given the error."""

    def __call__(self, error: RemoteError, /, *, method: str) -> object: ...


class Unhandled(NamedTuple):
    """What `on_error` is called with beside the exception."""

    method: str
    code: ErrorCode
    request_id: str


class Report(NamedTuple):
    """What is to be logged. `report` does it."""

    level: int
    text: str
    arguments: tuple[object, ...]
    error: BaseException | None = None
    """The exception whose traceback the record has."""
    unhandled: Unhandled | None = None
    """Set for an unhandled exception: `on_error`, if there is one, is called in place of the record."""
    traceback: TracebackType | None = None
    """That of this raise; None for what `error` has. Other threads may raise the same instance meanwhile."""
    extra: Mapping[str, Any] | None = None
    """Fields of the record."""


def report(reports: Iterable[Report], on_error: OnError | None = None) -> None:
    """Logs what a decision says, or calls `on_error` in place of the record of an unhandled exception."""
    for level, text, arguments, error, unhandled, traceback, extra in reports:
        if unhandled is None:
            _log(level, text, *arguments, error=error, traceback=traceback, extra=extra)
        elif error is None or on_error is None:
            method, code, request_id = unhandled
            own = {"grpc_method": method, "error_code": code.reason, "request_id": request_id}
            _log(level, text, *arguments, error=error, extra=own, traceback=traceback)
        else:
            if traceback is not None:
                _with_traceback(error, traceback)
            where = f"{unhandled.method!r}, request id {unhandled.request_id}"
            notify("on_error", on_error, where, error, error, **unhandled._asdict())


def notify(
    name: str,
    hook: Callable[..., object],
    where: str,
    error: BaseException | None,
    *arguments: object,
    **named: object,
) -> None:
    """Calls a hook. What it raises, whatever that is, is logged and goes no further; `error` is then its context."""
    try:
        made = hook(*arguments, **named)
        if inspect.iscoroutine(made):
            made.close()
            failure: BaseException = TypeError(
                "it returned a coroutine, which nothing awaits: give a function that is not async"
            )
        else:
            return
    except BaseException as raised:  # noqa: BLE001
        failure = raised
    if error is not None:
        link(failure, error)
    _log(logging.ERROR, "%s failed for %s", name, where, error=failure)


def as_hook(name: str, hook: Any, signature: str) -> Any:
    """`hook` itself. Raises TypeError if it is neither None nor a function that is not async."""
    if hook is not None and not is_function(hook):
        raise TypeError(f"{name} is {hook!r}: give a function {signature} that is not async")
    return hook


def is_function(target: object) -> bool:
    """Whether it can be called, and is not async itself."""
    called = getattr(type(target), "__call__", None)  # noqa: B004  of an instance, its method
    return callable(target) and not any(map(inspect.iscoroutinefunction, (target, called)))


def _log(
    level: int,
    text: str,
    *args: object,
    error: BaseException | None = None,
    extra: Mapping[str, Any] | None = None,
    traceback: TracebackType | None = None,
) -> None:
    info = None if error is None else (type(error), error, traceback or traceback_of(error))
    with contextlib.suppress(BaseException):  # of a foreign handler or filter
        _LOGGER.log(level, text, *args, exc_info=info, extra=extra, stacklevel=2)
