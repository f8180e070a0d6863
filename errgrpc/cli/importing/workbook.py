"""Reads the values of XLSX files.

It takes the last shown values and evaluates no formula. It refuses a file that unpacks to too much.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import NoReturn

from errgrpc.cli.importing.entries import Note, Notes, Sheet
from errgrpc.cli.output import Misuse

__all__ = ["read"]

_MOST = 100_000_000  # bytes unpacked
_RATIO = 200  # for parts above 1 MB; real sheets unpack to 5 to 50 times their size
_ROWS, _CELLS = 100_000, 1_000
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def read(data: bytes, name: str, wanted: Callable[[Sheet], bool], notes: Notes) -> Sheet:
    """Returns the first sheet that `wanted` accepts, or else the first sheet. Raises Misuse."""
    _refuse_bombs(data, name)
    try:
        import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415  of the extra
    except ImportError as error:
        raise Misuse(
            "to read .xlsx files the command needs openpyxl: pip install 'errgrpc[cli]'"
        ) from error
    sheets = list[Sheet]()
    try:
        book = openpyxl.load_workbook(
            io.BytesIO(data), read_only=True, data_only=True, keep_links=False
        )
        for page in book.worksheets:
            page.reset_dimensions()  # the size in the file may be wrong
            rows = list[tuple[str, list[str]]]()
            for number, cells in enumerate(page.iter_rows(values_only=True), 1):
                if number > _ROWS or len(cells) > _CELLS:
                    _refuse_size(f"{name}, sheet {page.title}")
                if any(cell is not None for cell in cells):
                    rows.append((f"{page.title} row {number}", [_text(cell) for cell in cells]))
            sheets.append(Sheet(f"{name}, sheet {page.title}", rows))
    except Misuse:
        raise
    except Exception as error:
        raise Misuse(
            f"{name} is no workbook that can be read ({type(error).__name__}: {error}); "
            "save it again as .xlsx or CSV"
        ) from error
    if not sheets:
        raise Misuse(f"{name} has no sheet of cells")
    chosen = next((sheet for sheet in sheets if wanted(sheet)), sheets[0])
    notes += (
        Note("lost", sheet.name, "another sheet is taken")
        for sheet in sheets
        if sheet is not chosen and sheet.rows
    )
    return chosen


def _refuse_size(place: str) -> NoReturn:
    raise Misuse(f"{place}: more than {_ROWS} rows or {_CELLS} columns; keep only the codes")


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def _refuse_bombs(data: bytes, name: str) -> None:
    """Refuses a file that unpacks to too much.

    Python's zipfile unpacks no more of a part than the header says, so the headers are reliable.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if (size := sum(part.file_size for part in parts)) > _MOST:
                raise Misuse(
                    f"{name} unpacks to {size} bytes, more than {_MOST}; save the sheet as CSV"
                )
            for part in parts:
                if part.file_size > max(1_000_000, _RATIO * part.compress_size):
                    raise Misuse(
                        f"{name}: {part.filename} unpacks to more than {_RATIO} times its size; "
                        "save the sheet as CSV"
                    )
            for part in parts:
                if part.filename.endswith((".xml", ".rels")) and any(
                    mark in archive.read(part) for mark in _DOCTYPES
                ):
                    raise Misuse(
                        f"{name}: {part.filename} declares a document type, which no spreadsheet "
                        "does; save it again as .xlsx"
                    )
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise Misuse(f"{name} is no .xlsx file ({error}); save it again as .xlsx or CSV") from error
