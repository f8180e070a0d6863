"""Turns protovalidate's ValidationError into a ServiceError with a google.rpc.BadRequest.

Use it with `translate={protovalidate.ValidationError: bad_request(code)}`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from protovalidate import ValidationError

from errgrpc.codes import ErrorCode
from errgrpc.service_error import ServiceError
from errgrpc.texts import shown
from errgrpc.validation.violations import Messages, Violation, quoted, refusing

__all__ = ["Messages", "bad_request"]

_ONEOF = re.compile(r"(only )?one of [A-Za-z0-9_]+(, [A-Za-z0-9_]+)* (can|must) be set")


def bad_request(
    code: ErrorCode, *, messages: Messages | None = None, custom_texts: bool = False
) -> Callable[[ValidationError], ServiceError]:
    """Returns a function from `protovalidate.ValidationError` to an error with `code`.

    The error has one `google.rpc.BadRequest`. At most 100 violations become a FieldViolation each,
    in protovalidate's order:

    - `field` is protovalidate's path, such as `seats[0].user` or `prices["a"]`, at most 200
      characters. It can hold map keys, which the client chose. It is empty for a rule of the whole
      message.
    - `reason` is the rule's id in capitals: STRING_MIN_LEN for `string.min_len`. It is empty if the
      result breaks the rule of google.rpc: `[A-Z][A-Z0-9_]+[A-Z0-9]`, at most 63 characters.
    - `description` is protovalidate's message, at most 300 characters, if all of it comes from the
      schema. The text of a CEL expression may contain the value. The description is then the id in
      words: `Room capacity` for `room.capacity`.
    - `localized_message` is the text that `messages` has for the id. With `translate=`, it is in
      the language that the caller's `accept-language` asks for.

    The values themselves are never sent. CompilationError and EvaluationError are not the caller's
    fault, so they stay unhandled exceptions.

    Args:
        code: The code of the error.
        messages: Texts for end users by rule id, such as
            `{"string.min_len": {"en-US": "Too short", "zh-CN": "太短"}}`. A text without a locale
            is in the catalogue's default locale. That locale is also used if a language is missing.
        custom_texts: Whether every text is sent unchanged. Set it only if no text of the schema
            contains a secret value.

    Raises:
        TypeError: `code` is not an error code, or `messages` does not map rule ids to texts.
        ValueError: The gRPC status of `code` is OK, or `messages` has a malformed locale or an
            empty text.
    """

    def found(error: ValidationError) -> Iterator[Violation]:
        if not isinstance(error, ValidationError):
            raise TypeError(
                f"{shown(error)} is no protovalidate.ValidationError: "
                "use bad_request only for protovalidate.ValidationError"
            )
        for violation in error.violations:
            said = violation.proto
            yield Violation(
                _path(said.field),
                said.rule_id,
                said.message if custom_texts or _is_of_schema(violation) else "",
            )

    return refusing(code, messages, found)


def _path(field: Any) -> str:
    return (
        ".".join(element.field_name + _subscript(element.subscript) for element in field.elements)
        if field
        else ""
    )


def _subscript(key: Any) -> str:
    """Returns the index in a list, or the key of a map, in brackets."""
    if key is None:
        return ""
    if isinstance(key.value, str):
        return quoted(key.value)
    return f"[{str(key.value).lower()}]"  # true, false and numbers


def _is_of_schema(violation: Any) -> bool:
    """Returns whether a violation's message cannot quote a value.

    That is so for a message of a standard rule, and for one that stands in the schema literally.
    """
    said, rule = violation.proto, violation.rule_value
    names = {element.field_name for element in said.rule.elements} if said.rule else set()
    if names and not names & {"cel", "cel_expression"}:
        # an extension: a rule that another schema defines
        return not any(name.startswith("[") for name in names)
    if "cel" in names and (
        said.message == rule.message or _stands_in(said.message, rule.expression)
    ):
        return True
    # the id of a `cel_expression` is the expression itself
    if _stands_in(said.message, said.rule_id):
        return True
    if names:
        return False
    if said.field:  # a oneof has no number
        return not said.field.elements[-1].field_number
    # For a whole message: its custom rules may have that id, too.
    return said.rule_id == "message.oneof" and _ONEOF.fullmatch(said.message) is not None


def _stands_in(text: str, expression: str) -> bool:
    return text == f'"{expression}" returned false' or any(
        f"{quote}{text}{quote}" in expression for quote in "'\""
    )
