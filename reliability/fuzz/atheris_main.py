"""A check under atheris, which follows the branches of errgrpc that an input reaches. Needs `atheris` (Python 3.11 or 3.13)."""

import atexit
import importlib
import json
import logging
import os
import shlex
import sys
from typing import Any

__all__ = ["RESULT", "main"]

RESULT = "FUZZ_RESULT"
"""The environment variable with the path of the JSON that a run leaves behind."""


def main(name: str) -> None:
    """Fuzzes the check of this name with the arguments of libFuzzer; returns never."""
    # Not `import`: atheris has no types, and mypy need not have it.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["errgrpc"], enable_loader_override=False):
        from . import meter, targets  # noqa: PLC0415  what is imported before is not instrumented

    logging.disable()
    measured = meter.Meter(targets.CHECKS[name])
    if path := os.environ.get(RESULT):

        def write() -> None:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(measured.result(), file)

        atexit.register(write)
    # what libFuzzer starts to merge corpora
    command = shlex.join([sys.executable, "-m", f"{__package__}.{name}"])
    atheris.Setup([command, *sys.argv[1:]], lambda data: measured(bytes(data)))
    atheris.Fuzz()
