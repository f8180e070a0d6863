"""Converts details to JSON and back.

A detail is written as the ProtoJSON of an Any. Plain JSON data becomes a google.protobuf.Struct,
ListValue or Value. No function raises an error because of what a peer sent.
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
"""JSON data: None, bool, int, float, str, and lists and dicts of these."""

_TYPE = "@type"
_DEEPEST = 32  # Levels. Each takes three levels of protobuf, whose readers refuse more than 100.
_EXACT = 2**53  # Protobuf's Value keeps numbers as doubles: integers up to here are exact.
_MOST_VALUES = 20_000  # A peer's values: while they are read, the caller's event loop waits.
_DEEPEST_OWN = 200  # Levels of JSON that a service gives.
_OF_JSON: tuple[type[Message], ...] = (struct_pb2.Struct, struct_pb2.ListValue, struct_pb2.Value)
_JSON_NAMES = {kind.DESCRIPTOR.full_name for kind in _OF_JSON}
_KEPT = "errgrpc.data"
_NO_DATA = {
    kind.DESCRIPTOR.full_name
    for kind in (rpc.ErrorInfo, rpc.LocalizedMessage, rpc.RetryInfo, rpc.RequestInfo)
}


def to_json(packed: any_pb2.Any) -> dict[str, Json]:
    """Returns the ProtoJSON of a detail.

    If its type is unknown or its bytes cannot be parsed, `value` has the bytes as base64.
    """
    for kind in _OF_JSON:  # json_format refuses these if they hold a NaN
        if (message := unpack(packed, kind)) is not None:
            return {_TYPE: packed.type_url, "value": _of_struct(message)}
    try:
        return _whole(json_format.MessageToDict(packed))  # type: ignore[no-any-return]  # untyped in protobuf
    except Exception:  # noqa: BLE001  TypeError, DecodeError, ValueError, RecursionError
        return {_TYPE: packed.type_url, "value": base64.b64encode(packed.value).decode()}


def from_json(detail: Json) -> any_pb2.Any | None:
    """Returns the detail of a ProtoJSON object, or None if `detail` is not an object.

    A detail of an unknown type becomes a Struct, so that it can still be read.
    """
    if not isinstance(detail, dict):
        return None
    url = detail.get(_TYPE)
    if isinstance(url, str) and "/" in url:
        try:
            return json_format.ParseDict(detail, any_pb2.Any(), ignore_unknown_fields=True)
        except Exception:  # noqa: BLE001  ParseError, TypeError, AttributeError and others
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
    """Returns whether the service gave this detail; errgrpc makes the other details itself."""
    return type_name(detail) not in _NO_DATA


def data(error: RemoteError, /) -> Json:
    """Returns the first detail that the service itself gave, as JSON, or None.

    It does not return an ErrorInfo, LocalizedMessage, RetryInfo or RequestInfo. The result is the
    same over gRPC and HTTP. For `ServiceError(ResCode.CONFLICT, details=[room])`, it is `room` as
    JSON.

    Over HTTP, integers of at most 20 digits are exact. Over gRPC, a number in a
    google.protobuf.Struct is a double, which is exact for integers up to 2**53.
    """
    if _KEPT in vars(error):
        return as_json(vars(error)[_KEPT])  # a copy, as in the other case
    return next((untyped(detail) for detail in error.status_details if is_data(detail)), None)


def keep_data(error: RemoteError, value: Json) -> None:
    """Keeps the JSON of a detail for `data`: a protobuf Value would make its numbers doubles."""
    vars(error)[_KEPT] = value


def json_of(detail: Json, packed: any_pb2.Any) -> Json:
    """Returns the JSON of a detail if `from_json` made plain data of it, else None."""
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
    """Returns a detail as JSON without its type."""
    packed = pack(detail)
    written = to_json(packed)
    if "value" in written and packed.TypeName().startswith("google.protobuf."):
        return written["value"]  # these types have a JSON form of their own
    return {key: value for key, value in written.items() if key != _TYPE}


def _whole(value: Json) -> Json:
    """Turns numbers without a fraction into integers, and sorts keys.

    Protobuf reads a 3 in a Struct as `3.0`, which many clients do not accept as an integer. The
    maps of protobuf have no order.
    """
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
    """Returns a service's data as JSON, with None in place of values such as NaN."""
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
    """Returns JSON data as the ProtoJSON of an Any, with each number as it is given."""
    name = (
        "Struct" if isinstance(data, dict) else "ListValue" if isinstance(data, list) else "Value"
    )
    return {_TYPE: f"type.googleapis.com/google.protobuf.{name}", "value": data}


def _of_struct(message: Any) -> Json:
    """Returns a Struct, ListValue or Value as JSON, with None in place of NaN and infinities."""
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
    """Counts the values in JSON data, up to `most`."""
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
    """Returns JSON data in a form that a Struct, ListValue or Value can hold.

    If the data are too large, or nested too deep for protobuf, it returns None.
    """
    if value is None or count(value, _MOST_VALUES) == _MOST_VALUES:
        return None
    try:
        return _storable(value, 1)
    except RecursionError:
        return None


def as_detail(value: Json) -> any_pb2.Any:
    """Returns a result of `storable` as a Struct, ListValue or Value."""
    holder = struct_pb2.Struct()
    holder.update({"": value})
    whole = holder.fields[""]
    return pack(
        {"struct_value": whole.struct_value, "list_value": whole.list_value}.get(
            whole.WhichOneof("kind") or "", whole
        )
    )


def _storable(value: Json, depth: int) -> Json:
    """Puts None in place of what a Value cannot hold. Raises RecursionError if nested too deep."""
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
