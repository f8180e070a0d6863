"""Findings that a table had before it was linted: the file of `--write-baseline` and `--baseline`.

It holds full names by rule, no lines: a finding stays known while its line moves.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from errgrpc.cli.lint.findings import Finding
from errgrpc.cli.output import Misuse, json_text

__all__ = ["Known", "new", "read", "write"]

Known = Counter[tuple[str, str]]
"""How often a rule finds a full name."""


def write(path: Path, findings: Iterable[Finding]) -> None:
    """Writes the names of findings, sorted. Raises Misuse."""
    names = dict[str, list[str]]()
    for rule, name in sorted(_known(findings).elements()):
        names.setdefault(rule, []).append(name)
    try:
        path.write_text(json_text(names), encoding="utf-8", newline="\n")
    except OSError as error:
        raise Misuse(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path) -> Known:
    """What a file of `write` holds. Raises Misuse."""
    try:
        names: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Misuse(f"{path} does not exist; write it by --write-baseline {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from error
    if not isinstance(names, Mapping) or not all(
        isinstance(each, list) and all(isinstance(name, str) for name in each)
        for each in names.values()
    ):
        raise Misuse(f"{path} is no baseline; write it by --write-baseline {path}")
    return Counter((rule, name) for rule, each in names.items() for name in each)


def new(findings: Sequence[Finding], known: Known) -> tuple[list[Finding], Known]:
    """The findings that are not known, and what is known but no longer found.

    A finding about several names is known if each of them is.
    """
    left, found = known.copy(), list[Finding]()
    for finding in findings:
        names = _known([finding])
        if not names <= left:
            found.append(finding)
        left -= names
    return found, left


def _known(findings: Iterable[Finding]) -> Known:
    return Counter(
        (finding.rule, name) for finding in findings for name in (finding.where, *finding.also)
    )
