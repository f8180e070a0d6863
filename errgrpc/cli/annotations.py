"""Findings as reviewers' tools read them: workflow commands of GitHub Actions, and SARIF 2.1.0."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import errgrpc

__all__ = ["Annotation", "Level", "Rule", "github", "sarif"]

Level = Literal["error", "warning", "note"]
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


class Rule(NamedTuple):
    """What an annotation can be an example of."""

    text: str
    level: Level
    help: str
    """The page that explains it."""


class Annotation(NamedTuple):
    """One thing to look at, and where it stands."""

    id: str
    """The id of its rule."""
    level: Level
    where: str
    """The full name of the declaration."""
    message: str
    file: str = ""
    """Empty if it stands in no file."""
    line: int = 0
    """Counted from 1; 0 if it is not known, as the column."""
    column: int = 0


def github(found: Annotation) -> str:
    """Returns the workflow command that shows the annotation beside its line.

    No text in it can begin another command.
    """
    places = {"file": found.file, "line": found.line, "col": found.column, "title": found.id}
    properties = ",".join(
        f"{name}={_property(str(value))}" for name, value in places.items() if value
    )
    return f"::{_COMMANDS[found.level]} {properties}::{_data(_told(found))}"


def _told(found: Annotation) -> str:
    return f"{found.where}: {found.message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(found: Sequence[Annotation], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """A log with one run; `rules` are all that can be found, by their ids."""
    driver = {
        "name": "errgrpc",
        "semanticVersion": errgrpc.__version__,
        "rules": [
            {
                "id": id_,
                "shortDescription": {"text": rule.text},
                "defaultConfiguration": {"level": rule.level},
                "help": {"text": rule.help},
            }
            for id_, rule in rules.items()
        ],
    }
    order = {id_: index for index, id_ in enumerate(rules)}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, order[each.id]) for each in found],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(found: Annotation, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": found.where}]}
    if found.file:
        # GitHub shows a result only if it has a line.
        region = {"startLine": max(found.line, 1)}
        region |= {"startColumn": found.column} if found.column else {}
        place["physicalLocation"] = {
            "artifactLocation": {"uri": quote(found.file)},
            "region": region,
        }
    return {
        "ruleId": found.id,
        "ruleIndex": index,
        "level": found.level,
        "message": {"text": _told(found)},
        "locations": [place],
    }
