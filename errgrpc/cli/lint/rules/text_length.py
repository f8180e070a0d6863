"""Messages and hints are short enough for a log line or a notice on a small screen."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "text-length"
severity: Severity = "warning"
_MOST = 200  # characters


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages and hints that are too long."""
    for catalog, code in tables.codes():
        texts = [
            ("message", code.message),
            *((f"hint for {hint.locale}", hint.text) for hint in code.hints),
        ]
        for name, text in texts:
            if len(text) > _MOST:
                yield Found(
                    anchor(catalog, code),
                    f"the {name} has {len(text)} characters, more than {_MOST}; "
                    "shorten it, the description may be long",
                    f'"{text}"',
                )
