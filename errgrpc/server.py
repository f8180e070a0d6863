"""How grpc's sync server delivers an answer: trailing metadata, then `context.abort`."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc

from errgrpc.answering import Answer, Answering, OnError, Rpc, Translate, is_coded, status_of
from errgrpc.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.codes import ErrorCode

__all__ = ["Guards", "Responses", "ServerInterceptor", "plain", "told"]

Behavior = Callable[..., Any]


class ServerInterceptor(grpc.ServerInterceptor):
    """Answers what handlers raise: `grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(ResCode)])`.

    `catalogue` is the one whose fallback answers what nobody foresaw; a ServiceError of any catalogue is answered as itself.
    `translate` maps exception classes to codes, or to functions from the exception to a ServiceError; the most specific class
    wins. `on_error(error, *, method, code, request_id)` hears of unforeseen errors in place of the log record.
    `max_trailer_bytes` bounds the trailers of an answer, at least 1,024.

    Raises TypeError for what is no catalogue and ValueError for one without a fallback.
    """

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        translate: Translate | None = None,
        on_error: OnError | None = None,
        max_trailer_bytes: int = DEFAULT_MAX_TRAILER_BYTES,
    ) -> None:
        answering = Answering(catalogue, translate=translate, on_error=on_error, max_trailer_bytes=max_trailer_bytes)
        self._guards = Guards(functools.partial(_guard, answering))
        self._answering = answering

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """The handler of an RPC, guarded. What an interceptor inside ours raises is answered like a handler's error."""
        try:
            handler = continuation(handler_call_details)
        except BaseException as error:  # noqa: BLE001  no status would be sent, and the client would hang
            fail = functools.partial(_fail_service, self._answering, handler_call_details.method, error)
            return grpc.stream_stream_rpc_method_handler(fail)
        return self._guards.get(handler_call_details.method, handler)


class Guards:
    """The guarded handler of each method, made once and not for every call."""

    _MOST = 4_096  # methods; a generic handler may answer names that the client makes up

    def __init__(self, guard: Callable[[str, Any, Behavior], Behavior]) -> None:
        self._guard = guard
        self._made: dict[str, tuple[Any, Any]] = {}

    def get(self, method: str, handler: Any) -> Any:
        """`handler` with its behavior guarded; None for None, which grpc answers UNIMPLEMENTED."""
        if handler is None:
            return None
        of, guarded = self._made.get(method, (None, None))
        if of is not handler:  # the first call, or an inner interceptor that makes a new handler each time
            guarded = self._rebuilt(method, handler)
            if len(self._made) >= self._MOST:
                self._made.clear()
            self._made[method] = handler, guarded
        return guarded

    def _rebuilt(self, method: str, handler: Any) -> Any:
        kind = ("stream" if handler.request_streaming else "unary") + ("_stream" if handler.response_streaming else "_unary")
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        guarded = self._guard(method, handler, getattr(handler, kind))
        return make(guarded, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer)


def _guard(answering: Answering, method: str, handler: Any, behavior: Behavior) -> Behavior:
    # Grpc hands a behavior that is marked `experimental_non_blocking` a callback, and iterates over nothing.
    def guarded(request: Any, context: grpc.ServicerContext, *callback: Any) -> Any:
        if handler.response_streaming and not callback:
            return Responses(behavior, (request, context), functools.partial(_abort, answering, method, context))
        try:
            return behavior(request, context, *callback)
        except BaseException as error:  # noqa: BLE001  see Responses
            failure = error
        try:
            _abort(answering, method, context, failure)  # outside of `except`, see aio/server.py
        finally:
            del failure  # it refers to this frame through its traceback

    # That mark is an attribute of the behavior, as is `experimental_thread_pool`.
    return functools.update_wrapper(guarded, behavior)


class Responses:
    """The responses of a streaming handler: its errors go to `fail`, and it ends when that returns; `finish` hears of its end.

    A class and not a generator: the client's cancellation closes a generator with GeneratorExit, which could not be told
    from one that the handler raised. BaseException, for grpc sends no status for the others and the client would hang.
    """

    def __init__(
        self,
        behavior: Behavior,
        arguments: tuple[Any, ...],
        fail: Callable[[BaseException], object],
        finish: Callable[[], object] = lambda: None,
    ) -> None:
        self._behavior = behavior
        self._arguments = arguments
        self._fail = fail
        self._finish = finish
        self._responses: Any = None

    def __iter__(self) -> Iterator[Any]:
        return self

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
            failure = error
        try:
            self._fail(failure)  # outside of `except`, see aio/server.py
        finally:
            del failure  # it refers to this frame through its traceback
        raise StopIteration

    def _begun(self) -> Any:
        try:
            return self._behavior(*self._arguments)
        except StopIteration as error:  # raised by what is no generator: not the end of its responses (PEP 479)
            raise RuntimeError("the handler raised StopIteration") from error


def _abort(answering: Answering, method: str, context: grpc.ServicerContext, error: BaseException) -> NoReturn:
    if (answer := plain(answering, context, error)) is None:
        answer = _answer(answering, method, context, error)
    context.set_trailing_metadata(answer.trailers)
    context.abort(answer.status, answer.message)


def plain(answering: Answering, context: Any, error: BaseException) -> Answer | None:
    """The answer to most errors: a ServiceError of a handler that has set no trailing metadata."""
    if not is_coded(error) or told(context, "trailing_metadata"):
        return None
    return answering.plain(error, told(context, "invocation_metadata") or ())


def _answer(answering: Answering, method: str, context: grpc.ServicerContext, error: BaseException) -> Answer:
    code, details, metadata, trailers = _all_told(context)
    if type(error) is grpc.RpcError and told(context, "is_active") is False:
        raise error  # the requests ended because the client has gone; grpc knows its own exception and says nothing
    bare = type(error) is Exception and not error.args  # all that `context.abort` leaves behind
    if bare and code is _UNTOLD:
        raise error  # grpc knows whether it was an abort, and of what; there is no text to hide
    # Behind another interceptor's context, what an abort leaves behind is all that tells it; any code is taken, None too.
    marked = getattr(getattr(context, "_state", None), "aborted", code is not None or bool(details))
    rpc = Rpc(
        method,
        metadata or (),
        trailers or (),
        status_of(code),
        details.decode(errors="replace") if isinstance(details, bytes) else str(details),
        aborted=bare and marked,
    )
    return answering.answer(error, rpc)


def _fail_service(answering: Answering, method: str, error: BaseException, _: Any, context: grpc.ServicerContext) -> NoReturn:
    # A stream_stream handler answers methods of all four kinds, and the kind of this one is unknown.
    _abort(answering, method, context, error)


_UNTOLD = object()


def _all_told(context: Any) -> tuple[Any, Any, Any, Any]:
    """Code, details, the client's metadata and the trailing metadata, with grpc's own context in one go."""
    try:
        return context.code(), context.details() or b"", context.invocation_metadata(), context.trailing_metadata()
    except (AttributeError, NotImplementedError, RuntimeError):
        names = ("invocation_metadata", "trailing_metadata")
        return told(context, "code", _UNTOLD), told(context, "details") or b"", *(told(context, name) for name in names)


def told(context: Any, name: str, unknown: Any = None) -> Any:
    """What a context says of the RPC; `unknown` where the wrapper of another interceptor does not pass the question on."""
    try:
        return getattr(context, name)()
    except (AttributeError, NotImplementedError, RuntimeError):
        return unknown
