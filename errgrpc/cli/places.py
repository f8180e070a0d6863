"""The places of declarations in their files, with their comments."""

from dataclasses import dataclass

from errgrpc.cli.facts import anchor
from errgrpc.cli.tables import Tables
from errgrpc.codegen import schema, services
from errgrpc.codegen.schema import Catalog, Path, Places, utf8
from errgrpc.codegen.services import Service

__all__ = ["Place", "character", "has_comments", "linted_services", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """A declaration: its file as the descriptors name it, its span, and its comments.

    `leading` is the comment before the declaration, `trailing` the one after it. Lines and columns
    are protoc's: they count from 0, and columns count bytes, with tab stops of 8.
    """

    file: str
    start: tuple[int, int] | None = None
    end: tuple[int, int] | None = None
    leading: str = ""
    trailing: str = ""
    path: Path = ()
    """The path of the declaration in its FileDescriptorProto."""


def places(tables: Tables) -> dict[str, Place]:
    """Returns the place of each catalogue, code, service and method, by its full name."""
    catalogs = {catalog.full_name: catalog for catalog in tables.catalogs}
    found = {name: Place(catalog.file) for name, catalog in catalogs.items()}
    found |= {anchor(catalog, code): Place(catalog.file) for catalog, code in tables.codes()}
    wanted = {service.full_name for service in linted_services(tables)}
    for file in tables.files.file:
        known, name_of_file, package = schema.places_of(file), utf8(file.name), utf8(file.package)
        for path, enum, _ in schema.enums(file, (), ""):
            catalog = catalogs.get(_joined(package, enum))
            if catalog is not None and catalog.file == name_of_file:
                found[catalog.full_name] = _place(name_of_file, known, path)
                for index, value in enumerate(catalog.values):
                    found[anchor(catalog, value)] = _place(name_of_file, known, (*path, 2, index))
        for extension in services.extensions(file):
            found[extension.full_name] = _place(name_of_file, known, extension.path)
        for index, service in enumerate(file.service):
            if (name := _joined(package, utf8(service.name))) in wanted:
                found[name] = _place(name_of_file, known, (6, index))
                for number, method in enumerate(service.method):
                    found[_joined(name, utf8(method.name))] = _place(
                        name_of_file, known, (6, index, 2, number)
                    )
    return found


def linted_services(tables: Tables) -> list[Service]:
    """Returns the services of the sources, without the services of imported files."""
    return [
        service for service in tables.services if not tables.paths or service.file in tables.paths
    ]


def has_comments(catalog: Catalog) -> bool:
    """Returns False for a descriptor set that was built without comments."""
    return bool(catalog.line) or not catalog.file.endswith(".proto")


def character(line: str, column: int) -> int:
    """Returns the index of the character at a column of protoc."""
    seen = 0
    for index, each in enumerate(line):
        if seen >= column:
            return index
        seen += 8 - seen % 8 if each == "\t" else len(each.encode())
    return len(line)


def _joined(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _place(file: str, known: Places, path: Path) -> Place:
    location = known.get(path)
    if location is None or len(location.span) not in (3, 4):
        return Place(file, path=path)
    line, column, *end = location.span
    return Place(
        file,
        (line, column),
        (end[0], end[1]) if len(end) > 1 else (line, end[0]),
        utf8(location.leading_comments),
        utf8(location.trailing_comments),
        path,
    )
