"""Reads the tables of a command: classes, .proto files and folders, descriptor sets."""

import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from errgrpc.cli import settings
from errgrpc.cli.annotations import Annotation
from errgrpc.cli.output import Misuse, working
from errgrpc.codegen import schema, services
from errgrpc.codegen.breaking import load as load_set
from errgrpc.codegen.schema import Catalog, Code
from errgrpc.codes import ErrorCode
from errgrpc.specs import Spec

__all__ = ["Tables", "compiled", "load"]

_GROUP = "errgrpc.catalogues"
_OURS = ("errgrpc:ResCode", "errgrpc:ComponentCode")
_IMPORTS = (
    *(f"errgrpc.v1.{name}_code_pb2" for name in ("res", "component")),
    *(f"google.rpc.{name}_pb2" for name in ("error_details", "status", "code")),
    *(f"google.api.{name}_pb2" for name in ("annotations", "client", "field_behavior", "resource")),
)
_FAULT = re.compile(r"^(.+?):(\d+):(\d+): (.+)$", re.MULTILINE)  # a line of protoc


@dataclass(frozen=True)
class Tables:
    """Catalogues with their declarations, and the services that declare which codes they raise."""

    catalogs: tuple[Catalog, ...]
    files: FileDescriptorSet = field(default_factory=FileDescriptorSet)
    """The descriptors of the files. Classes have none here."""
    paths: Mapping[str, Path] = field(default_factory=dict)
    """The path of each source file, by its name in the descriptors."""

    @cached_property
    def services(self) -> tuple[services.Service, ...]:
        """The services of all files."""
        # All files, because a method may declare codes of an imported catalogue.
        by_name = {
            catalog.full_name: catalog
            for file in self.files.file
            for catalog in schema.read(file)
            if catalog.annotated
        }
        known = [extension for file in self.files.file for extension in services.extensions(file)]
        return tuple(
            service for file in self.files.file for service in services.read(file, known, by_name)
        )

    @cached_property
    def methods(self) -> Mapping[tuple[str, int], tuple[str, ...]]:
        """The methods that declare a code, by the full name of its catalogue and its number."""
        found = dict[tuple[str, int], dict[str, None]]()
        for service in self.services:
            for method in service.methods:
                for each in (*service.declared, *method.declared):
                    found.setdefault((each.option.type_name, each.number), {})[method.path] = None
        return {code: tuple(paths) for code, paths in found.items()}

    def codes(self) -> Iterator[tuple[Catalog, Code]]:
        """Yields each code with its catalogue."""
        return ((catalog, code) for catalog in self.catalogs for code in catalog.codes)


def load(sources: Sequence[str] = (), includes: Sequence[str] = ()) -> Tables:
    """Returns the tables of these sources.

    Without sources, it takes the `catalogues` of pyproject.toml. If it names none, it takes the
    entry points of the group `errgrpc.catalogues` and errgrpc's own.

    Args:
        sources: Each is `module:Class`, a `.proto` file, a folder of them, or a descriptor set.
        includes: Folders in which protoc looks for imports.

    Raises:
        Misuse: A source cannot be read, or no source declares a catalogue.
    """
    classes, protos, catalogs = list[type[ErrorCode]](), list[Path](), list[Catalog]()
    files, paths = FileDescriptorSet(), dict[str, Path]()
    sources = sources or settings.read().catalogues or _installed()
    for source in sources:
        path = Path(source)
        if path.is_dir() or (path.suffix == ".proto" and path.exists()):
            protos.append(path)
        elif path.is_file():
            try:
                _merge(files, load_set(source), ())
            except (OSError, ValueError) as error:
                raise Misuse(str(error)) from error
        elif ":" in source and "/" not in source:
            classes.append(_class(source))
        else:
            raise Misuse(
                f"{source} is no catalogue: give module:Class, a .proto file, a folder of them, "
                "or a descriptor set"
            )
    of_sets = {file.name for file in files.file}
    for path in protos:
        found, places = compiled(path, includes)
        for name in places.keys() & paths.keys():
            if not places[name].samefile(paths[name]):
                raise Misuse(
                    f"{paths[name]} and {places[name]} are both {name} to protoc: "
                    "give the folder that holds both"
                )
        _merge(files, found, places)
        paths |= places
    catalogs += (
        catalog for file in files.file for catalog in schema.read(file) if catalog.annotated
    )
    if paths:  # imported tables, ours say, are not what was asked for
        asked = {*of_sets, *paths}
        catalogs = [catalog for catalog in catalogs if catalog.file in asked] or catalogs
    catalogs += (of_class(catalogue) for catalogue in classes)
    if not catalogs:
        raise Misuse(
            f"{', '.join(sources)}: no enum with (errgrpc.v1.catalog) is declared there; "
            "see docs/protobuf.md"
        )
    return Tables(tuple(catalogs), files, paths)


def _installed() -> tuple[str, ...]:
    return (*dict.fromkeys([*(entry.value for entry in entry_points(group=_GROUP)), *_OURS]),)


