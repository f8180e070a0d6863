"""Ratios of medians with intervals, by bootstrap over processes and their measurements.

Processes are sampled, too, because two processes of the same code differ.
"""

import random
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

__all__ = ["Processes", "Ratio", "middle", "ratio"]

RESAMPLED = 1_000
Processes = Sequence[Sequence[float]]
"""The measurements of each process of one kind."""


class Ratio(NamedTuple):
    """A ratio of medians. Its interval holds 95 of 100 such ratios."""

    value: float
    low: float
    high: float


def ratio(top: Processes, bottom: Processes) -> Ratio:
    """Returns the ratio of `top` to `bottom`."""
    chance = random.Random(1)  # the same figures give the same interval
    many = sorted(
        a / b for a, b in zip(_resampled(top, chance), _resampled(bottom, chance), strict=True)
    )
    tail = RESAMPLED // 40
    return Ratio(middle(top) / middle(bottom), many[tail], many[-tail - 1])


def middle(processes: Processes) -> float:
    """Returns the median of the processes' medians."""
    return median(map(median, processes))


def _resampled(processes: Processes, chance: random.Random) -> Iterator[float]:
    for _ in range(RESAMPLED):
        yield middle(
            [
                chance.choices(values, k=len(values))
                for values in chance.choices(processes, k=len(processes))
            ]
        )
