"""What a peer read against what it must see."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as _rpc  # noqa: F401  so that its types are known

from conformance.v1 import conformance_pb2 as _v1  # noqa: F401  likewise
from conformance.vectors import Vector

__all__ = ["CALL", "differences", "encoded"]

CALL = "call"
"""The field that differs where the call itself did not give an error to read."""

_FIELDS = ("status", "message", "reason", "domain", "metadata", "locale", "hint")
_OWN_FIELDS = {"google.rpc.ErrorInfo", "google.rpc.LocalizedMessage"}


def encoded(kind: str, value: bytes) -> dict[str, str]:
    """A detail as a peer prints it."""
    return {"type": kind, "base64": base64.b64encode(value).decode()}


def differences(vector: Vector, messages: int, said: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what is wrong with it, empty if all is as it must be."""
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
    """One text for one message, in whichever of the two forms it is; empty for what has fields of its own."""
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
        value = detail.get("base64", detail)  # of a type that nobody knows, or broken
    return json.dumps([kind, value], sort_keys=True, ensure_ascii=False)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}… ({len(text)} characters)"
