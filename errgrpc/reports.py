"""What is to be logged or reported of a decision, as values, and the one function that does it."""

import contextlib
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from errgrpc.codes import ErrorCode

__all__ = ["OnError", "Report", "Unhandled", "report"]

_LOGGER = logging.getLogger("errgrpc")


class OnError(Protocol):
    """What is called with an unhandled exception, in place of the log record."""

    def __call__(self, error: BaseException, /, *, method: str, code: ErrorCode, request_id: str) -> object: ...


class Unhandled(NamedTuple):
    """What `on_error` is called with beside the exception."""

    method: str
    code: ErrorCode
    request_id: str

    def extra(self) -> dict[str, str]:
        """The attributes of the log record."""
        return {"grpc_method": self.method, "error_code": self.code.reason, "request_id": self.request_id}


class Report(NamedTuple):
    """What is to be logged. `report` does it."""

    level: int
    text: str
    arguments: tuple[object, ...]
    error: BaseException | None = None
    """The exception whose traceback the record has."""
    unhandled: Unhandled | None = None
    """Set for an unhandled exception: `on_error`, if there is one, is called in place of the record."""


def report(reports: Iterable[Report], on_error: OnError | None) -> None:
    """Logs what a decision says, or calls `on_error` in place of the record of an unhandled exception."""
    for level, text, arguments, error, unhandled in reports:
        extra = unhandled and unhandled.extra()
        if unhandled is None or error is None or on_error is None:
            _log(level, text, *arguments, error=error, extra=extra)
            continue
        try:
            on_error(error, **unhandled._asdict())
        except BaseException as failure:  # noqa: BLE001  whatever it raises: the client still waits for its answer
            if failure.__context__ is None and failure is not error:
                failure.__context__ = error  # for the log, which has nothing else of it
            method, _, request_id = unhandled
            _log(logging.ERROR, "on_error failed for %r, request id %s", method, request_id, error=failure)


def _log(level: int, text: str, *args: object, error: BaseException | None = None, extra: dict[str, Any] | None = None) -> None:
    info = None if error is None else (type(error), error, error.__traceback__)
    with contextlib.suppress(Exception):  # of a foreign handler or filter: the client still waits for its answer
        _LOGGER.log(level, text, *args, exc_info=info, extra=extra, stacklevel=2)
