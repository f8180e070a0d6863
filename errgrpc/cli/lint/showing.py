"""Loads what is to be linted, mends it if asked to, and prints the findings."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from errgrpc.cli import settings
from errgrpc.cli import tables as sources
from errgrpc.cli.annotations import Annotation, Rule, github, sarif
from errgrpc.cli.lint import baseline, exempting
from errgrpc.cli.lint.findings import Edit, Finding, Severity
from errgrpc.cli.lint.fixing import applied
from errgrpc.cli.lint.linting import lint
from errgrpc.cli.lint.rules import RULES
from errgrpc.cli.output import (
    Exit,
    Misuse,
    console,
    errors,
    print_json,
    print_line,
    safe,
    styled,
)
from errgrpc.cli.places import linted_services
from errgrpc.cli.tables import Tables

__all__ = ["Counting", "as_json", "as_text", "show"]


@dataclass(frozen=True, slots=True)
class Counting:
    """The options that say which findings count."""

    fail_on: Severity = "warning"
    """The least severity for which the command exits with 1."""
    baseline: Path | None = None
    """The file of the findings that do not count."""
    write: Path | None = None
    """The file for all findings. With it, the command prints none."""


def show(
    named: Sequence[str], includes: Sequence[str], form: str, fix: bool, counting: Counting
) -> Exit:
    """Prints the findings of the named sources, or else of those in pyproject.toml.

    Returns 1 if a finding counts. Raises Misuse.
    """
    known = settings.read()
    whole = not named and bool(known.catalogues)
    compared = None if counting.write else counting.baseline
    old = baseline.read(compared) if compared else baseline.Known()

    def found() -> tuple[Tables, list[Finding]]:
        tables = sources.load(named, includes)
        texts = {name: _read(path) for name, path in tables.paths.items()}
        return tables, lint(tables, texts, known, whole)

    tables, findings = found()
    if fix and (mended := _mend(tables, findings)):
        errors().print(f"{mended} mended")
        tables, findings = found()
    if counting.write:
        baseline.write(counting.write, findings)
        errors().print(safe(f"{_summary(findings)}; written to {counting.write}"))
        return Exit.FINE
    findings, gone = baseline.new(findings, old)
    _print(findings, form)
    if form in ("text", "github") and findings:
        mendable = sum(finding.fix is not None for finding in findings)
        errors().print(_summary(findings) + (f"; --fix mends {mendable}" if mendable else ""))
    for rule, name in sorted(_within(tables, gone) if named else gone):
        errors().print(
            safe(f"{counting.baseline}: {name}: no longer found, remove it from {rule!r}")
        )
    fails = counting.fail_on == "warning" or any(each.severity == "error" for each in findings)
    return Exit.FINDINGS if findings and fails else Exit.FINE


def _print(findings: Sequence[Finding], form: str) -> None:
    if form == "text":
        for finding in findings:
            line = " ".join(as_text(finding).splitlines())
            if console().is_terminal:
                console().print(_coloured(finding, line), soft_wrap=True)
            else:
                print_line(line)
    elif form == "github":
        for finding in findings:
            print_line(github(_annotation(finding)))
    else:
        print_json(
            [as_json(finding) for finding in findings]
            if form == "json"
            else sarif([_annotation(each) for each in findings], _rules())
        )


def _coloured(finding: Finding, line: str) -> Text:
    text = styled(line)
    place = line.partition(": ")[0]
    text.stylize("bold", 0, len(place))
    start = len(place) + 2
    colour = "bold red" if finding.severity == "error" else "bold yellow"
    text.stylize(colour, start, start + len(finding.severity))
    text.stylize("cyan", len(line) - len(finding.rule) - 2)
    return text


def _summary(findings: Sequence[Finding]) -> str:
    """`3 found: 2 text-shared, 1 message-missing`."""
    by_rule = Counter(finding.rule for finding in findings).most_common()
    return f"{len(findings)} found" + (
        ": " + ", ".join(f"{count} {rule}" for rule, count in by_rule) if by_rule else ""
    )


def _within(tables: Tables, known: baseline.Known) -> list[tuple[str, str]]:
    """What is known of the catalogues and the services of these sources: others are not linted."""
    scopes = [catalog.full_name for catalog in tables.catalogs]
    scopes += [service.full_name for service in linted_services(tables)]
    return [
        (rule, name)
        for rule, name in known
        if any(f"{name}.".startswith(f"{scope}.") for scope in scopes)
    ]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from error


def _mend(tables: Tables, findings: Sequence[Finding]) -> int:
    """Applies the fixes of findings, and says how many there were."""
    edits = defaultdict[str, list[Edit]](list)
    for finding in findings:
        if finding.fix is not None:
            edits[finding.file].append(finding.fix)
    for path in tables.paths.values():
        if str(path) in edits:
            text = applied(_read(path), edits[str(path)])
            try:
                path.write_bytes(text.encode())
            except OSError as error:
                raise Misuse(f"{path} cannot be written: {error}") from error
    return sum(map(len, edits.values()))


def as_text(finding: Finding) -> str:
    """Returns `file:line:column: severity: name: what is wrong [rule]`.

    Line and column are there only if they are known.
    """
    place = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
    return f"{place}: {finding.severity}: {finding.where}: {finding.message} [{finding.rule}]"


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON object; line and column are null where they are not known."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "file": finding.file,
        "line": finding.line or None,
        "column": finding.column or None,
        "where": finding.where,
        "also": list(finding.also),
        "message": finding.message,
        "fixable": finding.fix is not None,
    }


def _rules() -> dict[str, Rule]:
    purposes: dict[str, tuple[str, Severity]] = {
        rule.id: (str(rule.__doc__), rule.severity) for rule in RULES
    }
    purposes[exempting.ID] = exempting.PURPOSE, exempting.SEVERITY
    return {
        id_: Rule(text, level, f"docs/lint.md#{id_}") for id_, (text, level) in purposes.items()
    }


def _annotation(finding: Finding) -> Annotation:
    return Annotation(
        finding.rule,
        finding.severity,
        finding.where,
        finding.message,
        Path(finding.file).as_posix() if finding.line else "",
        finding.line,
        finding.column,
    )
