"""ASGI applications without a framework under ErrorMiddleware."""

import json
import logging
from typing import Any

import pytest

from errgrpc import ResCode, ServiceError
from errgrpc.http import Responder, decode
from errgrpc.http.asgi import ErrorMiddleware

HEADERS = [(b"accept-language", b"en"), (b"x-request-id", b"id-1"), (b"cookie", b"\xff")]


async def run(app: Any, method: str = "GET", kind: str = "http", form: Any = "both") -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guarded = ErrorMiddleware(app, Responder(ResCode, form=form))
    scope = {"type": kind, "method": method, "path": "/rooms", "headers": HEADERS}
    await guarded(scope, None, send)  # type: ignore[arg-type]
    return sent


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


async def fails_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


async def works(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_an_error_is_answered() -> None:
    start, body = await run(fails)
    assert (start["type"], start["status"], body["type"]) == (
        "http.response.start",
        404,
        "http.response.body",
    )
    headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert dict(headers)["content-length"] == str(len(body["body"]))
    error = decode(404, headers, body["body"], ResCode)
    assert (error.error_code, error.hint, error.request_id) == (
        ResCode.ROOM_NOT_EXIST,
        "The room does not exist",
        "id-1",
    )
    assert "cost" in json.loads(body["body"])


async def test_head_gets_no_body() -> None:
    start, body = await run(fails, "HEAD")
    assert body["body"] == b""
    assert int(dict(start["headers"])[b"content-length"]) > 0


async def test_what_works_is_left_alone() -> None:
    assert [message.get("status") for message in await run(works)] == [204, None]


async def test_once_begun_an_error_is_logged_once_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nested = ErrorMiddleware(fails_late, Responder(ResCode))
    with pytest.raises(ServiceError):
        await run(nested)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_other_scopes_are_left_alone(kind: str) -> None:
    with pytest.raises(ServiceError):
        await run(fails, kind=kind)


async def test_what_ends_the_process_goes_on() -> None:
    async def interrupted(scope: Any, receive: Any, send: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(interrupted)


async def test_a_failure_to_send_the_answer_does_not_show_the_error() -> None:
    async def send(message: Any) -> None:
        raise OSError("gone")

    async def secret(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("secret")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(OSError, match="gone") as caught:
        await ErrorMiddleware(secret, Responder(ResCode))(scope, None, send)  # type: ignore[arg-type]
    assert caught.value.__context__ is None
