"""Answers the exceptions of an ASGI application: `ErrorMiddleware(app, Responder(ResCode))`."""

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from errgrpc.context import begin, current_call, end
from errgrpc.http.bodies import REQUEST_ID, Answer, Request
from errgrpc.http.responder import Responder, method_of

__all__ = ["ErrorMiddleware", "messages_of", "request_of", "was_logged"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTED = "errgrpc.http"  # a key of the scope
_ASKED = {b"accept-language", b"grpcgateway-accept-language", b"x-request-id"}


@dataclass(slots=True)
class _Started:
    """The state of one request."""

    at: float
    logged: bool = False
    """Whether its failure has been logged."""
    request_id: str | None = None
    """The id of the request, if `track_context` is on."""


class ErrorMiddleware:
    """Answers the exceptions of an ASGI application.

    If the response has already begun, the middleware logs the exception and raises it again. The
    server then closes the connection. Websockets and lifespans are not changed.

    For Starlette or FastAPI, use `errgrpc.http.starlette.install`, which adds this middleware.

    Args:
        app: The ASGI application.
        responder: The Responder that makes the answers.
        track_context: Whether `errgrpc.current_call()` returns the request in all code that the
            application runs.
    """

    def __init__(self, app: App, responder: Responder, *, track_context: bool = False) -> None:
        self._app = app
        self._responder = responder
        self._tracks = track_context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application and answers its exceptions."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # An ErrorMiddleware around this one may have set it.
        started: _Started = scope.setdefault(_STARTED, _Started(time.monotonic()))
        if not self._tracks or started.request_id is not None:
            await self._run(started, scope, receive, send)
            return
        token = begin(
            method_of(request_of(scope)),
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        )
        call = current_call()
        started.request_id = None if call is None else call.request_id
        try:
            await self._run(started, scope, receive, send)
        finally:
            end(token)

    async def _run(self, started: _Started, scope: Scope, receive: Receive, send: Send) -> None:
        begun: int | None = None  # the status of the response

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # the server handles cancellation and the end of the process
            if begun is not None:
                if not started.logged:
                    started.logged = True
                    self._responder.lose(error, request_of(scope), begun)
                raise
            answer = self._responder.answer(error, request_of(scope))
        else:
            return
        # Outside of `except`: an error that `send` raises does not have this error as its context.
        for message in messages_of(answer, scope["method"]):
            await send(message)


def request_of(scope: Scope) -> Request:
    """Returns the request of a scope, with only the headers that the answer depends on."""
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name in _ASKED
    ]
    started: _Started | None = scope.get(_STARTED)
    if started is not None and started.request_id is not None:
        headers = [
            (REQUEST_ID, started.request_id),
            *(header for header in headers if header[0] != REQUEST_ID),
        ]
    return Request(
        scope.get("method", "GET"), scope["path"], headers, None if started is None else started.at
    )


def was_logged(scope: Scope) -> bool:
    """Returns whether the failure of a request has been logged already."""
    started: _Started | None = scope.get(_STARTED)
    return started is not None and started.logged


def messages_of(answer: Answer, method: str) -> Iterator[Message]:
    """Yields an answer as ASGI messages.

    The answer to HEAD has no body, but the `content-length` of the answer to GET.
    """
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in answer.headers
    ]
    if answer.body:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    yield {"type": "http.response.start", "status": answer.status, "headers": headers}
    yield {"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body}
