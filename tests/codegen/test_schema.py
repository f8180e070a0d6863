"""What errgrpc reads from descriptors: names, places, comments, options."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from errgrpc.codegen import schema

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Run = Callable[..., Any]

# fmt: off
ENUMS = [
    "ResCode", "HTTPCode", "V1Code", "Code2XX", "IPv6Error", "Foo_Bar", "foo", "ResCODE",
    "Http2Code", "_X", "Y_", "A__B", "OAuth2Token", "fooBar2baz", "S3", "AB1C", "A_bC",
    "ErrorCODEv2", "ABCdEF", "x1Y", "E",
]
# fmt: on


def read(build: Build, text: str) -> list[schema.Catalog]:
    head = 'syntax = "proto3"; package x.v1; import "errgrpc/v1/annotations.proto";\n'
    files = build({"x.proto": head + text})
    return schema.read(next(file for file in files.file if file.name == "x.proto"))


def test_prefixes_are_those_of_buf(workspace: Callable[..., Path], tool: Run) -> None:
    text = "\n".join(f"enum {name} {{ WRONG{index} = 0; }}" for index, name in enumerate(ENUMS))
    folder = workspace({"x/x.proto": f'syntax = "proto3";\npackage x;\n{text}\n'})
    (folder / "buf.yaml").write_text("version: v2\nlint: {use: [ENUM_VALUE_PREFIX]}\n")
    output = tool("buf", "lint", "--path", "x", cwd=folder).stdout.decode()
    prefixes = dict(re.findall(r'name "WRONG(\d+)" should be prefixed with "(\w+)"', output))
    assert len(prefixes) == len(ENUMS)
    file = FileDescriptorProto()
    for index, name in enumerate(ENUMS):
        enum = file.enum_type.add(name=name)
        value = enum.value.add(name=prefixes[str(index)] + "SOMETHING")
        options: Any = value.options
        options.Extensions[schema._CODE].SetInParent()
    assert [catalog.values[0].reason for catalog in schema.read(file)] == ["SOMETHING"] * len(ENUMS)


def test_names_lines_and_order(build: Build) -> None:
    catalogs = read(
        build,
        "message Outer {\n  message Middle {\n    enum Inner {\n"
        "      option (errgrpc.v1.catalog) = {};\n      INNER_ABC = 0;\n    }\n  }\n"
        "  enum Near {\n    NEAR_ABC = 0 [(errgrpc.v1.code) = {}];\n    DEF = 1;\n  }\n}\n"
        "enum Top { option (errgrpc.v1.catalog) = {}; TOP = 0; }\n"
        "enum Other { OTHER = 0; }\n",
    )
    assert [
        (catalog.full_name, catalog.class_name, catalog.line, catalog.annotated)
        for catalog in catalogs
    ] == [
        ("x.v1.Top", "Top", 14, True),
        ("x.v1.Outer.Near", "OuterNear", 9, False),
        ("x.v1.Outer.Middle.Inner", "OuterMiddleInner", 4, True),
    ]
    assert [
        (value.name, value.reason, value.line, value.annotated) for value in catalogs[1].values
    ] == [
        ("NEAR_ABC", "ABC", 10, True),
        ("DEF", "DEF", 11, False),
    ]
    assert catalogs[0].codes == []


def test_absence_is_not_zero(build: Build) -> None:
    (catalog,) = read(
        build,
        "enum E { option (errgrpc.v1.catalog) = {};\n"
        "A = 0 [(errgrpc.v1.code) = {}];\n"
        "B = 1 [(errgrpc.v1.code) = {grpc_status: OK http_status: 0}]; }",
    )
    assert [(code.grpc_status, code.http_status) for code in catalog.codes] == [
        (None, None),
        (0, 0),
    ]
    assert (catalog.domain, catalog.default_locale, catalog.fallback, catalog.infer) == (
        "",
        "",
        "",
        (),
    )


@pytest.mark.parametrize(
    ("comment", "description"),
    [
        ("// One.", "One."),
        ("//One.", "One."),
        ("// One.\n// Two.", "One.\nTwo."),
        ("// One.\n//\n//   indented\n//\ttab", "One.\n\n  indented\n       tab"),
        ("//    - indented\n//    - all", "- indented\n   - all"),
        ("/* Block. */", "Block."),
        ("/** Block. */", "Block."),
        ("/**\n * Block.\n *  - more\n */", "Block.\n - more"),
        ("// * a point\n// * another", "* a point\n* another"),
        ("// buf:lint:ignore ENUM_VALUE_PREFIX", ""),
        ("// One.\n// buf:lint:ignore ENUM_VALUE_PREFIX\n// Two.", "One.\nTwo."),
        (
            "// One.\n// errgrpc:lint:ignore text-shared As the old table has it.\n// Two.",
            "One.\nTwo.",
        ),
        ("// About buf:lint:ignore.", "About buf:lint:ignore."),
        ("// Detached.\n", ""),
        ("// Detached.\n\n// One.", "One."),
        ("//", ""),
        ("// 尾随空格  \n// 👩‍🏫", "尾随空格\n👩‍🏫"),
    ],
)
def test_comments(comment: str, description: str, build: Build) -> None:
    (catalog,) = read(
        build,
        f"message M {{}}\n\n{comment}\nenum E {{\n option (errgrpc.v1.catalog) = {{}};\n\n"
        f"{comment}\n A = 0;\n}}",
    )
    if "indented" in comment and "all" in comment:
        description = description.replace("   -", "-")
    assert (catalog.description, catalog.values[0].description) == (description, description)


def test_comments_behind(build: Build) -> None:
    (catalog,) = read(
        build,
        "// Before.\nenum E { // Behind.\n option (errgrpc.v1.catalog) = {};\n"
        " A = 0; // A behind.\n\n"
        " // B before.\n B = 1; /* B behind. */\n}",
    )
    assert catalog.description == "Before.\n\nBehind."
    assert [value.description for value in catalog.values] == [
        "A behind.",
        "B before.\n\nB behind.",
    ]


def test_without_source_info_there_are_no_lines_and_comments() -> None:
    file = FileDescriptorProto(name="x.proto")
    file.enum_type.add(name="E").value.add(name="A")
    options: Any = file.enum_type[0].options
    options.Extensions[schema._CATALOG].domain = "d"
    place = file.source_code_info.location.add(path=[5, 0], leading_comments=" Only a comment.")
    (catalog,) = schema.read(file)
    assert (catalog.full_name, catalog.line, catalog.description) == ("E", 0, "Only a comment.")
    assert (catalog.values[0].line, catalog.values[0].description) == (0, "")
    data = file.SerializeToString().replace(
        place.leading_comments.encode(), b" \xff comment.".ljust(16)
    )
    assert schema.read(FileDescriptorProto.FromString(data))[0].description == "\ufffd comment."


def test_conditions_are_sorted_by_key(build: Build) -> None:
    (catalog,) = read(
        build,
        "enum E { option (errgrpc.v1.catalog) = {};\n"
        'A = 0 [(errgrpc.v1.code) = {hints: {locale: "en" text: "x" when: {key: "b" value: "2"} '
        'when: {key: "a" value: "1"}}}]; }',
    )
    assert catalog.values[0].hints == (schema.Hint("en", "x", (("a", "1"), ("b", "2"))),)
    assert catalog.values[0].variants == [({"a": "1", "b": "2"}, {"en": "x"})]
