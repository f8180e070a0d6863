"""A secret, and all the places of an error in which a handler may carry it by accident."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from grpc import StatusCode

import errgrpc

__all__ = ["CODED", "SECRET", "UNFORESEEN"]

SECRET = "kanarienvogel-7f3a"  # noqa: S105  it must never leave the process

Act = Callable[[Any], None]
Raised = TypeVar("Raised", bound=BaseException)


class Talkative:
    """An object whose every description is the secret."""

    def __repr__(self) -> str:
        return SECRET

    __str__ = __repr__


class Hostile(Exception):  # noqa: N818
    """An exception that cannot be printed."""

    def __str__(self) -> NoReturn:
        raise ValueError(SECRET)

    __repr__ = __str__


class Forgetful(errgrpc.ServiceError):
    """A ServiceError without a code, because its author forgot `super().__init__`."""

    def __init__(self) -> None:
        Exception.__init__(self, SECRET)


class Translated(Exception):  # noqa: N818
    """An exception that the server translates to a code."""


class MisTranslated(Exception):  # noqa: N818
    """An exception that the server translates by a function that fails."""


def of(error: BaseException, cause: BaseException | None = None) -> Act:
    def act(_: Any) -> None:
        raise error from cause

    return act


def noted(error: Raised) -> Raised:
    error.add_note(SECRET)
    return error


def in_context(error: BaseException) -> Act:
    def act(_: Any) -> None:
        try:
            raise KeyError(SECRET)
        except KeyError:
            raise error  # noqa: B904  the test is about the context

    return act


def in_locals(error: BaseException) -> Act:
    def act(_: Any) -> None:
        secret, talkative = SECRET, Talkative()  # noqa: F841  a formatter that shows locals would show them
        raise error

    return act


def after_trailers(error: BaseException) -> Act:
    """Sets trailing metadata that gRPC cannot send, so they must stay invisible."""

    def act(context: Any) -> None:
        context.set_trailing_metadata(
            (("x-secret", f"{SECRET}\n"), ("x_ü", SECRET), ("x-bin", SECRET))
        )
        raise error

    return act


def after_status(error: BaseException) -> Act:
    def act(context: Any) -> None:
        context.set_code(StatusCode.ABORTED)
        context.set_details("on purpose")
        raise error

    return act


def aborting(context: Any) -> Any:
    try:
        raise KeyError(SECRET)
    except KeyError:
        return context.abort(StatusCode.ABORTED, "on purpose")


UNFORESEEN: dict[str, Act] = {
    "text": of(ValueError(SECRET)),
    "bytes": of(ValueError(SECRET.encode())),
    "args": of(ValueError(1, {"password": SECRET}, [SECRET])),
    "key": of(KeyError(SECRET)),
    "file": of(FileNotFoundError(2, "No such file", f"/home/{SECRET}")),
    "undecodable": of(UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET)),
    "notes": of(noted(ValueError())),
    "cause": of(RuntimeError(), ValueError(SECRET)),
    "chain": of(
        RuntimeError(), noted(ExceptionGroup("two", [ValueError(SECRET), KeyError(Talkative())]))
    ),
    "context": in_context(RuntimeError()),
    "repr": of(ValueError(Talkative())),
    "locals": in_locals(RuntimeError("no secret here")),
    "group": of(
        ExceptionGroup(SECRET, [ValueError(SECRET), ExceptionGroup("inner", [KeyError(SECRET)])])
    ),
    "no text": of(Hostile()),
    "exit": of(SystemExit(SECRET)),
    "interrupt": of(KeyboardInterrupt(SECRET)),
    "stop": of(StopIteration(SECRET)),
    "assertion": of(AssertionError(SECRET)),
    "status set before": after_status(ValueError(SECRET)),
    "a code that was forgotten": of(Forgetful()),
    "a translation that fails": of(MisTranslated(SECRET)),
    "trailers and text": after_trailers(ValueError(SECRET)),
}
"""Handlers that raise an unhandled exception, by the place of the secret."""

CODED: dict[str, Any] = {
    "cause": of(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT), ValueError(SECRET)),
    "context": in_context(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)),
    "notes": of(noted(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT))),
    "locals": in_locals(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)),
    "trailers": after_trailers(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT)),
    "group": of(ExceptionGroup(SECRET, [noted(errgrpc.ServiceError(errgrpc.ResCode.CONFLICT))])),
    "translated": of(Translated(SECRET)),
    "abort": aborting,
}
"""Handlers that raise a code or abort, with the secret beside it. No log record needs it."""
