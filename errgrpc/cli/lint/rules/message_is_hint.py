"""A message says to developers what went wrong, a hint to users what to do: they are two texts."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "message-is-hint"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages that are a hint of the same error, letter for letter but for spaces and the mark at the end."""
    for catalog, code in tables.codes():
        for hint in code.hints if code.grpc_status else ():  # a success has nothing to explain
            if code.message and _plain(hint.text) == _plain(code.message):
                yield Found(
                    anchor(catalog, code),
                    f"the message {code.message!r} is the hint for {hint.locale}; say to developers what went wrong, to users what to do",
                    f'"{code.message}"',
                )
                break


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!")
