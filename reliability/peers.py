"""The ways in which teams answer errors in Python gRPC, for comparison with errgrpc.

Each has a server of every style and a reader:

- bare grpcio: handlers call `context.abort`, and callers read `code()` and `details()`.
- grpc-interceptor: handlers raise its exceptions. Its interceptor answers other exceptions with
  INTERNAL.
- grpcio-status by hand: `abort_with_status` in a `try` / `except Exception` of each handler, and
  `from_call` at the caller.
- google-api-core: the same server, and `from_grpc_error` at the caller.
- errgrpc.
"""

import asyncio
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import harness
from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc_interceptor import AsyncExceptionToStatusInterceptor, ExceptionToStatusInterceptor
from grpc_interceptor.exceptions import GrpcException
from grpc_status import rpc_status

import errgrpc
from errgrpc import ErrorCode, ResCode, ServiceError

# At import, some releases warn that support for this Python version will end.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core.exceptions import GoogleAPICallError, from_grpc_error

Fail = Callable[[Any, ErrorCode], Any]
"""Fails a handler with a code, given its context.

It raises, or returns an awaitable for an async handler.
"""


@dataclass(frozen=True)
class Peer:
    """One way: how a handler fails with a code, its interceptors, and what the caller reads."""

    name: str
    fail: Fail
    read: Callable[[grpc.RpcError], str | None]
    """Returns the reason in the error of a failed call, or None."""
    interceptors: Callable[[str], Sequence[Any]] = lambda _: ()
    """The interceptors of the server, by style."""
    servicer: Callable[[str], Any] = lambda style: harness.SERVICERS[style]()
    seen: Callable[[Any], BaseException] = lambda error: error
    """The exception that the caller of a failed call sees."""
    typed: bool = False
    """Whether calls go through errgrpc's client interceptors."""

    @contextmanager
    def serve(self, style: str) -> Iterator[str]:
        """Runs a server of a style, and yields its address."""
        with serve(style, self.interceptors(style), self.servicer(style)) as target:
            yield target

    def call(
        self, stack: str, target: str, kind: str, request: bytes, **options: Any
    ) -> harness.Outcome:
        return harness.call(
            stack, target, kind, request, interceptors=None if self.typed else (), **options
        )


@contextmanager
def serve(style: str, interceptors: Sequence[Any], servicer: Any) -> Iterator[str]:
    """Runs a server of a style with these interceptors, and yields its address."""
    with (
        harness.sync_server(interceptors, servicer)
        if style == "sync"
        else _aio_server(interceptors, servicer) as target
    ):
        yield target


