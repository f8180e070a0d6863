"""What a client makes of a failed call: code, text and trailers -> RemoteError. Never raises on what a peer sent."""

from collections.abc import Iterable
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc import locales, wire
from errgrpc.arguments import shown
from errgrpc.catalog import Registry, registry
from errgrpc.codes import ErrorCode
from errgrpc.errors import RemoteError, remote

__all__ = ["Reading", "decode", "from_error"]


class Reading:
    """The decisions of one client interceptor, without I/O. Raises TypeError and ValueError for wrong arguments."""

    def __init__(self, catalogues: tuple[type[ErrorCode], ...], locale: str | None = None) -> None:
        self._registry = registry(*catalogues)
        if locale is not None and not locales.is_accept_language(locale):
            raise ValueError(f"locale is {locale!r}, no language tag such as 'zh-CN' and no accept-language such as 'zh-CN, en;q=0.5'")
        self._locale = locale

    def accept_language(self, metadata: locales.Metadata | None) -> tuple[str | None, tuple[tuple[str, str], ...]]:
        """The languages that a call asks for, and what to add to its metadata so that the server hears of them."""
        for key, value in metadata or ():
            if _text(key).lower() == locales.ACCEPT_LANGUAGE:
                return _text(value), ()
        return self._locale, () if self._locale is None else ((locales.ACCEPT_LANGUAGE, self._locale),)

    def read(self, error: grpc.RpcError, accept_language: str | None = None) -> RemoteError:
        """The typed error of a failed call; an error that is already typed stays itself, unless only we know its code."""
        if issubclass(type(error), RemoteError):
            typed: RemoteError = error  # type: ignore[assignment]
            if type(error) is not RemoteError or typed.inferred:
                return typed
            again = self._read(error, accept_language)
            return typed if type(again) is RemoteError and again.error_code is None else again
        return self._read(error, accept_language)

    def _read(self, error: grpc.RpcError, accept_language: str | None) -> RemoteError:
        status = _said(error, "code")
        trailing = _said(error, "trailing_metadata")
        return _remote_error(
            self._registry,
            status if isinstance(status, StatusCode) and status is not StatusCode.OK else StatusCode.UNKNOWN,
            _said(error, "details"),
            wire.Received(value for key, value in trailing or () if key == wire.DETAILS_KEY),
            accept_language,
            initial_metadata=_initial_metadata(error),
            trailing_metadata=trailing,
            debug_error_string=_debug_error_string(error),
        )


def from_error(exc: grpc.RpcError, *catalogues: type[ErrorCode]) -> RemoteError:
    """The typed error of a call that was made without our interceptor, read by these catalogues.

    Raises TypeError for what is no grpc.RpcError or no catalogue. A RemoteError is returned as it is, unless these
    catalogues know a code that it lacks.
    """
    if not isinstance(exc, grpc.RpcError):
        raise TypeError(f"{shown(exc)} is no grpc.RpcError")
    return Reading(catalogues).read(exc)


def decode(status: status_pb2.Status | bytes, *catalogues: type[ErrorCode]) -> RemoteError:
    """The error in a google.rpc.Status, as a message or as the bytes of `grpc-status-details-bin`.

    Garbage is an UNKNOWN, as is a Status that says OK. Raises TypeError for another type or for what is no catalogue.
    """
    if isinstance(status, status_pb2.Status):
        raw = status.SerializeToString()
    elif isinstance(status, bytes):
        raw = status
    else:
        raise TypeError(f"{shown(status)} is neither a google.rpc.Status nor bytes")
    received = wire.Received([raw])
    code = wire.status_code(received.status.code)
    return _remote_error(
        registry(*catalogues),
        StatusCode.UNKNOWN if code is StatusCode.OK else code,
        received.status.message,
        received,
        None,
        trailing_metadata=((wire.DETAILS_KEY, raw),),
    )


def _remote_error(
    known: Registry, status: StatusCode, text: str | None, received: wire.Received, accept_language: str | None, **rest: Any
) -> RemoteError:
    """The class is known at the raise, as `except` asks for it; an inferred code never decides it."""
    info = received.info
    kind: type[RemoteError] = RemoteError
    if info is None:
        code = known.infer(status)
    else:
        code = known.find(info.domain, info.reason, received.number)
        target = code or known.catalogue_of(info.domain)
        kind = RemoteError if target is None else remote(target)
    return kind(
        status,
        text,
        received=received,
        error_code=code,
        inferred=info is None and code is not None,
        accept_language=accept_language,
        **rest,
    )


def _text(value: object) -> str:
    """A key or value of metadata, which grpc also takes as bytes; nothing for what it will refuse."""
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""


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
