"""`errgrpc explain`: prints everything that is declared for the codes that match a query."""

import difflib
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from errgrpc.cli.facts import facts
from errgrpc.cli.output import Exit, console, errors, print_json, safe, styled
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog, Code

__all__ = ["find", "near", "show", "show_codes"]

_MOST = 20  # codes printed for one query


def find(tables: Tables, query: str) -> list[tuple[Catalog, Code]]:
    """Returns the codes that match a query.

    It compares the number, then the reason, then whole texts, then parts of texts, and stops at the
    first step with a match. Case and surrounding spaces do not count.
    """
    sought = " ".join(query.split()).casefold()
    every = list(tables.codes())
    for step in (_is_number, _is_name, _is_text, _is_part) if sought else ():
        if found := [(catalog, code) for catalog, code in every if step(catalog, code, sought)]:
            return found
    return []


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
    """Returns reasons and texts that are similar to a query without a match."""
    sought = " ".join(query.split()).casefold()
    shown = {
        text.casefold(): text
        for _, code in tables.codes()
        for text in (code.reason, *(hint.text for hint in code.hints), code.message)
    }
    found = difflib.get_close_matches(
        sought.replace(" ", "_"), shown, 3, 0.6
    ) + difflib.get_close_matches(sought, shown, 3, 0.6)
    if sought.lstrip("-").isdecimal():
        found += [
            str(code.number)
            for _, code in sorted(
                tables.codes(), key=lambda each: abs(each[1].number - int(sought))
            )
        ][:2]
    return [shown.get(text, text) for text in dict.fromkeys(found)][:4]


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
