"""Applications of Starlette and FastAPI, over HTTP's own messages and under a real server."""

import asyncio
import inspect
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import fastapi
import httpx
import jsonschema
import pytest
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

import errgrpc
from errgrpc import ErrorCode, ResCode, ServiceError, Spec
from errgrpc.http import data, decode
from errgrpc.http.starlette import exception_handlers, install

ROOM = {"roomUuid": "r-42", "roomName": "数学"}


class StaleRead(Exception):
    pass


class Payment(HTTPException):
    def __init__(self) -> None:
        super().__init__(402, "Pay", {"x-price": "5"})


RAISED: dict[str, Callable[[], Exception]] = {
    "coded": lambda: ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42"),
    "room": lambda: ServiceError(
        ResCode.CONFLICT, details=[json_format.ParseDict(ROOM, struct_pb2.Struct())]
    ),
    "unchanged": lambda: ServiceError(ResCode.NOT_MODIFIED),
    "translated": StaleRead,
    "group": lambda: ExceptionGroup("", [StaleRead()]),
    "unforeseen": lambda: KeyError("secret"),
    "remote": lambda: errgrpc.decode(
        errgrpc.encode(ServiceError(ResCode.ROOM_NOT_EXIST, "secret")), ResCode
    ),
    "stands": Payment,
    "gone": ClientDisconnect,
}
EXPECTED = {
    "coded": (404, 1004, "Room Not Found"),
    "room": (409, 409, "Target Already Exists"),
    "translated": (409, 409, "Target Already Exists"),
    "group": (409, 409, "Target Already Exists"),
    "unforeseen": (500, 500, "Internal Server Error"),
    "remote": (500, 500, "Internal Server Error"),
    "stands": (402, 402, "Pay"),
    "gone": (500, 500, "Internal Server Error"),
}
TRANSLATE = {StaleRead: ResCode.CONFLICT}


async def failing(request: Request) -> Response:
    raise RAISED[request.path_params["what"]]()


