"""Runs hypothesis and atheris on all code that reads bytes of peers.

`python -m reliability.fuzz.run --inputs 1000000` counts inputs, crashes and slow inputs, and shows
its progress. It writes docs/reliability-fuzz.json, and fails after a crash or a slow input.

The library atheris (Python 3.11 or 3.13) is optional: without it, hypothesis runs its share, too.
`--save` writes a minimized corpus of atheris beside this file, where the tests run it.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from . import meter, strategies, targets
from .atheris_main import RESULT

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
WORK = ROOT / "build" / "fuzz"
LINES = WORK / "results.jsonl"
LONGEST = 4_096
"""The most bytes of an input. atheris starts with the shortest inputs."""

# Percent of all inputs. hypothesis on nested values takes most of the time.
SHARES = {
    ("atheris", "reader"): 32,
    ("atheris", "accept_language"): 38,
    ("atheris", "pasted"): 1,
    ("hypothesis", "reader"): 9,
    ("hypothesis", "accept_language"): 9,
    ("hypothesis", "budget"): 3,
    ("hypothesis", "http"): 1,
    ("hypothesis", "pasted"): 1,
    ("hypothesis", "codegen"): 5,
    ("hypothesis", "decision"): 1,
}
LONGEST_CHUNK = 900
"""Seconds, far more than a chunk takes: a chunk that has not ended by then hangs."""
CHUNKS = {"atheris": 25_000, "hypothesis": 2_500}


@dataclass(frozen=True)
class Chunk:
    """A number of inputs from one seed, for one process."""

    tool: str
    target: str
    inputs: int
    seed: int


def main() -> int:
    """Runs everything and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--output",
        type=Path,
        help="by default docs/reliability-fuzz.json, below a million inputs in build/",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run of the same arguments that was stopped",
    )
    parser.add_argument(
        "--save", action="store_true", help="keep a minimized corpus of what atheris found"
    )
    options = parser.parse_args()
    output: Path = (
        options.output
        or ROOT / ("docs" if options.inputs >= 1_000_000 else "build") / "reliability-fuzz.json"
    )

    shares = dict(SHARES)
    if util.find_spec("atheris") is None:
        print("atheris is not installed: hypothesis has its share")
        for tool, target in SHARES:
            if tool == "atheris":
                shares["hypothesis", target] += shares.pop((tool, target))
    if not options.resume:
        shutil.rmtree(WORK, ignore_errors=True)
    for target in targets.CHECKS:
        (WORK / target).mkdir(parents=True, exist_ok=True)
    found, seconds = _run(
        list(_chunks(shares, options.inputs, options.seed)), options.inputs, options.jobs
    )
    report = _report(found, shares, options, seconds)
    output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if options.save and ("atheris", "reader") in shares:
        _save()
    total = report["total"]
    print(
        f"{total['inputs']} inputs, {total['crashes']} crashes, {total['slow']} slow, "
        f"{report['seconds']} s: {output}"
    )
    return 1 if total["crashes"] or total["slow"] or total["inputs"] < options.inputs else 0


