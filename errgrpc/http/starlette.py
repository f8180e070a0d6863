"""Answers the exceptions of a Starlette or FastAPI application: `install(app, ResCode)`.

- A ServiceError, or an exception whose class is in `translate`, is answered with its code.
- A RequestValidationError of FastAPI is answered with a BadRequest and the code that the catalogue
  infers from INVALID_ARGUMENT. If there is no such code, the answer is 400 without a code.
- An HTTPException is answered with its status and without a code. Starlette also raises it for an
  unknown path or method.
- Any other exception is answered with the catalogue's fallback and a request id.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast, get_args

from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from errgrpc.codes import ErrorCode
from errgrpc.http.asgi import ErrorMiddleware, messages_of, request_of, was_logged
from errgrpc.http.bodies import Answer, Form
from errgrpc.http.details import Json
from errgrpc.http.openapi import shown_by
from errgrpc.http.responder import Responder
from errgrpc.http.statuses import http_status, phrase, sole_code
from errgrpc.reports import OnAnswer, OnError
from errgrpc.service_error import ServiceError, made_of
from errgrpc.texts import shown
from errgrpc.translating import Translate
from errgrpc.validation.violations import field_violations

try:
    from fastapi import FastAPI as _FastAPI
    from fastapi.exceptions import RequestValidationError

    from errgrpc.validation.pydantic import violations
except ImportError:
    _FastAPI = RequestValidationError = violations = cast(Any, None)  # type: ignore[misc]  # no fastapi is here

__all__ = ["exception_handlers", "install"]

HttpErrors = Literal["status", "code"]
Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]


def install(
    app: Starlette,
    catalogue: type[ErrorCode],
    *,
    form: Form = "envelope",
    http_errors: HttpErrors = "status",
    translate: Translate | None = None,
    on_error: OnError | None = None,
    on_answer: OnAnswer | None = None,
    send_help: bool = False,
    track_context: bool = False,
) -> None:
    """Makes an application of Starlette or FastAPI answer exceptions with error codes.

    Call it after you have added your middleware. The exceptions of that middleware are then
    answered, too, and errors get the headers that it sets on responses, such as CORS headers.
    FastAPI's OpenAPI schema shows the answer to a request that fails validation.

    Args:
        app: The application.
        catalogue, form, translate, on_error, on_answer, send_help: As for
            `errgrpc.http.Responder`.
        http_errors: With "status", an HTTPException is answered with its status and without a code.
            With "code", it is answered with the code that declares its HTTP status, if exactly one
            code does.
        track_context: Whether `errgrpc.current_call()` returns the request in all code that the
            application runs. Each error that answers the request has its request id.

    Raises:
        TypeError: As `errgrpc.http.Responder` raises it.
        ValueError: As `errgrpc.http.Responder` raises it, or `http_errors` is unknown.
        RuntimeError: The application has already started (Starlette raises it).
    """
    responder = Responder(
        catalogue,
        form=form,
        translate=translate,
        on_error=on_error,
        on_answer=on_answer,
        send_help=send_help,
    )
    handlers = _Handlers(responder, catalogue, translate, http_errors)
    for kind, handler in handlers.by_class.items():
        app.add_exception_handler(kind, handler)
    if (
        _FastAPI is not None
        and isinstance(app, _FastAPI)
        and RequestValidationError not in (translate or ())
    ):
        app.openapi = shown_by(app.openapi, form, *handlers.refusal())  # type: ignore[method-assign]  # as FastAPI documents
    # One is around the routes, where other middleware still sees the answer. The other is around
    # that middleware and answers its exceptions.
    app.add_middleware(cast(Any, ErrorMiddleware), responder=responder, track_context=track_context)
    app.user_middleware.append(Middleware(cast(Any, ErrorMiddleware), responder=responder))


def exception_handlers(
    catalogue: type[ErrorCode],
    *,
    form: Form = "envelope",
    http_errors: HttpErrors = "status",
    translate: Translate | None = None,
    on_error: OnError | None = None,
    on_answer: OnAnswer | None = None,
    send_help: bool = False,
) -> dict[Any, Handler]:
    """Returns handlers for `Starlette(exception_handlers=...)` or `add_exception_handler`.

    Prefer `install`. With these handlers alone:

    - An envelope has no `cost`.
    - FastAPI's OpenAPI schema shows FastAPI's own 422.
    - `errgrpc.current_call()` returns None.
    - After an unhandled exception is answered, Starlette raises it again, and the server logs it a
      second time.

    Args:
        catalogue, form, http_errors, translate, on_error, on_answer, send_help: As for `install`.

    Raises:
        TypeError, ValueError: As `install` raises them.
    """
    responder = Responder(
        catalogue,
        form=form,
        translate=translate,
        on_error=on_error,
        on_answer=on_answer,
        send_help=send_help,
    )
    return _Handlers(responder, catalogue, translate, http_errors).by_class


class _Handlers:
    """Holds a handler for each class of exceptions."""

    def __init__(
        self,
        responder: Responder,
        catalogue: type[ErrorCode],
        translate: Translate | None,
        http_errors: HttpErrors,
    ) -> None:
        if http_errors not in get_args(HttpErrors):
            raise ValueError(f"http_errors is {shown(http_errors, 80)}: give 'status' or 'code'")
        self._responder = responder
        self._codes = catalogue if http_errors == "code" else ()
        self._invalid = catalogue.inference.get(StatusCode.INVALID_ARGUMENT)
        # Each class has its own entry: if only the handler for Exception takes an error, Starlette
        # raises it again to the server.
        translated = (kind for kind in translate or () if issubclass(kind, Exception))
        self.by_class: dict[Any, Handler] = {
            HTTPException: self._stand,
            ClientDisconnect: self._gone,
        }
        if RequestValidationError is not None:
            self.by_class[RequestValidationError] = self._refuse
        self.by_class |= dict.fromkeys(
            (ServiceError, ExceptionGroup, *translated, Exception), self._answer
        )

    async def _answer(self, request: Request, error: Exception) -> Response:
        if request.scope["type"] != "http":
            raise error  # websockets pass unchanged
        if was_logged(request.scope):
            return Response()  # the response has begun, so Starlette does not send this one
        return _response(self._responder.answer(error, request_of(request.scope)), request)

    async def _gone(self, request: Request, error: ClientDisconnect) -> Response:
        return _response(
            self._responder.answer(error, request_of(request.scope), gone=True), request
        )

    async def _stand(self, request: Request, error: HTTPException) -> Response:
        # FastAPI accepts any JSON as `detail`.
        asked, detail = request_of(request.scope), cast(Json, error.detail)
        text, data = (detail, None) if isinstance(detail, str) else (None, detail)
        code = sole_code(error.status_code, self._codes)
        if code is not None and text == phrase(error.status_code):
            text = None  # Starlette's default text: the code has a better one
        answer = self._responder.stand(
            error.status_code, text, asked, data=data, headers=error.headers, cause=error, code=code
        )
        return _response(answer, request)

    def refusal(self) -> tuple[int, str]:
        """Returns the HTTP status and the message of the answer to a refused request."""
        return (
            (400, phrase(400))
            if self._invalid is None
            else (http_status(self._invalid), self._invalid.message)
        )

    async def _refuse(self, request: Request, error: Any) -> Response:
        refused = list(field_violations(violations(error.errors())))
        if self._invalid is not None:
            refusal = made_of(self._invalid, rpc.BadRequest(field_violations=refused))
            return _response(
                self._responder.answer(refusal, request_of(request.scope), cause=error), request
            )
        data = {
            "fieldViolations": [
                {"field": v.field, "description": v.description, "reason": v.reason}
                for v in refused
            ]
        }
        return _response(
            self._responder.stand(400, None, request_of(request.scope), data=data, cause=error),
            request,
        )


def _response(answer: Answer, request: Request) -> Response:
    """Turns an answer into a response of Starlette."""
    head, body = messages_of(answer, request.scope.get("method", "GET"))
    response = Response(body["body"], head["status"])
    response.raw_headers = head["headers"]
    return response
