"""What every validator's violations become: one BadRequest of bounded texts, without the values that were given."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, TypeVar

from google.rpc import error_details_pb2 as rpc

from errgrpc import locales
from errgrpc.codes import MAX_REASON, REASON, ErrorCode
from errgrpc.service_error import ServiceError, made_of
from errgrpc.specs import checked_hints
from errgrpc.texts import clean, shown
from errgrpc.translating import accept_language

__all__ = ["Messages", "Violation", "field_violations", "quoted", "refusing"]

Messages = Mapping[str, str | Mapping[str, str]]
"""What end users are told, by the validator's name for a rule: texts by locale, or one in the catalogue's default locale."""

# the trailers hold fewer, and a hostile request can break a rule a million times
MOST_VIOLATIONS = 100
# characters; a client chooses map keys, and the names of fields that are not expected
LONGEST_PATH = 200
LONGEST_DESCRIPTION = 300  # characters; a pattern or a list of what is allowed may be long

# As protovalidate itself writes keys: no other character is escaped.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})

_NAME = re.compile(r"[\w.-]+")
_UNDETERMINED = "und"  # BCP 47, for a text whose catalogue has no default locale

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
        raise TypeError(
            f"{shown(code)} is no error code: give a member of a catalogue such as errgrpc.ResCode.BAD_REQUEST"
        )
    made_of(code)  # SUCCESS is a ValueError here rather than in production
    texts = _texts(code, {} if messages is None else messages)

    def localized(rule: str) -> rpc.LocalizedMessage | None:
        locale = locales.choose(accept_language.get(), texts.get(rule, ()), code.default_locale)
        return (
            None
            if locale is None
            else rpc.LocalizedMessage(locale=locale, message=texts[rule][locale])
        )

    def refused(error: _Error, /) -> ServiceError:
        return made_of(
            code, rpc.BadRequest(field_violations=field_violations(found(error), localized))
        )

    return refused


def field_violations(
    found: Iterable[Violation],
    localized: Callable[[str], rpc.LocalizedMessage | None] = lambda _: None,
) -> Iterator[rpc.BadRequest.FieldViolation]:
    """The first of the violations, as BadRequest says them; `localized` is what end users are told of a rule."""
    for field, rule, description in islice(found, MOST_VIOLATIONS):
        yield rpc.BadRequest.FieldViolation(
            field=_cut(field, LONGEST_PATH),
            description=_cut(description or _words(rule), LONGEST_DESCRIPTION),
            reason=_reason(rule),
            localized_message=localized(rule),
        )


def quoted(key: str) -> str:
    """A key of a map as a path has it."""
    return f'["{key[:LONGEST_PATH].translate(_ESCAPES)}"]'


def _texts(code: ErrorCode, messages: Messages) -> dict[str, Mapping[str, str]]:
    if not isinstance(messages, Mapping):
        raise TypeError(
            f"messages is {shown(messages, 80)}: give a mapping from the names of rules to texts"
        )
    texts = {}
    for rule, given in messages.items():
        if not isinstance(rule, str):
            raise TypeError(f"messages has the key {shown(rule, 80)}: give the name of a rule")
        by_locale = (
            {code.default_locale or _UNDETERMINED: given} if isinstance(given, str) else given
        )
        texts[rule] = checked_hints(f"messages[{rule!r}]", by_locale)
    return texts


def _reason(rule: str) -> str:
    """`STRING_MIN_LEN` of `string.min_len`; nothing if google.rpc allows no such reason."""
    reason = re.sub(r"[.-]", "_", rule).upper()
    return reason if len(reason) <= MAX_REASON and REASON.fullmatch(reason) else ""


def _words(rule: str) -> str:
    """`String min len` of `string.min_len`: for developers, where no other text is safe. What is no name stays as it is."""
    return re.sub(r"[._-]+", " ", rule).strip().capitalize() if _NAME.fullmatch(rule) else rule


def _cut(text: str, longest: int) -> str:
    return clean(text if len(text) <= longest else text[: longest - 1] + "…")
