"""The examples in docs/command.md match what the command prints."""

import re
from pathlib import Path
from typing import Any

import pytest

from errgrpc.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs/command.md").read_text()
SHOWN = re.findall(r"```sh\n((?:errgrpc [^\n]*\n)+)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_shows_something() -> None:
    assert len(SHOWN) == 2


@pytest.mark.parametrize(
    ("command", "output"),
    [(line, output) for lines, output in SHOWN for line in lines.splitlines()],
)
def test_the_page_shows_what_is_printed(command: str, output: str, run: Any) -> None:
    arguments = [quoted or plain for quoted, plain in re.findall(r'"([^"]+)"|(\S+)', command)][1:]
    ran = run(*arguments)
    assert (ran.code, ran.out.rstrip("\n"), ran.err) == (0, output.rstrip("\n"), "")


def test_the_page_names_each_command() -> None:
    named = set(re.findall(r"^\| \[?`errgrpc ([a-z]+)", PAGE, re.MULTILINE))
    assert named == {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }


@pytest.mark.parametrize(
    "command",
    [each.name or each.callback.__name__ for each in app.registered_commands if each.callback],
)
def test_each_command_has_help_with_an_example(command: str, run: Any) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert "Usage: errgrpc" in ran.out
    assert f"errgrpc {command}" in ran.out.replace("Usage: errgrpc", "", 1)
