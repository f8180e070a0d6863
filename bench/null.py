"""Interceptors that do nothing, in the fewest steps: they show what any interceptor costs."""

from typing import Any

import grpc
import grpc.aio
from grpc_interceptor import ClientInterceptor

__all__ = ["AIO_CLIENT", "AsyncServer", "Client", "ClientOfGrpcInterceptor", "Server"]


class Server(grpc.ServerInterceptor):
    """An interceptor of a server."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Changes nothing."""
        return continuation(handler_call_details)


class AsyncServer(grpc.aio.ServerInterceptor):
    """An interceptor of an asyncio server."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Changes nothing."""
        return await continuation(handler_call_details)


class Client(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
):
    """An interceptor of a client."""

    def _intercept(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details, request)

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept


class ClientOfGrpcInterceptor(ClientInterceptor):
    """An interceptor of a client by grpc-interceptor."""

    def intercept(self, method: Any, request_or_iterator: Any, call_details: Any) -> Any:
        """Changes nothing."""
        return method(request_or_iterator, call_details)


async def _intercept(_: Any, continuation: Any, client_call_details: Any, request: Any) -> Any:
    return await continuation(client_call_details, request)


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary: Any = _intercept


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream: Any = _intercept


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary: Any = _intercept


AIO_CLIENT = (_UnaryUnary(), _UnaryStream(), _StreamUnary())
