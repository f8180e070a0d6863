"""The call that is being handled, and what a client forwards of it to other services.

Code that never sees grpc's context can ask for it. A server tracks its calls only with
`track_context=True`.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass

from errgrpc.locales import ACCEPT_LANGUAGE, Metadata, requested
from errgrpc.texts import is_request_id

__all__ = [
    "REQUEST_ID", "CurrentCall", "Tracked", "as_forward", "begin", "current", "current_call", "end",
    "forwarded", "pairs", "request_id_in", "resume",
]  # fmt: skip

REQUEST_ID = "x-request-id"
_NAME = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP2: Header-Name
_VALUE = re.compile(r"[ -~]{1,256}")
_SECRETS = {
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "grpcgateway-authorization",
    "grpcgateway-cookie",
}
# These belong to one connection (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2) or to one message.
_OF_ONE_CALL = {
    "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    "expect", "host", "user-agent", "content-type", "content-length", "content-encoding",
    "accept-encoding",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The call that the server is handling."""

    method: str
    """`/package.Service/Method`, or over HTTP `GET /rooms/r-42`."""
    request_id: str
    """The caller's `x-request-id`, or a new id if the caller sent no valid one.

    Each answer with a code has this id, unless the error has a RequestInfo of its own.
    """
    accept_language: str | None
    """The caller's `accept-language` (RFC 9110), or None."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """The call that is being handled, with all its metadata."""

    call: CurrentCall
    metadata: tuple[tuple[str, object], ...]


_current: ContextVar[Tracked | None] = ContextVar("errgrpc.current_call", default=None)


def current_call() -> CurrentCall | None:
    """Returns the call that the server is handling, or None.

    It returns None outside of a call, and on a server without `track_context=True`. It works in all
    functions and coroutines that the handler calls, in tasks that the handler starts, and in
    `asyncio.to_thread`. It returns None in a thread that you start. To pass the call to that
    thread, run its function with `contextvars.copy_context().run`.
    """
    tracked = _current.get()
    return None if tracked is None else tracked.call


def current() -> Tracked | None:
    """Returns the call that is being handled, with its metadata, or None."""
    return _current.get()


def begin(method: str, metadata: Metadata | None) -> Token[Tracked | None]:
    """Makes a call the current one of this context, until `end`."""
    known = pairs(metadata)
    return _current.set(
        Tracked(
            CurrentCall(method, request_id_in(known) or uuid.uuid4().hex, requested(known)), known
        )
    )


def pairs(metadata: Metadata | None) -> tuple[tuple[str, str | bytes], ...]:
    """Returns these metadata as pairs, or nothing if another interceptor made them invalid.

    A call must not fail because it is tracked.
    """
    try:
        return tuple((key, value) for key, value in metadata or ())
    except (TypeError, ValueError):
        return ()


def resume(tracked: Tracked) -> Token[Tracked | None]:
    """Makes a call the current one again."""
    return _current.set(tracked)


def end(token: Token[Tracked | None]) -> None:
    """Makes the call before it the current one again."""
    # A coroutine may be closed in another context, which never knew the call.
    with suppress(ValueError):
        _current.reset(token)


def request_id_in(metadata: Metadata) -> str | None:
    """Returns the first valid request id in these metadata, or None."""
    return next(
        (value for key, value in pairs(metadata) if key == REQUEST_ID and is_request_id(value)),
        None,
    )


def as_forward(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of the metadata that a client forwards.

    Raises:
        TypeError: `names` is not a collection.
        ValueError: A name is malformed, or its metadata must not be forwarded.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise TypeError(
            f"forward is {names!r}: "
            "give a collection of names such as ('x-request-id', 'accept-language')"
        )
    for name in (listed := tuple(names)):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"forward holds {name!r}: give names of metadata in lower case")
        if (
            name in _SECRETS
            or name in _OF_ONE_CALL
            or name.startswith("grpc-")
            or name.endswith("-bin")
        ):
            raise ValueError(
                f"forward holds {name!r}, which is not sent on: "
                "it belongs to one call, or is a secret of its caller's"
            )
    return tuple(dict.fromkeys(listed))


def forwarded(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields the metadata of the current call with these names.

    Only values of 1 to 256 printable ASCII characters are forwarded.
    """
    if (tracked := _current.get()) is not None:
        for name in names:
            if (value := next(_values(tracked, name), None)) is not None:
                yield name, value


def _values(tracked: Tracked, name: str) -> Iterator[str]:
    if name == REQUEST_ID:
        found: Iterable[object] = (tracked.call.request_id,)
    elif name == ACCEPT_LANGUAGE:
        found = (tracked.call.accept_language,)
    else:
        found = (value for key, value in tracked.metadata if key == name)
    return (
        value
        for value in found
        if isinstance(value, str) and _VALUE.fullmatch(value) and value.strip()
    )
