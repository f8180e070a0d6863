"""The error that a client receives, and the classes that `except` catches.

```text
Exception
  ServiceError              raised by a handler of this service
  grpc.RpcError
    grpc.aio.AioRpcError
      RemoteError           received from another service, on both stacks
        remote(ResCode)                     ... with a code of that catalogue, known here or not
          remote(ResCode.ROOM_NOT_EXIST)    ... with that code
```

RemoteError is not a ServiceError, so the error of another service never becomes an answer of this
one by accident. `ServiceError.from_remote` propagates it on purpose.
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
    """The metaclass of RemoteError and remote(...).

    It tells `pickle` how to find a remote(...) again.
    """

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> Any:
        # cloudpickle rebuilds a class from its original bases. A rebuilt remote(...) would catch
        # nothing, so the existing class is returned.
        match namespace.get("__orig_bases__"):
            case (_Base(target=target),):
                return _class_of(target)
        return super().__new__(mcls, name, bases, namespace, **keywords)


def _as_pickled(function: F) -> F:
    function.__module__ = "errgrpc"  # a pickle must not name a module that may move
    return function


class RemoteError(AioRpcError, FailedCall, metaclass=_RemoteType):
    """An error that a client received from another service.

    The channel of `wrap_channel`, the client interceptors, `from_error` and `decode` make it. A
    test makes it with `errgrpc.testing.remote_error`. It is a grpc.RpcError on both stacks, with
    grpc's methods: `code()`, `details()` (the text for developers), `initial_metadata()`,
    `trailing_metadata()` and `debug_error_string()`.

    No attribute raises because of what a peer sent. If a value is absent or invalid, the attribute
    is None or empty.
    """

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
    """The argument of `remote()` that this class stands for."""

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
        # AioRpcError.__init__ is not called: all its attributes are set here.
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
        """Returns the gRPC status of the call."""
        return self._code

    def details(self) -> str | None:
        """Returns the text for developers that the peer sent with the status, or None."""
        return self._details

    def initial_metadata(self) -> Any:
        """Returns the initial metadata that the peer sent."""
        # a sync call whose initial metadata had not arrived yet
        if callable(self._initial_metadata):
            self._initial_metadata = self._initial_metadata()
        return self._initial_metadata

    def trailing_metadata(self) -> Any:
        """Returns the trailing metadata that the peer sent."""
        return self._trailing_metadata

    def debug_error_string(self) -> str | None:
        """Returns grpc's own description of the failure, for debugging."""
        return self._debug_error_string

    @property
    def args(self) -> tuple[str]:  # type: ignore[override]  # computed, not stored
        """One text, for tools that show an exception by its arguments."""
        return (str(self),)

    @property
    def error_code(self) -> ErrorCode | None:
        """The code, or None if no catalogue of the client declares it.

        If `inferred` is True, the code is a guess.
        """
        return self._error_code

    @property
    def inferred(self) -> bool:
        """Whether `error_code` is a guess from the status, because the peer sent no ErrorInfo."""
        return self._inferred

    @property
    def number(self) -> int | None:
        """The number of the code, or None.

        If no catalogue of the client declares the code, it is `ErrorInfo.metadata["code"]`.
        """
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
        """The entries of `ErrorInfo.metadata`, without the number."""
        return MappingProxyType(self._received.metadata)

    @property
    def hint(self) -> str | None:
        """The text for the end user, or None.

        It is the text that the server sent. If the server sent none, it is the catalogue's hint in
        the language that the caller asked for, or else in its default locale.
        """
        localized = self._localized()
        return None if localized is None else localized[1]

    @property
    def locale(self) -> str | None:
        """The language tag of `hint` (BCP 47), or None."""
        localized = self._localized()
        return None if localized is None else localized[0]

    @property
    def retryable(self) -> bool | None:
        """Whether a retry of the same call may succeed later, or None.

        It comes from the client's own catalogue, never from a peer. It is None if the catalogue
        does not declare it, or if the code is inferred.
        """
        return None if self._error_code is None or self._inferred else self._error_code.retryable

    @property
    def retry_delay(self) -> float | None:
        """How long the server asks the caller to wait before a retry, in seconds, or None.

        It comes from the RetryInfo that the peer sent.
        """
        return self._received.retry_delay

    @property
    def help_url(self) -> str | None:
        """The URL that explains the code, or None.

        It comes from the client's own catalogue, never from a peer. It is None if the code is
        inferred.
        """
        return None if self._error_code is None or self._inferred else self._error_code.help_url

    @property
    def request_id(self) -> str | None:
        """The id of the error in the server's log: `RequestInfo.request_id`, or None."""
        return self._received.request_id

    @property
    def status_details(self) -> tuple[Message, ...]:
        """All details, in the order in which the peer sent them.

        If this process does not know the type of a detail, it stays a google.protobuf.Any.
        """
        return self._received.details

    def detail(self, message_type: type[M], /) -> M | None:
        """Returns the first detail of a protobuf type, or None."""
        return self._received.detail(message_type)

    def _localized(self) -> tuple[str, str] | None:
        if self._received.localized is not None or self._error_code is None:
            return self._received.localized
        hints = self._error_code.hints_for(self._received.metadata)
        chosen = locales.choose(self._accept_language, hints, self._error_code.default_locale)
        return None if chosen is None else (chosen, hints[chosen])

    def __str__(self) -> str:
        # `shown` uses repr, which escapes control characters, bidi overrides and ANSI sequences of
        # the peer.
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
        # The pickle names the class, but nothing private, because a later version may move it.
        state = {name: getattr(self, name) for name in RemoteError.__slots__}
        state["_initial_metadata"], state["_trailing_metadata"] = map(
            _plain, (self.initial_metadata(), self._trailing_metadata)
        )
        state["_received"] = self._received.status.SerializeToString()
        # A remote(...) is pickled by its target. cloudpickle would copy the class, and no `except`
        # would catch the copy.
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
    """An entry of metadata. `pickle` cannot find the class that grpc's sync stack uses."""

    key: str
    value: str | bytes


