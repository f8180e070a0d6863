"""What the package promises for bad days, measured: each module is a command, `python -m reliability` runs them all."""

import sys
from pathlib import Path

# pytest puts that folder on the path by itself; the commands need its `harness` too.
_TESTS = str(Path(__file__).parents[1] / "tests")
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
