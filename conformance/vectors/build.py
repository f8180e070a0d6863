"""Builds the vector of each case.

The bytes come from errgrpc's decisions. What readers must find in them comes from protobuf alone.
"""

import base64
import json
import logging
import warnings
from collections.abc import Iterable
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from conformance.vectors import Vector
from conformance.vectors.cases import KNOWN, Case, later, raised
from conformance.vectors.foreign import Foreign, foreign
from errgrpc import ErrorCode, MisuseWarning, ResCode
from errgrpc.answering import Answering, Rpc, RpcAnswer
from errgrpc.wire.packing import DETAILS_KEY

__all__ = ["answer", "as_json", "cases", "vectors"]


def cases() -> tuple[Case | Foreign, ...]:
    """Returns all cases. The number of a vector is the place of its case, starting at 1."""
    return (*raised(), *foreign(), *later())


def vectors() -> list[Vector]:
    """Builds all vectors."""
    # The log records about masked or shed parts are expected.
    logging.getLogger("errgrpc").addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        # The vector details/all has a delay and a code that is not retryable.
        warnings.simplefilter("ignore", MisuseWarning)
        return [_vector(number, case) for number, case in enumerate(cases(), 1)]


def as_json(made: list[Vector]) -> str:
    """Returns the vectors as text for the file."""
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def answer(case: Case | Foreign) -> RpcAnswer:
    """Returns the answer to a case as it is sent."""
    if isinstance(case, Foreign):
        return RpcAnswer(
            case.status,
            case.message,
            () if case.details is None else ((DETAILS_KEY, case.details),),
        )
    rpc_seen = Rpc("/vectors", case.metadata, case.trailing, None, "")
    return Answering(ResCode, on_error=lambda *_, **__: None).answer(case.error(), rpc_seen)


def _vector(number: int, case: Case | Foreign) -> Vector:
    status, message, trailers = answer(case)
    raw = next(
        (value for key, value in trailers if key == DETAILS_KEY and isinstance(value, bytes)), None
    )
    trailing = {key: value for key, value in trailers if key != DETAILS_KEY}
    own = {key: value for key, value in trailing.items() if key.startswith("x-")}
    seen = (
        case.seen if isinstance(case, Foreign) else status_pb2.Status.FromString(raw or b"").details
    )
    read = {"status": status.value[0], "message": message, **_read(seen), "trailing": own}
    sent = None if raw is None else base64.b64encode(raw).decode()
    return {
        "number": number,
        "name": case.name,
        "request": {"metadata": dict(case.metadata)},
        "trailers": {
            "grpc-status": status.value[0],
            "grpc-message": message,
            "grpc-status-details-bin": sent,
            "metadata": trailing,
        },
        "read": read,
        "typed": _typed(case, read),
        "servable": case.servable,
    }


def _read(details: Iterable[any_pb2.Any]) -> dict[str, Any]:
    """Returns what any reader must see, in the words of the standard messages."""
    read: dict[str, Any] = dict.fromkeys(("reason", "domain", "metadata", "locale", "hint"))
    others = []
    for packed in details:
        kind = packed.TypeName()
        if kind == rpc.ErrorInfo.DESCRIPTOR.full_name:
            info = rpc.ErrorInfo.FromString(packed.value)
            read |= {
                "reason": info.reason,
                "domain": info.domain,
                "metadata": dict(sorted(info.metadata.items())),
            }
        elif kind == rpc.LocalizedMessage.DESCRIPTOR.full_name:
            localized = rpc.LocalizedMessage.FromString(packed.value)
            read |= {"locale": localized.locale, "hint": localized.message}
        else:
            others.append(
                {
                    "type": kind,
                    "base64": base64.b64encode(packed.value).decode(),
                    "json": _json(kind, packed.value),
                }
            )
    return read | {"details": others}


def _json(kind: str, value: bytes) -> dict[str, Any] | None:
    try:
        found = message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(kind)
        )
        message = found.FromString(value)
    except (KeyError, DecodeError):
        return None
    # The JSON of a well-known type is not an object, so an Any has it in `value`.
    made = json_format.MessageToDict(message)
    return made if isinstance(made, dict) else {"value": made}


def _typed(case: Case | Foreign, read: dict[str, Any]) -> dict[str, Any]:
    """Returns what a reader with our catalogues must find."""
    code = _known(case)
    catalogue = (
        None
        if read["reason"] is None
        else next((c for c in KNOWN if read["domain"] in {c.domain, ""}), None)
    )
    typed: dict[str, Any] = {
        "catalogue": catalogue and catalogue.__name__,
        "code": code and code.reason,
        "number": _number(read) if code is None else code.number,
        "inferred": read["reason"] is None and code is not None,
        "locale": read["locale"],
        "hint": read["hint"],
        "request_id": next(
            (
                d["json"].get("requestId")
                for d in read["details"]
                if d["type"] == "google.rpc.RequestInfo"
            ),
            None,
        ),
    }
    # from the reader's catalogue: no case of these asks for a language
    if code is not None and read["hint"] is None:
        typed |= {"locale": code.default_locale, "hint": code.hints[code.default_locale]}
    return typed


def _known(case: Case | Foreign) -> ErrorCode | None:
    if isinstance(case, Foreign):
        return case.code
    return case.code if type(case.code) in KNOWN else case.known_as


def _number(read: dict[str, Any]) -> int | None:
    """Returns the number that an unknown code sends: 32 bits in ASCII digits."""
    text = (read["metadata"] or {}).get("code", "")
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and abs(int(text)) < 2**31 else None
