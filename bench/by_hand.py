"""The code that a team writes without errgrpc.

It builds and packs a google.rpc.Status, reads and unpacks it, and chooses a language.
"""

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2
from google.rpc import error_details_pb2 as rpc
from grpc_status import rpc_status

from errgrpc import ResCode

__all__ = ["BUILT", "CODES", "DOMAIN", "VIOLATIONS", "AppError", "choose", "read"]

DOMAIN = "errgrpc.v1.ResCode"
VIOLATIONS = rpc.BadRequest(
    field_violations=[
        {"field": f"field_{n}", "description": "must not be empty"} for n in range(10)
    ]
)


def _status(code: int, message: str, *details: Any) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def constant() -> status_pb2.Status:
    info = rpc.ErrorInfo(reason="ROOM_NOT_EXIST", domain=DOMAIN, metadata={"code": "1004"})
    return _status(
        code_pb2.NOT_FOUND,
        "Room Not Found",
        info,
        rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    )


def with_metadata() -> status_pb2.Status:
    info = rpc.ErrorInfo(
        reason="ROOM_NOT_EXIST", domain=DOMAIN, metadata={"code": "1004", "room_uuid": "r-42"}
    )
    return _status(
        code_pb2.NOT_FOUND,
        "Room Not Found",
        info,
        rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    )


def with_violations() -> status_pb2.Status:
    info = rpc.ErrorInfo(reason="BAD_REQUEST", domain=DOMAIN, metadata={"code": "400"})
    return _status(
        code_pb2.INVALID_ARGUMENT,
        "Bad Request",
        info,
        rpc.LocalizedMessage(locale="zh-CN", message="参数错误"),
        VIOLATIONS,
    )


BUILT = {"Constant": constant, "Metadata": with_metadata, "Violations": with_violations}


class AppError(Exception):
    """An application's own error."""

    def __init__(
        self,
        code: ResCode | None,
        metadata: dict[str, str],
        hint: str | None,
        status: grpc.StatusCode,
    ) -> None:
        super().__init__(code)
        self.code, self.metadata, self.hint, self.status = code, metadata, hint, status


CODES = {(DOMAIN, code.reason): code for code in ResCode}


def read(error: Any) -> AppError:
    """Returns the application's own error, from the Status by grpcio-status and its details."""
    status = rpc_status.from_call(error)
    code, metadata, hint = None, {}, None
    for detail in () if status is None else status.details:
        if detail.Is(rpc.ErrorInfo.DESCRIPTOR):
            info = rpc.ErrorInfo()
            detail.Unpack(info)
            code, metadata = CODES.get((info.domain, info.reason)), dict(info.metadata)
        elif detail.Is(rpc.LocalizedMessage.DESCRIPTOR):
            localized = rpc.LocalizedMessage()
            detail.Unpack(localized)
            hint = localized.message
    return AppError(code, metadata, hint, error.code())


def choose(header: str, offered: dict[str, str], default: str) -> str:
    """Returns the language for an `accept-language` value, as a short recipe does it.

    It goes by weight, and matches the exact tag or its first part.
    """
    ranges = []
    for element in header.split(","):
        tag, _, weight = element.partition(";q=")
        ranges.append((float(weight or 1), tag.strip().lower()))
    for _, tag in sorted(ranges, key=lambda item: -item[0]):
        found = offered.get(tag) or offered.get(tag.partition("-")[0])
        if found:
            return found
    return default
