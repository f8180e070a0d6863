"""The two errors, and the class that `except` catches.

    Exception
      ServiceError              raised here, in a handler; goes on the wire as itself
      grpc.RpcError
        grpc.aio.AioRpcError
          RemoteError           received from another service, whichever stack the call was made with
            remote(ResCode)                     ... with a code of that catalogue, known to us or not
              remote(ResCode.ROOM_NOT_EXIST)    ... with that code

Unrelated on purpose: what another service said never passes for ours (`ServiceError.from_remote` is a decision).
"""

import copyreg
import sys
import warnings
from abc import ABCMeta
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from grpc.aio import AioRpcError

from errgrpc import arguments, locales, wire
from errgrpc.arguments import shown
from errgrpc.budget import M, Parts, Trailer, holds, pack
from errgrpc.catalog import parse_number
from errgrpc.codes import ErrorCode
from errgrpc.received import Received

__all__ = ["MisuseWarning", "RemoteError", "ServiceError", "remote"]


class MisuseWarning(UserWarning):
    """Something beside the code of a ServiceError was wrong and has been left out; the code still goes on the wire."""


_NONE: tuple[Message, ...] = ()
_OK = StatusCode.OK  # a member of an enum is found by a function of Python's (3.11)


class ServiceError(Exception):
    """An error of this service: raise it in a handler, and the server interceptor answers with its code.

    `message` (English, for developers) replaces the code's own; `hint`, a text in the catalogue's default locale or a
    mapping of locale to text, replaces all hints of the code; `details` are protobuf messages, each type once;
    `retry_delay`, in seconds or a timedelta, becomes a RetryInfo. `metadata` and further keyword arguments become
    `ErrorInfo.metadata`: True and False as `true` and `false`, an enum member as its name, None is left out.

    Raises TypeError for what is no error code and ValueError for one that is no error (SUCCESS). Anything else that is
    wrong (a key that breaks AIP-193, a detail that is no message) is left out with a MisuseWarning that names it.
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
        super().__init__(error_code)
        if not issubclass(type(error_code), ErrorCode):
            raise TypeError(f"{shown(error_code)} is no error code: give a member of a catalogue such as errgrpc.ResCode.NOT_FOUND")
        if error_code._spec.grpc_status is _OK:
            raise ValueError(f"{error_code} is no error: return normally, or give a code whose status is a failure")
        self._error_code = error_code
        if not (message is None and metadata is None and hint is None and retry_delay is None and details is _NONE):
            self._fill(error_code, message, metadata, more_metadata, hint, details, retry_delay, _warn)
        elif more_metadata:  # most errors have this or nothing
            self._metadata = arguments.metadata(None, more_metadata, _warn)

    # Of an error that is its code and nothing else.
    _message: str | None = None
    _metadata: Mapping[str, str] = MappingProxyType({})
    _hint: str | Mapping[str, str] | None = None
    _hints: dict[str, str] | None = None
    _retry_delay: float | None = None
    _details: tuple[tuple[Message, bytes], ...] = ()

    def _fill(
        self,
        code: ErrorCode,
        message: object,
        metadata: object,
        more_metadata: Mapping[str, object],
        hint: Any,
        details: object,
        retry_delay: object,
        report: arguments.Report,
    ) -> None:
        self._error_code = code
        if message is not None:
            self._message = arguments.message(message, code, report)
        if more_metadata or metadata is not None:
            self._metadata = arguments.metadata(metadata, more_metadata, report)
        if hint is not None:
            self._hint = hint
            self._hints = arguments.hints(hint, code, report)
        if retry_delay is not None:
            self._retry_delay = arguments.seconds(retry_delay, report)
        if details is not _NONE:
            self._details = arguments.details(details, with_retry=self._retry_delay is None, report=report)

    @classmethod
    def from_remote(cls, error: "RemoteError", /) -> Self:
        """The received error as one of ours, to pass it on by name: `raise ServiceError.from_remote(error) from error`.

        Code, message, metadata, hint and details are taken over, and a request id of at most 128 printable ASCII characters.
        Raises ValueError when the code was inferred or is unknown here, for that is not ours to claim, and TypeError for
        what is no RemoteError.
        """
        if not issubclass(type(error), RemoteError):
            raise TypeError(f"{shown(error)} is no RemoteError: errgrpc.from_error makes one of another grpc.RpcError")
        code, received = error.error_code, error._received
        if code is None or error.inferred:
            raise ValueError(f"cannot pass on {error}: its code is {'inferred' if code else 'unknown'}; raise a code of your own")
        dropped = (*arguments.OWNED_DETAILS, arguments.REQUEST_INFO)
        details = [detail for detail in received.details if arguments.type_name(detail) not in dropped]
        if arguments.is_request_id(received.request_id):
            details.append(rpc.RequestInfo(request_id=received.request_id))
        # A text that is the table's own is answered in the next caller's language, any other as it came.
        hint = received.localized
        if hint is not None and code.hints_for(received.metadata).get(hint[0]) == hint[1]:
            hint = None
        passed = cls.__new__(cls, code)  # not through __init__: a subclass may have one of its own
        passed._fill(code, error.details(), received.metadata, {}, hint and dict([hint]), details, None, _ignore)
        return passed

    @property
    def error_code(self) -> ErrorCode:
        """The code that is answered."""
        return self._error_code

    @property
    def message(self) -> str:
        """What went wrong, in English, for developers: `grpc-message`."""
        return self._error_code.message if self._message is None else self._message

    @property
    def metadata(self) -> Mapping[str, str]:
        """What goes into `ErrorInfo.metadata` beside the number."""
        return MappingProxyType(self._metadata)

    @property
    def hint(self) -> str | Mapping[str, str] | None:
        """The hint that replaces the code's own, as it was given, or None."""
        return self._hint

    @property
    def status_details(self) -> tuple[Message, ...]:
        """The details that go on the wire beside ErrorInfo, LocalizedMessage and the RetryInfo of `retry_delay`."""
        return tuple(detail for detail, _ in self._details)

    @property
    def retry_delay(self) -> float | None:
        """How long the caller should wait before it tries again, in seconds, or None."""
        return self._retry_delay

    def _brief(self, accept_language: str | None) -> bytes | None:
        """The serialized Status of an error whose hint is the table's, as most; None for others."""
        code = self._error_code
        if self._hints is not None or self._retry_delay is not None or code._spec.variants:
            return None
        locale = locales.choose(accept_language, code._spec.hints, code.default_locale)
        if self._message is None and not self._metadata and not self._details:
            return wire.constant(code, locale)
        return wire.brief(code, self._message, self._metadata, locale, self._details)

    def _parts(self, accept_language: str | None, request_id: str | None = None, trailers: Iterable[Trailer] = ()) -> Parts:
        """What goes on the wire for a reader of these languages, beside these trailing metadata of the handler."""
        code, details = self._error_code, [any_pb2.Any.FromString(packed) for _, packed in self._details]
        hints = code.hints_for(self._metadata) if self._hints is None else self._hints
        locale = locales.choose(accept_language, hints, code.default_locale)
        retry = request = None
        if details and holds(details[-1], rpc.RequestInfo):
            request = details.pop()
        if details and holds(details[-1], rpc.RetryInfo):
            retry = details.pop()
        if self._retry_delay is not None:
            retry = pack(rpc.RetryInfo(retry_delay=timedelta(seconds=self._retry_delay)))
        if request_id is not None:
            request = pack(rpc.RequestInfo(request_id=request_id))
        localized = None if locale is None else (locale, hints[locale])
        return Parts(code, self.message, dict(self._metadata), localized, details, retry, request, list(trailers))

    def __str__(self) -> str:
        code = self._error_code
        return f"{code.reason} ({code.number}): {self.message!r}" + (f" {self._metadata}" if self._metadata else "")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Not through __init__: a subclass may have one of its own.
        return _revive, (type(self), *self.args), self.__dict__


