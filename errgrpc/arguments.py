"""What a ServiceError makes of its arguments: each is put right or left out, and `report` hears of it.

A mistake on a rarely run line must not turn NOT_FOUND into INTERNAL, so nothing here raises, whatever it is given.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, TypeGuard

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc import locales, wire
from errgrpc.codes import ErrorCode
from errgrpc.received import NUMBER_KEY

Report = Callable[[str], None]

_KEY = re.compile(r"[a-z][a-zA-Z0-9_-]+")  # AIP-193: a key of ErrorInfo.metadata
_MAX_KEY = 64
_MAX_REQUEST_ID = 128
_MAX_SECONDS = 315_576_000_000  # google.protobuf.Duration
_UNDETERMINED = "und"  # BCP 47, for a hint whose catalogue has no default locale

OWNED_DETAILS = {
    rpc.ErrorInfo.DESCRIPTOR.full_name: "the code and its metadata make it",
    rpc.LocalizedMessage.DESCRIPTOR.full_name: "give hint= instead",
}
REQUEST_INFO = rpc.RequestInfo.DESCRIPTOR.full_name
_RETRY_INFO = rpc.RetryInfo.DESCRIPTOR.full_name
# On the wire behind all other details.
_LAST = {_RETRY_INFO: 1, REQUEST_INFO: 2}


def message(given: object, code: ErrorCode, report: Report) -> str:
    """The text for developers: the one given, else the code's."""
    if isinstance(given, str):
        return clean(given)
    if given is not None:
        report(f"message is a {type(given).__name__}, not a str: the message of {code} is used")
    return code.message


def metadata(given: object, more: Mapping[str, object], report: Report) -> dict[str, str]:
    """The metadata as text, by keys that AIP-193 allows and that do not hold the number."""
    if given is not None and not isinstance(given, Mapping):
        report(f"metadata is a {type(given).__name__}, not a mapping: it is left out")
        given = None
    if given is not None:
        more = {**dict(_read("metadata", given, _items, report) or ()), **more}
    texts: dict[str, str] = {}
    for key, value in more.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key) or len(key) > _MAX_KEY:
            report(f"the metadata key {shown(key, 80)} is left out: AIP-193 asks for {_KEY.pattern} of at most {_MAX_KEY} characters")
        elif key == NUMBER_KEY:
            report(f"the metadata key {key!r} is left out: it holds the code's number")
        elif type(value) is str and value.isascii():  # of nearly all, nothing is to be done
            texts[key] = value
        elif value is not None:
            try:
                texts[key] = clean(_as_text(value))
            except Exception as error:  # noqa: BLE001  whatever a foreign __str__ raises
                report(f"the metadata {key!r} is left out: its value does not become text ({type(error).__name__})")
    return texts


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum) and isinstance(value.name, str):  # a Flag without a bit has no name
        return value.name
    return str(value)


def _items(given: Any) -> Iterable[Any]:
    return given.items()  # type: ignore[no-any-return]


def _read(name: str, given: object, listed: Callable[[Any], Iterable[Any]], report: Report) -> list[Any] | None:
    """What a foreign collection holds: it may raise while it is read."""
    try:
        return list(listed(given))
    except Exception as error:  # noqa: BLE001
        report(f"{name} is left out: reading it raises {type(error).__name__}")
        return None


def hints(given: object, code: ErrorCode, report: Report) -> dict[str, str] | None:
    """The texts for the end user by locale; None for those of the code."""
    if isinstance(given, str):
        given = {code.default_locale or _UNDETERMINED: given}
    if not isinstance(given, Mapping):
        if given is not None:
            report(f"hint is a {type(given).__name__}, neither a str nor a mapping of locale to text: the hints of {code} are used")
        return None
    items = _read("hint", given, _items, report)
    texts: dict[str, tuple[str, str]] = {}
    for locale, text in items or ():
        if not locales.is_language_tag(locale):
            report(f"the hint for {shown(locale, 80)} is left out: that is no BCP 47 language tag such as 'zh-CN'")
        elif not isinstance(text, str):
            report(f"the hint for {shown(locale, 80)} is left out: it is a {type(text).__name__}, not a str")
        elif not text:
            report(f"the hint for {shown(locale, 80)} is left out: it is empty")
        elif locale.lower() in texts:
            report(f"the hint for {shown(locale, 80)} is left out: there is one for {texts[locale.lower()][0]!r}")
        else:
            texts[locale.lower()] = locale, clean(text)
    return dict(texts.values()) if texts or items == [] else None  # hints that are all wrong replace nothing


def seconds(given: object, report: Report) -> float | None:
    """The retry delay in seconds."""
    delay = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(delay, int | float) and not isinstance(delay, bool) and 0 <= delay <= _MAX_SECONDS:
        return delay
    if given is not None:
        report(f"retry_delay {shown(given, 80)} is left out: give seconds from 0 to {_MAX_SECONDS}, or a timedelta")
    return None


def details(given: object, *, with_retry: bool, report: Report) -> tuple[tuple[Message, bytes], ...]:
    """The details that can go on the wire, each with its bytes in an Any, RetryInfo and RequestInfo last."""
    if isinstance(given, Message) or not isinstance(given, Iterable):
        report(f"details is a {type(given).__name__}, not a sequence of messages: it is left out")
        given = ()
    kept: dict[str, tuple[Message, bytes]] = {}
    for detail in _read("details", given, iter, report) or ():
        if not isinstance(detail, Message):
            report(f"the detail {shown(detail, 80)} is left out: it is a {type(detail).__name__}, not a protobuf message")
            continue
        name = type_name(detail)
        if not name:
            report("an Any without a type is left out of the details")
        elif name in OWNED_DETAILS:
            report(f"the detail {name} is left out: {OWNED_DETAILS[name]}")
        elif name in kept or (name == _RETRY_INFO and not with_retry):
            report(f"the detail {name} is left out: each type goes on the wire at most once (AIP-193)")
        else:
            try:
                kept[name] = detail, wire.packed(detail)
            except Exception as error:  # noqa: BLE001  EncodeError, and others for messages of another runtime
                report(f"the detail {name} is left out: {shown(str(error), 200)}")
    if len(kept) < 2:
        return tuple(kept.values())
    return tuple(kept[name] for name in sorted(kept, key=lambda name: _LAST.get(name, 0)))


def type_name(detail: Message) -> str:
    """The full name of a message's type, that of the message inside for an Any."""
    return detail.TypeName() if isinstance(detail, any_pb2.Any) else detail.DESCRIPTOR.full_name


def is_request_id(text: object) -> TypeGuard[str]:
    """Whether `text` may travel as a request id: 1 to 128 printable ASCII characters."""
    return isinstance(text, str) and 0 < len(text) <= _MAX_REQUEST_ID and text.isascii() and text.isprintable()


def shown(value: object, longest: int = 1_000) -> str:
    """`repr`, which escapes control characters, bidi overrides and ANSI sequences; at most `longest` characters of it."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  whatever a foreign __repr__ raises
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= longest else text[:longest] + "..."


def clean(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
