"""What rules find, and what a rule is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from errgrpc.cli.tables import Tables

__all__ = ["Edit", "Finding", "Found", "Rule", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule says of one declaration. `lint` knows where that stands."""

    where: str
    """The full name: `shop.v1.ShopCode`, `shop.v1.ShopCode.SOLD_OUT` or `shop.v1.ShopService.Buy`."""
    message: str
    """What is wrong, and the remedy."""
    near: str = ""
    """A text of the declaration that the finding is about, such as `http_status`; empty if it is about all of it."""
    adds: str = ""
    """What mends it at the end of the enum, if there is one answer."""
    also: tuple[str, ...] = ()
    """The full names of others that it is about just as much. They end the message."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a line, counted from 1: `text` is put at `column`, counted from 0; without one the line is removed."""

    line: int
    column: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found and where it stands. Line and column count from 1; 0 is unknown."""

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
        """Its name in findings, exemptions and docs/lint.md: words joined by hyphens."""
        ...

    @property
    def severity(self) -> Severity:
        """An error is wrong on the wire, or for users; a warning is what a reviewer would ask about."""
        ...

    def check(self, tables: Tables, /) -> Iterable[Found]:
        """Finds what is wrong with the catalogues and the services of `tables`."""
        ...
