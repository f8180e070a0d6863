"""Makes stand-ins for methods of a stub, which fail without a channel, a server or a thread."""
# ruff: noqa: ARG001, ARG002  the arguments are those of grpc's own

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc import StatusCode

from errgrpc.codes import ErrorCode
from errgrpc.locales import requested
from errgrpc.remote_error import RemoteError
from errgrpc.testing.errors import remote_error

__all__ = ["failing"]

_CANCELLED = "Locally cancelled by application!"  # the words of grpc
_Make = Callable[[Any], RemoteError]
"""From the metadata of a call to its error: each call has an error of its own."""


def failing(
    code: ErrorCode | StatusCode,
    message: str | None = None,
    *,
    like: object = None,
    locale: str | None = None,
    metadata: Mapping[str, object] | None = None,
    hint: str | Mapping[str, str] | None = None,
    details: Iterable[Message] = (),
    retry_delay: float | timedelta | None = None,
    **more_metadata: object,
) -> Any:
    """Returns a stand-in for a method of a stub. Each of its calls fails with the error.

        stub.GetRoom = failing(ResCode.ROOM_NOT_EXIST)

    The stand-in fails where the real method does: at the call, the iteration or the await. It does
    not read requests, and it does not consume an iterator of requests. On asyncio, `write` succeeds
    until the response is awaited or `done_writing` is called.

    Args:
        code: The code, or a gRPC status.
        message: The text for developers.
        like: The method to stand in for, such as `ShopServiceStub(channel).Watch`, of either stack.
            Give it for a streaming method. By default, the stand-in is a unary-unary method. If an
            event loop runs at the call, it is of grpc.aio, or else of the sync stack.
        locale: The language of the hint if the metadata of the call have no `accept-language`.
        metadata, hint, details, retry_delay, **more_metadata: As for `remote_error`.

    Raises:
        TypeError: As `remote_error` raises it, or `like` is not a method of a stub.
        ValueError: As `remote_error` raises it.
    """
    details = tuple(details)

    def make(asked: Any) -> RemoteError:
        return remote_error(
            code,
            message,
            locale=requested(asked or ()) or locale,
            metadata=metadata,
            hint=hint,
            details=details,
            retry_delay=retry_delay,
            **more_metadata,
        )

    make(())  # fails here, and not at the call, if the arguments are wrong
    if like is None:
        return _Either(make)
    for kind, stand_in in _STAND_INS.items():
        if isinstance(like, kind):
            return stand_in(make)
    raise TypeError(
        f"like is {like!r}: give a method of a stub, such as ShopServiceStub(channel).Buy"
    )


# The sync stack


