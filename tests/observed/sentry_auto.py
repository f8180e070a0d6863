"""Sentry's GRPCIntegration, which puts its interceptors first by itself."""

from typing import Any

from observed import sentry_by_hand
from sentry_sdk.integrations.grpc import GRPCIntegration


class Tool(sentry_by_hand.Tool):
    places = ("before",)
    disabled = ()
    enabled = (GRPCIntegration,)

    def interceptors(self, style: str) -> list[Any]:
        return []
