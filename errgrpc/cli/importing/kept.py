"""Finds what a .proto declares and a new text for it lacks."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import StatusCode

from errgrpc.cli import tables
from errgrpc.cli.importing.entries import Notes
from errgrpc.cli.output import Misuse
from errgrpc.codegen.schema import STATUSES, Catalog, Code, enums
from errgrpc.v1 import annotations_pb2

__all__ = ["lost"]

_SHOWN = 5  # names of one kind
_UNKNOWN = StatusCode.UNKNOWN.value[0]
_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_COMMENT = re.compile(rf"{_STRING}|(//[^\n]*|/\*.*?\*/)", re.DOTALL)
_GUESSED = re.compile(r"grpc_status \w+ of (\w+): from ")


def lost(old: Path, new: str, includes: Sequence[str], notes: Notes) -> list[str]:
    """Returns what the file `old` declares and the text `new` lacks, by kind. Raises Misuse."""
    if not (text := old.read_bytes().decode(errors="replace")).strip():
        return []
    try:
        before, file = _read(old, includes)
    except Misuse as misuse:
        raise Misuse(
            f"{old} exists, and is no catalogue to compare with; "
            f"to overwrite it, give --force: {misuse}"
        ) from misuse
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder, "new.proto")
        other.write_text(new, encoding="utf-8")
        after, new_file = _read(other, ())
    guessed = {found[1] for note in notes if (found := _GUESSED.match(note.text))}
    kinds = dict[str, list[str]]()
    by_name = {catalog.full_name: catalog for catalog in after}
    for catalog in before:
        if (twin := by_name.get(catalog.full_name)) is None:
            kinds.setdefault("enum", []).append(catalog.full_name)
            continue
        for kind, name in (*_options(catalog, twin), *_codes(catalog, twin, guessed)):
            kinds.setdefault(kind, []).append(name)
    for kind, name in (*_rest(file, new_file), *_comments(text, new, before)):
        kinds.setdefault(kind, []).append(name)
    return [
        f"{kind}: {', '.join(names[:_SHOWN])}"
        + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        for kind, names in kinds.items()
    ]


def _read(file: Path, includes: Sequence[str]) -> tuple[tuple[Catalog, ...], FileDescriptorProto]:
    found = tables.load([str(file)], includes)
    (name,) = found.paths
    return found.catalogs, next(each for each in found.files.file if each.name == name)


def _options(old: Catalog, new: Catalog) -> Iterator[tuple[str, str]]:
    for name in ("domain", "default_locale", "fallback", "help_url"):
        if (value := getattr(old, name)) and value != getattr(new, name):
            yield name, value
    for status, reason in old.infer:
        if (status, reason) not in new.infer:
            yield "infer", f"{STATUSES[status].name} as {reason}"
    yield from (("locales", each) for each in old.locales if each not in new.locales)
    for first, last in old.reserved_numbers:
        if (first, last) not in new.reserved_numbers:
            yield "reserved", str(first) if first == last else f"{first} to {last}"
    yield from (("reserved", name) for name in sorted(old.reserved_names - new.reserved_names))


def _codes(old: Catalog, new: Catalog, guessed: set[str]) -> Iterator[tuple[str, str]]:
    by_number = {code.number: code for code in new.values}
    for code in old.values:
        if (twin := by_number.get(code.number)) is None:
            yield "codes", f"{code.reason} = {code.number}"
        elif code.reason not in (twin.reason, f"CODE_{code.number}"):  # no guess of `import`
            yield "reasons", f"{code.reason} = {code.number}"
        elif code.annotated:
            yield from _parts(code, twin, guessed)


def _parts(old: Code, new: Code, guessed: set[str]) -> Iterator[tuple[str, str]]:
    for name in ("description", "message", "http_status", "retryable", "resolution", "deprecated"):
        value, empty = getattr(old, name), getattr(new, name) in (None, "", False)
        if value not in (None, "") and value != getattr(new, name) and empty:
            yield name, old.reason
    # UNKNOWN was guessed from nothing.
    if new.reason in guessed and old.grpc_status not in (new.grpc_status, _UNKNOWN):
        yield f"grpc_status {STATUSES[old.grpc_status or 0].name}", old.reason
    kept = {(hint.locale.lower(), hint.when) for hint in new.hints}
    for hint in old.hints:
        if (hint.locale.lower(), hint.when) not in kept:
            yield f"hints in {hint.locale}", old.reason
    fields = {field.key: field for field in new.metadata_fields}
    for field in old.metadata_fields:
        twin = fields.get(field.key)
        if twin is None or any(
            getattr(field, name) and not getattr(twin, name)
            for name in ("description", "example", "optional", "type")
        ):
            yield f"metadata field {field.key}", old.reason


def _rest(old: FileDescriptorProto, new: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Yields what the file declares beside its catalogues, and options that are not of errgrpc."""
    yield from (("import", each) for each in old.dependency if each not in new.dependency)
    yield from (("option", field.name) for field, _ in old.options.ListFields())
    for message in old.message_type:
        yield "message", message.name
    for service in old.service:
        yield "service", service.name
    for extension in old.extension:
        yield "extend", extension.name
    catalog: Any = annotations_pb2.catalog  # protoc's stubs and types-protobuf disagree on its type
    known = {name for _, name, _ in enums(new, (), "")}
    for _, name, enum in enums(old, (), ""):
        if name not in known and not enum.options.HasExtension(catalog):
            yield "enum", name
        if name in known and _has_others(enum.options, catalog):
            yield "other options", enum.name
        for value in enum.value if name in known else ():
            if _has_others(value.options, annotations_pb2.code):
                yield "other options", value.name


def _has_others(options: Any, ours: Any) -> bool:
    rest = type(options)()
    rest.CopyFrom(options)
    if ours is annotations_pb2.code:
        rest.ClearField("deprecated")
    rest.ClearExtension(ours)
    return bool(rest.ByteSize())


def _comments(old: str, new: str, catalogs: Sequence[Catalog]) -> Iterator[tuple[str, str]]:
    """Yields the lines of comments, but no description of a code: that may change."""
    known = {*_lines(new)} | {
        line.strip()
        for catalog in catalogs
        for code in catalog.values
        for line in code.description.splitlines()
    }
    return (("comment", repr(line)) for line in _lines(old) if line not in known)


def _lines(text: str) -> Iterator[str]:
    for found in _COMMENT.finditer(text):
        for line in (found[1] or "").splitlines():
            if bare := re.sub(r"\A\s*(//|/\*+|\*+(?!/))|\*+/\s*\Z", "", line).strip(" \t*"):
                yield bare
