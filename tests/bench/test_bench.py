"""The bench: contenders run each work, ratios are right, and the pages match the figures."""

import json
import re
from pathlib import Path

import pytest

import errgrpc
from bench import (
    by_hand,
    catalogues,
    commands,
    contenders,
    in_process,
    inside,
    report,
    results,
    runs,
    stages,
    targets,
    tracking,
)
from bench.__main__ import DOCS, parsed
from bench.contenders import CONTENDERS
from bench.fresh import WHAT
from bench.ratios import Ratio, ratio
from bench.runs import Block
from bench.works import FIRST, WORKS

pytestmark = pytest.mark.full

SHORT = [work for work in WORKS if work.messages < 10_000 and work.at_once < 64]


@pytest.mark.full
@pytest.mark.parametrize("stack", ["sync", "aio"])
def test_each_work_runs_with_each_contender(stack: str) -> None:
    ticks: list[float] = []
    with runs.started(CONTENDERS, stack, 1, lambda: ticks.append(0)) as pairs:
        assert {block.contender for block in runs.first(pairs, lambda: None)} == {
            contender.name for contender in CONTENDERS
        }
        for work in SHORT:
            for pair in pairs:
                # a call fails if it does not do its work
                block = pair.block(work, work.at_once)
                assert block.wall > 0
        blocks = runs.measure(pairs[:2], SHORT[0], 0.001, 0, 3, ticks.append)
    assert len(blocks) == 6
    assert len(ticks) == len(CONTENDERS) + 6
    assert sum(ticks) == pytest.approx(1)


def test_a_process_that_ends_is_an_error() -> None:
    child = runs.Child("bench.server", "bare")  # the argument for the stack is missing
    try:
        with pytest.raises(RuntimeError, match=r"bench\.server.* ended with 1"):
            child.read()
    finally:
        child.close()


@pytest.mark.parametrize("name", by_hand.BUILT)
def test_by_hand_is_the_same_answer(name: str) -> None:
    error = contenders.MADE[name]()
    # The bytes may differ: protobuf writes a map in an order that changes from process to process.
    built, encoded = by_hand.BUILT[name](), errgrpc.encode(error)
    assert (built.code, built.message) == (encoded.code, encoded.message)
    assert errgrpc.decode(built).status_details == errgrpc.decode(encoded).status_details
    assert len(built.SerializeToString()) == len(encoded.SerializeToString())
    read = by_hand.read(in_process.failed(error))
    assert (read.code, read.metadata.get("room_uuid")) == (
        error.error_code,
        error.metadata.get("room_uuid"),
    )
    assert read.hint == error.error_code.hint("zh-CN")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("catalogues")
    catalogues.write(made)
    return made


@pytest.mark.parametrize("case", in_process.CASES, ids=lambda case: case.name)
@pytest.mark.thinned(6)
def test_each_case_runs(case: in_process.Case, folder: Path) -> None:
    for prepare in (case.ours, case.other):
        run = prepare(folder)
        for _ in range(3):
            run()


def test_two_ways_in_turn(folder: Path) -> None:
    ours, other = inside._in_turn(3, folder, 2, 4)
    assert [len(values) for values in (*ours, *other)] == [4] * 4
    assert min(min(values) for values in (*ours, *other)) > 0


@pytest.mark.full
def test_fresh_processes(folder: Path) -> None:
    found = inside._fresh(folder, 1, lambda _: None)
    assert list(found) == list(WHAT)
    assert all(entry["seconds"] > 0 for entry in found.values())


@pytest.mark.full
@pytest.mark.parametrize("stack", ["sync", "aio"])
def test_the_stages_of_a_call(stack: str) -> None:
    for which in stages.SERVERS:
        assert 0 < stages._pair(stack, "error", [stages.MODULE, "serve", which], "null", 16)[0] < 1
    for which in stages.CLIENTS:
        assert 0 < stages._pair(stack, "error", ["bench.server", "null"], which, 16)[1] < 1


def test_ratios() -> None:
    assert ratio([[2.0, 2.0], [2.0]], [[1.0]]) == (2, 2, 2)
    spread = ratio([[1.0, 3.0, 2.0], [2.0, 2.5]], [[1.0, 1.1, 0.9]])
    assert spread.low < spread.value < spread.high
    assert ratio([[1.0, 5.0, 1.0]], [[1.0]]).value == 1  # the median ignores 5.0


