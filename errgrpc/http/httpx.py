"""Reads the responses of httpx and httpx2: `raise_for_error(client.get("/rooms/r-42"), ResCode)`."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, TypeVar

from errgrpc.codes import ErrorCode
from errgrpc.http.bodies import ACCEPT_LANGUAGE
from errgrpc.http.reading import MAX_BODY_BYTES, decode
from errgrpc.remote_error import RemoteError

__all__ = ["araise_for_error", "raise_for_error"]


class Response(Protocol):
    """What `httpx.Response` and `httpx2.Response` have in common, as far as it is needed."""

    status_code: int
    stream: Any

    @property
    def headers(self) -> Any: ...
    @property
    def request(self) -> Any: ...
    @property
    def content(self) -> bytes: ...
    @property
    def is_success(self) -> bool: ...
    @property
    def has_redirect_location(self) -> bool: ...
    def iter_bytes(self) -> Iterator[bytes]: ...
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...


R = TypeVar("R", bound=Response)


def raise_for_error(response: R, /, *catalogues: type[ErrorCode]) -> R:
    """`response` itself if it is a success (2xx) or redirects, else the typed error.

    As `response.raise_for_status()`, also in event hooks: of a stream that was not read yet it reads what it needs. The hint is
    in the language that the request's `accept-language` asked for. Raises RuntimeError for an unread response of the asyncio
    client, which `araise_for_error` reads.
    """
    unread = _content(response) is None
    if unread and not hasattr(response.stream, "__iter__"):
        raise RuntimeError(
            "this response of an asyncio client is not read yet: await araise_for_error(response, ...)"
        )
    if _is_no_error(response):
        return response
    body = bytearray()
    if unread:
        with contextlib.suppress(Exception):  # what does not arrive is missing: the status is here
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    break
    raise _decoded(response, body, catalogues)


async def araise_for_error(response: R, /, *catalogues: type[ErrorCode]) -> R:
    """The same for the asyncio client, whose event hooks and streams give responses that are not read yet."""
    if _is_no_error(response):
        return response
    body = bytearray()
    if _content(response) is None:
        with contextlib.suppress(Exception):
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    break
    raise _decoded(response, body, catalogues)


def _is_no_error(response: Response) -> bool:
    return response.is_success or response.has_redirect_location


def _content(response: Response) -> bytes | None:
    try:
        return response.content
    except RuntimeError:  # ResponseNotRead
        return None


def _decoded(
    response: Response, body: bytearray, catalogues: tuple[type[ErrorCode], ...]
) -> RemoteError:
    accept_language = None
    with contextlib.suppress(RuntimeError):  # of a response that was made without a request
        accept_language = response.request.headers.get(ACCEPT_LANGUAGE)
    content = _content(response) or bytes(body)
    return decode(
        response.status_code,
        response.headers.multi_items(),
        content,
        *catalogues,
        accept_language=accept_language,
    )
