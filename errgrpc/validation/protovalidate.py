"""protovalidate's ValidationError as a ServiceError: `translate={protovalidate.ValidationError: bad_request(code)}`."""

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
    """From a `protovalidate.ValidationError` to an error with `code` and one `google.rpc.BadRequest`.

    Each violation becomes a FieldViolation, in protovalidate's order, at most 100:

    - `field` is protovalidate's own path, `seats[0].user` or `prices["a"]`, at most 200 characters. Empty for a rule of the whole
      message. It holds map keys, which the client chose.
    - `reason` is the rule's id in capitals: STRING_MIN_LEN of `string.min_len`. Empty for an id that google.rpc does not allow.
    - `description` is protovalidate's message, at most 300 characters, if all of it comes from the schema. A CEL expression may
      put the value into its text. The id in words then stands for it. `custom_texts=True` sends every text as it is: for
      schemas whose texts quote no secret.
    - `localized_message` is what `messages` has for the id: `{"string.min_len": {"en-US": "Too short", "zh-CN": "太短"}}`. A BadRequest has
      one text for each violation. Under `translate=`, that is in the caller's language, as `accept-language` asks for it. A text
      without a locale is in the catalogue's default locale, which also stands in for languages that are missing.

    The values that were given are never sent. CompilationError and EvaluationError are not the caller's: they stay unhandled.
    Raises TypeError and ValueError if `code` is no failure or `messages` are no texts.
    """

    def found(error: ValidationError) -> Iterator[Violation]:
        if not isinstance(error, ValidationError):
            raise TypeError(
                f"{shown(error)} is no protovalidate.ValidationError: translate that class by bad_request"
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
    """A place in a list, or a key of a map."""
    if key is None:
        return ""
    if isinstance(key.value, str):
        return quoted(key.value)
    return f"[{str(key.value).lower()}]"  # true, false and numbers


def _is_of_schema(violation: Any) -> bool:
    """Whether a violation's message can quote no value: it is a standard rule's, or stands in the schema as it is."""
    said, rule = violation.proto, violation.rule_value
    names = {element.field_name for element in said.rule.elements} if said.rule else set()
    if names and not names & {"cel", "cel_expression"}:
        # an extension: a rule that another schema defines
        return not any(name.startswith("[") for name in names)
    if "cel" in names and (
        said.message == rule.message or _stands_in(said.message, rule.expression)
    ):
        return True
    if _stands_in(said.message, said.rule_id):  # which is the expression of a `cel_expression`
        return True
    if names:
        return False
    if said.field:  # of a oneof, which has no number
        return not said.field.elements[-1].field_number
    # Of a whole message, whose own rules may have that id, too.
    return said.rule_id == "message.oneof" and _ONEOF.fullmatch(said.message) is not None


def _stands_in(text: str, expression: str) -> bool:
    return text == f'"{expression}" returned false' or any(
        f"{quote}{text}{quote}" in expression for quote in "'\""
    )
