"""OpenTelemetry's interceptors in the list: status and events of the span, and the reason on it."""

from collections import Counter
from typing import Any

from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from errgrpc import otel


class Tool:
    places: tuple[str, ...] = ("before", "behind")

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.on_answer = otel.Telemetry().on_answer

    def interceptors(self, style: str) -> list[Any]:
        return [
            server_interceptor(self.provider)
            if style == "sync"
            else aio_server_interceptor(self.provider)
        ]

    def clear(self) -> None:
        self.spans.clear()

    def shown(self) -> str:
        return "; ".join(map(self._shown, self.spans.get_finished_spans()))

    def _shown(self, span: Any) -> str:
        names = Counter(
            event.attributes["exception.type"].rpartition(".")[2] for event in span.events
        )
        events = [f"{count} {name}" for name, count in names.items()]
        code, reason = (
            span.attributes["rpc.grpc.status_code"],
            span.attributes.get(otel.ERRGRPC_REASON),
        )
        return ", ".join(
            [f"{code} {span.status.status_code.name}", *([reason] if reason else []), *events]
        )
