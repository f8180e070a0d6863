"""What mypy --strict and pyright say of code that uses the package.

accepted.py must pass, and refused.py must fail as its lines expect.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "tests" / "types").glob("*.py"))

Found = tuple[str, int, str]


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=ROOT
    )  # noqa: S603
    assert done.stdout, done.stderr
    return done.stdout


def mypy(_: Path) -> Iterator[Found]:
    for line in run("mypy", "--strict", "--output", "json", *map(str, FILES)).splitlines():
        if line.startswith("{"):
            error = json.loads(line)
            if error["severity"] == "error":
                yield Path(error["file"]).name, error["line"], error["code"]


def pyright(folder: Path) -> Iterator[Found]:
    # Copied elsewhere, as the project's configuration excludes these files.
    for file in FILES:
        shutil.copy(file, folder)
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps({"extraPaths": [str(ROOT)], "pythonVersion": "3.11"}))
    said = json.loads(
        run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(project))
    )
    assert said["summary"]["filesAnalyzed"] == len(FILES)
    for error in said["generalDiagnostics"]:
        if error["severity"] == "error":
            yield Path(error["file"]).name, error["range"]["start"]["line"] + 1, error["rule"]


def expected(column: int) -> Iterator[Found]:
    for file in FILES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if match := re.search(r"# expect: (\S+) / (\S+)$", line):
                alone = line.lstrip().startswith("#")  # then it refers to the next line
                yield file.name, number + alone, match[column]


@pytest.mark.parametrize(
    ("checker", "column"),
    [
        pytest.param(mypy, 1, id="mypy"),
        pytest.param(pyright, 2, id="pyright", marks=pytest.mark.full),
    ],
)
def test_type_checkers(
    checker: Callable[[Path], Iterator[Found]], column: int, tmp_path: Path
) -> None:
    found, wanted = set(checker(tmp_path)), set(expected(column))
    assert found - wanted == set()
    assert wanted - found == set()
