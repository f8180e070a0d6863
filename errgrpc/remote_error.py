"""The error that a client receives, and the classes that `except` catches.

    Exception
      ServiceError              raised here, in a handler; goes on the wire as itself
      grpc.RpcError
        grpc.aio.AioRpcError
          RemoteError           received from another service, whichever stack the call was made with
            remote(ResCode)                     ... with a code of that catalogue, known to us or not
              remote(ResCode.ROOM_NOT_EXIST)    ... with that code

ServiceError is unrelated on purpose: what another service said never passes for ours (`ServiceError.from_remote` is a
decision).
"""

import copyreg
from abc import ABCMeta
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, overload

from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from errgrpc import locales
from errgrpc.catalog import parse_number
from errgrpc.codes import ErrorCode
from errgrpc.failed_call import FailedCall
from errgrpc.texts import shown
from errgrpc.wire.packing import M
from errgrpc.wire.received import Received

__all__ = ["Entry", "RemoteError", "remote"]


F = TypeVar("F", bound=Callable[..., Any])


class _RemoteType(ABCMeta):
    """The class of RemoteError and of each remote(...), so that `pickle` asks us how to find the latter again."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> Any:
        # cloudpickle makes classes anew from their original bases; the copy of a remote(...) would catch nothing.
        match namespace.get("__orig_bases__"):
            case (_Base(target=target),):
                return _class_of(target)
        return super().__new__(mcls, name, bases, namespace, **keywords)


def _as_pickled(function: F) -> F:
    function.__module__ = "errgrpc"  # so that pickles name no room
    return function


class RemoteError(AioRpcError, FailedCall, metaclass=_RemoteType):
    """An error received from another service. Made by the client interceptors, `from_error` and `decode`.

    What grpc knows of it stays: `code()`, `details()` (the English text), `initial_metadata()`, `trailing_metadata()`,
    `debug_error_string()`. Nothing read from a peer raises: what is absent or garbage is None or empty.
    """

    # Made 0.25 us faster than with a __dict__, of 1.3 in all.
    __slots__ = (
        "_accept_language",
        "_code",
        "_debug_error_string",
        "_details",
        "_error_code",
        "_inferred",
        "_initial_metadata",
        "_received",
        "_trailing_metadata",
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
        self._code = code
        self._details = details
        self._received = received
        self._error_code = error_code
        self._inferred = inferred
        self._accept_language = accept_language
        self._initial_metadata = initial_metadata
        self._trailing_metadata = trailing_metadata
        self._debug_error_string = debug_error_string

    def code(self) -> StatusCode:
        """The RPC's status."""
        return self._code

    def details(self) -> str | None:
        """The text that the peer sent with the status: English, for developers."""
        return self._details

    def initial_metadata(self) -> Any:
        """The metadata that the peer sent first."""
        if callable(self._initial_metadata):  # that of a sync call whose metadata had yet to arrive
            self._initial_metadata = self._initial_metadata()
        return self._initial_metadata

    def trailing_metadata(self) -> Any:
        """The metadata that the peer sent last."""
        return self._trailing_metadata

    def debug_error_string(self) -> str | None:
        """What grpc says of the failure, for debugging."""
        return self._debug_error_string

    @property
    def args(self) -> tuple[str]:  # type: ignore[override]
        """One text, for what shows an exception by its arguments; the rest is in the attributes."""
        return (str(self),)

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
        return (
            parse_number(self._received.number)
            if self._error_code is None
            else self._error_code.number
        )

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
    def retryable(self) -> bool | None:
        """Whether the same call may succeed later, as your table says; None where it does not, and for an inferred code."""
        return None if self._error_code is None or self._inferred else self._error_code.retryable

    @property
    def retry_delay(self) -> float | None:
        """How many seconds the server asks to wait before the same call is tried again (RetryInfo), or None."""
        return self._received.retry_delay

    @property
    def help_url(self) -> str | None:
        """Where the code is explained, as your table says, never a peer; None for an inferred code."""
        return None if self._error_code is None or self._inferred else self._error_code.help_url

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
        parts = [
            f"{self.code().name}: {name}" + ("" if self.number is None else f" ({self.number})")
        ]
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
        # By no name of ours, which a later version may move, but that of the class.
        state = {name: getattr(self, name) for name in RemoteError.__slots__}
        state["_initial_metadata"], state["_trailing_metadata"] = map(
            _plain, (self.initial_metadata(), self._trailing_metadata)
        )
        state["_received"] = self._received.status.SerializeToString()
        # By its target, as cloudpickle would copy the class of `remote(...)` itself, which then nothing catches.
        target = vars(type(self)).get("_target")
        made: Any = copyreg.__newobj__  # type: ignore[attr-defined]  # as pickle itself names it
        remade = (made, (type(self),)) if target is None else (RemoteError._of, (target,))
        return *remade, (vars(self), state)

    @staticmethod
    @_as_pickled
    def _of(target: "Target") -> "RemoteError":
        kind = _class_of(target)
        return kind.__new__(kind)

    def __setstate__(self, both: Any) -> None:
        own, state = both
        vars(self).update(own)
        for name, value in state.items():
            setattr(self, name, value)
        self._received = Received((state["_received"],))
        self._initial_metadata, self._trailing_metadata = map(
            _entries, (self._initial_metadata, self._trailing_metadata)
        )


