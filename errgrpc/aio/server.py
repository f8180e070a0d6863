"""How grpc's asyncio server delivers an answer: `await context.abort`, and for sync handlers a status that is set."""

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
    """Answers what handlers raise: `grpc.aio.server(interceptors=[errgrpc.aio.ServerInterceptor(ResCode)])`.

    For coroutines, async generators, reader/writer coroutines and sync handlers. The arguments, and what they raise, are
    those of `errgrpc.ServerInterceptor`.
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
        """The handler of an RPC, guarded. What an interceptor inside ours raises is answered like a handler's error."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # a sync server takes what this returns for a handler; its thread would end, and each call
            # hang
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
    """The context of the behavior's own kind: grpc and other interceptors tell the kinds apart by the function."""
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
    """Whether a function, an object with `__call__`, or a partial of either is of a kind."""
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
            # until the end of the task, which is the call's own
            begin(method, ask(grpc_context, "invocation_metadata"))
        try:
            response = await behavior(request, context)
        except BaseException as error:  # noqa: BLE001  grpc sends no status for the others
            failure, trace = error, traceback_of(error)
        else:
            if answering.hears:
                _returned(answering, method, context)
            return response
        try:
            await _abort(answering, method, context, failure, trace, task)
        finally:
            # grpc keeps the exception of its abort, and that refers to this frame.
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
                resume(call)  # each step may have a task of its own
            try:
                if responses is None:
                    responses = behavior(request, context)
                response = await anext(responses)
            except StopAsyncIteration:
                if answering.hears:
                    _returned(answering, method, context)
                return
            except BaseException as error:  # noqa: BLE001  grpc sends no status for the others
                failure, trace = error, traceback_of(error)
                break
            try:
                yield response
            except GeneratorExit:
                # this generator is being closed, which is no error of the handler's, and closes its own
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
        except BaseException as error:  # noqa: BLE001  StopIteration too: grpc sends no status for it
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

        # Unlike the sync server, this one takes whatever can be iterated over, such as a list.
        return Responses(
            lambda *arguments: iter(behavior(*arguments)), (request, context), fail, finish
        )

    return guarded


def _failing(
    answering: Answering, method: str, error: BaseException, trace: TracebackType | None
) -> Behavior:
    # A stream_stream handler answers methods of all four kinds; an async generator, as other interceptors iterate over it.
    async def fail(_: Any, grpc_context: Any) -> AsyncIterator[Any]:
        context = AsyncContext(grpc_context, functools.partial(answering.standing, method))
        if answering.tracks:
            begin(method, ask(grpc_context, "invocation_metadata"))
        await _abort(answering, method, context, error, trace, asyncio.current_task())
        yield

    return fail


def _returned(answering: Answering, method: str, context: AsyncContext | SyncContext) -> None:
    if not context.aborted:  # else it has been told
        answering.returned(method, context.rpc(method).status)


def _is_cancelled(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Whether the RPC's task is being cancelled: by grpc when the client or the server ends the call, or by the service."""
    return (
        issubclass(type(error), asyncio.CancelledError)
        and task is not None
        and task.cancelling() > 0
    )


def _is_closed(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Whether the coroutine is being closed without its task: there is no way to answer."""
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
            # the status is on its way, and grpc wants its own exception back
            raise sent.with_traceback(None)
        if cancelled:
            # if the service cancelled the task, the client waits
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
        # grpc keeps the exception of its abort, and that refers to this frame
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
    """The answer of a sync handler: what it aborted with stands, whatever it raised then."""
    if (aborted := context.answer) is None:
        gone = issubclass(type(error), grpc.aio.BaseError) and _is_failed_rpc(type(error))
        return answering.answer(error, context.rpc(method, gone, trace))
    if type(error) is not Aborted:
        answering.late(error, method, aborted.status, trace)
    return aborted


def _is_failed_rpc(kind: type[BaseException]) -> bool:
    """Whether it is one of grpc's private exceptions for a batch that failed or a server that stopped."""
    public = (grpc.aio.BaseError, grpc.aio.UsageError, grpc.aio.InternalError, grpc.aio.AbortError)
    return kind.__module__ == grpc.aio.BaseError.__module__ and kind not in public


def _raise_fatal(error: BaseException) -> None:
    """In the main thread KeyboardInterrupt and SystemExit end the process, once the client is answered.

    Elsewhere they would kill the loop, and with it all other RPCs.
    """
    if threading.current_thread() is threading.main_thread():
        for leaf in leaves(error):
            if issubclass(type(leaf), KeyboardInterrupt | SystemExit):
                raise leaf
