"""The reader of responses of httpx and httpx2, which have the same classes."""

import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest

from errgrpc import RemoteError, ResCode, ServiceError, remote
from errgrpc.http import data, encode
from errgrpc.http.httpx import araise_for_error, raise_for_error
from errgrpc.http.reading import MAX_BODY_BYTES

MISSING = encode(ServiceError(ResCode.ROOM_NOT_EXIST))


@pytest.fixture(params=[httpx, httpx2], ids=lambda module: module.__name__)
def http(request: pytest.FixtureRequest) -> Any:
    return request.param


def client(http: Any, status: int, answered: Any = (), content: Any = b"", **more: Any) -> Any:
    transport = http.MockTransport(
        lambda _: http.Response(status, headers=list(answered), content=content)
    )
    return http.Client(transport=transport, base_url="http://test", **more)


def async_client(
    http: Any, status: int, answered: Any = (), content: Any = b"", **more: Any
) -> Any:
    transport = http.MockTransport(
        lambda _: http.Response(status, headers=list(answered), content=content)
    )
    return http.AsyncClient(transport=transport, base_url="http://test", **more)


@pytest.mark.parametrize("language", ["zh-CN", "en", None])
def test_a_typed_error(http: Any, language: str | None) -> None:
    asked = {} if language is None else {"accept-language": language}
    with (
        client(http, *MISSING, headers=asked) as found,
        pytest.raises(remote(ResCode.ROOM_NOT_EXIST)) as caught,
    ):
        raise_for_error(found.get("/rooms/r-42"), ResCode)
    assert caught.value.hint == ("The room does not exist" if language == "en" else "房间不存在")
    assert caught.value.request_id == dict(MISSING.headers)["x-request-id"]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_is_no_error(http: Any, status: int) -> None:
    with client(http, status, content=MISSING.body) as found:
        response = found.get("/")
        assert raise_for_error(response, ResCode) is response
    # a streamed success is not read
    with (
        client(http, status, content=iter([MISSING.body])) as found,
        found.stream("GET", "/") as stream,
    ):
        assert raise_for_error(stream, ResCode) is stream
        assert not stream.is_stream_consumed


def test_a_redirect_is_followed_but_304_is_an_error(http: Any) -> None:
    def answer(request: Any) -> Any:
        return (
            http.Response(302, headers={"location": "/b"})
            if request.url.path == "/a"
            else http.Response(304)
        )

    hooks = {"response": [lambda response: raise_for_error(response, ResCode)]}
    transport = http.MockTransport(answer)
    with (
        http.Client(
            transport=transport, base_url="http://test", follow_redirects=True, event_hooks=hooks
        ) as found,
        pytest.raises(RemoteError) as caught,
    ):
        found.get("/a")
    assert (caught.value.error_code, caught.value.inferred) == (ResCode.NOT_MODIFIED, True)


def test_the_existing_room(http: Any) -> None:
    body = {
        "code": 409,
        "msg": "Target Already Exists",
        "data": {"roomUuid": "r-42"},
        "ts": 1,
        "requestId": "r",
        "cost": "1ms",
    }
    with client(http, 409, content=json.dumps(body)) as found:
        try:
            raise_for_error(found.put("/rooms/r-42"), ResCode)
        except remote(ResCode.CONFLICT) as error:
            assert data(error) == {"roomUuid": "r-42"}
        else:
            pytest.fail("no error")


async def test_a_hook_of_each_client(http: Any) -> None:
    hook = {"response": [lambda response: raise_for_error(response, ResCode)]}
    with (
        client(http, *MISSING, event_hooks=hook) as found,
        pytest.raises(remote(ResCode.ROOM_NOT_EXIST)),
    ):
        found.get("/")
    hooks = {"response": [lambda response: araise_for_error(response, ResCode)]}
    async with async_client(http, *MISSING, event_hooks=hooks) as found:
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await found.get("/")


async def test_the_asyncio_client(http: Any) -> None:
    async with async_client(http, 200) as found:
        response = await found.get("/")
        assert await araise_for_error(response, ResCode) is response
    async with async_client(http, *MISSING) as found:
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            raise_for_error(await found.get("/"), ResCode)
        with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await araise_for_error(await found.get("/"), ResCode)


@pytest.mark.parametrize("status", [200, 404])
async def test_an_unread_response_of_the_asyncio_client_is_named_whatever_it_is(
    http: Any, status: int
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield MISSING.body

    async with (
        async_client(http, status, content=parts()) as found,
        found.stream("GET", "/") as response,
    ):
        with pytest.raises(RuntimeError, match="await araise_for_error"):
            raise_for_error(response, ResCode)
        if status == 404:
            with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
                await araise_for_error(response, ResCode)


class Endless:
    """An endless body: the reader reads a bit more than its limit."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.read += 1
            yield b" " * 65_536

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


async def test_a_stream_is_read_no_further_than_it_may_be_needed(http: Any) -> None:
    body = Endless()
    with (
        client(http, 404, content=iter(body)) as found,
        found.stream("GET", "/") as response,
        pytest.raises(RemoteError) as caught,
    ):
        raise_for_error(response, ResCode)
    assert caught.value.inferred
    assert body.read == MAX_BODY_BYTES // 65_536 + 1
    body = Endless()
    async with (
        async_client(http, 404, content=aiter(body)) as found,
        found.stream("GET", "/") as response,
    ):
        with pytest.raises(RemoteError) as caught:
            await araise_for_error(response, ResCode)
    assert caught.value.inferred
    assert body.read == MAX_BODY_BYTES // 65_536 + 1


def broken(http: Any) -> Iterator[bytes]:
    yield MISSING.body[:20]
    raise http.ReadError("reset")


async def test_a_body_that_does_not_arrive_leaves_the_status(http: Any) -> None:
    with (
        client(http, 404, content=broken(http)) as found,
        found.stream("GET", "/") as response,
        pytest.raises(RemoteError) as caught,
    ):
        raise_for_error(response, ResCode)
    assert (caught.value.error_code, caught.value.inferred) == (ResCode.NOT_FOUND, True)
    with (
        client(http, 404, content=iter([MISSING.body])) as found,
        found.stream("GET", "/") as response,
    ):
        b"".join(response.iter_raw())  # other code consumes the body
        with pytest.raises(RemoteError) as caught:
            raise_for_error(response, ResCode)
    assert caught.value.inferred


def test_a_body_that_is_compressed(http: Any) -> None:
    for content, kind in (
        (gzip.compress(MISSING.body), remote(ResCode.ROOM_NOT_EXIST)),
        (b"no gzip", RemoteError),
    ):
        with (
            client(http, 404, [("content-encoding", "gzip")], content=iter([content])) as found,
            found.stream("GET", "/") as response,
        ):
            with pytest.raises(RemoteError) as caught:
                raise_for_error(response, ResCode)
            assert (type(caught.value), caught.value.inferred) == (kind, kind is RemoteError)


def test_a_response_without_a_request(http: Any) -> None:
    with pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
        raise_for_error(http.Response(404, content=MISSING.body), ResCode)


def test_a_proxys_page_over_a_connection(serve: Callable[[Any], str]) -> None:
    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 502,
                "headers": [(b"content-type", b"text/html")],
            }
        )
        await send({"type": "http.response.body", "body": b"<html>\xff" * 2_000_000})

    with pytest.raises(RemoteError) as caught:
        raise_for_error(httpx.get(serve(proxy)), ResCode)
    assert (caught.value.error_code, caught.value.inferred, caught.value.details()) == (
        ResCode.SERVICE_UNAVAILABLE,
        True,
        "Bad Gateway",
    )
