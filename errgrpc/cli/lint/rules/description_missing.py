"""Each code says when it occurs, and each metadata field says what it holds."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.places import has_comments
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "description-missing"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds codes and metadata fields without a description.

    For a descriptor set without comments, it checks only fields.
    """
    for catalog, code in tables.codes():
        where = anchor(catalog, code)
        if not code.description and has_comments(catalog):
            yield Found(
                where, "has no description; say when it occurs, in a comment above the value"
            )
        for field in code.metadata_fields:
            if not field.description:
                yield Found(
                    where,
                    f"the metadata field {field.key!r} has no description; say what its value is",
                    f'"{field.key}"',
                )
