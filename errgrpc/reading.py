"""What a client makes of a failed call: code, text and trailers -> RemoteError. Never raises on what a peer sent."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc import locales, wire
from errgrpc.arguments import shown
from errgrpc.catalog import registry
from errgrpc.codes import ErrorCode
from errgrpc.errors import RemoteError, remote
from errgrpc.received import Received

__all__ = ["Reading", "decode", "from_error"]

_OK = StatusCode.OK  # a member of an enum is found by a function of Python's (3.11)


class Reading:
    """The decisions of one client interceptor, without I/O. Raises TypeError and ValueError for wrong arguments."""

    def __init__(self, catalogues: tuple[type[ErrorCode], ...], locale: str | None = None) -> None:
        self._registry = registry(*catalogues)
        if locale is not None and not locales.is_accept_language(locale):
            raise ValueError(f"locale is {locale!r}, no language tag such as 'zh-CN' and no accept-language such as 'zh-CN, en;q=0.5'")
        self.locale = locale
        # An error that is its code and nothing else is read from its bytes: three times as fast. Only what our own tables
        # make ever gets in here, so no peer can fill it.
        self._constants: dict[bytes, tuple[type[RemoteError], ErrorCode, bool]] = {}
        self._known: dict[tuple[str, str], tuple[type[RemoteError], ErrorCode, bool]] = {}

    def accept_language(self, metadata: locales.Metadata | None) -> tuple[str | None, tuple[tuple[str, str], ...]]:
        """The languages that a call asks for, and what to add to its metadata so that the server hears of them."""
        for key, value in metadata or ():
            if _text(key).lower() == locales.ACCEPT_LANGUAGE:
                return _text(value), ()
        return self.locale, () if self.locale is None else ((locales.ACCEPT_LANGUAGE, self.locale),)

    def read(self, error: grpc.RpcError, accept_language: str | None = None) -> RemoteError:
        """The typed error of a failed call; an error that is already typed stays itself, unless only we know its code."""
        typed: Any = error if RemoteError in type(error).__mro__ else None  # to ask the class, an ABC, takes ten times as long
        if typed is not None and (type(error) is not RemoteError or typed.inferred):
            return typed  # type: ignore[no-any-return]
        status, text, trailing, initial, debug_error_string = _told(error)
        if not isinstance(status, StatusCode) or status is _OK:
            status = StatusCode.UNKNOWN
        values = []  # by no comprehension, which is a function (3.11)
        for key, value in trailing or ():
            if key == wire.DETAILS_KEY:
                values.append(value)
        received = Received(values)
        known = self._constants.get(values[0]) if values and type(values[0]) is bytes else None
        kind, code, inferred = known or self._kind(status, received)
        if typed is not None and code is None and kind is RemoteError:
            return typed  # type: ignore[no-any-return]
        return kind(status, text, received, code, inferred, accept_language, initial, trailing, debug_error_string)

    def decode(self, raw: bytes) -> RemoteError:
        """The error in the bytes of a google.rpc.Status."""
        received, trailing = Received((raw,)), ((wire.DETAILS_KEY, raw),)
        known = self._constants.get(raw)
        if known is not None:
            kind, code, inferred = known
            return kind(code.grpc_status, code.message, received, code, inferred, None, None, trailing)
        status = wire.status_code(received.status.code)
        if status is StatusCode.OK:
            status = StatusCode.UNKNOWN
        kind, unsure, inferred = self._kind(status, received)
        return kind(status, received.status.message, received, unsure, inferred, None, None, trailing)

    def _kind(self, status: StatusCode, received: Received) -> tuple[type[RemoteError], ErrorCode | None, bool]:
        """The class, which is known at the raise, as `except` asks for it; the code; whether that is a guess, which never
        decides the class."""
        info = received.info
        if info is None:
            inferred = self._registry.infer(status)
            return RemoteError, inferred, inferred is not None
        domain, reason = info.domain, info.reason
        known = self._known.get((domain, reason))
        if known is not None:
            return known
        code = self._registry.find(domain, reason, received.number)
        if code is None:
            catalogue = self._registry.catalogue_of(domain)
            return RemoteError if catalogue is None else remote(catalogue), None, False
        found = remote(code), code, False
        if (domain, reason) == (code.domain, code.reason):
            self._known[domain, reason] = found
            for locale in (None, *code.hints):
                self._constants[wire.constant(code, locale)] = found
        return found


@lru_cache(maxsize=64)
def _made(catalogues: tuple[type[ErrorCode], ...]) -> Reading:
    return Reading(catalogues)


def _reading(catalogues: tuple[Any, ...]) -> Reading:
    try:
        return _made(catalogues)
    except TypeError:  # of what cannot be a key of the cache, or of what is no catalogue
        return Reading(catalogues)


def from_error(exc: grpc.RpcError, *catalogues: type[ErrorCode]) -> RemoteError:
    """The typed error of a call that was made without our interceptor, read by these catalogues.

    Raises TypeError for what is no grpc.RpcError or no catalogue. A RemoteError is returned as it is, unless these
    catalogues know a code that it lacks.
    """
    if not isinstance(exc, grpc.RpcError):
        raise TypeError(f"{shown(exc)} is no grpc.RpcError")
    return _reading(catalogues).read(exc)


def decode(status: status_pb2.Status | bytes, *catalogues: type[ErrorCode]) -> RemoteError:
    """The error in a google.rpc.Status, as a message or as the bytes of `grpc-status-details-bin`.

    Garbage is an UNKNOWN, as is a Status that says OK. Raises TypeError for another type or for what is no catalogue.
    """
    if isinstance(status, status_pb2.Status):
        status = status.SerializeToString()
    elif not isinstance(status, bytes):
        raise TypeError(f"{shown(status)} is neither a google.rpc.Status nor bytes")
    return _reading(catalogues).decode(status)


def _text(value: object) -> str:
    """A key or value of metadata, which grpc also takes as bytes; nothing for what it will refuse."""
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""


def _told(error: Any) -> tuple[Any, ...]:
    """What an RpcError says of itself: code, text, trailing and initial metadata, debug string."""
    try:
        if not hasattr(error, "__next__") and RemoteError not in type(error).__mro__:
            return error.code(), error.details(), error.trailing_metadata(), error.initial_metadata(), error.debug_error_string()
    except (AttributeError, TypeError):
        pass  # a bare one, as tests and wrappers raise it, says nothing
    names = ("code", "details", "trailing_metadata")
    return (*(_said(error, name) for name in names), _initial_metadata(error), _debug_error_string(error))


def _said(error: Iterable[Any] | grpc.RpcError, name: str) -> Any:
    """What an RpcError says of itself; a bare one, as tests and wrappers raise it, says nothing."""
    method = getattr(error, name, None)
    return method() if callable(method) else None


# Sync streams and futures of grpc are their own errors, and can be told by `__next__`. Two questions may hang there.


def _initial_metadata(error: grpc.RpcError) -> Any:
    # In a callback they may not have arrived, and never do as long as it runs: then they are asked for later.
    if hasattr(error, "__next__") or issubclass(type(error), RemoteError):
        known = getattr(getattr(error, "_state", None), "initial_metadata", None)
        return error.initial_metadata if known is None else known  # type: ignore[attr-defined]
    return _said(error, "initial_metadata")


def _debug_error_string(error: grpc.RpcError) -> Any:
    # A call that ended on this side (cancelled, a request that could not be made) never gets one; single-threaded, it raises.
    if hasattr(error, "__next__"):
        return getattr(getattr(error, "_state", None), "debug_error_string", None)
    return _said(error, "debug_error_string")
