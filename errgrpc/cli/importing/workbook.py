"""Reads the values of XLSX files.

It takes the last shown values and evaluates no formula. It refuses a file that unpacks to too much.
"""

import io
import zipfile
import zlib
from typing import Any, NoReturn

from errgrpc.cli.importing.entries import Note, Notes, Sheet
from errgrpc.cli.output import Misuse

__all__ = ["read"]

_MOST = 100_000_000  # bytes unpacked
_RATIO = 200  # for parts above 1 MB; real sheets unpack to 5 to 50 times their size
_ROWS, _CELLS = 100_000, 1_000
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def read(data: bytes, name: str, notes: Notes) -> list[Sheet]:
    """Returns the sheets that are not hidden. Raises Misuse."""
    _refuse_bombs(data, name)
    try:
        import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415  of the extra
    except ImportError as error:
        raise Misuse(
            "to read .xlsx files the command needs openpyxl: pip install 'errgrpc[cli]'"
        ) from error
    sheets = list[Sheet]()
    try:
        # The values that were last shown, and the formulas that have none.
        shown, told = (
            openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=values, keep_links=False
            )
            for values in (True, False)
        )
        for page, twin in zip(shown.worksheets, told.worksheets, strict=True):
            if page.sheet_state != "visible":
                notes.append(Note("lost", f"{name}, sheet {page.title}", "the sheet is hidden"))
                continue
            page.reset_dimensions()  # the size in the file may be wrong
            twin.reset_dimensions()
            rows, lost = list[tuple[str, list[str]]](), list[tuple[int, Note]]()
            both = zip(page.iter_rows(), twin.iter_rows(), strict=True)
            for number, (cells, formulas) in enumerate(both, 1):
                if number > _ROWS or len(cells) > _CELLS:
                    _refuse_size(f"{name}, sheet {page.title}")
                for index, (cell, formula) in enumerate(zip(cells, formulas, strict=True)):
                    if wrong := _wrong(cell, formula):
                        place = f"{page.title} {formula.coordinate}"
                        note = Note("lost", place, wrong, "cells without a value", 10)
                        lost.append((index, note))
                texts = ["" if cell.data_type == "e" else _text(cell.value) for cell in cells]
                if any(texts):
                    rows.append((f"{page.title} row {number}", texts))
            sheets.append(Sheet(f"{name}, sheet {page.title}", rows, lost))
    except Misuse:
        raise
    except Exception as error:
        raise Misuse(
            f"{name} is no workbook that can be read ({type(error).__name__}: {error}); "
            "save it again as .xlsx or CSV"
        ) from error
    if not sheets:
        raise Misuse(f"{name} has no sheet of cells")
    return sheets


def _refuse_size(place: str) -> NoReturn:
    raise Misuse(f"{place}: more than {_ROWS} rows or {_CELLS} columns; keep only the codes")


def _wrong(cell: Any, formula: Any) -> str:
    if cell.data_type == "e":
        return f"the cell shows the error {cell.value}; correct its formula"
    if cell.value is None and formula.data_type == "f":
        return "the formula has no stored value; open and save the file in a spreadsheet program"
    return ""


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if cell is None:
        return ""
    # ECMA-376 writes characters that XML cannot hold as `_x000D_`; openpyxl leaves them so.
    from openpyxl.utils.escape import unescape  # type: ignore[import-untyped]  # noqa: PLC0415  of the extra

    return str(unescape(str(cell))).replace("\r\n", "\n")


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
