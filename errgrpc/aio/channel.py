"""A channel of grpc.aio whose calls raise typed errors, without interceptors."""

from collections.abc import Iterable
from typing import Any, Self

import grpc
import grpc.aio

from errgrpc.aio.client import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from errgrpc.calls import Caller, Method
from errgrpc.codes import ErrorCode
from errgrpc.reports import OnReceived
from errgrpc.texts import shown

__all__ = ["wrap_channel"]


def wrap_channel(
    channel: grpc.aio.Channel,
    *catalogues: type[ErrorCode],
    locale: str | None = None,
    on_received: OnReceived | None = None,
    forward: Iterable[str] = (),
) -> grpc.aio.Channel:
    """Returns a channel on which failed calls raise RemoteError.

        channel = errgrpc.aio.wrap_channel(grpc.aio.insecure_channel(target), ResCode)

    Nothing else about the channel changes. If the channel has interceptors, they get grpc's own
    errors.

    Args:
        channel: A channel of grpc.aio.
        *catalogues, locale, on_received, forward: As for `errgrpc.ClientInterceptor`.

    Raises:
        TypeError: `channel` is not such a channel, or as `errgrpc.ClientInterceptor` raises it.
        ValueError: As `errgrpc.ClientInterceptor` raises it.
    """
    if not isinstance(channel, grpc.aio.Channel):
        raise TypeError(
            f"{shown(channel)} is no grpc.aio.Channel; errgrpc.wrap_channel takes those of the "
            "sync stack"
        )
    return _Channel(channel, Caller(catalogues, locale, on_received, forward))


class _AsyncMethod(Method):
    _kind: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs, metadata = self._prepared(args, kwargs)
        return self._kind(self._method(*args, **kwargs), self._caller, metadata, self._name)


# type-arg: grpc's classes take types only in their stubs.
class _UnaryUnaryMethod(_AsyncMethod, grpc.aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    _kind = UnaryUnaryCall


class _UnaryStreamMethod(_AsyncMethod, grpc.aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    _kind = UnaryStreamCall


class _StreamUnaryMethod(_AsyncMethod, grpc.aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    _kind = StreamUnaryCall


class _StreamStreamMethod(_AsyncMethod, grpc.aio.StreamStreamMultiCallable):  # type: ignore[type-arg]
    _kind = StreamStreamCall


class _Channel(grpc.aio.Channel):
    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._channel = channel
        self._caller = caller

    def unary_unary(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        return _UnaryUnaryMethod(
            self._channel.unary_unary(method, *args, **kwargs), self._caller, method
        )

    def unary_stream(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        return _UnaryStreamMethod(
            self._channel.unary_stream(method, *args, **kwargs), self._caller, method
        )

    def stream_unary(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        return _StreamUnaryMethod(
            self._channel.stream_unary(method, *args, **kwargs), self._caller, method
        )

    def stream_stream(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        return _StreamStreamMethod(
            self._channel.stream_stream(method, *args, **kwargs), self._caller, method
        )

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
