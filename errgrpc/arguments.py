"""Turns the arguments of a ServiceError into values. `warn` is called with each mistake.

A wrong argument is corrected or dropped. Nothing here raises: a mistake on a line that rarely runs
must not turn NOT_FOUND into INTERNAL. `type()` tells what an argument is. `isinstance` would ask
the `__class__` of a lazy object, which may raise or lie.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc import locales
from errgrpc.codes import ErrorCode
from errgrpc.placeholders import KEY, MAX_KEY
from errgrpc.texts import clean, shown
from errgrpc.wire.packing import MAX_SECONDS, NUMBER_KEY, pack, seconds_of, type_name, unpack
from errgrpc.wire.values import Values

__all__ = [
    "OWNED_DETAILS",
    "REQUEST_INFO",
    "Warn",
    "compare",
    "details",
    "hints",
    "message",
    "metadata",
    "seconds",
    "values",
]

Warn = Callable[[str], None]
_Details = tuple[tuple[Message, bytes], ...]

_UNDETERMINED = "und"  # BCP 47, for a hint whose catalogue has no default locale

OWNED_DETAILS = {
    rpc.ErrorInfo.DESCRIPTOR.full_name: "the code and its metadata make it",
    rpc.LocalizedMessage.DESCRIPTOR.full_name: "give hint= instead",
}
REQUEST_INFO = rpc.RequestInfo.DESCRIPTOR.full_name
_RETRY_INFO = rpc.RetryInfo.DESCRIPTOR.full_name
_RETRY_NAME = _RETRY_INFO.encode()
# These are sent after all other details.
_LAST = {_RETRY_INFO: 1, REQUEST_INFO: 2}


def values(
    code: ErrorCode,
    given_message: Any,
    given_metadata: object,
    more_metadata: Mapping[str, object],
    given_hint: Any,
    given_details: object,
    retry_delay: object,
    warn: Warn,
    *,
    passed_on: bool = False,
) -> Values:
    """Returns the values of an error that has more arguments than its code.

    A RetryInfo among the details is the raiser's `retry_delay`. If the error is passed on, the
    RetryInfo is another server's, and stays a detail.
    """
    delay = None if retry_delay is None else seconds(retry_delay, warn)
    given = details(given_details, with_retry=delay is None, warn=warn)
    # A RetryInfo is the last detail, or the one before a RequestInfo. Only its name is
    # searched for, because this runs for each error with details.
    if (
        delay is None
        and given
        and (_RETRY_NAME in given[-1][1] or (len(given) > 1 and _RETRY_NAME in given[-2][1]))
        and not passed_on
    ):
        delay, given = _own_delay(given)
    if delay is not None and code.retryable is False:
        warn(
            f"a retry_delay is given with {code}, which declares that a retry cannot succeed: "
            "leave it out, or declare otherwise"
        )
    own_hints = None if given_hint is None else hints(given_hint, code, warn)
    return Values(
        code,
        None if given_message is None else message(given_message, code, warn),
        metadata(given_metadata, more_metadata, warn)
        if more_metadata or given_metadata is not None
        else {},
        own_hints,
        next(iter(own_hints.values())) if own_hints and issubclass(type(given_hint), str) else None,
        delay,
        given,
    )


def _own_delay(given: _Details) -> tuple[float | None, _Details]:
    """Returns the delay of a RetryInfo among the details, and the other details."""
    for index, (detail, packed) in enumerate(given):
        if type_name(detail) == _RETRY_INFO:
            info = unpack(any_pb2.Any.FromString(packed), rpc.RetryInfo)
            delay = None if info is None else seconds_of(info)
            return (
                (None, given) if delay is None else (delay, (*given[:index], *given[index + 1 :]))
            )
    return None, given


def message(given: Any, code: ErrorCode, warn: Warn) -> str | None:
    """Returns the text for developers, or None for that of the code."""
    if issubclass(type(given), str):
        return clean(given)
    if given is not None:
        warn(f"message is a {type(given).__name__}, not a str: the message of {code} is used")
    return None


def metadata(given: Any, more: Mapping[str, object], warn: Warn) -> dict[str, str]:
    """Returns the metadata as text, without keys that AIP-193 forbids or that hold the number."""
    if given is not None and not issubclass(type(given), Mapping):
        warn(f"metadata is a {type(given).__name__}, not a mapping: it is left out")
        given = None
    if given is not None:
        more = {**dict(_listed("metadata", given, _items, warn) or ()), **more}
    texts: dict[str, str] = {}
    for key, value in more.items():
        if not issubclass(type(key), str) or not KEY.fullmatch(key) or len(key) > MAX_KEY:
            warn(
                f"the metadata key {shown(key, 80)} is left out: "
                f"AIP-193 asks for {KEY.pattern} of at most {MAX_KEY} characters"
            )
        elif key == NUMBER_KEY:
            warn(f"the metadata key {key!r} is left out: it holds the code's number")
        elif type(value) is str and value.isascii():  # nearly all values need no conversion
            texts[key] = value
        elif value is not None:
            try:
                texts[key] = clean(_as_text(value))
            except Exception as error:  # noqa: BLE001  whatever a foreign __str__ raises
                warn(
                    f"the metadata {key!r} is left out: "
                    f"its value does not become text ({type(error).__name__})"
                )
    return texts


def compare(code: ErrorCode, texts: Mapping[str, str], warn: Warn) -> None:
    """Warns of metadata that are undeclared, missing or of a wrong type. They are still sent."""
    declared = {field.key: field for field in code.metadata_fields}
    if not declared:
        return
    for key, text in texts.items():
        if key not in declared:
            nearest = difflib.get_close_matches(key, declared, 1, 0)[0]
            warn(f"the metadata key {key!r} is not declared by {code}: did you mean {nearest!r}?")
        elif not declared[key].fits(text):
            warn(
                f"the metadata {key!r} of {code} is {shown(text, 80)}, which is no "
                f"{declared[key].type.__name__}"
            )
    for key, field in declared.items():
        if key not in texts and not field.optional:
            warn(f"{code} requires the metadata {key!r}, which is missing")


def _as_text(value: Any) -> str:
    if issubclass(type(value), bool):
        return "true" if value else "false"
    # a Flag without bits has no name
    if issubclass(type(value), Enum) and issubclass(type(value.name), str):
        return str(value.name)
    return str(value)


def _items(given: Any) -> Iterable[Any]:
    return given.items()  # type: ignore[no-any-return]  # a foreign collection


def _listed(
    name: str, given: Any, listed: Callable[[Any], Iterable[Any]], warn: Warn
) -> list[Any] | None:
    """Returns the items of a foreign collection, or None if reading it raises."""
    try:
        return list(listed(given))
    except Exception as error:  # noqa: BLE001  a foreign collection
        warn(f"{name} is left out: reading it raises {type(error).__name__}")
        return None


def hints(given: Any, code: ErrorCode, warn: Warn) -> dict[str, str] | None:
    """Returns the texts for the end user by locale, or None for those of the code."""
    if issubclass(type(given), str):
        given = {code.default_locale or _UNDETERMINED: given}
    if not issubclass(type(given), Mapping):
        if given is not None:
            warn(
                f"hint is a {type(given).__name__}, neither a str nor a mapping of locale to text: "
                f"the hints of {code} are used"
            )
        return None
    items = _listed("hint", given, _items, warn)
    texts: dict[str, tuple[str, str]] = {}
    for locale, text in items or ():
        if not locales.is_language_tag(locale):
            warn(
                f"the hint for {shown(locale, 80)} is left out: "
                "that is no BCP 47 language tag such as 'zh-CN'"
            )
        elif not issubclass(type(text), str):
            warn(
                f"the hint for {shown(locale, 80)} is left out: "
                f"it is a {type(text).__name__}, not a str"
            )
        elif not text:
            warn(f"the hint for {shown(locale, 80)} is left out: it is empty")
        elif locale.lower() in texts:
            warn(
                f"the hint for {shown(locale, 80)} is left out: "
                f"there is one for {texts[locale.lower()][0]!r}"
            )
        else:
            texts[locale.lower()] = locale, clean(text)
    # if all hints are wrong, the hints of the code stay
    return dict(texts.values()) if texts or items == [] else None


def seconds(given: Any, warn: Warn) -> float | None:
    """Returns the retry delay in seconds, or None."""
    # Calls the functions of the base classes, because those of a subclass may raise.
    delay: Any = timedelta.total_seconds(given) if issubclass(type(given), timedelta) else given
    if issubclass(type(delay), float):
        delay = float.__float__(delay)
    elif issubclass(type(delay), int) and not issubclass(type(delay), bool):
        delay = int.__int__(delay)
    if (
        issubclass(type(delay), int | float)
        and not issubclass(type(delay), bool)
        and 0 <= delay <= MAX_SECONDS
    ):
        return delay  # type: ignore[no-any-return]  # it is a number
    if given is not None:
        warn(
            f"retry_delay {shown(given, 80)} is left out: "
            f"give seconds from 0 to {MAX_SECONDS}, or a timedelta"
        )
    return None


def details(given: Any, *, with_retry: bool, warn: Warn) -> _Details:
    """Returns the details that can be sent, each with its bytes in an Any.

    RetryInfo and RequestInfo come last.
    """
    if issubclass(type(given), Message) or not issubclass(type(given), Iterable):
        warn(f"details is a {type(given).__name__}, not a sequence of messages: it is left out")
        given = ()
    kept: dict[str, tuple[Message, bytes]] = {}
    for detail in _listed("details", given, iter, warn) or ():
        if not issubclass(type(detail), Message):
            warn(
                f"the detail {shown(detail, 80)} is left out: "
                f"it is a {type(detail).__name__}, not a protobuf message"
            )
            continue
        name = type_name(detail)
        if not name:
            warn("an Any without a type is left out of the details")
        elif name in OWNED_DETAILS:
            warn(f"the detail {name} is left out: {OWNED_DETAILS[name]}")
        elif name in kept or (name == _RETRY_INFO and not with_retry):
            warn(
                f"the detail {name} is left out: each type goes on the wire at most once (AIP-193)"
            )
        else:
            try:
                kept[name] = detail, pack(detail).SerializeToString()
            except Exception as error:  # noqa: BLE001  another runtime has its own errors
                warn(f"the detail {name} is left out: {shown(str(error), 200)}")
    if len(kept) < 2:
        return tuple(kept.values())
    return tuple(kept[name] for name in sorted(kept, key=lambda name: _LAST.get(name, 0)))
