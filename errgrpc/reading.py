"""What a client makes of a failed call: code, text and trailers -> RemoteError. Never raises on what a peer sent."""

from functools import lru_cache
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc.catalog import Registry
from errgrpc.codes import STATUSES, ErrorCode
from errgrpc.remote_error import RemoteError, remote
from errgrpc.texts import shown
from errgrpc.wire import encoding
from errgrpc.wire.packing import DETAILS_KEY, from_base64
from errgrpc.wire.received import Received

__all__ = ["Reading", "decode", "from_error"]

_OK = StatusCode.OK  # a member of an enum is found by a function of Python's (3.11)
_UNKNOWN = StatusCode.UNKNOWN


class Reading:
    """What errors mean by these catalogues, without I/O. `Reading.by` makes one only once for the same catalogues.

    Raises TypeError if an argument is not a catalogue, and ValueError if two share a (domain, reason).
    """

    def __init__(self, catalogues: tuple[type[ErrorCode], ...]) -> None:
        self.registry = Registry(catalogues)
        # An error that is its code and nothing else is read from its bytes: three times as fast. Only what our own tables
        # make ever gets in here, so no peer can fill it.
        self._constants: dict[bytes, tuple[type[RemoteError], ErrorCode, bool]] = {}
        self._known: dict[tuple[str, str], tuple[type[RemoteError], ErrorCode, bool]] = {}

    @staticmethod
    def by(*catalogues: type[ErrorCode]) -> "Reading":
        """The reading by these catalogues, shared by all clients that have the same ones."""
        try:
            return _shared(catalogues)
        except TypeError:  # of what cannot be a key of the cache, or of what is not a catalogue
            return Reading(catalogues)

    def read(self, error: grpc.RpcError, accept_language: str | None = None) -> RemoteError:
        """The typed error of a failed call; an error that is already typed stays itself, unless only we know its code."""
        # to ask the class, an ABC, takes ten times as long
        typed: Any = error if RemoteError in type(error).__mro__ else None
        if typed is not None and (type(error) is not RemoteError or typed.inferred):
            return typed  # type: ignore[no-any-return]
        status, text, trailing, initial, debug_error_string = _facts(error)
        if not isinstance(status, StatusCode) or status is _OK:
            status = _UNKNOWN
        values = []  # by no comprehension, which is a function (3.11)
        for key, value in trailing or ():
            if key == DETAILS_KEY:
                values.append(value)
        received = Received(values)
        known = self._constants.get(values[0]) if values and type(values[0]) is bytes else None
        kind, code, inferred = known or self._kind(status, received)
        if typed is not None and code is None and kind is RemoteError:
            return typed  # type: ignore[no-any-return]
        return kind(
            status,
            text,
            received,
            code,
            inferred,
            accept_language,
            initial,
            trailing,
            debug_error_string,
        )

    def decode(self, raw: bytes) -> RemoteError:
        """The error in the bytes of a google.rpc.Status."""
        received, trailing = Received((raw,)), ((DETAILS_KEY, raw),)
        known = self._constants.get(raw)
        if known is not None:
            kind, code, inferred = known
            return kind(
                code.grpc_status, code.message, received, code, inferred, None, None, trailing
            )
        status = STATUSES.get(received.status.code, _UNKNOWN)
        if status is _OK:
            status = _UNKNOWN
        kind, unsure, inferred = self._kind(status, received)
        return kind(
            status, received.status.message, received, unsure, inferred, None, None, trailing
        )

    def _kind(
        self, status: StatusCode, received: Received
    ) -> tuple[type[RemoteError], ErrorCode | None, bool]:
        """The class, the code, and whether the code is inferred from the status.

        The class is known at the raise, as `except` asks for it; an inferred code never decides it.
        """
        info = received.info
        if info is None:
            inferred = self.registry.infer(status)
            return RemoteError, inferred, inferred is not None
        domain, reason = info.domain, info.reason
        known = self._known.get((domain, reason))
        if known is not None:
            return known
        code = self.registry.find(domain, reason, received.number)
        if code is None:
            catalogue = self.registry.catalogue_of(domain)
            return RemoteError if catalogue is None else remote(catalogue), None, False
        found = remote(code), code, False
        if (domain, reason) == (code.domain, code.reason):
            self._known[domain, reason] = found
            for locale in (None, *code.hints):
                self._constants[encoding.constant(code, locale)] = found
        return found


_shared = lru_cache(maxsize=64)(Reading)


def from_error(exc: grpc.RpcError, *catalogues: type[ErrorCode]) -> RemoteError:
    """The typed error of a call that was made without our interceptor, read by these catalogues.

    A RemoteError is returned as it is, unless these catalogues know a code that it lacks. Raises TypeError if `exc` is
    not a grpc.RpcError, or an argument is not a catalogue.
    """
    if not isinstance(exc, grpc.RpcError):
        raise TypeError(f"{shown(exc)} is no grpc.RpcError")
    return Reading.by(*catalogues).read(exc)


def decode(status: status_pb2.Status | bytes | str, *catalogues: type[ErrorCode]) -> RemoteError:
    """The error in a google.rpc.Status, as a message or as `grpc-status-details-bin`: its bytes, or their base64 as logs have it.

    Base64 may lack its padding, be URL-safe, and have spaces and line ends; of several values joined by commas the first with
    an ErrorInfo counts. Garbage is an UNKNOWN, as is a Status that says OK. Raises TypeError if `status` is of another type, or
    an argument is not a catalogue, and ValueError if a text is no base64.
    """
    if isinstance(status, str):
        status = Received([from_base64(value) for value in status.split(",")]).status
    if isinstance(status, status_pb2.Status):
        status = status.SerializeToString()
    elif not isinstance(status, bytes):
        raise TypeError(
            f"{shown(status, 80)} is neither a google.rpc.Status, nor bytes, nor base64"
        )
    return Reading.by(*catalogues).decode(status)


def _facts(error: Any) -> tuple[Any, ...]:
    """Code, text, trailing metadata, initial metadata and debug string of an RpcError."""
    try:
        if not hasattr(error, "__next__") and RemoteError not in type(error).__mro__:
            return (
                error.code(),
                error.details(),
                error.trailing_metadata(),
                error.initial_metadata(),
                error.debug_error_string(),
            )
    except (AttributeError, TypeError):
        pass  # a bare RpcError, as tests and wrappers raise it, has no such methods
    names = ("code", "details", "trailing_metadata")
    return (
        *(_fact(error, name) for name in names),
        _initial_metadata(error),
        _debug_error_string(error),
    )


def _fact(error: Any, name: str) -> Any:
    method = getattr(error, name, None)
    return method() if callable(method) else None


# Sync streams and futures of grpc are their own errors, and can be told by `__next__`. Two questions may hang there: their
# answers are read from `_state`, grpc's own. If a later grpcio has no `_state`, both are None.


def _initial_metadata(error: Any) -> Any:
    # In a callback they may not have arrived, and never do as long as it runs: then they are asked for later.
    if hasattr(error, "__next__") or issubclass(type(error), RemoteError):
        known = getattr(getattr(error, "_state", None), "initial_metadata", None)
        return error.initial_metadata if known is None else known
    return _fact(error, "initial_metadata")


def _debug_error_string(error: Any) -> Any:
    # A call that ended on this side (cancelled, a request that could not be made) never gets one; single-threaded, it raises.
    if hasattr(error, "__next__"):
        return getattr(getattr(error, "_state", None), "debug_error_string", None)
    return _fact(error, "debug_error_string")
