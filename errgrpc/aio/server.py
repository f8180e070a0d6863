"""The server interceptor for grpc.aio. It aborts, or sets the status of a sync handler."""

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn

import grpc
import grpc.aio

from errgrpc.aio.context import Aborted, AsyncContext, SyncContext
from errgrpc.answering import Answering, RpcAnswer
from errgrpc.codes import ErrorCode
from errgrpc.context import begin, current, resume
from errgrpc.declaring import Raises
from errgrpc.guards import Behavior, Guards, Responses, ask, tracked
from errgrpc.raised import catcher, leaves, traceback_of
from errgrpc.reports import OnAnswer, OnError
from errgrpc.translating import Translate
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES

__all__ = ["ServerInterceptor"]


class ServerInterceptor(grpc.aio.ServerInterceptor):
    """Answers with an error code if a handler raises, on a `grpc.aio.server`.

        grpc.aio.server(interceptors=[errgrpc.aio.ServerInterceptor(ResCode)])

    Handlers may be coroutines, async generators, coroutines that call `read` and `write`, and sync
    functions.

    Args:
        catalogue: The catalogue whose fallback answers unhandled exceptions.
        translate, on_error, on_answer, raises, send_help, track_context, max_trailer_bytes: As for
            `errgrpc.ServerInterceptor`.

    Raises:
        TypeError, ValueError: As `errgrpc.ServerInterceptor` raises them.
    """

    def __init__(
        self,
        catalogue: type[ErrorCode],
        *,
        translate: Translate | None = None,
        on_error: OnError | None = None,
        on_answer: OnAnswer | None = None,
        raises: Raises | Iterable[Raises] | None = None,
        send_help: bool = False,
        track_context: bool = False,
        max_trailer_bytes: int = DEFAULT_MAX_TRAILER_BYTES,
    ) -> None:
        answering = Answering(
            catalogue,
            translate=translate,
            on_error=on_error,
            on_answer=on_answer,
            raises=raises,
            send_help=send_help,
            track_context=track_context,
            max_trailer_bytes=max_trailer_bytes,
        )
        self._guards = Guards(functools.partial(_guard, answering))
        self._answering = answering

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Wraps the handler of a call, so that its exceptions are answered.

        If an inner interceptor raises, its exception is answered like the exception of a handler.

        Raises:
            TypeError: The server is a `grpc.server`, which needs an `errgrpc.ServerInterceptor`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # A sync server would take the coroutine for a handler. Its thread would end, and each
            # call would hang.
            raise TypeError(
                "errgrpc.aio.ServerInterceptor is for grpc.aio.server; give grpc.server an "
                "errgrpc.ServerInterceptor"
            ) from None
        return self._intercept(continuation, handler_call_details)

    @catcher
    async def _intercept(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        method, task = handler_call_details.method, asyncio.current_task()
        try:
            handler = await continuation(handler_call_details)
        except BaseException as error:
            if _is_cancelled(error, task) or _is_closed(error, task):
                raise
            return grpc.stream_stream_rpc_method_handler(
                _failing(self._answering, method, error, traceback_of(error))
            )
        return self._guards.get(method, handler, asyncio.get_running_loop())


def _guard(answering: Answering, method: str, handler: Any, behavior: Behavior) -> Behavior:
    """Guards a behavior with a function of the same kind.

    grpc and other interceptors tell the kinds apart by the function.
    """
    if _is(inspect.isasyncgenfunction, behavior):
        guarded = _guarded_generator(answering, method, behavior)
    elif _is(inspect.iscoroutinefunction, behavior):
        guarded = _guarded_coroutine(answering, method, behavior)
    elif handler.response_streaming:
        guarded = _guarded_sync_stream(answering, method, behavior)
    else:
        guarded = _guarded_sync(answering, method, behavior)
    if answering.tracks and not _is_async(behavior):
        guarded = tracked(method, guarded, handler)
    return functools.update_wrapper(guarded, behavior)


def _is_async(behavior: Behavior) -> bool:
    return _is(inspect.isasyncgenfunction, behavior) or _is(inspect.iscoroutinefunction, behavior)


def _is(kind: Callable[[Any], bool], behavior: Behavior) -> bool:
    """Tells whether a behavior is of a kind.

    A behavior is a function, an object with `__call__`, or a partial of either.
    """
    while isinstance(behavior, functools.partial):
        behavior = behavior.func
    return kind(behavior) or (not inspect.isroutine(behavior) and kind(type(behavior).__call__))


# Errors are answered outside of `except`, as in sync/server.py.


def _guarded_coroutine(answering: Answering, method: str, behavior: Behavior) -> Behavior:
    standing = functools.partial(answering.standing, method)

    @catcher
    async def guarded(request: Any, grpc_context: Any) -> Any:
        context, task = AsyncContext(grpc_context, standing), asyncio.current_task()
        if answering.tracks:
            # stays until the task ends; each call has its own task
            begin(method, ask(grpc_context, "invocation_metadata"))
        try:
            response = await behavior(request, context)
        except BaseException as error:  # noqa: BLE001  grpc sends no status for BaseException
            failure, trace = error, traceback_of(error)
        else:
            if answering.hears:
                _returned(answering, method, context)
            return response
        try:
            await _abort(answering, method, context, failure, trace, task)
        finally:
            # else a cycle: grpc keeps the exception of its abort, which refers to this frame
            context.sent = None
            del failure, trace, request, context

    return guarded


def _guarded_generator(answering: Answering, method: str, behavior: Behavior) -> Behavior:
    standing = functools.partial(answering.standing, method)

    @catcher
    async def guarded(request: Any, grpc_context: Any) -> AsyncIterator[Any]:
        context, task = AsyncContext(grpc_context, standing), asyncio.current_task()
        if answering.tracks:
            begin(method, ask(grpc_context, "invocation_metadata"))
        call, responses = current() if answering.tracks else None, None
        while True:
            if call is not None:
                resume(call)  # each step may run in another task
            try:
                if responses is None:
                    responses = behavior(request, context)
                response = await anext(responses)
            except StopAsyncIteration:
                if answering.hears:
                    _returned(answering, method, context)
                return
            except BaseException as error:  # noqa: BLE001  grpc sends no status for BaseException
                failure, trace = error, traceback_of(error)
                break
            try:
                yield response
            except GeneratorExit:
                # grpc closes this generator. The handler has not failed, and its generator is
                # closed, too.
                if call is not None:
                    resume(call)
                await responses.aclose()
                raise
        try:
            await _abort(answering, method, context, failure, trace, task)
        finally:
            context.sent = None
            del failure, trace, request, context, responses

    return guarded


def _guarded_sync(answering: Answering, method: str, behavior: Behavior) -> Behavior:
    loop, standing = asyncio.get_running_loop(), functools.partial(answering.standing, method)

    @catcher
    def guarded(request: Any, grpc_context: Any) -> Any:
        context = SyncContext(grpc_context, standing, loop)
        try:
            response = behavior(request, context)
        except BaseException as error:  # noqa: BLE001  StopIteration, too
            failure, trace = error, traceback_of(error)
        else:
            if answering.hears:
                _returned(answering, method, context)
            context.send(None)
            return response
        try:
            context.send(_deliverable(answering, method, context, failure, trace))
        finally:
            del failure, trace
        return None

    return guarded


def _guarded_sync_stream(answering: Answering, method: str, behavior: Behavior) -> Behavior:
    loop, standing = asyncio.get_running_loop(), functools.partial(answering.standing, method)

    def guarded(request: Any, grpc_context: Any) -> Any:
        context = SyncContext(grpc_context, standing, loop)
        fail = functools.partial(_set, answering, method, context)

        def finish() -> None:
            if answering.hears:
                _returned(answering, method, context)
            context.finish()

        # Unlike grpc.server, grpc.aio accepts any iterable, such as a list.
        return Responses(
            lambda *arguments: iter(behavior(*arguments)), (request, context), fail, finish
        )

    return guarded


def _failing(
    answering: Answering, method: str, error: BaseException, trace: TracebackType | None
) -> Behavior:
    # A stream_stream handler can answer all four kinds of methods. It is an async generator,
    # because other interceptors iterate over it.
    async def fail(_: Any, grpc_context: Any) -> AsyncIterator[Any]:
        context = AsyncContext(grpc_context, functools.partial(answering.standing, method))
        if answering.tracks:
            begin(method, ask(grpc_context, "invocation_metadata"))
        await _abort(answering, method, context, error, trace, asyncio.current_task())
        yield

    return fail


def _returned(answering: Answering, method: str, context: AsyncContext | SyncContext) -> None:
    if not context.aborted:  # an abort has already been reported
        answering.returned(method, context.rpc(method).status)


def _is_cancelled(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Tells whether the task of the call is being cancelled.

    grpc cancels it if the client or the server ends the call. The service may cancel it, too.
    """
    return (
        issubclass(type(error), asyncio.CancelledError)
        and task is not None
        and task.cancelling() > 0
    )


def _is_closed(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Tells whether the coroutine is closed outside of its task, so that it cannot answer."""
    if not issubclass(type(error), GeneratorExit):
        return False
    try:
        return asyncio.current_task() is not task
    except RuntimeError:  # the loop has stopped
        return True


async def _abort(
    answering: Answering,
    method: str,
    context: AsyncContext,
    error: BaseException,
    trace: TracebackType | None,
    task: asyncio.Task[Any] | None,
) -> NoReturn:
    ending = not issubclass(type(error), Exception)  # it may end the call, its task or the process
    if ending and _is_closed(error, task):
        raise error
    cancelled, sent = ending and _is_cancelled(error, task), context.sent
    try:
        if sent is not None:
            if not cancelled and any(leaf is not sent for leaf in leaves(error)):
                answering.late(error, method, context.status, trace)
            sent.__context__ = None
            # The status has been sent, and grpc expects its own exception.
            raise sent.with_traceback(None)
        if cancelled:
            # if the service cancelled the task, the client still waits
            await context.cancel(functools.partial(answering.uncoded, method))
            raise error
        gone = issubclass(type(error), grpc.aio.BaseError) and _is_failed_rpc(type(error))
        answer = answering.answer(error, context.rpc(method, gone, trace))
        if context.is_stuck():
            raise asyncio.CancelledError
        await context.send(answer)
    finally:
        if ending:
            _raise_fatal(error)
        # else a cycle: grpc keeps the exception of its abort, which refers to this frame
        del error, trace, context, sent


def _set(
    answering: Answering,
    method: str,
    context: SyncContext,
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    context.apply(_deliverable(answering, method, context, error, trace))


def _deliverable(
    answering: Answering,
    method: str,
    context: SyncContext,
    error: BaseException,
    trace: TracebackType | None,
) -> RpcAnswer:
    """Returns the answer of a sync handler. If it aborted, the abort is the answer."""
    if (aborted := context.answer) is None:
        gone = issubclass(type(error), grpc.aio.BaseError) and _is_failed_rpc(type(error))
        return answering.answer(error, context.rpc(method, gone, trace))
    if type(error) is not Aborted:
        answering.late(error, method, aborted.status, trace)
    return aborted


def _is_failed_rpc(kind: type[BaseException]) -> bool:
    """Tells whether it is a private exception of grpc: a batch failed, or the server stopped."""
    public = (grpc.aio.BaseError, grpc.aio.UsageError, grpc.aio.InternalError, grpc.aio.AbortError)
    return kind.__module__ == grpc.aio.BaseError.__module__ and kind not in public


def _raise_fatal(error: BaseException) -> None:
    """Raises KeyboardInterrupt and SystemExit again in the main thread, to end the process.

    The client has its answer by then. In another thread, they would end the loop and all other
    calls.
    """
    if threading.current_thread() is threading.main_thread():
        for leaf in leaves(error):
            if issubclass(type(leaf), KeyboardInterrupt | SystemExit):
                raise leaf
