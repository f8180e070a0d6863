"""Compares what a peer read with what it must read."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as _rpc  # noqa: F401  registers its types

from conformance.v1 import conformance_pb2 as _v1  # noqa: F401  registers its types
from conformance.vectors import Vector

__all__ = ["CALL", "differences", "encoded"]

CALL = "call"
"""The name of the difference if the call gave no error to read."""

_FIELDS = ("status", "message", "reason", "domain", "metadata", "locale", "hint")
_OWN_FIELDS = {"google.rpc.ErrorInfo", "google.rpc.LocalizedMessage"}


def encoded(kind: str, value: bytes) -> dict[str, str]:
    """Returns a detail in the form in which a peer prints it."""
    return {"type": kind, "base64": base64.b64encode(value).decode()}


def differences(vector: Vector, messages: int, said: Mapping[str, Any]) -> dict[str, str]:
    """Returns the differences by field; none if the peer read everything."""
    if "failed" in said:
        return {CALL: str(said["failed"])}
    read: dict[str, Any] = vector["read"]
    wanted = {"messages": messages} | {field: read[field] for field in _FIELDS}
    found = {field: said.get(field) for field in wanted}
    if read["trailing"]:
        wanted["trailing"] = read["trailing"]
        found["trailing"] = {key: (said.get("trailing") or {}).get(key) for key in read["trailing"]}
    wanted["details"] = sorted(_canonical(detail) for detail in read["details"])
    found["details"] = sorted(text for text in map(_canonical, said.get("details") or ()) if text)
    if "typed" in said:
        wanted |= {f"typed.{field}": value for field, value in vector["typed"].items()}
        found |= {f"typed.{field}": value for field, value in said["typed"].items()}
    return {
        field: f"must be {_short(wanted[field])}, is {_short(found.get(field))}"
        for field in wanted
        if not _same(wanted[field], found.get(field))
    }


def _same(wanted: object, found: object) -> bool:
    return type(wanted) is type(found) and wanted == found


def _canonical(detail: Mapping[str, Any]) -> str:
    """Returns one text for a message, from either of its two forms.

    If the message has fields of its own in the vector, the text is empty.
    """
    kind = str(detail.get("type") or detail.get("@type", "")).rpartition("/")[2]
    if kind in _OWN_FIELDS:
        return ""
    try:
        message = message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(kind)
        )()
        if "base64" in detail:
            message.ParseFromString(base64.b64decode(detail["base64"], validate=True))
        else:
            fields = {key: value for key, value in detail.items() if key != "@type"}
            json_format.ParseDict(
                fields["value"] if kind.startswith("google.protobuf.") else fields, message
            )
        value: object = json_format.MessageToDict(message)
    except (KeyError, TypeError, DecodeError, json_format.ParseError, binascii.Error):
        value = detail.get("base64", detail)  # of an unknown type, or broken
    return json.dumps([kind, value], sort_keys=True, ensure_ascii=False)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}… ({len(text)} characters)"
