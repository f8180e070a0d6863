"""grpcio-status: `rpc_status.from_call` reads, `abort_with_status` answers."""

import base64
import json
import sys
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from conformance.service import Call, Said, call_lines, responses, serve


def read(error: Any) -> Said:
    """Reads an error as the author of a client does: the Status and its details by type."""
    said: Said = {"status": error.code().value[0], "message": error.details(), "details": []}
    # None without details; raises when they are garbage or contradict the call
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        if detail.Is(rpc.ErrorInfo.DESCRIPTOR) and "reason" not in said:
            info = rpc.ErrorInfo()
            detail.Unpack(info)
            said |= {"reason": info.reason, "domain": info.domain, "metadata": dict(info.metadata)}
        elif detail.Is(rpc.LocalizedMessage.DESCRIPTOR):
            hint = rpc.LocalizedMessage()
            detail.Unpack(hint)
            said |= {"locale": hint.locale, "hint": hint.message}
        else:
            said["details"].append(
                {"type": detail.TypeName(), "base64": base64.b64encode(detail.value).decode()}
            )
    return said | {
        "trailing": {key: value for key, value in error.trailing_metadata() if key.startswith("x-")}
    }


def answer(wanted: Said, context: grpc.ServicerContext) -> None:
    """Answers as the author of a server does."""
    status = status_pb2.Status(code=wanted["status"], message=wanted["message"])
    if wanted["reason"] is not None:
        info = rpc.ErrorInfo(
            reason=wanted["reason"], domain=wanted["domain"], metadata=wanted["metadata"]
        )
        status.details.add().Pack(info)
    if wanted["hint"] is not None:
        status.details.add().Pack(
            rpc.LocalizedMessage(locale=wanted["locale"], message=wanted["hint"])
        )
    for detail in wanted["details"]:
        url = f"type.googleapis.com/{detail['type']}"
        status.details.append(any_pb2.Any(type_url=url, value=base64.b64decode(detail["base64"])))
    # abort_with_status replaces the trailing metadata that were set, so they go along.
    known = rpc_status.to_status(status)
    context.abort_with_status(
        _WithTrailing(
            known.code, known.details, (*known.trailing_metadata, *wanted["trailing"].items())
        )
    )


class _WithTrailing(grpc.Status):
    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        trailing_metadata: tuple[tuple[str, str | bytes], ...],
    ) -> None:
        self.code, self.details, self.trailing_metadata = code, details, trailing_metadata


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


def server(path: str) -> None:
    """Serves until the input ends."""
    with open(path, encoding="utf-8") as file:
        wanted = {vector["number"]: vector["read"] for vector in json.load(file)}
    serve(lambda number, context: answer(wanted[number], context))


if __name__ == "__main__":
    {"client": client, "server": server}[sys.argv[1]](sys.argv[2])
