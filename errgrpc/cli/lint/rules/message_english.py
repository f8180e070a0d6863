"""Messages are in English, because they are for developers (AIP-193)."""

import unicodedata
from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "message-english"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages with letters that are not Latin."""
    for catalog, code in tables.codes():
        if other := "".join(
            c
            for c in code.message
            if c.isalpha() and not unicodedata.name(c, "").startswith("LATIN")
        ):
            yield Found(
                anchor(catalog, code),
                f"the message {code.message!r} has letters that are not Latin ({other[:5]}); "
                "write it in English, and put the user's text into a hint",
                f'"{code.message}"',
            )
