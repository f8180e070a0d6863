"""Makes a RemoteError of a failed call. It never raises because of what a peer sent."""

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

_OK = StatusCode.OK  # in Python 3.11, reading a member of an enum calls a Python function
_UNKNOWN = StatusCode.UNKNOWN


class Reading:
    """Reads errors by some catalogues, without I/O.

    `Reading.by` makes one only once for the same catalogues.

    Raises:
        TypeError: An argument is not a catalogue.
        ValueError: Two catalogues share a (domain, reason).
    """

    def __init__(self, catalogues: tuple[type[ErrorCode], ...]) -> None:
        self.registry = Registry(catalogues)
        # The bytes of errors that are only their code: the most frequent ones, so they are not
        # parsed each time. All keys come from our own tables, so no peer can fill the dict.
        self._constants: dict[bytes, tuple[type[RemoteError], ErrorCode, bool]] = {}
        self._known: dict[tuple[str, str], tuple[type[RemoteError], ErrorCode, bool]] = {}

    @staticmethod
    def by(*catalogues: type[ErrorCode]) -> "Reading":
        """Returns the reading by these catalogues, which all clients with the same ones share."""
        try:
            return _shared(catalogues)
        except TypeError:  # an argument cannot be hashed, or is not a catalogue
            return Reading(catalogues)

    def read(self, error: grpc.RpcError, accept_language: str | None = None) -> RemoteError:
        """Returns the typed error of a failed call.

        An error that is already typed is returned as it is, unless only these catalogues know its
        code.
        """
        # RemoteError is an ABC, so `isinstance` would run ABCMeta.__instancecheck__.
        typed: Any = error if RemoteError in type(error).__mro__ else None
        if typed is not None and (type(error) is not RemoteError or typed.inferred):
            return typed  # type: ignore[no-any-return]  # it is a RemoteError
        status, text, trailing, initial, debug_error_string = _facts(error)
        if not isinstance(status, StatusCode) or status is _OK:
            status = _UNKNOWN
        values = []  # a loop, because a comprehension is a function call in Python 3.11
        for key, value in trailing or ():
            if key == DETAILS_KEY:
                values.append(value)
        received = Received(values)
        known = self._constants.get(values[0]) if values and type(values[0]) is bytes else None
        kind, code, inferred = known or self._kind(status, received)
        if typed is not None and code is None and kind is RemoteError:
            return typed  # type: ignore[no-any-return]  # it is a RemoteError
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
        """Returns the error in the bytes of a google.rpc.Status."""
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
        """Returns the class, the code, and whether the code is inferred from the status.

        `except` needs the class when the error is raised. An inferred code never decides the class.
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
    """Returns the typed error of a call on a channel without errgrpc.

        except grpc.RpcError as exc:
            error = errgrpc.from_error(exc, ResCode)

    Args:
        exc: The error that grpc raised. If it is a RemoteError without a code, these catalogues are
            searched for its code. Any other RemoteError is returned unchanged.
        *catalogues: The catalogues whose codes are known.

    Raises:
        TypeError: `exc` is not a grpc.RpcError, or another argument is not a catalogue.
        ValueError: Two catalogues share a domain and a reason.
    """
    if not isinstance(exc, grpc.RpcError):
        raise TypeError(f"{shown(exc)} is no grpc.RpcError")
    return Reading.by(*catalogues).read(exc)


def decode(status: status_pb2.Status | bytes | str, *catalogues: type[ErrorCode]) -> RemoteError:
    """Returns the error in a google.rpc.Status.

    If the bytes are not a Status, or the Status is OK, the gRPC status of the error is UNKNOWN.

    Args:
        status: The Status as a message, as bytes (the value of `grpc-status-details-bin`), or as
            the base64 of the bytes (as logs show it). Base64 may be URL-safe, without padding, or
            with spaces and line ends. If commas join several values, the first with an ErrorInfo is
            used.
        *catalogues: The catalogues whose codes are known.

    Raises:
        TypeError: `status` is of another type, or another argument is not a catalogue.
        ValueError: `status` is text but not base64, or two catalogues share a domain and a reason.
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
    """Returns status, message, trailing and initial metadata, and debug string of an RpcError."""
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
        pass  # a bare RpcError, which tests and wrappers raise, has no such methods
    names = ("code", "details", "trailing_metadata")
    return (
        *(_fact(error, name) for name in names),
        _initial_metadata(error),
        _debug_error_string(error),
    )


def _fact(error: Any, name: str) -> Any:
    method = getattr(error, name, None)
    return method() if callable(method) else None


# A stream or a future of grpc's sync stack is its own error. It has `__next__`. Two of its methods
# may hang here, so their results are read from grpc's private `_state`. If a later grpcio has no
# `_state`, both are None.


def _initial_metadata(error: Any) -> Any:
    # In a callback, the initial metadata may not have arrived, and cannot arrive while it runs.
    # They are then read later.
    if hasattr(error, "__next__") or issubclass(type(error), RemoteError):
        known = getattr(getattr(error, "_state", None), "initial_metadata", None)
        return error.initial_metadata if known is None else known
    return _fact(error, "initial_metadata")


def _debug_error_string(error: Any) -> Any:
    # A call that ended on the client (cancelled, or its request could not be made) never gets one.
    # On a single-threaded stream, the method raises.
    if hasattr(error, "__next__"):
        return getattr(getattr(error, "_state", None), "debug_error_string", None)
    return _fact(error, "debug_error_string")
