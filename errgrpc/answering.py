"""Decides what a server answers if a handler raises. The rules apply in this order:

1. If the handler aborted, that status is the answer.
2. A ServiceError is answered with its code, of any catalogue.
3. An exception that `translate` names becomes a ServiceError.
4. If the handler had set a status before it raised, that status is the answer.
5. Any other exception is unhandled, even an error received from another service. The catalogue's
   fallback answers it, with a request id. The text of the exception is not sent. One log record has
   the traceback, under the same id.

For an exception group, rules 2 and 3 use the first member that fits. A TaskGroup lists its members
in the order in which they failed, so this one stopped the others.
"""

import contextlib
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from google.rpc import status_pb2
from google.rpc.error_details_pb2 import RequestInfo
from grpc import StatusCode

from errgrpc import context, observing
from errgrpc.catalog import fallback_of
from errgrpc.codes import ErrorCode, status_of
from errgrpc.declaring import Declarations, Raises
from errgrpc.locales import Metadata, requested
from errgrpc.raised import causes, leaves, link, own_traceback, settle, traceback_of
from errgrpc.remote_error import RemoteError
from errgrpc.reports import (
    Answered,
    OnAnswer,
    OnError,
    Outcome,
    Report,
    Unhandled,
    as_hook,
    notify,
    report,
)
from errgrpc.service_error import ServiceError, values_of
from errgrpc.texts import clean, is_request_id, shown
from errgrpc.translating import Translate, Translator
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.wire.encoding import brief, cut, fitted, parts_of, surely_fitting, whole
from errgrpc.wire.packing import DETAILS_KEY, Trailer
from errgrpc.wire.trailers import sendable
from errgrpc.wire.values import Values

__all__ = ["Answering", "Decision", "Rpc", "RpcAnswer", "encode"]

_with_traceback = BaseException.with_traceback
_MIN_TRAILER_BYTES = 1_024  # ErrorInfo alone can take about 700


@dataclass(slots=True)
class Rpc:
    """What the stack knows of a call whose handler has raised."""

    method: str
    metadata: Metadata
    """The metadata that the client sent."""
    trailers: Iterable[Trailer] = ()
    """The trailing metadata that the handler set."""
    status: object = None
    """The status that the handler set or aborted with, as the stack has it."""
    details: object = ""
    aborted: bool = False
    """Whether the handler aborted, even if it raised something else after that."""
    signal: bool = False
    """Whether the exception is only grpc's own signal of that abort."""
    gone: bool = False
    """Whether grpc raised because the call itself failed, mostly because the client has gone."""
    stuck: bool = False
    """Whether no answer can be sent any more."""
    traceback: TracebackType | None = None
    """The traceback when the exception was caught, or None for its current one."""
    request_id: str | None = None
    """The id of the call, if it is tracked. Each answer has it."""


class RpcAnswer(NamedTuple):
    """What is sent, in values that grpc can send."""

    status: StatusCode
    message: str
    trailers: tuple[Trailer, ...]


class Decision(NamedTuple):
    """How an exception is answered."""

    values: Values
    """The values of the ServiceError that answers it, or of the fallback."""
    request_id: str | None = None
    """The request id that is added to the answer, or None."""
    stands: bool = False
    """Whether a status that the handler had set is the answer, instead of `values`."""
    reports: tuple[Report, ...] = ()
    outcome: Outcome = "unhandled"


