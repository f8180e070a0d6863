"""OpenTelemetry's auto-instrumentation, which puts its interceptors first by itself."""

from typing import Any

from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer, GrpcInstrumentorServer

import opentelemetry_by_hand


class Tool(opentelemetry_by_hand.Tool):
    places = ("before",)

    def __init__(self) -> None:
        super().__init__()
        GrpcInstrumentorServer().instrument(tracer_provider=self.provider)
        GrpcAioInstrumentorServer().instrument(tracer_provider=self.provider)

    def interceptors(self, stack: str) -> list[Any]:
        return []
