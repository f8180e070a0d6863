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
    """What the stack knows of an RPC whose handler has raised."""

    method: str
    metadata: Metadata
    """What the client sent."""
    trailers: Iterable[Trailer] = ()
    """The trailing metadata that the handler set."""
    status: object = None
    """The code that the handler set or aborted with, as the stack has it."""
    details: object = ""
    aborted: bool = False
    """Whether the handler aborted, whatever it raised then."""
    signal: bool = False
    """Whether what was raised is grpc's own signal of that, and nothing else."""
    gone: bool = False
    """Whether what was raised is grpc's word that the RPC itself failed, as it does when the client has gone."""
    stuck: bool = False
    """Whether no answer can be sent any more."""
    traceback: TracebackType | None = None
    """The traceback as it was when the exception was caught; None for what it has now."""
    request_id: str | None = None
    """The id of the call, if it is tracked: each answer has it."""


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
    outcome: Outcome = "unhandled"


class Answering:
    """The decisions of one server interceptor, without I/O. Raises TypeError and ValueError for wrong arguments."""

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
        # The fast path adds neither a Help nor a request id.
        self._surely_fitting = (
            -1 if send_help or track_context else surely_fitting(max_trailer_bytes)
        )

    def attend(self, observed: bool, /) -> None:
        """Notes whether answers are of interest: to `on_answer` or an observer (`hears`), or as undeclared, too."""
        self.hears = self.on_answer is not None or observed
        self._looks = self.hears or bool(self.declared)

    def answer(self, error: BaseException, rpc: Rpc) -> RpcAnswer:
        """What the client is answered; logs and reports what goes with it.

        Never raises: whatever fails in reading a foreign exception, the fallback answers, and one log record has the
        failure.
        """
        try:
            if rpc.aborted:
                return self._standing(error, rpc)
            values = values_of(error)
            if values is not None and not rpc.trailers:  # as most are: in a third of the frames
                raw = brief(values, requested(rpc.metadata))
                if raw is not None and len(raw) <= self._surely_fitting:
                    _with_traceback(error, None)  # no log has it, and it holds the request
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
        except BaseException as failure:  # noqa: BLE001
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
        """What answers the exception, and what is to be logged of it. Never raises."""
        try:
            return self._decided(error, rpc)
        except BaseException as failure:  # noqa: BLE001
            return self._unreadable(failure, error, rpc)

    def standing(
        self, method: str, status: StatusCode, message: str, *trailers: Iterable[Trailer] | None
    ) -> RpcAnswer:
        """What the handler aborted with, as much of it as fits.

        Of several collections of trailing metadata, the first counts that has an entry that grpc can send.
        """
        answer = self.uncoded(method, status, message, *trailers)
        if self.hears:
            self.hear(None, None, method, status)
        return answer

    def uncoded(
        self, method: str, status: StatusCode, message: str, *trailers: Iterable[Trailer] | None
    ) -> RpcAnswer:
        """A status without a code, as much of it as fits."""
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
        """Logs an exception that a handler raised after it had aborted: the client is answered with that status."""
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
        """Logs an exception that came when a response had begun with this HTTP status, and tells `on_answer`."""
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
        """Tells `on_answer` of a handler that set a failure as its status and returned."""
        if (status := status_of(code)) is not None:
            self.hear(None, None, method, status)

    def report(self, reports: Iterable[Report]) -> None:
        """Logs what a decision says, or calls `on_error` in place of that."""
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
        """Reports a code that the method does not declare, and calls `on_answer`.

        Without a decision, a status of the handler's own stands.
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
        for observer in tuple(observing.observers.values()):
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
        except BaseException as failure:  # noqa: BLE001  of the translator: neither its text nor the error's may go out
            link(failure, error)
            return self._unhandled(failure, rpc, _request_id(failure, rpc.metadata), reports)
        if found is not None and (values := values_of(found)) is not None:
            _with_traceback(found, None)  # no log has it, and it holds the request
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
        """Gives a call the id that it was tracked by; one that an interceptor has ended was not."""
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
        """The answer to an exception that cannot be read: nothing of it or of the request is touched again."""
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
        """The ServiceError that `error` is or holds, else what `translate` makes of it."""
        members = list(leaves(error))
        coded = [member for member in members if values_of(member) is not None]
        made = (self._translator.translated(each, rpc.metadata) for each in (*members, error))
        found = coded[0] if coded else next((each for each in made if each is not None), None)
        if found is not None and len(members) > 1 and len(coded) < len(members):
            code = values_of(found).code  # type: ignore[union-attr]
            text = "%r answers %s, raised in a group with others"
            reports.append(
                Report(logging.ERROR, text, (rpc.method, code), error, traceback=rpc.traceback)
            )
        return found, "coded" if coded else "translated"


def encode(service_error: ServiceError, accept_language: str | None = None) -> status_pb2.Status:
    """The google.rpc.Status of an error, whole, with the hint in a language of this `accept-language` value.

    For a server without our interceptor: put its bytes into `grpc-status-details-bin`. Raises TypeError if
    `service_error` is not a ServiceError.
    """
    if (values := values_of(service_error)) is None:
        raise TypeError(f"{shown(service_error)} is no errgrpc.ServiceError")
    raw = brief(values, accept_language)
    return status_pb2.Status.FromString(
        raw or whole(values.code, parts_of(values, accept_language))
    )


def _cut(error: BaseException, caught: TracebackType | None = None) -> TracebackType | None:
    """The traceback of this raise, which the error now has, too; so have its members, and what led to it."""
    own = own_traceback(caught or traceback_of(error))
    for each in causes(error):
        _with_traceback(each, own if each is error else own_traceback(traceback_of(each)))
    return own


def _is_unimplemented(status: object, error: BaseException) -> bool:
    """Whether it is what the base classes of generated code raise for a method that a servicer lacks."""
    return status is StatusCode.UNIMPLEMENTED and issubclass(type(error), NotImplementedError)


def _refusal(key: str) -> Report:
    return Report(
        logging.WARNING,
        "trailing metadata that gRPC cannot send is left out, its key is %s",
        (key,),
    )


def _request_id(error: BaseException, metadata: Metadata) -> str:
    """The request's own id, else that of the received error behind this one, else a fresh one."""
    if (own := context.request_id_in(metadata)) is not None:
        return own
    for cause in causes(error):
        if issubclass(type(cause), RemoteError):
            # of a double that did not call our `__init__`
            with contextlib.suppress(AttributeError):
                if is_request_id(sent := cause.request_id):  # type: ignore[attr-defined]
                    return sent
    return uuid.uuid4().hex


def _sent_id(values: Values) -> str | None:
    """The request id that an error brings along, or None."""
    last = values.details[-1][0] if values.details else None
    return last.request_id or None if isinstance(last, RequestInfo) else None
