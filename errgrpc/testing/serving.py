"""A server of a servicer on a free port, with a client's channel to it: for `with` on the sync stack, for `async with` on asyncio."""

import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any, TypedDict

import grpc
import grpc.aio

from errgrpc import aio, sync
from errgrpc.codes import ErrorCode
from errgrpc.reports import OnReceived

__all__ = ["ClientOptions", "Serving", "serve"]

_HANDLERS = 16  # sync ones at a time


class ClientOptions(TypedDict, total=False):
    """What `serve(client=...)` takes."""

    catalogues: Sequence[type[ErrorCode]]
    """Those that the client reads; by default that of the server."""
    locale: str
    """The language that it asks for."""
    on_received: OnReceived
    options: Sequence[tuple[str, Any]]
    """Of the channel, such as a service config."""


def serve(
    add_to_server: Callable[[Any, Any], object],
    servicer: object,
    catalogue: type[ErrorCode],
    *,
    client: ClientOptions | None = None,
    **interceptor: Any,
) -> "Serving":
    """Serves a servicer on a free port of 127.0.0.1 and yields a client's channel to it.

        with serve(add_ShopServiceServicer_to_server, Shop(), ShopCode, client={"locale": "en"}) as channel:
            stub = ShopServiceStub(channel)

    `with` starts a sync server and yields a grpc.Channel, `async with` an asyncio server and a grpc.aio.Channel; both are wrapped, so
    that errors are typed. `interceptor` holds further arguments of `errgrpc.ServerInterceptor`, such as `raises`. After the block,
    nothing of it runs.

    Raises what ServerInterceptor and wrap_channel raise, and TypeError if a servicer with async handlers is served by `with`.
    """
    return Serving(add_to_server, servicer, catalogue, client or {}, interceptor)


class Serving:
    """What `serve` gives: a context manager of both kinds."""

    def __init__(
        self,
        add_to_server: Callable[[Any, Any], object],
        servicer: object,
        catalogue: type[ErrorCode],
        client: ClientOptions,
        interceptor: dict[str, Any],
    ) -> None:
        self._add_to_server = add_to_server
        self._servicer = servicer
        self._catalogue = catalogue
        self._options = client.get("options", ())
        self._catalogues = tuple(client.get("catalogues", (catalogue,)))
        self._client = {name: value for name, value in client.items() if name in {"locale", "on_received"}}
        if unknown := set(client) - ClientOptions.__annotations__.keys():
            raise TypeError(f"client has {', '.join(sorted(unknown))}: give some of {', '.join(ClientOptions.__annotations__)}")
        self._interceptor = interceptor
        self._exits = ExitStack()
        self._async_exits = AsyncExitStack()

    def __enter__(self) -> grpc.Channel:
        if name := _async_handler(self._servicer):
            raise TypeError(f"{type(self._servicer).__name__}.{name} is async: serve it by `async with`")
        with ExitStack() as exits:
            pool = exits.enter_context(ThreadPoolExecutor(_HANDLERS))
            server = grpc.server(pool, interceptors=[sync.ServerInterceptor(self._catalogue, **self._interceptor)])
            self._add_to_server(self._servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            exits.callback(lambda: server.stop(None).wait())
            bare = grpc.insecure_channel(f"127.0.0.1:{port}", self._options)
            channel: grpc.Channel = exits.enter_context(sync.wrap_channel(bare, *self._catalogues, **self._client))  # type: ignore[arg-type]
            self._exits = exits.pop_all()
        return channel

    def __exit__(self, *raised: object) -> None:
        self._exits.close()

    async def __aenter__(self) -> grpc.aio.Channel:
        async with AsyncExitStack() as exits:
            pool = exits.enter_context(ThreadPoolExecutor(_HANDLERS))  # of sync handlers
            server = grpc.aio.server(pool, interceptors=[aio.ServerInterceptor(self._catalogue, **self._interceptor)])
            self._add_to_server(self._servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            exits.push_async_callback(server.stop, None)
            bare = grpc.aio.insecure_channel(f"127.0.0.1:{port}", self._options)
            channel = await exits.enter_async_context(aio.wrap_channel(bare, *self._catalogues, **self._client))  # type: ignore[arg-type]
            self._async_exits = exits.pop_all()
        return channel

    async def __aexit__(self, *raised: object) -> None:
        await self._async_exits.aclose()


def _async_handler(servicer: object) -> str | None:
    """The name of a handler that is async, or None."""
    for name, method in inspect.getmembers(type(servicer), inspect.isfunction):
        if not name.startswith("_") and (inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)):
            return name
    return None
