"""Turns pydantic's ValidationError into a ServiceError with a google.rpc.BadRequest.

Use it with `translate={pydantic.ValidationError: bad_request(code)}`.
"""

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

# The keys of an error's context whose values come from the schema and not from the input.
_OF_SCHEMA = {
    "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "field_type", "expected",
    "expected_tags", "expected_schemes", "expected_plural", "expected_version", "pattern",
    "discriminator", "max_digits", "decimal_places", "whole_digits", "class", "class_name",
    "encoding", "method_name", "tz_expected",
}  # fmt: skip
_OWN = {"value_error", "assertion_error"}  # their text comes from a validator
_LEFT_OUT = re.compile("(,|:|, error:|, got) …$|, not 0$")
_COUNT = "actual_length"  # comes from the input; pydantic takes no text in its place
_MOST_ERRORS = 10_000  # pydantic makes a record of each, about 600 bytes
_PLAIN = re.compile(r'[^\s.\[\]"\\\x00-\x1f]+')
# Pydantic's last part for a key of a dict. A protobuf path is the same for a key and its value.
_KEY = "[key]"


def bad_request(
    code: ErrorCode, *, messages: Messages | None = None, custom_texts: bool = False
) -> Callable[[ValidationError], ServiceError]:
    """Returns a function from `pydantic.ValidationError` to an error with `code`.

    It also takes a RequestValidationError of FastAPI. The error has one `google.rpc.BadRequest`. At
    most 100 of pydantic's errors become a FieldViolation each, in pydantic's order:

    - `field` is pydantic's `loc` in the form of protobuf, such as `seats[0].user`, at most 200
      characters. If a key is not a plain name, it is quoted: `prices["a b"]`. The client may have
      chosen that key. The field is empty for the whole model.
    - `reason` is pydantic's type in capitals: STRING_TOO_SHORT for `string_too_short`. It is empty
      if the result breaks the rule of google.rpc: `[A-Z][A-Z0-9_]+[A-Z0-9]`, at most 63 characters.
    - `description` is pydantic's message without any part that may contain the input, at most 300
      characters. The text of a validator's own ValueError, AssertionError or PydanticCustomError
      may contain the input. The description is then the type in words: `Value error`.
    - `localized_message` is the text that `messages` has for the type. With `translate=`, it is in
      the language that the caller's `accept-language` asks for.

    If there are more than 10,000 errors, only their number is sent.

    The values themselves are not sent, with one exception: a validator may put a value into the
    type of its PydanticCustomError, or into a PydanticKnownError. Every ValidationError of a
    handler counts as the caller's fault, even if its model was not made from the request.

    Args:
        code: The code of the error.
        messages: Texts for end users by type, such as
            `{"missing": {"en-US": "Missing", "zh-CN": "缺失"}}`. A text without a locale is in the
            catalogue's default locale. That locale is also used if a language is missing.
        custom_texts: Whether the texts of validators are sent, too. Set it only if no validator
            puts a secret value into its text.

    Raises:
        TypeError: `code` is not an error code, or `messages` does not map types to texts.
        ValueError: The gRPC status of `code` is OK, or `messages` has a malformed locale or an
            empty text.
    """

    def found(error: ValidationError) -> Iterator[Violation]:
        if not isinstance(error, ValidationError):
            if not hasattr(error, "errors"):
                raise TypeError(
                    f"{shown(error)} is no pydantic.ValidationError: "
                    "use bad_request only for pydantic.ValidationError"
                )
            # FastAPI's RequestValidationError, which holds the list already
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
    """Yields a violation for each of pydantic's `errors()`: field, rule and description.

    Args:
        errors: The result of `errors()` of a ValidationError, or of FastAPI's
            RequestValidationError.
        custom_texts: As for `bad_request`.
    """
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
    """Returns pydantic's text without parts of the input, or `own` for a validator's text."""
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
        known: Any = PydanticKnownError  # its annotations take only pydantic's own types
        if kind not in _OWN and known(kind, said or None).message() != text:
            return own  # a validator's own type may have the name of a type of pydantic
        return _LEFT_OUT.sub("", known(kind, of_schema or None).message())
    except (KeyError, TypeError, ValueError):
        # A validator's own type, or a text with a number from the input.
        return own


def _path(location: Iterable[str | int]) -> str:
    """Returns `body.seats[0].user` for `("body", "seats", 0, "user")`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != _KEY or not path:  # a first part is the field or key itself
            name = str(part)  # an error of FastAPI may be made by hand
            path += f".{name}" if _PLAIN.fullmatch(name) else quoted(name)
    return path.removeprefix(".")
