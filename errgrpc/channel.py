"""A channel of grpc's sync stack whose calls raise typed errors by themselves, without grpc's chain of interceptors around each."""

from typing import Any, Self

import grpc

from errgrpc.arguments import shown
from errgrpc.client import TypedCall, lasting, localized, typed_error
from errgrpc.codes import ErrorCode
from errgrpc.reading import Reading

__all__ = ["Method", "wrap_channel"]


def wrap_channel(channel: grpc.Channel, *catalogues: type[ErrorCode], locale: str | None = None) -> grpc.Channel:
    """A channel that raises failed calls as RemoteError and is otherwise the same: `wrap_channel(grpc.insecure_channel(target), ResCode)`.

    `catalogues` and `locale`, and what they raise, are those of `errgrpc.ClientInterceptor`, which is for chains of
    interceptors; without one, this is faster and changes less. Raises TypeError for what is no channel of grpc's sync stack.
    """
    if not isinstance(channel, grpc.Channel):
        raise TypeError(f"{shown(channel)} is no grpc.Channel; errgrpc.aio.wrap_channel takes those of grpc.aio")
    return _Channel(channel, Reading(catalogues, locale))


class Method:
    """What the methods of both stacks share. Their arguments are grpc's affair, but for the metadata."""

    def __init__(self, method: Any, reading: Reading) -> None:
        self._method = method
        self._reading = reading
        self._localizes = bool(reading.accept_language(None)[1])

    def _prepared(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """The arguments of a call with metadata that ask for the languages of the caller, and these metadata."""
        positional = len(args) > 2  # request, timeout, metadata
        given = args[2] if positional else kwargs.get("metadata")
        # With nothing to add, what they ask for is of interest only to a call that failed.
        metadata = localized(given, self._reading) if self._localizes else lasting(given)
        if metadata is given:
            return args, kwargs, given
        if positional:
            return (*args[:2], metadata, *args[3:]), kwargs, metadata
        return args, {**kwargs, "metadata": metadata}, metadata


class _Method(Method):
    def _started(self, start: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypedCall:
        args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            return TypedCall(start(*args, **kwargs), self._reading, metadata)
        except grpc.RpcError as error:  # at once when a request cannot be serialized
            typed = typed_error(error, self._reading, metadata)
        try:
            raise typed
        finally:
            del typed  # else the error would refer to itself through its traceback


class _UnaryResponse(_Method):
    # The two that most calls go through are written out: one frame of ours is all that they cost.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        metadata = None
        if self._localizes or "metadata" in kwargs or len(args) > 2:
            args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            return self._method(*args, **kwargs)
        except grpc.RpcError as error:
            typed = typed_error(error, self._reading, metadata)
        try:
            raise typed
        finally:
            del typed

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        metadata = None
        if self._localizes or "metadata" in kwargs or len(args) > 2:
            args, kwargs, metadata = self._prepared(args, kwargs)
        try:
            return self._method.with_call(*args, **kwargs)  # a call that succeeded: grpc's own, as it raises nothing any more
        except grpc.RpcError as error:
            typed = typed_error(error, self._reading, metadata)
        try:
            raise typed
        finally:
            del typed

    def future(self, *args: Any, **kwargs: Any) -> Any:
        return self._started(self._method.future, args, kwargs)


class _StreamResponse(_Method):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._started(self._method, args, kwargs)


class _UnaryUnary(_UnaryResponse, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    pass


class _UnaryStream(_StreamResponse, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    pass


class _StreamUnary(_UnaryResponse, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    pass


class _StreamStream(_StreamResponse, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    pass


class _Channel(grpc.Channel):
    def __init__(self, channel: grpc.Channel, reading: Reading) -> None:
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