def compiled(
    source: Path, includes: Sequence[str] = ()
) -> tuple[FileDescriptorSet, dict[str, Path]]:
    """Compiles a .proto file, or all files of a folder, with their imports.

    The folder is the first include path. For a file, the first include path is the folder in which
    its package begins. The files of errgrpc and googleapis need not be there.

    Returns:
        The descriptors, and the path of each file by its name in the descriptors.

    Raises:
        Misuse: protoc is missing or refuses the files.
    """
    try:
        from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415  of the extra
    except ImportError as error:
        raise Misuse(
            "to compile .proto files the command needs grpcio-tools: pip install 'errgrpc[cli]'"
        ) from error
    root = source if source.is_dir() else _root(source)
    found = sorted(source.rglob("*.proto")) if source.is_dir() else [source]
    found = [
        path
        for path in found
        if not any(
            part.startswith(".") or part == "node_modules" for part in path.relative_to(root).parts
        )
    ]
    if not found:
        raise Misuse(f"{source}: no .proto file is in this folder")
    own = Path(str(protoc.__file__)).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        known, out = Path(folder, "known.binpb"), Path(folder, "out.binpb")
        known.write_bytes(_known().SerializeToString())
        names = {path.relative_to(root).as_posix(): path for path in found}
        listed = Path(folder, "arguments")
        # The paths: protoc takes a bare name for a file of the current folder, if one is there.
        listed.write_text("\n".join(map(str, found)))
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            *(f"-I{path}" for path in (root, *includes, own)),
        ]
        command += [
            f"--descriptor_set_in={known}",
            f"--descriptor_set_out={out}",
            "--include_imports",
            "--include_source_info",
        ]
        command.append(f"@{listed}")
        with working(f"protoc compiles {source}"):
            ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  no shell
        if ran.returncode:
            said = ran.stderr.strip()
            if "was not found" in said:
                said += "\nGive the folders of imports by --include."
            raise Misuse(f"protoc refuses {source}:\n{said}", _faults(said))
        return FileDescriptorSet.FromString(out.read_bytes()), names


def _faults(said: str) -> list[Annotation]:
    return [
        Annotation(
            "protoc",
            "warning" if message.startswith("warning: ") else "error",
            "protoc",
            message.removeprefix("warning: "),
            Path(file).as_posix(),
            int(line),
            int(column),
        )
        for file, line, column, message in _FAULT.findall(said)
    ]


def _root(file: Path) -> Path:
    """Returns the folder in which the package of a file begins.

    For `protos/shop/v1/shop.proto` with `package shop.v1`, it is `protos`.
    """
    package = ""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.strip().startswith("package "):
            package = line.strip()[8:].split(";")[0].strip()
            break
    folder = file.parent
    for part in reversed(package.split(".")) if package else ():
        if folder.name != part:
            return file.parent
        folder = folder.parent
    return folder if str(folder) else Path()


def _known() -> FileDescriptorSet:
    """Returns the installed files of errgrpc, googleapis and protobuf that sources may import."""
    found = FileDescriptorSet()
    seen = set[str]()

    def add(file: FileDescriptor) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for needed in file.dependencies:
                add(needed)
            file.CopyToProto(found.file.add())

    for name in _IMPORTS:
        module = importlib.import_module(name)
        add(module.DESCRIPTOR)
    for name in ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"):
        importlib.import_module(f"google.protobuf.{name}_pb2")
        add(descriptor_pool.Default().FindFileByName(f"google/protobuf/{name}.proto"))
    return found


def _merge(files: FileDescriptorSet, more: FileDescriptorSet, named: Container[str]) -> None:
    """Adds files.

    A file that is `named` replaces one of the same name: a source on disk is newer than a set.
    """
    known = {file.name: file for file in files.file}
    for file in more.file:
        if file.name not in known:
            files.file.add().CopyFrom(file)
        elif file.name in named or not known[file.name].source_code_info.location:
            known[file.name].CopyFrom(file)


def _class(source: str) -> type[ErrorCode]:
    module, _, name = source.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise Misuse(f"{source} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(found, type) or not issubclass(found, ErrorCode):
        raise Misuse(f"{source} is no catalogue: give a subclass of errgrpc.ErrorCode")
    return found


def of_class(catalogue: type[ErrorCode]) -> Catalog:
    """Returns the declarations of a class in the form of its .proto."""
    return Catalog(
        file=f"{catalogue.__module__}:{catalogue.__qualname__}",
        package="",
        name=_full_name(catalogue),
        line=0,
        description=_doc(catalogue),
        annotated=True,
        domain=catalogue.domain,
        default_locale=catalogue.default_locale,
        fallback=catalogue.fallback.reason if catalogue.fallback is not None else "",
        infer=tuple((status.value[0], code.reason) for status, code in catalogue.inference.items()),
        values=tuple(_code(code.reason, code.number, code.spec) for code in catalogue),
        locales=catalogue.locales,
        help_url=catalogue._help_url,  # noqa: SLF001  the template of all codes
    )


def _full_name(catalogue: type[ErrorCode]) -> str:
    """The name of its enum; that of the class if it was not generated."""
    if name := catalogue._full_name:  # noqa: SLF001  only what reads tables needs it
        return name
    is_domain = catalogue.domain.rpartition(".")[2] == catalogue.__name__
    return catalogue.domain if is_domain else catalogue.__qualname__


def _doc(catalogue: type[ErrorCode]) -> str:
    text = catalogue.__doc__ or ""
    return (
        ""
        if text == ErrorCode.__doc__
        else "\n".join(line.strip() for line in text.strip().splitlines())
    )


def _code(reason: str, number: int, spec: Spec) -> Code:
    types = {kind: number for number, kind in schema.TYPES.items()}
    hints = [schema.Hint(locale, text, ()) for locale, text in spec.hints.items()]
    for variant in spec.variants:
        hints += (
            schema.Hint(locale, text, tuple(sorted(variant.when.items())))
            for locale, text in variant.hints.items()
        )
    return Code(
        name=reason,
        reason=reason,
        number=number,
        line=0,
        description=spec.description,
        annotated=True,
        grpc_status=spec.grpc_status.value[0],
        http_status=spec.http_status,
        message=spec.message,
        hints=tuple(hints),
        deprecated=spec.deprecated,
        metadata_fields=tuple(
            schema.Field(each.key, each.description, each.example, each.optional, types[each.type])
            for each in spec.metadata_fields
        ),
        retryable=spec.retryable,
        resolution=spec.resolution,
    )
