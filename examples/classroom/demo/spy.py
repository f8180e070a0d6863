"""Interceptors inside errgrpc's interceptor that keep the exceptions of handlers for the demo."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

__all__ = ["AioSpy", "Spy"]


class _Spy:
    def __init__(self) -> None:
        self.raised: dict[str, Exception] = {}
        """The last exception of a handler, by method."""

    def _watched(
        self, handler: Any, call_details: Any, watch: Callable[[Any, bool, str], Any]
    ) -> Any:
        if handler is None:
            return None
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        method = call_details.method.rpartition("/")[2]
        return handler._replace(
            **{kind: watch(getattr(handler, kind), handler.response_streaming, method)}
        )


class Spy(_Spy, grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return self._watched(continuation(handler_call_details), handler_call_details, self._watch)

    def _watch(self, behavior: Any, streams: bool, method: str) -> Any:
        def unary(request: Any, context: Any) -> Any:
            try:
                return behavior(request, context)
            except Exception as error:
                self.raised[method] = error
                raise

        def stream(request: Any, context: Any) -> Iterator[Any]:
            try:
                yield from behavior(request, context)
            except Exception as error:
                self.raised[method] = error
                raise

        return stream if streams else unary


class AioSpy(_Spy, grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return self._watched(
            await continuation(handler_call_details), handler_call_details, self._watch
        )

    def _watch(self, behavior: Any, streams: bool, method: str) -> Any:
        async def unary(request: Any, context: Any) -> Any:
            try:
                return await behavior(request, context)
            except Exception as error:
                self.raised[method] = error
                raise

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                async for response in behavior(request, context):
                    yield response
            except Exception as error:
                self.raised[method] = error
                raise

        return stream if streams else unary
