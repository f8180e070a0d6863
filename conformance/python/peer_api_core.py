# mypy: allow-untyped-calls
"""google-api-core: `from_grpc_error` makes the exceptions of Google's clients. It has no server."""

import base64
import sys
import warnings
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2 as rpc

from conformance.service import Call, Said, call_lines, responses

# At import, some releases warn that support for this Python version will end.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core.exceptions import from_grpc_error


def read(error: Any) -> Said:
    """Reads an error as the author of a client does."""
    raised = from_grpc_error(error)
    hint = next(
        (detail for detail in raised.details if isinstance(detail, rpc.LocalizedMessage)), None
    )
    return {
        "status": raised.grpc_status_code.value[0],
        "message": raised.message,
        "reason": raised.reason,
        "domain": raised.domain,
        "metadata": None if raised.metadata is None else dict(raised.metadata),
        "locale": hint and hint.locale,
        "hint": hint and hint.message,
        "details": [_printed(detail) for detail in raised.details],
        "trailing": {
            entry.key: entry.value
            for entry in raised.response.trailing_metadata()
            if entry.key.startswith("x-")
        },
    }


def _printed(detail: Any) -> dict[str, str]:
    kind, value = (
        (detail.TypeName(), detail.value)
        if isinstance(detail, Packed)  # a type outside google.rpc
        else (detail.DESCRIPTOR.full_name, detail.SerializeToString())
    )
    return {"type": kind, "base64": base64.b64encode(value).decode()}


def client(target: str) -> None:
    """Makes the calls of the runner."""
    with grpc.insecure_channel(target) as channel:

        def make(call: Call) -> Said:
            messages = 0
            try:
                for _ in responses(channel, call):
                    messages += 1
            except grpc.RpcError as error:
                return {"messages": messages, **read(error)}
            return {"failed": "the call ended without an error"}

        call_lines(make)


if __name__ == "__main__":
    {"client": client}[sys.argv[1]](sys.argv[2])
