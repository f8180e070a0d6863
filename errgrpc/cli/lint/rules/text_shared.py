"""Two codes of a catalogue do not have the same text."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "text-shared"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds each message, and each hint in a locale, that several codes of a catalogue have.

    Case and spaces do not count. Each text is one finding, at the first of its codes.
    """
    shared = dict[tuple[str, str, str], dict[str, tuple[str, str]]]()
    for catalog, code in tables.codes():
        texts = [
            ("message", code.message),
            *((f"hint for {hint.locale}", hint.text) for hint in code.hints),
        ]
        for name, text in texts:
            key = (catalog.full_name, name.lower(), " ".join(text.split()).casefold())
            if text:
                shared.setdefault(key, {}).setdefault(anchor(catalog, code), (name, text))
    for codes in shared.values():
        (where, (name, text)), *others = codes.items()
        if others:
            yield Found(
                where,
                f"shares the {name} {text!r}; say what differs from",
                f'"{text}"',
                also=tuple(other for other, _ in others),
            )
