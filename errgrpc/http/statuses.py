"""HTTP statuses and gRPC's, both ways: google/rpc/code.proto says which belong together."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from grpc import StatusCode

from errgrpc.codes import ErrorCode

__all__ = ["grpc_status", "has_body", "http_status", "of_grpc", "phrase", "sole_code"]

_OF_GRPC: Mapping[StatusCode, int] = MappingProxyType(
    {
        StatusCode.OK: 200,
        StatusCode.CANCELLED: 499,
        StatusCode.UNKNOWN: 500,
        StatusCode.INVALID_ARGUMENT: 400,
        StatusCode.DEADLINE_EXCEEDED: 504,
        StatusCode.NOT_FOUND: 404,
        StatusCode.ALREADY_EXISTS: 409,
        StatusCode.PERMISSION_DENIED: 403,
        StatusCode.RESOURCE_EXHAUSTED: 429,
        StatusCode.FAILED_PRECONDITION: 400,
        StatusCode.ABORTED: 409,
        StatusCode.OUT_OF_RANGE: 400,
        StatusCode.UNIMPLEMENTED: 501,
        StatusCode.INTERNAL: 500,
        StatusCode.UNAVAILABLE: 503,
        StatusCode.DATA_LOSS: 500,
        StatusCode.UNAUTHENTICATED: 401,
    }
)

# Of the gRPC statuses that share an HTTP one, that which says least of the cause; 409 is what creating twice answers nearly
# everywhere. Then the HTTP statuses that code.proto does not name, by what RFC 9110 says of them.
_OF_HTTP: Mapping[int, StatusCode] = MappingProxyType(
    {
        **{http: grpc for grpc, http in _OF_GRPC.items() if grpc is not StatusCode.OK},
        400: StatusCode.INVALID_ARGUMENT,
        409: StatusCode.ALREADY_EXISTS,
        500: StatusCode.INTERNAL,
        # as 412: the two answers to a precondition that failed
        304: StatusCode.FAILED_PRECONDITION,
        405: StatusCode.UNIMPLEMENTED,
        407: StatusCode.UNAUTHENTICATED,
        408: StatusCode.DEADLINE_EXCEEDED,
        410: StatusCode.NOT_FOUND,
        412: StatusCode.FAILED_PRECONDITION,
        416: StatusCode.OUT_OF_RANGE,
        428: StatusCode.FAILED_PRECONDITION,
        502: StatusCode.UNAVAILABLE,
    }
)
_BODILESS = {204, 205, 304}


def sole_code(http: int, codes: Iterable[ErrorCode]) -> ErrorCode | None:
    """The code that alone declares an HTTP status, or None."""
    found = [
        code for code in codes if code.http_status == http and code.grpc_status is not StatusCode.OK
    ]
    return found[0] if len(found) == 1 else None


def http_status(code: ErrorCode) -> int:
    """The HTTP status of a code: the declared one if it can end a request, else that of its gRPC status."""
    declared = code.http_status
    return of_grpc(code.grpc_status) if declared is None or declared < 200 else declared


def of_grpc(status: StatusCode) -> int:
    """The HTTP status of a gRPC one."""
    return _OF_GRPC[status]


def grpc_status(http: int) -> StatusCode:
    """The failure that an HTTP status stands for when nothing else is known; UNKNOWN for what is neither 4xx nor 5xx."""
    if (known := _OF_HTTP.get(http)) is not None:
        return known
    return {4: StatusCode.INVALID_ARGUMENT, 5: StatusCode.INTERNAL}.get(
        http // 100, StatusCode.UNKNOWN
    )


def has_body(http: int) -> bool:
    """Whether an answer with this status may carry content (RFC 9110 sections 6.4.1 and 15)."""
    return http >= 200 and http not in _BODILESS


def phrase(http: int) -> str:
    """What RFC 9110 calls a status, such as `Not Found`."""
    try:
        return HTTPStatus(http).phrase
    except ValueError:
        return f"HTTP {http}"
