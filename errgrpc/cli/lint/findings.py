"""Findings, fixes, and the protocol of a rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from errgrpc.cli.tables import Tables

__all__ = ["Edit", "Finding", "Found", "Rule", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in one declaration. `lint` adds the place."""

    where: str
    """The full name, such as `shop.v1.ShopCode.SOLD_OUT` or `shop.v1.ShopService.Buy`."""
    message: str
    """What is wrong, and the remedy."""
    near: str = ""
    """The part of the declaration that is wrong, such as `http_status`. Empty for all of it."""
    adds: str = ""
    """The line to add at the end of the enum, if it is the only possible fix."""
    also: tuple[str, ...] = ()
    """The full names of the other declarations that share the finding. They end the message."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a line: inserts `text` at `column`, or removes the line if `column` is None.

    Lines count from 1, columns from 0.
    """

    line: int
    column: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, with its place. Line and column count from 1; 0 means unknown."""

    rule: str
    severity: Severity
    file: str
    line: int
    column: int
    where: str
    message: str
    fix: Edit | None = None
    also: tuple[str, ...] = ()


class Rule(Protocol):
    """A module of `rules`."""

    @property
    def id(self) -> str:
        """The name in findings, exemptions and docs/lint.md: words joined by hyphens."""
        ...

    @property
    def severity(self) -> Severity:
        """An error makes trouble on the wire or for users. A reviewer would ask about a warning."""
        ...

    def check(self, tables: Tables, /) -> Iterable[Found]:
        """Finds the declarations that break the rule."""
        ...
