"""An interceptor that counts calls by their status with prometheus-client."""

import inspect
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from prometheus_client import CollectorRegistry, Counter


class Tool:
    places = ("before", "behind")
    on_answer = None

    def interceptors(self, style: str) -> list[Any]:
        return [(_Counting if style == "sync" else _CountingAio)(self.count)]

    def clear(self) -> None:
        self.registry = CollectorRegistry()
        self.handled = Counter(
            "grpc_server_handled", "Calls that ended", ["code"], registry=self.registry
        )

    def count(self, context: Any) -> None:
        # on asyncio, contexts of sync handlers have no `code`
        code = context.code() or grpc.StatusCode.OK if hasattr(context, "code") else None
        if isinstance(code, int):  # on asyncio, other contexts return a number
            code = next(status for status in grpc.StatusCode if status.value[0] == code)
        self.handled.labels(code.name if code else "unknown to it").inc()

    def shown(self) -> str:
        samples = [
            sample
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        ]
        return ", ".join(f"{sample.value:.0f} {sample.labels['code']}" for sample in samples)


def _counted(handler: Any, count: Callable[[Any], None]) -> Any:
    kind = ("stream" if handler.request_streaming else "unary") + (
        "_stream" if handler.response_streaming else "_unary"
    )
    behavior = getattr(handler, kind)

    def unary(request: Any, context: Any) -> Any:
        try:
            return behavior(request, context)
        finally:
            count(context)

    def stream(request: Any, context: Any) -> Any:
        try:
            yield from behavior(request, context)
        finally:
            count(context)

    async def aio_unary(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        finally:
            count(context)

    async def aio_stream(request: Any, context: Any) -> Any:
        try:
            async for response in behavior(request, context):
                yield response
        finally:
            count(context)

    if inspect.iscoroutinefunction(behavior):
        wrapped: Any = aio_unary
    elif inspect.isasyncgenfunction(behavior):
        wrapped = aio_stream
    else:
        wrapped = stream if handler.response_streaming else unary
    return getattr(grpc, f"{kind}_rpc_method_handler")(wrapped)


class _Counting(grpc.ServerInterceptor):
    def __init__(self, count: Callable[[Any], None]) -> None:
        self.count = count

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return _counted(continuation(handler_call_details), self.count)


class _CountingAio(grpc.aio.ServerInterceptor):
    def __init__(self, count: Callable[[Any], None]) -> None:
        self.count = count

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return _counted(await continuation(handler_call_details), self.count)