class Answering:
    """The decisions of one server interceptor, without I/O.

    Raises TypeError and ValueError for wrong arguments.
    """

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        translate: Translate | None = None,
        on_error: OnError | None = None,
        on_answer: OnAnswer | None = None,
        raises: Raises | Iterable[Raises] | None = None,
        send_help: bool = False,
        track_context: bool = False,
        max_trailer_bytes: int = DEFAULT_MAX_TRAILER_BYTES,
    ) -> None:
        self.send_help = send_help
        self.tracks = track_context
        self._fallback = fallback_of(catalogue)
        self._translator = Translator(translate)
        self._on_error: OnError | None = as_hook(
            "on_error", on_error, "(error, *, method, code, request_id)"
        )
        self.on_answer: OnAnswer | None = as_hook("on_answer", on_answer, "(answered)")
        self._declarations = None if raises is None else Declarations(raises)
        self.declared: Mapping[str, frozenset[ErrorCode]] = (
            {} if self._declarations is None else self._declarations.codes
        )
        self.hears = self._looks = False
        if type(max_trailer_bytes) is not int or max_trailer_bytes < _MIN_TRAILER_BYTES:
            raise ValueError(
                f"max_trailer_bytes is {max_trailer_bytes!r}, not an int of at least "
                f"{_MIN_TRAILER_BYTES}"
            )
        self._max_trailer_bytes = max_trailer_bytes
        observing.enlist(self)
        # -1 turns off the fast path, which adds neither a Help nor a request id.
        self._surely_fitting = (
            -1 if send_help or track_context else surely_fitting(max_trailer_bytes)
        )

    def attend(self, observed: bool, /) -> None:
        """Notes whether answers are of interest.

        `hears` is True if `on_answer` or an observer hears of them. `_looks` is also True if a
        method declares codes, because undeclared ones are then reported.
        """
        self.hears = self.on_answer is not None or observed
        self._looks = self.hears or bool(self.declared)

    def answer(self, error: BaseException, rpc: Rpc) -> RpcAnswer:
        """Returns the answer to an exception, and writes its log records.

        Never raises. If the exception cannot be read, the fallback answers, and one log record has
        the failure.
        """
        try:
            if rpc.aborted:
                return self._standing(error, rpc)
            values = values_of(error)
            # the short path of most errors
            if values is not None and not rpc.trailers:
                raw = brief(values, requested(rpc.metadata))
                if raw is not None and len(raw) <= self._surely_fitting:
                    _with_traceback(error, None)  # no log shows it, and it holds the request
                    spec, message = values.code.spec, values.message
                    if self._looks:
                        self.hear(
                            Decision(values, outcome="coded"),
                            error,
                            rpc.method,
                            spec.grpc_status,
                            gone=rpc.gone or rpc.stuck,
                            traceback=rpc.traceback,
                        )
                    return RpcAnswer(
                        spec.grpc_status,
                        spec.message if message is None else message,
                        ((DETAILS_KEY, raw),),
                    )
            decision = self.decide(error, rpc)
            if decision.stands:
                self.report(decision.reports)
                return self._standing(error, rpc)
            answer, reports = self._coded(decision, rpc)
        except BaseException as failure:  # noqa: BLE001  whatever a hostile error raises
            decision = self._unreadable(failure, error, rpc)
            answer, reports = self._coded(decision, Rpc(rpc.method, ()))
        self.report((*decision.reports, *reports))
        if self._looks:
            self.hear(
                decision,
                error,
                rpc.method,
                answer.status,
                gone=rpc.gone or rpc.stuck,
                traceback=rpc.traceback,
            )
        return answer

    def decide(self, error: BaseException, rpc: Rpc) -> Decision:
        """Returns how the exception is answered, and what is logged. Never raises."""
        try:
            return self._decided(error, rpc)
        except BaseException as failure:  # noqa: BLE001  the same
            return self._unreadable(failure, error, rpc)

    def standing(
        self, method: str, status: StatusCode, message: str, *trailers: Iterable[Trailer] | None
    ) -> RpcAnswer:
        """Returns the answer to an abort, as much of it as fits, and reports it.

        If there are several collections of trailing metadata, the first with an entry that grpc can
        send is used.
        """
        answer = self.uncoded(method, status, message, *trailers)
        if self.hears:
            self.hear(None, None, method, status)
        return answer

    def uncoded(
        self, method: str, status: StatusCode, message: str, *trailers: Iterable[Trailer] | None
    ) -> RpcAnswer:
        """Returns an answer without a code, as much of it as fits."""
        kept: list[Trailer] = []
        for given in trailers:
            kept, refused = sendable(given)
            self.report(map(_refusal, refused))
            if kept:
                break
        message, fitting, shed = cut(message, tuple(kept), self._max_trailer_bytes)
        self.report(self._shed(method, status, shed))
        return RpcAnswer(status, message, fitting)

    def late(
        self,
        error: BaseException,
        method: str,
        status: object,
        traceback: TracebackType | None = None,
    ) -> None:
        """Logs an exception that a handler raised after it had aborted.

        The client gets the status of the abort.
        """
        if not _is_unimplemented(status, error):
            own = _cut(error, traceback)
            self.report(
                [
                    Report(
                        logging.ERROR,
                        "%r raised after it had aborted with %s",
                        (method, status),
                        error,
                        traceback=own,
                    )
                ]
            )

    def lost(self, error: BaseException, method: str, status: int) -> None:
        """Logs an exception that came after the response had begun, and calls `on_answer`.

        `status` is the HTTP status of the response.
        """
        own = _cut(error)
        self.report(
            [
                Report(
                    logging.ERROR,
                    "%r failed after its response had begun with %s",
                    (method, status),
                    error,
                    traceback=own,
                )
            ]
        )
        self.hear(None, error, method, status, gone=True)

    def returned(self, method: str, code: object) -> None:
        """Calls `on_answer` if a handler set a failure as its status, and returned."""
        if (status := status_of(code)) is not None:
            self.hear(None, None, method, status)

    def report(self, reports: Iterable[Report]) -> None:
        """Writes the log records of a decision, or calls `on_error` instead."""
        for each in reports:
            report([each], self._on_error)
            if each.error is not None:
                settle(each.error)

    def hear(
        self,
        decision: "Decision | None",
        error: BaseException | None,
        method: str,
        status: StatusCode | int,
        request_id: str | None = None,
        *,
        gone: bool = False,
        traceback: TracebackType | None = None,
    ) -> None:
        """Reports an undeclared code, and calls `on_answer` and the observers.

        If there is no decision, the answer is a status that the handler set.
        """
        undeclared = decision is not None and self._is_undeclared(method, decision.values.code)
        if self.on_answer is None and not observing.observers:
            return
        if decision is None:
            answered = Answered(
                method, error, None, status, request_id, "undelivered" if gone else "aborted"
            )
        else:
            request_id = request_id or decision.request_id or _sent_id(decision.values)
            outcome = "undelivered" if gone else decision.outcome
            answered = Answered(
                method, error, decision.values.code, status, request_id, outcome, undeclared
            )
        if self.on_answer is not None:
            notify("on_answer", self.on_answer, repr(method), error, answered)
        for observer in list(observing.observers.values()):
            notify("an observer", observer.answered, repr(method), error, answered, traceback)

    def _is_undeclared(self, method: str, code: ErrorCode) -> bool:
        declarations = self._declarations
        if declarations is None or code is self._fallback or not declarations.lacks(method, code):
            return False
        if declarations.is_news(method, code):
            fields = {"grpc_method": method, "error_code": code.reason}
            self.report(
                [
                    Report(
                        logging.WARNING,
                        "%r answers %s, which it does not declare",
                        (method, code),
                        extra=fields,
                    )
                ]
            )
        return True

    def _decided(self, error: BaseException, rpc: Rpc) -> Decision:
        rpc.traceback = _cut(error, rpc.traceback)
        if self.tracks:
            self._identify(rpc)
        reports: list[Report] = []
        found: BaseException | None
        try:
            found, outcome = self._found(error, rpc, reports)
        except BaseException as failure:  # noqa: BLE001  of `translate`; neither text is sent
            link(failure, error)
            return self._unhandled(failure, rpc, _request_id(failure, rpc.metadata), reports)
        if found is not None and (values := values_of(found)) is not None:
            _with_traceback(found, None)  # no log shows it, and it holds the request
            return Decision(
                values,
                None if is_request_id(_sent_id(values)) else rpc.request_id,
                reports=tuple(reports),
                outcome=outcome,
            )
        if (status := status_of(rpc.status)) is None:
            return self._unhandled(
                error, rpc, _request_id(error, rpc.metadata), reports, rpc.traceback
            )
        if not _is_unimplemented(status, error):
            text = "%r failed with the status that it had set, %s"
            reports.append(
                Report(logging.ERROR, text, (rpc.method, status), error, traceback=rpc.traceback)
            )
        return Decision(Values(self._fallback), stands=True, reports=tuple(reports))

    def _identify(self, rpc: Rpc) -> None:
        """Gives the answer the id of the tracked call.

        If an interceptor ended the call, it was not tracked. The id is then that of the request, or
        a new one.
        """
        tracked = context.current()
        rpc.request_id = (
            context.request_id_in(rpc.metadata) or uuid.uuid4().hex
            if tracked is None
            else tracked.call.request_id
        )
        rpc.metadata = ((context.REQUEST_ID, rpc.request_id), *context.pairs(rpc.metadata))

    def _unhandled(
        self,
        error: BaseException,
        rpc: Rpc,
        request_id: str,
        reports: Iterable[Report] = (),
        traceback: TracebackType | None = None,
    ) -> Decision:
        if rpc.gone or rpc.stuck:
            text = "%r could not be answered, request id %s"
            own = Report(
                logging.INFO if rpc.gone else logging.ERROR,
                text,
                (rpc.method, request_id),
                error,
                traceback=traceback,
            )
        else:
            unhandled = Unhandled(rpc.method, self._fallback, request_id)
            own = Report(
                logging.ERROR,
                "%r answers %s, request id %s",
                unhandled,
                error,
                unhandled,
                traceback,
            )
        return Decision(
            Values(self._fallback), request_id, reports=(*reports, own), outcome="unhandled"
        )

    def _unreadable(self, failure: BaseException, error: BaseException, rpc: Rpc) -> Decision:
        """Returns the fallback for an exception that cannot be read.

        It touches neither the exception nor the request again.
        """
        link(failure, error)
        return self._unhandled(failure, rpc, rpc.request_id or uuid.uuid4().hex)

    def _standing(self, error: BaseException, rpc: Rpc) -> RpcAnswer:
        details = (
            rpc.details.decode(errors="replace") if isinstance(rpc.details, bytes) else rpc.details
        )
        status = status_of(rpc.status) or StatusCode.UNKNOWN
        answer = self.uncoded(
            rpc.method, status, clean(details if isinstance(details, str) else ""), rpc.trailers
        )
        if rpc.aborted and not rpc.signal:
            self.late(error, rpc.method, status, rpc.traceback)
        if self.hears:
            self.hear(
                None, None if rpc.signal else error, rpc.method, status, traceback=rpc.traceback
            )
        return answer

    def _coded(self, decision: Decision, rpc: Rpc) -> tuple[RpcAnswer, list[Report]]:
        code = decision.values.code
        kept, refused = sendable(rpc.trailers)
        trailers = [entry for entry in kept if entry[0] != DETAILS_KEY]
        parts = parts_of(
            decision.values,
            requested(rpc.metadata),
            decision.request_id,
            trailers,
            send_help=self.send_help,
        )
        raw, shed = fitted(code, parts, self._max_trailer_bytes)
        reports = [*map(_refusal, refused), *self._shed(rpc.method, code, shed)]
        return RpcAnswer(
            code.grpc_status, parts.message, (*parts.trailers, *parts.pushback, (DETAILS_KEY, raw))
        ), reports

    def _shed(self, method: str, answered: object, shed: list[str]) -> list[Report]:
        arguments = method, answered, self._max_trailer_bytes, ", ".join(shed)
        return (
            [Report(logging.WARNING, "%r answers %s cut to %d bytes of trailers: %s", arguments)]
            if shed
            else []
        )

    def _found(
        self, error: BaseException, rpc: Rpc, reports: list[Report]
    ) -> tuple[BaseException | None, Outcome]:
        """Returns the ServiceError that `error` is or holds, or what `translate` makes of it."""
        members = list(leaves(error))
        coded = [member for member in members if values_of(member) is not None]
        made = (self._translator.translated(each, rpc.metadata) for each in (*members, error))
        found = coded[0] if coded else next((each for each in made if each is not None), None)
        if found is not None and len(members) > 1 and len(coded) < len(members):
            code = values_of(found).code  # type: ignore[union-attr]  # `found` has values
            text = "%r answers %s, raised in a group with others"
            reports.append(
                Report(logging.ERROR, text, (rpc.method, code), error, traceback=rpc.traceback)
            )
        return found, "coded" if coded else "translated"


