"""Collects the results as docs/performance.json has them.

They are in seconds. Ratios are [value, low, high] of a 95 % interval.
"""

import os
import platform
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from .contenders import NULL
from .ratios import Processes, middle, ratio
from .runs import Block

__all__ = ["Results", "calls", "machine", "rounded"]

Results = dict[str, Any]
PACKAGES = (
    "grpcio",
    "protobuf",
    "googleapis-common-protos",
    "grpcio-status",
    "grpc-interceptor",
    "google-api-core",
)


def machine() -> Results:
    """Returns the facts about this machine."""
    versions = {
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }
    load = round(os.getloadavg()[0], 2)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load before": load,
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def calls(blocks: Sequence[Block]) -> Results:
    """Returns the results of one work by contender.

    They are medians in seconds, and the ratios of wall and CPU time to those of null.
    """
    names = list(dict.fromkeys(block.contender for block in blocks))
    walls = {
        name: _by_process(blocks, name, lambda block: block.wall / block.drift) for name in names
    }
    cpus = {name: _by_process(blocks, name, lambda block: block.cpu) for name in names}
    found: Results = {}
    for name in names:
        own = [block for block in blocks if block.contender == name]
        found[name] = {
            "wall": middle(walls[name]),
            "cpu": middle(cpus[name]),
            "client cpu": median(block.client_cpu for block in own),
            "server cpu": median(block.server_cpu for block in own),
            "blocks": len(own),
        }
        if NULL in names:
            found[name] |= {
                "wall ratio": ratio(walls[name], walls[NULL]),
                "cpu ratio": ratio(cpus[name], cpus[NULL]),
            }
    return found


def _by_process(
    blocks: Sequence[Block], contender: str, value: Callable[[Block], float]
) -> Processes:
    found: dict[int, list[float]] = {}
    for block in blocks:
        if block.contender == contender:
            found.setdefault(block.process, []).append(value(block))
    return list(found.values())


def rounded(value: Any) -> Any:
    """Returns the value with five digits, as more are noise, and with lists for tuples."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
