"""`errgrpc export`: the table in the formats of other tools."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from errgrpc.cli.exporting import documents
from errgrpc.cli.output import Exit, Misuse, print_line
from errgrpc.cli.tables import Tables

__all__ = ["FORMATS", "show"]

FORMATS: Mapping[str, Callable[[Tables], str]] = {
    "json": documents.as_json,
    "json-schema": lambda _: documents.schema(),
    "csv": documents.as_csv,
}


def show(tables: Tables, form: str, output: Path | None) -> Exit:
    """Writes the table, to standard output without `output`."""
    text = FORMATS[form](tables).removesuffix("\n") + "\n"
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise Misuse(f"{output} cannot be written: {error.strerror}") from error
    elif sys.stdout.isatty():
        print_line(text.removesuffix("\n"))
    else:
        sys.stdout.write(text)
    return Exit.FINE
