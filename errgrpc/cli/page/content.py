"""The content of the reference in all formats: the facts of each code, its anchor and its JSON."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from errgrpc.cli.facts import anchor, facts
from errgrpc.cli.tables import Tables
from errgrpc.codes import STATUSES
from errgrpc.http.statuses import of_grpc
from errgrpc.locales import choose
from errgrpc.placeholders import fill

__all__ = ["more", "on_wire", "pretty", "reference"]

_NUMBERS = {status.name: number for number, status in STATUSES.items()}


def reference(tables: Tables, title: str) -> dict[str, Any]:
    """Returns the catalogues with their codes, as `--format json` prints them."""
    return {
        "title": title,
        "catalogues": [
            {
                "name": catalog.full_name,
                "domain": catalog.domain,
                "description": catalog.description,
                "default_locale": catalog.default_locale,
                "codes": [
                    known
                    | {
                        "anchor": anchor(catalog, code),
                        "wire": on_wire(known, catalog.default_locale),
                    }
                    for code in catalog.codes
                    for known in (facts(tables, catalog, code),)
                ],
            }
            for catalog in tables.catalogs
        ],
    }


def more(code: Mapping[str, Any]) -> str:
    """The help link of a code; empty if it is the place of the code on this page."""
    url = code["help_url"] or ""
    return "" if unquote(url.partition("#")[2]) == code["anchor"] else url


def on_wire(known: Mapping[str, Any], default_locale: str) -> dict[str, Any] | None:
    """Returns the google.rpc.Status of an error in JSON of AIP-193, or None for a success.

    The metadata holds the examples of the fields.
    """
    status = known["grpc_status"] or "UNKNOWN"
    if status == "OK":
        return None
    fields = known["metadata_fields"]
    metadata = {
        field["key"]: field["example"] or "…"
        for field in fields
        if field["example"] or not field["optional"]
    }

    def filled(text: str) -> str:
        return fill(text, metadata) if fields else text

    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": known["reason"],
            "domain": known["domain"],
            "metadata": {"code": str(known["number"])} | metadata,
        }
    ]
    chosen = dict[str, str]()
    # the hint with the most conditions wins; of two equal ones, the first
    for hint in sorted(known["hints"], key=lambda hint: -len(hint["when"])):
        if hint["when"].items() <= metadata.items():
            chosen.setdefault(hint["locale"], hint["text"])
    declared = [hint["locale"] for hint in known["hints"] if hint["locale"] in chosen]
    if (locale := choose(None, declared, default_locale)) is not None:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": locale,
                "message": filled(chosen[locale]),
            }
        )
    http = known["http_status"] or of_grpc(STATUSES[_NUMBERS.get(status, 2)])
    return {
        "error": {
            "code": http,
            "message": filled(known["message"]),
            "status": status,
            "details": details,
        }
    }


def pretty(value: Any) -> str:
    """Returns the value as indented JSON, with letters of all scripts as they are."""
    return json.dumps(value, ensure_ascii=False, indent=2)
