"""The error that a handler raises. It knows nothing of a Status: `wire.encoding` writes its values."""

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
    """Something beside the code of a ServiceError was wrong and is left out; the code still goes on the wire."""


_PACKAGE = __name__.rpartition(".")[0] + "."
_NONE: tuple[Message, ...] = ()
# of an instance's attributes: no name, so that no subclass has one like it by accident
_VALUES = "errgrpc.values"


@cache
def _constant(code: ErrorCode) -> Values | None:
    """The values of an error that is its code and nothing else; None if each raise is to be looked at.

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
    return error.__dict__[_VALUES]  # type: ignore[no-any-return]


class ServiceError(Exception):
    """An error of this service: raise it in a handler, and the server interceptor answers with its code.

    `message` (English, for developers) replaces the code's own; `hint`, a text in the catalogue's default locale or a
    mapping of locale to text, replaces all hints of the code; `details` are protobuf messages, each type once;
    `retry_delay`, in seconds or a timedelta, becomes a RetryInfo and tells the client's own retry policy, as does a
    RetryInfo among the details. `metadata` and further keyword arguments become
    `ErrorInfo.metadata`: True and False as `true` and `false`, an enum member as its name; None is left out.

    Raises TypeError if the first argument is not an error code, and ValueError if it is a success (SUCCESS). Anything
    else that is wrong (a key that breaks AIP-193, a detail that is not a message) is left out with a MisuseWarning
    that names it.

    A subclass may have an `__init__` and attributes of its own. One that overrides an attribute of this class is a
    TypeError when it is made: the answer has one source for each fact.
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
        _init_exception(self, error_code)  # super() takes two bytecodes more in each raise
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
        elif more_metadata:  # most errors have this or nothing
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
        """The received error as one of ours, to pass it on by name: `raise ServiceError.from_remote(error) from error`.

        Code, message, metadata, hint and details are taken over, and a request id of at most 128 printable ASCII
        characters. Raises ValueError if the code was inferred or is unknown here, for such a code is not ours to claim,
        and TypeError if `error` is not a RemoteError.
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
        # A text that is the table's own is answered in the next caller's language, any other as it came.
        sent = (
            detail
            for detail in error.status_details
            if isinstance(detail, rpc.LocalizedMessage) and detail.message
        )
        hint = next(({message.locale: message.message} for message in sent), None)
        if hint is not None and hint.items() <= code.hints_for(error.metadata).items():
            hint = None
        passed = cls.__new__(cls, code)  # not through __init__: a subclass may have one of its own
        passed.__dict__[_VALUES] = arguments.values(
            code, error.details(), error.metadata, {}, hint, details, None, _ignore, passed_on=True
        )
        return passed

    @property
    def error_code(self) -> ErrorCode:
        """The code that is answered."""
        return _held(self).code

    @property
    def message(self) -> str:
        """What went wrong, in English, for developers: `grpc-message`."""
        values = _held(self)
        return (
            values.code.message_for(values.metadata) if values.message is None else values.message
        )

    @property
    def metadata(self) -> Mapping[str, str]:
        """What goes into `ErrorInfo.metadata` beside the number."""
        return MappingProxyType(_held(self).metadata)

    @property
    def hint(self) -> str | Mapping[str, str] | None:
        """The hint that replaces the code's own, a text or texts by locale as it was given; None without one."""
        values = _held(self)
        return (
            values.hint
            if values.hints is None or values.hint is not None
            else MappingProxyType(values.hints)
        )

    @property
    def status_details(self) -> tuple[Message, ...]:
        """The details that go on the wire beside ErrorInfo, LocalizedMessage and the RetryInfo of `retry_delay`."""
        return tuple(detail for detail, _ in _held(self).details)

    @property
    def retry_delay(self) -> float | None:
        """How long the caller should wait before it tries again, in seconds, or None."""
        return _held(self).retry_delay

    def __str__(self) -> str:
        code, metadata = self.error_code, self.metadata
        return f"{code.reason} ({code.number}): {self.message!r}" + (
            f" {metadata}" if metadata else ""
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Not through __init__: a subclass may have one of its own. By no name of ours, which a later version may move.
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
    """An error that errgrpc itself raises: nothing is warned of, as no line of a caller's could be changed.

    Raises ValueError if the code is a success.
    """
    _check(code)
    made = ServiceError.__new__(ServiceError, code)
    made.__dict__[_VALUES] = arguments.values(code, None, None, {}, None, details, None, _ignore)
    return made


_FACTS = ("error_code", "message", "metadata", "hint", "status_details", "retry_delay")
_attribute = object.__getattribute__


def values_of(error: object) -> Values | None:
    """The values of a ServiceError; None for anything else, and for a subclass that did not call our `__init__`.

    Runs no code of the error's class, as `isinstance` would run a hostile `__class__`.
    """
    try:
        return _attribute(error, _VALUES)  # type: ignore[no-any-return]
    except AttributeError:
        return None


# In place of the raiser's __warningregistry__: these texts name data, which must not fill the memory of a server.
_reported: dict[Any, Any] = {}
_MOST_REPORTED = 1_000


def _look_at(values: Values) -> None:
    """Warns of a code that is deprecated, and of metadata that it does not declare or lacks."""
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
    where = ("<unknown>", 0, "<unknown>")  # of a thread without frames of Python's, but ours
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
    except Exception:  # noqa: BLE001  of a `showwarning` that raises, or a closed stderr: the code still goes out
        return


def _ignore(_: str) -> None:
    """What a peer sent wrong is not its receiver's misuse."""