def test_a_slow_round_is_no_slow_contender() -> None:
    rounds = [
        [Block(name, 0, slow * wall, 0, 0) for name, wall in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
        for slow in (1, 1, 10)
    ]
    found = list(runs._with_drift(rounds))
    for name in "abc":
        assert (
            len({round(block.wall / block.drift, 9) for block in found if block.contender == name})
            == 1
        )


def blocks_of(contender: str, wall: float) -> list[Block]:
    return [
        Block(contender, process, wall, wall / 2, wall / 4)
        for process in range(2)
        for _ in range(3)
    ]


BLOCKS = [
    *blocks_of("null", 100e-6),
    *blocks_of("null again", 101e-6),
    *blocks_of("errgrpc, interceptors", 105e-6),
]


def test_what_is_reported() -> None:
    found = results.rounded(results.calls(BLOCKS))
    assert found["errgrpc, interceptors"]["wall ratio"] == [1.05, 1.05, 1.05]
    assert found["null"]["cpu"] == 75e-6
    lines = targets.judged(
        {"calls": {"sync": {"success": found, "error": found, "error with metadata": found}}}
    )
    assert [(line.what, line.target.bound, line.verdict) for line in lines] == [
        ("sync, success", 1.02, "missed"),
        ("sync, error", 1.05, "met"),
        ("sync, error with metadata", 1.07, "met"),
    ]
    tables = report.tables(
        {
            "calls": {"sync": {"error": found}},
            "command": "",
            "took": 1,
            "machine": results.machine(),
        }
    )
    assert tables["sync-wall"].rows == [("error", "100", "1.010 ±0.000", "1.050 ±0.000")]
    assert tables["targets"].rows[0][-1] == "met"


def test_verdicts() -> None:
    most, least = targets.Target("", 1.02), targets.Target("", 4, more=True)
    cases = [
        (most, (1.02, 1, 2), "met"),
        (most, (1.03, 1.01, 1.05), "within noise"),
        (most, (1.1, 1.03, 1.2), "missed"),
    ]
    cases += [
        (least, (4, 3, 5), "met"),
        (least, (3.9, 3, 4.1), "within noise"),
        (least, (3, 2, 3.5), "missed"),
    ]
    for target, ratio_, verdict in cases:
        assert targets.Line(target, "", Ratio(*ratio_), "").verdict == verdict


def test_arguments() -> None:
    assert not parsed([]).part
    for some in (
        ["--quick"],
        ["--in-process"],
        ["--works", "error"],
        ["--contenders", "hand"],
        ["--stacks", "aio"],
        ["--seconds", "3"],
    ):
        assert parsed(some).part
    with pytest.raises(SystemExit):
        parsed(["--works", "no such work"])


def test_the_pages_have_the_figures_that_were_measured() -> None:
    path = DOCS / "performance.json"
    # without the file, the page says that nothing is measured yet
    figures = json.loads(path.read_text("utf-8")) if path.exists() else {}
    shown = list[str]()
    for name in report.PAGES:
        page = (DOCS / name).read_text("utf-8")
        assert page == report.rendered(page, figures), "run `python -m bench --render`"
        shown += re.findall(r"<!-- measured: ([\w-]+) -->", page)
    assert sorted(shown) == sorted(report.tables(figures))
    if figures:
        for works in figures["calls"].values():
            assert list(works) == [FIRST.name, *(work.name for work in WORKS)]
        assert list(figures["in process"]) == [case.name for case in in_process.CASES]


def test_the_table_of_the_current_call_is_that_of_its_results() -> None:
    page = tracking.PAGE.read_text()
    assert page == tracking.with_table(page, json.loads(tracking.RESULTS.read_text())), (
        "run `python -m bench.tracking`"
    )
    assert set(json.loads(tracking.RESULTS.read_text())["works"]) == set(tracking.WORKS)


@pytest.mark.full
@pytest.mark.parametrize("name", tracking.WORKS)
def test_what_tracking_costs_can_be_measured(name: str) -> None:
    off, on, found = tracking.measure(name, 2, 2)
    assert off > 0
    assert on > 0
    assert found.low <= found.value <= found.high


def test_the_table_of_the_commands_is_that_of_its_results() -> None:
    page, results = commands.PAGE.read_text(), json.loads(commands.RESULTS.read_text())
    assert page == commands.with_table(page, results), "run `python -m bench.commands`"
    assert list(results["commands"]) == list(commands.COMMANDS)
    assert results["codes"] == commands.SIZE


@pytest.mark.full
def test_each_command_runs_on_a_large_table() -> None:
    found = commands.measure(20, 1)
    assert list(found) == list(commands.COMMANDS)
    assert all(row["bytes"] > 0 for name, row in found.items() if not name.startswith("lint"))
