"""Reads what came over the wire with an error, without errgrpc.

It uses only the trailing metadata and the `google.rpc` messages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

__all__ = ["Seen", "read"]


@dataclass(frozen=True)
class Seen:
    status: grpc.StatusCode
    message: str
    raw: bytes | None
    """The bytes of `grpc-status-details-bin`."""
    details: list[Any]
    """The `google.rpc` messages in it."""

    def detail(self, kind: Any) -> Any:
        return next((detail for detail in self.details if isinstance(detail, kind)), None)

    def lines(self) -> list[tuple[str, str]]:
        """Returns each detail as its type and a text."""
        return [(type(detail).__name__, _TEXTS[type(detail)](detail)) for detail in self.details]


def read(error: grpc.Call) -> Seen:
    """Returns what a client without errgrpc reads of a failed call."""
    raw = next(
        (
            value
            for key, value in error.trailing_metadata() or ()
            if key == "grpc-status-details-bin"
        ),
        None,
    )
    status = status_pb2.Status.FromString(raw) if isinstance(raw, bytes) else status_pb2.Status()
    details = [_unpacked(packed) for packed in status.details]
    return Seen(
        error.code(), error.details() or "", raw if isinstance(raw, bytes) else None, details
    )


def _unpacked(packed: any_pb2.Any) -> Any:
    for kind in _TEXTS:
        if packed.Is(kind.DESCRIPTOR):
            message = kind()
            packed.Unpack(message)
            return message
    raise ValueError(f"{packed.TypeName()} on the wire")


_TEXTS: dict[Any, Callable[[Any], str]] = {
    rpc.ErrorInfo: lambda it: (
        f"{it.reason} · {it.domain}\n"
        + " ".join(f"{key}={it.metadata[key]}" for key in sorted(it.metadata))
    ),
    rpc.LocalizedMessage: lambda it: f"{it.locale}  {it.message}",
    rpc.BadRequest: lambda it: "\n".join(
        f"{field.field}: {field.description}" for field in it.field_violations
    ),
    rpc.ResourceInfo: lambda it: f"{it.resource_type} {it.resource_name}",
    rpc.RetryInfo: lambda it: f"retry_delay {it.retry_delay.ToTimedelta().total_seconds():g} s",
    rpc.RequestInfo: lambda it: f"request_id {it.request_id}",
}
