"""The call that is being handled, for code that never sees grpc's context, and what of it goes on to the services that it calls.

Off unless a server tracks it (`track_context=True`).
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
    "REQUEST_ID", "CurrentCall", "Tracked", "as_forward", "begin", "current", "current_call", "end", "forwarded", "pairs",
    "request_id_in", "resume",
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
# What belongs to one connection (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2) or one message.
_OF_ONE_CALL = {
    "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "user-agent",
    "content-type", "content-length", "content-encoding", "accept-encoding",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The call that is being handled."""

    method: str
    """`/package.Service/Method`; over HTTP `GET /rooms/r-42`."""
    request_id: str
    """The id that the call brought in `x-request-id`, or one that was made at its start; each answer with a code has it."""
    accept_language: str | None
    """The languages that the caller asks for, as it wrote them, or None."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """The same, with all that the call brought."""

    call: CurrentCall
    metadata: tuple[tuple[str, object], ...]


_current: ContextVar[Tracked | None] = ContextVar("errgrpc.current_call", default=None)


def current_call() -> CurrentCall | None:
    """The call that is being handled here; None outside of a call, or if its server does not track calls (`track_context=True`).

    It is known in what the handler calls and awaits, in tasks that it starts, and in `asyncio.to_thread`. A thread of one's own starts
    without it: run its function by `contextvars.copy_context().run`.
    """
    tracked = _current.get()
    return None if tracked is None else tracked.call


def current() -> Tracked | None:
    """The call that is being handled here, with what it brought."""
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
    """These metadata; none of them if another interceptor gives what are no pairs: no call fails for being tracked."""
    try:
        return tuple((key, value) for key, value in metadata or ())
    except (TypeError, ValueError):
        return ()


def resume(tracked: Tracked) -> Token[Tracked | None]:
    """Makes a call the current one once more."""
    return _current.set(tracked)


def end(token: Token[Tracked | None]) -> None:
    """Makes the call before it the current one again."""
    # a coroutine that is closed by another context than it ran in; that one never knew the call
    with suppress(ValueError):
        _current.reset(token)


def request_id_in(metadata: Metadata) -> str | None:
    """The first request id in these metadata that may travel, or None."""
    return next(
        (value for key, value in pairs(metadata) if key == REQUEST_ID and is_request_id(value)),
        None,
    )


def as_forward(names: Iterable[str]) -> tuple[str, ...]:
    """The names of metadata that a client sends on. Raises TypeError, and ValueError for one that is not to be sent on."""
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
    """What the current call brought under these names, as far as it may be sent on: 1 to 256 printable ASCII characters."""
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
