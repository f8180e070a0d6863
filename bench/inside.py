"""Runs the cases of `in_process`, two ways in turn, and new processes in random order."""

import compileall
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from . import catalogues
from .fresh import WHAT
from .in_process import CASES, Case
from .ratios import Processes, Ratio, middle, ratio
from .runs import Child

__all__ = ["FRESH_BESIDE", "measure", "steps"]

ROOT = Path(__file__).parents[1]
BLOCK = 0.005  # seconds
# Each task of a new process, and the task that it is compared with.
FRESH_BESIDE = {
    "errgrpc imported": "grpc and google.rpc imported",
    "first error": "first error by hand",
    **{
        f"{size:,} codes imported": f"{size:,} members of a plain Enum imported"
        for size in catalogues.SIZES
    },
}
Tick = Callable[[str], object]


def steps(cases: Sequence[Case], processes: int) -> int:
    """Returns how many ticks `measure` makes."""
    return len(cases) + 3 * processes * len(WHAT)


def measure(cases: Sequence[Case], processes: int, rounds: int, tick: Tick) -> dict[str, Any]:
    """Returns medians in seconds by name, and the ratios of those that are compared."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogues.write(folder)
        for case in cases:
            ours, other = _in_turn(CASES.index(case), folder, processes, rounds)
            found[case.name] = {
                "seconds": middle(ours),
                "beside": case.other_name,
                "beside seconds": middle(other),
                "ratio": ratio(ours, other),
            }
            tick(case.name)
        return {"in process": found, "fresh": _fresh(folder, 3 * processes, tick)}


def _in_turn(case: int, folder: Path, processes: int, rounds: int) -> tuple[Processes, Processes]:
    """Returns the seconds of the two ways, in blocks of all processes in random order.

    pyperf runs one way after the other. If other programs run meanwhile, its ratios are wrong by up
    to a factor of ten. Each way has its own processes, as a large catalogue slows the garbage
    collector for both.
    """
    values: dict[str, list[list[float]]] = {"ours": [], "other": []}
    with ExitStack() as closing:
        children: list[tuple[str, list[float], Child]] = []
        for side in [*values] * processes:
            values[side].append([])
            child = Child("bench.in_process", str(case), side, str(folder))
            closing.callback(child.close)
            children.append((side, values[side][-1], child))
        loops = {}
        for side, _, child in children:  # warms up all
            loops[side] = _loops(child)
        for _ in range(rounds):
            for side, seconds, child in random.sample(children, len(children)):
                seconds.append(float(child.ask(str(loops[side]))) / loops[side])
    return values["ours"], values["other"]


def _loops(child: Child) -> int:
    """Returns how many runs fill a block."""
    loops = 1
    while (seconds := float(child.ask(str(loops)))) < BLOCK / 2:
        loops *= 2
    return max(1, round(loops * BLOCK / seconds))


def _fresh(folder: Path, processes: int, tick: Tick) -> dict[str, Any]:
    compileall.compile_dir(str(ROOT / "errgrpc"), quiet=2)  # as an installer does it
    seconds: dict[str, list[list[float]]] = {what: [] for what in WHAT}
    memory: dict[str, list[int]] = {what: [] for what in WHAT}
    for _ in range(processes):
        for what in random.sample(list(WHAT), len(WHAT)):
            command = [sys.executable, "-m", "bench.fresh", what, str(folder)]
            told = json.loads(
                subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
            )
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