class Entry(NamedTuple):
    """An entry of metadata, as grpc's sync stack has it in a class that `pickle` cannot find."""

    key: str
    value: str | bytes


def _plain(metadata: Any) -> Any:
    return tuple(map(tuple, metadata)) if type(metadata) is tuple else metadata


def _entries(metadata: Any) -> Any:
    return tuple(Entry(*entry) for entry in metadata) if type(metadata) is tuple else metadata


_classes: dict[object, type[RemoteError]] = {}


Target = ErrorCode | type[ErrorCode]


class _Base(NamedTuple):
    """What a remote(...) names as its original base, which tells the target."""

    target: Target

    def __mro_entries__(self, _: Any) -> tuple[type[RemoteError]]:
        return (RemoteError,)


@overload
def remote(target: Target, /) -> type[RemoteError]: ...
@overload
def remote(target: Target, other: Target, /, *others: Target) -> tuple[type[RemoteError], ...]: ...
def remote(target: Target, /, *others: Target) -> type[RemoteError] | tuple[type[RemoteError], ...]:
    """The class of received errors with this code, or with any code of this catalogue, for `except`; of several, a tuple.

    Real and cached: it works in tuples, in `except*`, in contextlib.suppress. An inferred code is never of such a class.
    Raises TypeError if an argument is neither a code nor a catalogue, and ValueError if it is a success.
    """
    if others:
        return tuple(map(_class_of, (target, *others)))
    return _class_of(target)


def _class_of(target: Target) -> type[RemoteError]:
    try:
        return _classes[target]
    except (KeyError, TypeError):
        pass
    if isinstance(target, ErrorCode):
        if target.grpc_status is StatusCode.OK:
            raise ValueError(f"{target} is a success: there is nothing to catch")
        base = _class_of(type(target))
    elif isinstance(target, type) and issubclass(target, ErrorCode) and target is not ErrorCode:
        base = RemoteError
    else:
        raise TypeError(
            f"{target!r} is neither an error code nor a catalogue: "
            "give errgrpc.ResCode or one of its members"
        )
    name = f"remote({target})" if isinstance(target, ErrorCode) else f"remote({target.__name__})"
    doc = (
        f"A received error with the code {target}."
        if isinstance(target, ErrorCode)
        else f"A received error of {target.__name__}."
    )
    named = {
        "_target": target,
        "__module__": "errgrpc",
        "__qualname__": name,
        "__doc__": doc,
        "__orig_bases__": (_Base(target),),
    }
    made: Any = ABCMeta.__new__(_RemoteType, name, (base,), named)
    return _classes.setdefault(target, made)  # atomic: two threads must not catch different classes


def _reduce_class(cls: Any) -> str | tuple[Any, ...]:
    # The target pickles by name, which imports its catalogue. A class that somebody derived has its own name.
    target = vars(cls).get("_target")
    return cls.__qualname__ if target is None else (remote, (target,))


copyreg.pickle(_RemoteType, _reduce_class)
