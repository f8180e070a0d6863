"""The golden cases: `vectors.json`, read; `python -m conformance.vectors` makes it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["PATH", "SCHEMA", "Vector", "load"]

PATH = Path(__file__).with_name("vectors.json")
SCHEMA = Path(__file__).with_name("schema.json")

Vector = dict[str, Any]


@cache
def load() -> tuple[Vector, ...]:
    """All vectors, in their order."""
    return tuple(json.loads(PATH.read_text("utf-8")))
