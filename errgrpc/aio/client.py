"""The client interceptors for grpc.aio. They wrap each call, to type its errors."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from typing import Any

import grpc
import grpc.aio

from errgrpc.calls import Caller
from errgrpc.codes import ErrorCode
from errgrpc.remote_error import RemoteError
from errgrpc.reports import OnReceived

__all__ = [
    "StreamStreamCall",
    "StreamUnaryCall",
    "UnaryStreamCall",
    "UnaryUnaryCall",
    "client_interceptors",
]


def client_interceptors(
    *catalogues: type[ErrorCode],
    locale: str | None = None,
    on_received: OnReceived | None = None,
    forward: Iterable[str] = (),
) -> list[grpc.aio.ClientInterceptor]:
    """Returns four interceptors that make failed calls raise RemoteError, on grpc.aio.

        grpc.aio.insecure_channel(
            target, interceptors=errgrpc.aio.client_interceptors(ResCode)
        )

    Each kind of method (unary or streaming) has its own interceptor, because grpc.aio uses an
    interceptor for only one kind. If the channel needs no other interceptor, use
    `errgrpc.aio.wrap_channel`.

    Args:
        *catalogues, locale, on_received, forward: As for `errgrpc.ClientInterceptor`.

    Raises:
        TypeError, ValueError: As `errgrpc.ClientInterceptor` raises them.
    """
    caller = Caller(catalogues, locale, on_received, forward)
    kinds = (
        _UnaryUnaryInterceptor,
        _UnaryStreamInterceptor,
        _StreamUnaryInterceptor,
        _StreamStreamInterceptor,
    )
    return [kind(caller) for kind in kinds]


class _Interceptor:
    _kind: type["_TypedCall"]

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def intercept(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        # Awaits the call, but not its outcome. A caller that still has to write requests would
        # deadlock.
        details = self._caller.details_of(client_call_details)
        try:
            return self._kind(
                await continuation(details, request), self._caller, details.metadata, details.method
            )
        except grpc.RpcError as error:  # an inner interceptor has awaited the call
            typed = self._caller.typed_error(error, details.metadata, details.method)
        try:
            raise typed
        finally:
            del typed


class _TypedCall(grpc.aio.Call):
    """A call whose errors are typed when they are raised."""

    _heard = False

    def __init__(self, call: Any, caller: Caller, metadata: Any, method: Any) -> None:
        self._call = call
        self._caller = caller
        self._metadata = metadata
        self._method = method

    async def _typed(self, outcome: Awaitable[Any]) -> Any:
        """Awaits the outcome of the call, and types its error.

        Raises outside of `except`, so that grpc's own error is not the context.
        """
        try:
            return await outcome
        except grpc.RpcError as error:
            typed = self._typed_error(error)
        try:
            raise typed
        finally:
            del typed  # else a cycle: the error, its traceback, this frame

    def _typed_error(self, error: grpc.RpcError) -> RemoteError:
        heard, self._heard = self._heard, True  # grpc raises the error again for each read
        return self._caller.typed_error(error, self._metadata, self._method, heard=heard)

    def __getattr__(self, name: str) -> Any:
        # debug_error_string, and grpc's private _done_writing_flag, which done_writing uses
        return getattr(self._call, name)

    def __repr__(self) -> str:
        return repr(self._call)

    async def wait_for_connection(self) -> None:
        await self._typed(self._call.wait_for_connection())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._call.add_done_callback(lambda _: callback(self))

    # Python does not call __getattr__ for these methods, because grpc's classes have them as
    # abstract.

    async def initial_metadata(self) -> Any:
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await self._call.trailing_metadata()

    async def code(self) -> Any:
        return await self._call.code()

    async def details(self) -> Any:
        return await self._call.details()

    def cancel(self) -> Any:
        return self._call.cancel()

    def cancelled(self) -> Any:
        return self._call.cancelled()

    def done(self) -> Any:
        return self._call.done()

    def time_remaining(self) -> Any:
        return self._call.time_remaining()


class _UnaryResponse(_TypedCall):
    def __await__(self) -> Generator[Any, None, Any]:
        # Repeats the code of `_typed`, which would cost one more coroutine for each call.
        try:
            return (yield from self._call.__await__())
        except grpc.RpcError as error:
            typed = self._caller.typed_error(error, self._metadata, self._method, heard=self._heard)
            self._heard = True
        try:
            raise typed
        finally:
            del typed


class _StreamResponse(_TypedCall):
    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        # As in grpc, a second loop goes on where the first stopped.
        if self._responses is None:
            self._responses = self._iterate(aiter(self._call))
        return self._responses

    async def _iterate(self, responses: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for response in responses:
                yield response
        except grpc.RpcError as error:
            typed = self._typed_error(error)
        else:
            return
        try:
            raise typed
        finally:
            del typed

    async def read(self) -> Any:
        return await self._typed(self._call.read())


class _StreamRequest(_TypedCall):
    async def write(self, request: Any) -> None:
        await self._typed(self._call.write(request))

    async def done_writing(self) -> None:
        await self._typed(self._call.done_writing())


class UnaryUnaryCall(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A unary-unary call whose errors are typed."""


class UnaryStreamCall(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """A unary-stream call whose errors are typed."""


class StreamUnaryCall(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A stream-unary call whose errors are typed."""


class StreamStreamCall(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """A stream-stream call whose errors are typed."""


class _UnaryUnaryInterceptor(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    _kind = UnaryUnaryCall
    intercept_unary_unary: Any = _Interceptor.intercept


class _UnaryStreamInterceptor(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    _kind = UnaryStreamCall
    intercept_unary_stream: Any = _Interceptor.intercept


class _StreamUnaryInterceptor(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    _kind = StreamUnaryCall
    intercept_stream_unary: Any = _Interceptor.intercept


class _StreamStreamInterceptor(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    _kind = StreamStreamCall
    intercept_stream_stream: Any = _Interceptor.intercept
