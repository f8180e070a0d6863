"""Reads the golden cases in `vectors.json`, which `python -m conformance.vectors` writes."""

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
    """Returns all vectors in their order."""
    return tuple(json.loads(PATH.read_text("utf-8")))
