"""Reads an HTTP answer that failed: from status, headers and body to a RemoteError.

Nothing that a peer sends makes it raise another error.
"""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from errgrpc.catalog import Registry
from errgrpc.codes import STATUSES, ErrorCode
from errgrpc.http.bodies import REQUEST_ID
from errgrpc.http.details import (
    Json,
    as_detail,
    count,
    from_json,
    is_data,
    json_of,
    keep_data,
    storable,
)
from errgrpc.http.statuses import grpc_status, of_grpc, phrase, sole_code
from errgrpc.reading import Reading
from errgrpc.remote_error import RemoteError
from errgrpc.texts import clean
from errgrpc.wire.packing import DETAILS_KEY, NUMBER_KEY, holds, pack
from errgrpc.wire.received import Received

__all__ = ["MAX_BODY_BYTES", "decode"]

MAX_BODY_BYTES = 262_144
"""A larger body is not parsed: no error needs so many bytes."""
_MOST_VALUES = 10_000
"""Values in the details of a body.

Later details are left out, as json_format takes 25 us for each value (Python 3.11).
"""

_MOST_DETAILS = 100
_LONGEST_INTEGER = 20  # digits; the time of Python's int() grows with their square
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MAX_SECONDS = 315_576_000_000  # the most that a google.protobuf.Duration holds
_LONGEST_DATE = 64  # characters; an HTTP-date has 29, and the obsolete forms have at most 33
_ENVELOPE = ("code", "msg", "ts", "requestId")


class _Body(NamedTuple):
    """The contents of a body."""

    status: StatusCode | None = None
    message: str | None = None
    details: tuple[any_pb2.Any, ...] = ()
    request_id: str | None = None
    data: Json = None
    """The JSON of the first own detail, if it is plain data."""


def decode(
    status: int,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    *catalogues: type[ErrorCode],
    accept_language: str | None = None,
) -> RemoteError:
    """Returns the error in an HTTP answer, in any of the three forms.

    An envelope names no domain, so its number is looked up in each catalogue in turn. If the body
    is neither an envelope nor in the form of AIP-193, the code is inferred from the status.

    Args:
        status: The HTTP status.
        headers: The headers of the answer.
        body: The body of the answer. A body of more than 262,144 bytes is not read.
        *catalogues: The catalogues whose codes are known.
        accept_language: The request's `accept-language` header. It chooses the language of the hint
            if the answer has none.

    Raises:
        TypeError: An argument of `catalogues` is not a catalogue.
        ValueError: Two catalogues share a domain and a reason.
    """
    reading = Reading.by(*catalogues)
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    known = tuple((str(name).lower(), str(value)) for name, value in pairs)
    first = dict(reversed(known))
    found = _read(_parsed(body), status, reading.registry)
    # An answer with status 304 has no body, so its number is found by the status.
    if (
        status == 304
        and (code := sole_code(304, itertools.chain(*reading.registry.catalogues))) is not None
    ):
        return RemoteError(
            code.grpc_status, phrase(status), Received(), code, True, accept_language, known, ()
        )
    details = [
        *found.details,
        *_from_headers(first, [value for name, value in known if name == REQUEST_ID], found),
    ]
    grpc = found.status or grpc_status(status)
    message = phrase(status) if found.message is None else clean(found.message)
    raw = (
        status_pb2.Status(code=grpc.value[0], message=message, details=details).SerializeToString()
        if details
        else None
    )
    trailing = () if raw is None else ((DETAILS_KEY, raw),)
    failed: Any = AioRpcError
    error = reading.read(failed(grpc, known, trailing, message), accept_language)
    if found.data is not None:
        keep_data(error, found.data)
    return error


def _parsed(body: bytes) -> Json:
    """Returns the JSON of a body, or None if it is not JSON.

    Numbers that JSON or Python cannot hold become None.
    """
    if len(body) > MAX_BODY_BYTES:
        return None
    try:
        return json.loads(
            body, parse_int=_integer, parse_float=_float, parse_constant=lambda _: None
        )
    except (ValueError, RecursionError):
        return None


