"""The service that all contenders have, and its stub, as generated code has them."""

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
"""What a handler does to fail, with its context; a coroutine on asyncio, if it has to wait."""


def stub(channel: Any) -> dict[str, Any]:
    """The methods of a channel by name."""
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
    """The request for a stream of so many messages."""
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
        """The request."""
        return request

    def Down(self, request: BytesValue, _: Any) -> Iterator[BytesValue]:
        """As many messages as were asked for."""
        count, message = _asked(request)
        for _ in range(count):
            yield message

    def Up(self, requests: Iterator[BytesValue], _: Any) -> BytesValue:
        """The last request."""
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
        """The request."""
        return request

    async def Down(self, request: BytesValue, _: Any) -> AsyncIterator[BytesValue]:
        """As many messages as were asked for."""
        count, message = _asked(request)
        for _ in range(count):
            yield message

    async def Up(self, requests: AsyncIterator[BytesValue], _: Any) -> BytesValue:
        """The last request."""
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
    """The handlers, registered as generated code does it."""
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
