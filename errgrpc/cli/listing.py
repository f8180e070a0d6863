"""`errgrpc list`: prints the codes, one on each line."""

import csv
import sys
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from errgrpc.cli.facts import facts, hint_for, status_name
from errgrpc.cli.output import Exit, Misuse, console, errors, print_json, print_line, safe, styled
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES, Catalog, Code

__all__ = ["matching", "show"]

_COLUMNS = ("number", "reason", "grpc_status", "http_status", "hint", "message", "catalogue")


def matching(
    tables: Tables,
    status: Sequence[str] = (),
    http: Sequence[int] = (),
    locale: str | None = None,
    text: str = "",
) -> Iterator[tuple[Catalog, Code]]:
    """Yields the codes that match all filters.

    Args:
        status: Names of gRPC statuses.
        http: HTTP statuses.
        locale: A locale in which the code has a hint.
        text: A part of the number, the reason or any text of the code. Case does not matter.

    Raises:
        Misuse: gRPC does not have one of the statuses.
    """
    statuses = {name.upper().replace("-", "_") for name in status}
    if unknown := statuses - {each.name for each in STATUSES.values()}:
        raise Misuse(f"{', '.join(sorted(unknown))} is no gRPC status: give one such as NOT_FOUND")
    sought = text.casefold()
    for catalog, code in tables.codes():
        texts = (
            str(code.number),
            code.reason,
            code.message,
            code.description,
            code.resolution,
            *(hint.text for hint in code.hints),
        )
        if (
            (not statuses or status_name(code) in statuses)
            and (not http or code.http_status in http)
            and (
                locale is None or any(hint.locale.lower() == locale.lower() for hint in code.hints)
            )
            and any(sought in each.casefold() for each in texts)
        ):
            yield catalog, code


def show(
    tables: Tables, found: Sequence[tuple[Catalog, Code]], form: str, locale: str | None
) -> Exit:
    """Prints the codes. Returns 1 if the list is empty."""
    if form == "json":
        print_json([facts(tables, catalog, code) for catalog, code in found])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(
            [_cell(safe(text)) for text in _row(catalog, code, locale)] for catalog, code in found
        )
    elif not console().is_terminal:
        for catalog, code in found:
            print_line("\t".join(" ".join(cell.split()) for cell in _row(catalog, code, locale)))
    else:
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for name in ("number", "reason", "status", "HTTP", "hint", "message"):
            table.add_column(
                name, justify="right" if name in ("number", "HTTP") else "left", overflow="fold"
            )
        for catalog, code in found:
            number, reason, status, http, hint, message, _ = _row(catalog, code, locale)
            cells = (
                styled(number, "cyan"),
                styled(reason, "bold"),
                styled(status),
                styled(http),
                styled(hint),
                styled(message, "dim"),
            )
            table.add_row(*cells)
        console().print(table)
    if not found:
        errors().print("no code matches")
    return Exit.FINE if found else Exit.FINDINGS


def _row(catalog: Catalog, code: Code, locale: str | None) -> tuple[str, ...]:
    http = "" if code.http_status is None else str(code.http_status)
    return (
        str(code.number),
        code.reason,
        status_name(code) or "",
        http,
        hint_for(catalog, code, locale),
        code.message,
        catalog.full_name,
    )


def _cell(text: str) -> str:
    """Puts a `'` before a text that a spreadsheet would run as a formula. Numbers stay."""
    return (
        "'" + text
        if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not text.lstrip("-").isdecimal()
        else text
    )