def _chunks(shares: dict[tuple[str, str], int], inputs: int, first: int) -> Iterator[Chunk]:
    """Yields all chunks, in turn over the targets: a run that stops early has tested them all."""
    lists = []
    for (tool, target), share in shares.items():
        left, size = -(-inputs * share // 100), CHUNKS[tool]
        lists.append(
            [Chunk(tool, target, min(size, left - at), first + at) for at in range(0, left, size)]
        )
    for turn in range(max(map(len, lists))):
        yield from (chunks[turn] for chunks in lists if turn < len(chunks))


def _run(
    chunks: list[Chunk], inputs: int, jobs: int
) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], float]:
    """Returns the results of all chunks, and the seconds that they took.

    If the run is stopped, the results so far have been written.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    before, done, crashes = 0.0, 0, 0
    finished: set[Chunk] = set()

    def add(chunk: Chunk, result: dict[str, Any]) -> None:
        nonlocal done, crashes
        finished.add(chunk)
        found.setdefault((chunk.tool, chunk.target), []).append(result)
        done += result["inputs"]
        crashes += len(result["crashes"])

    if LINES.exists():
        for line in LINES.read_text("utf-8").splitlines():
            chunk, result, before = json.loads(line)
            add(Chunk(**chunk), result)
    todo = [chunk for chunk in chunks if chunk not in finished]
    start = time.monotonic() - before
    # Each process ends after 20 chunks, as hypothesis keeps some memory of each.
    with (
        get_context("spawn").Pool(jobs, maxtasksperchild=20) as pool,
        LINES.open("a", encoding="utf-8") as lines,
    ):
        results = pool.imap_unordered(run_chunk, todo)
        for _ in todo:
            chunk, result = results.next(2 * LONGEST_CHUNK)
            add(chunk, result)
            seconds = time.monotonic() - start
            lines.write(json.dumps([asdict(chunk), result, seconds]) + "\n")
            lines.flush()
            for crash in result["crashes"]:
                print(f"{chunk}: {crash[-1_500:]}", file=sys.stderr, flush=True)
            print(
                f"{done:>9,} of {inputs:,} inputs, {crashes} crashes, {done / seconds:,.0f} a "
                "second",
                flush=True,
            )
    return found, time.monotonic() - start


def run_chunk(chunk: Chunk) -> tuple[Chunk, dict[str, Any]]:
    """Returns a chunk and its result. Errors of the code under test are never raised."""
    return chunk, _atheris(chunk) if chunk.tool == "atheris" else _hypothesis(chunk)


def _hypothesis(chunk: Chunk) -> dict[str, Any]:
    logging.disable()
    check, inputs = strategies.STRATEGIES[chunk.target]
    measured = meter.Meter(check)
    crashes: list[str] = []

    @seed(chunk.seed)
    @settings(
        database=None,
        deadline=None,
        max_examples=chunk.inputs,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
    @given(inputs)
    def one(given: tuple[Any, ...]) -> None:
        measured(*given)

    left = chunk.inputs
    while left > 0 and not crashes:  # hypothesis may run fewer inputs than requested
        before = measured.result()["inputs"]
        try:
            one()
        except Exception:  # noqa: BLE001  whatever a check raises is a crash
            crashes.append(traceback.format_exc()[-4_000:])
        left -= max(1, measured.result()["inputs"] - before)
    return {**measured.result(), "crashes": crashes}


def _atheris(chunk: Chunk) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        command = [
            *(
                sys.executable,
                "-m",
                f"{__package__}.{chunk.target}",
                str(WORK / chunk.target),
                str(CORPUS / chunk.target),
            ),
            *(
                f"-atheris_runs={chunk.inputs}",
                f"-seed={chunk.seed}",
                f"-max_len={LONGEST}",
                "-reload=0",
                "-timeout=1800",
            ),
            *(
                "-rss_limit_mb=2048",
                "-len_control=20",
                f"-artifact_prefix={WORK}/",
                "-print_final_stats=0",
            ),
        ]
        # This process finds a hang, and not libFuzzer. The timer of libFuzzer would kill Python
        # while the interpreter ends.
        environment = {**os.environ, RESULT: str(path)}
        failure: str | int
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                timeout=LONGEST_CHUNK,
                check=False,
            )  # noqa: S603
        except subprocess.TimeoutExpired as error:
            failure = f"no end within {error.timeout} s"
        else:
            failure = (
                done.returncode
                and f"exit status {done.returncode}: "
                f"{done.stderr.decode(errors='replace')[-4_000:]}"
            )
        result: dict[str, Any] = (
            json.loads(path.read_text("utf-8"))
            if path.exists()
            else meter.Meter(lambda: None).result()
        )
    return {**result, "crashes": [str(failure)] if failure else []}


def _report(
    found: dict[tuple[str, str], list[dict[str, Any]]],
    shares: dict[tuple[str, str], int],
    options: argparse.Namespace,
    seconds: float,
) -> dict[str, Any]:
    parts = []
    for tool, target in shares:
        results = found.get((tool, target), [])
        medians = sorted(result["median_ms"] for result in results)
        part: dict[str, Any] = {
            "tool": tool,
            "target": target,
            "inputs": sum(result["inputs"] for result in results),
        }
        part["median_ms"] = medians[len(medians) // 2] if medians else 0
        part["slowest_ms"] = max((result["slowest_ms"] for result in results), default=0)
        part["crashes"] = [crash for result in results for crash in result["crashes"]]
        part["slow"] = [slow for result in results for slow in result["slow"]]
        parts.append(part)
    names = [
        name
        for name in ("hypothesis", "atheris", "protobuf", "grpcio")
        if util.find_spec(name) or name in ("protobuf", "grpcio")
    ]
    return {
        "command": "python -m reliability.fuzz.run "
        f"--inputs {options.inputs} --seed {options.seed}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
        "slow_ms": meter.SLOW_MS,
        "seconds": round(seconds),
        "total": {
            "inputs": sum(part["inputs"] for part in parts),
            "crashes": sum(len(part["crashes"]) for part in parts),
            "slow": sum(len(part["slow"]) for part in parts),
        },
        "parts": parts,
    }


def _save() -> None:
    """Saves the fewest inputs that reach everything that atheris ever reached.

    The old corpus counts, too.
    """
    for target in targets.CHECKS:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                f"{__package__}.{target}",
                "-merge=1",
                f"-max_len={LONGEST}",
                folder,
            ]
            command += [str(CORPUS / target), str(WORK / target)]
            subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603
            shutil.rmtree(CORPUS / target, ignore_errors=True)
            shutil.copytree(folder, CORPUS / target)


if __name__ == "__main__":
    sys.exit(main())
