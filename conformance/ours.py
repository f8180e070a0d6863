"""errgrpc's clients of the vectors, sync and asyncio, with results named as in the vectors."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

import errgrpc
from conformance.compare import encoded
from conformance.service import DEADLINE, KINDS, Call, Said, path, responses
from conformance.v1.conformance_pb2 import AnswerRequest, AnswerResponse
from conformance.vectors.cases import KNOWN

__all__ = ["call_aio", "call_sync", "read"]


def read(error: errgrpc.RemoteError) -> Said:
    """Returns what errgrpc reads of an error."""
    info, hint = error.detail(rpc.ErrorInfo), error.detail(rpc.LocalizedMessage)
    return {
        "status": error.code().value[0],
        "message": error.details(),
        "reason": error.reason,
        "domain": error.domain,
        "metadata": None if info is None else dict(info.metadata),
        "locale": hint and hint.locale,
        "hint": hint and hint.message,
        "details": [_detail(message) for message in error.status_details],
        "trailing": {
            key: value for key, value in error.trailing_metadata() or () if key.startswith("x-")
        },
        "typed": {
            "catalogue": next(
                (
                    catalogue.__name__
                    for catalogue in KNOWN
                    if isinstance(error, errgrpc.remote(catalogue))
                ),
                None,
            ),
            "code": error.error_code and error.error_code.reason,
            "number": error.number,
            "inferred": error.inferred,
            "locale": error.locale,
            "hint": error.hint,
            "request_id": error.request_id,
        },
    }


def _detail(message: Message) -> dict[str, str]:
    if isinstance(message, Packed):
        return encoded(message.TypeName(), message.value)
    return encoded(message.DESCRIPTOR.full_name, message.SerializeToString())


def _options(config: str) -> list[tuple[str, Any]]:
    return [("grpc.service_config", config)] if config else []


def call_sync(target: str, calls: Iterable[Call], config: str = "") -> list[Said]:
    """Makes calls through a wrapped channel, which may have a service config."""
    with errgrpc.wrap_channel(
        grpc.insecure_channel(target, options=_options(config)), *KNOWN
    ) as channel:
        return [{"id": call["id"], **_call(channel, call)} for call in calls]


def _call(channel: grpc.Channel, call: Call) -> Said:
    messages = 0
    try:
        for _ in responses(channel, call):
            messages += 1
    except errgrpc.RemoteError as error:
        return {"messages": messages, **read(error)}
    return {"failed": "the call ended without an error"}


def call_aio(target: str, calls: Iterable[Call], config: str = "") -> list[Said]:
    """Makes calls with asyncio through interceptors."""
    return asyncio.run(_call_all(target, calls, config))


async def _call_all(target: str, calls: Iterable[Call], config: str) -> list[Said]:
    interceptors = errgrpc.aio.client_interceptors(*KNOWN)
    async with grpc.aio.insecure_channel(
        target, interceptors=interceptors, options=_options(config)
    ) as channel:
        return [{"id": call["id"], **await _call_aio(channel, call)} for call in calls]


async def _call_aio(channel: grpc.aio.Channel, call: Call) -> Said:
    kind, messages = KINDS[call["method"]], 0
    invoke = getattr(channel, kind)(
        path(call["method"]),
        request_serializer=AnswerRequest.SerializeToString,
        response_deserializer=AnswerResponse.FromString,
    )
    request: Any = AnswerRequest(vector=call["vector"], messages=call["messages"])
    metadata = tuple(call["metadata"].items())
    result = invoke(
        [request] if kind.startswith("stream") else request, timeout=DEADLINE, metadata=metadata
    )
    try:
        if kind.endswith("_stream"):
            async for _ in result:
                messages += 1
        else:
            await result
    except errgrpc.RemoteError as error:
        return {"messages": messages, **read(error)}
    return {"failed": "the call ended without an error"}
