"""`errgrpc explain`: prints everything that is declared for the codes that match a query."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from errgrpc.cli.facts import facts
from errgrpc.cli.output import Exit, console, errors, print_json, safe, styled
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog, Code
from errgrpc.placeholders import parts

__all__ = ["find", "near", "show", "show_codes"]

_MOST = 20  # codes printed for one query


def find(tables: Tables, query: str) -> list[tuple[Catalog, Code]]:
    """Returns the codes that match a query.

    It compares the number, then the reason, then whole texts, then parts of texts, then texts with
    values for their placeholders. It stops at the first step with a match. Case and surrounding
    spaces do not count.
    """
    sought = " ".join(query.split()).casefold()
    every = list(tables.codes())
    for step in (_is_number, _is_name, _is_text, _is_part) if sought else ():
        if found := [(catalog, code) for catalog, code in every if step(catalog, code, sought)]:
            return found
    said = [(_filled(code, sought), catalog, code) for catalog, code in every]
    most = max((length for length, *_ in said), default=0)
    return [(catalog, code) for length, catalog, code in said if most and length == most]


def _filled(code: Code, sought: str) -> int:
    """How much of a text of the code a query has, if `{key}` stands for anything."""
    fitting = [0]
    for text in (code.message, *(hint.text for hint in code.hints)):
        pieces = [""]
        for literal, key in parts(" ".join(text.split())):
            if key is None:
                pieces[-1] += literal.casefold()
            else:
                pieces.append("")
        if len(pieces) > 1 and _fits(pieces, sought):
            fitting.append(len("".join("".join(pieces).split())))
    return max(fitting)


def _fits(pieces: Sequence[str], sought: str) -> bool:
    first, *middle, last = pieces
    if not sought.startswith(first) or not sought.endswith(last):
        return False
    at, end = len(first), len(sought) - len(last)
    for piece in middle:
        at = sought.find(piece, at, end) + len(piece)
        if at < len(piece):
            return False
    return at <= end


def _is_number(_: Catalog, code: Code, sought: str) -> bool:
    return str(code.number) == sought


def _is_name(catalog: Catalog, code: Code, sought: str) -> bool:
    return sought in (
        code.reason.casefold(),
        code.name.casefold(),
        f"{catalog.full_name}.{code.reason}".casefold(),
    )


def _is_text(_: Catalog, code: Code, sought: str) -> bool:
    return sought in _texts(code)


def _is_part(_: Catalog, code: Code, sought: str) -> bool:
    return any(
        sought in text for text in (code.reason.casefold(), *_texts(code), *_described(code))
    )


def near(tables: Tables, query: str) -> list[str]:
    """Returns codes similar to a query without a match, as `1004 ROOM_NOT_EXIST (房间不存在)`."""
    sought = " ".join(query.split()).casefold()
    every = [code for _, code in tables.codes()]
    shown = dict[str, list[tuple[str, str]]]()
    for code in every:
        name = f"{code.number} {code.reason}"
        shown.setdefault(code.reason.casefold(), []).append((name, ""))
        for text in filter(None, (code.message, *(hint.text for hint in code.hints))):
            told = " ".join(text.split())
            shown.setdefault(told.casefold(), []).append((name, f" ({told})"))
    like = difflib.get_close_matches
    found = like(sought.replace(" ", "_"), shown, 3, 0.6) + like(sought, shown, 3, 0.6)
    named = dict[str, str]()
    for text in found:
        for name, why in shown[text]:
            named.setdefault(name, why)
    if re.fullmatch("-?[0-9]{1,20}", sought):
        every.sort(key=lambda code: abs(code.number - int(sought)))
        for code in every[:2]:
            named.setdefault(f"{code.number} {code.reason}", "")
    return [name + why for name, why in named.items()][:4]


def show(tables: Tables, queries: Sequence[str], form: str) -> Exit:
    """Prints the codes that match the queries. Returns 1 if a query has no match."""
    code, objects = Exit.FINE, []
    for query in queries:
        found = find(tables, query)
        if not found:
            code = Exit.FINDINGS
            like = ", ".join(safe(text) for text in near(tables, query))
            errors().print(
                f"no code is named {safe(query)!r}" + (f"; near: {like}" if like else "")
            )
        objects += [facts(tables, catalog, each) for catalog, each in found[:_MOST]]
        if form == "text":
            show_codes(tables, found[:_MOST])
            if len(found) > _MOST:
                errors().print(
                    f"{len(found) - _MOST} more codes have {safe(query)!r}: "
                    "errgrpc list --text shows all"
                )
    if form == "json":
        print_json(objects)
    return code


def show_codes(tables: Tables, found: Sequence[tuple[Catalog, Code]]) -> None:
    """Prints everything that is declared for the codes."""
    for catalog, code in found:
        _show(facts(tables, catalog, code))


def _show(known: dict[str, Any]) -> None:
    out = console()
    head = styled(f"{known['number']} {known['reason']}", "bold cyan")
    head.append(safe(f"  {known['catalogue']}"), style="dim")
    if known["deprecated"]:
        head.append("  deprecated", style="yellow")
    out.print(head)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _lines(known):
        grid.add_row(f"  {name}", styled(value))
    if out.is_terminal:
        out.print(grid)
    else:
        for name, value in _lines(known):
            out.print(f"  {name}: {safe(value)}")
    out.print()


def _lines(known: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("gRPC", str(known["grpc_status"] or "not declared"))]
    if known["http_status"] is not None:
        lines.append(("HTTP", str(known["http_status"])))
    lines.append(("domain", str(known["domain"])))
    for name in ("message", "description", "resolution"):
        lines += [(name, line) for line in str(known[name]).splitlines()]
    for hint in known["hints"]:
        condition = "".join(f" if {key} is {value}" for key, value in hint["when"].items())
        lines.append((f"hint {hint['locale']}", hint["text"] + condition))
    for field in known["metadata_fields"]:
        said = f"{field['type']}{', optional' if field['optional'] else ''}"
        example = f", such as {field['example']}" if field["example"] else ""
        lines.append(
            (
                f"metadata {field['key']}",
                f"{field['description'] or 'not described'} ({said}{example})",
            )
        )
    if known["retryable"] is not None:
        lines.append(
            (
                "retry",
                "the same call may succeed later"
                if known["retryable"]
                else "the same call fails again",
            )
        )
    lines += [("raised by", str(method)) for method in known["methods"]]
    if known["help_url"]:
        lines.append(("help", str(known["help_url"])))
    return lines


def _texts(code: Code) -> list[str]:
    return [
        " ".join(text.split()).casefold()
        for text in (code.message, *(hint.text for hint in code.hints))
        if text
    ]


def _described(code: Code) -> list[str]:
    return [
        " ".join(text.split()).casefold() for text in (code.description, code.resolution) if text
    ]