def _integer(text: str) -> int | float | None:
    return int(text) if len(text.removeprefix("-")) <= _LONGEST_INTEGER else _float(text)


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _read(body: Json, http: int, registry: Registry) -> _Body:
    if not isinstance(body, dict):
        return _Body()
    envelope = _read_envelope(body, http, registry)
    inner = body.get("error", body)
    rich = _read_status(inner, http) if isinstance(inner, dict) else _Body()
    if rich.status is None:
        return envelope
    return rich._replace(request_id=envelope.request_id)


def _read_envelope(body: dict[str, Json], http: int, registry: Registry) -> _Body:
    # from another service: its numbers are not those of these catalogues
    if not all(key in body for key in _ENVELOPE):
        return _Body()
    number, message, request_id, details = body["code"], body["msg"], body["requestId"], []
    if type(number) is not int or not isinstance(message, str):
        return _Body()
    code = registry.find("", "", str(number))
    if code is not None:
        details.append(
            pack(
                rpc.ErrorInfo(
                    reason=code.reason, domain=code.domain, metadata={NUMBER_KEY: str(number)}
                )
            )
        )
    elif number not in (0, http):
        # A code of a newer server. Its HTTP status is not used to find a code: `Responder.stand`
        # answers that status without a code.
        details.append(pack(rpc.ErrorInfo(metadata={NUMBER_KEY: str(number)})))
    if (data := storable(body.get("data"))) is not None:
        details.append(as_detail(data))
    status = None if code is None else code.grpc_status
    return _Body(
        status, message, tuple(details), request_id if isinstance(request_id, str) else None, data
    )


def _read_status(body: dict[str, Json], http: int) -> _Body:
    """Reads a google.rpc.Status in JSON.

    It is in the form of AIP-193, or as gateways for gRPC write it, with the gRPC number in `code`.
    """
    name, number, details = (body.get(key) for key in ("status", "code", "details"))
    message = body.get("message", "")
    status = StatusCode.__members__.get(name) if isinstance(name, str) else None
    if (
        status is None
        and "status" not in body
        and type(number) is int
        and isinstance(details, list)
    ):
        status = STATUSES.get(number)
        # another service uses other numbers
        if status is not None and of_grpc(status) != http:
            return _Body()
    if status in (None, StatusCode.OK) or not isinstance(message, str):
        return _Body()
    given = details[:_MOST_DETAILS] if isinstance(details, list) else []
    kept: list[any_pb2.Any] = []
    data, left = None, _MOST_VALUES
    for detail in given:
        left -= count(detail, left + 1)
        if left >= 0 and (packed := from_json(detail)) is not None:
            if is_data(packed) and not any(map(is_data, kept)):
                data = storable(json_of(detail, packed))
            kept.append(packed)
    return _Body(status, message, tuple(kept), data=data)


def _from_headers(
    headers: dict[str, str], request_ids: list[str], found: _Body
) -> Iterable[any_pb2.Any]:
    """Yields the details that only the headers have."""
    delay = _retry_after(headers)
    if delay is not None and not _has(found, rpc.RetryInfo):
        yield pack(rpc.RetryInfo(retry_delay=Duration(seconds=delay)))
    request_id = next(
        (text for text in (found.request_id, *request_ids) if text and text.strip()), None
    )
    if request_id and not _has(found, rpc.RequestInfo):
        yield pack(rpc.RequestInfo(request_id=clean(request_id)))


def _retry_after(headers: dict[str, str]) -> int | None:
    """Returns `Retry-After` in seconds (RFC 9110 section 10.2.3).

    A date counts from the `Date` header of the answer, or else from now.
    """
    given = headers.get("retry-after", "")
    if _SECONDS.fullmatch(given):
        return int(given) if int(given) <= _MAX_SECONDS else None
    if (until := _http_date(given)) is None:
        return None
    since = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0, math.ceil((until - since).total_seconds()))


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if len(text) <= _LONGEST_DATE else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date is None or date.tzinfo is not None else date.replace(tzinfo=UTC)


def _has(found: _Body, kind: Any) -> bool:
    return any(holds(detail, kind) for detail in found.details)
