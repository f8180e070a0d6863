"""connectrpc: a client, and an ASGI server (here in hypercorn).

Both speak gRPC among other protocols.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from connectrpc.client import ConnectClientSync, ResponseMetadata
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc.code_pb2 import Code as GrpcCode
from hypercorn.asyncio import serve
from hypercorn.config import Config
from protobuf.wkt import Any as Packed
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

from conformance.service import DEADLINE, SERVICE, Call, Said, call_lines, free_port, path
from conformance.v1.conformance_pb2 import AnswerRequest, AnswerResponse

_TYPES = {
    "Unary": StreamType.UNARY,
    "ServerStream": StreamType.SERVER_STREAM,
    "ClientStream": StreamType.CLIENT_STREAM,
    "BidiStream": StreamType.BIDI_STREAM,
}
METHODS: Mapping[str, MethodInfo[AnswerRequest, AnswerResponse]] = {
    name: MethodInfo(
        name=name,
        service_name=SERVICE,
        input=AnswerRequest,
        output=AnswerResponse,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=kind,
    )
    for name, kind in _TYPES.items()
}
# Connect's codes are gRPC's codes; only one is spelled differently.
_NUMBERS = {
    code: GrpcCode.Value({"canceled": "CANCELLED"}.get(code.value, code.value.upper()))
    for code in Code
}
_CODES = {number: code for code, number in _NUMBERS.items()}


def read(error: ConnectError) -> Said:
    """Reads an error as the author of a client does."""
    said: Said = {"status": _NUMBERS[error.code], "message": error.message, "details": []}
    for detail in error.details:
        if detail.type_name == rpc.ErrorInfo.DESCRIPTOR.full_name and "reason" not in said:
            info = rpc.ErrorInfo.FromString(detail.message_bytes)
            said |= {"reason": info.reason, "domain": info.domain, "metadata": dict(info.metadata)}
        elif detail.type_name == rpc.LocalizedMessage.DESCRIPTOR.full_name:
            hint = rpc.LocalizedMessage.FromString(detail.message_bytes)
            said |= {"locale": hint.locale, "hint": hint.message}
        else:
            said["details"].append(
                {
                    "type": detail.type_name,
                    "base64": base64.b64encode(detail.message_bytes).decode(),
                }
            )
    return said


def client(target: str) -> None:
    """Makes the calls of the runner."""
    transport = SyncHTTPTransport(http_version=HTTPVersion.HTTP2)
    options: Any = {
        "codec": google_protobuf_binary_codec(),
        "protocol": ProtocolType.GRPC,
        "send_compression": None,
    }
    with ConnectClientSync(
        f"http://{target}", http_client=SyncClient(transport), **options
    ) as connection:

        def make(call: Call) -> Said:
            messages = 0
            with ResponseMetadata() as response:
                try:
                    for _ in _responses(connection, call):
                        messages += 1
                except ConnectError as error:
                    trailing = {
                        key: value
                        for key, value in response.trailers.items()
                        if key.startswith("x-")
                    }
                    return {"messages": messages, "trailing": trailing, **read(error)}
            return {"failed": "the call ended without an error"}

        call_lines(make)


def _responses(connection: ConnectClientSync, call: Call) -> Iterator[AnswerResponse]:
    request = AnswerRequest(vector=call["vector"], messages=call["messages"])
    options: Any = {
        "method": METHODS[call["method"]],
        "headers": call["metadata"],
        "timeout_ms": int(DEADLINE * 1_000),
    }
    match call["method"]:
        case "Unary":
            yield connection.execute_unary(request=request, **options)
        case "ServerStream":
            yield from connection.execute_server_stream(request=request, **options)
        case "ClientStream":
            yield connection.execute_client_stream(request=iter([request]), **options)
        case _:
            yield from connection.execute_bidi_stream(request=iter([request]), **options)


def _error(wanted: Said) -> ConnectError:
    """Returns an error as the author of a server writes it."""
    details: list[tuple[str, bytes]] = []

    def add(message: Message) -> None:
        details.append((message.DESCRIPTOR.full_name, message.SerializeToString()))

    if wanted["reason"] is not None:
        add(
            rpc.ErrorInfo(
                reason=wanted["reason"], domain=wanted["domain"], metadata=wanted["metadata"]
            )
        )
    if wanted["hint"] is not None:
        add(rpc.LocalizedMessage(locale=wanted["locale"], message=wanted["hint"]))
    details += (
        (detail["type"], base64.b64decode(detail["base64"])) for detail in wanted["details"]
    )
    packed = [
        ErrorDetail(Packed(type_url=f"type.googleapis.com/{kind}", value=value))
        for kind, value in details
    ]
    return ConnectError(_CODES[wanted["status"]], wanted["message"], packed)


class Service:
    """The conformance service."""

    def __init__(self, wanted: Mapping[int, Said]) -> None:
        self._wanted = wanted

    def _fail(self, vector: int, context: RequestContext[Any, Any]) -> None:
        wanted = self._wanted[vector]
        for key, value in wanted["trailing"].items():
            context.response_trailers[key] = value
        raise _error(wanted)

    async def unary(
        self, request: AnswerRequest, context: RequestContext[Any, Any]
    ) -> AnswerResponse:
        self._fail(request.vector, context)
        return AnswerResponse()

    async def server_stream(
        self, request: AnswerRequest, context: RequestContext[Any, Any]
    ) -> AsyncIterator[AnswerResponse]:
        for index in range(request.messages):
            yield AnswerResponse(index=index + 1)
        self._fail(request.vector, context)

    async def client_stream(
        self, requests: AsyncIterator[AnswerRequest], context: RequestContext[Any, Any]
    ) -> AnswerResponse:
        first, *_ = [request async for request in requests]
        return await self.unary(first, context)

    async def bidi_stream(
        self, requests: AsyncIterator[AnswerRequest], context: RequestContext[Any, Any]
    ) -> AsyncIterator[AnswerResponse]:
        first = await anext(requests)
        for index in range(first.messages):
            yield AnswerResponse(index=index + 1)
        async for _ in requests:
            pass
        self._fail(first.vector, context)

    def endpoints(self) -> dict[str, Any]:
        """Returns the function for each path."""
        return {
            path("Unary"): Endpoint.unary(METHODS["Unary"], self.unary),
            path("ServerStream"): Endpoint.server_stream(
                METHODS["ServerStream"], self.server_stream
            ),
            path("ClientStream"): Endpoint.client_stream(
                METHODS["ClientStream"], self.client_stream
            ),
            path("BidiStream"): Endpoint.bidi_stream(METHODS["BidiStream"], self.bidi_stream),
        }


class Application(ConnectASGIApplication[Service]):
    """The application as generated code has it."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            service=service, endpoints=Service.endpoints, codecs=[google_protobuf_binary_codec()]
        )

    @property
    def path(self) -> str:
        return f"/{SERVICE}"


def server(vectors: str) -> None:
    """Serves until the input ends."""
    with open(vectors, encoding="utf-8") as file:
        wanted = {vector["number"]: vector["read"] for vector in json.load(file)}
    listener = free_port()
    config = Config()
    config.bind, config.loglevel, config.graceful_timeout = (
        [f"fd://{listener.fileno()}"],
        "WARNING",
        1,
    )

    async def ended() -> None:
        print(listener.getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)

    application: Any = Application(Service(wanted))
    asyncio.run(serve(application, config, shutdown_trigger=ended))


if __name__ == "__main__":
    {"client": client, "server": server}[sys.argv[1]](sys.argv[2])
