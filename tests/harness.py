"""Real servers on loopback ports, and one way to call them.

They cover each style of handler, each kind of method and both clients. A request names an action of
`ACTIONS`. The handler runs the action with its context, before, between or after the responses.
"""

import asyncio
import functools
import gc
import inspect
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

import errgrpc

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
STYLES = ("sync", "aio", "reader_writer", "sync_on_aio")
STACKS = ("sync", "aio")
# the last two wrap a channel, the others have interceptors
CLIENTS = (*STACKS, "wrapped_sync", "wrapped_aio")
DEADLINE = 20.0  # seconds, more than any call needs: a hang becomes a failure
RESPONSES = (b"first", b"second")

GRPC = tuple(map(int, grpc.__version__.split(".")[:2]))
"""The version of grpcio: tests leave out by name what older versions cannot do, and say why."""

Action = Callable[[Any], Any]
ACTIONS: dict[bytes, tuple[Action, int]] = {}
_numbers = itertools.count()


@contextmanager
def action(act: Action, after: int = 0) -> Iterator[bytes]:
    """Registers what a handler does after some responses; yields the request for it.

    A stream has two responses.
    """
    name = str(next(_numbers)).encode()
    ACTIONS[name] = act, after
    try:
        yield name
    finally:
        del ACTIONS[name]


async def _run(act: Action, context: Any) -> None:
    result = act(context)
    if inspect.isawaitable(result):
        await result


class SyncServicer:
    def unary_unary(self, request: bytes, context: Any) -> bytes:
        ACTIONS[request][0](context)
        return RESPONSES[0]

    def stream_unary(self, requests: Any, context: Any) -> bytes:
        return self.unary_unary(list(requests)[0], context)

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        act, after = ACTIONS[request]
        for index in range(3):
            if index == after:
                act(context)
            if index < 2:
                yield RESPONSES[index]

    def stream_stream(self, requests: Any, context: Any) -> Iterator[bytes]:
        yield from self.unary_stream(list(requests)[0], context)


class AsyncServicer:
    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        await _run(ACTIONS[request][0], context)
        return RESPONSES[0]

    async def stream_unary(self, requests: Any, context: Any) -> bytes:
        return await self.unary_unary([request async for request in requests][0], context)

    async def unary_stream(self, request: bytes, context: Any) -> Any:
        act, after = ACTIONS[request]
        for index in range(3):
            if index == after:
                await _run(act, context)
            if index < 2:
                yield RESPONSES[index]

    async def stream_stream(self, requests: Any, context: Any) -> Any:
        responses: Any = self.unary_stream([request async for request in requests][0], context)
        async for response in responses:
            yield response


class ReaderWriterServicer(AsyncServicer):
    async def unary_stream(self, request: bytes, context: Any) -> None:
        act, after = ACTIONS[request]
        for index in range(3):
            if index == after:
                await _run(act, context)
            if index < 2:
                await context.write(RESPONSES[index])

    async def stream_unary(self, requests: Any, context: Any) -> bytes:
        request = await context.read()
        while await context.read() is not grpc.aio.EOF:
            pass
        return await self.unary_unary(request, context)

    async def stream_stream(self, requests: Any, context: Any) -> None:
        request = await context.read()
        while await context.read() is not grpc.aio.EOF:
            pass
        await self.unary_stream(request, context)


SERVICERS = {
    "sync": SyncServicer,
    "aio": AsyncServicer,
    "reader_writer": ReaderWriterServicer,
    "sync_on_aio": SyncServicer,
}


def handlers(servicer: Any) -> grpc.GenericRpcHandler:
    """The generic handler of `test.Service`.

    Its methods have the names of their kinds, and its messages are bytes.
    """
    methods = {
        kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(servicer, kind)) for kind in KINDS
    }
    return grpc.method_handlers_generic_handler("test.Service", methods)


