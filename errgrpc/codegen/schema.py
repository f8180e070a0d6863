"""Reads the declarations of annotated enums as values.

Reading never fails and never judges: `errgrpc.codegen.rules` finds the mistakes.
"""

import keyword
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FileDescriptorProto,
    SourceCodeInfo,
)

from errgrpc.codes import STATUSES
from errgrpc.specs import MetadataType
from errgrpc.v1 import annotations_pb2

__all__ = [
    "STATUSES", "TYPES", "Catalog", "Code", "Field", "Hint", "Path", "Places", "enums", "line_of",
    "places_of", "read", "upper_snake", "utf8",
]  # fmt: skip

# names of Python that the generated modules use
_USED = {"bool", "float", "frozenset", "int", "str"}
# Any: the stubs of protoc and of types-protobuf disagree on the type of an extension.
_CATALOG: Any = annotations_pb2.catalog
_CODE: Any = annotations_pb2.code
# comments for linters, which describe nothing
_FOR_LINTERS = ("buf:lint:ignore", "errgrpc:lint:ignore")
Path = tuple[int, ...]
Places = Mapping[Path, SourceCodeInfo.Location]


@dataclass(frozen=True, slots=True)
class Hint:
    """One text for the end user. `when` is sorted by key."""

    locale: str
    text: str
    when: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One declared metadata key. `type` is the number of a `MetadataField.Type`."""

    key: str
    description: str
    example: str
    optional: bool
    type: int


TYPES: Mapping[int, MetadataType] = {0: str, 1: int, 2: float, 3: bool}
"""The Python type for each number of `MetadataField.Type`."""


@dataclass(frozen=True, slots=True)
class Code:
    """One declared enum value. It is an error code if it is `annotated`."""

    name: str
    reason: str
    number: int
    line: int
    description: str
    annotated: bool
    grpc_status: int | None
    http_status: int | None
    message: str
    hints: tuple[Hint, ...]
    deprecated: bool = False
    metadata_fields: tuple[Field, ...] = ()
    retryable: bool | None = None
    resolution: str = ""

    @property
    def has_prefix(self) -> bool:
        """Whether the name begins with the enum's prefix, which the reason omits."""
        return self.name != self.reason

    @property
    def variants(self) -> list[tuple[dict[str, str], dict[str, str]]]:
        """The hints that have a condition, grouped by it.

        If two conditions have equal length, the one declared first stays first.
        """
        groups: list[tuple[dict[str, str], dict[str, str]]] = []
        for hint in self.hints:
            if not (when := dict(hint.when)):
                continue
            group = None
            for other, hints in groups:
                if other == when:
                    group = hints
                elif (
                    group is not None
                    and len(other) == len(when)
                    and hint.locale.lower() in map(str.lower, hints)
                ):
                    # In the earlier group, this text would come before one that was declared first.
                    group = None
            if group is None:
                groups.append((when, group := {}))
            group[hint.locale] = hint.text
        return groups


@dataclass(frozen=True, slots=True)
class Catalog:
    """One declared enum. It is a catalogue if it is `annotated`.

    `name` omits the package, but has the names of the messages around the enum.
    """

    file: str
    package: str
    name: str
    line: int
    description: str
    annotated: bool
    domain: str
    default_locale: str
    fallback: str
    infer: tuple[tuple[int, str], ...]
    values: tuple[Code, ...]
    prefix: str = ""
    """The prefix of the values by buf's ENUM_VALUE_PREFIX: `SHOP_CODE_` for `ShopCode`."""
    reserved_numbers: tuple[tuple[int, int], ...] = ()
    """The first and the last number of each range."""
    reserved_names: frozenset[str] = frozenset()
    locales: tuple[str, ...] = ()
    help_url: str = ""

    @property
    def full_name(self) -> str:
        """The name of the enum with its package."""
        return f"{self.package}.{self.name}" if self.package else self.name

    @property
    def class_name(self) -> str:
        """The name of the Python class.

        It is `OuterInner` for `Inner` in the message `Outer`, `None_` for `None`, and `int_` for
        `int`.
        """
        name = self.name.replace(".", "")
        return (
            name + "_"
            if keyword.iskeyword(name) or name.startswith("__") or name in _USED
            else name
        )

    @property
    def codes(self) -> list[Code]:
        """The values that are error codes."""
        return [value for value in self.values if value.annotated]


def read(file: FileDescriptorProto) -> list[Catalog]:
    """Returns the enums of a file that are annotated or have annotated values.

    The enums of the top level come first, then those in each message.
    """
    places = places_of(file)
    found = (_catalog(file, path, name, enum, places) for path, name, enum in enums(file, (), ""))
    return [catalog for catalog in found if catalog.annotated or catalog.codes]


