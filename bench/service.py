"""The service of all contenders and its stub, in the form of generated code."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import BytesValue

__all__ = ["KINDS", "AsyncServicer", "Servicer", "add_to_server", "asked_for", "stub"]

NAME = "bench.Bench"
ERRORS = ("Constant", "Metadata", "Violations", "Plain")
KINDS = {
    "Echo": "unary_unary",
    "Down": "unary_stream",
    "Up": "stream_unary",
    **dict.fromkeys(ERRORS, "unary_unary"),
}
Fail = Callable[[Any], Any]
"""How a handler fails, given its context. If it has to wait on asyncio, it returns a coroutine."""


def stub(channel: Any) -> dict[str, Any]:
    """Returns the methods of a channel by name."""
    return {
        name: getattr(channel, kind)(
            f"/{NAME}/{name}",
            request_serializer=BytesValue.SerializeToString,
            response_deserializer=BytesValue.FromString,
            _registered_method=True,
        )
        for name, kind in KINDS.items()
    }


def asked_for(messages: int, payload: bytes) -> BytesValue:
    """Returns the request for a stream of this number of messages."""
    return BytesValue(value=b"%d:%b" % (messages, payload))


def _asked(request: BytesValue) -> tuple[int, BytesValue]:
    count, _, payload = request.value.partition(b":")
    return int(count), BytesValue(value=payload)


class Servicer:
    """Handlers for a sync server."""

    def __init__(self, fails: Mapping[str, Fail]) -> None:
        for name, fail in fails.items():
            setattr(self, name, self._failing(fail))

    def Echo(self, request: BytesValue, _: Any) -> BytesValue:
        """Returns the request."""
        return request

    def Down(self, request: BytesValue, _: Any) -> Iterator[BytesValue]:
        """Yields the requested number of messages."""
        count, message = _asked(request)
        for _ in range(count):
            yield message

    def Up(self, requests: Iterator[BytesValue], _: Any) -> BytesValue:
        """Returns the last request."""
        received = BytesValue()
        for request in requests:
            received = request
        return received

    def _failing(self, fail: Fail) -> Any:
        def handler(request: BytesValue, context: Any) -> BytesValue:
            fail(context)
            return request

        return handler


class AsyncServicer:
    """Handlers for an asyncio server."""

    def __init__(self, fails: Mapping[str, Fail]) -> None:
        for name, fail in fails.items():
            setattr(self, name, self._failing(fail))

    async def Echo(self, request: BytesValue, _: Any) -> BytesValue:
        """Returns the request."""
        return request

    async def Down(self, request: BytesValue, _: Any) -> AsyncIterator[BytesValue]:
        """Yields the requested number of messages."""
        count, message = _asked(request)
        for _ in range(count):
            yield message

    async def Up(self, requests: AsyncIterator[BytesValue], _: Any) -> BytesValue:
        """Returns the last request."""
        received = BytesValue()
        async for request in requests:
            received = request
        return received

    def _failing(self, fail: Fail) -> Any:
        async def handler(request: BytesValue, context: Any) -> BytesValue:
            outcome = fail(context)
            if outcome is not None:
                await outcome
            return request

        return handler


def add_to_server(servicer: Any, server: Any) -> None:
    """Registers the handlers as generated code does it."""
    handlers = {
        name: getattr(grpc, f"{kind}_rpc_method_handler")(
            getattr(servicer, name),
            request_deserializer=BytesValue.FromString,
            response_serializer=BytesValue.SerializeToString,
        )
        for name, kind in KINDS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    server.add_registered_method_handlers(NAME, handlers)