async def streaming(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun\n"
        raise RAISED[request.path_params["what"]]()

    return StreamingResponse(parts(), media_type="text/plain")


async def talking(websocket: WebSocket) -> None:
    raise RAISED[websocket.path_params["what"]]()


def starlette_app(**more: Any) -> Starlette:
    # a separate application, which answers by itself
    inner = Starlette(routes=[Route("/{what}", failing)])
    install(inner, ResCode, form="both")
    routes = [
        *(Route("/stream/{what}", streaming), WebSocketRoute("/talk/{what}", talking)),
        *(
            Mount("/inner", inner),
            Route("/fine", PlainTextResponse("fine")),
            Route("/{what}", failing, methods=["GET", "PUT"]),
        ),
    ]
    return Starlette(routes=routes, **more)


def fastapi_app(**more: Any) -> fastapi.FastAPI:
    app = fastapi.FastAPI(**more)
    app.add_api_route("/{what}", failing, methods=["GET", "HEAD", "PUT"])
    return app


def installed(make: Callable[..., Starlette]) -> Starlette:
    app = make()
    install(app, ResCode, translate=TRANSLATE)
    return app


def with_handlers(make: Callable[..., Starlette]) -> Starlette:
    return make(exception_handlers=exception_handlers(ResCode, translate=TRANSLATE))


def added(make: Callable[..., Starlette]) -> Starlette:
    app = make()
    for kind, handler in exception_handlers(ResCode, translate=TRANSLATE).items():
        app.add_exception_handler(kind, handler)
    return app


async def ask(
    app: Any, path: str, method: str = "GET", *, raises: bool = True, **more: Any
) -> httpx.Response:
    """Calls an application; with `raises`, also raises what it raises to the server."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **more)


@pytest.mark.parametrize("what", EXPECTED)
@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
@pytest.mark.parametrize("way", [installed, with_handlers, added])
async def test_each_way_into_each_framework(
    way: Any, make: Any, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    masked = what in ("unforeseen", "remote")
    response = await ask(
        way(make),
        f"/{what}",
        raises=way is installed or not masked,
        headers={"x-request-id": "id-1"},
    )
    status, number, message = EXPECTED[what]
    body = response.json()
    assert (response.status_code, body["code"], body["msg"], body["requestId"]) == (
        status,
        number,
        message,
        "id-1",
    )
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert ("cost" in body) == (way is installed)
    assert "secret" not in response.text + str(response.headers)
    assert body.get("data") == (ROOM if what == "room" else None)
    assert len(caplog.records) == masked


async def test_a_304_has_neither_body_nor_type() -> None:
    response = await ask(installed(starlette_app), "/unchanged")
    assert (response.status_code, response.content) == (304, b"")
    assert "content-type" not in response.headers
    error = decode(304, response.headers.items(), response.content, ResCode)
    assert (error.error_code, error.inferred) == (ResCode.NOT_MODIFIED, True)


async def test_the_frameworks_own_failures_stand() -> None:
    app = installed(starlette_app)
    missing, wrong_method = await ask(app, "/no/such/path"), await ask(app, "/coded", "DELETE")
    assert (missing.status_code, missing.json()["code"], missing.json()["msg"]) == (
        404,
        404,
        "Not Found",
    )
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, 405)
    assert set(wrong_method.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT"}
    assert (await ask(app, "/stands")).headers["x-price"] == "5"


async def test_aip193_in_the_language_asked_for() -> None:
    app = starlette_app()
    install(app, ResCode, form="aip193")
    response = await ask(app, "/coded", headers={"accept-language": "fr, en;q=0.5"})
    assert (response.headers["content-language"], response.headers["vary"]) == (
        "en-US",
        "Accept-Language",
    )
    error = decode(404, response.headers.items(), response.content, ResCode)
    assert (error.hint, error.metadata) == ("The room does not exist", {"room_uuid": "r-42"})


async def test_a_mounted_application_answers_as_it_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = installed(starlette_app)
    assert (await ask(app, "/inner/coded")).json()["error"]["status"] == "NOT_FOUND"
    assert caplog.records == []
    assert (await ask(app, "/inner/unforeseen")).json()["error"]["status"] == "INTERNAL"
    assert len(caplog.records) == 1


class Seat(BaseModel):
    number: int = Field(gt=0)
    password: SecretStr = Field(min_length=8)


class Room(BaseModel):
    name: str
    seats: list[Seat]


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
async def test_a_request_that_fastapi_refuses(form: Any) -> None:
    app = fastapi.FastAPI()

    @app.post("/rooms/{number}")
    async def create(number: int, room: Room) -> None:
        raise AssertionError

    install(app, ResCode, form=form)
    sent = {"seats": [{"number": 0, "password": "s3cr3t"}]}
    response = await ask(app, "/rooms/x", "POST", json=sent)
    assert response.status_code == 400
    assert "s3cr3t" not in response.text
    error = decode(400, response.headers.items(), response.content, ResCode)
    assert (error.error_code, error.inferred) == (ResCode.BAD_REQUEST, False)
    violations = data(error)["fieldViolations"]
    assert [(violation["field"], violation["reason"]) for violation in violations] == [
        ("path.number", "INT_PARSING"),
        ("body.name", "MISSING"),
        ("body.seats[0].number", "GREATER_THAN"),
        ("body.seats[0].password", "TOO_SHORT"),
    ]
    assert all(violation["description"] for violation in violations)
    assert (error.detail(rpc.BadRequest) is not None) == (form != "envelope")
    no_json = await ask(
        app, "/rooms/1", "POST", content=b"{", headers={"content-type": "application/json"}
    )
    assert (no_json.status_code, "JSON_INVALID" in no_json.text) == (400, True)


class Small(ErrorCode, domain="small.example.com", fallback="BROKEN"):
    BROKEN = 1, Spec(StatusCode.INTERNAL)


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
@pytest.mark.parametrize("catalogue", [ResCode, Small])
@pytest.mark.parametrize("twice", [True, False])
async def test_the_openapi_schema_shows_the_answer_to_a_refused_request(
    form: Any, catalogue: Any, twice: bool
) -> None:
    app = fastapi.FastAPI()

    @app.post("/rooms/{number}")
    async def create(number: int, room: Room) -> None:
        raise AssertionError

    @app.get("/fine")
    async def fine() -> str:
        return "fine"

    before = app.openapi() if twice else None
    install(app, catalogue, form=form)
    shown = (await ask(app, "/openapi.json")).json()
    assert shown == app.openapi() == app.openapi()
    assert before is None or before is app.openapi()
    assert set(shown["paths"]["/fine"]["get"]["responses"]) == {"200"}
    responses = shown["paths"]["/rooms/{number}"]["post"]["responses"]
    assert set(responses) == {"200", "400"}
    assert responses["400"]["description"] == "Bad Request"
    assert set(shown["components"]["schemas"]) == {"Room", "Seat", "ErrgrpcError"}
    refused: list[Any] = [{"seats": []}, "x"]
    for sent in refused:
        response = await ask(app, "/rooms/x", "POST", json=sent)
        assert response.status_code == 400
        schema = responses["400"]["content"][response.headers["content-type"].partition(";")[0]][
            "schema"
        ]
        jsonschema.validate(response.json(), {**schema, "components": shown["components"]})
        assert set(response.json()) == set(
            shown["components"]["schemas"]["ErrgrpcError"]["properties"]
        )


async def test_the_openapi_schema_keeps_what_an_operation_declares() -> None:
    app = fastapi.FastAPI()

    @app.get("/both", responses={400: {"description": "Mine"}})
    async def both(page: int) -> None:
        raise AssertionError

    @app.get("/own", responses={422: {"description": "Mine, too"}})
    async def own(page: int) -> None:
        raise AssertionError

    @app.get(
        "/theirs",
        responses={
            499: {
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/HTTPValidationError"}
                    }
                }
            }
        },
    )
    async def theirs(page: int) -> None:
        raise AssertionError

    install(app, ResCode)
    shown = app.openapi()
    assert {
        path: {
            status: told["description"]
            for status, told in shown["paths"][path]["get"]["responses"].items()
        }
        for path in shown["paths"]
    } == {
        "/both": {"200": "Successful Response", "400": "Mine"},
        "/own": {"200": "Successful Response", "422": "Mine, too"},
        "/theirs": {
            "200": "Successful Response",
            "499": "Additional Response",
            "400": "Bad Request",
        },
    }
    assert {"HTTPValidationError", "ValidationError"} <= set(shown["components"]["schemas"])


def test_the_openapi_schema_may_be_anything() -> None:
    app = fastapi.FastAPI()

    class ErrgrpcError(BaseModel):
        mine: str

    @app.post("/x/{number}")
    async def post(number: int) -> ErrgrpcError:
        raise AssertionError

    theirs = app.openapi

    def custom() -> dict[str, Any]:
        schema = theirs()
        path = schema["paths"]["/x/{number}"]
        path["x-meta"] = {"responses": ["a"]}
        path["x-none"] = {"responses": None}
        schema["paths"] |= {"/v2/{number}": path, "x-text": "hello"}
        return schema

    app.openapi = custom  # type: ignore[method-assign]
    install(app, ResCode)
    shown = app.openapi()
    assert shown == app.openapi()
    assert set(shown["components"]["schemas"]) == {"ErrgrpcError", "ErrgrpcError2"}
    assert shown["components"]["schemas"]["ErrgrpcError"]["properties"].keys() == {"mine"}
    for path in ("/x/{number}", "/v2/{number}"):
        schema = shown["paths"][path]["post"]["responses"]["400"]["content"]["application/json"][
            "schema"
        ]
        assert schema == {"$ref": "#/components/schemas/ErrgrpcError2"}


def test_the_openapi_schema_keeps_a_refusal_that_is_the_teams_own() -> None:
    class HTTPValidationError(BaseModel):
        business: str

    app = fastapi.FastAPI()

    @app.get("/x", responses={422: {"model": HTTPValidationError}})
    async def get(page: int) -> None:
        raise AssertionError

    translated = fastapi.FastAPI()

    @translated.get("/x")
    async def also_get(page: int) -> None:
        raise AssertionError

    install(app, ResCode)
    install(translated, ResCode, translate={RequestValidationError: ResCode.CONFLICT})
    for each in (app, translated):
        assert "422" in each.openapi()["paths"]["/x"]["get"]["responses"]


class Sole(ErrorCode, domain="sole.example.com", fallback="BROKEN"):
    BROKEN = 1, Spec(StatusCode.INTERNAL, http_status=500)
    NO_PAGE = (
        2,
        Spec(
            StatusCode.NOT_FOUND,
            message="No such page",
            http_status=404,
            hints={"en": "This page does not exist"},
        ),
    )
    NO_METHOD = 3, Spec(StatusCode.UNIMPLEMENTED, message="Not that way", http_status=405)
    GONE = 4, Spec(StatusCode.NOT_FOUND, http_status=410)
    LOST = 5, Spec(StatusCode.NOT_FOUND, http_status=410)


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
async def test_http_errors_with_the_code_that_alone_declares_the_status(
    make: Any, form: Any
) -> None:
    heard: list[errgrpc.Answered] = []
    app = make()
    app.router.routes.append(Route("/raise/{what:path}", raising_http))
    install(app, Sole, form=form, http_errors="code", on_answer=heard.append)

    async def read(path: str, method: str = "GET") -> tuple[httpx.Response, errgrpc.RemoteError]:
        response = await ask(app, path, method)
        return response, decode(response.status_code, response.headers, response.content, Sole)

    response, error = await read("/un/known")
    assert (type(error), error.details(), error.hint) == (
        errgrpc.remote(Sole.NO_PAGE),
        "No such page",
        "This page does not exist",
    )
    assert (heard[-1].outcome, heard[-1].code, heard[-1].status) == (
        "translated",
        Sole.NO_PAGE,
        404,
    )
    assert isinstance(heard[-1].error, HTTPException)
    response, error = await read("/fine-not", "DELETE")
    assert (response.status_code, type(error), error.details()) == (
        405,
        errgrpc.remote(Sole.NO_METHOD),
        "Not that way",
    )
    assert set(response.headers["allow"].replace(" ", "").split(",")) >= {"GET", "PUT"}
    response, error = await read("/raise/text")
    assert (type(error), error.details(), response.headers["x-own"]) == (
        errgrpc.remote(Sole.NO_PAGE),
        "Mine",
        "1",
    )
    response, error = await read("/raise/data")
    assert (type(error), error.details(), data(error)) == (
        errgrpc.remote(Sole.NO_PAGE),
        "No such page",
        {"id": 2**60 + 1},
    )
    response, error = await read("/raise/gone")
    assert (response.status_code, error.error_code, heard[-1].outcome, heard[-1].code) == (
        410,
        None,
        "aborted",
        None,
    )


async def raising_http(request: Request) -> Response:
    raised = {
        "text": (404, "Mine", {"x-own": "1"}),
        "data": (404, {"id": 2**60 + 1}),
        "gone": (410, "Mine"),
    }
    raise HTTPException(*raised[request.path_params["what"]])  # type: ignore[arg-type]


def test_unknown_http_errors_are_refused() -> None:
    wrong: Any = "codes"
    for way in (
        lambda: install(Starlette(), ResCode, http_errors=wrong),
        lambda: exception_handlers(ResCode, http_errors=wrong),
    ):
        with pytest.raises(ValueError, match="http_errors is 'codes': give 'status' or 'code'"):
            way()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


@pytest.mark.parametrize("name", ["\\ud800", "n" * 100_000])
async def test_a_client_cannot_break_or_swell_a_refusal(name: str) -> None:
    app = fastapi.FastAPI()

    @app.post("/")
    async def post(strict: Strict) -> None:
        raise AssertionError

    install(app, ResCode)
    response = await ask(
        app, "/", "POST", content=f'{{"{name}": 1}}', headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (400, 400)
    assert len(response.content) < 1_000


async def test_a_catalogue_without_a_code_for_it_refuses_without_one() -> None:
    app = fastapi.FastAPI()

    @app.get("/")
    async def get(page: int) -> None:
        raise AssertionError

    install(app, Small, form="both")
    body = (await ask(app, "/?page=x")).json()
    assert (body["code"], body["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert body["data"]["fieldViolations"][0]["field"] == "query.page"


async def test_translate_comes_before_what_stands() -> None:
    app = starlette_app()
    install(
        app, ResCode, translate={Payment: ResCode.FORBIDDEN, Exception: ResCode.SERVICE_UNAVAILABLE}
    )
    assert (await ask(app, "/stands")).json()["code"] == 403
    assert (await ask(app, "/unforeseen")).json()["code"] == 503
    assert (await ask(app, "/no/such/path")).json()["code"] == 404


async def test_fastapis_detail_may_be_any_json() -> None:
    app = fastapi.FastAPI()

    @app.get("/")
    async def get() -> None:
        raise fastapi.HTTPException(409, {"version": 3})

    install(app, ResCode)
    body = (await ask(app, "/")).json()
    assert (body["code"], body["msg"], body["data"]) == (409, "Conflict", {"version": 3})


class Refusing:
    """A middleware that itself raises."""

    def __init__(self, app: Any, error: Callable[[], Exception]) -> None:
        self.error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise self.error()


@pytest.mark.parametrize("what", ["coded", "translated", "unforeseen"])
async def test_what_middleware_raises_is_answered(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = starlette_app()
    app.add_middleware(Refusing, error=RAISED[what])
    install(app, ResCode, translate=TRANSLATE)
    response = await ask(app, "/fine")
    assert (response.status_code, response.json()["code"]) == EXPECTED[what][:2]
    assert len(caplog.records) == (what == "unforeseen")
    # Middleware that is added later is outside of ours. Its error is answered all the same, and
    # then raised to the server.
    later = starlette_app()
    install(later, ResCode, translate=TRANSLATE)
    later.add_middleware(Refusing, error=RAISED[what])
    assert (await ask(later, "/fine", raises=False)).json()["code"] == EXPECTED[what][1]


@pytest.mark.parametrize("what", ["coded", "unforeseen"])
@pytest.mark.parametrize("first", [True, False])
async def test_what_middleware_sets_is_set_on_errors(what: str, first: bool) -> None:
    """Without CORS headers, a browser hides the answer from the page."""
    app = starlette_app()
    for step in (0, 1):
        if step == first:
            install(app, ResCode)
        else:
            app.add_middleware(CORSMiddleware, allow_origins=["*"])
    response = await ask(app, f"/{what}", headers={"origin": "http://other"})
    assert response.headers["access-control-allow-origin"] == "*"


def test_head_gets_the_headers_alone(serve: Callable[[Any], str]) -> None:
    base = serve(installed(starlette_app))
    got, head = httpx.get(f"{base}/coded"), httpx.head(f"{base}/coded")
    assert (head.status_code, head.content) == (404, b"")
    assert head.headers.keys() == got.headers.keys()
    assert int(head.headers["content-length"]) > 0
    assert len(got.content) == int(got.headers["content-length"])


def test_head_has_no_body_whatever_the_server() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/coded", "headers": [], "query_string": b""}
    asyncio.run(installed(starlette_app)(scope, None, send))  # type: ignore[arg-type]
    assert (sent[0]["status"], sent[1]["body"]) == (404, b"")


@pytest.mark.parametrize("what", ["coded", "unforeseen"])
@pytest.mark.parametrize("way", [installed, with_handlers])
def test_a_stream_that_has_begun_breaks_and_is_logged_once(
    way: Any, what: str, serve: Callable[[Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    base = serve(way(starlette_app))
    with httpx.Client(base_url=base) as client:
        with client.stream("GET", f"/stream/{what}") as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                b"".join(response.iter_bytes())
        assert client.get("/fine").text == "fine"
    assert len([record for record in caplog.records if record.name == "errgrpc"]) == 1


@pytest.mark.parametrize("what", ["coded", "unforeseen", "translated"])
@pytest.mark.parametrize("way", [installed, with_handlers])
async def test_websockets_are_left_alone(
    way: Any, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scope = {
        "type": "websocket",
        "path": f"/talk/{what}",
        "headers": [],
        "query_string": b"",
        "subprotocols": [],
    }
    with pytest.raises(type(RAISED[what]())):
        await way(starlette_app)(scope, None, None)
    assert caplog.records == []


async def test_what_refuses_a_websocket_refuses_it() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = {
        "type": "websocket",
        "path": "/talk/stands",
        "headers": [],
        "query_string": b"",
        "extensions": extensions,
    }
    await installed(starlette_app)(scope, None, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == 402


async def test_lifespans_are_left_alone() -> None:
    ran: list[str] = []

    async def lifespan(_: Any) -> AsyncIterator[None]:
        ran.append("up")
        yield
        ran.append("down")

    app = starlette_app(lifespan=asynccontextmanager(lifespan))
    install(app, ResCode)
    messages: Iterator[Any] = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None:
        pass

    await app({"type": "lifespan"}, receive, send)
    assert ran == ["up", "down"]


async def test_cancellation_is_the_servers() -> None:
    async def cancelled(request: Request) -> Response:
        raise asyncio.CancelledError

    app = Starlette(routes=[Route("/", cancelled)])
    install(app, ResCode)
    with pytest.raises(asyncio.CancelledError):
        await ask(app, "/")


def test_the_body_is_what_the_reader_reads(serve: Callable[[Any], str]) -> None:
    response = httpx.get(f"{serve(installed(fastapi_app))}/room")
    assert json.loads(response.content)["data"] == ROOM
    error = decode(response.status_code, response.headers.multi_items(), response.content, ResCode)
    assert (error.error_code, data(error)) == (ResCode.CONFLICT, ROOM)


def test_starlette_alone_is_enough() -> None:
    code = """
        import sys
        sys.modules["fastapi"] = sys.modules["fastapi.exceptions"] = None
        from errgrpc import ResCode
        from errgrpc.http.starlette import exception_handlers, install
        from starlette.applications import Starlette
        install(Starlette(), ResCode)
        print(*sorted(kind.__name__ for kind in exception_handlers(ResCode)))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", inspect.cleandoc(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "ClientDisconnect Exception ExceptionGroup HTTPException ServiceError\n"


# Calls of the hooks.


def hearing_app(heard: list[errgrpc.Answered]) -> fastapi.FastAPI:
    app = fastapi_app()

    class Room(BaseModel):
        seats: int

    def make_room(room: Room) -> int:
        return room.seats

    async def late() -> None:
        raise StaleRead("late")

    def with_a_task() -> Response:
        return PlainTextResponse("sent", background=BackgroundTask(late))

    def broken_task(tasks: fastapi.BackgroundTasks) -> str:
        tasks.add_task(late)
        return "sent"

    app.add_api_route("/rooms/new", make_room, methods=["POST"])
    app.add_api_route("/task/own", with_a_task)
    app.add_api_route("/task/fastapi", broken_task)
    app.router.routes.append(Route("/stream/{what}", streaming))
    # without `install`, it answers by itself and raises
    app.mount("/inner", Starlette(routes=[Route("/{what}", failing)]))
    install(app, ResCode, translate=TRANSLATE, on_answer=heard.append)
    return app


@pytest.mark.parametrize(
    ("method", "path", "code", "status", "outcome"),
    [
        ("GET", "/coded", ResCode.ROOM_NOT_EXIST, 404, "coded"),
        ("GET", "/translated", ResCode.CONFLICT, 409, "translated"),
        ("GET", "/unforeseen", ResCode.INTERNAL_SERVER_ERROR, 500, "unhandled"),
        ("GET", "/stands", None, 402, "aborted"),
        ("GET", "/no/such/path", None, 404, "aborted"),
        ("POST", "/rooms/new", ResCode.BAD_REQUEST, 400, "translated"),
        ("GET", "/gone", ResCode.INTERNAL_SERVER_ERROR, 500, "undelivered"),
        ("GET", "/stream/coded", None, 200, "undelivered"),
        ("GET", "/task/own", None, 200, "undelivered"),
        ("GET", "/task/fastapi", None, 200, "undelivered"),
        ("GET", "/inner/unforeseen", None, 500, "undelivered"),
    ],
)
async def test_all_that_is_answered_is_heard_once_and_recorded_truly(
    method: str, path: str, code: Any, status: int, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "errgrpc")
    heard: list[errgrpc.Answered] = []
    sent: Any = {"json": {"seats": "many"}} if method == "POST" else {}
    headers = {"x-request-id": "id-1"}
    begun = outcome == "undelivered" and code is None
    response = await ask(hearing_app(heard), path, method, raises=False, headers=headers, **sent)
    (answered,) = heard
    assert (answered.method, answered.code, answered.status, answered.outcome) == (
        f"{method} {path}",
        code,
        status,
        outcome,
    )
    assert answered.request_id == (None if begun else "id-1")
    assert answered.error is not None
    if not begun:
        assert response.status_code == status
    texts = [record.getMessage() for record in caplog.records if record.name == "errgrpc"]
    if begun:
        assert texts == [f"'{method} {path}' failed after its response had begun with {status}"]
    elif outcome == "undelivered":
        assert texts == [f"'{method} {path}' could not be answered, request id id-1"]
    elif outcome == "unhandled":
        assert texts == [
            f"'{method} {path}' answers ResCode.INTERNAL_SERVER_ERROR, request id id-1"
        ]
    else:
        assert texts == []


async def test_what_a_hook_does_goes_no_further_over_http(caplog: pytest.LogCaptureFixture) -> None:
    def hook(_: errgrpc.Answered) -> None:
        raise SystemExit

    app = fastapi_app()
    install(app, ResCode, on_answer=hook)
    assert (await ask(app, "/coded")).status_code == 404
    assert [record.getMessage() for record in caplog.records if record.name == "errgrpc"] == [
        "on_answer failed for 'GET /coded'"
    ]


async def test_a_refusal_quotes_nothing_that_was_given() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]
        age: int = Field(gt=0)

    class Pet(BaseModel):
        pet: Annotated[Cat | Dog, Field(discriminator="kind")]
        name: Annotated[str, AfterValidator(refuse)]

    def make(pet: Pet) -> None: ...

    app = fastapi.FastAPI()
    app.add_api_route("/pets", make, methods=["POST"])
    install(app, ResCode, form="aip193")
    said: dict[str, str] = {}
    for body in (
        {"pet": {"kind": "canary"}, "name": "canary"},
        {"pet": {"kind": "dog", "age": -5}, "name": "x"},
        {"pet": 5, "name": 5},
    ):
        response = await ask(app, "/pets", "POST", json=body)
        assert "canary" not in response.text
        details = response.json()["error"]["details"]
        violations = next(
            detail["fieldViolations"] for detail in details if "fieldViolations" in detail
        )
        said |= {violation["reason"]: violation["description"] for violation in violations}
    assert said["GREATER_THAN"] == "Input should be greater than 0"
    assert said["STRING_TYPE"] == "Input should be a valid string"
    assert (
        said["UNION_TAG_INVALID"]
        == "Input tag '…' found using 'kind' does not match any of the expected tags: 'cat', 'dog'"
    )
    assert said["VALUE_ERROR"] == "Value error"


def refuse(value: str) -> str:
    raise ValueError(f"{value} is refused")
