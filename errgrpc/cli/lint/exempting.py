"""Exemptions from rules: in a .proto, in pyproject.toml, and for errgrpc's own tables."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from errgrpc.cli.lint.findings import Edit, Finding, Severity
from errgrpc.cli.places import Place

__all__ = ["ID", "PURPOSE", "SEVERITY", "Exemption", "of_comments", "of_entries", "wrong"]

ID = "exemption"
"""The id of findings about exemptions. They cannot be exempted."""
SEVERITY: Severity = "error"
PURPOSE = "An exemption has a reason, names a rule, and exempts something."
_COMMENT = re.compile(r"^[\s*]*errgrpc:lint:ignore(?!\S)[ \t]*(\S*)[ \t]*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Switches one rule off for a declaration and everything in it."""

    where: str
    rule: str
    reason: str
    file: str = ""
    """As the descriptors name it, or the path of pyproject.toml. Empty for errgrpc's tables."""
    line: int = 0
    column: int = 0
    removal: Edit | None = None

    def covers(self, rule: str, where: str) -> bool:
        """Returns whether it exempts a declaration from a rule."""
        return rule == self.rule and f"{where}.".startswith(f"{self.where}.")


def of_comments(
    places: Mapping[str, Place], lines: Mapping[str, Sequence[str]]
) -> Iterator[Exemption]:
    """Yields the exemptions in the comments before and after declarations.

    `lines` are the known lines of the files, by file name.
    """
    for where, place in places.items():
        if place.start is None or place.end is None:
            continue
        known = lines.get(place.file, ())
        for comment, step in ((place.leading, -1), (place.trailing, 1)):
            at = place.start[0]
            for each in [*_COMMENT.finditer(comment)][::step]:
                line = _line(known, each[0].strip(" *\r\n\t"), at, step)
                # Another exemption of the comment may have the same words.
                at = at if line is None else line + step
                alone = line is not None and known[line].lstrip().startswith("//")
                yield Exemption(
                    where,
                    each[1],
                    each[2],
                    place.file,
                    (place.start[0] if line is None else line) + 1,
                    1 if line is None else known[line].index("errgrpc:lint:ignore") + 1,
                    Edit(line + 1) if line is not None and alone else None,
                )


def _line(lines: Sequence[str], text: str, index: int, step: int) -> int | None:
    """Returns the line of a comment. protoc does not give its place."""
    while 0 <= index < len(lines):
        if text in lines[index]:
            return index
        index += step
    return None


def of_entries(
    entries: Mapping[str, Mapping[str, str]], file: str = "", text: str = ""
) -> Iterator[Exemption]:
    """Yields the exemptions of a mapping from names to rules with reasons.

    `text` is the text of `file`. It gives the lines of the exemptions.
    """
    lines = text.split("\n")
    for where, rules in entries.items():
        line = next(
            (
                index
                for index, each in enumerate(lines, 1)
                if f'"{where}"' in each or f"'{where}'" in each
            ),
            0,
        )
        for rule, reason in rules.items():
            yield Exemption(where, rule, reason, file, line, 1 if line else 0)


def wrong(
    exemptions: Sequence[Exemption],
    used: Collection[Exemption],
    rules: Collection[str],
    whole: Collection[str],
) -> Iterator[Finding]:
    """Finds exemptions that have no reason, name no rule, or exempt nothing.

    An exemption that exempts nothing is a finding only if its file is in `whole`.
    """
    for each in exemptions:
        if each.rule not in rules:
            near = difflib.get_close_matches(each.rule, rules, 1, 0)
            what = (
                f"exempts from {each.rule!r}, which is no rule; "
                f"give an id of docs/lint.md, such as {near[0]}"
                if each.rule
                else ("names no rule; write errgrpc:lint:ignore, the id of a rule, and the reason")
            )
            yield _finding(each, what)
        elif not each.reason.strip():
            yield _finding(
                each, f"exempts from {each.rule} without a reason; write it after the rule"
            )
        elif each.file in whole and each not in used:
            yield _finding(
                each, f"exempts from {each.rule}, which finds nothing here; remove it", each.removal
            )


def _finding(exemption: Exemption, message: str, fix: Edit | None = None) -> Finding:
    return Finding(
        ID,
        SEVERITY,
        exemption.file,
        exemption.line,
        exemption.column,
        exemption.where,
        message,
        fix,
    )