@contextmanager
def sync_server(interceptors: Sequence[Any], servicer: Any = None, **options: Any) -> Iterator[str]:
    with ThreadPoolExecutor(max_workers=16) as pool:
        server = grpc.server(pool, interceptors=list(interceptors), **options)
        server.add_generic_rpc_handlers((handlers(servicer or SyncServicer()),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@contextmanager
def loop_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in its own thread, closed with nothing left on it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(DEADLINE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        # a handler in a thread may have read a request meanwhile
        loop.run_until_complete(_settle())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _settle() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=5)
        for task in left:  # else its handler, and so the thread pool, would wait forever
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def aio_server(interceptors: Sequence[Any], servicer: Any, **options: Any) -> Iterator[str]:
    async def start() -> tuple[Any, int]:
        server = grpc.aio.server(pool, interceptors=interceptors, **options)
        server.add_generic_rpc_handlers((handlers(servicer),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    async def stop(server: Any) -> None:
        await server.stop(None)

    with ThreadPoolExecutor(max_workers=16) as pool, loop_thread() as loop:
        server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(DEADLINE)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(stop(server), loop).result(DEADLINE)


@contextmanager
def serve(
    style: str, interceptors: Sequence[Any] | None = None, servicer: Any = None, **options: Any
) -> Iterator[str]:
    """A server of a style, by default with errgrpc's interceptor for ResCode and these options."""
    stack = errgrpc if style == "sync" else errgrpc.aio
    if interceptors is None:
        interceptors = [
            stack.ServerInterceptor(options.pop("catalogue", errgrpc.ResCode), **options)
        ]
    servicer = servicer or SERVICERS[style]()
    with (
        sync_server(interceptors, servicer)
        if style == "sync"
        else aio_server(interceptors, servicer) as target
    ):
        yield target


@dataclass
class Outcome:
    """The outcome of a call, the same for both stacks."""

    responses: list[bytes] = field(default_factory=list)
    error: Any = None
    code: grpc.StatusCode | None = None
    details: str | None = None
    initial: dict[str, Any] = field(default_factory=dict)
    trailing: dict[str, Any] = field(default_factory=dict)


def call(
    stack: str,
    target: str,
    kind: str,
    request: bytes,
    *,
    interceptors: Sequence[Any] | None = None,
    catalogues: Sequence[Any] = (errgrpc.ResCode, errgrpc.ComponentCode),
    locale: str | None = None,
    metadata: Sequence[tuple[str, Any]] = (),
    timeout: float = DEADLINE,
) -> Outcome:
    """Calls a method with its own client: by default one of errgrpc, bare if `interceptors=()`."""
    if stack == "wrapped_aio":
        wrap = functools.partial(errgrpc.aio.wrap_channel, locale=locale)
        return asyncio.run(
            _call_aio(
                target,
                kind,
                request,
                (),
                metadata,
                timeout,
                lambda channel: wrap(channel, *catalogues),
            )
        )
    if stack == "aio":
        if interceptors is None:
            interceptors = errgrpc.aio.client_interceptors(*catalogues, locale=locale)
        return asyncio.run(_call_aio(target, kind, request, interceptors, metadata, timeout))
    if stack == "wrapped_sync":
        interceptors = [wrapped(*catalogues, locale=locale)]
    elif interceptors is None:
        interceptors = [errgrpc.ClientInterceptor(*catalogues, locale=locale)]
    return _call_sync(target, kind, request, interceptors, metadata, timeout)


DETAILS_KEY = "grpc-status-details-bin"


def on_the_wire(outcome: Outcome) -> dict[str, Any]:
    """The details of an answer by the names of their types.

    Plain google.rpc messages read them, and the function checks what each reader relies on.
    """
    status = status_pb2.Status.FromString(outcome.trailing[DETAILS_KEY])
    assert outcome.code is not None
    assert (status.code, status.message) == (outcome.code.value[0], outcome.details)
    found: dict[str, Message] = {}
    for packed in status.details:
        kind = message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
        )
        message = kind()
        assert packed.Unpack(message)
        assert kind.DESCRIPTOR.name not in found
        found[kind.DESCRIPTOR.name] = message
    assert next(iter(found)) == rpc.ErrorInfo.DESCRIPTOR.name
    return found


def coded(outcome: Outcome) -> str | None:
    """The reason in an answer, or None if it has no details."""
    return on_the_wire(outcome)["ErrorInfo"].reason if DETAILS_KEY in outcome.trailing else None


def logged(caplog: Any) -> list[Any]:
    """The log records of a test, without grpc's own about event loops.

    grpcio before 1.76 logs that several loops share its poller.
    """
    return [
        record for record in caplog.records if "PollerCompletionQueue" not in record.getMessage()
    ]


def _call_sync(
    target: str, kind: str, request: bytes, interceptors: Any, metadata: Any, timeout: float
) -> Outcome:
    outcome = Outcome()
    with sync_channel(target, *interceptors) as channel:
        method = getattr(channel, kind)(f"/test.Service/{kind}")
        argument = iter([request]) if kind.startswith("stream") else request
        call: Any = None
        try:
            if kind.endswith("unary"):
                response, call = method.with_call(argument, timeout=timeout, metadata=metadata)
                outcome.responses.append(response)
            else:
                call = method(argument, timeout=timeout, metadata=metadata)
                outcome.responses.extend(iter(functools.partial(next, call, None), None))
        except grpc.RpcError as error:
            outcome.error = call = error
        outcome.code, outcome.details = call.code(), call.details()
        outcome.initial, outcome.trailing = (
            dict(call.initial_metadata() or ()),
            dict(call.trailing_metadata() or ()),
        )
    return outcome


async def _call_aio(
    target: str,
    kind: str,
    request: bytes,
    interceptors: Any,
    metadata: Any,
    timeout: float,
    wrap: Any = None,
) -> Outcome:
    outcome = Outcome()
    bare = grpc.aio.insecure_channel(target, interceptors=interceptors)
    async with wrap(bare) if wrap else bare as channel:
        method = getattr(channel, kind)(f"/test.Service/{kind}")
        call = method(
            iter([request]) if kind.startswith("stream") else request,
            timeout=timeout,
            metadata=tuple(metadata),
        )
        try:
            if kind.endswith("unary"):
                outcome.responses.append(await call)
            else:
                async for response in call:
                    outcome.responses.append(response)
        except grpc.RpcError as error:
            outcome.error = error
        outcome.code, outcome.details = await call.code(), await call.details()
        outcome.initial, outcome.trailing = (
            dict(iter(await call.initial_metadata())),
            dict(iter(await call.trailing_metadata())),
        )
    return outcome


def argument(kind: str, *requests: bytes) -> Any:
    """The argument of a method of this kind: an iterator of requests, or the only request."""
    return iter(requests) if kind.startswith("stream") else requests[0]


def method(channel: Any, kind: str, *serializers: Any) -> Any:
    """The multicallable of a method of `test.Service`, for a channel of either stack."""
    return getattr(channel, kind)(f"/test.Service/{kind}", *serializers)


@contextmanager
def sync_channel(
    target: str, *interceptors: Any, options: Sequence[tuple[str, Any]] = ()
) -> Iterator[Any]:
    """A channel of the sync stack with these interceptors, the outermost first.

    An interceptor may be replaced by a function that wraps the channel. Without any, the channel is
    bare.
    """
    with grpc.insecure_channel(target, options=options) as bare:
        channel = bare
        for around in reversed(interceptors):
            channel = (
                around(channel) if callable(around) else grpc.intercept_channel(channel, around)
            )
        yield channel


def wrapped(*catalogues: Any, locale: str | None = None) -> Callable[[grpc.Channel], grpc.Channel]:
    """A function for `sync_channel` that wraps the inner channel with errgrpc's."""
    return lambda channel: errgrpc.wrap_channel(channel, *catalogues, locale=locale)


class NullClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Calls `intercept` for all four kinds of sync calls; by default it only continues."""

    def intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return self.intercept(continuation, client_call_details, request)

    intercept_unary_stream: Any = intercept_unary_unary
    intercept_stream_unary: Any = intercept_unary_unary
    intercept_stream_stream: Any = intercept_unary_unary


async def _continue(continuation: Any, details: Any, request: Any) -> Any:
    return await continuation(details, request)


def aio_interceptors(intercept: Any = _continue) -> list[Any]:
    """Interceptors with this function for each kind of asyncio call; by default it continues."""

    def made(kind: str) -> Any:
        base = getattr(grpc.aio, f"{kind.title().replace('_', '')}ClientInterceptor")
        return type(
            f"_{kind}", (base,), {f"intercept_{kind}": lambda _, *arguments: intercept(*arguments)}
        )()

    return [made(kind) for kind in KINDS]


@asynccontextmanager
async def noticing() -> AsyncIterator[None]:
    """Turns what asyncio only logs into a failure, and also a task that never ends.

    For instance, asyncio logs an exception that was never retrieved.
    """
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(repr(context)))
    before = asyncio.all_tasks()
    yield
    gc.collect(1)  # young objects only: a full collection is slow
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        assert await asyncio.wait(left, timeout=DEADLINE) == (left, set())
    # All loops share grpc's poller, which may deliver an event for the closed loop of an earlier
    # test.
    assert [context for context in found if "PollerCompletionQueue" not in context] == []