def _plain(metadata: Any) -> Any:
    return tuple(map(tuple, metadata)) if type(metadata) is tuple else metadata


def _entries(metadata: Any) -> Any:
    return tuple(Entry(*entry) for entry in metadata) if type(metadata) is tuple else metadata


_classes: dict[object, type[RemoteError]] = {}


Target = ErrorCode | type[ErrorCode]


class _Base(NamedTuple):
    """The original base of a remote(...). It holds the target."""

    target: Target

    def __mro_entries__(self, _: Any) -> tuple[type[RemoteError]]:
        return (RemoteError,)


@overload
def remote(target: Target, /) -> type[RemoteError]: ...
@overload
def remote(target: Target, other: Target, /, *others: Target) -> tuple[type[RemoteError], ...]: ...
def remote(target: Target, /, *others: Target) -> type[RemoteError] | tuple[type[RemoteError], ...]:
    """Returns the class of received errors with a code, or with any code of a catalogue.

        except remote(ResCode.ROOM_NOT_EXIST) as error:

    For several arguments, it returns a tuple of classes. They are subclasses of RemoteError, so
    they also work in `except*` and `contextlib.suppress`. They never catch an error whose code was
    inferred. `remote(ResCode)` also catches codes of its domain that a newer server added.

    Raises:
        TypeError: An argument is neither a code nor a catalogue.
        ValueError: The gRPC status of a code is OK.
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
    return _classes.setdefault(target, made)  # atomic: two threads get the same class


def _reduce_class(cls: Any) -> str | tuple[Any, ...]:
    # The target is pickled by its name, which imports its catalogue. A class derived from a
    # remote(...) has its own name.
    target = vars(cls).get("_target")
    return cls.__qualname__ if target is None else (remote, (target,))


copyreg.pickle(_RemoteType, _reduce_class)
