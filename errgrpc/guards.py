"""What the servers of both stacks share: the guarded handler of each method, and the responses of a sync stream."""

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any

import grpc

from errgrpc.context import Tracked, begin, current, end, resume
from errgrpc.raised import catcher, traceback_of

__all__ = ["Behavior", "Fail", "Guards", "Responses", "ask", "tracked"]

Behavior = Callable[..., Any]
"""The function of a handler: from request or requests and context to response or responses."""

Fail = Callable[[BaseException, TracebackType | None], object]
"""What answers an exception; with its traceback as it was when it was caught, for threads may raise one instance at once."""


class Guards:
    """The guarded handler of each method, made once and not for every call."""

    _MOST = 4_096  # methods; a generic handler may answer names that the client makes up

    def __init__(self, guard: Callable[[str, Any, Behavior], Behavior]) -> None:
        self._guard = guard
        self._made: dict[str, tuple[Any, Any, Any]] = {}

    def get(self, method: str, handler: Any, loop: object = None) -> Any:
        """`handler` with its behavior guarded, in this event loop; None for None, which grpc answers UNIMPLEMENTED."""
        if handler is None:
            return None
        of, within, guarded = self._made.get(method, (None, None, None))
        # The first call, an inner interceptor that makes a new handler each time, or another loop (a second asyncio.run).
        if of is not handler or within is not loop:
            guarded = self._rebuilt(method, handler)
            if len(self._made) >= self._MOST:
                self._made.clear()
            self._made[method] = handler, loop, guarded
        return guarded

    def _rebuilt(self, method: str, handler: Any) -> Any:
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        guarded = self._guard(method, handler, getattr(handler, kind))
        return make(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class Responses:
    """The responses of a streaming handler: its errors go to `fail`, and it ends when that returns; `finish` hears of its end.

    A class and not a generator: the client's cancellation closes a generator with GeneratorExit, which could not be told
    from one that the handler raised. BaseException, for grpc sends no status for the others and the client would hang.
    """

    def __init__(
        self,
        behavior: Behavior,
        arguments: tuple[Any, ...],
        fail: Fail,
        finish: Callable[[], object] = lambda: None,
    ) -> None:
        self._behavior = behavior
        self._arguments = arguments
        self._fail = fail
        self._finish = finish
        self._responses: Any = None

    def __iter__(self) -> Iterator[Any]:
        return self

    @catcher
    def __next__(self) -> Any:
        try:
            responses = self._responses
            if responses is None:
                responses = self._responses = self._begun()
            return next(responses)
        except StopIteration:
            self._finish()
            raise
        except BaseException as error:  # noqa: BLE001
            failure, trace = error, traceback_of(error)
        try:
            self._fail(failure, trace)  # outside of `except`, see sync/server.py
        finally:
            del failure, trace  # they refer to this frame
        raise StopIteration

    def close(self) -> None:
        """Ends a generator that has not come to its end."""
        if isinstance(self._responses, Generator):
            self._responses.close()

    def _begun(self) -> Any:
        try:
            return self._behavior(*self._arguments)
        except StopIteration as error:
            # raised by what is no generator: not the end of its responses (PEP 479)
            raise RuntimeError("the handler raised StopIteration") from error


def tracked(method: str, guarded: Behavior, handler: Any) -> Behavior:
    """A guarded sync handler during which its call is the current one: in each of its steps, as its thread serves other calls, too."""

    def behavior(request: Any, context: Any, *callback: Any) -> Any:
        token = begin(method, ask(context, "invocation_metadata"))
        try:
            responses, call = guarded(request, context, *callback), current()
        finally:
            end(token)
        if call is None or not handler.response_streaming or callback:
            return responses
        return _Steps(responses, call)

    return behavior


class _Steps:
    def __init__(self, responses: Responses, call: Tracked) -> None:
        self._responses = responses
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        token = resume(self._call)
        try:
            return next(self._responses)
        finally:
            end(token)

    def close(self) -> None:
        """Ends a generator that has not come to its end."""
        token = resume(self._call)
        try:
            self._responses.close()
        finally:
            end(token)

    def __del__(self) -> None:
        # The client has cancelled: a generator that only this call has ends here. It may be one that the service still holds.
        token = resume(self._call)
        try:
            del self._responses
        finally:
            end(token)


def ask(context: Any, name: str, unknown: Any = None) -> Any:
    """What a context answers to a question about its RPC.

    `unknown` if it raises, as the wrapper of another interceptor does that does not pass the question on.
    """
    try:
        return getattr(context, name)()
    except BaseException:  # noqa: BLE001  whatever it raises, the client still waits for its answer
        return unknown
