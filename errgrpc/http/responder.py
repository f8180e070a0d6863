"""What an HTTP service answers to whatever was raised: the decisions are those of gRPC's servers (`errgrpc.answering`)."""

from collections.abc import Mapping

from errgrpc.answering import Answering, Decision, Rpc
from errgrpc.codes import ErrorCode
from errgrpc.http.bodies import REQUEST_ID, Answer, Form, Headers, Request, coded, form_of, uncoded
from errgrpc.http.details import Json
from errgrpc.http.statuses import phrase
from errgrpc.reports import OnAnswer, OnError
from errgrpc.texts import clean
from errgrpc.translating import Translate
from errgrpc.wire.values import Values

__all__ = ["Responder", "method_of"]

_LONGEST_PATH = 200  # characters of it in a log record


class Responder:
    """Answers what handlers raise, for any framework: `Responder(ResCode).answer(error, Request("GET", "/rooms/r-42", headers))`.

    `catalogue` is the one whose fallback answers an unhandled exception; a ServiceError of any catalogue is answered as itself.
    `translate`, `on_error`, `on_answer` and `send_help` are those of `errgrpc.ServerInterceptor`; the `method` of a request is
    `GET /rooms/r-42`. `form` is what the bodies look like: `envelope`, `aip193` or `both`.

    Raises TypeError if `catalogue` is not a catalogue, and ValueError if it has no fallback or the form is unknown.
    """

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        form: Form = "envelope",
        translate: Translate | None = None,
        on_error: OnError | None = None,
        on_answer: OnAnswer | None = None,
        send_help: bool = False,
    ) -> None:
        self._answering = Answering(
            catalogue,
            translate=translate,
            on_error=on_error,
            on_answer=on_answer,
            send_help=send_help,
        )
        self._form: Form = form_of(form)

    def answer(
        self,
        error: BaseException,
        request: Request,
        *,
        gone: bool = False,
        cause: BaseException | None = None,
    ) -> Answer:
        """What the client is answered; logs and reports what goes with it. `gone`: no answer can reach the client.

        `cause` is what was raised, if `error` only says what it means. Never raises.
        """
        method, raised = method_of(request), cause or error
        decision = self._answering.decide(error, Rpc(method, request.headers, gone=gone))
        self._answering.report(decision.reports)
        answer = coded(
            decision.values,
            decision.request_id,
            request,
            self._form,
            send_help=self._answering.send_help,
        )
        if cause is not None and decision.outcome == "coded":
            decision = decision._replace(outcome="translated")
        self._answering.hear(decision, raised, method, answer.status, _sent_id(answer), gone=gone)
        return answer

    def lose(self, error: BaseException, request: Request, status: int) -> None:
        """Logs an exception that came when the response had begun with this status: no answer can be sent any more."""
        self._answering.lost(error, method_of(request), status)

    def stand(
        self,
        status: int,
        message: str | None,
        request: Request,
        *,
        data: Json = None,
        headers: Mapping[str, str] | None = None,
        cause: BaseException | None = None,
        code: ErrorCode | None = None,
    ) -> Answer:
        """What a handler fails with on purpose: an HTTP status with a text for developers, data and headers.

        `cause` is what was raised to say so. As with `context.abort` of gRPC nothing claims that a catalogue's code was raised,
        unless `code` is given, which is then answered in place of the status.
        """
        given: Headers = headers.items() if headers is not None else ()
        if code is not None:
            decision = Decision(
                Values(code, None if message is None else clean(message)), outcome="translated"
            )
            send_help = self._answering.send_help
            answer = coded(
                decision.values,
                None,
                request,
                self._form,
                data=data,
                headers=given,
                send_help=send_help,
            )
            self._answering.hear(
                decision, cause, method_of(request), answer.status, _sent_id(answer)
            )
            return answer
        text = phrase(status) if message is None else message
        answer = uncoded(status, text, data, request, self._form, given)
        self._answering.hear(None, cause, method_of(request), answer.status, _sent_id(answer))
        return answer


def method_of(request: Request) -> str:
    """`GET /rooms/r-42`, its path cut to 200 characters."""
    return f"{request.method} {request.path[:_LONGEST_PATH]}"


def _sent_id(answer: Answer) -> str | None:
    return next((value for name, value in answer.headers if name == REQUEST_ID), None)
