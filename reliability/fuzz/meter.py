"""Counts inputs and finds the slow ones.

It uses processor time, which other processes of the machine do not change.
"""

import time
from array import array
from collections.abc import Callable
from statistics import median_low
from typing import Any

__all__ = ["SLOW_MS", "Meter"]

SLOW_MS = 100.0
"""An input is slow if the best of three runs takes longer. The median takes far less than one."""


class Meter:
    """A check whose inputs are counted and timed."""

    def __init__(self, check: Callable[..., None]) -> None:
        self._check = check
        self._spent = array("d")
        self._slowest = 0.0
        self.slow: list[str] = []

    def __call__(self, *given: Any) -> None:
        spent = self._time(given)
        # a pause for the garbage of earlier inputs does not happen three times
        if spent > self._slowest:
            spent = min(spent, self._time(given), self._time(given))
            self._slowest = max(spent, self._slowest)
            if spent > SLOW_MS:
                self.slow.append(f"{spent:.0f} ms: {given!r:.2000}")
        self._spent.append(spent)

    def _time(self, given: tuple[Any, ...]) -> float:
        start = time.thread_time()
        self._check(*given)
        return (time.thread_time() - start) * 1_000

    def result(self) -> dict[str, Any]:
        """Returns the counts as JSON data."""
        spent = self._spent
        return {
            "inputs": len(spent),
            "median_ms": round(median_low(spent), 3) if spent else 0,
            "slowest_ms": round(self._slowest, 3),
            "slow": self.slow[:20],
        }
