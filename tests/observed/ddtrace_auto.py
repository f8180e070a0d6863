"""ddtrace's integration, which puts its interceptors first by itself.

There is no agent: a filter takes each trace.
"""

import os
from collections import Counter
from typing import Any

os.environ.update(
    DD_TRACE_OTEL_ENABLED="true",  # makes ddtrace's span the current one in OpenTelemetry's API
    DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
    DD_REMOTE_CONFIGURATION_ENABLED="false",
    DD_CRASHTRACKING_ENABLED="false",
    DD_TRACE_STARTUP_LOGS="false",
)

import ddtrace
from ddtrace.trace import TraceFilter, tracer

from errgrpc import otel


class Tool:
    places = ("before",)

    def __init__(self) -> None:
        self.spans: list[Any] = []
        spans = self.spans

        class Keeping(TraceFilter):  # type: ignore[misc,unused-ignore]
            def process_trace(self, trace: Any) -> Any:
                spans.extend(span for span in trace if span.get_tag("span.kind") == "server")

        tracer.configure(trace_processors=[Keeping()])
        ddtrace.patch(grpc=True)
        self.on_answer = otel.Telemetry().on_answer

    def interceptors(self, style: str) -> list[Any]:
        return []

    def clear(self) -> None:
        self.spans.clear()

    def shown(self) -> str:
        return "; ".join(map(self._shown, self.spans))

    def _shown(self, span: Any) -> str:
        error = "no error" if not span.error else f"error, {span.get_tag('error.type')}"
        reason = span.get_tag(otel.ERRGRPC_REASON)
        events = Counter(
            event.attributes["exception.type"].rpartition(".")[2] for event in span._get_events()
        )
        return ", ".join(
            [
                error,
                *([reason] if reason else []),
                *(f"{count} {name}" for name, count in events.items()),
            ]
        )
