"""The tables, on the screen and in the pages docs/performance.md and docs/performance-tables.md."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Table as RichTable

from .contenders import CONTENDERS, NULL
from .results import Results
from .targets import Line, judged, shown, summary

__all__ = ["PAGES", "Table", "rendered", "rich_table", "tables", "write"]

PAGES = ("performance.md", "performance-tables.md")
_SHORT = ("success", "error", "error with metadata", "error with ten violations")
_SHORT_CONTENDERS = (
    "null again",
    "errgrpc, interceptors",
    "errgrpc, wrapped channel",
    "grpcio-status by hand",
)

_PART = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Table(NamedTuple):
    """Rows of text under a head."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(results: Results) -> dict[str, Table]:
    """Returns the tables for which the results have figures, by name."""
    found = {"contenders": _contenders()}
    if "machine" in results:
        found["machine"] = _machine(results)
    if "calls" in results:
        found["short"] = _short(results["calls"])
    for stack, works in results.get("calls", {}).items():
        found[f"{stack}-wall"] = _calls(f"{stack}: time of a call, to null", works, "wall")
        found[f"{stack}-cpu"] = _calls(
            f"{stack}: processor time of client and server, to null", works, "cpu"
        )
    if "in process" in results:
        found["in-process"] = _in_process(results["in process"])
    if "fresh" in results:
        found["fresh"] = _fresh(results["fresh"])
    if "stages" in results:
        found["stages"] = _stages(results["stages"])
    lines = judged(results)
    if lines:
        found["targets"] = _targets(lines)
        found["not-met"] = _not_met(lines)
    return found


def _machine(results: Results) -> Table:
    machine = results["machine"]
    rows = [
        ("processor", f"{machine['processor']}, {machine['cores']} cores"),
        ("system", machine["system"]),
    ]
    rows += [
        ("load before", str(machine["load before"])),
        ("command", results["command"]),
        ("took", f"{results['took'] / 60:.0f} min"),
    ]
    return Table("Measured on", ("", ""), [*rows, *machine["versions"].items()])


def _contenders() -> Table:
    return Table(
        "Contenders",
        ("contender", "what it is"),
        [(contender.name, contender.note) for contender in CONTENDERS],
    )


def _calls(title: str, works: Results, measure: str) -> Table:
    names = [
        contender.name
        for contender in CONTENDERS
        if contender.name != NULL and any(contender.name in found for found in works.values())
    ]
    rows = []
    for work, found in works.items():
        base = f"{found[NULL][measure] * 1e6:,.0f}" if NULL in found else ""
        rows.append(
            (work, base, *(_ratio(found.get(name, {}).get(f"{measure} ratio")) for name in names))
        )
    return Table(title, ("", "null, µs", *names), rows)


def _short(calls: Results) -> Table:
    rows = []
    for stack, works in calls.items():
        for work in _SHORT:
            found = works.get(work, {})
            if NULL not in found:
                continue
            ratios = (found.get(name, {}).get("wall ratio") for name in _SHORT_CONTENDERS)
            base = f"{found[NULL]['wall'] * 1e6:,.0f}"
            rows.append((f"{stack}, {work}", base, *map(_ratio, ratios)))
    return Table("In short: time of a call, to null", ("", "null, µs", *_SHORT_CONTENDERS), rows)


def _ratio(found: list[float] | None) -> str:
    if found is None:
        return ""
    value, low, high = found
    return f"{value:.3f} ±{max(high - value, value - low):.3f}"


def _in_process(cases: Results) -> Table:
    rows = []
    for name, case in cases.items():
        value, low, high = case["ratio"]
        times = f"{1 / value:.2f} ({1 / high:.2f} to {1 / low:.2f})"
        rows.append(
            (name, _time(case["seconds"]), case["beside"], _time(case["beside seconds"]), times)
        )
    return Table("In one process", ("", "errgrpc", "compared with", "takes", "times as fast"), rows)


def _fresh(fresh: Results) -> Table:
    rows = []
    for name, found in fresh.items():
        low, high = found["seconds interval"]
        beside = f"{found['ratio'][0]:.2f} of {found['beside']}" if "ratio" in found else ""
        rows.append(
            (
                name,
                _time(found["seconds"]),
                f"{_time(low)} to {_time(high)}",
                f"{found['bytes'] / 1e6:.2f} MB",
                beside,
            )
        )
    return Table("In a fresh process", ("", "takes", "interval", "memory", ""), rows)


def _stages(stages: Results) -> Table:
    names = list(dict.fromkeys(name for found in stages.values() for name in found))
    rows = [
        (what, *(f"{found[name] * 1e6:.1f}" if name in found else "" for name in names))
        for what, found in stages.items()
    ]
    return Table("Microseconds of a failed call", ("", *names), rows)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _targets(lines: list[Line]) -> Table:
    rows = []
    for target, own in summary(lines):
        worst = own[0]
        verdicts = [line.verdict for line in own]
        counted = ", ".join(
            f"{verdicts.count(verdict)} {verdict}"
            for verdict in ("met", "within noise", "missed")
            if verdict in verdicts
        )
        bound = f"{'at least' if target.more else 'at most'} {target.bound:g} {target.unit}".strip()
        where = worst.what if len(own) > 1 else ""
        rows.append(
            (
                target.name,
                bound,
                f"{worst.ratio.value:.3g}",
                where,
                worst.noise,
                counted if len(own) > 1 else verdicts[0],
            )
        )
    return Table(
        "Targets", ("what", "target", "measured (worst)", "where", "noise there", "verdict"), rows
    )


def _not_met(lines: list[Line]) -> Table:
    rows = [
        (
            line.target.name,
            line.what,
            f"{line.target.bound:g}",
            shown(line.ratio),
            line.noise,
            line.verdict,
        )
        for line in lines
        if line.verdict != "met"
    ]
    return Table("Not met", ("what", "where", "target", "measured", "noise", "verdict"), rows)


def rich_table(table: Table) -> RichTable:
    """Returns a table for the screen."""
    shown = RichTable(title=table.title, title_justify="left")
    for index, name in enumerate(table.head):
        shown.add_column(name, justify="right" if index and "to null" in table.title else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    yield "|" + "---|" * len(table.head)
    yield from (f"| {' | '.join(row)} |" for row in table.rows)


def rendered(page: str, results: Results) -> str:
    """Returns the page with the tables between its markers rebuilt."""
    made = tables(results)

    def table(name: str) -> str:
        return "\n".join(_markdown(made[name])) if name in made else "Not measured yet."

    return _PART.sub(lambda found: f"{found[1]}\n{table(found[2])}\n\n{found[3]}", page)


def write(docs: Path, results: Results) -> None:
    """Renders the tables of both pages in `docs`."""
    for name in PAGES:
        page = docs / name
        page.write_text(rendered(page.read_text("utf-8"), results), "utf-8")
