"""The rules, one module each, in the order of docs/lint.md."""

from errgrpc.cli.lint.findings import Rule
from errgrpc.cli.lint.rules import (
    braces_without_metadata,
    code_not_raised,
    description_missing,
    generator_refuses,
    http_status_mapping,
    locale_gap,
    message_english,
    message_is_hint,
    message_missing,
    method_raises_nothing,
    name_format,
    reserved_gap,
    retryable_status,
    secret_key,
    text_length,
    text_shared,
)

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    generator_refuses,
    name_format,
    text_length,
    text_shared,
    message_missing,
    message_english,
    message_is_hint,
    braces_without_metadata,
    locale_gap,
    description_missing,
    http_status_mapping,
    retryable_status,
    secret_key,
    method_raises_nothing,
    code_not_raised,
    reserved_gap,
)
"""A new rule needs a module, a section in docs/lint.md and fixtures in tests/cli/lint/."""
