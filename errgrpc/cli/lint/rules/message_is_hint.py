"""A message differs from the hints: it tells developers what went wrong."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "message-is-hint"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages that are a hint of the same code. Spaces and the final mark do not count."""
    for catalog, code in tables.codes():
        for hint in code.hints if code.grpc_status else ():  # a success has nothing to explain
            if code.message and _plain(hint.text) == _plain(code.message):
                yield Found(
                    anchor(catalog, code),
                    f"the message {code.message!r} is the hint for {hint.locale}; "
                    "tell developers what went wrong, and users what to do",
                    f'"{code.message}"',
                )
                break


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!")