@contextmanager
def _aio_server(interceptors: Sequence[Any], servicer: Any) -> Iterator[str]:
    """Runs an asyncio server like the harness's, but starts its loop again if a handler stops it.

    KeyboardInterrupt or SystemExit in a handler would end a program of its own. Here the other
    calls must continue.
    """
    loop, done = asyncio.new_event_loop(), threading.Event()
    loop.set_exception_handler(lambda *_: None)

    def run() -> None:
        while not done.is_set():
            try:
                loop.run_forever()
            except BaseException:  # noqa: BLE001, S112
                continue

    async def start() -> tuple[Any, int]:
        server = grpc.aio.server(pool, interceptors=interceptors)
        server.add_generic_rpc_handlers((harness.handlers(servicer),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    async def stop(server: Any) -> None:
        await server.stop(None)
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=1)
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:  # threads of the pool wait for some of them
                task.cancel()
            await asyncio.wait(tasks, timeout=1)

    thread = threading.Thread(target=run)
    thread.start()
    with ThreadPoolExecutor(max_workers=16) as pool:
        server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(harness.DEADLINE)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            # A response that cannot be serialized blocks the thread of a sync streaming handler
            # forever. So drop the handlers that wait for a thread.
            pool.shutdown(wait=False, cancel_futures=True)
            asyncio.run_coroutine_threadsafe(stop(server), loop).result(harness.DEADLINE)
    done.set()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(harness.DEADLINE)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


# Bare grpcio.


def _abort(context: Any, code: ErrorCode) -> Any:
    return context.abort(code.grpc_status, code.message)


def _says_nothing(error: Any) -> None:
    """Returns None: the call has only a status and a text."""
    error.code(), error.details(), str(error)


# grpc-interceptor.


def _raise_grpc_exception(_: Any, code: ErrorCode) -> None:
    raise GrpcException(code.message, code.grpc_status)


def _its_interceptors(style: str) -> Sequence[Any]:
    made = ExceptionToStatusInterceptor if style == "sync" else AsyncExceptionToStatusInterceptor
    return [made(status_on_unknown_exception=grpc.StatusCode.INTERNAL)]


# grpcio-status by hand.


class TeamError(Exception):
    """The exception of a team without a library."""

    def __init__(
        self, code: ErrorCode, details: Iterable[any_pb2.Any] = (), message: str | None = None
    ) -> None:
        super().__init__(code)
        info = any_pb2.Any()
        info.Pack(
            rpc.ErrorInfo(
                reason=code.reason, domain=code.domain, metadata={"code": str(code.number)}
            )
        )
        text = code.message if message is None else message
        self.status = status_pb2.Status(
            code=code.grpc_status.value[0], message=text, details=[info, *details]
        )


def _raise_team_error(_: Any, code: ErrorCode) -> None:
    raise TeamError(code)


def _masked() -> status_pb2.Status:
    return TeamError(ResCode.INTERNAL_SERVER_ERROR).status


def _abort_sync(context: Any, status: status_pb2.Status) -> None:
    answer = rpc_status.to_status(status)
    if hasattr(context, "abort_with_status"):
        context.abort_with_status(answer)
    # The context of a sync handler on an asyncio server has no such method.
    context.set_trailing_metadata(answer.trailing_metadata)
    context.abort(answer.code, answer.details)


def _by_hand_unary(behavior: Any) -> Any:
    def handler(request: Any, context: Any) -> Any:
        try:
            return behavior(request, context)
        except TeamError as error:
            _abort_sync(context, error.status)
        except Exception:  # noqa: BLE001
            _abort_sync(context, _masked())

    return handler


def _by_hand_stream(behavior: Any) -> Any:
    def handler(request: Any, context: Any) -> Any:
        try:
            yield from behavior(request, context)
        except TeamError as error:
            _abort_sync(context, error.status)
        except Exception:  # noqa: BLE001
            _abort_sync(context, _masked())

    return handler


def _by_hand_coroutine(behavior: Any) -> Any:
    async def handler(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        except TeamError as error:
            await context.abort_with_status(rpc_status.to_status(error.status))
        except Exception:  # noqa: BLE001
            await context.abort_with_status(rpc_status.to_status(_masked()))

    return handler


def _by_hand_generator(behavior: Any) -> Any:
    async def handler(request: Any, context: Any) -> Any:
        try:
            async for response in behavior(request, context):
                yield response
        except TeamError as error:
            await context.abort_with_status(rpc_status.to_status(error.status))
        except Exception:  # noqa: BLE001
            await context.abort_with_status(rpc_status.to_status(_masked()))

    return handler


class _ByHand:
    """The harness's servicer with a `try` in each handler."""

    def __init__(self, style: str) -> None:
        servicer = harness.SERVICERS[style]()
        for kind in harness.KINDS:
            behavior = getattr(servicer, kind)
            if inspect.isasyncgenfunction(behavior):
                guard = _by_hand_generator
            elif inspect.iscoroutinefunction(behavior):
                guard = _by_hand_coroutine
            else:
                guard = _by_hand_stream if kind.endswith("stream") else _by_hand_unary
            setattr(self, kind, guard(behavior))


def _reason_of(status: status_pb2.Status | None) -> str | None:
    info = rpc.ErrorInfo()
    return next(
        (info.reason for detail in (status.details if status else ()) if detail.Unpack(info)), None
    )


def _from_call(error: Any) -> str | None:
    return _reason_of(rpc_status.from_call(error))


def _from_grpc_error(error: Any) -> str | None:
    reason: str | None = _google_error(error).reason
    return reason


def _google_error(error: Any) -> GoogleAPICallError:
    typed: GoogleAPICallError = from_grpc_error(error)  # type: ignore[no-untyped-call]
    return typed


# errgrpc.


def _raise_service_error(_: Any, code: ErrorCode) -> None:
    raise ServiceError(code)


def _our_interceptors(style: str) -> Sequence[Any]:
    return [(errgrpc if style == "sync" else errgrpc.aio).ServerInterceptor(ResCode)]


def _typed(error: Any) -> str | None:
    read = errgrpc.from_error(error, ResCode, errgrpc.ComponentCode)
    _ = str(read), repr(read), read.hint, read.request_id, read.status_details
    return read.reason


BARE = Peer("grpcio", _abort, _says_nothing)
GRPC_INTERCEPTOR = Peer(
    "grpc-interceptor", _raise_grpc_exception, _says_nothing, interceptors=_its_interceptors
)
BY_HAND = Peer("grpcio-status by hand", _raise_team_error, _from_call, servicer=_ByHand)
GOOGLE_API_CORE = Peer(
    "google-api-core", _raise_team_error, _from_grpc_error, servicer=_ByHand, seen=_google_error
)
ERRGRPC = Peer("errgrpc", _raise_service_error, _typed, interceptors=_our_interceptors, typed=True)
PEERS = (BARE, GRPC_INTERCEPTOR, BY_HAND, GOOGLE_API_CORE, ERRGRPC)


async def _serve_in_the_main_thread(peer: Peer, error: type[BaseException]) -> None:
    """Runs an asyncio server in the main thread, whose handlers raise.

    It prints its address and the request to send.
    """

    def act(_: Any) -> None:
        raise error(3)

    server = grpc.aio.server(interceptors=peer.interceptors("aio"))
    server.add_generic_rpc_handlers((harness.handlers(peer.servicer("aio")),))
    port = server.add_insecure_port("127.0.0.1:0")
    with harness.action(act) as request:
        await server.start()
        print(f"127.0.0.1:{port}", request.decode(), flush=True)
        try:
            await asyncio.sleep(30)
        finally:
            await server.stop(None)


if __name__ == "__main__":
    chosen = next(peer for peer in PEERS if peer.name == sys.argv[1])
    asyncio.run(
        _serve_in_the_main_thread(
            chosen, {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit}[sys.argv[2]]
        )
    )
