"""A short run of `python -m reliability.fuzz.run`, and all findings of the fuzzers so far.

The long run has a million inputs.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from reliability.fuzz import meter, strategies, targets

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "reliability" / "fuzz" / "corpus"


@pytest.mark.parametrize("name", strategies.STRATEGIES)
@pytest.mark.thinned(2)
def test_random_inputs(name: str, request: pytest.FixtureRequest) -> None:
    examples = 300 if request.config.getoption("--full") else 100
    check, inputs = strategies.STRATEGIES[name]
    measured = meter.Meter(check)

    @settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=examples,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
    @given(inputs)
    def one(given: tuple[Any, ...]) -> None:
        measured(*given)

    one()
    assert measured.result()["inputs"] >= examples * 0.8
    assert measured.slow == []


@pytest.mark.parametrize("name", targets.CHECKS)
def test_what_the_fuzzers_found(name: str) -> None:
    found = sorted((CORPUS / name).iterdir())
    assert len(found) > 10
    for path in found:
        targets.CHECKS[name](path.read_bytes())


def test_the_page_has_the_figures_of_a_full_run() -> None:
    figures = json.loads((ROOT / "docs" / "reliability-fuzz.json").read_text("utf-8"))
    assert figures["total"]["inputs"] >= 1_000_000
    assert figures["total"]["crashes"] == figures["total"]["slow"] == 0
    inputs, slow = figures["total"]["inputs"], figures["slow_ms"]
    for name in ("reliability.md", "reliability-tables.md"):
        page = (ROOT / "docs" / name).read_text("utf-8")
        assert f"{inputs:,} inputs, 0 crashes, 0 that took more than {slow:.0f} ms" in page
    for part in figures["parts"]:
        assert re.search(
            rf"\| {part['tool']} \| .* \| {part['inputs']:,} \| {part['median_ms']} "
            rf"\| {part['slowest_ms']} \|",
            page,
        )
