"""A code as one JSON object: the same in `list`, `explain`, `export` and the page."""

from typing import Any
from urllib.parse import quote

from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES, TYPES, Catalog, Code

__all__ = ["anchor", "facts", "help_url", "hint_for", "status_name"]

_TYPES = {str: "STRING", int: "INT64", float: "DOUBLE", bool: "BOOL"}


def facts(tables: Tables, catalog: Catalog, code: Code) -> dict[str, Any]:
    """Returns the declarations of a code, by their names in the .proto.

    What the code does not declare is null or empty.
    """
    return {
        "number": code.number,
        "reason": code.reason,
        "domain": catalog.domain,
        "catalogue": catalog.full_name,
        "grpc_status": status_name(code),
        "http_status": code.http_status,
        "message": code.message,
        "hints": [
            {"locale": hint.locale, "text": hint.text, "when": dict(hint.when)}
            for hint in code.hints
        ],
        "metadata_fields": [
            {
                "key": field.key,
                "description": field.description,
                "example": field.example,
                "optional": field.optional,
                "type": _TYPES[TYPES.get(field.type, str)],
            }
            for field in code.metadata_fields
        ],
        "retryable": code.retryable,
        "description": code.description,
        "resolution": code.resolution,
        "deprecated": code.deprecated,
        "help_url": help_url(catalog, code),
        "methods": list(tables.methods.get((catalog.full_name, code.number), ())),
    }


def status_name(code: Code) -> str | None:
    """Returns the gRPC status, such as `NOT_FOUND`, or None if the code declares no status.

    If gRPC does not have the status, returns the number.
    """
    if code.grpc_status is None:
        return None
    return (
        STATUSES[code.grpc_status].name if code.grpc_status in STATUSES else str(code.grpc_status)
    )


def help_url(catalog: Catalog, code: Code) -> str | None:
    """Returns the help link of a code, as generated classes do, or None without a template."""
    url = catalog.help_url
    for key, value in (
        ("reason", code.reason),
        ("domain", catalog.domain),
        ("number", str(code.number)),
    ):
        url = url.replace(f"{{{key}}}", quote(value, safe=""))
    return url or None


def hint_for(catalog: Catalog, code: Code, locale: str | None = None) -> str:
    """Returns the hint for a locale, else for the default locale, else the first, else nothing."""
    plain = {hint.locale.lower(): hint.text for hint in code.hints if not hint.when} or {
        hint.locale.lower(): hint.text for hint in code.hints
    }
    for wanted in (locale, catalog.default_locale):
        if wanted and wanted.lower() in plain:
            return plain[wanted.lower()]
    return next(iter(plain.values()), "")


def anchor(catalog: Catalog, code: Code) -> str:
    """Returns the anchor of a code on the page of `errgrpc docs`. It never changes."""
    return f"{catalog.full_name}.{code.reason}"
