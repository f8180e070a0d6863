"""The project's targets, and whether the figures meet them."""

from collections.abc import Iterator
from dataclasses import dataclass

from .contenders import NULL_AGAIN
from .ratios import Ratio
from .results import Results
from .works import WORKS

__all__ = ["Line", "Target", "judged", "shown", "summary"]

INTERCEPTORS, WRAPPED = "errgrpc, interceptors", "errgrpc, wrapped channel"
BY_HAND = "grpcio-status by hand"
BY_HAND_BARE = "grpcio-status by hand, bare"
_BOUNDS = {
    ("success", INTERCEPTORS): 1.02,
    ("stream", INTERCEPTORS): 1.02,
    ("success", WRAPPED): 1.00,
    ("stream", WRAPPED): 1.00,
    ("error", INTERCEPTORS): 1.05,
    ("error", WRAPPED): 1.03,
    ("error with metadata", INTERCEPTORS): 1.07,
    ("error with metadata", WRAPPED): 1.05,
}
_GROUPS = {"success": "success and streams", "stream": "success and streams"}


@dataclass(frozen=True)
class Target:
    """A target: at most `bound`, or at least `bound` if `more`, in some unit."""

    name: str
    bound: float
    unit: str = ""
    more: bool = False


@dataclass(frozen=True)
class Line:
    """One figure for a target. `noise` tells how inexact the figure may be."""

    target: Target
    what: str
    ratio: Ratio
    noise: str

    @property
    def verdict(self) -> str:
        """The verdict. If only the interval meets the bound, it is "within noise"."""
        value, low, high = self.ratio
        if self.target.more:
            return (
                "met"
                if value >= self.target.bound
                else "within noise"
                if high >= self.target.bound
                else "missed"
            )
        return (
            "met"
            if value <= self.target.bound
            else "within noise"
            if low <= self.target.bound
            else "missed"
        )


def judged(results: Results) -> list[Line]:
    """Returns each figure that has a target."""
    return [
        *_of_calls(results.get("calls", {})),
        *_in_process(results.get("in process", {})),
        *_fresh(results.get("fresh", {})),
    ]


def summary(lines: list[Line]) -> Iterator[tuple[Target, list[Line]]]:
    """Yields the lines of each target, the worst first."""
    targets = dict.fromkeys(line.target for line in lines)
    for target in targets:
        own = [line for line in lines if line.target == target]
        yield target, sorted(own, key=lambda line: line.ratio.value, reverse=not target.more)


def _of_calls(calls: Results) -> Iterator[Line]:
    for stack, works in calls.items():
        for work in WORKS:
            found = works.get(work.name, {})
            if NULL_AGAIN not in found or "wall ratio" not in found[NULL_AGAIN]:
                continue
            noise = shown(Ratio(*found[NULL_AGAIN]["wall ratio"]))
            for name in (INTERCEPTORS, WRAPPED):
                if name not in found:
                    continue
                what, ratio = f"{stack}, {work.name}", Ratio(*found[name]["wall ratio"])
                group = _GROUPS.get(work.kind, work.kind)
                yield Line(
                    Target(f"{group}: {name}, to null", _BOUNDS[work.kind, name]),
                    what,
                    ratio,
                    noise,
                )
                if work.messages == 10_000:  # no measurable cost: the interval holds 1
                    yield Line(
                        Target(f"each message of a stream: {name}, to null", 1.0),
                        what,
                        ratio,
                        noise,
                    )
                for other in (BY_HAND, BY_HAND_BARE):
                    if work.kind.startswith("error") and not work.foreign and other in found:
                        value, low, high = found[other]["wall ratio"]
                        faster = Ratio(ratio.value / value, ratio.low / high, ratio.high / low)
                        yield Line(Target(f"error: {name}, to {other}", 1.0), what, faster, noise)


_WANTED_IN_PROCESS = {
    "constant: constructed, encoded": 4,
    "with metadata: constructed, encoded": 1.5,
    "seen before: decoded": 5,
    "new: decoded": 1.2,
}


def _in_process(cases: Results) -> Iterator[Line]:
    for name, wanted in _WANTED_IN_PROCESS.items():
        if name in cases:
            value, low, high = cases[name]["ratio"]
            times = Ratio(1 / value, 1 / high, 1 / low)
            yield Line(
                Target(f"{name}, to by hand", wanted, "x faster", more=True),
                name,
                times,
                shown(times),
            )
    name = "10,000 codes: raised, read, caught"
    if name in cases:
        ratio = Ratio(*cases[name]["ratio"])
        yield Line(Target(f"{name}, to 10 codes", 1.1), name, ratio, shown(ratio))


def _fresh(fresh: Results) -> Iterator[Line]:
    for name, seconds, megabytes in (
        ("errgrpc imported", 0.025, 3),
        ("10,000 codes imported", 0.5, None),
    ):
        if name in fresh:
            found = fresh[name]
            times = Ratio(
                *(1e3 * value for value in (found["seconds"], *found["seconds interval"]))
            )
            yield Line(Target(f"{name}: time", 1e3 * seconds, "ms"), name, times, shown(times))
            if megabytes is not None:
                size = found["bytes"] / 1e6
                yield Line(
                    Target(f"{name}: memory", megabytes, "MB"), name, Ratio(size, size, size), ""
                )


def shown(ratio: Ratio) -> str:
    """Returns a ratio with its interval."""
    return f"{ratio.value:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"
