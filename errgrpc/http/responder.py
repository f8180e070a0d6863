"""Answers exceptions of an HTTP service; decides as gRPC servers do (`errgrpc.answering`)."""

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

_LONGEST_PATH = 200  # characters in a log record


class Responder:
    """Answers the exceptions of handlers over HTTP, for any framework.

        responder = Responder(ResCode)
        answer = responder.answer(error, Request("GET", "/rooms/r-42", headers))

    A ServiceError of any catalogue is answered with its own code.

    Args:
        catalogue: The catalogue whose fallback answers unhandled exceptions.
        form: The form of the bodies: `envelope`, `aip193` or `both`.
        translate, on_error, on_answer, send_help: As for `errgrpc.ServerInterceptor`. The `method`
            that hooks get is `GET /rooms/r-42`.

    Raises:
        TypeError: `catalogue` is not a catalogue, a hook is async or no function, or `translate` is
            malformed.
        ValueError: `catalogue` has no fallback, `form` is not one of the three, or the gRPC status
            of a code in `translate` is OK.
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
        """Returns the answer to an exception. Logs the exception if it is unhandled. Never raises.

        Args:
            error: The exception.
            request: The request that failed.
            gone: Whether the client has closed the connection, so that it gets no answer.
            cause: The exception that was raised, if `error` was made from it. `on_answer` gets it.
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
        """Logs an exception that was raised after the response had begun.

        Args:
            error: The exception.
            request: The request that failed.
            status: The HTTP status of the response.
        """
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
        """Returns the answer for an HTTP status that a handler chose.

        If `code` is None, the answer has no error code, as with `context.abort` in gRPC.

        Args:
            status: The HTTP status.
            message: The text for developers. If it is None, it is the text of `code`, or the reason
                phrase of the status (RFC 9110).
            request: The request that failed.
            data: JSON data for the body.
            headers: More headers of the answer.
            cause: The exception that the handler raised.
            code: The error code to answer with, instead of `status`.
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
    """Returns a request as `GET /rooms/r-42`, with the path cut to 200 characters."""
    return f"{request.method} {request.path[:_LONGEST_PATH]}"


def _sent_id(answer: Answer) -> str | None:
    return next((value for name, value in answer.headers if name == REQUEST_ID), None)
