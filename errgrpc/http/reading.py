"""What a client makes of an HTTP answer that failed: status, headers and body -> RemoteError. Never raises on what a peer sent."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from errgrpc import wire
from errgrpc.arguments import clean
from errgrpc.budget import holds, pack
from errgrpc.catalog import registry
from errgrpc.codes import STATUSES, ErrorCode
from errgrpc.errors import RemoteError
from errgrpc.http.bodies import REQUEST_ID
from errgrpc.http.details import Json, as_detail, from_json
from errgrpc.http.statuses import grpc_status, of_grpc, phrase
from errgrpc.reading import Reading
from errgrpc.received import NUMBER_KEY, Received

__all__ = ["MAX_BODY_BYTES", "decode"]

MAX_BODY_BYTES = 262_144
"""A larger body is not parsed: no error needs it, and the worst of this size takes a fifth of a second."""

_MOST_DETAILS = 100
_LONGEST_INTEGER = 20  # digits; Python's own int() is quadratic in them
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MAX_SECONDS = 315_576_000_000  # google.protobuf.Duration
_ENVELOPE = ("code", "msg", "ts", "requestId")


class _Said(NamedTuple):
    """What a body says."""

    status: StatusCode | None = None
    message: str | None = None
    details: tuple[any_pb2.Any, ...] = ()
    request_id: str | None = None


def decode(
    status: int,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    *catalogues: type[ErrorCode],
    accept_language: str | None = None,
) -> RemoteError:
    """The error in an HTTP answer, read by these catalogues; `accept_language` is what the request asked for.

    An envelope's number is that of the first catalogue that declares it, as an envelope names no domain. A body that is
    neither an envelope nor AIP-193's leaves what the status says: an inferred code. Raises TypeError for what is no catalogue.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    known = tuple((str(name).lower(), str(value)) for name, value in pairs)
    first = dict(reversed(known))
    said = _read(_parsed(body), status, catalogues)
    if status == 304 and (code := _only(304, catalogues)) is not None:
        return RemoteError(code.grpc_status, phrase(status), Received(), code, True, accept_language, known, ())
    details = [*said.details, *_from_headers(first, said)]
    grpc = said.status or grpc_status(status)
    message = phrase(status) if said.message is None else clean(said.message)
    raw = status_pb2.Status(code=grpc.value[0], message=message, details=details).SerializeToString() if details else None
    trailing = () if raw is None else ((wire.DETAILS_KEY, raw),)
    failed: Any = AioRpcError
    return _reading(catalogues).read(failed(grpc, known, trailing, message), accept_language)


@lru_cache(maxsize=64)
def _reading(catalogues: tuple[type[ErrorCode], ...]) -> Reading:
    return Reading(catalogues)


def _only(http: int, catalogues: tuple[type[ErrorCode], ...]) -> ErrorCode | None:
    """The one code with an HTTP status whose answers have no body: else the number would be lost."""
    found = [code for catalogue in registry(*catalogues).catalogues for code in catalogue if code.http_status == http]
    return found[0] if len(found) == 1 else None


def _parsed(body: bytes) -> Json:
    """The JSON of a body, None for what is none; numbers that JSON or Python cannot hold are None in it."""
    if len(body) > MAX_BODY_BYTES:
        return None
    try:
        return json.loads(body, parse_int=_integer, parse_float=_float, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _integer(text: str) -> int | float | None:
    return int(text) if len(text) <= _LONGEST_INTEGER else _float(text)


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _read(body: Json, http: int, catalogues: tuple[type[ErrorCode], ...]) -> _Said:
    if not isinstance(body, dict):
        return _Said()
    envelope = _read_envelope(body, http, catalogues)
    inner = body.get("error", body)
    rich = _read_status(inner, http) if isinstance(inner, dict) else _Said()
    if rich.status is None:
        return envelope
    return rich._replace(request_id=envelope.request_id)


def _read_envelope(body: dict[str, Json], http: int, catalogues: tuple[type[ErrorCode], ...]) -> _Said:
    if not all(key in body for key in _ENVELOPE):  # of another service: its numbers are not ours
        return _Said()
    number, message, request_id, details = body["code"], body["msg"], body["requestId"], []
    if type(number) is not int or not isinstance(message, str):
        return _Said()
    code = registry(*catalogues).find("", "", str(number))
    if code is not None:
        details.append(pack(rpc.ErrorInfo(reason=code.reason, domain=code.domain, metadata={NUMBER_KEY: str(number)})))
    elif number not in (0, http):  # a code of a newer server; its HTTP status is no code, as `Responder.stand` answers
        details.append(pack(rpc.ErrorInfo(metadata={NUMBER_KEY: str(number)})))
    if (data := as_detail(body.get("data"))) is not None:
        details.append(data)
    status = None if code is None else code.grpc_status
    return _Said(status, message, tuple(details), request_id if isinstance(request_id, str) else None)


def _read_status(body: dict[str, Json], http: int) -> _Said:
    """A google.rpc.Status in JSON: AIP-193's, or as gateways for gRPC write it, with gRPC's number in `code`."""
    name, number, details = (body.get(key) for key in ("status", "code", "details"))
    message = body.get("message", "")
    status = StatusCode.__members__.get(name) if isinstance(name, str) else None
    if status is None and "status" not in body and type(number) is int and isinstance(details, list):
        status = STATUSES.get(number)
        if status is not None and of_grpc(status) != http:  # of another service, which counts otherwise
            return _Said()
    if status in (None, StatusCode.OK) or not isinstance(message, str):
        return _Said()
    given = details[:_MOST_DETAILS] if isinstance(details, list) else ()
    return _Said(status, message, tuple(detail for detail in map(from_json, given) if detail is not None))


def _from_headers(headers: dict[str, str], said: _Said) -> Iterable[any_pb2.Any]:
    """What the headers say and the details do not."""
    delay = headers.get("retry-after", "")
    if _SECONDS.fullmatch(delay) and int(delay) <= _MAX_SECONDS and not _has(said, rpc.RetryInfo):
        yield pack(rpc.RetryInfo(retry_delay=Duration(seconds=int(delay))))
    request_id = said.request_id or headers.get(REQUEST_ID)
    if request_id and not _has(said, rpc.RequestInfo):
        yield pack(rpc.RequestInfo(request_id=clean(request_id)))


def _has(said: _Said, kind: Any) -> bool:
    return any(holds(detail, kind) for detail in said.details)
