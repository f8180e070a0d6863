"""What every validator's violations become: one BadRequest of bounded texts, without the values that were given."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, NoReturn, TypeVar

from google.rpc import error_details_pb2 as rpc

from errgrpc import arguments, locales
from errgrpc.codes import MAX_REASON, REASON, ErrorCode
from errgrpc.service_error import ServiceError, made_of
from errgrpc.texts import clean, shown

__all__ = ["Messages", "Violation", "field_violations", "quoted", "refusing"]

Messages = Mapping[str, str | Mapping[str, str]]
"""What end users are told, by the validator's name for the rule: a text in the catalogue's default locale, or texts by locale."""

MOST_VIOLATIONS = 100  # the trailers hold fewer, and a hostile request can break a rule a million times
LONGEST_PATH = 200  # characters; a client chooses map keys, and the names of fields that are not expected
LONGEST_DESCRIPTION = 300  # characters; a pattern or a list of what is allowed may be long

# As protovalidate itself writes keys: no other character is escaped.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})

_Error = TypeVar("_Error", bound=BaseException)


class Violation(NamedTuple):
    """One rule that was broken."""

    field: str
    """The path of the field; empty for the whole message."""
    rule: str
    """The rule, as the validator names it."""
    description: str = ""
    """What the rule asks for, in English; empty if there is no text that surely quotes no value."""


def refusing(
    code: ErrorCode, messages: Messages | None, found: Callable[[_Error], Iterable[Violation]]
) -> Callable[[_Error], ServiceError]:
    """From a validator's exception to an error with `code` and one BadRequest. Raises TypeError and ValueError for wrong arguments."""
    if not isinstance(code, ErrorCode):
        raise TypeError(f"{shown(code)} is no error code: give a member of a catalogue such as errgrpc.ResCode.BAD_REQUEST")
    made_of(code)  # SUCCESS is a ValueError here rather than in production
    localized = dict(_localized(code, messages or {}))

    def refused(error: _Error, /) -> ServiceError:
        return made_of(code, rpc.BadRequest(field_violations=field_violations(found(error), localized)))

    return refused


def field_violations(
    found: Iterable[Violation], localized: Mapping[str, rpc.LocalizedMessage] | None = None
) -> Iterator[rpc.BadRequest.FieldViolation]:
    """The first of the violations, as BadRequest says them."""
    for field, rule, description in islice(found, MOST_VIOLATIONS):
        yield rpc.BadRequest.FieldViolation(
            field=_cut(field, LONGEST_PATH),
            description=_cut(description or _words(rule), LONGEST_DESCRIPTION),
            reason=_reason(rule),
            localized_message=localized.get(rule) if localized else None,
        )


def quoted(key: str) -> str:
    """A key of a map as a path has it."""
    return f'["{key.translate(_ESCAPES)}"]'


def _localized(code: ErrorCode, messages: Messages) -> Iterator[tuple[str, rpc.LocalizedMessage]]:
    if not isinstance(messages, Mapping):
        raise TypeError(f"messages is {shown(messages, 80)}: give a mapping from the validator's rules to texts")
    for rule, given in messages.items():

        def refuse(wrong: str, rule: object = rule) -> NoReturn:
            raise ValueError(f"messages[{rule!r}]: {wrong}")

        texts = arguments.hints(given, code, refuse) or {}
        if not isinstance(rule, str) or (locale := locales.choose(None, texts, code.default_locale)) is None:
            raise TypeError(f"messages[{rule!r}] is {shown(given, 80)}: give a text, or texts by locale, for the name of a rule")
        yield rule, rpc.LocalizedMessage(locale=locale, message=texts[locale])


def _reason(rule: str) -> str:
    """`STRING_MIN_LEN` of `string.min_len`; nothing if google.rpc allows no such reason."""
    reason = re.sub(r"[.-]", "_", rule).upper()
    return reason if len(reason) <= MAX_REASON and REASON.fullmatch(reason) else ""


def _words(rule: str) -> str:
    """`String min len` of `string.min_len`: for developers, where no other text is safe."""
    return re.sub(r"[._-]+", " ", rule).strip().capitalize()


def _cut(text: str, longest: int) -> str:
    return clean(text if len(text) <= longest else text[: longest - 1] + "…")
