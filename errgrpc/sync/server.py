"""The server interceptor for grpc's sync stack. It sets trailing metadata, and aborts."""

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
    """Answers with an error code if a handler raises, on a `grpc.server`.

        grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(ResCode)])

    The first rule that fits decides:

    - If the handler aborted, that status is the answer.
    - A ServiceError of any catalogue is answered with its own code.
    - An exception that `translate` names is answered with the code that `translate` has for it.
    - If the handler set a status before it raised, that status is the answer.
    - Any other exception is unhandled. The answer is the catalogue's fallback and a request id. The
      server logs the exception with the same id.

    Args:
        catalogue: The catalogue whose fallback answers unhandled exceptions.
        translate: Maps exception classes to codes, or to functions from the exception to a
            ServiceError. The entry of the most specific class is used.
        on_error: Called as `on_error(error, *, method, code, request_id)` for each unhandled
            exception, instead of the log record.
        on_answer: Called as `on_answer(answered)` once for each failed call, before the answer is
            sent.
        raises: The codes that each method declares: `RAISES` of a generated module, or a list of
            such mappings. If a method answers with an undeclared code, the server logs a WARNING,
            once for each method and code. The fallback needs no declaration.
        send_help: Whether each answer gets a google.rpc.Help with the `help_url` of the code. If
            the error has a Help of its own, that one is sent.
        track_context: Whether `errgrpc.current_call()` returns the call while its handler runs.
            Each answer with a code then has the request id of the call.
        max_trailer_bytes: The limit for the trailing metadata of one answer, in bytes: 1,024 or
            more. If an answer is larger, the server drops details. It never drops the code.

    Raises:
        TypeError: `catalogue` is not a catalogue, a hook is async or no function, or `translate` or
            `raises` is malformed.
        ValueError: `catalogue` has no fallback, or the gRPC status of a code in `translate` is OK.
            `max_trailer_bytes` is not an int of 1,024 or more.
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
        """Wraps the handler of a call, so that its exceptions are answered.

        If an inner interceptor raises, its exception is answered like the exception of a handler.
        """
        try:
            handler = continuation(handler_call_details)
        except BaseException as error:  # noqa: BLE001  else the client would hang
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
    # Errors are answered outside of `except`. If a client sends metadata that are not UTF-8, grpc
    # logs them with the traceback of the exception that is being handled. A client must not cause
    # that. If a behavior is marked `experimental_non_blocking`, grpc passes it a callback, and does
    # not iterate.
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
            del failure, trace  # else a cycle: the error, its traceback, this frame

    # `update_wrapper` copies that mark, and `experimental_thread_pool`, which are attributes.
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
    """Reads from the context what it knows of the call.

    Raises `error` itself if only grpc knows what it means.
    """
    signal = type(error) is Exception and not error.args  # `context.abort` raises Exception()
    try:
        code, details, metadata, trailers = (
            context.code(),
            context.details(),
            context.invocation_metadata(),
            context.trailing_metadata(),
        )
        aborted = context._state.aborted  # noqa: SLF001  grpc has no public way
    except BaseException:  # noqa: BLE001  from the wrapper of another interceptor
        code, details = ask(context, "code", _UNTOLD), ask(context, "details")
        metadata, trailers = ask(context, "invocation_metadata"), ask(context, "trailing_metadata")
        if signal and code is _UNTOLD:
            # Only grpc knows whether it was an abort. The exception has no text that could leak.
            raise error from None
        # The handler may abort with any code, even None. Only the Exception() of the abort shows
        # it, as the error itself or as one of its causes.
        signals = (type(cause) is Exception and not cause.args for cause in causes(error))
        aborted = (
            code is not _UNTOLD
            and (code is not None or details not in (None, "", b""))
            and any(signals)
        )
    if type(error) is grpc.RpcError and ask(context, "is_active") is False:
        # The client has gone, and this ended the requests. grpc knows its own exception, and logs
        # nothing.
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
    if answering.hears:  # checked at the end: an observer may come during a stream
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
    # The kind of this method is unknown. A stream_stream handler can answer all four kinds.
    _abort(answering, method, context, error, trace)


_UNTOLD = object()
