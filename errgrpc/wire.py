"""The bytes of `grpc-status-details-bin`: an error taken apart -> google.rpc.Status -> what a reader sees.

Written are only `google.rpc` types, in a fixed order, each at most once (AIP-193). Read is whatever a peer sends: nothing
here raises on it.
"""

from collections.abc import Iterable
from functools import cached_property

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc.budget import M, Parts, fit, pack, unpack
from errgrpc.codes import STATUSES

__all__ = ["DETAILS_KEY", "NUMBER_KEY", "Received", "encode", "status_code", "to_status", "trailer_bytes"]

DETAILS_KEY = "grpc-status-details-bin"
NUMBER_KEY = "code"
"""The key of `ErrorInfo.metadata` that holds the code's number in decimal."""

# What gRPC counts for each entry of metadata beside its name and value (RFC 9113 section 6.5.2).
_ENTRY_BYTES = 32
_CLEAR = frozenset(range(0x20, 0x7F)) - {ord("%")}


def status_code(number: int) -> StatusCode:
    """The status of a number; UNKNOWN for one that gRPC does not define, as gRPC itself reads it."""
    return STATUSES.get(number, StatusCode.UNKNOWN)


def to_status(parts: Parts) -> status_pb2.Status:
    """The Status of an error, its details in the order of the contract."""
    code = parts.error_code
    info = rpc.ErrorInfo(reason=code.reason, domain=code.domain, metadata={NUMBER_KEY: str(code.number), **parts.metadata})
    details = [pack(info)]
    if parts.localized is not None:
        locale, text = parts.localized
        details.append(pack(rpc.LocalizedMessage(locale=locale, message=text)))
    details += parts.details
    details += (detail for detail in (parts.retry, parts.request) if detail is not None)
    return status_pb2.Status(code=code.grpc_status.value[0], message=parts.message, details=details)


def encode(parts: Parts, limit: int) -> tuple[bytes, list[str]]:
    """The serialized Status of an error whose trailers take at most `limit` bytes, and the names of what was shed for that."""
    raw = to_status(parts).SerializeToString()
    if _trailer_bytes(parts, len(raw)) <= limit:
        return raw, []
    shed = fit(parts, limit, trailer_bytes)
    return to_status(parts).SerializeToString(), shed


def trailer_bytes(parts: Parts) -> int:
    """What a peer may count for the trailers of an error: the details as base64, as all but C-core send them."""
    return _trailer_bytes(parts, to_status(parts).ByteSize())


def _trailer_bytes(parts: Parts, status_bytes: int) -> int:
    size = _entry("grpc-status", 2) + _entry("grpc-message", _percent_encoded(parts.message))
    size += _entry(DETAILS_KEY, _base64(status_bytes))
    return size + sum(_entry(key, _base64(len(value)) if key.endswith("-bin") else len(value)) for key, value in parts.trailers)


def _entry(name: str, value_bytes: int) -> int:
    return len(name) + value_bytes + _ENTRY_BYTES


def _base64(count: int) -> int:
    return (count + 2) // 3 * 4


def _percent_encoded(text: str) -> int:
    return sum(1 if byte in _CLEAR else 3 for byte in text.encode())


class Received:
    """What a reader sees of a `grpc-status-details-bin`: ErrorInfo is read at once, the rest when asked for."""

    def __init__(self, values: Iterable[object] = ()) -> None:
        """`values` are all of the key's values; the first with a readable ErrorInfo counts, else the first that parses."""
        self.status = status_pb2.Status()
        self.info: rpc.ErrorInfo | None = None
        for value in values:
            status = _parse(value)
            info = _first(status, rpc.ErrorInfo)
            if info is not None or not self.status.ByteSize():
                self.status, self.info = status, info
            if info is not None:
                break

    @cached_property
    def number(self) -> str:
        """The number's decimal digits as the peer wrote them, or nothing."""
        return "" if self.info is None else self.info.metadata.get(NUMBER_KEY, "")

    @cached_property
    def metadata(self) -> dict[str, str]:
        """ErrorInfo's metadata without the number."""
        # Sorted, for protobuf's maps have no order of their own.
        return {} if self.info is None else {key: text for key, text in sorted(self.info.metadata.items()) if key != NUMBER_KEY}

    @cached_property
    def details(self) -> tuple[Message, ...]:
        """All details; those of a type that this process does not know, or that do not parse, stay Any."""
        return tuple(map(_known, self.status.details))

    @cached_property
    def localized(self) -> tuple[str, str] | None:
        """Locale and text of the hint that the peer sent, or None."""
        found = self.detail(rpc.LocalizedMessage)
        return None if found is None or not found.message else (found.locale, found.message)

    @cached_property
    def request_id(self) -> str | None:
        """The id under which the server's log has the error, or None."""
        found = self.detail(rpc.RequestInfo)
        return None if found is None or not found.request_id else found.request_id

    def detail(self, kind: type[M]) -> M | None:
        """The first readable detail of a type, or None."""
        return _first(self.status, kind)

    def __reduce__(self) -> tuple[object, ...]:
        return Received, ((self.status.SerializeToString(),),)


def _parse(value: object) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(value) if isinstance(value, bytes) else status_pb2.Status()
    except DecodeError:
        return status_pb2.Status()


def _known(packed: any_pb2.Any) -> Message:
    try:
        kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(packed.TypeName()))
    except KeyError:
        return packed
    message: Message | None = unpack(packed, kind)
    return packed if message is None else message


def _first(status: status_pb2.Status, kind: type[M]) -> M | None:
    for detail in status.details:
        if (message := unpack(detail, kind)) is not None:
            return message
    return None