def enums(
    holder: FileDescriptorProto | DescriptorProto, path: Path, outer: str
) -> Iterator[tuple[Path, str, EnumDescriptorProto]]:
    """Yields each enum with its path and its name; call it as `enums(file, (), "")`.

    The enums of the top level come first, then those in each message.
    """
    if isinstance(holder, FileDescriptorProto):
        # Field numbers of descriptor.proto.
        enum_field, message_field, messages = 5, 4, holder.message_type
    else:
        enum_field, message_field, messages = 4, 3, holder.nested_type
    for index, enum in enumerate(holder.enum_type):
        yield (*path, enum_field, index), outer + utf8(enum.name), enum
    for index, message in enumerate(messages):
        yield from enums(message, (*path, message_field, index), f"{outer}{utf8(message.name)}.")


def _catalog(
    file: FileDescriptorProto, path: Path, name: str, enum: EnumDescriptorProto, places: Places
) -> Catalog:
    catalog = enum.options.Extensions[_CATALOG]
    prefix = upper_snake(utf8(enum.name)) + "_"
    line, description = _place(places, path)
    return Catalog(
        file=utf8(file.name),
        package=utf8(file.package),
        name=name,
        line=line,
        description=description,
        annotated=enum.options.HasExtension(_CATALOG),
        domain=catalog.domain,
        default_locale=catalog.default_locale,
        fallback=catalog.fallback,
        infer=tuple((row.grpc_status, row.reason) for row in catalog.infer),
        values=tuple(
            _value(value, prefix, _place(places, (*path, 2, index)))
            for index, value in enumerate(enum.value)
        ),
        prefix=prefix,
        reserved_numbers=tuple((reserved.start, reserved.end) for reserved in enum.reserved_range),
        reserved_names=frozenset(map(utf8, enum.reserved_name)),
        locales=tuple(catalog.locales),
        help_url=catalog.help_url,
    )


def _value(value: EnumValueDescriptorProto, prefix: str, place: tuple[int, str]) -> Code:
    code = value.options.Extensions[_CODE]
    name = utf8(value.name)
    return Code(
        name=name,
        reason=name.removeprefix(prefix),
        number=value.number,
        line=place[0],
        description=place[1],
        annotated=value.options.HasExtension(_CODE),
        grpc_status=code.grpc_status if code.HasField("grpc_status") else None,
        http_status=code.http_status if code.HasField("http_status") else None,
        message=code.message,
        hints=tuple(
            Hint(hint.locale, hint.text, tuple(sorted(hint.when.items()))) for hint in code.hints
        ),
        deprecated=value.options.deprecated,
        metadata_fields=tuple(
            Field(f.key, f.description, f.example, f.optional, f.type) for f in code.metadata_fields
        ),
        retryable=code.retryable if code.HasField("retryable") else None,
        resolution=code.resolution,
    )


def utf8(text: str | bytes) -> str:
    """Returns a text of descriptor.proto as str: protobuf returns bytes if it is not UTF-8."""
    return text if isinstance(text, str) else text.decode(errors="replace")


def places_of(file: FileDescriptorProto) -> Places:
    """Returns the place of each declaration by its path; empty if the set has no source info."""
    return {tuple(place.path): place for place in file.source_code_info.location}


def line_of(places: Places, *paths: Path) -> int:
    """Returns the line of the first declaration whose place is known, or 0."""
    return next(
        (places[path].span[0] + 1 for path in paths if path in places and places[path].span), 0
    )


def upper_snake(name: str) -> str:
    """Returns `HTTP_CODE` for `HTTPCode`, as buf's ENUM_VALUE_PREFIX has it."""
    return (
        re.sub(r"_+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^_])(?=[A-Z][a-z])", "_", name))
        .strip("_")
        .upper()
    )


def _place(places: Places, path: Path) -> tuple[int, str]:
    """Returns the line of a declaration, and the comments before and after it."""
    if (place := places.get(path)) is None:
        return 0, ""
    comments = (_comment(utf8(place.leading_comments)), _comment(utf8(place.trailing_comments)))
    return line_of(places, path), "\n\n".join(filter(None, comments))


def _comment(text: str) -> str:
    # In a `/**` comment, the second star is left.
    lines = (line.rstrip() for line in re.sub(r"\A\*+", "", text).expandtabs().split("\n"))
    return textwrap.dedent(
        "\n".join(line for line in lines if not line.lstrip().startswith(_FOR_LINTERS))
    ).strip()
