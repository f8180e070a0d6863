"""The output of every subcommand.

Results go to standard output and errors to standard error. Only a terminal gets colours.
"""

import json
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from functools import cache
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from errgrpc.cli.annotations import Annotation

__all__ = [
    "Exit",
    "Misuse",
    "console",
    "end",
    "errors",
    "json_text",
    "print_file",
    "print_json",
    "print_line",
    "safe",
    "styled",
    "working",
]


class Exit(IntEnum):
    """The exit codes of the command."""

    FINE = 0
    FINDINGS = 1
    MISUSE = 2


class Misuse(Exception):  # noqa: N818  not an error of the program
    """The command cannot use its input.

    The text names the input, the place and the remedy. The command exits with 2.
    """

    def __init__(self, text: str, faults: Sequence[Annotation] = ()) -> None:
        super().__init__(text)
        self.faults = faults
        """The same for `--format github`, if the input is a file of the reader."""


@cache
def console() -> Console:
    """Returns standard output.

    It has no colours in a pipe or under NO_COLOR. In a pipe, it does not wrap lines.
    """
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


@cache
def errors() -> Console:
    """Returns standard error, for misuse and progress."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def working(what: str) -> AbstractContextManager[object]:
    """Shows on a terminal that something goes on that may take more than a second.

    Nothing may be printed meanwhile. If standard error is no terminal, it shows nothing.
    """
    return errors().status(styled(what)) if errors().is_terminal else nullcontext()


def safe(text: str) -> str:
    """Replaces control, format and surrogate characters by U+FFFD. Line ends and tabs stay."""
    return "".join(
        character
        if character in "\n\t"
        or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else "\ufffd"
        for character in text
    )


def styled(text: str, style: str = "") -> Text:
    """Returns the safe form of a text, in a style of rich."""
    return Text(safe(text), style=style)


def print_line(text: str) -> None:
    """Prints the safe form of a line. It does not use rich, which would turn tabs into spaces."""
    sys.stdout.write(safe(text) + "\n")


def print_file(text: str) -> None:
    """Prints the text of a file as it is. Only a terminal gets its safe form."""
    sys.stdout.write(safe(text) if sys.stdout.isatty() else text)


def print_json(value: Any) -> None:
    """Prints a JSON value, indented. Letters of all scripts are unescaped UTF-8."""
    sys.stdout.write(json_text(value))


def json_text(value: Any) -> str:
    """Returns the text that `print_json` prints."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # JSON allows these characters unescaped, but a terminal must not get them.
    text = "".join(
        c
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else _escaped(c)
        for c in text
    )
    return text + "\n"


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def end(code: Exit) -> NoReturn:
    """Ends the command with an exit code."""
    raise typer.Exit(int(code))