def _revive(cls: type[BaseException], *args: object) -> BaseException:
    return cls.__new__(cls, *args)


# In place of the raiser's __warningregistry__: these texts name data, which must not fill the memory of a server.
_reported: dict[Any, Any] = {}
_MOST_REPORTED = 1_000


def _warn(text: str) -> None:
    """Warns at the line that called ServiceError."""
    frame: Any = sys._getframe(1)
    while frame.f_globals.get("__name__") in {__name__, arguments.__name__}:
        frame = frame.f_back
    if len(_reported) >= _MOST_REPORTED:
        _reported.clear()
    module = frame.f_globals.get("__name__", "<unknown>")
    warnings.warn_explicit(text, MisuseWarning, frame.f_code.co_filename, frame.f_lineno, module, _reported)


def _ignore(_: str) -> None:
    """What a peer sent wrong is not its receiver's misuse."""


class _RemoteType(ABCMeta):
    """The class of RemoteError and of each remote(...), so that `pickle` asks us how to find the latter again."""


if TYPE_CHECKING:
    _FailedCall = object
else:

    class _FailedCall(grpc.Call, grpc.Future):
        """The call that failed, for grpc's sync interceptor chain: it hands the error of an inner interceptor to an outer
        one as if it were the call. Not for use, hence not in the types."""

        def cancel(self):
            return False

        def cancelled(self):
            return False

        def is_active(self):
            return False

        def time_remaining(self):
            return None

        def running(self):
            return False

        def done(self):
            return True

        def add_callback(self, callback):  # noqa: ARG002
            return False

        def result(self, timeout=None):  # noqa: ARG002
            raise self

        def exception(self, timeout=None):  # noqa: ARG002
            return self

        def traceback(self, timeout=None):  # noqa: ARG002
            return self.__traceback__

        def add_done_callback(self, fn):
            fn(self)


