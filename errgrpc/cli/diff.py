"""`errgrpc diff`: shows the changes between two versions of the tables, and which are breaking."""

import os
import posixpath
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from errgrpc.cli import tables
from errgrpc.cli.annotations import Annotation, Level, Rule, github, sarif
from errgrpc.cli.output import (
    Exit,
    Misuse,
    console,
    errors,
    print_json,
    print_line,
    safe,
    styled,
    working,
)
from errgrpc.codegen import breaking, schema, services
from errgrpc.codegen.breaking import CHANGES, Change, Severity

__all__ = ["Place", "compare", "show"]

Place = tuple[str, int]
"""A file and a line; 0 if the line is unknown."""

SEVERITIES: tuple[Severity, ...] = ("note", "caution", "breaking")
_LEVELS: Mapping[Severity, Level] = {"breaking": "error", "caution": "warning", "note": "note"}
_STYLES: Mapping[Severity, str] = {"breaking": "bold red", "caution": "yellow", "note": "dim"}


def compare(old: str, new: str, includes: Sequence[str] = ()) -> tuple[list[Change], list[Place]]:
    """Returns the changes from one source to another, and the place of each.

    The place is in the new source, or in the old one if the new one no longer has the declaration.
    A source is a descriptor set, a `.proto` file, a folder of them, or one of these in a git
    revision, such as `main:protos`. Raises Misuse.
    """
    with (
        _read(old, includes, may_lack=True) as (before, old_paths),
        _read(new, includes) as (after, new_paths),
    ):
        with working("comparing the tables"):
            changes = breaking.compare(before, after)
        known = dict(_places(before, old_paths)) | dict(_places(after, new_paths))
        return changes, [known.get(change.where, ("", 0)) for change in changes]


@contextmanager
def _read(
    source: str, includes: Sequence[str], *, may_lack: bool = False
) -> Iterator[tuple[FileDescriptorSet, Mapping[str, Path]]]:
    """Yields the descriptors of a source, and the paths of its files.

    If `may_lack` is true and a revision lacks the path, both are empty.
    """
    if source.startswith("-"):
        raise Misuse(
            f"{source} begins with `-`: give a descriptor set, a .proto file, a folder of them, "
            "or REVISION:PATH"
        )
    if Path(source).exists():
        yield _of_path(Path(source), includes)
    elif ":" in source:
        with tempfile.TemporaryDirectory() as folder:
            revision, _, path = source.partition(":")
            inner, prefix, lacks = _checkout(revision, path, Path(folder))
            if lacks and not may_lack:
                raise Misuse(lacks)
            if lacks:
                errors().print(safe(f"note: {lacks}. It counts as an empty table."))
                yield FileDescriptorSet(), {}
                return
            own = [
                str(Path(folder, prefix, include))
                for include in includes
                if not os.path.isabs(include)
            ]
            try:
                files, paths = _of_path(inner, [*own, *includes])
            except Misuse as misuse:  # it names the place of the copy
                told = str(misuse).replace(str(inner), source)
                raise Misuse(told.replace(f"{folder}/", f"{revision}:")) from misuse
            yield (
                files,
                {
                    name: Path(os.path.relpath(place, Path(folder, prefix)))
                    for name, place in paths.items()
                },
            )
    else:
        raise Misuse(
            f"{source} does not exist: give a descriptor set, a .proto file, a folder of them, "
            "or REVISION:PATH"
        )


def _of_path(path: Path, includes: Sequence[str]) -> tuple[FileDescriptorSet, Mapping[str, Path]]:
    if path.is_dir() or path.suffix == ".proto":
        return tables.compiled(path, [include for include in includes if Path(include).is_dir()])
    try:
        return breaking.load(str(path)), {}
    except (OSError, ValueError) as error:
        raise Misuse(str(error)) from error


def _checkout(revision: str, path: str, folder: Path) -> tuple[Path, str, str]:
    """Copies the .proto files of a revision, or one descriptor set, into a folder.

    Returns the new place of `path`, the caller's folder relative to the top of the repository, and
    what the revision lacks, if anything.
    """
    if revision.startswith("-") or path.startswith("-"):
        raise Misuse(f"{revision}:{path}: neither a revision nor a path may begin with `-`")
    commit = _git(
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{revision}^{{commit}}",
        said=f"{revision} is no revision",
    ).strip()
    prefix = _git("rev-parse", "--show-prefix").decode().strip()
    inner = posixpath.normpath(posixpath.join(prefix, path or "."))
    if inner.startswith(("../", "/")) or inner == "..":
        raise Misuse(f"{revision}:{path} is outside of the repository")
    name = commit.decode()
    objects = dict[str, str]()
    listed = _git("ls-tree", "-r", "-z", "--full-tree", name).decode(errors="surrogateescape")
    for mode, _, object_, file in (
        re.split("[ \t]", each, maxsplit=3) for each in listed.split("\0")[:-1]
    ):
        objects[file] = object_ if mode.startswith("100") else ""  # no symlink, no submodule
    files = [file for file in objects if inner == "." or f"{file}/".startswith(f"{inner}/")]
    if files == [inner] and not inner.endswith(".proto"):
        target = folder / "set.binpb"
        target.write_bytes(_git("cat-file", "blob", f"{name}:{inner}"))
        return target, prefix, ""
    if not any(file.endswith(".proto") for file in files):
        what = f".proto file in {inner}" if files else inner
        root = " (the path is relative to the working directory)" if prefix else ""
        return folder, prefix, f"{revision} has no {what}{root}"
    # Not by `git archive`, which leaves out what `.gitattributes` marks as export-ignore.
    protos = {file: each for file, each in objects.items() if each and file.endswith(".proto")}
    batch = BytesIO(_git("cat-file", "--batch", given="\n".join(protos.values()).encode()))
    for file in protos:
        size = int(batch.readline().split()[-1])
        place, data = folder / file, batch.read(size + 1)[:size]
        if ".." not in place.parts:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    target = folder / inner
    if not target.exists():
        raise Misuse(f"{revision}:{path} has no .proto file")
    return target, prefix, ""