def encode(service_error: ServiceError, accept_language: str | None = None) -> status_pb2.Status:
    """Returns the google.rpc.Status of an error, for a server without errgrpc's interceptor.

    Put its bytes into the trailing metadata `grpc-status-details-bin`. No part of the Status is
    dropped, whatever its size is.

    Args:
        service_error: The error.
        accept_language: The caller's `accept-language`, which chooses the language of the hint. By
            default, the hint is in the catalogue's default locale.

    Raises:
        TypeError: `service_error` is not a ServiceError.
    """
    if (values := values_of(service_error)) is None:
        raise TypeError(f"{shown(service_error)} is no errgrpc.ServiceError")
    raw = brief(values, accept_language)
    return status_pb2.Status.FromString(
        raw or whole(values.code, parts_of(values, accept_language))
    )


def _cut(error: BaseException, caught: TracebackType | None = None) -> TracebackType | None:
    """Cuts the tracebacks of an error, its members and its causes to this raise.

    Returns the traceback of the error.
    """
    own = own_traceback(caught or traceback_of(error))
    for each in causes(error):
        _with_traceback(each, own if each is error else own_traceback(traceback_of(each)))
    return own


def _is_unimplemented(status: object, error: BaseException) -> bool:
    """Tells whether the base class of generated code raised because a servicer lacks the method."""
    return status is StatusCode.UNIMPLEMENTED and issubclass(type(error), NotImplementedError)


def _refusal(key: str) -> Report:
    return Report(
        logging.WARNING,
        "trailing metadata that gRPC cannot send is left out, its key is %s",
        (key,),
    )


def _request_id(error: BaseException, metadata: Metadata) -> str:
    """Returns the id of the request, or of the received error behind this one, or a new id."""
    if (own := context.request_id_in(metadata)) is not None:
        return own
    for cause in causes(error):
        if issubclass(type(cause), RemoteError):
            # a test double may not have called `__init__`
            with contextlib.suppress(AttributeError):
                if is_request_id(sent := cause.request_id):  # type: ignore[attr-defined]  # the type is a RemoteError
                    return sent
    return uuid.uuid4().hex


def _sent_id(values: Values) -> str | None:
    """Returns the request id among the details of an error, or None."""
    last = values.details[-1][0] if values.details else None
    return last.request_id or None if isinstance(last, RequestInfo) else None
