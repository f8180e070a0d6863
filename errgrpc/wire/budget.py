"""What is given up, and in which order, until an answer's trailers fit.

Peers drop oversized trailers and the cause with them: C-core loses some from 8,192 bytes on, grpc-java all beyond that,
grpc-go resets the stream. A code with less beside it is worth more than a complete error that never arrives.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc.wire.packing import Trailer, holds, pack, unpack

__all__ = ["DEFAULT_MAX_TRAILER_BYTES", "Parts", "fit"]

# Measured: a trailers-only answer has 247 bytes beside the details, and none with 8,192 in all or less was ever lost.
DEFAULT_MAX_TRAILER_BYTES = 7_900
# The message travels twice, in grpc-message and in the Status, so what is beyond this goes before anything else.
MESSAGE_BYTES = 1_024

_VIOLATIONS = (
    (rpc.BadRequest, "field_violations"),
    (rpc.PreconditionFailure, "violations"),
    (rpc.QuotaFailure, "violations"),
)


@dataclass(slots=True)
class Parts:
    """What of one error can be given up; its code stays. Changed in place by `fit`."""

    message: str
    metadata: dict[str, str]
    localized: tuple[str, str] | None  # locale, text
    details: list[any_pb2.Any]
    retry: any_pb2.Any | None
    request: any_pb2.Any | None
    trailers: list[Trailer]


# What a stage gives up: its name, how many units there are, and what keeps only the first of them.
_Stage = tuple[str, int, Callable[[int], None]]


def fit(parts: Parts, limit: int, size: Callable[[Parts], int]) -> list[str]:
    """Shed from `parts`, in the fixed order and no more than needed, until `size(parts)` is at most `limit` bytes.

    Returns the names of what went, nothing if all fitted. ErrorInfo with reason, domain and code always stays.
    """
    shed: list[str] = []
    if size(parts) <= limit:
        return shed
    for name, count, keep in _stages(parts):
        shed.append(name)
        keep(0)
        if size(parts) <= limit:
            fits, too_many = 0, count
            while too_many - fits > 1:
                middle = (fits + too_many) // 2
                keep(middle)
                if size(parts) <= limit:
                    fits = middle
                else:
                    too_many = middle
            keep(fits)
            break
    return shed


def _stages(parts: Parts) -> Iterator[_Stage]:
    """The order; each stage is looked at when those before it have given up all they had."""
    kept = len(parts.message.encode()[:MESSAGE_BYTES].decode(errors="ignore"))
    yield from _message(parts, kept)
    for kind in (rpc.DebugInfo, rpc.Help):
        yield from _detail_of(parts, kind)
    for index in reversed(range(len(parts.details))):
        yield from _violations(parts, index)
    yield from _list(parts, "details", "details")
    yield from _single(parts, "localized", "LocalizedMessage")
    yield from _metadata(parts)
    yield from _single(parts, "retry", "RetryInfo")
    yield from _single(parts, "request", "RequestInfo")
    yield from _message(parts, 0)
    yield from _list(parts, "trailers", "trailing metadata of the handler")


def _message(parts: Parts, kept: int) -> Iterator[_Stage]:
    text = parts.message

    def keep(count: int) -> None:
        parts.message = text[: kept + count]

    if len(text) > kept:
        yield "message", len(text) - kept, keep


def _detail_of(parts: Parts, kind: type[Message]) -> Iterator[_Stage]:
    others = [detail for detail in parts.details if not holds(detail, kind)]

    def keep(_: int) -> None:
        parts.details = others

    if len(others) < len(parts.details):
        yield kind.DESCRIPTOR.name, 1, keep


def _violations(parts: Parts, index: int) -> Iterator[_Stage]:
    for kind, field in _VIOLATIONS:
        whole = unpack(parts.details[index], kind)
        if whole is not None and (count := len(getattr(whole, field))):

            def keep(count: int, whole: Message = whole, field: str = field) -> None:
                less = type(whole)()
                less.CopyFrom(whole)
                del getattr(less, field)[count:]
                parts.details[index] = pack(less)  # anew: the error that is raised again needs the old one

            yield f"violations of {kind.DESCRIPTOR.name}", count, keep


def _list(parts: Parts, name: str, label: str) -> Iterator[_Stage]:
    whole = getattr(parts, name)
    if whole:
        yield label, len(whole), lambda count: setattr(parts, name, whole[:count])


def _metadata(parts: Parts) -> Iterator[_Stage]:
    items = list(parts.metadata.items())

    def keep(count: int) -> None:
        parts.metadata = dict(items[:count])

    if items:
        yield "metadata", len(items), keep


def _single(parts: Parts, name: str, label: str) -> Iterator[_Stage]:
    if getattr(parts, name) is not None:
        yield label, 1, lambda _: setattr(parts, name, None)
