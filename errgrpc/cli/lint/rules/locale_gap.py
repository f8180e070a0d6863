"""A code with hints has one for each locale of its catalogue, under each condition."""

from collections import Counter
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

    If the catalogue declares no `locales`, a locale counts if more than half of the codes with
    hints have it.
    """
    for catalog in tables.catalogs:
        spelled, counting = _locales(catalog)
        for code in catalog.codes:
            conditions = dict[tuple[tuple[str, str], ...], set[str]]()
            for hint in code.hints:
                conditions.setdefault(hint.when, set()).add(hint.locale.lower())
            plain = conditions.get((), set())
            for when, had in conditions.items():
                # Under a condition, the code needs only the locales of its plain hints.
                if lacking := [
                    locale
                    for lower, locale in spelled.items()
                    if lower not in had and lower in (plain if when else counting)
                ]:
                    given = f" when {dict(when)}" if when else ""
                    yield Found(
                        anchor(catalog, code),
                        f"has no hint for {', '.join(lacking)}{given}; add it, or remove all hints",
                        "hints",
                    )


def _locales(catalog: Catalog) -> tuple[dict[str, str], set[str]]:
    """Returns the locales of a catalogue by their lower case, and which of them count.

    Two locales are the same if they differ only in case. A locale of few codes is a translation
    that has only begun.
    """
    named = [*catalog.locales, *((catalog.default_locale,) if catalog.default_locale else ())]
    hinted = [code.hints for code in catalog.codes if code.hints]
    used = () if catalog.locales else (hint.locale for hints in hinted for hint in hints)
    spelled = dict[str, str]()
    for locale in (*named, *used):
        spelled.setdefault(locale.lower(), locale)
    having = Counter(lower for hints in hinted for lower in {hint.locale.lower() for hint in hints})
    counting = {lower for lower in spelled if having[lower] * 2 > len(hinted)}
    return spelled, counting | {locale.lower() for locale in named}
