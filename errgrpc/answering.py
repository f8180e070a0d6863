"""What a server answers to whatever was raised. The rules, in their order:

1. what the handler aborted with stands;
2. a ServiceError is answered with its code, of whatever catalogue;
3. an exception that `translate` names becomes a ServiceError;
4. a status that the handler had set before it raised stands;
5. everything else, an error received from another service included, is answered by the catalogue's fallback and a
   request id. Its text stays here; one log record has the traceback under the same id.

Of an exception group the first member counts that 2 or 3 apply to: a TaskGroup lists them as they failed, so that is the
one that stopped the others.
"""

import contextlib
import inspect
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeGuard

from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc import locales, wire
from errgrpc.arguments import clean, is_request_id, shown
from errgrpc.budget import DEFAULT_MAX_TRAILER_BYTES, Trailer
from errgrpc.catalog import fallback_of
from errgrpc.codes import ErrorCode
from errgrpc.errors import RemoteError, ServiceError

__all__ = ["Answer", "Answering", "OnError", "Rpc", "Translate", "encode", "is_coded", "sendable", "status_of"]

_LOGGER = logging.getLogger("errgrpc")
_REQUEST_ID = "x-request-id"
_MIN_TRAILER_BYTES = 1_024  # ErrorInfo alone can take about 700
_KEY = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP2: Header-Name
_TEXT = re.compile(r"[ -~]*")  # gRPC over HTTP2: ASCII-Value
_FATAL = {"grpc-timeout", "grpclb_client_stats"}  # in trailers they abort the process that sends them (grpcio 1.85)

# type[Any]: a mapping is invariant in its keys, and a table of one class in a variable should do, too.
Translate = Mapping[type[Any], ErrorCode | Callable[[Any], ServiceError]]


class OnError(Protocol):
    """What hears of an error that nobody foresaw, in place of the log record."""

    def __call__(self, error: BaseException, /, *, method: str, code: ErrorCode, request_id: str) -> object: ...


@dataclass(slots=True)
class Rpc:
    """What the stack knows of an RPC whose handler has raised."""

    method: str
    metadata: locales.Metadata
    """What the client sent."""
    trailers: Iterable[Trailer]
    """The trailing metadata that the handler set."""
    status: StatusCode | None
    """The failure that the handler set or aborted with."""
    details: str
    aborted: bool = False
    """Whether what was raised is grpc's own signal that the handler aborted."""
    gone: bool = False
    """Whether the RPC itself failed, as it does when the client has gone: then nobody hears the answer."""


class Answer(NamedTuple):
    """What goes on the wire, in values that grpc can send."""

    status: StatusCode
    message: str
    trailers: tuple[Trailer, ...]


