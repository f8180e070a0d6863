"""Reasons, names of values and metadata keys have the format that AIP-193 and buf require."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codes import MAX_REASON, REASON
from errgrpc.specs import wrong_key

__all__ = ["check", "id", "severity"]

id = "name-format"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds wrong reasons, values without the prefix of their enum, and wrong metadata keys."""
    for catalog, code in tables.codes():
        where = anchor(catalog, code)
        if not REASON.fullmatch(code.reason) or len(code.reason) > MAX_REASON:
            yield Found(
                where,
                f"the reason {code.reason!r} does not match {REASON.pattern} "
                f"with at most {MAX_REASON} characters; rename it",
            )
        if catalog.prefix and not code.has_prefix:
            yield Found(
                where,
                f"the value {code.name!r} does not begin with {catalog.prefix}; "
                "rename it, its reason stays the same",
            )
        for field in code.metadata_fields:
            if (wrong := wrong_key(field.key)) is not None:
                yield Found(
                    where,
                    f"the metadata key {field.key!r} is not accepted: {wrong}",
                    f'"{field.key}"',
                )
