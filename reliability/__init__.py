"""Measures what the package promises for failures.

Each module is a command, and `python -m reliability` runs them all.
"""

import sys
from pathlib import Path

# pytest puts this folder on the path by itself; the commands need its `harness`, too.
_TESTS = str(Path(__file__).parents[1] / "tests")
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
