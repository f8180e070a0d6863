"""A text has braces only if its code declares metadata fields."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "braces-without-metadata"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds braces in the messages and hints of codes that declare no metadata."""
    for catalog, code in tables.codes():
        for text in (
            (code.message, *(hint.text for hint in code.hints)) if not code.metadata_fields else ()
        ):
            if "{" in text or "}" in text:
                yield Found(
                    anchor(catalog, code),
                    f"the braces of {text!r} are sent unchanged, because the code declares no "
                    "metadata; add the metadata_fields that it names",
                    f'"{text}"',
                )
