"""Turns the violations of any validator into one BadRequest.

Its texts are bounded, and it never holds the values that were given.
"""

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
"""Maps the validator's name of a rule to a text for end users.

The text is a mapping of locale (BCP 47) to text, or one text in the catalogue's default locale.
"""

# The trailers hold fewer. A hostile request can break a rule a million times.
MOST_VIOLATIONS = 100
# Characters. A client chooses map keys and the names of unexpected fields.
LONGEST_PATH = 200
LONGEST_DESCRIPTION = 300  # characters; a pattern or a list of allowed values may be long

# The same escapes as protovalidate: no other character is escaped.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})

_NAME = re.compile(r"[\w.-]+")
_UNDETERMINED = "und"  # the BCP 47 tag for a text whose catalogue has no default locale

_Error = TypeVar("_Error", bound=BaseException)


class Violation(NamedTuple):
    """One broken rule."""

    field: str
    """The path of the field. It is empty for the whole message."""
    rule: str
    """The rule, as the validator names it."""
    description: str = ""
    """What the rule requires, in English. It is empty if every text may contain a value."""


def refusing(
    code: ErrorCode, messages: Messages | None, found: Callable[[_Error], Iterable[Violation]]
) -> Callable[[_Error], ServiceError]:
    """Returns a function from a validator's exception to an error with `code` and one BadRequest.

    Raises TypeError and ValueError if the arguments are wrong.
    """
    if not isinstance(code, ErrorCode):
        raise TypeError(
            f"{shown(code)} is no error code: "
            "give a member of a catalogue such as errgrpc.ResCode.BAD_REQUEST"
        )
    made_of(code)  # raises ValueError for a success here rather than in production
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
    """Yields the first violations as BadRequest has them.

    `localized` returns the text for end users for a rule.
    """
    for field, rule, description in islice(found, MOST_VIOLATIONS):
        yield rpc.BadRequest.FieldViolation(
            field=_cut(field, LONGEST_PATH),
            description=_cut(description or _words(rule), LONGEST_DESCRIPTION),
            reason=_reason(rule),
            localized_message=localized(rule),
        )


def quoted(key: str) -> str:
    """Returns a map's key in the form that it has in a path."""
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
    """Returns `STRING_MIN_LEN` for `string.min_len`, or nothing if google.rpc does not allow it."""
    reason = re.sub(r"[.-]", "_", rule).upper()
    return reason if len(reason) <= MAX_REASON and REASON.fullmatch(reason) else ""


def _words(rule: str) -> str:
    """Returns `String min len` for `string.min_len`, or the rule unchanged if it is not a name.

    Developers see these words if every other text might quote a value.
    """
    return re.sub(r"[._-]+", " ", rule).strip().capitalize() if _NAME.fullmatch(rule) else rule


def _cut(text: str, longest: int) -> str:
    return clean(text if len(text) <= longest else text[: longest - 1] + "…")
