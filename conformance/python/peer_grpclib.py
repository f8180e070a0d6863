"""grpclib: gRPC in pure Python, with asyncio.

If the channel has a codec for details, `GRPCError` has the decoded details.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2 as rpc
from grpclib.client import (
    Channel,
    StreamStreamMethod,
    StreamUnaryMethod,
    UnaryStreamMethod,
    UnaryUnaryMethod,
)
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.proto import ProtoCodec, ProtoStatusDetailsCodec
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from conformance.service import DEADLINE, KINDS, Call, Said, free_port, path
from conformance.v1.conformance_pb2 import AnswerRequest, AnswerResponse

METHODS: Mapping[str, Any] = {
    "Unary": (UnaryUnaryMethod, Cardinality.UNARY_UNARY),
    "ServerStream": (UnaryStreamMethod, Cardinality.UNARY_STREAM),
    "ClientStream": (StreamUnaryMethod, Cardinality.STREAM_UNARY),
    "BidiStream": (StreamStreamMethod, Cardinality.STREAM_STREAM),
}


def read(error: GRPCError) -> Said:
    """Reads an error as the author of a client does."""
    said: Said = {"status": error.status.value, "message": error.message or "", "details": []}
    for detail in error.details or ():
        if isinstance(detail, rpc.ErrorInfo):
            said = {
                "reason": detail.reason,
                "domain": detail.domain,
                "metadata": dict(detail.metadata),
            } | said
        elif isinstance(detail, rpc.LocalizedMessage):
            said |= {"locale": detail.locale, "hint": detail.message}
        elif hasattr(detail, "DESCRIPTOR"):
            said["details"].append(
                {
                    "type": detail.DESCRIPTOR.full_name,
                    "base64": base64.b64encode(detail.SerializeToString()).decode(),
                }
            )
        else:
            # a type that it does not know is a name in its repr, without its bytes
            said["details"].append({"type": repr(detail)})
    return said


async def _call(channel: Channel, call: Call) -> Said:
    method, messages = (
        METHODS[call["method"]][0](channel, path(call["method"]), AnswerRequest, AnswerResponse),
        0,
    )
    async with method.open(timeout=DEADLINE, metadata=call["metadata"]) as stream:
        try:
            await stream.send_message(
                AnswerRequest(vector=call["vector"], messages=call["messages"]), end=True
            )
            async for _ in stream:
                messages += 1
            await stream.recv_trailing_metadata()
        except GRPCError as error:
            trailing = {
                key: value
                for key, value in (stream.trailing_metadata or {}).items()
                if key.startswith("x-")
            }
            return {"messages": messages, **read(error), "trailing": trailing}
    return {"failed": "the call ended without an error"}


async def client(target: str) -> None:
    """Makes the calls of the runner."""
    host, _, port = target.rpartition(":")
    async with Channel(
        host, int(port), codec=ProtoCodec(), status_details_codec=ProtoStatusDetailsCodec()
    ) as channel:
        for line in sys.stdin:
            call = json.loads(line)
            try:
                said = await _call(channel, call)
            except Exception as failure:  # noqa: BLE001  it raises what the author does not expect
                said = {"failed": f"{type(failure).__name__}: {failure}"}
            print(json.dumps({"id": call["id"], **said}))


def _details(wanted: Said) -> list[Any]:
    details: list[Any] = []
    if wanted["reason"] is not None:
        details.append(
            rpc.ErrorInfo(
                reason=wanted["reason"], domain=wanted["domain"], metadata=wanted["metadata"]
            )
        )
    if wanted["hint"] is not None:
        details.append(rpc.LocalizedMessage(locale=wanted["locale"], message=wanted["hint"]))
    for detail in wanted["details"]:
        kind = message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(detail["type"])
        )
        details.append(kind.FromString(base64.b64decode(detail["base64"])))
    return details


class Service:
    """The conformance service, as generated code has it."""

    def __init__(self, wanted: Mapping[int, Said]) -> None:
        self._wanted = wanted

    async def _answer(self, stream: Any) -> None:
        request = await stream.recv_message()
        for index in range(request.messages):
            await stream.send_message(AnswerResponse(index=index + 1))
        async for _ in stream:
            pass
        wanted = self._wanted[request.vector]
        status, message, details = Status(wanted["status"]), wanted["message"], _details(wanted)
        if wanted["trailing"]:
            await stream.send_trailing_metadata(
                status=status,
                status_message=message,
                status_details=details,
                metadata=wanted["trailing"],
            )
        else:
            raise GRPCError(status, message, details or None)

    def __mapping__(self) -> dict[str, Handler]:
        return {
            path(name): Handler(self._answer, METHODS[name][1], AnswerRequest, AnswerResponse)
            for name in KINDS
        }


async def server(vectors: str) -> None:
    """Serves until the input ends."""
    with open(vectors, encoding="utf-8") as file:
        wanted = {vector["number"]: vector["read"] for vector in json.load(file)}
    serving = Server(
        [Service(wanted)], codec=ProtoCodec(), status_details_codec=ProtoStatusDetailsCodec()
    )
    listener = free_port()
    await serving.start(sock=listener)
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    serving.close()
    await serving.wait_closed()


if __name__ == "__main__":
    asyncio.run({"client": client, "server": server}[sys.argv[1]](sys.argv[2]))
