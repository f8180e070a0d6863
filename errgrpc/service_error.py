"""The error that a handler raises. `wire.encoding` turns its values into bytes."""

import copyreg
import inspect
import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Self

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

from errgrpc import arguments
from errgrpc.codes import ErrorCode
from errgrpc.remote_error import RemoteError
from errgrpc.texts import is_request_id, shown
from errgrpc.wire.packing import type_name
from errgrpc.wire.values import Values

__all__ = ["MisuseWarning", "ServiceError", "made_of", "values_of"]


class MisuseWarning(UserWarning):
    """Warns of a mistake in the use of errgrpc that does not stop the program.

    If an argument of ServiceError is wrong, ServiceError warns. The error is still sent with its
    code. `errgrpc.retries.service_config` warns if its config retries nothing.
    """


_PACKAGE = __name__.rpartition(".")[0] + "."
_NONE: tuple[Message, ...] = ()
# The key in `__dict__`. It is not an identifier, so no attribute of a subclass clashes with it.
_VALUES = "errgrpc.values"


@cache
def _constant(code: ErrorCode) -> Values | None:
    """Returns the values of an error that is only its code, or None if each raise needs a check.

    Raises ValueError if the code is a success.
    """
    _check(code)
    return None if code.spec.is_always_checked else Values(code)


def _check(code: ErrorCode) -> None:
    if code.grpc_status is StatusCode.OK:
        raise ValueError(
            f"{code} is a success: return normally, or give a code whose status is a failure"
        )


_init_exception = Exception.__init__


def _held(error: "ServiceError") -> Values:
    return error.__dict__[_VALUES]  # type: ignore[no-any-return]  # only Values are put there


