# mypy: allow-untyped-calls
"""google-api-core: `from_grpc_error` makes the exceptions that Google's own clients raise. It is no server."""

import base64
import sys
import warnings
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2 as rpc

from conformance.service import Call, Said, call_lines, responses

# some releases say at import that this Python's end of life will come
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core.exceptions import from_grpc_error


def read(error: Any) -> Said:
    """What a client author writes."""
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
        if isinstance(detail, Packed)  # of a type that is none of google.rpc's
        else (detail.DESCRIPTOR.full_name, detail.SerializeToString())
    )
    return {"type": kind, "base64": base64.b64encode(value).decode()}


def client(target: str) -> None:
    """Calls as the runner says."""
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
