"""The pictures of docs/performance-tables.md."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS, NULL
from .results import Results
from .works import WORKS

__all__ = ["draw"]


def draw(results: Results, folder: Path) -> list[Path]:
    """Draws the pictures for which the results have figures, and returns their paths."""
    import matplotlib as mpl  # takes half a second

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "errgrpc"  # the same figures give the same file
    import matplotlib.pyplot as plt

    made = []
    for name, drawn in (("calls", _calls), ("growth", _growth)):
        figure = drawn(results, plt)
        if figure is not None:
            figure.tight_layout()
            made.append(folder / f"performance-{name}.svg")
            figure.savefig(made[-1], metadata={"Date": None})
            plt.close(figure)
    return made


def _calls(results: Results, plt: Any) -> Any:
    """Draws the ratios to null with their intervals, with a panel for each stack."""
    calls = {
        stack: works
        for stack, works in results.get("calls", {}).items()
        if any("wall ratio" in c for f in works.values() for c in f.values())
    }
    if not calls:
        return None
    names = [work.name for work in WORKS if any(work.name in works for works in calls.values())]
    figure, panels = plt.subplots(
        1, len(calls), figsize=(7.5 * len(calls), 0.6 * len(names) + 2), sharey=True, squeeze=False
    )
    for panel, (stack, works) in zip(panels[0], calls.items(), strict=True):
        panel.axvline(1, color="black", linewidth=0.8)
        others = [contender.name for contender in CONTENDERS if contender.name != NULL]
        for place, other in enumerate(others):
            rows = [
                (row, works[name][other]["wall ratio"])
                for row, name in enumerate(names)
                if other in works.get(name, {})
            ]
            heights = [row + 0.8 * place / len(others) - 0.35 for row, _ in rows]
            below, above = (
                [ratio[0] - ratio[1] for _, ratio in rows],
                [ratio[2] - ratio[0] for _, ratio in rows],
            )
            spread = [
                [max(0.0, length) for length in below],
                [max(0.0, length) for length in above],
            ]
            color = "grey" if other.startswith("null") else None
            panel.errorbar(
                [ratio[0] for _, ratio in rows],
                heights,
                xerr=spread,
                fmt="o",
                markersize=4,
                label=other,
                color=color,
            )
        panel.set_yticks(range(len(names)), names)
        panel.set_title(stack)
        panel.set_xlabel("time of a call, to null; the bars are 95 % intervals")
        panel.grid(axis="x", alpha=0.3)
    panels[0][0].invert_yaxis()
    panels[0][-1].legend(fontsize="small")
    return figure


SERIES = (
    (
        "messages of a response stream",
        {
            1: "response stream of 1",
            200: "response stream of 200",
            10_000: "response stream of 10,000",
        },
    ),
    (
        "successful calls in flight",
        {1: "success", 16: "success, 16 at once", 64: "success, 64 at once"},
    ),
    ("failing calls in flight", {1: "error", 16: "error, 16 at once", 64: "error, 64 at once"}),
    ("bytes of a message", {16: "success", 1_000: "success, 1 kB", 100_000: "success, 100 kB"}),
    ("violations in an error", {0: "error", 10: "error with ten violations"}),
)


def _growth(results: Results, plt: Any) -> Any:
    """Draws the time of a call by its contents, and of an error by the number of codes."""
    works = results.get("calls", {}).get("sync", {})
    cases, fresh = results.get("in process", {}), results.get("fresh", {})
    if (
        not all(name in works for _, points in SERIES for name in points.values())
        or not cases
        or not fresh
    ):
        return None
    figure, panels = plt.subplots(2, 3, figsize=(15, 8))
    for panel, (label, points) in zip(panels.flat, SERIES, strict=False):
        for contender in (
            "null",
            "errgrpc, interceptors",
            "errgrpc, wrapped channel",
            "grpcio-status by hand",
        ):
            if all(contender in works[name] for name in points.values()):
                panel.plot(
                    list(points),
                    [works[name][contender]["wall"] * 1e6 for name in points.values()],
                    marker="o",
                    label=contender,
                )
        panel.set_ylabel("µs a call (sync)")
        _scaled(panel, label, points)
    panel = panels.flat[5]
    sizes = (10, 1_000, 10_000)
    caught = [cases["10,000 codes: raised, read, caught"]["beside seconds"]]
    caught += [cases[f"{size:,} codes: raised, read, caught"]["seconds"] for size in sizes[1:]]
    panel.plot(
        sizes, [seconds * 1e6 for seconds in caught], marker="o", label="raised, read, caught, µs"
    )
    panel.plot(
        sizes,
        [fresh[f"{size:,} codes imported"]["seconds"] * 1e3 for size in sizes],
        marker="o",
        label="imported, ms",
    )
    panel.set_yscale("log")
    _scaled(panel, "codes of a catalogue", sizes)
    return figure


def _scaled(panel: Any, label: str, points: Collection[int]) -> None:
    panel.set_xscale("symlog" if 0 in points else "log")
    if label.startswith("messages"):
        panel.set_yscale("log")
    panel.set_xticks(list(points), [f"{point:,}" for point in points])
    panel.minorticks_off()
    panel.set_xlabel(label)
    panel.legend(fontsize="small")
