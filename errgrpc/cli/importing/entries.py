"""What the readers of tables hand over: rows by the role of their cells, and notes on what was not taken as it stood."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Entry", "Key", "Note", "Notes", "Sheet", "whole"]

Key = tuple[str, tuple[tuple[str, str], ...]]
"""The locale of a hint, empty for the default one, and its condition."""


@dataclass(frozen=True)
class Note:
    """One line of the report."""

    kind: Literal["renamed", "guessed", "lost"]
    place: str
    text: str
    group: str = ""
    """What the notes of one group have in common, for their sum in the report."""
    most: int = 1
    """If a group has more notes, the text form of the report sums them up."""


Notes = list[Note]


@dataclass(frozen=True)
class Sheet:
    """Cells as they stand in a file: each row with its place, the first one with the headers."""

    name: str
    rows: Sequence[tuple[str, Sequence[str]]]
    notes: Sequence[Note] = ()
    """On cells that hold no text, such as a formula without a value."""


@dataclass(frozen=True)
class Entry:
    """One code as a file tells it, all of it text."""

    place: str
    cells: Mapping[str, str]
    """By role, such as number; `errgrpc.cli.importing.columns.ROLES` has all but the hints."""
    hints: Mapping[Key, str] = field(default_factory=dict)


def whole(text: str) -> int | None:
    """The whole number that a cell holds, or None: `10001`, `10001.0`, `10,001` or `１０００１`."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    if re.fullmatch(r"[+-]?([0-9]{1,10}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.0+)?", plain, re.ASCII):
        return int(plain.partition(".")[0].replace(",", ""))
    return None
