"""Reads CSV and TSV, in the encodings of spreadsheets."""

import codecs
import csv
import io
import re

from errgrpc.cli.importing.entries import Note, Notes, Sheet
from errgrpc.cli.output import Misuse

__all__ = ["decoded", "read"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes, name: str, notes: Notes) -> str:
    """Decodes UTF-8, UTF-16 with a byte order mark, or GB18030 with a note. Raises Misuse."""
    marked = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if encoding == "gb18030":
            notes.append(Note("guessed", name, "the encoding GB18030: it is not UTF-8"))
        return text
    raise Misuse(
        f"{name} is no text in UTF-8, UTF-16 with its byte order mark, or GB18030; save it as UTF-8"
    )


def read(data: bytes, name: str, notes: Notes) -> Sheet:
    """Returns the rows of the file.

    It removes the `'` that `errgrpc export csv` puts before a cell that looks like a formula.
    """
    text = decoded(data, name, notes)
    # Not of a title above the headers.
    head = next((line for line in text.splitlines() if any(each in line for each in ",\t;")), "")
    delimiter = max(",\t;", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = list[tuple[str, list[str]]]()
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(
                    (f"line {line}", [re.sub(r"\A'(?='*[=+\-@\t\r])", "", cell) for cell in row])
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise Misuse(
            f"{name}, line {reader.line_num}: {error}; double each quote in a quoted cell"
        ) from error
    return Sheet(name, rows)
