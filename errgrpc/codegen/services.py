"""Reads the errors that services declare, as values.

An option declares codes if all of these are true:

- It is a repeated extension of MethodOptions or ServiceOptions.
- Its type is the enum of a catalogue.
- Its name begins with `raises_` (methods) or `every_method_raises_` (services).

Like `schema`, this module judges nothing: `rules` finds the mistakes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from errgrpc.codegen.schema import Catalog, Path, Places, line_of, places_of, utf8

__all__ = ["PREFIXES", "Declared", "Extension", "Method", "Service", "extensions", "read"]

_NUMBERS = range(1_000, 2**29)  # the numbers that descriptor.proto allows for extensions of options
PREFIXES = {
    "google.protobuf.MethodOptions": "raises_",
    "google.protobuf.ServiceOptions": "every_method_raises_",
}
"""The prefix of an option that declares codes, by the message that the option extends."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One declared extension."""

    file: str
    line: int
    full_name: str
    extended: str
    """The full name of the message that it extends."""
    number: int
    repeated: bool
    type_name: str
    """The full name of its enum or message. It is empty for other types."""
    path: Path
    """The path of the extension in its FileDescriptorProto."""

    @property
    def declares(self) -> bool:
        """Whether the option declares codes, if its type is a catalogue. Its name decides."""
        prefix = PREFIXES.get(self.extended)
        return prefix is not None and self.full_name.rpartition(".")[2].startswith(prefix)


@dataclass(frozen=True, slots=True)
class Declared:
    """One code that a method or a service declares."""

    option: Extension
    number: int
    line: int


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `path` is the path of a call: `/package.Service/Method`."""

    path: str
    declared: tuple[Declared, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `declared` has the codes that every method raises."""

    file: str
    full_name: str
    declared: tuple[Declared, ...]
    methods: tuple[Method, ...]

    def every(self) -> Iterator[tuple[str, Declared]]:
        """Yields each declared code, with its service's name or its method's path."""
        yield from ((self.full_name, each) for each in self.declared)
        yield from ((method.path, each) for method in self.methods for each in method.declared)

    @property
    def declares(self) -> bool:
        """Whether the service or one of its methods declares codes."""
        return any(True for _ in self.every())


def extensions(file: FileDescriptorProto) -> list[Extension]:
    """Returns the extensions that a file declares, also those inside messages."""
    places = places_of(file)
    return list(_extensions(utf8(file.name), file, (), utf8(file.package), places))


def _extensions(
    file: str, holder: FileDescriptorProto | DescriptorProto, path: Path, scope: str, places: Places
) -> Iterator[Extension]:
    if isinstance(holder, FileDescriptorProto):
        # Field numbers of descriptor.proto.
        extension_field, message_field, messages = 7, 4, holder.message_type
    else:
        extension_field, message_field, messages = 6, 3, holder.nested_type
    for index, field in enumerate(holder.extension):
        yield Extension(
            file,
            line_of(places, (*path, extension_field, index)),
            _join(scope, utf8(field.name)),
            utf8(field.extendee).removeprefix("."),
            field.number,
            field.label == FieldDescriptorProto.LABEL_REPEATED,
            utf8(field.type_name).removeprefix("."),
            (*path, extension_field, index),
        )
    for index, message in enumerate(messages):
        yield from _extensions(
            file, message, (*path, message_field, index), _join(scope, utf8(message.name)), places
        )


def read(
    file: FileDescriptorProto, known: Sequence[Extension], catalogs: Mapping[str, Catalog]
) -> list[Service]:
    """Returns the services of a file, with the codes that they declare.

    The codes are declared by the `known` extensions whose types are among `catalogs`.
    """
    options = [
        extension
        for extension in known
        if extension.declares and extension.type_name in catalogs and extension.number in _NUMBERS
    ]
    places = places_of(file)
    package = utf8(file.package)
    services = []
    for index, service in enumerate(file.service):
        name = _join(package, utf8(service.name))
        methods = (
            Method(
                f"/{name}/{utf8(method.name)}",
                _declared(method.options, options, (6, index, 2, number, 4), places),
            )
            for number, method in enumerate(service.method)
        )
        services.append(
            Service(
                utf8(file.name),
                name,
                _declared(service.options, options, (6, index, 3), places),
                tuple(methods),
            )
        )
    return services


def _declared(
    given: Any, options: Sequence[Extension], path: Path, places: Places
) -> tuple[Declared, ...]:
    extended = given.DESCRIPTOR.full_name
    numbers = dict.fromkeys(option.number for option in options if option.extended == extended)
    kind, fields = _reader(extended, tuple(numbers))
    try:
        found = kind.FromString(given.SerializePartialToString())
    except DecodeError:  # a value that no compiler writes
        return ()
    return tuple(
        Declared(option, number, line_of(places, (*path, option.number, index), path[:-1]))
        for option in options
        if option.extended == extended
        for index, number in enumerate(found.Extensions[fields[option.number]])
    )


@lru_cache(maxsize=16)
def _reader(extended: str, numbers: tuple[int, ...]) -> tuple[Any, Mapping[int, Any]]:
    """Returns the class of an options message that has these extensions, as `repeated int32`.

    It uses a descriptor pool of its own. A pool of the request's files fails if two extensions have
    one number, or if this protobuf does not know an edition.
    """
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(descriptor_pb2.DESCRIPTOR.serialized_pb)
    file = FileDescriptorProto(
        name="errgrpc/numbers.proto",
        package="errgrpc.numbers",
        dependency=[descriptor_pb2.DESCRIPTOR.name],
    )
    for number in numbers:
        file.extension.add(
            name=f"number_{number}",
            number=number,
            label=FieldDescriptorProto.LABEL_REPEATED,
            type=FieldDescriptorProto.TYPE_INT32,
            extendee=f".{extended}",
        )
    pool.AddSerializedFile(file.SerializeToString())
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(extended))
    return kind, {
        number: pool.FindExtensionByName(f"errgrpc.numbers.number_{number}") for number in numbers
    }


def _join(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
