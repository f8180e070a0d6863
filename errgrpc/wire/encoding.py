"""Writes the bytes of `grpc-status-details-bin`, and counts how large an answer is: an error's values -> google.rpc.Status.

Only `google.rpc` types, in a fixed order, each at most once (AIP-193).
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

# What gRPC counts for each entry of metadata beside its name and value (RFC 9113 section 6.5.2).
_ENTRY_BYTES = 32
_SHORT = 0x7C  # bytes of key and value, so that each length takes one byte
_TYPE_URL = "type.googleapis.com/"
_CLEAR = bytes(sorted(set(range(0x20, 0x7F)) - {ord("%")}))


def brief(values: Values, accept_language: str | None) -> bytes | None:
    """The Status of an error whose hint is the code's own, as most are; None for another, which `parts_of` takes apart."""
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
    """The Status of an error that is its code and nothing else, with the code's own hint for a locale.

    One for each code and locale of the tables, whatever peers send; looking it up takes a twentieth of writing it.
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
    """What goes on the wire for a reader of these languages, beside these trailing metadata of the handler.

    With `send_help` a Help with the code's `help_url` is among the details, if there is one and the raiser gave no Help.
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
    # The handler's own pushback stands.
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
    """The Status of an error, with its details in the order of the contract."""
    written = [_head(code, parts.message), _error_info(code, parts.metadata)]
    if parts.localized is not None:
        written.append(_localized_message(*parts.localized))
    details = (
        detail for detail in (*parts.details, parts.retry, parts.request) if detail is not None
    )
    return b"".join([*written, *(_field(3, detail.SerializeToString()) for detail in details)])


def fitted(code: ErrorCode, parts: Parts, limit: int) -> tuple[bytes, list[str]]:
    """The Status of an error whose trailers take at most `limit` bytes, and the names of what was shed for that."""
    raw = whole(code, parts)
    if _trailer_bytes(parts.message, (*parts.trailers, *parts.pushback), len(raw)) <= limit:
        return raw, []
    shed = fit(parts, limit, lambda parts: trailer_bytes(code, parts))
    return whole(code, parts), shed


def cut(
    message: str, trailers: tuple[Trailer, ...], limit: int
) -> tuple[str, tuple[Trailer, ...], list[str]]:
    """What a handler aborted with, its trailers cut to `limit` bytes, and the names of what was shed for that.

    A Status of the handler's own is cut along, as its readers compare its message with the RPC's.
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
    """What a peer may count for the trailers of an error: the details as base64, as all but C-core send them."""
    return _trailer_bytes(
        parts.message, (*parts.trailers, *parts.pushback), len(whole(code, parts))
    )


def surely_fitting(limit: int) -> int:
    """How many bytes of a Status without other trailers fit, whatever its message is made of.

    Quicker to tell than the exact size.
    """
    # 4/3 as base64, and the message, which is part of it, thrice as long at most
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


# Protobuf's encoding by hand: to build the messages and pack them takes longer.


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
    if len(metadata) > 1:  # in the order of the keys: the same bytes each time
        entries = {
            key: _entry_of_map(key.encode(), value.encode()) for key, value in metadata.items()
        }
        entries[NUMBER_KEY] = number
        return _detail(rpc.ErrorInfo, b"".join([info, *(entries[key] for key in sorted(entries))]))
    for key in metadata:  # the only one
        name, value = key.encode(), metadata[key].encode()
        size = len(name) + len(value)
        # Three fields in one go, as most have: a call of _entry_of_map is a frame more.
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
    """A field whose value is its length, as a varint, and so many bytes."""
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
