"""Serves a servicer on a free port, with a channel to it, on the sync or the asyncio stack."""

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

_HANDLERS = 16  # Sync handlers that run at the same time.
_PATIENCE = 5.0  # Seconds for a handler that still runs after its server has stopped.
# Otherwise gRPC uses the proxy of the environment, even for this machine.
_NO_PROXY = ("grpc.enable_http_proxy", 0)


class ClientOptions(TypedDict, total=False):
    """The options of the client, for `serve(client=...)`."""

    catalogues: Sequence[type[ErrorCode]]
    """The catalogues whose codes the client knows. By default, the catalogue of the server."""
    locale: str
    """The language that the client asks for, as for `errgrpc.wrap_channel`."""
    on_received: OnReceived
    """The hook that is called for each failed call, as for `errgrpc.wrap_channel`."""
    forward: Sequence[str]
    """The names of metadata to forward, as for `errgrpc.wrap_channel`."""
    options: Sequence[tuple[str, Any]]
    """The options of the grpc channel, such as a service config."""


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

        client = {"locale": "en"}
        with serve(add_ShopServiceServicer_to_server, Shop(), ShopCode, client=client) as channel:
            stub = ShopServiceStub(channel)

    `with` starts a sync server and yields a grpc.Channel. `async with` starts an asyncio server and
    yields a grpc.aio.Channel. On both channels, failed calls raise RemoteError.

    After the block, the server has stopped and its handlers have ended. If a handler still runs
    after 5 seconds, it is left running, and a ResourceWarning names it.

    Args:
        add_to_server: The generated function that adds the servicer to a server.
        servicer: The servicer.
        catalogue: The catalogue of the server.
        client: The options of the client, see ClientOptions.
        interceptors: More interceptors of the server. They run inside errgrpc's interceptor.
        **interceptor: More arguments of errgrpc's ServerInterceptor, such as `raises`.

    Raises:
        TypeError: `client` has an unknown option, or as ServerInterceptor and wrap_channel raise
            it. At the start of the block, if `with` is used for a servicer with async handlers.
        ValueError: As ServerInterceptor and wrap_channel raise it.
        RuntimeError: At the start of the block, if the result is used in another block already.
    """
    # fails here if the arguments are wrong
    sync.ServerInterceptor(catalogue, **interceptor)
    return Serving(add_to_server, servicer, catalogue, client or {}, interceptors, interceptor)


class Serving:
    """The context manager that `serve` returns, for `with` and for `async with`."""

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
                f"client has {', '.join(sorted(unknown))}: "
                f"give some of {', '.join(ClientOptions.__annotations__)}"
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
            server = grpc.server(pool, interceptors=interceptors)  # type: ignore[arg-type]  # of any message type
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
            pool = _Pool(_HANDLERS)  # for sync handlers
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
        # Off the loop: a handler may wait for the loop.
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
    """Threads that do not keep the process alive: a handler that never ends is left running."""

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
        """Ends the threads, and returns those that still run after this time."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(seconds)
            seconds = seconds if not thread.is_alive() else 0
        return [thread for thread in self._threads if thread.is_alive()]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  Executor's
        """Ends the threads; if `wait` is true, waits at most 5 seconds for them."""
        self.end(_PATIENCE if wait else 0)


def _where(thread: threading.Thread, servicer: object) -> str:
    """Returns the name of the servicer's handler that the thread runs."""
    name = type(servicer).__name__
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  public except for its name
    while frame is not None:
        if frame.f_locals.get("self") is servicer:
            return f"{name}.{frame.f_code.co_name}"
        frame = frame.f_back
    return f"a handler of {name}"


def _async_handler(servicer: object) -> str | None:
    """Returns the name of a handler that is async, or None.

    A method is taken for a handler if its name is like the name of a method in a `.proto`.
    """
    for name, method in inspect.getmembers(type(servicer), inspect.isfunction):
        if name[0].isupper() and (
            inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        ):
            return name
    return None
