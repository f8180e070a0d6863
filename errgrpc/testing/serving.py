"""A server of a servicer on a free port, with a client's channel to it: for `with` on the sync stack, for `async with` on asyncio."""

import asyncio
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import AsyncExitStack, ExitStack
from queue import SimpleQueue
from typing import Any, TypedDict

import grpc
import grpc.aio

from errgrpc import aio, sync
from errgrpc.codes import ErrorCode
from errgrpc.reports import OnReceived

__all__ = ["ClientOptions", "Serving", "serve"]

_HANDLERS = 16  # sync ones at a time
_PATIENCE = 5.0  # seconds for a handler that still runs when its server has stopped
# gRPC would go through the proxy of the environment, also to this machine.
_NO_PROXY = ("grpc.enable_http_proxy", 0)


class ClientOptions(TypedDict, total=False):
    """What `serve(client=...)` takes."""

    catalogues: Sequence[type[ErrorCode]]
    """Those that the client reads; by default that of the server."""
    locale: str
    """The language that it asks for."""
    on_received: OnReceived
    forward: Sequence[str]
    options: Sequence[tuple[str, Any]]
    """Of the channel, such as a service config."""


def serve(
    add_to_server: Callable[[Any, Any], object],
    servicer: object,
    catalogue: type[ErrorCode],
    *,
    client: ClientOptions | None = None,
    interceptors: Sequence[Any] = (),
    **interceptor: Any,
) -> "Serving":
    """Serves a servicer on a free port of 127.0.0.1 and yields a client's channel to it.

        with serve(add_ShopServiceServicer_to_server, Shop(), ShopCode, client={"locale": "en"}) as channel:
            stub = ShopServiceStub(channel)

    `with` starts a sync server and yields a grpc.Channel, `async with` an asyncio server and a grpc.aio.Channel; both are wrapped, so
    that errors are typed. `interceptors` are further ones of the server, behind errgrpc's own, whose further arguments, such as
    `raises`, are in `interceptor`. After the block the server has stopped and its handlers have ended; one that still runs after 5
    seconds is named in a ResourceWarning and left behind.

    Raises what ServerInterceptor and wrap_channel raise, and TypeError if a servicer with async handlers is served by `with`.
    """
    # what is wrong with its arguments is wrong here
    sync.ServerInterceptor(catalogue, **interceptor)
    return Serving(add_to_server, servicer, catalogue, client or {}, interceptors, interceptor)


class Serving:
    """What `serve` gives: a context manager of both kinds."""

    def __init__(
        self,
        add_to_server: Callable[[Any, Any], object],
        servicer: object,
        catalogue: type[ErrorCode],
        client: ClientOptions,
        interceptors: Sequence[Any],
        interceptor: dict[str, Any],
    ) -> None:
        if unknown := set(client) - ClientOptions.__annotations__.keys():
            raise TypeError(
                f"client has {', '.join(sorted(unknown))}: give some of {', '.join(ClientOptions.__annotations__)}"
            )
        self._add_to_server = add_to_server
        self._servicer = servicer
        self._catalogue = catalogue
        self._options = [_NO_PROXY, *client.get("options", ())]
        self._catalogues = tuple(client.get("catalogues", (catalogue,)))
        self._client: Any = {
            name: value for name, value in client.items() if name not in {"catalogues", "options"}
        }
        self._interceptors = interceptors
        self._interceptor = interceptor
        self._left: list[threading.Thread] = []
        self._exits: ExitStack | None = None
        self._async_exits: AsyncExitStack | None = None

    def _check_free(self) -> None:
        if self._exits is not None or self._async_exits is not None:
            raise RuntimeError("it is served already: make another one by `serve`")

    def __enter__(self) -> grpc.Channel:
        self._check_free()
        if name := _async_handler(self._servicer):
            raise TypeError(
                f"{type(self._servicer).__name__}.{name} is async: serve it by `async with`"
            )
        with ExitStack() as exits:
            pool = _Pool(_HANDLERS)
            exits.callback(lambda: self._left.extend(pool.end(_PATIENCE)))
            interceptors = [
                sync.ServerInterceptor(self._catalogue, **self._interceptor),
                *self._interceptors,
            ]
            server = grpc.server(pool, interceptors=interceptors)  # type: ignore[arg-type]
            self._add_to_server(self._servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            exits.callback(lambda: server.stop(None).wait(_PATIENCE))
            bare = grpc.insecure_channel(f"127.0.0.1:{port}", self._options)
            channel: grpc.Channel = exits.enter_context(
                sync.wrap_channel(bare, *self._catalogues, **self._client)
            )
            self._exits = exits.pop_all()
        return channel

    def __exit__(self, *raised: object) -> None:
        exits, self._exits = self._exits, None
        if exits is not None:
            exits.close()
            self._warn()

    async def __aenter__(self) -> grpc.aio.Channel:
        self._check_free()
        async with AsyncExitStack() as exits:
            pool = _Pool(_HANDLERS)  # of sync handlers
            exits.push_async_callback(self._end, pool)
            interceptors = [
                aio.ServerInterceptor(self._catalogue, **self._interceptor),
                *self._interceptors,
            ]
            server = grpc.aio.server(pool, interceptors=interceptors)
            self._add_to_server(self._servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            exits.push_async_callback(server.stop, None)
            bare = grpc.aio.insecure_channel(f"127.0.0.1:{port}", self._options)
            channel = await exits.enter_async_context(
                aio.wrap_channel(bare, *self._catalogues, **self._client)
            )
            self._async_exits = exits.pop_all()
        return channel

    async def __aexit__(self, *raised: object) -> None:
        exits, self._async_exits = self._async_exits, None
        if exits is not None:
            await exits.aclose()
            self._warn()

    async def _end(self, pool: "_Pool") -> None:
        # Off the loop: a handler may wait for it.
        self._left += await asyncio.to_thread(pool.end, _PATIENCE)

    def _warn(self) -> None:
        left, self._left = self._left, []
        for thread in left:
            where = _where(thread, self._servicer)
            warnings.warn(
                f"{where} still runs {_PATIENCE:g} s after its server has stopped",
                ResourceWarning,
                stacklevel=3,
            )


class _Pool(Executor):
    """Threads that hold no process up: a handler that waits for ever is left behind."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: SimpleQueue[Any] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._work.put((future, fn, args, kwargs))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            thread = threading.Thread(
                target=self._run, daemon=True, name=f"errgrpc.testing-{len(self._threads)}"
            )
            self._threads.append(thread)
            thread.start()
        return future

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, fn, args, kwargs = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001  as ThreadPoolExecutor does
                    future.set_exception(error)
            del work, future, fn, args, kwargs
            self._idle.release()

    def end(self, seconds: float) -> list[threading.Thread]:
        """Ends the threads; those that still run after so many seconds."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(seconds)
            seconds = seconds if not thread.is_alive() else 0
        return [thread for thread in self._threads if thread.is_alive()]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """As an Executor has it."""
        self.end(_PATIENCE if wait else 0)


def _where(thread: threading.Thread, servicer: object) -> str:
    """The handler in which a thread is, if it is one of this servicer's."""
    name = type(servicer).__name__
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  public in all but its name
    while frame is not None:
        if frame.f_locals.get("self") is servicer:
            return f"{name}.{frame.f_code.co_name}"
        frame = frame.f_back
    return f"a handler of {name}"


def _async_handler(servicer: object) -> str | None:
    """The name of a handler that is async, or None; handlers are named as methods of a `.proto` are."""
    for name, method in inspect.getmembers(type(servicer), inspect.isfunction):
        if name[0].isupper() and (
            inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        ):
            return name
    return None
