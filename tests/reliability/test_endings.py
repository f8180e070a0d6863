"""A short run of `python -m reliability.endings`, which does the same a hundred times."""

import json
from pathlib import Path

import pytest

from reliability import endings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("handler", endings.HANDLERS)
@pytest.mark.thinned(2)
def test_the_process_ends_when_its_loop_does(handler: str) -> None:
    assert endings.ends(handler)


@pytest.mark.parametrize("outcome", endings.OUTCOMES)
def test_an_answered_error_keeps_no_request(outcome: str) -> None:
    assert endings.alive(outcome, 20) <= 1


def test_the_page_has_the_figures() -> None:
    figures = json.loads((ROOT / "docs" / "reliability-endings.json").read_text("utf-8"))
    assert figures["runs"] >= 100
    assert set(figures["hung"]) == set(endings.HANDLERS)
    assert sum(figures["hung"].values()) == 0
    processes = figures["runs"] * len(endings.HANDLERS)
    for name in ("reliability.md", "reliability-tables.md"):
        page = (ROOT / "docs" / name).read_text("utf-8")
        assert f"{processes:,} processes whose loop ended while a handler failed: 0 hung" in page
    for name in endings.OUTCOMES:
        assert (
            f"| {name} | {figures['alive'][name]} | {figures['alive'][f'{name}, bare']} |" in page
        )
