"""Runs what is measured in one process: the cases of `in_process` by pyperf, and fresh processes in random order."""

import compileall
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pyperf

from . import catalogues
from .fresh import WHAT
from .in_process import CASES, Case
from .ratios import Processes, Ratio, middle, ratio

__all__ = ["FRESH_BESIDE", "measure", "steps"]

ROOT = Path(__file__).parents[2]
# What a fresh process does, and what that is compared with.
FRESH_BESIDE = {
    "errgrpc imported": "grpc and google.rpc imported",
    "first error": "first error by hand",
    **{f"{size:,} codes imported": f"{size:,} members of a plain Enum imported" for size in catalogues.SIZES},
}
Tick = Callable[[str], object]


def steps(cases: Sequence[Case], processes: int) -> int:
    """How many ticks `measure` makes."""
    return 2 * len(cases) + 3 * processes * len(WHAT)


def measure(cases: Sequence[Case], processes: int, values: int, tick: Tick) -> dict[str, Any]:
    """Everything, by name: medians in seconds, and ratios to what each is compared with."""
    with _catalogues() as folder:
        timed = _pyperf(folder, cases, processes, values, tick)
        found: dict[str, Any] = {"in process": {}}
        for case in cases:
            ours, other = timed[case.name], timed[f"{case.name} / {case.other_name}"]
            found["in process"][case.name] = _beside(ours, other, case.other_name)
        found["fresh"] = _fresh(folder, 3 * processes, tick)
    return found


def _beside(ours: Processes, other: Processes, name: str) -> dict[str, Any]:
    return {"seconds": middle(ours), "beside": name, "beside seconds": middle(other), "ratio": ratio(ours, other)}


@contextmanager
def _catalogues() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        catalogues.write(Path(folder))
        yield Path(folder)


def _pyperf(folder: Path, cases: Sequence[Case], processes: int, values: int, tick: Tick) -> dict[str, Processes]:
    out = folder / "pyperf.json"
    chosen = ",".join(str(CASES.index(case)) for case in cases)
    command = ["-m", "tests.bench.in_process", str(folder), chosen, "-o", str(out), f"-p{processes}", f"-n{values}", "--quiet"]
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if " +- " in line:  # one is done
                tick(line.split(": Mean")[0])
    if running.returncode:
        raise RuntimeError(f"{command} ended with {running.returncode}")
    suite = pyperf.BenchmarkSuite.load(str(out))
    return {bench.get_name(): [run.values for run in bench.get_runs() if run.values] for bench in suite.get_benchmarks()}


def _fresh(folder: Path, processes: int, tick: Tick) -> dict[str, Any]:
    compileall.compile_dir(str(ROOT / "errgrpc"), quiet=2)  # as an installer does it
    seconds: dict[str, list[list[float]]] = {what: [] for what in WHAT}
    memory: dict[str, list[int]] = {what: [] for what in WHAT}
    for _ in range(processes):
        for what in random.sample(list(WHAT), len(WHAT)):
            command = [sys.executable, "-m", "tests.bench.fresh", what, str(folder)]
            told = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
            seconds[what].append([told["seconds"]])
            memory[what].append(told["bytes"])
            tick(what)
    found = {}
    for what in WHAT:
        other = FRESH_BESIDE.get(what)
        entry: dict[str, Any] = {"seconds": middle(seconds[what]), "bytes": median(memory[what])}
        entry["seconds interval"] = _interval(seconds[what])
        if other is not None:
            entry |= {"beside": other, "ratio": ratio(seconds[what], seconds[other])}
        found[what] = entry
    return found


def _interval(values: Processes) -> tuple[float, float]:
    found: Ratio = ratio(values, [[1.0]])
    return found.low, found.high
