"""pydantic's ValidationError as a ServiceError: `translate={pydantic.ValidationError: bad_request(code)}`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any

from pydantic_core import PydanticKnownError, ValidationError

from errgrpc.codes import ErrorCode
from errgrpc.service_error import ServiceError
from errgrpc.texts import shown
from errgrpc.validation.violations import Messages, Violation, quoted, refusing

__all__ = ["Messages", "bad_request", "violations"]

# What of an error's context the schema says, and not the input.
_OF_SCHEMA = {
    "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "field_type", "expected", "expected_tags",
    "expected_schemes", "expected_plural", "expected_version", "pattern", "discriminator", "max_digits", "decimal_places",
    "whole_digits", "class", "class_name", "encoding", "method_name", "tz_expected",
}  # fmt: skip
_OWN = {"value_error", "assertion_error"}  # whose text is a validator's
_LEFT_OUT = re.compile("(,|:|, error:|, got) …$|, not 0$")
_COUNT = "actual_length"  # of the input, and pydantic takes no text for it
_MOST_ERRORS = 10_000  # pydantic makes a record of each, about 600 bytes
_PLAIN = re.compile(r'[^\s.\[\]"\\\x00-\x1f]+')
# pydantic's last part for a key of a dict; a protobuf path is the same for a key and its value
_KEY = "[key]"


def bad_request(
    code: ErrorCode, *, messages: Messages | None = None, custom_texts: bool = False
) -> Callable[[ValidationError], ServiceError]:
    """From a `pydantic.ValidationError`, or a RequestValidationError of FastAPI, to an error with `code` and one `google.rpc.BadRequest`.

    Each of pydantic's errors becomes a FieldViolation, in pydantic's order, at most 100:

    - `field` is its `loc` in protobuf's form, `seats[0].user`, at most 200 characters. Empty for the whole model. A key that is no
      plain name is quoted, `prices["a b"]`; it may be one that the client chose.
    - `reason` is its type in capitals: STRING_TOO_SHORT of `string_too_short`.
    - `description` is pydantic's message without all that may quote the input, at most 300 characters. The text of a validator's
      own ValueError, AssertionError or PydanticCustomError may quote it, so the type in words stands for it. `custom_texts=True`
      sends those texts: for validators that quote no secret. Of more than 10,000 errors only the number is told.
    - `localized_message` is what `messages` has for the type, as in `{"missing": {"en-US": "Missing", "zh-CN": "缺失"}}`. A BadRequest
      has one text for each violation. Under `translate=`, that is in the caller's language, as `accept-language` asks for it. A
      text without a locale is in the catalogue's default locale, which also stands in for languages that are missing.

    The values that were given are never sent, if a validator puts none into the type of its PydanticCustomError or into a
    PydanticKnownError. Each ValidationError of a handler counts as the caller's, also that of a model that was not made from the
    request. Raises TypeError and ValueError if `code` is no failure or `messages` are no texts.
    """

    def found(error: ValidationError) -> Iterator[Violation]:
        if not isinstance(error, ValidationError):
            if not hasattr(error, "errors"):
                raise TypeError(
                    f"{shown(error)} is no pydantic.ValidationError: translate that class by bad_request"
                )
            # FastAPI's RequestValidationError, which has them made
            return violations(error.errors(), custom_texts=custom_texts)
        if (count := error.error_count()) > _MOST_ERRORS:
            return iter([Violation("", "", f"{count} errors, more than {_MOST_ERRORS}")])
        return violations(
            error.errors(include_url=False, include_input=False), custom_texts=custom_texts
        )

    return refusing(code, messages, found)


def violations(
    errors: Iterable[Mapping[str, Any]], *, custom_texts: bool = False
) -> Iterator[Violation]:
    """What pydantic's `errors()` are as violations."""
    for error in errors:
        kind, context, text = (
            str(error.get("type", "")),
            error.get("ctx") or {},
            str(error.get("msg", "")),
        )
        yield Violation(
            _path(error.get("loc", ())),
            kind,
            _description(kind, context, text, text if custom_texts else ""),
        )


def _description(kind: str, context: Mapping[str, Any], text: str, own: str) -> str:
    """The error's text if it is pydantic's, without what the input says; `own` if it is a validator's."""
    if own and kind in _OWN:
        return own
    said = {
        key: str(value) if isinstance(value, date | time | timedelta) else value
        for key, value in context.items()
    }
    of_schema = {
        key: value if key in _OF_SCHEMA or value is None else 0 if key == _COUNT else "…"
        for key, value in said.items()
    }
    try:
        if kind not in _OWN and PydanticKnownError(kind, said or None).message() != text:  # type: ignore[arg-type]  # any type
            return own  # a validator's own type may bear the name of one of pydantic's
        return _LEFT_OUT.sub("", PydanticKnownError(kind, of_schema or None).message())  # type: ignore[arg-type]  # likewise
    except (KeyError, TypeError, ValueError):
        # of a validator's own type, or with a number of the input in its text
        return own


def _path(location: Iterable[str | int]) -> str:
    """`body.seats[0].user` of `("body", "seats", 0, "user")`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != _KEY or not path:  # a first part names the field or key itself
            name = str(part)  # FastAPI's errors may be made by hand
            path += f".{name}" if _PLAIN.fullmatch(name) else quoted(name)
    return path.removeprefix(".")
