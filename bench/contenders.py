"""The contenders: how the server of each fails, and what its client reads.

Methods, messages and threads are the same for all.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import grpc.aio
from grpc_interceptor import AsyncExceptionToStatusInterceptor, ExceptionToStatusInterceptor
from grpc_interceptor.exceptions import GrpcException
from grpc_status import rpc_status

import errgrpc
from errgrpc import ResCode, ServiceError
from errgrpc.answering import Answering, Rpc

from . import by_hand, null, service

# At import, some releases warn that support for this Python version will end.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core import grpc_helpers, grpc_helpers_async

__all__ = [
    "CONTENDERS",
    "NULL",
    "NULL_AGAIN",
    "Client",
    "Contender",
    "client",
    "failures",
    "server_interceptors",
]


@dataclass(frozen=True)
class Contender:
    """One contender. `server` and `client` name what each side does, and `note` explains it."""

    name: str
    server: str
    client: str
    note: str


CONTENDERS = (
    Contender(
        "bare grpcio",
        "bare",
        "bare",
        "no interceptors; the handler aborts with the bytes that errgrpc would send, "
        "built beforehand",
    ),
    Contender(
        "null",
        "null",
        "null",
        "the same, with interceptors on both sides that do nothing: the lower limit",
    ),
    Contender(
        "null again", "null", "null", "the same as null, in other processes: shows the noise"
    ),
    Contender("errgrpc, interceptors", "errgrpc", "errgrpc", "its interceptors on both sides"),
    Contender(
        "errgrpc, wrapped channel",
        "errgrpc",
        "wrapped",
        "its interceptor on the server, `wrap_channel` on the client",
    ),
    Contender(
        "grpc-interceptor",
        "grpc-interceptor",
        "grpc-interceptor",
        "its interceptors on both sides; it sends no details, only status and message",
    ),
    Contender(
        "grpcio-status by hand",
        "by hand",
        "by hand",
        "builds and packs a Status, reads and unpacks it; with interceptors that do nothing",
    ),
    Contender(
        "grpcio-status by hand, bare",
        "by hand, bare",
        "by hand, bare",
        "the same without interceptors",
    ),
    Contender(
        "google-api-core",
        "null",
        "google-api-core",
        "the wrappers of its client, with interceptors that do nothing; the server is null",
    ),
)
NULL, NULL_AGAIN = CONTENDERS[1].name, CONTENDERS[2].name


def server_interceptors(server: str, stack: str) -> list[Any]:
    """Returns the interceptors of a server: one or none."""
    aio = stack == "aio"
    match server:
        case "errgrpc":
            return [
                errgrpc.aio.ServerInterceptor(ResCode)
                if aio
                else errgrpc.ServerInterceptor(ResCode)
            ]
        case "grpc-interceptor":
            return [AsyncExceptionToStatusInterceptor() if aio else ExceptionToStatusInterceptor()]
        case "null" | "by hand":
            return [null.AsyncServer() if aio else null.Server()]
    return []


# Servers: how a handler fails, by method.


def failures(server: str, stack: str) -> Mapping[str, service.Fail]:
    """Returns the functions by which handlers fail. On asyncio, their result is awaited."""
    plain = {"Plain": lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "No such thing")}
    match server:
        case "errgrpc":
            return {name: _raising(make) for name, make in MADE.items()} | plain
        case "grpc-interceptor":
            return dict.fromkeys(MADE, _raise_theirs) | plain
        case "by hand" | "by hand, bare":
            return {
                name: (_by_hand_aio if stack == "aio" else _by_hand)(build)
                for name, build in by_hand.BUILT.items()
            } | plain
    return {
        name: (_prebuilt_aio if stack == "aio" else _prebuilt)(make())
        for name, make in MADE.items()
    } | plain


MADE: dict[str, Callable[[], ServiceError]] = {
    "Constant": lambda: ServiceError(ResCode.ROOM_NOT_EXIST),
    "Metadata": lambda: ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42"),
    "Violations": lambda: ServiceError(ResCode.BAD_REQUEST, details=[by_hand.VIOLATIONS]),
}


def _raising(make: Callable[[], ServiceError]) -> service.Fail:
    def fail(_: Any) -> NoReturn:
        raise make()

    return fail


def _raise_theirs(_: Any) -> NoReturn:
    raise GrpcException("Room Not Found", grpc.StatusCode.NOT_FOUND)


def _by_hand(build: Callable[[], Any]) -> service.Fail:
    return lambda context: context.abort_with_status(rpc_status.to_status(build()))


def _by_hand_aio(build: Callable[[], Any]) -> service.Fail:
    def fail(context: Any) -> Any:  # the context of asyncio has no abort_with_status
        status: Any = rpc_status.to_status(build())
        return context.abort(status.code, status.details, status.trailing_metadata)

    return fail


def _prebuilt(error: ServiceError) -> service.Fail:
    code, message, trailers = Answering(ResCode).answer(error, Rpc("", (), (), None, ""))

    def fail(context: Any) -> None:
        context.set_trailing_metadata(trailers)
        context.abort(code, message)

    return fail


def _prebuilt_aio(error: ServiceError) -> service.Fail:
    code, message, trailers = Answering(ResCode).answer(error, Rpc("", (), (), None, ""))
    return lambda context: context.abort(code, message, trailers)


# Clients.


@dataclass(frozen=True)
class Client:
    """A channel, its methods by name, and a function that handles a caught error."""

    channel: Any
    methods: Mapping[str, Any]
    read: Callable[[Any], Any]


def client(name: str, stack: str, target: str, options: Any) -> Client:
    """Returns the client of a contender."""
    channel = (
        _aio_channel(name, target, options)
        if stack == "aio"
        else _sync_channel(name, target, options)
    )
    methods = service.stub(channel)
    if name == "google-api-core":
        helpers: Any = grpc_helpers_async if stack == "aio" else grpc_helpers
        methods = {method: helpers.wrap_errors(callable_) for method, callable_ in methods.items()}
    return Client(channel, methods, READERS.get(name, lambda error: error.code()))


READERS: dict[str, Callable[[Any], Any]] = {
    "errgrpc": lambda error: error.error_code,
    "wrapped": lambda error: error.error_code,
    "by hand": by_hand.read,
    "by hand, bare": by_hand.read,
    "google-api-core": lambda error: error.reason,
}


def _sync_channel(name: str, target: str, options: Any) -> grpc.Channel:
    channel = grpc.insecure_channel(target, options=options)
    match name:
        case "wrapped":
            return errgrpc.wrap_channel(channel, ResCode)
        case "bare" | "by hand, bare":
            return channel
        case "errgrpc":
            return grpc.intercept_channel(channel, errgrpc.ClientInterceptor(ResCode))
        case "grpc-interceptor":
            return grpc.intercept_channel(channel, null.ClientOfGrpcInterceptor())
    return grpc.intercept_channel(channel, null.Client())


def _aio_channel(name: str, target: str, options: Any) -> grpc.aio.Channel:
    if name in {"wrapped", "bare", "by hand, bare"}:
        channel = grpc.aio.insecure_channel(target, options=options)
        return errgrpc.aio.wrap_channel(channel, ResCode) if name == "wrapped" else channel
    # grpc-interceptor has no asyncio client.
    interceptors: Any = (
        errgrpc.aio.client_interceptors(ResCode) if name == "errgrpc" else null.AIO_CLIENT
    )
    return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
