"""pydantic's ValidationError as a ServiceError: `translate={pydantic.ValidationError: bad_request(code)}`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any

from pydantic_core import PydanticKnownError, ValidationError

from errgrpc.codes import ErrorCode
from errgrpc.service_error import ServiceError
from errgrpc.validation.violations import Messages, Violation, quoted, refusing

__all__ = ["Messages", "bad_request", "violations"]

# What of an error's context the schema says, and not the input.
_OF_SCHEMA = {
    "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "actual_length", "field_type", "expected", "expected_tags",
    "expected_schemes", "expected_plural", "expected_version", "pattern", "discriminator", "max_digits", "decimal_places",
    "whole_digits", "class", "class_name", "encoding", "method_name", "tz_expected",
}  # fmt: skip
_OWN = {"value_error", "assertion_error"}  # whose text is a validator's
_LEFT_OUT = re.compile("(,|:|, error:|, got) …$")
_PLAIN = re.compile(r'[^\s.\[\]"\\\x00-\x1f]+')
_KEY = "[key]"  # pydantic's last part for a key of a dict; a protobuf path is the same for a key and its value


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
      sends those texts: for validators that quote no secret.
    - `localized_message` is what `messages` has for the type, as in `{"missing": {"en-US": "Missing", "zh-CN": "缺失"}}`. A BadRequest
      has one text for each violation. Under `translate=`, that is in the caller's language, as `accept-language` asks for it. A
      text without a locale is in the catalogue's default locale, which also stands in for languages that are missing.

    The values that were given are never sent. Each ValidationError of a handler counts as the caller's, also that of a model that
    was not made from the request. Raises TypeError and ValueError if `code` is no failure or `messages` are no texts.
    """

    def found(error: ValidationError) -> Iterator[Violation]:
        # FastAPI's RequestValidationError has neither argument.
        errors = error.errors(include_url=False, include_input=False) if isinstance(error, ValidationError) else error.errors()
        return violations(errors, custom_texts=custom_texts)

    return refusing(code, messages, found)


def violations(errors: Iterable[Mapping[str, Any]], *, custom_texts: bool = False) -> Iterator[Violation]:
    """What pydantic's `errors()` are as violations."""
    for error in errors:
        kind, context = str(error.get("type", "")), error.get("ctx") or {}
        yield Violation(_path(error.get("loc", ())), kind, _description(kind, context, str(error.get("msg", "")) if custom_texts else ""))


def _description(kind: str, context: Mapping[str, Any], own: str) -> str:
    """What pydantic says of an error of this type, from its template and what the schema says: its own text may quote the input."""
    if own and kind in _OWN:
        return own
    said = {key: _of_schema(key, value) for key, value in context.items()}
    try:
        return _LEFT_OUT.sub("", PydanticKnownError(kind, said or None).message())  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):  # of a validator's own type, or with a number of the input in its text
        return own


def _of_schema(key: str, value: object) -> object:
    """What an error's context says under this key, "…" if it is the input's."""
    if key not in _OF_SCHEMA:
        return "…"
    return str(value) if isinstance(value, date | time | timedelta) else value


def _path(location: Iterable[str | int]) -> str:
    """`body.seats[0].user` of `("body", "seats", 0, "user")`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != _KEY:
            name = str(part)  # FastAPI's errors may be made by hand
            path += f".{name}" if _PLAIN.fullmatch(name) else quoted(name)
    return path.removeprefix(".")
