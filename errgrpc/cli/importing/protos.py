"""Writes a catalogue as the text of a .proto file."""

import unicodedata
from collections.abc import Iterator

from errgrpc.codegen.schema import STATUSES, Catalog, Code

__all__ = ["literal", "render", "statement"]

_TYPES = ("STRING", "INT64", "DOUBLE", "BOOL")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render(catalog: Catalog) -> str:
    """Returns the file, in the form of errgrpc's own files."""
    return "\n".join([*_lines(catalog), ""])


def literal(text: str) -> str:
    """Returns a string literal for protoc. It escapes characters that editors do not show."""
    return (
        '"'
        + "".join(
            _ESCAPES.get(c)
            or (c if unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") else _escape(c))
            for c in text
        )
        + '"'
    )


def _escape(character: str) -> str:
    return f"\\{ord(character):03o}" if character < "\x80" else f"\\U{ord(character):08x}"


def _comment(text: str, indent: str) -> Iterator[str]:
    return (f"{indent}// {line}".rstrip() for line in text.split("\n")) if text else iter(())


def _lines(catalog: Catalog) -> Iterator[str]:
    yield 'syntax = "proto3";'
    yield ""
    if catalog.package:
        yield f"package {catalog.package};"
        yield ""
    yield 'import "errgrpc/v1/annotations.proto";'
    yield ""
    yield from _comment(catalog.description, "")
    yield f"enum {catalog.name} {{"
    yield "  option (errgrpc.v1.catalog) = {"
    yield f"    domain: {literal(catalog.domain)}"
    for name in ("default_locale", "fallback"):
        if value := getattr(catalog, name):
            yield f"    {name}: {literal(value)}"
    for status, reason in catalog.infer:
        yield f"    infer: {{grpc_status: {STATUSES[status].name}, reason: {literal(reason)}}}"
    for locale in catalog.locales:
        yield f"    locales: {literal(locale)}"
    if catalog.help_url:
        yield f"    help_url: {literal(catalog.help_url)}"
    yield "  };"
    for value in catalog.values:
        yield ""
        yield from _comment(value.description, "  ")
        yield from statement(value)
    yield "}"


def statement(value: Code) -> Iterator[str]:
    """Yields the lines of one value, without its comment."""
    deprecated = "deprecated = true" if value.deprecated else ""
    if not value.annotated:
        yield f"  {value.name} = {value.number}{f' [{deprecated}]' if deprecated else ''};"
        return
    deprecated = deprecated and f"{deprecated}, "
    yield f"  {value.name} = {value.number} [{deprecated}(errgrpc.v1.code) = {{"
    if value.grpc_status is not None:
        yield f"    grpc_status: {STATUSES[value.grpc_status].name}"
    if value.http_status is not None:
        yield f"    http_status: {value.http_status}"
    if value.message:
        yield f"    message: {literal(value.message)}"
    for hint in value.hints:
        when = "".join(
            f", when: {{key: {literal(key)}, value: {literal(text)}}}" for key, text in hint.when
        )
        yield f"    hints: {{locale: {literal(hint.locale)}, text: {literal(hint.text)}{when}}}"
    for field in value.metadata_fields:
        said = "".join(
            f", {name}: {literal(text)}"
            for name in ("description", "example")
            if (text := getattr(field, name))
        )
        said += ", optional: true" if field.optional else ""
        said += f", type: {_TYPES[field.type]}" if field.type else ""
        yield f"    metadata_fields: {{key: {literal(field.key)}{said}}}"
    if value.retryable is not None:
        yield f"    retryable: {'true' if value.retryable else 'false'}"
    if value.resolution:
        yield f"    resolution: {literal(value.resolution)}"
    yield "  }];"
