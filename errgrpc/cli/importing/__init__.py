"""`errgrpc import`: makes an annotated .proto from a table of codes.

A report says what differs from the table.
"""

import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    kept,
    markdown,
    protos,
    translated,
    workbook,
)
from errgrpc.cli.importing.building import Wanted
from errgrpc.cli.importing.entries import Entry, Note, Notes
from errgrpc.cli.output import Exit, Misuse, errors, json_text, print_file, safe, styled
from errgrpc.cli.translations import FORMATS
from errgrpc.codegen import plugin
from errgrpc.codegen.schema import Catalog

__all__ = ["Wanted", "check", "guard", "read", "show", "translate"]

_MOST = 50_000_000  # bytes of a file


def read(file: Path, wanted: Wanted, given: Sequence[str] = ()) -> tuple[str, Notes]:
    """Returns the .proto for a table of codes, and notes on what was renamed, guessed or lost.

    Raises Misuse.
    """
    notes, roles = Notes(), building.checked(given)
    enum, found = _entries(_bytes(file), file, roles, notes)
    owners = dict.fromkeys(each.cells["catalogue"] for each in found if "catalogue" in each.cells)
    if len(owners) > 1:
        what = f"the codes of {', '.join(owners)} become one enum; export one catalogue at a time"
        notes.append(Note("lost", file.name, what))
    places = dict[str, str]()
    completed = _completed(wanted, enum, file, notes)
    catalog = building.build(found, completed, str(file), notes, places)
    bare = [code.reason for code in catalog.codes if not code.message]
    if bare and not any("message" in each.cells for each in found):
        what = f"{len(bare)} codes have no message, which developers read in logs"
        notes.append(Note("lost", file.name, f"{what}; name its column: --column message=HEADER"))
    text = protos.render(catalog)
    try:
        check(text, catalog, places)
    except Misuse as misuse:
        # The cause is often a column that was not taken.
        lost = [f"{each.place}: {each.text}" for each in notes if "its header is" in each.text]
        raise Misuse("\n".join((str(misuse), *lost))) from misuse
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
        with file.open("rb") as opened:
            data = opened.read(_MOST + 1)
    except OSError as error:
        raise Misuse(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > _MOST:
        raise Misuse(f"{file} has more than {_MOST} bytes; keep only the codes")
    return data


def _entries(
    data: bytes, file: Path, roles: Mapping[str, str], notes: Notes
) -> tuple[str, list[Entry]]:
    match file.suffix.lower():
        case ".csv" | ".tsv" | ".tab" | ".txt":
            sheets = [delimited.read(data, file.name, notes)]
        case ".xlsx" | ".xlsm":
            sheets = workbook.read(data, file.name, notes)
        case ".java":
            return java.read(delimited.decoded(data, file.name, notes), file.name, notes)
        case ".md" | ".markdown":
            return _of_markdown(delimited.decoded(data, file.name, notes), file.name, roles, notes)
        case suffix:
            raise Misuse(
                f"{file}: {suffix or 'no suffix'} is no known format; "
                "give .csv, .tsv, .xlsx, .md or .java"
            )
    columns.check(sheets, roles, file.name)
    chosen = [sheet for sheet in sheets if columns.has_codes(sheet, roles)]
    notes += (
        Note("lost", sheet.name, "a sheet without a column of numbers")
        for sheet in sheets
        if chosen and sheet.rows and sheet not in chosen
    )
    # Without any, the longest sheet is the one to name in the message.
    chosen = chosen or [max(sheets, key=lambda sheet: len(sheet.rows))]
    return "", [entry for sheet in chosen for entry in columns.entries(sheet, roles, notes)]


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
    columns.check(sheets, roles, name)
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
    return replace(wanted, package=package, enum=name, domain=domain)


def check(text: str, catalog: Catalog, places: Mapping[str, str] | None = None) -> None:
    """Compiles a written file. Raises Misuse with all errors of protoc and the generator."""
    if half := re.search("^.*[\ud800-\udfff]", text, re.MULTILINE):
        raise Misuse(
            f"{catalog.file}: half of a character, a lone surrogate, is in an argument or a cell: "
            f"{half[0].strip()}; correct it there"
        )
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
        # The place in the sheet, for the line of a file that is gone.
        told = re.sub(
            r"^imported\.proto(?::\d+)?: (\w+)",
            lambda part: f"{(places or {}).get(part[1], catalog.file)}: {part[1]}",
            answer.error,
            flags=re.MULTILINE,
        )
        raise Misuse(
            f"{catalog.file} makes a catalogue that the generator refuses; "
            f"correct it there:\n{told}"
        )


def guard(
    output: Path | None, text: str, includes: Sequence[str], force: bool, notes: Notes
) -> None:
    """Raises Misuse if the output exists and declares what the text lacks; by force, notes it."""
    if output is None or not output.is_file():
        return
    try:
        lost = kept.lost(output, text, includes, notes)
    except Misuse:
        if not force:
            raise
        lost = ["the old text, which is no catalogue to compare with"]
    if lost and not force:
        raise Misuse(
            f"{output} declares what the new text lacks; add it to the table "
            "or give it by options, or overwrite the file by --force. This would be lost:\n"
            + "\n".join(lost)
        )
    notes += (Note("lost", str(output), each) for each in lost)


def show(text: str, notes: Notes, output: Path | None, form: str) -> Exit:
    """Writes the .proto to `output` or to standard output, and the report to standard error."""
    if output is None:
        print_file(text)
    else:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise Misuse(f"{output} cannot be written: {error.strerror}") from error
    if form == "json":
        told = [{"kind": each.kind, "place": each.place, "text": each.text} for each in notes]
        sys.stderr.write(json_text(told))
        return Exit.FINE
    lines = _summed(notes)
    if errors().is_terminal and lines:
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for column in ("", "where", "what"):
            table.add_column(column, overflow="fold")
        for note in lines:
            table.add_row(
                styled(note.kind, "red" if note.kind == "lost" else "yellow"),
                styled(note.place),
                styled(note.text),
            )
        errors().print(table)
    else:
        for note in lines:
            errors().print(" ".join(safe(f"{note.kind}: {note.place}: {note.text}").split("\n")))
    if output is not None:
        count = len(re.findall(r"\(errgrpc\.v1\.code\) =", text))
        errors().print(safe(f"wrote {output}: {count} codes"))
    return Exit.FINE


def _summed(notes: Notes) -> Notes:
    """Returns the notes, the lost ones first, with one note for each large group."""
    groups = dict[tuple[str, str], Notes]()
    for note in notes:
        groups.setdefault((note.kind, note.group or str(id(note))), []).append(note)
    found = list[tuple[int, Note]]()
    for each in groups.values():
        first = each[0]
        rank = 0 if first.kind == "lost" else 1 if "from nothing" in first.text else 2
        if len(each) > first.most:
            text = f"such as {first.place}: {first.text}"
            found.append(
                (3 if rank == 2 else rank, Note(first.kind, f"{len(each)} {first.group}", text))
            )
        else:
            found += ((rank, note) for note in each)
    return [note for _, note in sorted(found, key=lambda each: each[0])]