# type-arg: grpc's classes take types only in their stubs.
class _Call(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call that fails at the first question about it; until then it can be cancelled."""

    def __init__(self, error: RemoteError, timeout: float | None) -> None:
        self._error = error
        self._deadline = None if timeout is None else time.time() + timeout
        self._ended = self._cancelled = False

    def _end(self) -> RemoteError:
        self._ended = True
        return self._error

    def _raise(self) -> NoReturn:
        raise self._end().with_traceback(None)

    def cancel(self) -> bool:
        if self._ended:
            return False
        self._ended = self._cancelled = True
        self._error = remote_error(StatusCode.CANCELLED, _CANCELLED)
        return True

    def cancelled(self) -> bool:
        return self._cancelled

    def running(self) -> bool:
        return not self.done()

    def done(self) -> bool:
        self._end()
        return True

    def is_active(self) -> bool:
        return not self.done()

    def result(self, timeout: float | None = None) -> NoReturn:
        if self._cancelled:
            raise grpc.FutureCancelledError
        self._raise()

    def exception(self, timeout: float | None = None) -> RemoteError:
        if self._cancelled:
            raise grpc.FutureCancelledError
        return self._end()

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        return self.exception(timeout).__traceback__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        self._end()
        fn(self)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._end()
        return False

    def time_remaining(self) -> Any:
        return None if self._deadline is None else max(self._deadline - time.time(), 0)

    def code(self) -> StatusCode:
        return self._end().code()

    def details(self) -> Any:
        return self._end().details()

    def initial_metadata(self) -> Any:
        return self._end().initial_metadata()

    def trailing_metadata(self) -> Any:
        return self._end().trailing_metadata()

    def debug_error_string(self) -> str | None:
        return self._end().debug_error_string()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> NoReturn:
        self._raise()

    next = __next__


class _StandIn:
    arguments: Callable[..., tuple[float | None, Any]]

    def __init__(self, make: _Make) -> None:
        self.make = make


def _unary(
    request: Any,
    timeout: float | None = None,
    metadata: Any = None,
    credentials: Any = None,
    wait_for_ready: bool | None = None,
    compression: Any = None,
) -> tuple[float | None, Any]:
    """Returns the timeout and the metadata of a call with one request."""
    return timeout, metadata


def _stream(
    request_iterator: Any,
    timeout: float | None = None,
    metadata: Any = None,
    credentials: Any = None,
    wait_for_ready: bool | None = None,
    compression: Any = None,
) -> tuple[float | None, Any]:
    """Does the same for a method with a stream of requests."""
    return timeout, metadata


class _UnaryResponse(_StandIn):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _, metadata = self.arguments(*args, **kwargs)
        raise self.make(metadata)

    with_call = __call__

    def future(self, *args: Any, **kwargs: Any) -> Any:
        timeout, metadata = self.arguments(*args, **kwargs)
        return _Call(self.make(metadata), timeout)


class _StreamResponse(_StandIn):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        timeout, metadata = self.arguments(*args, **kwargs)
        return _Call(self.make(metadata), timeout)


# type-arg: grpc's classes take types only in their stubs.
class _UnaryUnary(_UnaryResponse, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_unary)


class _UnaryStream(_StreamResponse, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_unary)


class _StreamUnary(_UnaryResponse, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_stream)


class _StreamStream(_StreamResponse, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_stream)


# The asyncio stack


class _AsyncCall(grpc.aio.Call):
    """A call that fails at the next step of the event loop.

    If it streams requests by `write`, it fails when its response is awaited.
    """

    streams_requests = False

    def __init__(self, error: RemoteError, timeout: float | None, *, by_iterator: bool) -> None:
        self._error = error
        self._by_iterator = by_iterator
        self._callbacks: list[Callable[[Any], Any]] = []
        self._ended = self._cancelled = self._half_closed = False
        self._loop = asyncio.get_running_loop()
        self._deadline = None if timeout is None else time.time() + timeout
        if by_iterator or not self.streams_requests:
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            for callback in self._callbacks:
                callback(self)

    async def _arrived(self) -> RemoteError:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._end()
        return self._error

    async def _fail(self) -> NoReturn:
        error = await self._arrived()
        if self._cancelled:
            raise asyncio.CancelledError
        raise error.with_traceback(None)

    def cancel(self) -> bool:
        if self._ended:
            return False
        self._cancelled = True
        self._error = remote_error(StatusCode.CANCELLED, _CANCELLED)
        self._end()
        return True

    def cancelled(self) -> bool:
        return self._cancelled

    def done(self) -> bool:
        return self._ended

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._ended:
            callback(self)
        else:
            self._callbacks.append(callback)

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.time(), 0)

    async def code(self) -> StatusCode:
        return (await self._arrived()).code()

    async def details(self) -> str:
        return (await self._arrived()).details() or ""

    async def initial_metadata(self) -> Any:
        return grpc.aio.Metadata(*(await self._arrived()).initial_metadata() or ())

    async def trailing_metadata(self) -> Any:
        return grpc.aio.Metadata(*map(tuple, (await self._arrived()).trailing_metadata() or ()))

    async def debug_error_string(self) -> str | None:
        return (await self._arrived()).debug_error_string()

    async def wait_for_connection(self) -> None:
        await self._fail()


class _Awaited(_AsyncCall):
    def __await__(self) -> Generator[Any, None, NoReturn]:
        return self._fail().__await__()


class _Iterated(_AsyncCall):
    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        # As in grpc, a second loop continues where the first stopped.
        if self._responses is None:
            self._responses = self._iterate()
        return self._responses

    async def _iterate(self) -> AsyncIterator[Any]:
        await self._fail()
        yield

    async def read(self) -> NoReturn:
        await self._fail()


class _Writing(_AsyncCall):
    streams_requests = True

    async def write(self, request: Any) -> None:
        self._check_style()
        if self._ended:
            raise asyncio.InvalidStateError("RPC already finished.")
        if self._half_closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        await asyncio.sleep(0)

    async def wait_for_connection(self) -> None:
        await asyncio.sleep(0)
        if self._ended:
            await self._fail()

    async def done_writing(self) -> None:
        self._check_style()
        self._half_closed = True
        self._loop.call_soon(self._end)

    def _check_style(self) -> None:
        if self._by_iterator:
            raise grpc.aio.UsageError(
                "The iterator and read/write APIs may not be mixed on a single RPC."
            )


class _UnaryUnaryCall(_Awaited, grpc.aio.UnaryUnaryCall[Any, Any]):
    pass


class _UnaryStreamCall(_Iterated, grpc.aio.UnaryStreamCall[Any, Any]):
    pass


class _StreamUnaryCall(_Writing, _Awaited, grpc.aio.StreamUnaryCall[Any, Any]):
    pass


class _StreamStreamCall(_Writing, _Iterated, grpc.aio.StreamStreamCall[Any, Any]):
    pass


def _async_unary(
    request: Any,
    *,
    timeout: float | None = None,
    metadata: Any = None,
    credentials: Any = None,
    wait_for_ready: bool | None = None,
    compression: Any = None,
) -> tuple[float | None, Any, bool]:
    return timeout, metadata, False


def _async_stream(
    request_iterator: Any = None,
    timeout: float | None = None,
    metadata: Any = None,
    credentials: Any = None,
    wait_for_ready: bool | None = None,
    compression: Any = None,
) -> tuple[float | None, Any, bool]:
    return timeout, metadata, request_iterator is not None


class _AsyncStandIn:
    arguments: Callable[..., tuple[float | None, Any, bool]]
    kind: Any

    def __init__(self, make: _Make) -> None:
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        timeout, metadata, by_iterator = self.arguments(*args, **kwargs)
        return self.kind(self.make(metadata), timeout, by_iterator=by_iterator)


# type-arg: grpc's classes take types only in their stubs.
class _AsyncUnaryUnary(_AsyncStandIn, grpc.aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_async_unary)
    kind = _UnaryUnaryCall


class _AsyncUnaryStream(_AsyncStandIn, grpc.aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_async_unary)
    kind = _UnaryStreamCall


class _AsyncStreamUnary(_AsyncStandIn, grpc.aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_async_stream)
    kind = _StreamUnaryCall


class _AsyncStreamStream(_AsyncStandIn, grpc.aio.StreamStreamMultiCallable):  # type: ignore[type-arg]
    arguments = staticmethod(_async_stream)
    kind = _StreamStreamCall


class _Either(_UnaryUnary):
    """Fails as the asyncio stack if a loop runs at the call, else as the sync stack."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (
            _AsyncUnaryUnary(self.make)(*args, **kwargs)
            if _runs()
            else super().__call__(*args, **kwargs)
        )


def _runs() -> bool:
    """Returns whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_STAND_INS: Mapping[type, Any] = {
    grpc.UnaryUnaryMultiCallable: _UnaryUnary,
    grpc.UnaryStreamMultiCallable: _UnaryStream,
    grpc.StreamUnaryMultiCallable: _StreamUnary,
    grpc.StreamStreamMultiCallable: _StreamStream,
    grpc.aio.UnaryUnaryMultiCallable: _AsyncUnaryUnary,
    grpc.aio.UnaryStreamMultiCallable: _AsyncUnaryStream,
    grpc.aio.StreamUnaryMultiCallable: _AsyncStreamUnary,
    grpc.aio.StreamStreamMultiCallable: _AsyncStreamStream,
}
