"""Runs a check under atheris, which follows the branches of errgrpc that an input reaches.

It needs `atheris` (Python 3.11 or 3.13).
"""

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
"""The environment variable with the path of the JSON file that a run writes."""


def main(name: str) -> None:
    """Fuzzes the check of this name with the arguments of libFuzzer. It never returns."""
    # Without `import`, because atheris has no types and mypy may run without it.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["errgrpc"], enable_loader_override=False):
        from . import meter, targets  # noqa: PLC0415  atheris does not see earlier imports

    logging.disable()
    measured = meter.Meter(targets.CHECKS[name])
    if path := os.environ.get(RESULT):

        def write() -> None:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(measured.result(), file)

        atexit.register(write)
    # the command by which libFuzzer starts processes that merge corpora
    command = shlex.join([sys.executable, "-m", f"{__package__}.{name}"])
    atheris.Setup([command, *sys.argv[1:]], lambda data: measured(bytes(data)))
    atheris.Fuzz()
