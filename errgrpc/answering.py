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

import inspect
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc.catalog import fallback_of
from errgrpc.codes import ErrorCode
from errgrpc.locales import Metadata, requested
from errgrpc.raised import causes, forget_earlier, leaves
from errgrpc.remote_error import RemoteError
from errgrpc.reports import OnError, Report, Unhandled, report
from errgrpc.service_error import ServiceError, values_of
from errgrpc.texts import clean, is_request_id, shown
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.wire.encoding import brief, cut, fitted, parts_of, surely_fitting, whole
from errgrpc.wire.packing import DETAILS_KEY, Trailer
from errgrpc.wire.values import Values

__all__ = ["Answering", "Decision", "Rpc", "RpcAnswer", "Translate", "encode", "status_of"]

_REQUEST_ID = "x-request-id"
_with_traceback = BaseException.with_traceback
_MIN_TRAILER_BYTES = 1_024  # ErrorInfo alone can take about 700
_KEY = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP2: Header-Name
_TEXT = re.compile(r"[ -~]*")  # gRPC over HTTP2: ASCII-Value
_FATAL = {"grpc-timeout", "grpclb_client_stats"}  # in trailers they abort the process that sends them (grpcio 1.85)

# type[Any]: a mapping is invariant in its keys, and a table of one class in a variable should do, too.
Translate = Mapping[type[Any], ErrorCode | Callable[[Any], ServiceError]]


@dataclass(slots=True)
class Rpc:
    """What the stack knows of an RPC whose handler has raised."""

    method: str
    metadata: Metadata
    """What the client sent."""
    trailers: Iterable[Trailer] = ()
    """The trailing metadata that the handler set."""
    status: object = None
    """The code that the handler set or aborted with, as the stack has it."""
    details: str | bytes = ""
    aborted: bool = False
    """Whether what was raised is grpc's own signal that the handler aborted."""
    gone: bool = False
    """Whether the RPC itself failed, as it does when the client has gone and no answer can reach it."""


class RpcAnswer(NamedTuple):
    """What goes on the wire, in values that grpc can send."""

    status: StatusCode
    message: str
    trailers: tuple[Trailer, ...]