class ServiceError(Exception):
    """An error of this service. A handler raises it, and the server interceptor sends its code.

        raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")

    A mistake in any other argument than the code raises no error, so the client gets the code:

    - An argument that cannot be sent is dropped with a MisuseWarning that names it. Examples are a
      metadata key that breaks AIP-193, and a detail that is not a protobuf message.
    - Metadata that differ from the code's `metadata_fields` are sent with a MisuseWarning. So is a
      `retry_delay` for a code that is not retryable.
    - A deprecated code is sent with a DeprecationWarning.

    A subclass may have its own `__init__` and attributes. It must not override an attribute of this
    class, because the answer does not read the override. The definition of such a subclass raises
    TypeError.

    Args:
        error_code: The code, a member of a catalogue.
        message: The text for developers, in English. It replaces the message of the code.
        metadata: The entries of `ErrorInfo.metadata`. True and False become `true` and `false`, and
            an enum member becomes its name. An entry with the value None is left out.
        hint: The text for end users, or a mapping of locale (BCP 47) to text. It replaces all hints
            of the code. A single text is in the catalogue's default locale.
        details: More protobuf messages, at most one of each type (AIP-193).
        retry_delay: How long the caller should wait before a retry, in seconds or as a timedelta.
            The server sends it as a RetryInfo. It also sends it to the client's own retry policy
            (gRFC A6). A RetryInfo in `details` does the same.
        **more_metadata: More entries of `metadata`.

    Raises:
        TypeError: `error_code` is not an error code.
        ValueError: The gRPC status of the code is OK.
        MisuseWarning, DeprecationWarning: A filter of `warnings` turns the warning into an error.
    """

    def __init__(
        self,
        error_code: ErrorCode,
        /,
        message: str | None = None,
        *,
        metadata: Mapping[str, object] | None = None,
        hint: str | Mapping[str, str] | None = None,
        details: Iterable[Message] = _NONE,
        retry_delay: float | timedelta | None = None,
        **more_metadata: object,
    ) -> None:
        # `super()` takes two more bytecodes (Python 3.11, tests/test_costs.py)
        _init_exception(self, error_code)
        if not issubclass(type(error_code), ErrorCode):
            raise TypeError(
                f"{shown(error_code)} is no error code: "
                "give a member of a catalogue such as errgrpc.ResCode.NOT_FOUND"
            )
        values = _constant(error_code)
        if values is None or not (
            message is None
            and metadata is None
            and hint is None
            and retry_delay is None
            and details is _NONE
        ):
            values = arguments.values(
                error_code, message, metadata, more_metadata, hint, details, retry_delay, _warn
            )
            if error_code.spec.is_checked:
                _look_at(values)
        elif more_metadata:  # the most common arguments
            values = Values(error_code, None, arguments.metadata(None, more_metadata, _warn))
            if error_code.spec.is_checked:
                _look_at(values)
        self.__dict__[_VALUES] = values

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _FACTS:
            if inspect.getattr_static(cls, name) is not ServiceError.__dict__[name]:
                raise TypeError(
                    f"{cls.__name__} overrides ServiceError.{name}, which the answer does not "
                    "read: "
                    f"give its value to ServiceError.__init__, or choose another name"
                )

    @classmethod
    def from_remote(cls, error: RemoteError, /) -> Self:
        """Makes an error of this service from a received one, to propagate its code.

            raise ServiceError.from_remote(error) from error

        It copies the code, message, metadata, hint and details. If the hint is the catalogue's own
        text, the next caller gets that text in its own language. The request id is copied if it has
        at most 128 printable ASCII characters.

        Raises:
            TypeError: `error` is not a RemoteError.
            ValueError: The code is inferred, or no catalogue of the client declares it.
        """
        if not issubclass(type(error), RemoteError):
            raise TypeError(
                f"{shown(error)} is no RemoteError: "
                "errgrpc.from_error makes one of another grpc.RpcError"
            )
        code = error.error_code
        if code is None or error.inferred:
            known = "inferred" if code else "unknown"
            raise ValueError(
                f"cannot pass on {error}: its code is {known}; raise a code of your own"
            )
        dropped = (*arguments.OWNED_DETAILS, arguments.REQUEST_INFO)
        readable = {
            type_name(detail)
            for detail in error.status_details
            if not isinstance(detail, any_pb2.Any)
        }
        details = [
            detail
            for detail in error.status_details
            if type_name(detail) not in dropped
            and not (isinstance(detail, any_pb2.Any) and type_name(detail) in readable)
        ]
        if is_request_id(error.request_id):
            details.append(rpc.RequestInfo(request_id=error.request_id))
        # If the hint is from the catalogue, the next caller gets it in its own language. Any other
        # hint is copied.
        sent = (
            detail
            for detail in error.status_details
            if isinstance(detail, rpc.LocalizedMessage) and detail.message
        )
        hint = next(({message.locale: message.message} for message in sent), None)
        if hint is not None and hint.items() <= code.hints_for(error.metadata).items():
            hint = None
        # skips __init__, because a subclass may have its own parameters
        passed = cls.__new__(cls, code)
        passed.__dict__[_VALUES] = arguments.values(
            code, error.details(), error.metadata, {}, hint, details, None, _ignore, passed_on=True
        )
        return passed

    @property
    def error_code(self) -> ErrorCode:
        """The code of the answer."""
        return _held(self).code

    @property
    def message(self) -> str:
        """The text for developers, in English. The server sends it as `grpc-message`."""
        values = _held(self)
        return (
            values.code.message_for(values.metadata) if values.message is None else values.message
        )

    @property
    def metadata(self) -> Mapping[str, str]:
        """The entries of `ErrorInfo.metadata`, without the number."""
        return MappingProxyType(_held(self).metadata)

    @property
    def hint(self) -> str | Mapping[str, str] | None:
        """The argument `hint`, which replaces the hints of the code, or None.

        It is a text, or a mapping of locale to text.
        """
        values = _held(self)
        return (
            values.hint
            if values.hints is None or values.hint is not None
            else MappingProxyType(values.hints)
        )

    @property
    def status_details(self) -> tuple[Message, ...]:
        """The details without ErrorInfo, LocalizedMessage and the RetryInfo of `retry_delay`."""
        return tuple(detail for detail, _ in _held(self).details)

    @property
    def retry_delay(self) -> float | None:
        """How long the caller should wait before a retry, in seconds, or None."""
        return _held(self).retry_delay

    def __str__(self) -> str:
        code, metadata = self.error_code, self.metadata
        return f"{code.reason} ({code.number}): {self.message!r}" + (
            f" {metadata}" if metadata else ""
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Skips __init__, because a subclass may have its own parameters. The pickle names nothing
        # private of this package, because a later version may move it.
        state = {name: value for name, value in vars(self).items() if name != _VALUES}
        values = values_of(self)
        if values is not None:
            values = values._replace(metadata=dict(values.metadata))
        rebuild: Any = copyreg.__newobj__  # type: ignore[attr-defined]  # as pickle itself names it
        return rebuild, (type(self), *self.args), (state, values and tuple(values))

    def __setstate__(self, state: Any) -> None:
        own, values = state
        vars(self).update(own)
        if values is not None:
            self.__dict__[_VALUES] = Values(*values)


def made_of(code: ErrorCode, *details: Message) -> ServiceError:
    """Makes an error that errgrpc itself raises, without warnings.

    A warning would not help here: no line of the caller is wrong. Raises ValueError if the code is
    a success.
    """
    _check(code)
    made = ServiceError.__new__(ServiceError, code)
    made.__dict__[_VALUES] = arguments.values(code, None, None, {}, None, details, None, _ignore)
    return made


_FACTS = ("error_code", "message", "metadata", "hint", "status_details", "retry_delay")
_attribute = object.__getattribute__


def values_of(error: object) -> Values | None:
    """Returns the values of a ServiceError, or None for any other object.

    Returns None, too, if a subclass did not call `ServiceError.__init__`. Runs no code of the
    error's class. `isinstance` would run a hostile `__class__`.
    """
    try:
        return _attribute(error, _VALUES)  # type: ignore[no-any-return]  # only Values are put there
    except AttributeError:
        return None


# Replaces the raiser's __warningregistry__, which has no limit. These texts contain data of
# requests, and must not fill the memory of a server.
_reported: dict[Any, Any] = {}
_MOST_REPORTED = 1_000


def _look_at(values: Values) -> None:
    """Warns if the code is deprecated, or if the metadata differ from its declared fields."""
    arguments.compare(values.code, values.metadata, _warn)
    if values.code.deprecated:
        _warn(
            f"{values.code} is deprecated: {values.code.resolution or 'raise another code'}",
            DeprecationWarning,
        )


def _warn(text: str, kind: type[Warning] = MisuseWarning) -> None:
    """Warns at the line that called ServiceError."""
    frame: Any = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        frame = frame.f_back
    if len(_reported) >= _MOST_REPORTED:
        _reported.clear()
    where = ("<unknown>", 0, "<unknown>")  # a thread that has no frames outside this package
    if frame is not None:
        where = (
            frame.f_code.co_filename,
            frame.f_lineno,
            frame.f_globals.get("__name__", "<unknown>"),
        )
    try:
        warnings.warn_explicit(text, kind, *where, _reported)
    except kind:
        raise  # a filter says "error"
    except Exception:  # noqa: BLE001  `showwarning` raises, or stderr is closed
        return


def _ignore(_: str) -> None:
    """Ignores a mistake: a peer made it, so it is not a misuse by the receiver."""
