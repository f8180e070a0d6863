"""OpenTelemetry's auto-instrumentation, configured to exclude this service."""

import os

os.environ["OTEL_PYTHON_GRPC_EXCLUDED_SERVICES"] = "test.Service"

from observed import opentelemetry_auto


class Tool(opentelemetry_auto.Tool):
    def shown(self) -> str:
        return super().shown() or "nothing"