class Decision(NamedTuple):
    """What answers an exception."""

    values: Values
    """The error that answers it: a ServiceError's, or those of the fallback."""
    request_id: str | None = None
    """The id that the client is given for the log record of an unhandled exception."""
    stands: bool = False
    """Whether a status that the handler had set answers in place of `values`."""
    reports: tuple[Report, ...] = ()


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
        self._surely_fitting = surely_fitting(max_trailer_bytes)

    def answer(self, error: BaseException, rpc: Rpc) -> RpcAnswer:
        """What the client is answered, and the log record that goes with it."""
        if rpc.aborted:
            return self._standing(rpc)
        values = values_of(error)
        if values is not None and not rpc.trailers:  # as most are: in a third of the frames
            raw = brief(values, requested(rpc.metadata))
            if raw is not None and len(raw) <= self._surely_fitting:
                _with_traceback(error, None)  # no log has it, and it holds the request
                spec, message = values.code.spec, values.message
                return RpcAnswer(spec.grpc_status, spec.message if message is None else message, ((DETAILS_KEY, raw),))
        decision = self.decide(error, rpc)
        self.report(decision.reports)
        return self._standing(rpc) if decision.stands else self._coded(decision, rpc)

    def decide(self, error: BaseException, rpc: Rpc) -> Decision:
        """What answers the exception, and what is to be logged of it."""
        forget_earlier(error)
        reports: list[Report] = []
        fallback = Values(self._fallback)
        found: BaseException | None
        try:
            found = self._found(error, rpc, reports)
        except BaseException as failure:  # noqa: BLE001  of the translator: neither its text nor the error's may go out
            if failure is not error and failure.__context__ is None:
                failure.__context__ = error  # for the log, where no handler of `error` is running
            error, found = failure, None
        else:
            if found is None and (status := status_of(rpc.status)) is not None:
                text = "%r failed with the status that it had set, %s"
                reports.append(Report(logging.INFO, text, (rpc.method, status), error))
                return Decision(fallback, stands=True, reports=tuple(reports))
        if found is not None and (values := values_of(found)) is not None:
            _with_traceback(found, None)  # no log has it, and it holds the request
            return Decision(values, reports=tuple(reports))
        request_id = _request_id(error, rpc.metadata)
        if rpc.gone:
            text = "%r could not be answered, request id %s"
            reports.append(Report(logging.INFO, text, (rpc.method, request_id), error))
        else:
            unhandled = Unhandled(rpc.method, self._fallback, request_id)
            reports.append(Report(logging.ERROR, "%r answers %s, request id %s", unhandled, error, unhandled))
        return Decision(fallback, request_id, reports=tuple(reports))

    def standing(self, method: str, status: StatusCode, message: str, *trailers: Iterable[Trailer] | None) -> RpcAnswer:
        """What the handler itself ended the RPC with, as much of it as fits.

        Of several collections of trailing metadata, the first counts that has an entry that grpc can send.
        """
        kept: list[Trailer] = []
        for given in trailers:
            kept, reports = _sendable(given)
            self.report(reports)
            if kept:
                break
        message, fitting, shed = cut(message, tuple(kept), self._max_trailer_bytes)
        self.report(self._shed(method, status, shed))
        return RpcAnswer(status, message, fitting)

    def report(self, reports: Iterable[Report]) -> None:
        """Logs what a decision says, or calls `on_error` in place of that."""
        report(reports, self._on_error)

    def _standing(self, rpc: Rpc) -> RpcAnswer:
        details = rpc.details.decode(errors="replace") if isinstance(rpc.details, bytes) else str(rpc.details)
        return self.standing(rpc.method, status_of(rpc.status) or StatusCode.UNKNOWN, clean(details), rpc.trailers)

    def _coded(self, decision: Decision, rpc: Rpc) -> RpcAnswer:
        code = decision.values.code
        sendable, reports = _sendable(rpc.trailers)
        trailers = [entry for entry in sendable if entry[0] != DETAILS_KEY]
        parts = parts_of(decision.values, requested(rpc.metadata), decision.request_id, trailers)
        raw, shed = fitted(code, parts, self._max_trailer_bytes)
        self.report([*reports, *self._shed(rpc.method, code, shed)])
        return RpcAnswer(code.grpc_status, parts.message, (*parts.trailers, (DETAILS_KEY, raw)))

    def _shed(self, method: str, answered: object, shed: list[str]) -> list[Report]:
        arguments = method, answered, self._max_trailer_bytes, ", ".join(shed)
        return [Report(logging.WARNING, "%r answers %s cut to %d bytes of trailers: %s", arguments)] if shed else []

    def _found(self, error: BaseException, rpc: Rpc, reports: list[Report]) -> BaseException | None:
        """The ServiceError that `error` is, holds or translates to."""
        members = list(leaves(error))
        coded = [leaf for leaf in members if values_of(leaf) is not None]
        found = coded[0] if coded else next(filter(None, map(self._translated, (*members, error))), None)
        if found is not None and len(members) > 1 and len(coded) < len(members):
            code = values_of(found).code  # type: ignore[union-attr]
            reports.append(Report(logging.ERROR, "%r answers %s, raised in a group with others", (rpc.method, code), error))
        return found

    def _translated(self, error: BaseException) -> ServiceError | None:
        for kind in type(error).__mro__ if self._translate else ():
            if (target := self._translate.get(kind)) is not None:
                made = ServiceError(target) if isinstance(target, ErrorCode) else target(error)
                if values_of(made) is None:
                    raise TypeError(f"translate[{kind.__name__}] gave a {type(made).__name__}, not a ServiceError")
                return made
        return None


def encode(service_error: ServiceError, accept_language: str | None = None) -> status_pb2.Status:
    """The google.rpc.Status of an error, whole, with the hint in a language of this `accept-language` value.

    For a server without our interceptor: put its bytes into `grpc-status-details-bin`. Raises TypeError if
    `service_error` is not a ServiceError.
    """
    if (values := values_of(service_error)) is None:
        raise TypeError(f"{shown(service_error)} is no errgrpc.ServiceError")
    raw = brief(values, accept_language)
    return status_pb2.Status.FromString(raw or whole(values.code, parts_of(values, accept_language)))


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


def _request_id(error: BaseException, metadata: Metadata) -> str:
    """The request's own id, else that of the received error behind this one, else a fresh one."""
    for text in (value for key, value in metadata if key == _REQUEST_ID):
        if is_request_id(text):
            return text
    for cause in causes(error):
        if issubclass(type(cause), RemoteError) and is_request_id(cause.request_id):
            return cause.request_id
    return uuid.uuid4().hex


def _sendable(trailers: Iterable[Trailer] | None) -> tuple[list[Trailer], list[Report]]:
    """The entries that gRPC can send, and what is to be logged: one bad entry of a handler would cost the whole answer."""
    kept: list[Trailer] = []
    refused: list[Report] = []
    for entry in trailers if trailers is not None and issubclass(type(trailers), Iterable) else ():
        key: object = None
        try:
            key, value = entry
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if _KEY.fullmatch(key) and key not in _FATAL and (isinstance(value, bytes) if key.endswith("-bin") else _TEXT.fullmatch(text)):
                kept.append((key, value))
                continue
        except (TypeError, ValueError):
            pass
        # Not the value, which may be a secret.
        text = "trailing metadata that gRPC cannot send is left out, its key is %s"
        refused.append(Report(logging.WARNING, text, (shown(key, 200),)))
    return kept, refused


def status_of(code: object) -> StatusCode | None:
    """The failure that a handler set; None for OK, nothing, or what grpc would not understand."""
    return code if isinstance(code, StatusCode) and code is not StatusCode.OK else None
