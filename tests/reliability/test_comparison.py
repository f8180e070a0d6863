"""errgrpc keeps the promises of docs/reliability.md, and its pages show what was measured."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability import comparison, peers
from reliability.comparison import ROWS, Bench, Row

pytestmark = [pytest.mark.full, pytest.mark.thinned(8)]

ROOT = Path(__file__).parents[2]
CALLS_THAT_END_THE_PROCESS = (
    "keyboardinterrupt-and-systemexit-in-the-main-thread-answered-and-the-process-ends"
)
BY_ID = {row.id: row for row in ROWS}


@pytest.fixture(scope="module")
def ours() -> Iterator[Bench]:
    with comparison.quiet(), Bench(peers.ERRGRPC, deadline=20) as bench:
        yield bench


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.id != CALLS_THAT_END_THE_PROCESS], ids=lambda row: row.id
)
def test_errgrpc_keeps_the_promise(row: Row, ours: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "GONE", 0.1)
    monkeypatch.setattr(comparison, "OVERSIZED", 64)
    found = comparison.total(row.measure(ours))
    assert set(found) == {_best(row)}, comparison.cell(found)


def _best(row: Row) -> str:
    """The best possible answer: the status if there is no readable code, else the code."""
    no_code = row.id.startswith(("abort", "double-abort", "details-that-are"))
    return "status" if no_code else "code"


def test_the_process_ends_and_the_caller_is_answered(ours: Bench) -> None:
    found = comparison.ends_the_process(ours, kinds=("unary_unary", "stream_stream"))
    assert comparison.total(found) == {"code": 4}


# Rows whose outcome does not depend on a race.
STEADY = [
    "a-coded-error",
    "exceptiongroup-with-one-coded-error",
    "an-exception-with-a-secret-in-its-text-cause-and-notes",
    "keyboardinterrupt",
    "an-upstreams-error-with-our-domain-raised-through-a-handler",
    "details-that-are-truncated",
    "details-whose-code-differs-from-the-status",
]


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_others_do_what_the_page_says(peer: peers.Peer) -> None:
    figures, _ = comparison.load()
    if figures["versions"] != comparison.versions():
        pytest.skip(f"measured with {figures['versions']}")
    written = {row["id"]: row["results"][peer.name] for row in figures["rows"]}
    with comparison.quiet(), Bench(peer, deadline=20, styles=("sync",)) as bench:
        for name in STEADY:
            hangs = "hung" in written[name]["sync" if "sync" in written[name] else "any"]
            bench.deadline = 0.5 if hangs else 20
            for style, found in BY_ID[name].measure(bench).items():
                assert found == written[name][style], (
                    f"{name}: run `python -m reliability.comparison`"
                )


def test_the_pages_have_the_figures_that_were_measured() -> None:
    figures, size = comparison.load()
    parts, shown = comparison.tables(figures, size), set[str]()
    for path in comparison.PAGES:
        page = path.read_text()
        assert page == comparison.rendered(page, parts), (
            "run `python -m reliability.comparison --render`"
        )
        shown |= set(re.findall(r"<!-- measured: (\w+) -->", page))
    assert shown == set(parts)
    assert [(row["id"], row["promise"], row["group"]) for row in figures["rows"]] == [
        (row.id, row.promise, row.group) for row in ROWS
    ]
    assert len(BY_ID) == len(ROWS)
    assert [limit["name"] for limit in figures["limits"]] == [
        limit.name for limit in comparison.LIMITS
    ]
    for row in figures["rows"]:
        assert set(row["results"]) == {peer.name for peer in peers.PEERS}
        assert set(comparison.total(row["results"][peers.ERRGRPC.name])) <= set(comparison.RIGHT), (
            row["promise"]
        )
    assert size["errors"] >= 10_000
    assert not any(
        size[name]
        for name in ("lost", "past_the_limit", "shed_too_much", "otherwise_wrong", "logged_wrong")
    )


def test_every_test_that_the_pages_name_exists() -> None:
    pages = "".join(path.read_text() for path in comparison.PAGES)
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?", pages)
    assert len(named) > 30
    for path, function in named:
        source = (ROOT / path).read_text()
        assert not function or re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), (
            f"{path}::{function}"
        )
