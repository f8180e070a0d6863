"""A detail as JSON and back: ProtoJSON of an Any, and plain JSON data as a google.protobuf.Struct, ListValue or Value.

What comes in is a peer's: nothing here raises on it. What goes out is the raiser's, or that of a peer who was passed on.
"""

import base64
import binascii
import struct
import sys
from typing import Any

from google.protobuf import any_pb2, json_format, struct_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc.remote_error import RemoteError
from errgrpc.texts import clean
from errgrpc.wire.packing import pack, type_name

__all__ = ["Json", "as_detail", "data", "from_json", "is_data", "to_json", "untyped"]

Json = Any
"""What JSON can say: None, bool, int, float, str, and lists and dicts of them."""

_TYPE = "@type"
_DEEPEST = 32  # levels: each takes three of protobuf's, whose readers refuse more than 100
_EXACT = 2**53  # up to here each integer is a double, as which protobuf's Value keeps numbers
_NO_DATA = {kind.DESCRIPTOR.full_name for kind in (rpc.ErrorInfo, rpc.LocalizedMessage, rpc.RetryInfo, rpc.RequestInfo)}


def to_json(packed: any_pb2.Any) -> dict[str, Json]:
    """ProtoJSON of a detail; one of an unknown type, or that does not parse, has its bytes as base64 in `value`."""
    try:
        return _whole(json_format.MessageToDict(packed))  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001  TypeError, DecodeError, ValueError and RecursionError among others
        return {_TYPE: packed.type_url, "value": base64.b64encode(packed.value).decode()}


def from_json(detail: Json) -> any_pb2.Any | None:
    """The detail of a ProtoJSON object; one of an unknown type stays readable as a Struct. None for what is no object."""
    if not isinstance(detail, dict):
        return None
    url = detail.get(_TYPE)
    if isinstance(url, str) and "/" in url:
        try:
            return json_format.ParseDict(detail, any_pb2.Any(), ignore_unknown_fields=True)
        except Exception:  # noqa: BLE001  ParseError, TypeError, AttributeError and others, by what is wrong
            if detail.keys() == {_TYPE, "value"} and (value := _decoded(detail["value"])) is not None:
                return any_pb2.Any(type_url=url, value=value)
    return as_detail(detail)


def _decoded(text: Json) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


def is_data(detail: Message) -> bool:
    """Whether a detail is one that the raiser gave, and not what errgrpc made of the rest of the error."""
    return type_name(detail) not in _NO_DATA


def data(error: RemoteError, /) -> Json:
    """What a received error has in `data`: its first own detail as JSON; None without one.

    Over gRPC, too: `ServiceError(ResCode.CONFLICT, details=[room])` reads the same whichever way it came.
    """
    return next((untyped(detail) for detail in error.status_details if is_data(detail)), None)


def untyped(detail: Message) -> Json:
    """A detail as JSON without its type."""
    packed = pack(detail)
    written = to_json(packed)
    if "value" in written and packed.TypeName().startswith("google.protobuf."):
        return written["value"]  # of the types that have a JSON form of their own
    return {key: value for key, value in written.items() if key != _TYPE}


def _whole(value: Json) -> Json:
    """Numbers without a fraction as integers: `3.0`, as protobuf reads a 3 from a Struct, is no int to many a client. And keys
    in their order, as protobuf's maps have none of their own."""
    if isinstance(value, dict):
        return {key: _whole(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT else value


# By hand, as json_format takes 25 us for each value: a peer's 256 kB would take seconds.


def as_detail(value: Json) -> any_pb2.Any | None:
    """JSON data as a Struct, ListValue or Value. None for None and for what is nested too deep for protobuf."""
    if value is None:
        return None
    kind: type[Message] = struct_pb2.Value
    try:
        if isinstance(value, dict):
            kind, raw = struct_pb2.Struct, _struct(value, 1)
        elif isinstance(value, list):
            kind, raw = struct_pb2.ListValue, _list(value, 1)
        else:
            raw = _value(value, 1)
    except RecursionError:
        return None
    return any_pb2.Any(type_url=f"type.googleapis.com/{kind.DESCRIPTOR.full_name}", value=raw)


def _struct(value: dict[str, Json], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise RecursionError
    return b"".join([_field(1, _text(1, str(key)) + _field(2, _value(item, depth))) for key, item in value.items()])


def _list(value: list[Json], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise RecursionError
    return b"".join([_field(1, _value(item, depth)) for item in value])


def _value(value: Json, depth: int) -> bytes:
    if isinstance(value, str):
        return _text(3, value)
    if isinstance(value, bool):
        return b"\x20\x01" if value else b"\x20\x00"
    if isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        return b"\x11" + struct.pack("<d", value)
    if isinstance(value, dict):
        return _field(5, _struct(value, depth + 1))
    if isinstance(value, list):
        return _field(6, _list(value, depth + 1))
    return b"\x08\x00"


def _text(number: int, text: str) -> bytes:
    return _field(number, clean(text).encode())


def _field(number: int, value: bytes) -> bytes:
    head, size = [number << 3 | 2], len(value)
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + value
