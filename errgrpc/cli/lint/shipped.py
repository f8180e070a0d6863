"""The exemptions of errgrpc's own tables.

The tables keep their original values on purpose. Users need not exempt them again.
"""

from collections.abc import Mapping

__all__ = ["SHIPPED"]

_HTTP = {
    "http-status-mapping": "The original REST API answered this HTTP status before it had a gRPC "
    "status."
}

SHIPPED: Mapping[str, Mapping[str, str]] = {
    "errgrpc.v1.ResCode": {
        "code-not-raised": "Several services share the table; no service raises all codes."
    },
    "errgrpc.v1.ComponentCode": {
        "code-not-raised": "Clients raise most of these codes themselves."
    },
    "errgrpc.v1.ComponentCode.RTC_INIT_ERROR": {
        "reserved-gap": "The original table has no -3 and no -2."
    },
    "errgrpc.v1.ResCode.ROOM_SITS_BAD": {"reserved-gap": "The original table has no 1013."},
    "errgrpc.v1.ResCode.ROOM_NOT_PREPARED": _HTTP,
    "errgrpc.v1.ResCode.ROOM_ROLE_EXCEED": _HTTP,
    "errgrpc.v1.ResCode.ROOM_ROLE_UNDEFINED": _HTTP,
    "errgrpc.v1.ResCode.ROOM_PROPERTY_EXISTS": _HTTP,
    "errgrpc.v1.ResCode.ROOM_MEMBER_PROPERTY_EXISTS": _HTTP,
    "errgrpc.v1.ResCode.ROOM_SIT_CONFLICT": _HTTP,
    "errgrpc.v1.ResCode.ROOM_SIT_FULL": _HTTP,
    "errgrpc.v1.ResCode.ROOM_SIT_USER_CONFLICT": _HTTP,
    "errgrpc.v1.ResCode.ROOM_SIT_NOT_EXIST": _HTTP,
    "errgrpc.v1.ResCode.ROOM_MEMBER_CONCURRENCY_OUT": _HTTP,
    "errgrpc.v1.ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST": _HTTP,
    "errgrpc.v1.ResCode.ROOM_MEMBER_EXIST": _HTTP,
}
"""The reasons by full name and rule, as in `[tool.errgrpc.lint.ignore]` of a pyproject.toml."""
