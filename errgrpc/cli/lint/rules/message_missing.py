"""Each code has a message, which developers read in logs and in `grpc-message`."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "message-missing"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds codes without a message."""
    for catalog, code in tables.codes():
        if not code.message.strip():
            yield Found(
                anchor(catalog, code),
                "has no message; say in English what went wrong, for developers",
            )
