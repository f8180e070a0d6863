"""The results of the readers: entries by role, and notes on what was renamed, guessed or lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Entry", "Key", "Note", "Notes", "Sheet"]

Key = tuple[str, tuple[tuple[str, str], ...]]
"""The locale of a hint and its condition. The locale is empty for the default one."""


@dataclass(frozen=True)
class Note:
    """One line of the report."""

    kind: Literal["renamed", "guessed", "lost"]
    place: str
    text: str


Notes = list[Note]


@dataclass(frozen=True)
class Sheet:
    """The cells of a file. Each row has its place. The first row holds the headers."""

    name: str
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Entry:
    """One code of a file, all as text."""

    place: str
    cells: Mapping[str, str]
    """By role: number, name, grpc, http, message, description, resolution, retryable, deprecated,
    metadata.
    """
    hints: Mapping[Key, str] = field(default_factory=dict)