class RemoteError(AioRpcError, _FailedCall, metaclass=_RemoteType):
    """An error received from another service. Made by the client interceptors, `from_error` and `decode`.

    What grpc knows of it stays: `code()`, `details()` (the English text), `initial_metadata()`, `trailing_metadata()`,
    `debug_error_string()`. Nothing read from a peer raises: what is absent or garbage is None or empty.
    """

    # Made 0.25 us faster than with a __dict__, of 1.3 in all.
    __slots__ = (
        "_accept_language",
        "_debug",
        "_error_code",
        "_inferred",
        "_initial",
        "_received",
        "_status",
        "_text",
        "_trailing",
    )
    _target: ErrorCode | type[ErrorCode] | None = None
    """What the class stands for: the argument of `remote()`."""

    def __init__(
        self,
        code: StatusCode,
        details: str | None,
        received: Received,
        error_code: ErrorCode | None,
        inferred: bool,
        accept_language: str | None,
        initial_metadata: Any = None,
        trailing_metadata: Any = None,
        debug_error_string: str | None = None,
    ) -> None:
        # Not through AioRpcError.__init__, which takes as long as all that is done here: what it keeps is here, too.
        self._status = code
        self._text = details
        self._received = received
        self._error_code = error_code
        self._inferred = inferred
        self._accept_language = accept_language
        self._initial = initial_metadata
        self._trailing = trailing_metadata
        self._debug = debug_error_string

    def code(self) -> StatusCode:
        """The RPC's status."""
        return self._status

    def details(self) -> str | None:
        """The text that the peer sent with the status: English, for developers."""
        return self._text

    def initial_metadata(self) -> Any:
        """The metadata that the peer sent first."""
        if callable(self._initial):  # that of a sync call whose metadata had yet to arrive
            self._initial = self._initial()
        return self._initial

    def trailing_metadata(self) -> Any:
        """The metadata that the peer sent last."""
        return self._trailing

    def debug_error_string(self) -> str | None:
        """What grpc says of the failure, for debugging."""
        return self._debug

    @property
    def error_code(self) -> ErrorCode | None:
        """The code; None when no catalogue that was given declares it. A guess when `inferred` is True."""
        return self._error_code

    @property
    def inferred(self) -> bool:
        """Whether the peer sent no ErrorInfo and `error_code` was guessed from the status."""
        return self._inferred

    @property
    def number(self) -> int | None:
        """The code's number, known to us or not."""
        return parse_number(self._received.number) if self._error_code is None else self._error_code.number

    @property
    def reason(self) -> str | None:
        """`ErrorInfo.reason` as the peer sent it, or None."""
        return None if self._received.info is None else self._received.info.reason

    @property
    def domain(self) -> str | None:
        """`ErrorInfo.domain` as the peer sent it, or None."""
        return None if self._received.info is None else self._received.info.domain

    @property
    def metadata(self) -> Mapping[str, str]:
        """`ErrorInfo.metadata` without the number."""
        return MappingProxyType(self._received.metadata)

    @property
    def hint(self) -> str | None:
        """What to tell the end user: the text that the server sent, else the table's in the language asked for, else None."""
        localized = self._localized()
        return None if localized is None else localized[1]

    @property
    def locale(self) -> str | None:
        """The language tag of `hint`, or None."""
        localized = self._localized()
        return None if localized is None else localized[0]

    @property
    def request_id(self) -> str | None:
        """The id under which the server's log has the error, or None."""
        return self._received.request_id

    @property
    def status_details(self) -> tuple[Message, ...]:
        """All details that the peer sent, in its order; those of a type unknown to this process stay `Any`."""
        return self._received.details

    def detail(self, message_type: type[M], /) -> M | None:
        """The first detail of a type, or None."""
        return self._received.detail(message_type)

    def _localized(self) -> tuple[str, str] | None:
        if self._received.localized is not None or self._error_code is None:
            return self._received.localized
        hints = self._error_code.hints_for(self._received.metadata)
        chosen = locales.choose(self._accept_language, hints, self._error_code.default_locale)
        return None if chosen is None else (chosen, hints[chosen])

    def __str__(self) -> str:
        # Texts from the peer through repr: it escapes control characters, bidi overrides and ANSI sequences.
        code = self._error_code
        name = shown(self.reason) if self.reason is not None else "no ErrorInfo"
        if code is not None:
            name = f"inferred {code.reason}" if self._inferred else code.reason
        parts = [f"{self.code().name}: {name}" + ("" if self.number is None else f" ({self.number})")]
        if self.domain is not None:
            parts[0] += f" of {shown(self.domain)}"
        parts.append(shown(self.details() or ""))
        localized = self._localized()
        if localized is not None:
            parts.append(f"hint {shown(localized[1])} ({shown(localized[0])})")
        if self.metadata:
            parts.append(f"metadata {shown(dict(self.metadata))}")
        if self.request_id is not None:
            parts.append(f"request id {shown(self.request_id)}")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: getattr(self, name) for name in RemoteError.__slots__}
        state |= {"_initial": _picklable(self.initial_metadata()), "_trailing": _picklable(self._trailing)}
        return _revive, (type(self),), self.__dict__ | state


