"""`errgrpc import`: makes an annotated .proto from a table of codes.

A report says what differs from the table.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from rich.box import SIMPLE_HEAD
from rich.table import Table

from errgrpc.cli import tables
from errgrpc.cli.importing import (
    building,
    columns,
    delimited,
    java,
    markdown,
    protos,
    translated,
    workbook,
)
from errgrpc.cli.importing.building import Wanted
from errgrpc.cli.importing.entries import Entry, Note, Notes
from errgrpc.cli.output import Exit, Misuse, errors, print_line, safe, styled
from errgrpc.cli.translations import FORMATS
from errgrpc.codegen import plugin
from errgrpc.codegen.schema import Catalog

__all__ = ["Wanted", "check", "read", "show", "translate"]

_MOST = 50_000_000  # bytes of a file


def read(file: Path, wanted: Wanted, given: Sequence[str] = ()) -> tuple[str, Notes]:
    """Returns the .proto for a table of codes, and notes on what was renamed, guessed or lost.

    Raises Misuse.
    """
    notes, roles = Notes(), building.checked(given)
    enum, found = _entries(_bytes(file), file, roles, notes)
    catalog = building.build(found, _completed(wanted, enum, file, notes), str(file), notes)
    text = protos.render(catalog)
    check(text, catalog)
    return text, notes


def translate(
    file: Path, sources: Sequence[str], includes: Sequence[str], locale: str
) -> tuple[str, Notes]:
    """Returns the .proto of a catalogue with the hints of a translator's file, and notes.

    The notes say which texts it did not take. Raises Misuse.
    """
    form = translated.format_of(file)
    if form is None:
        known = ", ".join(each.suffix for each in FORMATS.values())
        raise Misuse(f"{file} is in no format of translators: give one of {known}")
    if len(sources) != 1:
        raise Misuse("give by --catalogue the one .proto file that the translations belong to")
    notes = Notes()
    text = delimited.decoded(_bytes(file), file.name, notes)
    told, lost = translated.read(text, file.name, form, sources[0], includes, locale)
    return told, notes + lost


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST:
            raise Misuse(f"{file} has more than {_MOST} bytes; keep only the codes")
        return file.read_bytes()
    except OSError as error:
        raise Misuse(f"{file} cannot be read: {error.strerror}") from error


def _entries(
    data: bytes, file: Path, roles: Mapping[str, str], notes: Notes
) -> tuple[str, list[Entry]]:
    match file.suffix.lower():
        case ".csv" | ".tsv" | ".tab" | ".txt":
            return "", columns.entries(delimited.read(data, file.name, notes), roles, notes)
        case ".xlsx" | ".xlsm":
            sheet = workbook.read(
                data, file.name, lambda sheet: columns.has_codes(sheet, roles), notes
            )
            return "", columns.entries(sheet, roles, notes)
        case ".java":
            return java.read(delimited.decoded(data, file.name, notes), file.name, notes)
        case ".md" | ".markdown":
            return _of_markdown(delimited.decoded(data, file.name, notes), file.name, roles, notes)
        case suffix:
            raise Misuse(
                f"{file}: {suffix or 'no suffix'} is no known format; "
                "give .csv, .tsv, .xlsx, .md or .java"
            )


def _of_markdown(
    text: str, name: str, roles: Mapping[str, str], notes: Notes
) -> tuple[str, list[Entry]]:
    """Returns the tables of codes and the Java enum, joined by number."""
    enum, found, sheets = "", list[Entry](), markdown.tables(text, name)
    for line, block in markdown.blocks(text):
        if java.ENUM.search(block):
            if enum:
                notes.append(Note("lost", f"{name} line {line}", "another enum is taken"))
                continue
            enum, found = java.read(block, name, notes, line)
    chosen = [sheet for sheet in sheets if columns.has_codes(sheet, roles)]
    if not chosen and not enum:
        if sheets:
            columns.entries(sheets[0], roles, notes)  # raises Misuse, which names the headers
        raise Misuse(f"{name} has no table of codes and no Java enum")
    notes += (
        Note("lost", f"{name} {sheet.rows[0][0]}", "a table without a column of numbers")
        for sheet in sheets
        if sheet not in chosen
    )
    rows = [entry for sheet in chosen for entry in columns.entries(sheet, roles, notes)]
    return enum, building.merged(found, rows, notes) if enum else rows


def _completed(wanted: Wanted, enum: str, file: Path, notes: Notes) -> Wanted:
    """Guesses the missing arguments from the file and its name."""
    package = wanted.package or "errors.v1"
    stem = "".join(part.capitalize() for part in building.name_of(file.stem).split("_"))
    name = wanted.enum or enum or (stem if stem[:1].isalpha() else f"Table{stem}")
    domain = wanted.domain or f"{package}.{name}"
    for role, given, guess in (
        ("package", wanted.package, package),
        ("enum", wanted.enum or enum, name),
        ("domain", wanted.domain, domain),
    ):
        if not given:
            notes.append(Note("guessed", role, f"{guess}; give --{role}"))
    return Wanted(package, name, domain, wanted.default_locale)


def check(text: str, catalog: Catalog) -> None:
    """Compiles a written file. Raises Misuse with all errors of protoc and the generator."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "imported.proto")
        file.write_text(text, encoding="utf-8")
        try:
            files, _ = tables.compiled(file)
        except Misuse as misuse:
            raise Misuse(f"{catalog.file}: {str(misuse).replace(folder + '/', '')}") from misuse
    answer = plugin.generate(
        CodeGeneratorRequest(file_to_generate=["imported.proto"], proto_file=files.file)
    )
    if answer.error:
        raise Misuse(
            f"{catalog.file} makes a catalogue that the generator refuses; correct it there:\n"
            f"{answer.error}"
        )


def show(text: str, notes: Notes, output: Path | None, form: str) -> Exit:
    """Writes the .proto to `output` or to standard output, and the report to standard error."""
    if output is None:
        print_line(text.removesuffix("\n"))
    else:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise Misuse(f"{output} cannot be written: {error.strerror}") from error
    if form == "json":
        sys.stderr.write(json.dumps([vars(note) for note in notes], indent=2) + "\n")
    elif errors().is_terminal and notes:
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for column in ("", "where", "what"):
            table.add_column(column, overflow="fold")
        for note in notes:
            table.add_row(
                styled(note.kind, "red" if note.kind == "lost" else "yellow"),
                styled(note.place),
                styled(note.text),
            )
        errors().print(table)
    else:
        for note in notes:
            errors().print(" ".join(safe(f"{note.kind}: {note.place}: {note.text}").split("\n")))
    return Exit.FINE
