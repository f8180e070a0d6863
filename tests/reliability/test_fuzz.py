"""A short run of what `python -m tests.reliability.fuzz.run` does a million times, and all that the fuzzers ever found."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from .fuzz import meter, strategies, targets

CORPUS = Path(__file__).parent / "fuzz" / "corpus"


@pytest.mark.parametrize("name", strategies.STRATEGIES)
def test_random_inputs(name: str) -> None:
    check, inputs = strategies.STRATEGIES[name]
    measured = meter.Meter(check)

    @settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=300,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(inputs)
    def one(given: tuple[Any, ...]) -> None:
        measured(*given)

    one()
    assert measured.result()["inputs"] >= 250
    assert measured.slow == []


@pytest.mark.parametrize("name", targets.CHECKS)
def test_what_the_fuzzers_found(name: str) -> None:
    found = sorted((CORPUS / name).iterdir())
    assert len(found) > 10
    for path in found:
        targets.CHECKS[name](path.read_bytes())
