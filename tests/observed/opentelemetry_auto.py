"""OpenTelemetry's auto-instrumentation, which puts its interceptors first by itself."""

from typing import Any

from observed import opentelemetry_by_hand
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer, GrpcInstrumentorServer


class Tool(opentelemetry_by_hand.Tool):
    places = ("before",)

    def __init__(self) -> None:
        super().__init__()
        GrpcInstrumentorServer().instrument(tracer_provider=self.provider)
        GrpcAioInstrumentorServer().instrument(tracer_provider=self.provider)

    def interceptors(self, style: str) -> list[Any]:
        return []
