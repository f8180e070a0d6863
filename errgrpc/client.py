"""How grpc's sync client raises a typed error: every call comes back as one that translates what it raises."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from errgrpc.codes import ErrorCode
from errgrpc.errors import RemoteError
from errgrpc.reading import Reading

__all__ = ["ClientInterceptor"]


class ClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Raises failed calls as RemoteError: `grpc.intercept_channel(channel, errgrpc.ClientInterceptor(ResCode))`.

    `catalogues` are those that it reads typed; the first with an inference table also guesses the code of an error that
    came without one. `locale`, a language tag or a whole `accept-language` value, is sent as `accept-language` with each
    call that has none.

    Raises TypeError for what is no catalogue, ValueError for two that share a domain and a reason and for a broken locale.
    """

    def __init__(self, *catalogues: type[ErrorCode], locale: str | None = None) -> None:
        self._reading = Reading(catalogues, locale)

    def _intercept(self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any) -> Any:
        languages, added = self._reading.languages(client_call_details.metadata)
        if added:
            client_call_details = _CallDetails(client_call_details, (*(client_call_details.metadata or ()), *added))
        return TypedCall(continuation(client_call_details, request), self._reading, languages)

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept


class _CallDetails(grpc.ClientCallDetails):
    """The details of a call with other metadata. What they lack stays absent: grpc then takes the caller's."""

    def __init__(self, details: grpc.ClientCallDetails, metadata: tuple[Any, ...]) -> None:
        for name in ("method", "timeout", "credentials", "wait_for_ready", "compression"):
            if hasattr(details, name):
                setattr(self, name, getattr(details, name))
        self.metadata = metadata


class TypedCall(grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call whose errors are typed where they are raised, and otherwise the call itself.

    It is lazy: asking the call for anything here would block, and on grpc's single-threaded streams be a UsageError.
    """

    def __init__(self, call: Any, reading: Reading, languages: str | None) -> None:
        self._call = call
        self._reading = reading
        self._languages = languages
        self._error: RemoteError | None = None

    def _typed(self, error: grpc.RpcError) -> RemoteError:
        if self._error is None:
            self._error = self._reading.read(error, self._languages)
        return self._error

    def result(self, timeout: float | None = None) -> Any:
        try:
            return self._call.result(timeout)
        except grpc.RpcError as error:
            raise self._typed(error) from None

    def exception(self, timeout: float | None = None) -> Any:
        error = self._call.exception(timeout)
        return self._typed(error) if isinstance(error, grpc.RpcError) else error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise self._typed(error) from None

    next = __next__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        self._call.add_done_callback(lambda _: fn(self))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)  # debug_error_string, and whatever else a call of grpc's has

    # The abstract methods of grpc's classes, for which __getattr__ is not asked.

    def traceback(self, timeout: float | None = None) -> Any:
        return self._call.traceback(timeout)

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
