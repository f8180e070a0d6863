"""Measures what errgrpc costs, compared with bare gRPC and with other ways, in one run.

- `python -m bench`: all, in about 20 minutes of a quiet machine.
- `python -m bench --quick`: all once, to see that it runs; about two minutes.
- `python -m bench --in-process`: only the cases of one process.
- `python -m bench --render`: only tables and pictures, from docs/performance.json.

A complete run writes docs/performance.json, its tables and its pictures. A partial run writes into
build/bench/. Missed targets are printed; the exit code is 0 unless an error occurs.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import inside, plots, report, runs
from .contenders import CONTENDERS
from .in_process import CASES
from .results import Results, calls, machine, rounded
from .works import FIRST, WORKS

ROOT = Path(__file__).parents[1]
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "bench"
BLOCK = 0.05  # seconds: short, so that disturbances of the machine affect all contenders equally


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Returns the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few processes and short blocks: the figures mean little",
    )
    parser.add_argument("--in-process", action="store_true", help="no calls")
    parser.add_argument("--calls", action="store_true", help="only calls")
    parser.add_argument("--stacks", nargs="+", choices=("sync", "aio"), default=["sync", "aio"])
    parser.add_argument(
        "--works",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="calls and cases whose names contain one of these",
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="null and those whose names contain one of these",
    )
    parser.add_argument(
        "--seconds", type=float, help="for each kind of call, over all contenders; by default 20"
    )
    parser.add_argument(
        "--processes", type=int, help="pairs of processes of each contender; by default 6"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing")
    given = parser.parse_args(arguments)
    known: dict[str, Any] = {"works": (*WORKS, *CASES), "contenders": CONTENDERS}
    for option, items in known.items():
        if unknown := [
            text for text in getattr(given, option) if not any(text in item.name for item in items)
        ]:
            parser.error(
                f"--{option} {unknown[0]!r}: no name contains it; "
                f"there are {'; '.join(item.name for item in items)}"
            )
    given.part = (
        given.quick
        or given.in_process
        or given.calls
        or len(given.stacks) < 2
        or bool(given.works or given.contenders)
    )
    given.part = given.part or given.seconds is not None or given.processes is not None
    given.seconds = given.seconds or (1 if given.quick else 20)
    given.processes = given.processes or (1 if given.quick else 6)
    return given


def _chosen(items: Any, texts: list[str], *always: str) -> list[Any]:
    return [
        item
        for item in items
        if not texts or item.name in always or any(text in item.name for text in texts)
    ]


def measure(given: argparse.Namespace, progress: Progress) -> Results:
    """Measures everything that was requested."""
    results: Results = {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "machine": machine(),
    }
    start = time.monotonic()
    cases = [] if given.calls else _chosen(CASES, given.works)
    if cases:
        processes, rounds = (1, 5) if given.quick else (5, 10)
        task = progress.add_task("in process", total=inside.steps(cases, processes))

        def done(what: str) -> None:
            progress.update(task, advance=1, description=what)

        results |= inside.measure(cases, processes, rounds, done)
    if not given.in_process:
        results["calls"] = {stack: _calls(given, stack, progress) for stack in given.stacks}
    results["took"] = time.monotonic() - start
    return dict(rounded(results))


def _calls(given: argparse.Namespace, stack: str, progress: Progress) -> Results:
    works, contenders = (
        _chosen(WORKS, given.works),
        _chosen(CONTENDERS, given.contenders, "null", "null again"),
    )
    task = progress.add_task(f"{stack}: processes start", total=len(contenders) * given.processes)
    found = {}
    with runs.started(contenders, stack, given.processes, lambda: progress.advance(task)) as pairs:
        found[FIRST.name] = calls(runs.first(pairs, lambda: None))
        task = progress.add_task(stack, total=len(works))
        for number, work in enumerate(works):
            progress.update(task, completed=number, description=f"{stack}: {work.name}")
            blocks = runs.measure(
                pairs,
                work,
                BLOCK,
                given.seconds,
                1 if given.quick else 3,
                lambda part: progress.advance(task, part),
            )
            found[work.name] = calls(blocks)
        progress.update(task, completed=len(works), description=stack)
    return found


def write(results: Results, folder: Path) -> None:
    """Writes the figures and pictures, and in docs/ the tables of the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "performance.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    plots.draw(results, folder)
    if folder == DOCS:
        report.write(DOCS, results)


def main() -> int:
    """Runs the measurement. Returns 0 whether or not the targets are met."""
    given, console = parsed(), Console(width=None if sys.stdout.isatty() else 200)
    if given.render:
        write(json.loads((DOCS / "performance.json").read_text("utf-8")), DOCS)
        return 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        results = measure(given, progress)
    folder = BUILD if given.part else DOCS
    write(results, folder)
    for name, table in report.tables(results).items():
        if name not in ("contenders", "short") and (name != "not-met" or not given.quick):
            console.print(report.rich_table(table))
    console.print(f"{results['took'] / 60:.1f} min; written into {folder.relative_to(ROOT)}/")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
