"""Maps HTTP statuses and gRPC statuses to each other, as google/rpc/code.proto does."""

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

# If several gRPC statuses share an HTTP status, the one that says least about the cause is chosen.
# For 409 it is ALREADY_EXISTS, as most services answer 409 to a second creation. The later entries
# are statuses that code.proto does not name; they follow RFC 9110.
_OF_HTTP: Mapping[int, StatusCode] = MappingProxyType(
    {
        **{http: grpc for grpc, http in _OF_GRPC.items() if grpc is not StatusCode.OK},
        400: StatusCode.INVALID_ARGUMENT,
        409: StatusCode.ALREADY_EXISTS,
        500: StatusCode.INTERNAL,
        # like 412: both answer a failed precondition
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
    """Returns the code that declares an HTTP status, or None unless exactly one code does."""
    found = [
        code for code in codes if code.http_status == http and code.grpc_status is not StatusCode.OK
    ]
    return found[0] if len(found) == 1 else None


def http_status(code: ErrorCode) -> int:
    """Returns the HTTP status of a code.

    It is the declared status if that can end a request, or else the status for its gRPC status.
    """
    declared = code.http_status
    return of_grpc(code.grpc_status) if declared is None or declared < 200 else declared


def of_grpc(status: StatusCode) -> int:
    """Returns the HTTP status for a gRPC status."""
    return _OF_GRPC[status]


def grpc_status(http: int) -> StatusCode:
    """Returns the gRPC status for a failed HTTP status if nothing else is known.

    If the status is neither 4xx nor 5xx, and not in the table, it is UNKNOWN.
    """
    if (known := _OF_HTTP.get(http)) is not None:
        return known
    return {4: StatusCode.INVALID_ARGUMENT, 5: StatusCode.INTERNAL}.get(
        http // 100, StatusCode.UNKNOWN
    )


def has_body(http: int) -> bool:
    """Returns whether a status allows a body (RFC 9110 sections 6.4.1 and 15)."""
    return http >= 200 and http not in _BODILESS


def phrase(http: int) -> str:
    """Returns the name of a status in RFC 9110, such as `Not Found`."""
    try:
        return HTTPStatus(http).phrase
    except ValueError:
        return f"HTTP {http}"
