"""Writes the google.rpc.Status of an error, and counts the size of an answer.

Details that errgrpc adds are `google.rpc` types. All details have a fixed order, each type at most
once (AIP-193).
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from errgrpc import locales
from errgrpc.codes import ErrorCode
from errgrpc.wire.budget import Parts, fit
from errgrpc.wire.packing import DETAILS_KEY, NUMBER_KEY, PUSHBACK_KEY, Trailer, holds, pack, parse
from errgrpc.wire.trailers import pushback as within_bounds
from errgrpc.wire.values import Values

__all__ = [
    "brief",
    "constant",
    "cut",
    "fitted",
    "parts_of",
    "surely_fitting",
    "trailer_bytes",
    "whole",
]

# The bytes that gRPC counts for an entry of metadata beside name and value (RFC 9113 section
# 6.5.2).
_ENTRY_BYTES = 32
_SHORT = 0x7C  # bytes of key and value, so that each length takes one byte
_TYPE_URL = "type.googleapis.com/"
_CLEAR = bytes(sorted(set(range(0x20, 0x7F)) - {ord("%")}))


def brief(values: Values, accept_language: str | None) -> bytes | None:
    """Returns the Status of an error with the code's own hint, or None for another error.

    Most errors have the code's own hint. `parts_of` takes the others apart.
    """
    code, message, metadata, hints, _, retry_delay, details = values
    spec = code.spec
    if hints is not None or retry_delay is not None or not spec.is_brief:
        return None
    locale = locales.choose(accept_language, spec.hints, code.default_locale)
    if message is None and not metadata and not details:
        return constant(code, locale)
    return _brief(code, message, metadata, locale, details)


@cache
def constant(code: ErrorCode, locale: str | None) -> bytes:
    """Returns the Status of an error that is only its code, with the code's hint for a locale.

    The cache has one entry for each code and locale of the tables, whatever peers send. A lookup
    takes about 0.1 us, and writing the Status 0.9 us (Python 3.11.7, `timeit`).
    """
    return _brief(code, None, {}, locale)


def parts_of(
    values: Values,
    accept_language: str | None,
    request_id: str | None = None,
    trailers: Iterable[Trailer] = (),
    *,
    send_help: bool = False,
) -> Parts:
    """Returns the parts of an answer, for a caller that asks for these languages.

    Args:
        values: The error.
        accept_language: The languages.
        request_id: The id that the answer gets, or None.
        trailers: The trailing metadata that the handler set.
        send_help: Adds a Help with the code's `help_url`, unless the raiser gave a Help.
    """
    code, details = values.code, [any_pb2.Any.FromString(packed) for _, packed in values.details]
    hints = code.hints_for(values.metadata) if values.hints is None else values.hints
    locale = locales.choose(accept_language, hints, code.default_locale)
    retry = request = None
    milliseconds = -1 if code.spec.is_final else None
    trailers = list(trailers)
    if details and holds(details[-1], rpc.RequestInfo):
        request = details.pop()
    if details and holds(details[-1], rpc.RetryInfo):
        retry = details.pop()
    if values.retry_delay is not None:
        retry_delay = timedelta(seconds=values.retry_delay)
        retry, milliseconds = (
            pack(rpc.RetryInfo(retry_delay=retry_delay)),
            milliseconds or within_bounds(-(-retry_delay // timedelta(milliseconds=1))),
        )
    # If the handler set a pushback, that one is sent.
    says_when = milliseconds is not None and all(key != PUSHBACK_KEY for key, _ in trailers)
    pushback = ((PUSHBACK_KEY, str(milliseconds)),) if says_when else ()
    if request_id is not None:
        request = pack(rpc.RequestInfo(request_id=request_id))
    localized = None if locale is None else (locale, hints[locale])
    if (
        send_help
        and code.help_url is not None
        and not any(holds(detail, rpc.Help) for detail in details)
    ):
        details.append(
            pack(rpc.Help(links=[rpc.Help.Link(description=code.reason, url=code.help_url)]))
        )
    message = code.message_for(values.metadata) if values.message is None else values.message
    return Parts(
        message, dict(values.metadata), localized, details, retry, request, trailers, pushback
    )


def whole(code: ErrorCode, parts: Parts) -> bytes:
    """Returns the Status of an error, with its details in the fixed order."""
    written = [_head(code, parts.message), _error_info(code, parts.metadata)]
    if parts.localized is not None:
        written.append(_localized_message(*parts.localized))
    details = (
        detail for detail in (*parts.details, parts.retry, parts.request) if detail is not None
    )
    return b"".join([*written, *(_field(3, detail.SerializeToString()) for detail in details)])


def fitted(code: ErrorCode, parts: Parts, limit: int) -> tuple[bytes, list[str]]:
    """Returns a Status whose trailers fit into `limit` bytes.

    Returns the names of the dropped parts, too.
    """
    raw = whole(code, parts)
    if _trailer_bytes(parts.message, (*parts.trailers, *parts.pushback), len(raw)) <= limit:
        return raw, []
    shed = fit(parts, limit, lambda parts: trailer_bytes(code, parts))
    return whole(code, parts), shed


def cut(
    message: str, trailers: tuple[Trailer, ...], limit: int
) -> tuple[str, tuple[Trailer, ...], list[str]]:
    """Cuts the message and the trailers of an abort to `limit` bytes.

    If the handler made a Status, that is cut, too, because its readers compare its message with
    that of the call. Returns the message, the trailers, and the names of the dropped parts.
    """
    if _bytes_of(message, trailers) <= limit:
        return message, trailers, []
    own = parse(next((value for key, value in trailers if key == DETAILS_KEY), None))
    others = [(key, value) for key, value in trailers if key != DETAILS_KEY]
    parts = Parts(message, {}, None, list(own.details), None, None, others)

    def left() -> tuple[Trailer, ...]:
        if not own.ByteSize():
            return tuple(parts.trailers)
        cut_own = status_pb2.Status(
            code=own.code, message=own.message and parts.message, details=parts.details
        )
        return (*parts.trailers, (DETAILS_KEY, cut_own.SerializeToString()))

    lost = len(trailers) - len(others) > (1 if own.ByteSize() else 0)  # unreadable, or one too many
    unreadable = ["details"] if lost else []
    shed = fit(parts, limit, lambda parts: _bytes_of(parts.message, left()))
    replaced = ["message"] if own.message not in ("", message) and "message" not in shed else []
    return parts.message, left(), [*unreadable, *replaced, *shed]


def trailer_bytes(code: ErrorCode, parts: Parts) -> int:
    """Returns how many bytes a peer may count for the trailers of an error.

    The details count as base64, because all peers except C-core send them so.
    """
    return _trailer_bytes(
        parts.message, (*parts.trailers, *parts.pushback), len(whole(code, parts))
    )


def surely_fitting(limit: int) -> int:
    """Returns how many bytes of a Status fit without other trailers, whatever its message is.

    A comparison with it is faster than the exact size.
    """
    # Base64 takes 4/3. The message, which is part of the Status, takes at most three times its
    # bytes.
    return (limit - _OVERHEAD) // 5


def _trailer_bytes(message: str, trailers: Iterable[Trailer], status_bytes: int) -> int:
    return _bytes_of(message, trailers) + _entry(DETAILS_KEY, _base64(status_bytes))


def _bytes_of(message: str, trailers: Iterable[Trailer]) -> int:
    size = _entry("grpc-status", 2) + _entry("grpc-message", _percent_encoded(message))
    return size + sum(
        _entry(key, _base64(len(value)) if key.endswith("-bin") else len(value))
        for key, value in trailers
    )


def _entry(name: str, value_bytes: int) -> int:
    return len(name) + value_bytes + _ENTRY_BYTES


def _base64(count: int) -> int:
    return (count + 2) // 3 * 4


def _percent_encoded(text: str) -> int:
    raw = text.encode()
    return len(raw) + 2 * len(raw.translate(None, _CLEAR))


# These functions write protobuf's encoding by hand. An error that is only its code needs no message
# and no Any. tests/wire compares the bytes with protobuf's own.


def _brief(
    code: ErrorCode,
    message: str | None,
    metadata: Mapping[str, str],
    locale: str | None,
    details: Iterable[tuple[Message, bytes]] = (),
) -> bytes:
    status = _own_head(code) if message is None else _head(code, message)
    status += _error_info(code, metadata)
    if locale is not None:
        status += _own_hint(code, locale)
    for _, detail in details:
        status += _field(3, detail)
    return status


def _head(code: ErrorCode, message: str) -> bytes:
    # the status is a varint of one byte
    return bytes((1 << 3, code.grpc_status.value[0])) + _text_field(2, message)


@cache
def _own_head(code: ErrorCode) -> bytes:
    return _head(code, code.message)


def _error_info(code: ErrorCode, metadata: Mapping[str, str]) -> bytes:
    info, number = _identity(code)
    if len(metadata) > 1:  # sorted by key, so that the bytes are the same each time
        entries = {
            key: _entry_of_map(key.encode(), value.encode()) for key, value in metadata.items()
        }
        entries[NUMBER_KEY] = number
        return _detail(rpc.ErrorInfo, b"".join([info, *(entries[key] for key in sorted(entries))]))
    for key in metadata:  # the only one
        name, value = key.encode(), metadata[key].encode()
        size = len(name) + len(value)
        # Writes three fields at once: a call of _entry_of_map would be one more frame.
        entry = (
            b"\x1a%c\x0a%c%b\x12%c%b" % (size + 4, len(name), name, len(value), value)
            if size < _SHORT
            else _entry_of_map(name, value)
        )
        return _detail(
            rpc.ErrorInfo, info + (number + entry if key > NUMBER_KEY else entry + number)
        )
    return _detail(rpc.ErrorInfo, info + number)


@cache
def _identity(code: ErrorCode) -> tuple[bytes, bytes]:
    return _text_field(1, code.reason) + _text_field(2, code.domain), _entry_of_map(
        NUMBER_KEY.encode(), b"%d" % code.number
    )


@cache
def _own_hint(code: ErrorCode, locale: str) -> bytes:
    return _localized_message(locale, code.hints[locale])


def _localized_message(locale: str, text: str) -> bytes:
    return _detail(rpc.LocalizedMessage, _text_field(1, locale) + _text_field(2, text))


def _entry_of_map(name: bytes, value: bytes) -> bytes:
    return _field(3, _field(1, name) + _field(2, value))


def _detail(kind: type[Message], value: bytes) -> bytes:
    return _field(3, _TYPE_URLS[kind] + _field(2, value))


def _text_field(number: int, text: str) -> bytes:
    return _field(number, text.encode()) if text else b""


def _field(number: int, value: bytes) -> bytes:
    """Returns a field: its tag, the length of its value as a varint, and the value."""
    size = len(value)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + value
    if size < 0x4000:
        return bytes((number << 3 | 2, size & 0x7F | 0x80, size >> 7)) + value
    head = [number << 3 | 2]
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + value


_TYPE_URLS: dict[type[Message], bytes] = {
    kind: _text_field(1, _TYPE_URL + kind.DESCRIPTOR.full_name)
    for kind in (rpc.ErrorInfo, rpc.LocalizedMessage)
}

_OVERHEAD = _bytes_of("", ()) + _entry(DETAILS_KEY, 4)
