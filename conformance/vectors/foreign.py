"""The cases that errgrpc would not answer: errors of other servers, without a code, or garbage.

Their bytes, and what a reader must find in them, are written by hand.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

from errgrpc import ErrorCode, ResCode

__all__ = ["Foreign", "foreign"]


@dataclass(frozen=True)
class Foreign:
    """An answer of a server without errgrpc."""

    name: str
    status: StatusCode
    message: str
    details: bytes | None
    """The bytes of `grpc-status-details-bin`."""
    seen: tuple[any_pb2.Any, ...] = ()
    """The details that a reader must see."""
    code: ErrorCode | None = None
    """The code that a typed reader finds or infers."""
    servable: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    """The metadata that the client sends."""


NOT_FOUND = StatusCode.NOT_FOUND
TEXT = "Room Not Found"
_DOMAIN = ResCode.domain


def foreign() -> Iterator[Foreign]:
    """Yields all cases in the order of the vectors."""
    yield from _inferred()
    yield from _readable()
    yield from _odd()
    yield from _garbage()


def _info(reason: str = "ROOM_NOT_EXIST", domain: str = _DOMAIN, **metadata: str) -> any_pb2.Any:
    return _any(rpc.ErrorInfo(reason=reason, domain=domain, metadata=metadata))


def _any(message: Message, prefix: str = "type.googleapis.com/") -> any_pb2.Any:
    packed = any_pb2.Any(value=message.SerializeToString(deterministic=True))
    packed.type_url = prefix + message.DESCRIPTOR.full_name
    return packed


HINT = _any(rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"))


def _raw(*details: any_pb2.Any, code: int = 5, message: str = TEXT) -> bytes:
    return status_pb2.Status(code=code, message=message, details=details).SerializeToString(
        deterministic=True
    )


def _inferred() -> Iterator[Foreign]:
    for status in StatusCode:
        if status is not StatusCode.OK:
            yield Foreign(
                f"inferred/{status.name}",
                status,
                "from elsewhere",
                None,
                (),
                ResCode.inference.get(status),
                servable=True,
            )
    yield _whole("inferred/with_hint", HINT, code=ResCode.NOT_FOUND)
    yield _whole(
        "inferred/with_request_id",
        _any(rpc.RequestInfo(request_id="req-9")),
        code=ResCode.NOT_FOUND,
    )


def _whole(name: str, *details: any_pb2.Any, code: ErrorCode | None) -> Foreign:
    """Returns a case that every reader can read completely."""
    return Foreign(name, NOT_FOUND, TEXT, _raw(*details), details, code, servable=True)


def _readable() -> Iterator[Foreign]:
    """Yields answers of servers without errgrpc, or with another release of a catalogue."""
    room = ResCode.ROOM_NOT_EXIST
    yield _whole("foreign/empty_domain", _info(domain="", code="1004"), code=room)
    yield _whole("foreign/empty_domain_without_number", _info(domain=""), code=room)
    yield _whole("foreign/without_number", _info(), HINT, code=room)
    yield _whole("foreign/unknown_reason", _info("ROOM_ON_FIRE", code="1999"), HINT, code=None)
    yield _whole("foreign/unknown_reason_without_number", _info("ROOM_ON_FIRE"), code=None)
    yield _whole(
        "foreign/unknown_domain", _info(domain="other.example.com", code="1004"), HINT, code=None
    )
    yield _whole("foreign/wrong_number", _info(code="404"), code=room)
    yield _whole("foreign/number_is_text", _info(code="ten"), code=room)
    yield _whole("foreign/number_is_huge", _info("ROOM_ON_FIRE", code="9" * 30), code=None)
    yield _whole(
        "foreign/number_in_other_digits", _info("ROOM_ON_FIRE", code="１００４"), code=None
    )
    yield _whole(
        "foreign/unknown_locale",
        _info(code="1004"),
        _any(rpc.LocalizedMessage(locale="tlh", message="pa' tu'lu'be'")),
        code=room,
    )
    yield _whole(
        "foreign/hostile_text", _info("%s{0}", code="1004", note="\x1b[31m\u202e"), code=room
    )
    unknown = any_pb2.Any(type_url="type.googleapis.com/shop.v1.Unknown", value=b"\x08\x01")
    yield _whole("foreign/unknown_detail", _info(code="1004"), unknown, HINT, code=room)
    yield _whole(
        "foreign/error_info_last", HINT, _any(rpc.RetryInfo()), _info(code="1004"), code=room
    )
    yield _whole("foreign/status_with_success", _info("SUCCESS", code="0"), code=None)


def _odd() -> Iterator[Foreign]:
    """Yields answers that are valid protobuf but break the contract."""
    room, infos = ResCode.ROOM_NOT_EXIST, (_info(code="1004"), HINT)
    other = _info("ROOM_SIT_FULL", code="1018")
    yield Foreign("odd/two_error_infos", NOT_FOUND, TEXT, _raw(infos[0], other), (infos[0],), room)
    yield Foreign("odd/status_mismatch", NOT_FOUND, TEXT, _raw(*infos, code=13), infos, room)
    yield Foreign("odd/status_zero", NOT_FOUND, TEXT, _raw(*infos, code=0), infos, room)
    yield Foreign("odd/status_999", NOT_FOUND, TEXT, _raw(*infos, code=999), infos, room)
    yield Foreign(
        "odd/message_mismatch", NOT_FOUND, TEXT, _raw(*infos, message="another text"), infos, room
    )
    yield Foreign("odd/message_missing", NOT_FOUND, TEXT, _raw(*infos, message=""), infos, room)
    prefixed = _any(rpc.ErrorInfo(reason=room.reason, domain=_DOMAIN), "errors.example.com/types/")
    yield Foreign("odd/other_prefix", NOT_FOUND, TEXT, _raw(prefixed), (_info(),), room)


def _garbage() -> Iterator[Foreign]:
    """Yields answers from which a reader infers the code, or reads all except the broken part."""
    guess, info = ResCode.NOT_FOUND, _info(code="1004")
    whole = _raw(info, HINT)
    for part, count in (
        ("first_byte", 1),
        ("message", 9),
        ("error_info", 60),
        ("last_byte", len(whole) - 1),
    ):
        yield Foreign(f"garbage/truncated_{part}", NOT_FOUND, TEXT, whole[:count], (), guess)
    start = whole.index(b"\x1a", 2 + 2 + len(TEXT))
    flipped = bytearray(whole)
    flipped[start] ^= 0x01  # the wire type of the first detail becomes a group without an end
    yield Foreign("garbage/bit_flipped_in_status", NOT_FOUND, TEXT, bytes(flipped), (), guess)
    for name, broken in (
        (
            "bit_flipped_in_type",
            any_pb2.Any(type_url=info.type_url.replace("Info", "Inf\x6e"), value=info.value),
        ),
        (
            "bit_flipped_in_error_info",
            any_pb2.Any(
                type_url=info.type_url, value=bytes((info.value[0] ^ 0x01, *info.value[1:]))
            ),
        ),
        (
            "invalid_utf8",
            any_pb2.Any(type_url=info.type_url, value=info.value.replace(b"ROOM", b"RO\xff\xfe")),
        ),
    ):
        seen = (broken, HINT) if name == "bit_flipped_in_type" else (HINT,)
        yield Foreign(f"garbage/{name}", NOT_FOUND, TEXT, _raw(broken, HINT), seen, guess)
    noise = b"\x0f" + random.Random(7).randbytes(200)  # noqa: S311  a fixed sequence is intended
    yield Foreign("garbage/random", NOT_FOUND, TEXT, noise, (), guess)
    yield Foreign("garbage/text", NOT_FOUND, TEXT, b"not protobuf", (), guess)
    yield Foreign("garbage/empty", NOT_FOUND, TEXT, b"", (), guess)
