"""Sentry's interceptors in the list: its events, and the status of its transaction."""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.grpc import GRPCIntegration
from sentry_sdk.integrations.grpc.aio.server import ServerInterceptor as AioServerInterceptor
from sentry_sdk.integrations.grpc.server import ServerInterceptor


class Tool:
    places: tuple[str, ...] = ("before", "behind", "none")
    on_answer = None
    disabled: tuple[Any, ...] = (GRPCIntegration,)
    enabled: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.items: list[Any] = []
        items = self.items

        class Keeping(sentry_sdk.transport.Transport):
            def capture_envelope(self, envelope: Any) -> None:
                items.extend((item.type, item.payload.json) for item in envelope.items)

        sentry_sdk.init(
            "https://key@sentry.example/1",
            transport=Keeping,
            traces_sample_rate=1,
            integrations=[integration() for integration in self.enabled],
            disabled_integrations=[integration() for integration in self.disabled],
        )

    def interceptors(self, style: str) -> list[Any]:
        return [ServerInterceptor() if style == "sync" else AioServerInterceptor()]

    def clear(self) -> None:
        self.items.clear()

    def shown(self) -> str:
        events = [
            payload["exception"]["values"][-1]["type"]
            for kind, payload in self.items
            if kind == "event"
        ]
        traces = [
            payload["contexts"]["trace"] for kind, payload in self.items if kind == "transaction"
        ]
        statuses = [
            trace.get("status", "no status") for trace in traces if trace["op"] == "grpc.server"
        ]
        return ", ".join([*statuses, *(f"1 {event}" for event in events)]) or "nothing"
