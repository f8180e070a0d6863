"""What type checkers accept of errors over HTTP. Nothing of this runs."""

from typing import assert_type

import fastapi
import httpx
import httpx2
from starlette.applications import Starlette

from errgrpc import RemoteError, ResCode, ServiceError
from errgrpc.http import Answer, Request, Responder, data, decode, encode
from errgrpc.http.asgi import ErrorMiddleware
from errgrpc.http.httpx import araise_for_error, raise_for_error
from errgrpc.http.starlette import exception_handlers, install

app = fastapi.FastAPI(exception_handlers=exception_handlers(ResCode))
other = Starlette(exception_handlers=exception_handlers(ResCode, form="aip193"))
install(app, ResCode, form="both", translate={KeyError: ResCode.CONFLICT})
install(other, ResCode)
ErrorMiddleware(other, Responder(ResCode))

assert_type(
    Responder(ResCode).answer(KeyError(), Request("GET", "/", [("accept-language", "en")])), Answer
)
assert_type(decode(*encode(ServiceError(ResCode.CONFLICT)), ResCode), RemoteError)
data(decode(404, [], b""))


def hook(response: httpx.Response) -> None:
    raise_for_error(response, ResCode)


assert_type(raise_for_error(httpx.get("/"), ResCode), httpx.Response)
assert_type(raise_for_error(httpx2.get("/"), ResCode), httpx2.Response)
httpx.Client(event_hooks={"response": [hook]})


async def ask(client: httpx.AsyncClient) -> None:
    assert_type(await araise_for_error(await client.get("/"), ResCode), httpx.Response)
