"""Puts the hints of a translator's file into a .proto. The rest of the .proto does not change."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from errgrpc.cli import tables as sources
from errgrpc.cli.facts import anchor
from errgrpc.cli.importing import protos
from errgrpc.cli.importing.entries import Note, Notes
from errgrpc.cli.output import Misuse
from errgrpc.cli.places import Place, character, places
from errgrpc.cli.tables import Tables
from errgrpc.cli.translations import FORMATS, Format
from errgrpc.cli.translations.texts import Condition, Text, Translated, texts
from errgrpc.codegen import plugin
from errgrpc.codegen.schema import Code, Hint, enums
from errgrpc.locales import is_language_tag
from errgrpc.placeholders import names
from errgrpc.v1 import annotations_pb2

__all__ = ["format_of", "read"]

_Key = tuple[str, Condition]
_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMENT = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|//|/\*|#""", re.DOTALL)


def format_of(file: Path) -> Format | None:
    """Returns the format of a translator's file, by its suffix."""
    suffix = file.suffix.lower()
    return next((each for each in FORMATS.values() if each.suffix == suffix), None)


def read(
    text: str, name: str, form: Format, source: str, includes: Sequence[str], locale: str
) -> tuple[str, Notes]:
    """Returns the .proto `source` with the translations, and notes on lost texts. Raises Misuse."""
    if not source.endswith(".proto") or not Path(source).is_file():
        raise Misuse(
            f"{source or '--catalogue'} is no .proto file: "
            "give the one that the translations belong to by --catalogue"
        )
    notes, known = Notes(), sources.load([source], includes)
    try:
        translated = form.read(text)
    except (ValueError, RecursionError) as error:
        raise Misuse(f"{name} cannot be read: {error}") from error
    by_key = {each.key: each for each in texts(known)}
    changed, taken = dict[str, dict[_Key, str]](), set[tuple[str, str]]()
    for each in translated:
        if locale and each.locale and locale.lower() != each.locale.lower():
            continue  # the file has several locales
        if not is_language_tag(wanted := locale or each.locale):
            raise Misuse(f"{name} does not say its language; give --locale")
        found = by_key.get(each.key)
        try:
            if found is None:
                raise ValueError("no code has this key")  # noqa: TRY301  becomes a note below
            if (each.key, wanted.lower()) in taken:
                raise ValueError("the file has this key twice; the first text is taken")  # noqa: TRY301  becomes a note, too
            template = _template(each, found, form, wanted)
        except ValueError as error:
            notes.append(Note("lost", name, f"{each.key or repr(each.text)}: {error}"))
            continue
        taken.add((each.key, wanted.lower()))
        if template != found.hint(wanted):
            changed.setdefault(anchor(found.catalog, found.code), {})[wanted, found.when] = template
    codes = {anchor(*each): each[1] for each in known.codes()}
    merged = {where: _with(codes[where], hints) for where, hints in changed.items()}
    written = _edited(
        Path(source),
        {where: spot for where, spot in places(known).items() if where in merged},
        merged,
        notes,
    )
    _check(written, known, source, includes)
    return written, notes


def _template(told: Translated, found: Text, form: Format, locale: str) -> str:
    if told.unfinished:
        raise ValueError(told.unfinished)
    if not told.text.strip():
        raise ValueError("it has no text")
    if _SURROGATE.search(told.text):
        raise ValueError("it has half of a character, a lone surrogate")
    if told.source is not None and told.source != found.source:
        raise ValueError(f"it translates {told.source!r}, and the text is now {found.source!r}")
    template = form.style.read(told.text, found.fields)
    others = [
        hint.text
        for hint in found.code.hints
        if hint.when == found.when and hint.locale.lower() != locale.lower()
    ]
    if found.fields and others and names(template) != names(others[0]):
        wanted = ", ".join(sorted(names(others[0]))) or "none"
        raise ValueError(f"it must have the placeholders of the other locales: {wanted}")
    return template


def _with(code: Code, told: Mapping[_Key, str]) -> Code:
    """Replaces the hints of the same locale and condition, and adds the other ones at the end."""
    rest = {(locale.lower(), when): (locale, text) for (locale, when), text in told.items()}
    hints = list[Hint]()
    for hint in code.hints:
        _, text = rest.pop((hint.locale.lower(), hint.when), ("", hint.text))
        hints.append(replace(hint, text=text))
    hints += (Hint(locale, text, when) for (_, when), (locale, text) in rest.items())
    return replace(code, hints=tuple(hints))


def _edited(file: Path, spots: Mapping[str, Place], codes: Mapping[str, Code], notes: Notes) -> str:
    """Returns the text of the file with new text for each of these codes."""
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"{file} is no UTF-8: {error}") from error
    carriage = "\r" if "\r\n" in text else ""
    lines = text.split("\n")
    # From the last to the first, so that no edit moves the place of another one.
    for where, spot in sorted(
        spots.items(), key=lambda each: each[1].start or (0, 0), reverse=True
    ):
        if spot.start is None or spot.end is None:
            raise Misuse(f"{file}: protoc does not say where {where} stands")
        (first, left), (last, right) = spot.start, spot.end
        before = lines[first][: character(lines[first], left)]
        behind = lines[last][character(lines[last], right) :]
        old = "\n".join(lines[first : last + 1])
        if any(
            not part[1] for part in _COMMENT.finditer(old.removeprefix(before).removesuffix(behind))
        ):
            notes.append(
                Note("lost", f"{file} line {first + 1}", f"the comments inside of {where}")
            )
        new = [line.removeprefix("  ") for line in protos.statement(codes[where])]
        indent = before if not before.strip() else "  "
        block = [before + new[0], *(indent + line for line in new[1:])]
        # `behind` has the end of the last line, which may differ from the rest of the file.
        lines[first : last + 1] = [*(line + carriage for line in block[:-1]), block[-1] + behind]
    return "\n".join(lines)


def _check(text: str, known: Tables, source: str, includes: Sequence[str]) -> None:
    """Compiles the new text in place of the old one.

    Raises Misuse if anything but hints changes, or if the generator refuses the new text.
    """
    with tempfile.TemporaryDirectory() as folder:
        name = next(iter(known.paths))
        new = Path(folder, name)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(text.encode())
        root = str(known.paths[name]).removesuffix(name) or "."
        files, _ = sources.compiled(new, (*includes, root))
    if _without_hints(files, name) != _without_hints(known.files, name):
        raise Misuse(
            f"{source} has options beside the hints that errgrpc cannot write; "
            "add the hints by hand"
        )
    answer = plugin.generate(CodeGeneratorRequest(file_to_generate=[name], proto_file=files.file))
    if answer.error:
        raise Misuse(f"the generator refuses {source} with the translations:\n{answer.error}")


def _without_hints(files: FileDescriptorSet, name: str) -> FileDescriptorProto:
    extension: Any = annotations_pb2.code  # protoc's stubs and types-protobuf disagree on its type
    file = FileDescriptorProto()
    file.CopyFrom(next(each for each in files.file if each.name == name))
    file.ClearField("source_code_info")
    for _, _, enum in enums(file, (), ""):
        for value in enum.value:
            if value.options.HasExtension(extension):
                value.options.Extensions[extension].ClearField("hints")
    return file