def _git(*arguments: str, said: str = "", given: bytes = b"") -> bytes:
    try:
        ran = subprocess.run(["git", *arguments], input=given, capture_output=True, check=False)  # noqa: S603, S607  no shell; git from PATH
    except FileNotFoundError as error:
        raise Misuse("to read a revision the command needs git, which is not installed") from error
    if ran.returncode:
        text = ran.stderr.decode(errors="replace").strip()
        raise Misuse("git: " + "; ".join(filter(None, (said, text))))
    return ran.stdout


def _places(files: FileDescriptorSet, paths: Mapping[str, Path]) -> Iterator[tuple[str, Place]]:
    """Yields the place of each declaration, by the name that changes give it."""
    catalogs = {catalog.full_name: catalog for file in files.file for catalog in schema.read(file)}
    known = [extension for file in files.file for extension in services.extensions(file)]

    def place(file: str, line: int) -> Place:
        return str(paths.get(file, file)), line

    for catalog in catalogs.values():
        yield catalog.full_name, place(catalog.file, catalog.line)
        yield from (
            (f"{catalog.full_name}: {code.reason}", place(catalog.file, code.line))
            for code in catalog.codes
        )
    yield from ((extension.full_name, place(extension.file, extension.line)) for extension in known)
    for file in files.file:
        places = schema.places_of(file)
        for index, service in enumerate(services.read(file, known, catalogs)):
            yield service.full_name, place(service.file, schema.line_of(places, (6, index)))
            for number, method in enumerate(service.methods):
                yield (
                    method.path,
                    place(service.file, schema.line_of(places, (6, index, 2, number))),
                )


def show(
    changes: Sequence[Change],
    places: Sequence[Place],
    form: str,
    fail_on: Severity,
    allowed: Collection[str],
) -> Exit:
    """Prints the changes. Returns 1 if one reaches the severity `fail_on` and is not allowed."""
    fails = SEVERITIES[SEVERITIES.index(fail_on) :]
    if form == "json":
        print_json(
            [
                _as_json(change, place, change.id in allowed)
                for change, place in zip(changes, places, strict=True)
            ]
        )
    elif form == "sarif":
        print_json(
            sarif(
                list(_annotations(changes, places, allowed)),
                {
                    id_: Rule(id_.replace("-", " "), _LEVELS[severity], "docs/command-diff.md")
                    for id_, severity in CHANGES.items()
                },
            )
        )
    elif form == "github":
        for each in _annotations(changes, places, allowed):
            print_line(github(each))
    elif form == "markdown":
        print_line("\n".join(_markdown(changes, allowed)))
    else:
        for change in changes:
            line = styled("allowed " if change.id in allowed else "")
            line.append_text(styled(change.severity, _STYLES[change.severity])).append_text(
                styled(f": {_line(change)}")
            )
            console().print(line)
        console().print(_summary(changes))
    return (
        Exit.FINDINGS
        if any(change.severity in fails and change.id not in allowed for change in changes)
        else Exit.FINE
    )


def _line(change: Change) -> str:
    return " ".join(f"{change.where}: {change.what} [{change.id}]".split())


def _as_json(change: Change, place: Place, allowed: bool) -> Mapping[str, object]:
    own = {"id": change.id, "severity": change.severity, "where": change.where, "what": change.what}
    return own | {"file": place[0] or None, "line": place[1] or None, "allowed": allowed}


def _annotations(
    changes: Sequence[Change], places: Sequence[Place], allowed: Collection[str]
) -> Iterator[Annotation]:
    for change, (file, line) in zip(changes, places, strict=True):
        level = "note" if change.id in allowed else _LEVELS[change.severity]
        yield Annotation(change.id, level, change.where, change.what, file, line)


def _markdown(changes: Sequence[Change], allowed: Collection[str]) -> Iterator[str]:
    """Yields the lines of a review comment, with the highest severity first."""
    yield f"**Error tables:** {_summary(changes)}"
    for severity in reversed(SEVERITIES):
        if found := [change for change in changes if change.severity == severity]:
            yield from (
                "",
                f"### {severity.capitalize()}",
                "",
                "| where | what | id |",
                "|---|---|---|",
            )
            for change in found:
                mark = " (allowed)" if change.id in allowed else ""
                yield f"| {_cell(change.where)} | {_cell(change.what)} | `{change.id}`{mark} |"


def _cell(text: str) -> str:
    """Returns a cell of a table. It is code, so that no text becomes a link, a mention or HTML."""
    text = " ".join(safe(text).split()).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _summary(changes: Sequence[Change]) -> str:
    count = Counter(change.severity for change in changes)
    words = {"breaking": "{} breaking", "caution": "{} to look at", "note": "{} to note"}
    return (
        ", ".join(words[severity].format(count[severity]) for severity in reversed(SEVERITIES))
        if changes
        else "no change"
    )
