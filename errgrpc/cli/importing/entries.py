"""The results of the readers: entries by role, and notes on what was renamed, guessed or lost."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Entry", "Key", "Note", "Notes", "Sheet", "whole"]

Key = tuple[str, tuple[tuple[str, str], ...]]
"""The locale of a hint and its condition. The locale is empty for the default one."""


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
    """The cells of a file. Each row has its place. The first row holds the headers."""

    name: str
    rows: Sequence[tuple[str, Sequence[str]]]
    notes: Sequence[tuple[int, Note]] = ()
    """On cells without a text, such as a formula without a value, with the index of the column."""


@dataclass(frozen=True)
class Entry:
    """One code of a file, all as text."""

    place: str
    cells: Mapping[str, str]
    """By role, such as number; `errgrpc.cli.importing.columns.ROLES` has all but the hints."""
    hints: Mapping[Key, str] = field(default_factory=dict)


def whole(text: str) -> int | None:
    """Returns the number of a cell such as `10001.0`, `10,001` or `１０００１`, or None."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    if re.fullmatch(r"[+-]?([0-9]{1,10}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.0+)?", plain, re.ASCII):
        return int(plain.partition(".")[0].replace(",", ""))
    return None
