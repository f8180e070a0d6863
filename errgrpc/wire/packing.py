"""What both directions share: a message in an Any, the bytes of a Status, the keys."""

import base64
import binascii
from typing import TypeVar

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from errgrpc.texts import shown

__all__ = [
    "DETAILS_KEY",
    "MAX_SECONDS",
    "NUMBER_KEY",
    "PUSHBACK_KEY",
    "M",
    "Trailer",
    "from_base64",
    "holds",
    "pack",
    "parse",
    "seconds_of",
    "type_name",
    "unpack",
]

DETAILS_KEY = "grpc-status-details-bin"
"""The key of the trailing metadata that holds the google.rpc.Status."""
PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""The key of the trailing metadata that tells a client's retry policy when to retry.

The value is in milliseconds (gRFC A6).
"""
MAX_SECONDS = 315_576_000_000
"""The longest google.protobuf.Duration."""
NUMBER_KEY = "code"
"""The key of `ErrorInfo.metadata` that holds the code's number in decimal."""

_URL_SAFE = str.maketrans("-_", "+/")

M = TypeVar("M", bound=Message)
Trailer = tuple[str, str | bytes]


def pack(message: Message) -> any_pb2.Any:
    """Returns `message` in an Any, or an Any as it is.

    Raises EncodeError if the message lacks a required field.
    """
    if isinstance(message, any_pb2.Any):
        return message
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def holds(packed: any_pb2.Any, kind: type[Message]) -> bool:
    """Tells whether `packed` says that it is of type `kind`."""
    return packed.TypeName() == kind.DESCRIPTOR.full_name


def unpack(packed: any_pb2.Any, kind: type[M]) -> M | None:
    """Returns the message of type `kind` in `packed`, or None.

    It is None if the message is of another type, or does not parse.
    """
    try:
        return (
            kind.FromString(packed.value)
            if packed.type_url.endswith("/" + kind.DESCRIPTOR.full_name)
            else None
        )
    except DecodeError:
        return None


def seconds_of(info: error_details_pb2.RetryInfo) -> float | None:
    """Returns the delay in seconds, or None if it is absent or out of range."""
    if not info.HasField("retry_delay"):
        return None
    seconds: float = info.retry_delay.seconds + info.retry_delay.nanos / 1_000_000_000
    return seconds if 0 <= seconds <= MAX_SECONDS else None


def type_name(detail: Message) -> str:
    """Returns the full name of a message's type.

    For an Any, it is the type of the message inside.
    """
    return detail.TypeName() if isinstance(detail, any_pb2.Any) else detail.DESCRIPTOR.full_name


_parse_status = status_pb2.Status.FromString


def from_base64(text: str) -> bytes:
    """Returns the bytes of base64: padded or not, URL-safe or not, in lines or not.

    Raises ValueError if `text` is not base64.
    """
    digits = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{shown(text, 80)} is no base64") from error


def parse(value: object) -> status_pb2.Status:
    """Returns the Status in these bytes, or an empty one if they do not parse."""
    try:
        return _parse_status(value) if isinstance(value, bytes) else status_pb2.Status()
    except DecodeError:
        return status_pb2.Status()
