"""How grpc's sync server delivers an answer: trailing metadata, then `context.abort`."""

import functools
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn

import grpc

from errgrpc.answering import Answering, Rpc
from errgrpc.codes import ErrorCode
from errgrpc.declaring import Raises
from errgrpc.guards import Behavior, Guards, Responses, ask, tracked
from errgrpc.raised import catcher, causes, traceback_of
from errgrpc.reports import OnAnswer, OnError
from errgrpc.translating import Translate
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES

__all__ = ["ServerInterceptor"]


class ServerInterceptor(grpc.ServerInterceptor):
    """Answers what handlers raise: `grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(ResCode)])`.

    `catalogue` is the one whose fallback answers an unhandled exception; a ServiceError of any catalogue is answered as
    itself. `translate` maps exception classes to codes, or to functions from the exception to a ServiceError; the most
    specific class wins. `on_error(error, *, method, code, request_id)` is called for each unhandled exception in place
    of the log record. `on_answer(answered)` is called once for each call that failed, when its answer is decided and before
    that is delivered. `raises`, the `RAISES` of a generated module or a list of them, says which codes each method declares. A
    code that is answered and not declared is logged once for each method, at WARNING; the fallback needs no declaration. With
    `send_help` an answer has a google.rpc.Help with the code's `help_url`, unless the raiser gave a Help.
    With `track_context`, `errgrpc.current_call()` is the call in all that the handler does, and each error that answers it has its id.
    `max_trailer_bytes` bounds the trailers of an answer, at least 1,024.

    Raises TypeError if `catalogue` is not a catalogue, and ValueError if it has no fallback.
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

    @catcher
    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """The handler of an RPC, guarded. What an interceptor inside ours raises is answered like a handler's error."""
        try:
            handler = continuation(handler_call_details)
        except BaseException as error:  # noqa: BLE001  no status would be sent, and the client would hang
            fail = functools.partial(
                _fail_service,
                self._answering,
                handler_call_details.method,
                error,
                traceback_of(error),
            )
            return grpc.stream_stream_rpc_method_handler(fail)
        return self._guards.get(handler_call_details.method, handler)


def _guard(answering: Answering, method: str, handler: Any, behavior: Behavior) -> Behavior:
    # Errors are answered outside of `except`: metadata that are no UTF-8 are logged by grpc with the traceback of what is
    # being handled when they are asked for, and no client may decide where a traceback goes.
    # grpc hands a behavior that is marked `experimental_non_blocking` a callback, and iterates over nothing.
    @catcher
    def guarded(request: Any, context: grpc.ServicerContext, *callback: Any) -> Any:
        if handler.response_streaming and not callback:
            fail, finish = (
                functools.partial(_abort, answering, method, context),
                functools.partial(_returned, answering, method, context),
            )
            return Responses(behavior, (request, context), fail, finish)
        try:
            response = behavior(request, context, *callback)
        except BaseException as error:  # noqa: BLE001  see Responses
            failure, trace = error, traceback_of(error)
        else:
            if answering.hears:
                _returned(answering, method, context)
            return response
        try:
            _abort(answering, method, context, failure, trace)
        finally:
            del failure, trace  # they refer to this frame

    # That mark is an attribute of the behavior, as is `experimental_thread_pool`.
    return functools.update_wrapper(
        tracked(method, guarded, handler) if answering.tracks else guarded, behavior
    )


def _abort(
    answering: Answering,
    method: str,
    context: grpc.ServicerContext,
    error: BaseException,
    trace: TracebackType | None,
) -> NoReturn:
    answer = answering.answer(error, _rpc(method, context, error, trace))
    context.set_trailing_metadata(answer.trailers)
    context.abort(answer.status, answer.message)


def _rpc(method: str, context: Any, error: BaseException, trace: TracebackType | None) -> Rpc:
    """What the context tells of the RPC. Raises `error` itself if only grpc knows what it means."""
    signal = type(error) is Exception and not error.args  # all that `context.abort` leaves behind
    try:
        code, details, metadata, trailers = (
            context.code(),
            context.details(),
            context.invocation_metadata(),
            context.trailing_metadata(),
        )
        aborted = context._state.aborted  # noqa: SLF001  nothing else tells; without it, the lines below guess
    except BaseException:  # noqa: BLE001  of the wrapper of another interceptor
        code, details = ask(context, "code", _UNTOLD), ask(context, "details")
        metadata, trailers = ask(context, "invocation_metadata"), ask(context, "trailing_metadata")
        if signal and code is _UNTOLD:
            # grpc knows whether it was an abort, and of what; there is no text to hide
            raise error from None
        # Any code is taken, None too: what an abort leaves behind, in the error or in what led to it, is all that tells it.
        signals = (type(cause) is Exception and not cause.args for cause in causes(error))
        aborted = (
            code is not _UNTOLD
            and (code is not None or details not in (None, "", b""))
            and any(signals)
        )
    if type(error) is grpc.RpcError and ask(context, "is_active") is False:
        # the requests ended because the client has gone; grpc knows its own exception and says
        # nothing
        raise error
    return Rpc(
        method,
        () if metadata is None else metadata,
        () if trailers is None else trailers,
        code,
        details if isinstance(details, str | bytes) else "",
        aborted,
        signal and aborted,
        traceback=trace,
    )


def _returned(answering: Answering, method: str, context: Any) -> None:
    if answering.hears:  # at its end: what hears may come while a stream lasts
        answering.returned(method, ask(context, "code"))


@catcher
def _fail_service(
    answering: Answering,
    method: str,
    error: BaseException,
    trace: TracebackType | None,
    _: Any,
    context: grpc.ServicerContext,
) -> NoReturn:
    # A stream_stream handler answers methods of all four kinds, and the kind of this one is unknown.
    _abort(answering, method, context, error, trace)


_UNTOLD = object()
