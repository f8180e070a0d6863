"""Runs the command as a shell does: in its own process, with piped output."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from errgrpc.cli.app import app
from errgrpc.cli.output import console, errors

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """The output and the exit code of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process, which is fast. Standard output counts as piped."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, stdin: str | bytes | None = None, cwd: Path | None = None) -> Ran:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        console.cache_clear()
        errors.cache_clear()
        try:
            result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="errgrpc")
        finally:
            console.cache_clear()
            errors.cache_clear()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def run_process() -> Run:
    """Runs `python -m errgrpc`."""

    def run(*arguments: str, cwd: Path = ROOT, **options: Any) -> Ran:
        env = os.environ | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "errgrpc", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=env,
            timeout=60,
            **options,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
