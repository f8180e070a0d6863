"""Findings in the forms that reviewers' tools read: GitHub's workflow commands and SARIF 2.1.0."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import errgrpc

__all__ = ["Finding", "Level", "github", "sarif"]

Level = Literal["error", "warning", "note"]
_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


class Finding(NamedTuple):
    """One thing to look at. `line` and `column` begin with 1; 0 is unknown."""

    id: str
    level: Level
    message: str
    file: str
    line: int = 0
    column: int = 0


def github(found: Finding) -> str:
    """The workflow command that puts a finding beside its line. No text of the finding can begin another command."""
    places = {"file": found.file, "line": found.line, "col": found.column, "title": found.id}
    properties = ",".join(
        f"{name}={_property(str(value))}" for name, value in places.items() if value
    )
    return f"::{_GITHUB[found.level]} {properties}::{_data(found.message)}"


def sarif(findings: Sequence[Finding], rules: Mapping[str, str]) -> dict[str, Any]:
    """The findings as one run of SARIF; `rules` has a line for each id."""
    driver = {
        "name": "errgrpc",
        "version": errgrpc.__version__,
        "rules": [{"id": id_, "shortDescription": {"text": text}} for id_, text in rules.items()],
    }
    results = [
        {
            "ruleId": found.id,
            "level": found.level,
            "message": {"text": found.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": found.file},
                        "region": _region(found),
                    }
                }
            ]
            if found.file
            else [],
        }
        for found in findings
    ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
        ],
    }


def _region(found: Finding) -> dict[str, int]:
    region = {"startLine": max(found.line, 1)}
    return region | {"startColumn": found.column} if found.column else region


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
