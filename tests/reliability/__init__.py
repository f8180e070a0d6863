"""What the package promises for bad days, measured: each module is a command, `python -m tests.reliability` runs them all."""

import sys
from pathlib import Path

# pytest puts this folder on the path by itself; the commands need `harness` too.
_TESTS = str(Path(__file__).parent.parent)
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