class Answering:
    """The decisions of one server interceptor, without I/O. Raises TypeError and ValueError for wrong arguments."""

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        translate: Translate | None = None,
        on_error: OnError | None = None,
        max_trailer_bytes: int = DEFAULT_MAX_TRAILER_BYTES,
    ) -> None:
        self._fallback = fallback_of(catalogue)
        self._translate = dict(translate or {})
        for kind, target in self._translate.items():
            _check_translation(kind, target)
        if on_error is not None and not _is_function(on_error):
            raise TypeError(f"on_error is {on_error!r}: give a function (error, *, method, code, request_id) that is not async")
        self._on_error = on_error
        if type(max_trailer_bytes) is not int or max_trailer_bytes < _MIN_TRAILER_BYTES:
            raise ValueError(f"max_trailer_bytes is {max_trailer_bytes!r}, not an int of at least {_MIN_TRAILER_BYTES}")
        self._max_trailer_bytes = max_trailer_bytes
        self._surely_fitting = wire.surely_fitting(max_trailer_bytes)

    def plain(self, error: ServiceError, metadata: locales.Metadata) -> Answer | None:
        """The answer to an error of a handler that has set no trailing metadata, as most are; None where `answer` is needed.

        In a third of the frames: between two calls code is cold, and each function takes 1 us and more.
        """
        brief = error._brief(locales.requested(metadata))
        if brief is None or len(brief) > self._surely_fitting:
            return None
        BaseException.with_traceback(error, None)  # no log has it, and it holds the request
        spec, message = error._error_code._spec, error._message
        return Answer(spec.grpc_status, spec.message if message is None else message, ((wire.DETAILS_KEY, brief),))

    def answer(self, error: BaseException, rpc: Rpc) -> Answer:
        """What the client is answered, and the log record that goes with it."""
        if rpc.aborted:
            return self._standing(rpc)
        foreseen, request_id = self.decide(error, rpc)
        if foreseen is None:
            return self._standing(rpc)
        trailers = [(key, value) for key, value in sendable(rpc.trailers) if key != wire.DETAILS_KEY] if rpc.trailers else []
        if request_id is None and not trailers and (plain := self.plain(foreseen, rpc.metadata)):
            return plain
        code = foreseen.error_code
        parts = foreseen._parts(locales.requested(rpc.metadata), request_id, trailers)
        raw, shed = wire.encode(parts, self._max_trailer_bytes)
        self._log_shed(rpc.method, code, shed)
        return Answer(code.grpc_status, parts.message, (*parts.trailers, (wire.DETAILS_KEY, raw)))

    def decide(self, error: BaseException, rpc: Rpc) -> tuple[ServiceError | None, str | None]:
        """The error that answers what was raised, with a request id if nobody foresaw it, and the log record; None where the
        status stands that the handler had set."""
        _forget_earlier(error)
        try:
            foreseen = error if is_coded(error) else self._foreseen(error, rpc)
        except BaseException as failure:  # noqa: BLE001  the translator raised: neither its text nor the error's may go out
            if failure is not error and failure.__context__ is None:
                failure.__context__ = error  # for the log, where no handler of `error` is running
            error, foreseen = failure, None
        else:
            if foreseen is None and rpc.status is not None:
                _log(logging.INFO, "%r failed with the status that it had set, %s", rpc.method, rpc.status, error=error)
                return None, None
        if foreseen is None:
            request_id = _request_id(error, rpc.metadata)
            self._record(error, rpc, request_id)
            return ServiceError(self._fallback), request_id
        BaseException.with_traceback(foreseen, None)  # no log has it, and it holds the request
        return foreseen, None

    def fitted(self, method: str, answer: Answer) -> Answer:
        """What a handler aborted with, as much of it as fits."""
        message, trailers, shed = wire.cut(answer.message, answer.trailers, self._max_trailer_bytes)
        self._log_shed(method, answer.status, shed)
        return Answer(answer.status, message, trailers)

    def _standing(self, rpc: Rpc) -> Answer:
        return self.fitted(rpc.method, Answer(rpc.status or StatusCode.UNKNOWN, clean(rpc.details), tuple(sendable(rpc.trailers))))

    def _log_shed(self, method: str, answered: object, shed: list[str]) -> None:
        if shed:
            text = "%r answers %s cut to %d bytes of trailers: %s"
            _log(logging.WARNING, text, method, answered, self._max_trailer_bytes, ", ".join(shed))

    def _foreseen(self, error: BaseException, rpc: Rpc) -> ServiceError | None:
        """The ServiceError that `error` holds or translates to."""
        leaves = list(_leaves(error))
        found = next(filter(is_coded, leaves), None) or next(filter(None, map(self._translated, (*leaves, error))), None)
        if found is not None and len(leaves) > 1 and not all(is_coded(leaf) for leaf in leaves):
            _log(logging.ERROR, "%r answers %s, raised in a group with others", rpc.method, found.error_code, error=error)
        return found

    def _translated(self, error: BaseException) -> ServiceError | None:
        for kind in type(error).__mro__ if self._translate else ():
            if (target := self._translate.get(kind)) is not None:
                made = ServiceError(target) if isinstance(target, ErrorCode) else target(error)
                if not is_coded(made):
                    raise TypeError(f"translate[{kind.__name__}] gave a {type(made).__name__}, not a ServiceError")
                return made
        return None

    def _record(self, error: BaseException, rpc: Rpc, request_id: str) -> None:
        if rpc.gone:
            _log(logging.INFO, "%r could not be answered, request id %s", rpc.method, request_id, error=error)
            return
        if self._on_error is not None:
            try:
                self._on_error(error, method=rpc.method, code=self._fallback, request_id=request_id)
            except BaseException as failure:  # noqa: BLE001  whatever it raises: the client still waits for its answer
                if failure.__context__ is None and failure is not error:
                    failure.__context__ = error  # else nobody would ever hear of it
                _log(logging.ERROR, "on_error failed for %r, request id %s", rpc.method, request_id, error=failure)
            return
        extra = {"grpc_method": rpc.method, "error_code": self._fallback.reason, "request_id": request_id}
        _log(logging.ERROR, "%r answers %s, request id %s", rpc.method, self._fallback, request_id, error=error, extra=extra)


