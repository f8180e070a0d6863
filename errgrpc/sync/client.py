"""How grpc's sync client raises a typed error: every call comes back as one that translates what it raises."""

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
    """Raises failed calls as RemoteError: `grpc.intercept_channel(channel, errgrpc.ClientInterceptor(ResCode))`.

    `catalogues` are those that it reads typed; without any, `error_code` is None. The first with an inference table also
    guesses the code of an error that came without one. `locale`, a language tag or a whole `accept-language` value, is sent
    as `accept-language` with each call that has none. `on_received(error, *, method)` is called once for each failed call,
    when its caller is first given the error: a future that nothing asks for its outcome is not heard. `forward` names metadata of
    `errgrpc.current_call()` that are sent on with each call that lacks them, such as `("x-request-id", "accept-language")`; a value
    that is not 1 to 256 printable ASCII characters is not sent on.

    Raises TypeError if an argument is not a catalogue, and ValueError if two share a (domain, reason), the locale is malformed,
    or `forward` holds what is never sent on: `grpc-*`, `*-bin`, `authorization`, `cookie` and what HTTP/2 itself uses.
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
        except grpc.RpcError as raised:  # grpc raises at once when a request cannot be serialized
            error = raised
        else:
            if not isinstance(call, grpc.RpcError) or hasattr(call, "__next__"):
                return TypedCall(call, self._caller, details.metadata, details.method)
            # Grpc hands on the error of a blocking call, and what an interceptor inside ours has raised, as if it were the call.
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


class TypedCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call whose errors are typed where they are raised, and otherwise the call itself; an RpcError, as grpc's own are.

    It is lazy: asking the call for anything here would block, and on grpc's single-threaded streams be a UsageError.
    """

    _error: RemoteError | None = None
    _traceback: TracebackType | None = None

    def __init__(self, call: Any, caller: Caller, metadata: Any, method: Any) -> None:
        self._call = self._responses = call
        self._caller = caller
        self._metadata = metadata
        self._method = method

    def _typed(self, error: grpc.RpcError) -> RemoteError:
        """The typed error, one for the call as grpc's own is; atomic, for several threads may wait for one future."""
        if self._error is None:
            typed = self._caller.typed_error(error, self._metadata, self._method)
            self._traceback = typed.__traceback__  # an interceptor inside ours may have raised it
            vars(self).setdefault("_error", typed)
        return self._error  # type: ignore[return-value]

    # Errors are raised outside of `except`, so that grpc's own error is not shown as their context, and with the
    # traceback that they had at first, which would otherwise grow with each raise.

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
        # grpc's own calls are iterators, those of other interceptors may be iterable
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
        @functools.wraps(fn)  # grpc logs the callback's name, and nothing else, when it raises
        def hand_over(_: Any) -> None:
            fn(self)

        self._call.add_done_callback(hand_over)

    def __getattr__(self, name: str) -> Any:
        # debug_error_string, and whatever else a call of grpc's has
        return getattr(self._call, name)

    def __repr__(self) -> str:
        return repr(self._call)

    def __str__(self) -> str:
        return str(self._call)

    # The abstract methods of grpc's classes, for which __getattr__ is not asked.

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
