"""Writes an error as an HTTP answer: status, headers and one of three JSON bodies.

envelope   {"code": 1004, "msg": "Room Not Found", "data"?, "ts", "requestId", "cost"?}
aip193     {"error": {"code": 404, "message": "Room Not Found", "status": "NOT_FOUND", "details"}}
both       the keys of both: some clients can still read one while others already read the other
"""

import json
import math
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as rpc

from errgrpc import locales
from errgrpc.http.details import Json, as_json, is_data, to_json, typed, untyped
from errgrpc.http.statuses import grpc_status, has_body, http_status
from errgrpc.service_error import ServiceError, values_of
from errgrpc.texts import clean, is_request_id, shown
from errgrpc.wire import encoding
from errgrpc.wire.budget import Parts
from errgrpc.wire.packing import parse, seconds_of, unpack
from errgrpc.wire.values import Values

__all__ = [
    "ACCEPT_LANGUAGE",
    "REQUEST_ID",
    "Answer",
    "Form",
    "Headers",
    "Request",
    "coded",
    "encode",
    "form_of",
    "uncoded",
]

Form = Literal["envelope", "aip193", "both"]
"""The form of the JSON body of an answer:

- `envelope`: `{"code": 1004, "msg": "Room Not Found", "ts": ..., "requestId": ...}`, where `code`
  is the number of the error code.
- `aip193`: the `{"error": {...}}` of AIP-193, where `code` is the HTTP status.
- `both`: one object with the keys of both.
"""
Headers = Iterable[tuple[str, str]]
"""The names and values of HTTP headers, in their order."""

ACCEPT_LANGUAGE = locales.ACCEPT_LANGUAGE
REQUEST_ID = "x-request-id"
_OWNED = {"content-type", "content-length", REQUEST_ID}  # errgrpc writes these itself


class Answer(NamedTuple):
    """An HTTP answer: status, headers and body."""

    status: int
    """The HTTP status."""
    headers: tuple[tuple[str, str], ...]
    """The headers. Their names are in lower case."""
    body: bytes
    """The JSON body in UTF-8. It is empty if the status allows no body (RFC 9110)."""


