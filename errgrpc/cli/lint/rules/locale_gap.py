"""A code with hints has one for each locale of its catalogue, under each condition."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog

__all__ = ["check", "id", "severity"]

id = "locale-gap"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds codes without a hint in a locale of the catalogue.

    If the catalogue declares no `locales`, the locales of all hints count.
    """
    for catalog in tables.catalogs:
        wanted = _locales(catalog)
        for code in catalog.codes:
            conditions = dict[tuple[tuple[str, str], ...], set[str]]()
            for hint in code.hints:
                conditions.setdefault(hint.when, set()).add(hint.locale.lower())
            plain = conditions.get((), set())
            for when, had in conditions.items():
                # Under a condition, the code needs only the locales of its plain hints.
                if lacking := [
                    locale
                    for lower, locale in wanted.items()
                    if lower not in had and (not when or lower in plain)
                ]:
                    given = f" when {dict(when)}" if when else ""
                    yield Found(
                        anchor(catalog, code),
                        f"has no hint for {', '.join(lacking)}{given}; add it, or remove all hints",
                        "hints",
                    )


def _locales(catalog: Catalog) -> dict[str, str]:
    """Returns the locales of a catalogue by their lower case, because case does not count."""
    named = [*catalog.locales, *((catalog.default_locale,) if catalog.default_locale else ())]
    used = () if catalog.locales else (hint.locale for code in catalog.codes for hint in code.hints)
    found = dict[str, str]()
    for locale in (*named, *used):
        found.setdefault(locale.lower(), locale)
    return found
