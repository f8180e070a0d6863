"""Two codes of a catalogue do not have the same text."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "text-shared"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds messages and hints that an earlier code of the catalogue has, in the same locale.

    Case and spaces do not count.
    """
    first = dict[tuple[str, str, str], str]()
    for catalog, code in tables.codes():
        texts = [
            ("message", code.message),
            *((f"hint for {hint.locale}", hint.text) for hint in code.hints),
        ]
        for name, text in texts:
            key = (catalog.full_name, name.lower(), " ".join(text.split()).casefold())
            if text and (other := first.setdefault(key, code.reason)) != code.reason:
                yield Found(
                    anchor(catalog, code),
                    f"the {name} {text!r} is the same as for {other}; say what differs",
                    f'"{text}"',
                )
