"""What an HTTP service answers to whatever was raised: the decisions are those of gRPC's servers (`errgrpc.answering`)."""

from collections.abc import Mapping

from errgrpc.answering import Answering, Decision, Rpc, Translate
from errgrpc.codes import ErrorCode
from errgrpc.http.bodies import Answer, Form, Headers, Request, coded, form_of, uncoded
from errgrpc.http.details import Json, as_detail
from errgrpc.http.statuses import phrase
from errgrpc.reports import OnError

__all__ = ["Responder"]

_LONGEST_PATH = 200  # characters of it in a log record


class Responder:
    """Answers what handlers raise, for any framework: `Responder(ResCode).answer(error, Request("GET", "/rooms/r-42", headers))`.

    `catalogue` is the one whose fallback answers an unhandled exception; a ServiceError of any catalogue is answered as itself.
    `translate` and `on_error` are those of `errgrpc.ServerInterceptor`, the `method` of a request being `GET /rooms/r-42`.
    `form` is what the bodies look like: `envelope`, `aip193` or `both`.

    Raises TypeError if `catalogue` is not a catalogue, and ValueError if it has no fallback or the form is unknown.
    """

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        form: Form = "envelope",
        translate: Translate | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._answering = Answering(catalogue, translate=translate, on_error=on_error)
        self._form: Form = form_of(form)

    def answer(self, error: BaseException, request: Request, *, gone: bool = False) -> Answer:
        """What the client is answered, and the log record that goes with it. `gone`: no answer can reach the
        client."""
        decision = self._decide(error, request, gone)
        self._answering.report(decision.reports)
        return coded(decision.values, decision.request_id, request, self._form)

    def lose(self, error: BaseException, request: Request) -> None:
        """Logs an exception that came when the response had begun and no answer can be sent, even one with a code."""
        decision = self._decide(error, request)
        self._answering.report(decision.reports)
        if decision.request_id is None:
            lost = RuntimeError("the response had begun before the error that it should tell")
            lost.__cause__ = error
            self._answering.report(self._decide(lost, request).reports)

    def stand(
        self, status: int, message: str | None, request: Request, *, data: Json = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """What a handler fails with on purpose, without a code: an HTTP status with a text for developers, data and headers.

        As with `context.abort` of gRPC nothing claims that a catalogue's code was raised.
        """
        given: Headers = headers.items() if headers is not None else ()
        text = phrase(status) if message is None else message
        return uncoded(status, text, as_detail(data), request, self._form, given)

    def _decide(self, error: BaseException, request: Request, gone: bool = False) -> Decision:
        method = f"{request.method} {request.path[:_LONGEST_PATH]}"
        return self._answering.decide(error, Rpc(method, request.headers, gone=gone))
