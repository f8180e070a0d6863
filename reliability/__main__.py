"""Makes every figure of the reliability documents, one command after the other.

- `python -m reliability`: everything as documented, about an hour.
- `python -m reliability --quick`: a hundredth of the inputs, to see that everything runs.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Module, the option for the number of inputs, and that number.
COMMANDS: tuple[tuple[str, str | None, int], ...] = (
    ("budget", "--errors", 10_000),
    ("comparison", None, 0),
    ("fuzz.run", "--inputs", 1_000_000),
    ("soak", "--calls", 1_000_000),
    ("endings", "--runs", 100),
)


def command(module: str, option: str | None, count: int, *, quick: bool) -> list[str] | None:
    """Returns the command to run, or None if it has no quick form."""
    line = [sys.executable, "-m", f"reliability.{module}"]
    if option is not None:
        line += [option, str(count // 100 if quick else count)]
    elif quick:
        return None
    return line


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a hundredth of the inputs; figures in docs/ stay as they are",
    )
    arguments = parser.parse_args()
    failed: list[str] = []
    for number, (module, option, count) in enumerate(COMMANDS, 1):
        line = command(module, option, count, quick=arguments.quick)
        if line is None:
            continue
        print(f"[{number}/{len(COMMANDS)}] {' '.join(line[1:])}", flush=True)
        start = time.monotonic()
        done = subprocess.run(line, cwd=ROOT, check=False)  # noqa: S603
        print(
            f"[{number}/{len(COMMANDS)}] {'ok' if done.returncode == 0 else 'FAILED'} after "
            f"{time.monotonic() - start:.0f} s\n",
            flush=True,
        )
        if done.returncode != 0:
            failed.append(module)
    print(f"failed: {', '.join(failed)}" if failed else "all promises kept")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
