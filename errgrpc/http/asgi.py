"""Answers what an ASGI application raises, whatever its framework: `ErrorMiddleware(app, Responder(ResCode))`."""

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

_STARTED = "errgrpc.http"  # of a scope's keys
_ASKED = {b"accept-language", b"grpcgateway-accept-language", b"x-request-id"}


@dataclass(slots=True)
class _Started:
    """What is kept of a request while it lasts."""

    at: float
    logged: bool = False
    """Whether its failure has been logged."""
    request_id: str | None = None
    """Its id, if it is tracked."""


class ErrorMiddleware:
    """Answers the exceptions of an ASGI application. Once the response has begun there is nothing left to answer: the error
    is logged and goes on to the server, which closes the connection. Websockets and lifespans are left alone.

    In an application of Starlette or FastAPI use `errgrpc.http.starlette.install`, which adds it.
    """

    def __init__(self, app: App, responder: Responder, *, track_context: bool = False) -> None:
        """With `track_context`, `errgrpc.current_call()` is the request in all that the application does."""
        self._app = app
        self._responder = responder
        self._tracks = track_context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application, guarded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # unless another of us is around this one
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
        except Exception as error:  # cancellation and the end of the process are the server's
            if begun is not None:
                if not started.logged:
                    started.logged = True
                    self._responder.lose(error, request_of(scope), begun)
                raise
            answer = self._responder.answer(error, request_of(scope))
        else:
            return
        # outside of `except`: no error of `send` has this one as context
        for message in messages_of(answer, scope["method"]):
            await send(message)


def request_of(scope: Scope) -> Request:
    """What is known of a request. Of headers only those that the answer depends on."""
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
    """Whether the failure of a request has been logged already."""
    started: _Started | None = scope.get(_STARTED)
    return started is not None and started.logged


def messages_of(answer: Answer, method: str) -> Iterator[Message]:
    """An answer as ASGI's messages; to HEAD only the headers, with the length that GET would get."""
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in answer.headers
    ]
    if answer.body:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    yield {"type": "http.response.start", "status": answer.status, "headers": headers}
    yield {"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body}
