"""A secret in an error stays in the process.

The tests look for it in all that an application sends, and in all log records.
"""

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import errgrpc
from errgrpc import ResCode
from errgrpc.http import Responder, decode
from errgrpc.http.asgi import ErrorMiddleware
from errgrpc.http.starlette import exception_handlers, install
from reliability import canary
from reliability.canary import SECRET

TRANSLATE: dict[type, Any] = {
    canary.Translated: ResCode.CONFLICT,
    canary.MisTranslated: lambda error: f"{error} is no ServiceError",
}
# Acts on grpc's context have no equivalent over HTTP, and acts that end the process belong to the
# server.
GRPC = ("status set before", "trailers and text", "trailers", "abort", "exit", "interrupt")
UNFORESEEN = {name: act for name, act in canary.UNFORESEEN.items() if name not in GRPC}
CODED = {name: act for name, act in canary.CODED.items() if name not in GRPC}


def upstream(_: Any) -> None:
    raise decode(404, [("x-request-id", "id-of-a"), ("x-of-a", SECRET)], FORGED, ResCode)


FORGED = b"""{"code": 1004, "msg": "%(s)s", "ts": 1, "requestId": "id-of-a", "data": {"a": "%(s)s"},
  "error": {"message": "%(s)s", "status": "NOT_FOUND",
  "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ROOM_NOT_EXIST",
  "domain": "errgrpc.v1.ResCode", "metadata": {"code": "1004", "key": "%(s)s"}}]}}""" % {
    b"s": SECRET.encode()
}


def starlette(act: Any, form: Any, way: str) -> Any:
    async def fail(request: Request) -> Response:
        act(None)
        raise AssertionError

    app = Starlette(routes=[Route("/", fail)])
    if way == "install":
        install(app, ResCode, form=form, translate=TRANSLATE)
    else:
        for kind, handler in exception_handlers(ResCode, form=form, translate=TRANSLATE).items():
            app.add_exception_handler(kind, handler)
    return app


def bare(act: Any, form: Any, _: str) -> Any:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        act(None)

    return ErrorMiddleware(fail, Responder(ResCode, form=form, translate=TRANSLATE))


MADE = {"install": starlette, "handlers": starlette, "asgi": bare}


def sent(app: Any) -> list[Any]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    # with `exception_handlers` alone, Starlette raises unhandled exceptions on to the server
    with contextlib.suppress(Exception):
        asyncio.run(app(scope, None, send))
    return messages


def telling(records: list[logging.LogRecord]) -> list[logging.LogRecord]:
    formatter = logging.Formatter("%(message)s")
    return [
        record for record in records if SECRET in formatter.format(record) + repr(beside(record))
    ]


def beside(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: value for key, value in vars(record).items() if key not in ("exc_info", "exc_text")
    }


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
@pytest.mark.parametrize("way", MADE)
def test_an_unforeseen_error_leaves_a_traceback_and_nothing_else(
    way: str, form: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, act in {**UNFORESEEN, "upstream": upstream}.items():
        caplog.clear()
        start, body = sent(MADE[way](act, form, way))
        assert start["status"] == 500, name
        assert SECRET.encode() not in repr((start, body)).encode() + body["body"], name
        error = decode(
            500,
            [(key.decode(), value.decode()) for key, value in start["headers"]],
            body["body"],
            ResCode,
        )
        assert error.error_code is ResCode.INTERNAL_SERVER_ERROR, name
        assert (error.request_id == "id-of-a") == (name == "upstream"), name
        found = telling(caplog.records)
        assert len(found) <= 1, name
        for record in found:
            assert (record.name, record.exc_info is not None) == ("errgrpc", True)
            assert SECRET not in repr(beside(record)) + record.getMessage()


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
@pytest.mark.parametrize("way", MADE)
def test_a_coded_error_leaves_nothing(
    way: str, form: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, act in CODED.items():
        start, body = sent(MADE[way](act, form, way))
        assert start["status"] == 409, name
        assert SECRET not in repr((start, body)), name
    assert telling(caplog.records) == []


def test_the_search_finds_what_bare_starlette_tells() -> None:
    async def fail(request: Request) -> Response:
        raise ValueError(SECRET)

    assert SECRET in repr(sent(Starlette(debug=True, routes=[Route("/", fail)])))


def test_what_is_passed_on_by_name_arrives() -> None:
    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        upstream(None)

    passing = Responder(
        ResCode, translate={errgrpc.remote(ResCode): errgrpc.ServiceError.from_remote}
    )
    start, body = sent(ErrorMiddleware(gateway, passing))
    assert start["status"] == 404
    assert SECRET.encode() in body["body"]
    assert b"x-of-a" not in dict(start["headers"])
