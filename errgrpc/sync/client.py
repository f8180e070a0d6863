"""The client interceptor for grpc's sync stack. It wraps each call, to type its errors."""

import functools
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

import grpc

from errgrpc.calls import Caller
from errgrpc.codes import ErrorCode
from errgrpc.remote_error import RemoteError
from errgrpc.reports import OnReceived

__all__ = ["ClientInterceptor", "TypedCall"]


class ClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Makes failed calls raise RemoteError, on grpc's sync stack.

        channel = grpc.intercept_channel(channel, errgrpc.ClientInterceptor(ResCode))

    If the channel needs no other interceptor, use `errgrpc.wrap_channel`, which is faster.

    Args:
        *catalogues: The catalogues whose codes are known. If the peer sent no ErrorInfo, the first
            catalogue with an inference table guesses the code from the status. Without catalogues,
            `error_code` is always None.
        locale: A language tag (BCP 47) or a whole `accept-language` value (RFC 9110). The client
            sends it as `accept-language` with each call that has none.
        on_received: Called as `on_received(error, *, method)` once for each failed call, when the
            caller first gets the error. If the caller never asks a future for its outcome, the hook
            is not called.
        forward: Names of metadata of the call that this server is handling, such as
            `("x-request-id", "accept-language")`. The client adds these metadata to each call that
            lacks them. The server needs `track_context=True`. A value is sent only if it has 1 to
            256 printable ASCII characters.

    Raises:
        TypeError: An argument is not a catalogue, `on_received` is async or no function, or
            `forward` is not a collection.
        ValueError: Two catalogues share a domain and a reason, or `locale` is malformed. A name in
            `forward` is not in lower case, or must not be forwarded. These are `grpc-*`, `*-bin`,
            `authorization`, `cookie` and similar secrets, and headers of one connection such as
            `te` and `content-type`.
    """

    def __init__(
        self,
        *catalogues: type[ErrorCode],
        locale: str | None = None,
        on_received: OnReceived | None = None,
        forward: Iterable[str] = (),
    ) -> None:
        self._caller = Caller(catalogues, locale, on_received, forward)

    def _intercept(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        details = self._caller.details_of(client_call_details)
        try:
            call = continuation(details, request)
        except grpc.RpcError as raised:  # grpc raises at once if a request cannot be serialized
            error = raised
        else:
            if not isinstance(call, grpc.RpcError) or hasattr(call, "__next__"):
                return TypedCall(call, self._caller, details.metadata, details.method)
            # grpc passes on two kinds of errors as if they were the call: the error of a blocking
            # call, and what an inner interceptor raised.
            if isinstance(call, grpc.Future):
                if call.done():
                    return self._caller.typed_error(call, details.metadata, details.method)
                return TypedCall(call, self._caller, details.metadata, details.method)
            error = call
        raise self._caller.typed_error(error, details.metadata, details.method)

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept


# type-arg: grpc's classes take types only in their stubs.
class TypedCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call whose errors are typed when they are raised. It is an RpcError, as grpc's calls are.

    It asks the call for nothing before the caller does. A question would block, and on grpc's
    single-threaded streams it would raise UsageError.
    """

    _error: RemoteError | None = None
    _traceback: TracebackType | None = None

    def __init__(self, call: Any, caller: Caller, metadata: Any, method: Any) -> None:
        self._call = self._responses = call
        self._caller = caller
        self._metadata = metadata
        self._method = method

    def _typed(self, error: grpc.RpcError) -> RemoteError:
        """Returns the typed error, always the same one for a call, as grpc does.

        `setdefault` is atomic: several threads may wait for one future.
        """
        if self._error is None:
            typed = self._caller.typed_error(error, self._metadata, self._method)
            self._traceback = typed.__traceback__  # set if an inner interceptor raised it
            vars(self).setdefault("_error", typed)
        return self._error  # type: ignore[return-value]  # set above

    # Errors are raised outside of `except`, so that grpc's own error is not their context. Each
    # raise makes a traceback longer, so the first one is restored.

    def result(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._call.result(*args, **kwargs)
        except grpc.RpcError as error:
            typed = self._typed(error)
        raise typed.with_traceback(self._traceback)

    def exception(self, *args: Any, **kwargs: Any) -> Any:
        error = self._call.exception(*args, **kwargs)
        return self._typed(error) if isinstance(error, grpc.RpcError) else error

    def __iter__(self) -> Iterator[Any]:
        # The calls of grpc are iterators. The call of another interceptor may only be iterable.
        self._responses = iter(self._call)
        return self

    def __next__(self) -> Any:
        try:
            return next(self._responses)
        except grpc.RpcError as error:
            typed = self._typed(error)
        raise typed.with_traceback(self._traceback)

    next = __next__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        @functools.wraps(fn)  # if the callback raises, grpc logs only its name
        def hand_over(_: Any) -> None:
            fn(self)

        self._call.add_done_callback(hand_over)

    def __getattr__(self, name: str) -> Any:
        # debug_error_string, and all other attributes of grpc's call
        return getattr(self._call, name)

    def __repr__(self) -> str:
        return repr(self._call)

    def __str__(self) -> str:
        return str(self._call)

    # Python does not call __getattr__ for these methods, because grpc's classes have them as
    # abstract.

    def traceback(self, *args: Any, **kwargs: Any) -> Any:
        return self._call.traceback(*args, **kwargs)

    def initial_metadata(self) -> Any:
        return self._call.initial_metadata()

    def trailing_metadata(self) -> Any:
        return self._call.trailing_metadata()

    def code(self) -> Any:
        return self._call.code()

    def details(self) -> Any:
        return self._call.details()

    def cancel(self) -> Any:
        return self._call.cancel()

    def cancelled(self) -> Any:
        return self._call.cancelled()

    def running(self) -> Any:
        return self._call.running()

    def done(self) -> Any:
        return self._call.done()

    def is_active(self) -> Any:
        return self._call.is_active()

    def time_remaining(self) -> Any:
        return self._call.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> Any:
        return self._call.add_callback(callback)
