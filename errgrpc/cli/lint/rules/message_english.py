"""Messages are in English: they are for developers, whatever the language of the user (AIP-193)."""

import unicodedata
from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "message-english"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages with letters of another script than the Latin one."""
    for catalog, code in tables.codes():
        if other := "".join(
            c
            for c in code.message
            if c.isalpha() and not unicodedata.name(c, "").startswith("LATIN")
        ):
            yield Found(
                anchor(catalog, code),
                f"the message {code.message!r} has letters of another script ({other[:5]}); say it in English, and to users by a hint",
                f'"{code.message}"',
            )
