"""Where errgrpc's own tables differ on purpose. They are kept as they came, and users need not exempt this again."""

from collections.abc import Mapping

__all__ = ["SHIPPED"]

_HTTP = {
    "http-status-mapping": "The REST API of the table's origin answered this HTTP status before there was a gRPC one."
}

SHIPPED: Mapping[str, Mapping[str, str]] = {
    "errgrpc.v1.ResCode": {
        "code-not-raised": "The table serves several services; none of them raises all codes."
    },
    "errgrpc.v1.ComponentCode": {
        "code-not-raised": "Clients raise most of these codes themselves."
    },
    "errgrpc.v1.ComponentCode.RTC_INIT_ERROR": {
        "reserved-gap": "The table of the codes' origin has no -3 and no -2."
    },
    "errgrpc.v1.ResCode.ROOM_SITS_BAD": {
        "reserved-gap": "The table of the codes' origin has no 1013."
    },
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
"""By full name and rule, the reason: as `[tool.errgrpc.lint.ignore]` of a pyproject.toml."""
