"""Writes the table as JSON (see export.schema.json), or as CSV for `errgrpc import`."""

import csv
import io
import json
import re
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from errgrpc.cli.facts import facts
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES, Catalog, Hint

__all__ = ["SCHEMA", "as_csv", "as_json", "schema"]

SCHEMA = "urn:errgrpc:export:1"
_PLAIN = (
    "number",
    "reason",
    "grpc_status",
    "http_status",
    "message",
    "description",
    "resolution",
    "retryable",
    "deprecated",
)


def schema() -> str:
    """Returns the JSON Schema of the export."""
    return (files("errgrpc.cli.exporting") / "export.schema.json").read_text(encoding="utf-8")


def as_json(tables: Tables) -> str:
    """Returns everything that is declared, methods included."""
    return json.dumps(
        {"$schema": SCHEMA, "catalogues": [_catalogue(tables, each) for each in tables.catalogs]},
        ensure_ascii=False,
        indent=2,
    )


def _catalogue(tables: Tables, catalog: Catalog) -> dict[str, Any]:
    return {
        "name": catalog.full_name,
        "domain": catalog.domain,
        "description": catalog.description,
        "default_locale": catalog.default_locale or None,
        "locales": list(catalog.locales),
        "fallback": catalog.fallback or None,
        "infer": {
            STATUSES[status].name: reason for status, reason in catalog.infer if status in STATUSES
        },
        "help_url": catalog.help_url or None,
        "codes": [facts(tables, catalog, code) for code in catalog.codes],
    }


def as_csv(tables: Tables) -> str:
    """Returns a row for each code, with a column for each locale and condition of hints."""
    columns = _columns(tables)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180; Python then quotes \r and \n
    writer.writerow([*_PLAIN, "metadata_fields", *map(_cell, columns), "catalogue"])
    for catalog, code in tables.codes():
        told = facts(tables, catalog, code)
        hints = {_header(hint): hint.text for hint in code.hints}
        fields = (
            json.dumps(told["metadata_fields"], ensure_ascii=False)
            if told["metadata_fields"]
            else ""
        )
        cells = [
            *(_text(told[name]) for name in _PLAIN),
            fields,
            *(hints.get(column, "") for column in columns),
            catalog.full_name,
        ]
        writer.writerow(map(_cell, cells))
    return text.getvalue()


def _columns(tables: Tables) -> list[str]:
    """Returns the headers of the hints, in the order of each code if the codes agree on one."""
    orders = [list(map(_header, code.hints)) for _, code in tables.codes()]
    columns = list(dict.fromkeys(header for order in orders for header in order))
    if any(order != sorted(order, key=columns.index) for order in orders):
        before = {column: set[str]() for column in columns}
        for first, second in (pair for order in orders for pair in pairwise(order)):
            before[second].add(first)
        with suppress(CycleError):
            return list(TopologicalSorter(before).static_order())
    return columns


def _header(hint: Hint) -> str:
    return f"hint {hint.locale}" + (f" if {urlencode(hint.when)}" if hint.when else "")


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    """Puts a `'` before a text that a spreadsheet would run as a formula.

    `errgrpc import` removes one `'` again. So a text that already begins with one gets a second.
    """
    return (
        "'" + text
        if re.match(r"'*[=+\-@\t\r]", text) and not text.lstrip("-").isdecimal()
        else text
    )
