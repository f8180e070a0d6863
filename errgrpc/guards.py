"""What the servers of both stacks share: guarded handlers, and the responses of a sync stream."""

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any

import grpc

from errgrpc.context import Tracked, begin, current, end, resume
from errgrpc.raised import catcher, traceback_of

__all__ = ["Behavior", "Fail", "Guards", "Responses", "ask", "tracked"]

Behavior = Callable[..., Any]
"""The function of a handler: from request and context to response.

A request or a response may be an iterator of several.
"""

Fail = Callable[[BaseException, TracebackType | None], object]
"""The function that answers an exception.

It gets the traceback as it was caught, because other threads may raise the same instance.
"""


class Guards:
    """The guarded handler of each method. Each is made once, not for every call."""

    _MOST = 4_096  # methods; a generic handler may accept names that clients invent

    def __init__(self, guard: Callable[[str, Any, Behavior], Behavior]) -> None:
        self._guard = guard
        self._made: dict[str, tuple[Any, Any, Any]] = {}

    def get(self, method: str, handler: Any, loop: object = None) -> Any:
        """Returns the guarded `handler` for this event loop.

        None stays None: grpc then answers UNIMPLEMENTED.
        """
        if handler is None:
            return None
        of, within, guarded = self._made.get(method, (None, None, None))
        # Made for the first call, for another loop (a second asyncio.run), and for a new handler.
        # An inner interceptor may make a new handler for each call.
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
    """The responses of a sync streaming handler.

    If the handler raises, `fail` is called, and the stream ends. If it ends normally, `finish` is
    called.

    This is a class and not a generator. If the client cancels, grpc closes a generator with
    GeneratorExit. A generator could not tell this from a GeneratorExit that the handler raised.

    It catches BaseException: grpc sends no status for KeyboardInterrupt and the like, and the
    client would hang.
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
        except BaseException as error:  # noqa: BLE001  it is answered below
            failure, trace = error, traceback_of(error)
        try:
            self._fail(failure, trace)  # outside of `except`, see sync/server.py
        finally:
            del failure, trace  # else a cycle: the error, its traceback, this frame
        raise StopIteration

    def close(self) -> None:
        """Closes the generator of the handler, if it is one."""
        if isinstance(self._responses, Generator):
            self._responses.close()

    def _begun(self) -> Any:
        try:
            return self._behavior(*self._arguments)
        except StopIteration as error:
            # A plain function raised it, so it is not the end of the responses (PEP 479).
            raise RuntimeError("the handler raised StopIteration") from error


def tracked(method: str, guarded: Behavior, handler: Any) -> Behavior:
    """Wraps a guarded sync handler, so that its call is the current one in each step.

    Between two steps, its thread serves other calls, too.
    """

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
        """Closes the generator of the handler, if it is one."""
        token = resume(self._call)
        try:
            self._responses.close()
        finally:
            end(token)

    def __del__(self) -> None:
        # If the client has cancelled, this may be the last reference to the handler's generator.
        # The generator then ends here, and must know its call.
        token = resume(self._call)
        try:
            del self._responses
        finally:
            end(token)


def ask(context: Any, name: str, unknown: Any = None) -> Any:
    """Asks a context about its call, and returns `unknown` if it raises.

    The wrapper of another interceptor may raise, because it does not pass on the question.
    """
    try:
        return getattr(context, name)()
    except BaseException:  # noqa: BLE001  whatever it raises, the client still waits for its answer
        return unknown
