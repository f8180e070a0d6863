"""Finds the errors in a text that was copied from a log, a terminal or a browser.

It has no side effects. Any text is safe, and the time is bounded. It finds these forms:

- a google.rpc.Status in base64, in hex or in escaped bytes
- JSON of AIP-193, of a Status or of the errgrpc envelope
- the text of an error of errgrpc
- the text of an error of grpcio
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc.http.details import from_json
from errgrpc.wire.packing import NUMBER_KEY, pack

__all__ = ["MOST_FOUND", "Found", "find"]

MOST_FOUND = 1_000  # errors in one input
_LONGEST = 400_000  # characters of one Status; the limit of gRPC trailers is far lower

# Characters to decode in total. In hostile input, every place may look like the start of a Status.
_WORK = 20_000_000
_MOST_LINES = 2_000  # of one Status in base64
_MOST_SIGNS = 4  # signs of empty fields behind a text
_MOST_FAILURES = 2_000  # braces that begin no JSON
_MOST_DETAILS = 100

# The Status of an error begins with its code, 1 to 16. A message or a detail follows: 08 01 12.
_BASE64 = re.compile(r"C[AB][AEIMQUYcgkosw048][Sa]")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_LINE_END = re.compile(r"(?:\\r)?\\n[ \t]*|[ \t]*\\?\r?\n[ \t>|]*|[ \t]+")
_HEX = re.compile(
    r"08[\s:,-]{0,3}(?:0x)?(?:0[1-9a-f]|10)[\s:,-]{0,3}(?:0x)?(?:12|1a)", re.IGNORECASE
)
_HEX_PAIRS = re.compile(r"(?:(?:0x)?[0-9a-f]{2}[\s:,-]{0,3})+", re.IGNORECASE)
_ESCAPED = re.compile(
    r"(?<=')(?:{0})(?:[^\\'\n]|\\.)+|(?<=\")(?:{0})(?:[^\\\"\n]|\\.)+|(?:{0})(?:[^\\\"'\n]|\\.)+".format(
        r"\\x08|\\010|\\b|\\u0008"
    ),
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {
    "a": 7,
    "b": 8,
    "t": 9,
    "n": 10,
    "v": 11,
    "f": 12,
    "r": 13,
    "e": 27,
    "\\": 92,
    "'": 39,
    '"': 34,
}
# `<remote(ResCode.X) NOT_FOUND: ROOM_NOT_EXIST (1004) of 'errgrpc.v1.ResCode', ...>`
_OWN = re.compile(
    r"\b([A-Z_]{2,20}): ([A-Z][A-Z0-9_]{1,62}) \((-?[0-9]{1,10})\) of '([!-~]{1,255})'"
    r"(?:, '((?:[^'\\\n]|\\.){0,2000})')?"
)
_GRPCIO = re.compile(
    r"status\s*=\s*StatusCode\.([A-Z_]{2,20})\s+details\s*=\s*\"((?:[^\"\\]|\\.){0,4000})\""
)
_GRPCURL = re.compile(r"Code:[ \t]{0,8}([A-Za-z]{2,20})\s{1,20}Message:[ \t]{0,8}([^\n]{0,4000})")
_REQUEST_ID = re.compile(r"request id '?([!-&(-~]{1,128})")


@dataclass(frozen=True)
class Found:
    """One error, and its place in the text."""

    at: int
    how: str
    """`base64`, `hex`, `bytes`, `json`, `envelope` or `text`."""
    status: status_pb2.Status
    request_id: str | None = None
    """The request id of an envelope or a log record, which is not part of the Status."""


def find(text: str) -> list[Found]:
    """Returns the errors in a text, in its order and without duplicates, at most 1,000."""
    work = [_WORK]
    every = [
        *_in_base64(text, work),
        *_in_hex(text, work),
        *_in_escapes(text, work),
        *_in_json(text),
        *_in_words(text),
    ]
    kept = dict[bytes, Found]()
    for found in sorted(every, key=lambda each: each.at):
        kept.setdefault(found.status.SerializeToString(deterministic=True), found)
    return list(kept.values())[:MOST_FOUND]


def _in_base64(text: str, work: list[int]) -> Iterator[Found]:
    end = 0
    for match in _BASE64.finditer(text):
        bare = match.end() - len(match[0].lstrip("-_"))
        # A log may put a `-`, its sign for an empty field, right before or behind the text.
        for start in dict.fromkeys((match.start(), bare)):
            if start >= end and work[0] > 0 and (best := _longest(text, start, work)) is not None:
                status, end = best
                yield Found(start, "base64", status)


def _longest(text: str, start: int, work: list[int]) -> tuple[status_pb2.Status, int] | None:
    """Returns the longest Status that begins here, and its end. It may span several lines."""
    joined, at, best = "", start, None
    for _ in range(_MOST_LINES):
        if (
            (line := _BASE64_LINE.match(text, at, at + _LONGEST)) is None
            or not line[0]
            or len(joined) > _LONGEST
            or work[0] <= 0
        ):
            break
        joined += line[0]
        work[0] -= len(joined)
        signs = min(len(joined) - len(joined.rstrip("-_")), _MOST_SIGNS)
        for piece in (joined[: len(joined) - count] for count in range(signs + 1)):
            if (status := _plausible(_bytes_of(piece))) is not None:
                best = status, line.end()
                break
        if (gap := _LINE_END.match(text, line.end())) is None or line[0].endswith("="):
            break
        at = gap.end()
    return best


def _bytes_of(text: str) -> bytes:
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:  # the length is wrong by one character
        return b""


def _in_hex(text: str, work: list[int]) -> Iterator[Found]:
    end = 0
    for match in _HEX.finditer(text):
        if (
            match.start() >= end
            and work[0] > 0
            and (pairs := _HEX_PAIRS.match(text, match.start(), match.start() + 4 * _LONGEST))
        ):
            work[0] -= len(pairs[0])
            digits = re.sub(r"0x|[\s:,-]", "", pairs[0], flags=re.IGNORECASE)
            if (status := _plausible(bytes.fromhex(digits))) is not None:
                end = pairs.end()
                yield Found(match.start(), "hex", status)


def _in_escapes(text: str, work: list[int]) -> Iterator[Found]:
    end = 0
    for match in _ESCAPED.finditer(text):
        if match.start() >= end and work[0] > 0:
            work[0] -= len(match[0])
            raw = (
                _ESCAPE.sub(_unescaped, match[0]).encode("latin-1", "replace")
                if match[0].isascii()
                else _ESCAPE.sub(_unescaped, match[0])
            )
            raw = raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")
            if (status := _plausible(raw)) is not None:
                end = match.end()
                yield Found(match.start(), "bytes", status)


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    if digits:
        return chr(int(digits, 16))
    return chr(int(match[3], 8) & 255) if match[3] else chr(_LETTERS.get(match[4], ord(match[4])))


def _plausible(raw: bytes) -> status_pb2.Status | None:
    """Returns the Status if the bytes are exactly the Status of an error. Random bytes are not."""
    try:
        status = status_pb2.Status.FromString(raw)
    except DecodeError:
        return None
    known = status_pb2.Status(code=status.code, message=status.message, details=status.details)
    if (
        not 1 <= status.code <= 16
        or known.ByteSize() != len(raw)
        or not (status.message or status.details)
    ):
        return None
    if not all(re.fullmatch(r"[!-~]*/[!-~]+", detail.type_url) for detail in status.details):
        return None
    return status


# JSON


def _in_json(text: str) -> Iterator[Found]:
    """Finds JSON of AIP-193 and gRPC, envelopes, and the details that grpcurl prints one by one.

    If it finds nothing, it looks for the same with escaped quotes.
    """
    found = list(_objects(text))
    yield from found or _objects(re.sub(r"\\([\"\\/])", r"\1", text))


def _objects(text: str) -> Iterator[Found]:
    decoder = json.JSONDecoder(
        parse_int=lambda digits: int(digits) if len(digits) < 21 else None,
        parse_constant=lambda _: None,
    )
    at, failures, details, first = 0, 0, list[any_pb2.Any](), 0
    while failures < _MOST_FAILURES and (at := text.find("{", at)) >= 0:
        try:
            body, length = decoder.raw_decode(text[at : at + _LONGEST])
        except (ValueError, RecursionError):
            failures += 1
            at += 1
            continue
        if (found := _of_body(body, at)) is not None:
            yield found
            at += length
        elif (
            isinstance(body.get("@type"), str)
            and len(details) < _MOST_DETAILS
            and (packed := from_json(body)) is not None
        ):
            first = first if details else at
            details.append(packed)
            at += length
        else:
            at += 1  # an object inside may be an error, as in a log line
    if details:
        yield Found(first, "json", _with_head(text[max(0, first - 4_000) : first], details))


def _with_head(before: str, details: list[any_pb2.Any]) -> status_pb2.Status:
    """Returns the Status of details that follow a code and a message, as grpcurl prints them."""
    head = next(reversed(list(_GRPCURL.finditer(before))), None)
    name = (
        ""
        if head is None
        else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", head[1]).upper().replace("CANCELED", "CANCELLED")
    )
    if head is None or (status := StatusCode.__members__.get(name)) is None:
        return status_pb2.Status(details=details)
    return status_pb2.Status(code=status.value[0], message=_utf8(head[2]), details=details)


def _of_body(body: dict[str, Any], at: int) -> Found | None:
    inner = body.get("error", body)
    if isinstance(inner, dict) and (status := _status_of(inner)) is not None:
        return Found(at, "json", status)
    number, message, request_id = body.get("code"), body.get("msg"), body.get("requestId")
    if (
        type(number) is int
        and isinstance(message, str)
        and ("requestId" in body or "ts" in body)
        and number not in (0, 200)
    ):
        info = rpc.ErrorInfo(metadata={NUMBER_KEY: str(number)})
        status = status_pb2.Status(message=_utf8(message), details=[pack(info)])
        return Found(
            at, "envelope", status, _utf8(request_id) if isinstance(request_id, str) else None
        )
    return None


def _status_of(body: dict[str, Any]) -> status_pb2.Status | None:
    name, number, message, details = (
        body.get(key) for key in ("status", "code", "message", "details")
    )
    code = StatusCode.__members__.get(name) if isinstance(name, str) else None
    if code is None and not (type(number) is int and 1 <= number <= 16):
        return None
    if not isinstance(message, str | None) or (message is None and not isinstance(details, list)):
        return None
    kept = (
        [packed for packed in map(from_json, details[:_MOST_DETAILS]) if packed is not None]
        if isinstance(details, list)
        else []
    )
    return status_pb2.Status(
        code=number if code is None else code.value[0], message=_utf8(message or ""), details=kept
    )


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()


# Words


def _in_words(text: str) -> Iterator[Found]:
    for match in _OWN.finditer(text):
        if (status := StatusCode.__members__.get(match[1])) is not None:
            info = rpc.ErrorInfo(reason=match[2], domain=match[4], metadata={NUMBER_KEY: match[3]})
            message = _utf8(match[5] or "")
            beside = _REQUEST_ID.search(text, match.end(), match.end() + 4_000)
            own = status_pb2.Status(code=status.value[0], message=message, details=[pack(info)])
            yield Found(match.start(), "text", own, beside[1] if beside else None)
    for match in _GRPCIO.finditer(text):
        if (
            status := StatusCode.__members__.get(match[1])
        ) is not None and status is not StatusCode.OK:
            yield Found(
                match.start(),
                "text",
                status_pb2.Status(code=status.value[0], message=_utf8(match[2])),
            )
