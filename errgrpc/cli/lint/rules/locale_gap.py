"""Each code that has hints has one in each locale of its catalogue, under each condition."""

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
    """Finds codes whose hints lack a locale that counts."""
    for catalog in tables.catalogs:
        spelled, counting = _locales(catalog)
        for code in catalog.codes:
            conditions = dict[tuple[tuple[str, str], ...], set[str]]()
            for hint in code.hints:
                conditions.setdefault(hint.when, set()).add(hint.locale.lower())
            plain = conditions.get((), set())
            for when, had in conditions.items():
                # A condition may replace the texts of some errors only; the locales of that code must be there all the same.
                if lacking := [
                    locale
                    for lower, locale in spelled.items()
                    if lower not in had and lower in (plain if when else counting)
                ]:
                    given = f" when {dict(when)}" if when else ""
                    yield Found(
                        anchor(catalog, code),
                        f"has no hint for {', '.join(lacking)}{given}; add it, or remove all",
                        "hints",
                    )


def _locales(catalog: Catalog) -> tuple[dict[str, str], set[str]]:
    """The locales of a catalogue by their lower case, and the lower case of those that count.

    The named ones count. If `locales` names none, a locale of more than half of the codes with hints
    counts as well: a translation of fewer has only begun.
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
