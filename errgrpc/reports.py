"""What is logged and reported of an answer, and the functions that do it.

Nothing here raises, even if a hook or a handler of `logging` does: the client still waits for its
answer.
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
    """The hook that a server calls with each unhandled exception, instead of logging it.

    It is called as `on_error(error, method=..., code=..., request_id=...)`:

    - `error`: the exception.
    - `method`: `/package.Service/Method`, or over HTTP `GET /rooms/r-42`.
    - `code`: the code of the answer, which is the catalogue's fallback.
    - `request_id`: the request id of the answer.

    It must not be async. If it raises, the failure is logged, and the answer is sent unchanged.
    """

    def __call__(
        self, error: BaseException, /, *, method: str, code: ErrorCode, request_id: str
    ) -> object: ...


Outcome = Literal["coded", "translated", "unhandled", "aborted", "undelivered"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that failed in a handler or in an inner interceptor, and the answer to its client."""

    method: str
    """`/package.Service/Method`, or over HTTP `GET /rooms/r-42`."""
    error: BaseException | None
    """The exception that was raised, or None if the handler only set a status or aborted."""
    code: ErrorCode | None
    """The code of the answer, or None if the handler set the status or aborted."""
    status: StatusCode | int
    """The gRPC status of the answer, or over HTTP the number of its HTTP status."""
    request_id: str | None
    """The request id that the client gets, or None."""
    outcome: Outcome
    """How the call was answered:

    - `coded`: with the code of a ServiceError.
    - `translated`: with the code that `translate` has for the exception.
    - `unhandled`: with the catalogue's fallback.
    - `aborted`: with the status that the handler set or aborted with.
    - `undelivered`: the client did not get the answer, as far as grpc tells.
    """
    undeclared: bool = False
    """Whether the method declares codes (`raises=`), but not `code`.

    It is never True for the catalogue's fallback.
    """


OnAnswer = Callable[[Answered], object]
"""The hook that a server calls once for each failed call, before it sends the answer.

It must not be async. If it raises, the failure is logged, and the answer is sent unchanged.
"""


class OnReceived(Protocol):
    """The hook that a client calls once for each failed call, when the caller first gets the error.

    It is called as `on_received(error, method="/package.Service/Method")`. It must not be async. If
    it raises, the failure is logged, and the caller gets the error unchanged.
    """

    def __call__(self, error: RemoteError, /, *, method: str) -> object: ...


class Unhandled(NamedTuple):
    """The arguments of `on_error` beside the exception."""

    method: str
    code: ErrorCode
    request_id: str


class Report(NamedTuple):
    """A log record that `report` writes."""

    level: int
    text: str
    arguments: tuple[object, ...]
    error: BaseException | None = None
    """The exception whose traceback the record has."""
    unhandled: Unhandled | None = None
    """Set for an unhandled exception. If there is an `on_error`, it is called instead."""
    traceback: TracebackType | None = None
    """The traceback of this raise, or None for that of `error`.

    Other threads may raise the same instance at the same time.
    """
    extra: Mapping[str, Any] | None = None
    """The extra fields of the record."""


def report(reports: Iterable[Report], on_error: OnError | None = None) -> None:
    """Writes the log records of a decision, or calls `on_error` for an unhandled exception."""
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
    """Calls a hook. If it raises, the failure is logged, and goes no further.

    `error` becomes the context of the failure.
    """
    try:
        made = hook(*arguments, **named)
        if inspect.iscoroutine(made):
            made.close()
            failure: BaseException = TypeError(
                "it returned a coroutine, which nothing awaits: give a function that is not async"
            )
        else:
            return
    except BaseException as raised:  # noqa: BLE001  whatever a hook raises
        failure = raised
    if error is not None:
        link(failure, error)
    _log(logging.ERROR, "%s failed for %s", name, where, error=failure)


def as_hook(name: str, hook: Any, signature: str) -> Any:
    """Returns `hook` itself. Raises TypeError if it is async, or neither None nor a function."""
    if hook is not None and not is_function(hook):
        raise TypeError(f"{name} is {hook!r}: give a function {signature} that is not async")
    return hook


def is_function(target: object) -> bool:
    """Tells whether `target` can be called, and is not async."""
    called = getattr(type(target), "__call__", None)  # noqa: B004  the method of an instance
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