class _Entry(NamedTuple):
    """An entry of metadata, as grpc's sync stack has it in a class that `pickle` cannot find."""

    key: str
    value: str | bytes


def _picklable(metadata: Any) -> Any:
    return tuple(_Entry(*entry) for entry in metadata) if type(metadata) is tuple else metadata


_classes: dict[object, type[RemoteError]] = {}


def remote(target: ErrorCode | type[ErrorCode], /) -> type[RemoteError]:
    """The class of received errors with this code, or with any code of this catalogue, for `except`.

    Real and cached: it works in tuples, in `except*`, in contextlib.suppress. An inferred code is never of such a class.
    Raises TypeError for what is neither, ValueError for a code that is no error.
    """
    try:
        return _classes[target]
    except (KeyError, TypeError):
        pass
    if isinstance(target, ErrorCode):
        if target.grpc_status is StatusCode.OK:
            raise ValueError(f"{target} is no error: nothing to catch")
        base = remote(type(target))
    elif isinstance(target, type) and issubclass(target, ErrorCode) and target is not ErrorCode:
        base = RemoteError
    else:
        raise TypeError(f"{target!r} is neither an error code nor a catalogue: give errgrpc.ResCode or one of its members")
    name = f"remote({target})" if isinstance(target, ErrorCode) else f"remote({target.__name__})"
    doc = f"A received error with the code {target}." if isinstance(target, ErrorCode) else f"A received error of {target.__name__}."
    made: Any = _RemoteType(name, (base,), {"_target": target, "__module__": "errgrpc", "__qualname__": name, "__doc__": doc})
    return _classes.setdefault(target, made)  # atomic: two threads must not catch different classes


def _reduce_class(cls: Any) -> str | tuple[Any, ...]:
    # The target pickles by name, which imports its catalogue. A class that somebody derived has its own name.
    target = vars(cls).get("_target")
    return cls.__qualname__ if target is None else (remote, (target,))


copyreg.pickle(_RemoteType, _reduce_class)
