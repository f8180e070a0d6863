"""A short soak: the long one is known to run, and to find what it looks for."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import harness
import pytest

from reliability import soak


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reliability.soak", *arguments]
    return subprocess.run(
        command, cwd=soak.ROOT, check=False, text=True, capture_output=True, timeout=300
    )  # noqa: S603


@pytest.mark.full
def test_a_short_soak() -> None:
    done = run("--calls", "4000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4,000 calls" in done.stdout
    assert done.stderr == ""


@pytest.mark.full
def test_a_leak_is_found() -> None:
    done = run("--calls", "3000", "--leak")
    assert done.returncode == 1
    assert "VIOLATION server: objects grow" in done.stdout


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """The findings of a good run."""
    acts = [soak.dealt(number)[2] for number in range(1_000)]
    flat = dict.fromkeys(soak.ALLOWED, 10**8)
    end = {"left": {"threads": [1, 1]}, "others": [], "violations": []}
    more = [*acts[:100], *acts]
    return {
        "calls": 1_000,
        "seconds": 1.0,
        "samples": [
            {"calls": calls, "client": flat, "server": flat} for calls in range(100, 1_001, 100)
        ],
        "ends": {
            "client": {**end, "ended": {act: acts.count(act) for act in soak.MIX}},
            "server": {
                **end,
                "levels": {"ERROR": more.count("unforeseen"), "WARNING": more.count("large")},
            },
        },
    }


def test_the_verdict_on_a_good_run(good: dict[str, Any]) -> None:
    assert soak.verdict(good) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("ends.client.violations", ["call 7 ..."], "call 7"),
        ("ends.client.ended.violations", 30, "30 more calls"),
        ("ends.client.ended.result", 0, "of 1000 calls ended"),
        ("ends.client.left.files", [3, 4], "client: 4 files left, 3 before"),
        ("ends.server.left.tasks", [0, 1], "server: 1 tasks left, 0 before"),
        ("ends.server.others", ["asyncio: Task exception was never retrieved"], "never retrieved"),
        ("ends.server.levels.ERROR", 1, "1 records of ERROR"),
        ("ends.server.levels.WARNING", 1, "1 records of WARNING"),
    ],
)
def test_the_verdict_on_a_bad_run(
    good: dict[str, Any], path: str, value: Any, expected: str
) -> None:
    found = copy.deepcopy(good)
    *folders, name = path.split(".")
    place = found
    for folder in folders:
        place = place[folder]
    place[name] = value
    assert any(expected in text for text in soak.verdict(found)), soak.verdict(found)


@pytest.mark.parametrize("process", ["client", "server"])
@pytest.mark.parametrize("measure", soak.ALLOWED)
def test_the_verdict_on_growth(good: dict[str, Any], process: str, measure: str) -> None:
    found = copy.deepcopy(good)
    fixed, _ = soak.ALLOWED[measure]
    for entry in found["samples"]:
        entry[process] = {**entry[process], measure: entry["calls"] * fixed // 400}
    assert [text.partition(" grow")[0] for text in soak.verdict(found)] == [f"{process}: {measure}"]


def test_the_plot(good: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="installed by `make reliability` only")
    soak.plot(good, tmp_path / "plot.svg")
    assert "</svg>" in (tmp_path / "plot.svg").read_text()


def test_what_is_dealt() -> None:
    """Each act comes with each kind and style, except where grpcio cannot do it."""
    dealt = {soak.dealt(number)[:3] for number in range(100_000)}
    missing = {
        (style, kind, act) for style in harness.STYLES for kind in harness.KINDS for act in soak.MIX
    } - dealt
    assert {(style, act) for style, _, act in missing} == {
        ("sync_on_aio", act) for act in ("cancelled", "cancelled at once", "late")
    }


def test_the_figures_are_of_a_full_run() -> None:
    figures = json.loads((soak.ROOT / "docs" / "reliability-soak.json").read_text())
    assert figures["calls"] >= soak.FULL
    assert figures["violations"] == []
