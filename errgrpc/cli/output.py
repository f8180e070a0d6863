"""How every subcommand talks: text on standard output, errors on standard error, exit codes, colours only for a terminal."""

import json
import sys
import unicodedata
from enum import IntEnum
from functools import cache
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

__all__ = [
    "Exit",
    "Misuse",
    "console",
    "end",
    "errors",
    "json_text",
    "print_json",
    "print_line",
    "safe",
    "styled",
]


class Exit(IntEnum):
    """What the process exits with."""

    FINE = 0
    FINDINGS = 1
    MISUSE = 2


class Misuse(Exception):  # noqa: N818  it is no fault of the program
    """What the caller gave cannot be used. The text names the input, the place and the remedy; the command exits with 2."""


@cache
def console() -> Console:
    """Standard output. Piped or under NO_COLOR it is plain, and a line is never wrapped when piped."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


@cache
def errors() -> Console:
    """Standard error, for misuse and progress."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def safe(text: str) -> str:
    """A text that a terminal shows as it is: control, format and surrogate characters become U+FFFD; line ends stay."""
    return "".join(
        character
        if character in "\n\t"
        or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else "\ufffd"
        for character in text
    )


def styled(text: str, style: str = "") -> Text:
    """A foreign text, made safe, in a style of rich's."""
    return Text(safe(text), style=style)


def print_line(text: str) -> None:
    """One line, made safe, as it is: rich would make spaces of its tabs."""
    sys.stdout.write(safe(text) + "\n")


def print_json(value: Any) -> None:
    """One JSON value, indented, in UTF-8 and without escapes for letters of other scripts."""
    sys.stdout.write(json_text(value))


def json_text(value: Any) -> str:
    """What `print_json` prints."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # Of what a JSON string may hold unescaped, a terminal must not get these.
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
    """Ends the command."""
    raise typer.Exit(int(code))
