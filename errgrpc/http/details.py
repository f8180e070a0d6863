"""A detail as JSON and back: ProtoJSON of an Any, and plain JSON data as a google.protobuf.Struct, ListValue or Value.

What comes in is a peer's: nothing here raises on it. What goes out is the raiser's, or that of a peer who was passed on.
"""

import base64
import binascii
import math
import sys
from collections.abc import Mapping
from typing import Any

from google.protobuf import any_pb2, json_format, struct_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc.remote_error import RemoteError
from errgrpc.texts import clean
from errgrpc.wire.packing import pack, type_name, unpack

__all__ = [
    "Json",
    "as_detail",
    "as_json",
    "count",
    "data",
    "from_json",
    "is_data",
    "json_of",
    "keep_data",
    "storable",
    "to_json",
    "typed",
    "untyped",
]

Json = Any
"""What JSON can say: None, bool, int, float, str, and lists and dicts of them."""

_TYPE = "@type"
_DEEPEST = 32  # levels: each takes three of protobuf's, whose readers refuse more than 100
_EXACT = 2**53  # up to here each integer is a double, as which protobuf's Value keeps numbers
_MOST_VALUES = 20_000  # of a peer's data: 40 ms of the caller's loop (Python 3.11)
_DEEPEST_OWN = 200  # levels of JSON that a service gives
_OF_JSON: tuple[type[Message], ...] = (struct_pb2.Struct, struct_pb2.ListValue, struct_pb2.Value)
_JSON_NAMES = {kind.DESCRIPTOR.full_name for kind in _OF_JSON}
_KEPT = "errgrpc.data"
_NO_DATA = {
    kind.DESCRIPTOR.full_name
    for kind in (rpc.ErrorInfo, rpc.LocalizedMessage, rpc.RetryInfo, rpc.RequestInfo)
}


def to_json(packed: any_pb2.Any) -> dict[str, Json]:
    """ProtoJSON of a detail; one of an unknown type, or that does not parse, has its bytes as base64 in `value`."""
    for kind in _OF_JSON:  # which json_format refuses if there is a NaN in one
        if (message := unpack(packed, kind)) is not None:
            return {_TYPE: packed.type_url, "value": _of_struct(message)}
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
            if (
                detail.keys() == {_TYPE, "value"}
                and (value := _decoded(detail["value"])) is not None
            ):
                return any_pb2.Any(type_url=clean(url), value=value)
    return None if (kept := storable(detail)) is None else as_detail(kept)


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

    Over gRPC, too: `ServiceError(ResCode.CONFLICT, details=[room])` reads the same whichever way it came. An integer of at most
    20 digits that came as JSON is exact; one in a google.protobuf.Struct that came over gRPC is a double, hence exact up to 2**53.
    """
    if _KEPT in vars(error):
        return as_json(vars(error)[_KEPT])  # a copy, as the other way
    return next((untyped(detail) for detail in error.status_details if is_data(detail)), None)


def keep_data(error: RemoteError, value: Json) -> None:
    """Keeps the JSON that a detail was made of, for `data`: protobuf's Value has doubles only."""
    vars(error)[_KEPT] = value


def json_of(detail: Json, packed: any_pb2.Any) -> Json:
    """The JSON in a detail of a body, if `from_json` made plain data of it; else None."""
    if packed.TypeName() not in _JSON_NAMES:
        return None
    url, value = detail.get(_TYPE), detail.get("value")
    name = url.rpartition("/")[2] if isinstance(url, str) and "/" in url else ""
    shape = {
        "google.protobuf.Struct": dict,
        "google.protobuf.ListValue": list,
        "google.protobuf.Value": object,
    }.get(name)
    return value if shape is not None and isinstance(value, shape) else detail


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
    return (
        int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT
        else value
    )


def as_json(value: object, depth: int = 1) -> Json:
    """Data that a service gives, as JSON says it; None in place of what JSON cannot say, such as NaN."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth <= _DEEPEST_OWN and isinstance(value, Mapping):
        return {str(key): as_json(item, depth + 1) for key, item in value.items()}
    if depth <= _DEEPEST_OWN and isinstance(value, list | tuple):
        return [as_json(item, depth + 1) for item in value]
    return None


def typed(data: Json) -> dict[str, Json]:
    """JSON data as ProtoJSON of an Any, with each number as it is given."""
    name = (
        "Struct" if isinstance(data, dict) else "ListValue" if isinstance(data, list) else "Value"
    )
    return {_TYPE: f"type.googleapis.com/google.protobuf.{name}", "value": data}


def _of_struct(message: Any) -> Json:
    """JSON of a Struct, ListValue or Value, whose numbers are doubles; None for NaN and infinities."""
    if isinstance(message, struct_pb2.Struct):
        return {key: _of_struct(message.fields[key]) for key in sorted(message.fields)}
    if isinstance(message, struct_pb2.ListValue):
        return [_of_struct(item) for item in message.values]
    kind = message.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    value = getattr(message, kind)
    if kind in ("struct_value", "list_value"):
        return _of_struct(value)
    return _whole(value) if kind != "number_value" or math.isfinite(value) else None


def count(value: Json, most: int) -> int:
    """How many values there are in JSON, `most` if there are more."""
    todo, seen = [value], 0
    while todo and seen < most:
        current = todo.pop()
        seen += 1
        if isinstance(current, dict):
            todo.extend(current.values())
        elif isinstance(current, list):
            todo.extend(current)
    return seen


def storable(value: Json) -> Json:
    """JSON data that a Struct, ListValue or Value can hold. None for data that is nested too deep for protobuf, or too large."""
    if value is None or count(value, _MOST_VALUES) == _MOST_VALUES:
        return None
    try:
        return _storable(value, 1)
    except RecursionError:
        return None


def as_detail(value: Json) -> any_pb2.Any:
    """What `storable` gives, as a Struct, ListValue or Value."""
    # Struct.update takes a third of the time of json_format.ParseDict: 95 ms of 202 for a list of 120,000 numbers (3.11).
    holder = struct_pb2.Struct()
    holder.update({"": value})
    whole = holder.fields[""]
    return pack(
        {"struct_value": whole.struct_value, "list_value": whole.list_value}.get(
            whole.WhichOneof("kind") or "", whole
        )
    )


def _storable(value: Json, depth: int) -> Json:
    """The value with None for what a google.protobuf.Value cannot hold. Raises RecursionError if it is nested too deep."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict | list) and depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {clean(str(key)): _storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, int | float) and (
        isinstance(value, bool) or abs(value) <= sys.float_info.max
    ):
        return value
    return None
