"""Reads responses of httpx and httpx2: `raise_for_error(client.get("/rooms/r-42"), ResCode)`."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, TypeVar

from errgrpc.codes import ErrorCode
from errgrpc.http.bodies import ACCEPT_LANGUAGE
from errgrpc.http.reading import MAX_BODY_BYTES, decode
from errgrpc.remote_error import RemoteError

__all__ = ["araise_for_error", "raise_for_error"]


class Response(Protocol):
    """The members of `httpx.Response` and `httpx2.Response` that this module needs."""

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
    """Raises the typed error of a response, or returns the response if it is no error.

    Use it like `response.raise_for_status()`, also in event hooks. A success (2xx) and a redirect
    are no errors. If the body of an error has not been read, at most about 262,144 bytes of it are
    read. The hint is in the language that the request's `accept-language` header asks for.

    Args:
        response: A response of the sync client, or a response that has been read.
        *catalogues: The catalogues whose codes are known.

    Raises:
        RemoteError: The response is an error.
        RuntimeError: The response comes from the asyncio client and has not been read. Use
            `araise_for_error`.
        TypeError, ValueError: The response is an error, and `catalogues` are wrong, as for
            `errgrpc.http.decode`.
    """
    unread = _content(response) is None
    if unread and not hasattr(response.stream, "__iter__"):
        raise RuntimeError(
            "this response of an asyncio client is not read yet: "
            "await araise_for_error(response, ...)"
        )
    if _is_no_error(response):
        return response
    body = bytearray()
    if unread:
        # if the body does not arrive, the status still tells the error
        with contextlib.suppress(Exception):
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    break
    raise _decoded(response, body, catalogues)


async def araise_for_error(response: R, /, *catalogues: type[ErrorCode]) -> R:
    """Raises the typed error of a response of the asyncio client, or returns the response.

    Use it if the response has not been read yet: in event hooks and for streams. Otherwise it is
    like `raise_for_error`.

    Args:
        response: A response of the asyncio client.
        *catalogues: The catalogues whose codes are known.

    Raises:
        RemoteError: The response is an error.
        TypeError, ValueError: As for `raise_for_error`.
    """
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
    with contextlib.suppress(RuntimeError):  # a response may have no request
        accept_language = response.request.headers.get(ACCEPT_LANGUAGE)
    content = _content(response) or bytes(body)
    return decode(
        response.status_code,
        response.headers.multi_items(),
        content,
        *catalogues,
        accept_language=accept_language,
    )
