"""A channel of grpc's sync stack whose calls raise typed errors, without interceptors."""

from collections.abc import Iterable
from typing import Any, Self

import grpc

from errgrpc.calls import Caller, Method
from errgrpc.codes import ErrorCode
from errgrpc.reports import OnReceived
from errgrpc.sync.client import TypedCall
from errgrpc.texts import shown

__all__ = ["wrap_channel"]


def wrap_channel(
    channel: grpc.Channel,
    *catalogues: type[ErrorCode],
    locale: str | None = None,
    on_received: OnReceived | None = None,
    forward: Iterable[str] = (),
) -> grpc.Channel:
    """Returns a channel on which failed calls raise RemoteError.

        channel = errgrpc.wrap_channel(grpc.insecure_channel(target), ResCode)

    Nothing else about the channel changes. This is faster than `errgrpc.ClientInterceptor`. Use the
    interceptor if the order in a chain of interceptors matters.

    Args:
        channel: A channel of grpc's sync stack.
        *catalogues, locale, on_received, forward: As for `errgrpc.ClientInterceptor`.

    Raises:
        TypeError: `channel` is not such a channel, or as `errgrpc.ClientInterceptor` raises it.
        ValueError: As `errgrpc.ClientInterceptor` raises it.
    """
    if not isinstance(channel, grpc.Channel):
        raise TypeError(
            f"{shown(channel)} is no grpc.Channel; errgrpc.aio.wrap_channel takes those of grpc.aio"
        )
    return _Channel(channel, Caller(catalogues, locale, on_received, forward))


class _SyncMethod(Method):
    def _started(self, start: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypedCall:
        args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            return TypedCall(start(*args, **kwargs), self._caller, metadata, self._name)
        except grpc.RpcError as error:  # grpc raises at once if a request cannot be serialized
            typed = self._caller.typed_error(error, metadata, self._name)
        try:
            raise typed
        finally:
            del typed  # else a cycle: the error, its traceback, this frame


class _UnaryResponse(_SyncMethod):
    # These two methods repeat the code of a helper, so that a call costs only one more frame.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        metadata = None
        if self._adds or "metadata" in kwargs or len(args) > 2:
            args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            return self._method(*args, **kwargs)
        except grpc.RpcError as error:
            typed = self._caller.typed_error(error, metadata, self._name)
        try:
            raise typed
        finally:
            del typed

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        metadata = None
        if self._adds or "metadata" in kwargs or len(args) > 2:
            args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            # A call that has succeeded raises nothing later, so it stays grpc's own.
            return self._method.with_call(*args, **kwargs)
        except grpc.RpcError as error:
            typed = self._caller.typed_error(error, metadata, self._name)
        try:
            raise typed
        finally:
            del typed

    def future(self, *args: Any, **kwargs: Any) -> Any:
        return self._started(self._method.future, args, kwargs)


class _StreamResponse(_SyncMethod):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._started(self._method, args, kwargs)


# type-arg: grpc's classes take types only in their stubs.
class _UnaryUnaryMethod(_UnaryResponse, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    pass


class _UnaryStreamMethod(_StreamResponse, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    pass


class _StreamUnaryMethod(_UnaryResponse, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    pass


class _StreamStreamMethod(_StreamResponse, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    pass


class _Channel(grpc.Channel):
    def __init__(self, channel: grpc.Channel, caller: Caller) -> None:
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

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        self._channel.subscribe(*args, **kwargs)

    def unsubscribe(self, *args: Any, **kwargs: Any) -> None:
        self._channel.unsubscribe(*args, **kwargs)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        self._channel.__enter__()
        return self

    def __exit__(self, *raised: Any) -> Any:
        return self._channel.__exit__(*raised)