def encode(service_error: ServiceError, accept_language: str | None = None) -> status_pb2.Status:
    """The google.rpc.Status of an error, whole, with the hint in a language of this `accept-language` value.

    For who has no interceptor: put its bytes into `grpc-status-details-bin`. Raises TypeError for what is no ServiceError.
    """
    if not isinstance(service_error, ServiceError):
        raise TypeError(f"{shown(service_error)} is no errgrpc.ServiceError")
    brief = service_error._brief(accept_language)
    return status_pb2.Status.FromString(brief) if brief else wire.to_status(service_error._parts(accept_language))


def _check_translation(kind: object, target: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError(f"translate has the key {kind!r}: give exception classes")
    if isinstance(target, ErrorCode):
        ServiceError(target)  # SUCCESS is a ValueError here rather than in production
    elif not _is_function(target) or (isinstance(target, type) and issubclass(target, ErrorCode)):
        wanted = "an error code or a function, not async, from the exception to a ServiceError"
        raise TypeError(f"translate[{kind.__name__}] is {target!r}: give {wanted}")


def _is_function(target: object) -> bool:
    return callable(target) and not inspect.iscoroutinefunction(target)


def is_coded(error: object) -> TypeGuard[ServiceError]:
    # `isinstance` would run a hostile `__class__`; a subclass may have forgotten to call our `__init__`.
    return issubclass(type(error), ServiceError) and hasattr(error, "_error_code")


_traceback_of = BaseException.__dict__["__traceback__"].__get__  # whatever a subclass makes of it


def _forget_earlier(error: BaseException) -> None:
    """Cuts what earlier requests left in the traceback of an instance that is raised again and again.

    Each raise adds to it (a module's constant, a future that many wait for): it would keep the locals of all requests, and
    the log of one would show the others.
    """
    first: TracebackType | None = _traceback_of(error)
    entry = first
    while first is not None and entry is not None and (following := entry.tb_next) is not None:
        if following.tb_frame.f_code is first.tb_frame.f_code:  # where an earlier one was caught, as this one is
            entry.tb_next = None
        entry = following


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group in their order, or the exception itself."""
    todo = [error]  # no recursion: groups may be nested deeper than the stack is
    while todo:
        current = todo.pop()
        if issubclass(type(current), BaseExceptionGroup):
            todo += reversed(_members(current))
        else:
            yield current


def _members(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if issubclass(type(error), BaseExceptionGroup) else ()  # type: ignore[attr-defined]


def _request_id(error: BaseException, metadata: locales.Metadata) -> str:
    """The request's own id, else that of the received error behind this one, else a fresh one."""
    for text in (value for key, value in metadata if key == _REQUEST_ID):
        if is_request_id(text):
            return text
    for cause in _causes(error):
        if issubclass(type(cause), RemoteError) and is_request_id(cause.request_id):
            return cause.request_id
    return uuid.uuid4().hex


def _causes(error: BaseException) -> Iterator[Any]:
    """The error and what led to it, each once."""
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += (led for led in (*reversed(_members(current)), current.__context__, current.__cause__) if led is not None)


def sendable(trailers: Iterable[Trailer] | None) -> Iterator[Trailer]:
    """The entries that gRPC can send: one bad entry of a handler would cost the whole answer."""
    for entry in trailers if trailers is not None and issubclass(type(trailers), Iterable) else ():
        key: object = None
        try:
            key, value = entry
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if _KEY.fullmatch(key) and key not in _FATAL and (isinstance(value, bytes) if key.endswith("-bin") else _TEXT.fullmatch(text)):
                yield key, value
                continue
        except (TypeError, ValueError):
            pass
        # Not the value, which may be a secret.
        _log(logging.WARNING, "trailing metadata that gRPC cannot send is left out, its key is %s", shown(key, 200))


def status_of(code: object) -> StatusCode | None:
    """The failure that a handler set; None for OK, nothing, or what grpc would not understand."""
    return code if isinstance(code, StatusCode) and code is not StatusCode.OK else None


def _log(level: int, text: str, *args: object, error: BaseException | None = None, extra: dict[str, Any] | None = None) -> None:
    info = None if error is None else (type(error), error, error.__traceback__)
    with contextlib.suppress(Exception):  # of a foreign handler or filter: the client still waits for its answer
        _LOGGER.log(level, text, *args, exc_info=info, extra=extra, stacklevel=2)
