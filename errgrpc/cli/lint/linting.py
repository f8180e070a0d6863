"""Runs all rules, removes the exempted findings, and adds the places of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from errgrpc.cli.lint import exempting
from errgrpc.cli.lint.exempting import Exemption
from errgrpc.cli.lint.findings import Edit, Finding, Found
from errgrpc.cli.lint.rules import RULES, code_not_raised, method_raises_nothing
from errgrpc.cli.lint.shipped import SHIPPED
from errgrpc.cli.places import Place, character, linted_services, places
from errgrpc.cli.settings import FILE, Settings
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog

__all__ = ["lint"]

_OF_METHODS = {method_raises_nothing.id, code_not_raised.id}
_MOST = 5  # names in one message


def lint(
    tables: Tables, texts: Mapping[str, str], settings: Settings | None = None, whole: bool = False
) -> list[Finding]:
    """Returns the findings of all rules, and findings about exemptions, by file and line.

    Args:
        tables: The catalogues and services to lint.
        texts: The texts of the source files, by their names in `tables.files`.
        settings: The settings of pyproject.toml.
        whole: True if the tables are all `catalogues` of the settings. Then an exemption in the
            settings that exempts nothing is a finding.
    """
    tables, settings = _without_imported(tables), settings or Settings()
    known = places(tables)
    lines = {name: text.split("\n") for name, text in texts.items()}
    comments = list(exempting.of_comments(known, lines))
    exemptions = [
        *comments,
        *exempting.of_entries(settings.ignore, FILE, settings.text),
        *exempting.of_entries(SHIPPED),
    ]
    findings, used = list[Finding](), set[Exemption]()
    for rule in RULES:
        for found in rule.check(tables):
            covered = {
                name: [each for each in exemptions if each.covers(rule.id, name)]
                for name in (found.where, *found.also)
            }
            used.update(*covered.values())
            # What several share is no finding if only one of them is not exempted.
            left = [name for name, covering in covered.items() if not covering]
            if len(left) < (2 if found.also else 1):
                continue
            where, *also = left
            place = known[where]
            line, column = _spot(place, found.near, lines.get(place.file, ()))
            message = " ".join(filter(None, (found.message, _listed(also))))
            fix = _fix(known, found, lines)
            findings.append(
                Finding(
                    rule.id,
                    rule.severity,
                    place.file,
                    line,
                    column,
                    where,
                    message,
                    fix,
                    tuple(also),
                )
            )
    # without declarations of methods, these rules find nothing, and their exemptions stay
    if not any(service.declares for service in linted_services(tables)):
        used.update(each for each in exemptions if each.rule in _OF_METHODS)
    asked = {each.file for each in comments} | ({FILE} if whole else set())
    findings += exempting.wrong(exemptions, used, [rule.id for rule in RULES], asked)
    shown = {name: str(path) for name, path in tables.paths.items()}
    return sorted(
        (replace(each, file=shown.get(each.file, each.file)) for each in findings),
        key=lambda each: (each.file, each.line, each.column),
    )


def _listed(names: Sequence[str]) -> str:
    shown = [name.rpartition(".")[2] for name in names[:_MOST]]
    more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    return ", ".join((*shown, *more))


def _without_imported(tables: Tables) -> Tables:
    """Returns the tables without catalogues that the sources only import.

    If the sources name a class and its .proto, it keeps only the .proto.
    """
    imported = {
        file.name for file in tables.files.file if tables.paths and file.name not in tables.paths
    }
    first = dict[str, Catalog]()
    for catalog in tables.catalogs:
        if catalog.file not in imported:
            first.setdefault(catalog.full_name, catalog)
    return replace(tables, catalogs=tuple(first.values()))


def _spot(place: Place, near: str, lines: Sequence[str]) -> tuple[int, int]:
    """Returns line and column of a text in a declaration, or else of the declaration."""
    if place.start is None or place.end is None:
        return 0, 0
    (first, column), last = place.start, place.end[0]
    if last >= len(lines):
        return first + 1, column + 1
    begin = character(lines[first], column)
    for index in range(first, last + 1) if near else ():
        if (found := lines[index].find(near, begin if index == first else 0)) >= 0:
            return index + 1, found + 1
    return first + 1, begin + 1


def _fix(
    known: Mapping[str, Place], found: Found, lines: Mapping[str, Sequence[str]]
) -> Edit | None:
    """Returns the edit that puts `found.adds` at the end of the enum of a code."""
    place = known.get(found.where.rpartition(".")[0])
    if not found.adds or place is None or place.end is None or place.file not in lines:
        return None
    line = next(iter(lines[place.file][place.end[0] :]), "")
    brace = character(line, place.end[1]) - 1
    if line[max(brace, 0) : brace + 1] != "}":  # the text does not match the descriptors
        return None
    before = line[:brace]
    if before.strip():
        return Edit(place.end[0] + 1, brace, f"{found.adds} ")
    return Edit(place.end[0] + 1, 0, f"{before}  {found.adds}\n")
