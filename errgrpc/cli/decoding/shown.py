"""Prints an error that was found, and what the tables declare for its code."""

import contextlib
import itertools
import json
from typing import Any

from google.protobuf import any_pb2, json_format
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc import error_details_pb2 as rpc

from errgrpc.cli.decoding.finding import Found
from errgrpc.cli.facts import facts
from errgrpc.cli.output import Exit, console, errors, print_json, styled
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES, Catalog, Code
from errgrpc.wire.packing import type_name
from errgrpc.wire.received import Received

__all__ = ["as_value", "show"]

_MOST_FIELDS = 50  # of a message of an unknown type
_DEEPEST = 4
# these details have their own lines
_TOLD = (rpc.ErrorInfo, rpc.LocalizedMessage, rpc.RequestInfo, rpc.RetryInfo)


def show(tables: Tables, found: list[Found], form: str) -> Exit:
    """Prints the errors. Returns 1 if the list is empty."""
    values = [as_value(tables, each) for each in found]
    if form == "json":
        print_json(values)
    else:
        for value in values:
            _print(value)
    if not found:
        errors().print(
            "no error is in this text: no google.rpc.Status in base64, hex, escaped bytes or JSON, "
            "no envelope, no error of Python"
        )
    return Exit.FINE if found else Exit.FINDINGS


def as_value(tables: Tables, found: Found) -> dict[str, Any]:
    """Returns the content of an error. `declared` is its code in the table, or null."""
    received = Received((found.status.SerializeToString(),))
    info, number = received.info, received.number
    declared = _declared(tables, info.domain if info else "", info.reason if info else "", number)
    # an envelope has no status
    status = STATUSES.get(received.status.code) if received.status.code else None
    if status is None and declared is not None and declared[1].grpc_status is not None:
        status = STATUSES.get(declared[1].grpc_status)
    delay = received.retry_delay
    return {
        "found_as": found.how,
        "status": status.name if status is not None else None,
        "message": received.status.message,
        "reason": info.reason if info else None,
        "domain": info.domain if info else None,
        "number": number or None,
        "metadata": received.metadata,
        "hint": None
        if received.localized is None
        else {"locale": received.localized[0], "text": received.localized[1]},
        "request_id": received.request_id or found.request_id,
        "retry_delay": delay,
        "details": [
            _detail(detail) for detail in received.details if not isinstance(detail, _TOLD)
        ],
        "declared": None if declared is None else facts(tables, *declared),
    }


def _declared(tables: Tables, domain: str, reason: str, number: str) -> tuple[Catalog, Code] | None:
    """Finds the code as a client does: by domain and reason, or else by domain and number.

    Without a domain, it looks in all catalogues.
    """
    known = [(catalog, code) for catalog, code in tables.codes() if domain in ("", catalog.domain)]
    by_reason = ((catalog, code) for catalog, code in known if reason and code.reason == reason)
    by_number = (
        (catalog, code) for catalog, code in known if number and str(code.number) == number
    )
    return next(by_reason, None) or next(by_number, None)


def _detail(detail: Message) -> dict[str, Any]:
    if isinstance(detail, any_pb2.Any):
        try:
            return {"@type": detail.type_url, "fields": _fields(detail.value, 0)}
        except DecodeError:
            return {"@type": detail.type_url, "bytes": detail.value[:1_000].hex()}
    try:
        value = json_format.MessageToDict(detail, preserving_proto_field_name=True)
    except Exception:  # noqa: BLE001  unknown type inside, or a number out of range
        return {"@type": type_name(detail), "bytes": detail.SerializeToString()[:1_000].hex()}
    return (
        {"@type": type_name(detail), **value}
        if isinstance(value, dict)
        else {"@type": type_name(detail), "value": value}
    )


def _fields(raw: bytes, depth: int) -> list[dict[str, Any]]:
    """Returns the fields of a message of an unknown type, by number.

    Raises DecodeError for bytes that are no message.
    """
    fields: Any = UnknownFieldSet(Empty.FromString(raw))
    return [
        {"field": field.field_number, "value": _field(field.data, depth)}
        for field in itertools.islice(fields, _MOST_FIELDS)
    ]


def _field(data: Any, depth: int) -> Any:
    """Returns a number, a text, the fields of a message, or bytes in hex.

    On the wire of protobuf, the last three look the same.
    """
    if not isinstance(data, bytes):
        return data if isinstance(data, int) else str(data)[:200]
    text = data.decode(errors="replace")
    if text.isprintable() and "\ufffd" not in text:
        return text
    with contextlib.suppress(DecodeError):
        if depth < _DEEPEST:
            return _fields(data, depth + 1)
    return data[:200].hex()


def _print(value: dict[str, Any]) -> None:
    declared, out = value["declared"], console()
    title = " ".join(
        str(part)
        for part in (
            (declared or value)["number"],
            declared["reason"] if declared else value["reason"],
            value["status"],
        )
        if part is not None
    )
    head = styled(title or "an error without a code", "bold cyan")
    head.append_text(
        styled(
            f"  {declared['catalogue'] if declared else value['domain'] or 'no table declares it'}",
            "dim",
        )
    )
    out.print(head)
    for name, text in _lines(value):
        out.print(styled(f"  {name}: ", "bold").append_text(styled(" ".join(text.split()))))
    out.print()


def _lines(value: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("message", value["message"])] if value["message"] else []
    if value["hint"]:
        lines.append((f"hint {value['hint']['locale']}", value["hint"]["text"]))
    lines += [(f"metadata {key}", text) for key, text in value["metadata"].items()]
    if value["request_id"]:
        lines.append(("request id", value["request_id"]))
    if value["retry_delay"] is not None:
        lines.append(("try again in", f"{value['retry_delay']:g} s"))
    for detail in value["details"]:
        kind = detail["@type"].rpartition("/")[2]
        lines.append(
            (
                f"detail {kind}",
                json_text({key: each for key, each in detail.items() if key != "@type"}),
            )
        )
    declared = value["declared"]
    if declared is None:
        if value["reason"] or value["number"]:
            lines.append(
                ("table", "no catalogue given declares this code: give its table by --catalogue")
            )
        else:
            lines.append(
                (
                    "table",
                    "the error names no code: the server did not send one, or the copied text "
                    "does not contain it",
                )
            )
        return lines
    if declared["message"] not in ("", value["message"]):
        lines.append(("declared message", declared["message"]))
    lines += [
        (f"declared hint {hint['locale']}", hint["text"])
        for hint in declared["hints"]
        if not hint["when"] and (value["hint"] is None or hint["text"] != value["hint"]["text"])
    ]
    lines += [(name, declared[name]) for name in ("description", "resolution") if declared[name]]
    if declared["retryable"] is not None:
        lines.append(
            (
                "retry",
                "the same call may succeed later"
                if declared["retryable"]
                else "the same call fails again",
            )
        )
    if declared["help_url"]:
        lines.append(("help", declared["help_url"]))
    return lines


def json_text(value: Any) -> str:
    """Returns one line of JSON, at most 2,000 characters."""
    return json.dumps(value, ensure_ascii=False)[:2_000]