@dataclass(frozen=True, slots=True)
class Request:
    """The facts of a failed request that its answer depends on."""

    method: str = "GET"
    """The HTTP method."""
    path: str = "/"
    """The path, which hooks and log records name with the method."""
    headers: Sequence[tuple[str, str]] = ()
    """The headers. `accept-language` and `x-request-id` are read."""
    started: float | None = None
    """The `time.monotonic()` at which the request began. If None, an envelope has no `cost`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", [(name.lower(), value) for name, value in self.headers])


@dataclass(slots=True)
class _Facts:
    """The facts from which the bodies are written."""

    status: int
    number: int
    message: str
    grpc_status: str
    details: Sequence[any_pb2.Any]
    request_id: str
    started: float | None
    data: Json = None
    """JSON data that a handler gave with an HTTP status and without a code."""
    headers: list[tuple[str, str]] = field(default_factory=list)


def form_of(form: object) -> Form:
    """Returns `form`. Raises ValueError if it is not the name of a form."""
    if form not in get_args(Form):
        raise ValueError(
            f"form is {shown(form, 80)}: give one of {', '.join(map(repr, get_args(Form)))}"
        )
    return form  # type: ignore[return-value]  # it is one of them


def encode(
    service_error: ServiceError, accept_language: str | None = None, *, form: Form = "envelope"
) -> Answer:
    """Returns the HTTP answer for a ServiceError.

    To answer other exceptions, too, use `Responder`.

    Args:
        service_error: The error.
        accept_language: The request's `accept-language` header, which chooses the language of the
            hint.
        form: The form of the body: `envelope`, `aip193` or `both`. An envelope has no hint.

    Raises:
        TypeError: `service_error` is not a ServiceError.
        ValueError: `form` is not one of the three.
    """
    if (values := values_of(service_error)) is None:
        raise TypeError(f"{shown(service_error)} is no errgrpc.ServiceError")
    headers = () if accept_language is None else ((ACCEPT_LANGUAGE, accept_language),)
    return coded(values, None, Request(headers=headers), form_of(form))


def coded(
    values: Values,
    request_id: str | None,
    request: Request,
    form: Form,
    *,
    data: object = None,
    headers: Headers = (),
    send_help: bool = False,
) -> Answer:
    """Returns the answer that has the code of an error.

    Args:
        values: The values of the error.
        request_id: The id in the log record about the error, if there is a record.
        request: The request that failed.
        form: The form of the body.
        data: Data that the handler gave with an HTTP status.
        headers: Headers that the handler gave with an HTTP status.
        send_help: Whether to send the catalogue's help link.
    """
    code, parts = (
        values.code,
        encoding.parts_of(
            values, locales.requested(request.headers), request_id, send_help=send_help
        ),
    )
    info = parts.request and unpack(parts.request, rpc.RequestInfo)
    facts = _Facts(
        http_status(code),
        code.number,
        parts.message,
        code.grpc_status.name,
        parse(encoding.whole(code, parts)).details,
        info.request_id if info and is_request_id(info.request_id) else _request_id(request),
        request.started,
        as_json(data),
        _given(headers),
    )
    # an envelope has no text for the end user: its clients look up the number
    if form != "envelope":
        if parts.localized is not None and all(
            name != "content-language" for name, _ in facts.headers
        ):
            facts.headers.append(("content-language", parts.localized[0]))
        facts.headers.append(("vary", "Accept-Language"))
    facts.headers += _retry_after(parts)
    return _written(facts, form)


def uncoded(
    status: int, message: str, data: object, request: Request, form: Form, headers: Headers = ()
) -> Answer:
    """Returns the answer for an HTTP status that a handler chose: its data as JSON, and no code."""
    name, request_id = grpc_status(status).name, _request_id(request)
    facts = _Facts(
        status,
        status,
        clean(message),
        name,
        (),
        request_id,
        request.started,
        as_json(data),
        _given(headers),
    )
    return _written(facts, form)


def _given(headers: Headers) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _OWNED]


def _request_id(request: Request) -> str:
    given = (
        value for name, value in request.headers if name == REQUEST_ID and is_request_id(value)
    )
    return next(given, None) or uuid.uuid4().hex


def _retry_after(parts: Parts) -> Headers:
    info = parts.retry and unpack(parts.retry, rpc.RetryInfo)
    if info and seconds_of(info) is not None:
        yield "retry-after", str(math.ceil(info.retry_delay.ToNanoseconds() / 1_000_000_000))


def _written(facts: _Facts, form: Form) -> Answer:
    own = [*facts.headers, (REQUEST_ID, facts.request_id)]
    if not has_body(facts.status):
        return Answer(facts.status, tuple(own), b"")
    body = {} if form == "aip193" else _envelope(facts)
    if form != "envelope":
        body["error"] = _aip193(facts)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Answer(
        facts.status,
        (("content-type", "application/json; charset=utf-8"), *own),
        clean(text).encode(),
    )


def _envelope(facts: _Facts) -> dict[str, Json]:
    body: dict[str, Json] = {"code": facts.number, "msg": facts.message}
    own = next(filter(is_data, facts.details), None)
    if own is not None or facts.data is not None:
        body["data"] = facts.data if own is None else untyped(own)
    body |= {"ts": time.time_ns() // 1_000_000, "requestId": facts.request_id}
    if facts.started is not None:
        body["cost"] = f"{max(0, round((time.monotonic() - facts.started) * 1_000))}ms"
    return body


def _aip193(facts: _Facts) -> dict[str, Json]:
    details = [to_json(detail) for detail in facts.details] + (
        [] if facts.data is None else [typed(facts.data)]
    )
    return {
        "code": facts.status,
        "message": facts.message,
        "status": facts.grpc_status,
        "details": details,
    }
