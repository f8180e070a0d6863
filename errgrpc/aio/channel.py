"""A channel of grpc's asyncio stack whose calls raise typed errors by themselves, without grpc's chain of interceptors around each."""

from typing import Any, Self

import grpc
import grpc.aio

from errgrpc.aio.client import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from errgrpc.arguments import shown
from errgrpc.channel import Method
from errgrpc.codes import ErrorCode
from errgrpc.reading import Reading

__all__ = ["wrap_channel"]


def wrap_channel(channel: grpc.aio.Channel, *catalogues: type[ErrorCode], locale: str | None = None) -> grpc.aio.Channel:
    """A channel that raises failed calls as RemoteError, otherwise the same: `wrap_channel(grpc.aio.insecure_channel(target), ResCode)`.

    Interceptors that the channel has run inside. `catalogues` and `locale`, and what they raise, are those of
    `errgrpc.ClientInterceptor`. Raises TypeError for what is no channel of grpc's asyncio stack.
    """
    if not isinstance(channel, grpc.aio.Channel):
        raise TypeError(f"{shown(channel)} is no grpc.aio.Channel; errgrpc.wrap_channel takes those of the sync stack")
    return _Channel(channel, Reading(catalogues, locale))


class _Method(Method):
    _kind: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs, metadata = self._prepared(args, kwargs)
        return self._kind(self._method(*args, **kwargs), self._reading, metadata)


class _UnaryUnary(_Method, grpc.aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    _kind = UnaryUnaryCall


class _UnaryStream(_Method, grpc.aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    _kind = UnaryStreamCall


class _StreamUnary(_Method, grpc.aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    _kind = StreamUnaryCall


class _StreamStream(_Method, grpc.aio.StreamStreamMultiCallable):  # type: ignore[type-arg]
    _kind = StreamStreamCall


class _Channel(grpc.aio.Channel):
    def __init__(self, channel: grpc.aio.Channel, reading: Reading) -> None:
        self._channel = channel
        self._reading = reading

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _UnaryUnary(self._channel.unary_unary(*args, **kwargs), self._reading)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _UnaryStream(self._channel.unary_stream(*args, **kwargs), self._reading)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _StreamUnary(self._channel.stream_unary(*args, **kwargs), self._reading)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _StreamStream(self._channel.stream_stream(*args, **kwargs), self._reading)

    def get_state(self, *args: Any, **kwargs: Any) -> grpc.ChannelConnectivity:
        return self._channel.get_state(*args, **kwargs)

    async def wait_for_state_change(self, *args: Any, **kwargs: Any) -> None:
        await self._channel.wait_for_state_change(*args, **kwargs)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def close(self, *args: Any, **kwargs: Any) -> None:
        await self._channel.close(*args, **kwargs)

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> Any:
        return await self._channel.__aexit__(*raised)
