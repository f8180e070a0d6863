"""A generated module declares the same facts as its catalogue, for any catalogue."""

import ast
import inspect
import string
from typing import Any

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given, settings
from hypothesis import strategies as st

from errgrpc.codegen import plugin, render, schema
from errgrpc.codes import MAX_REASON, REASON, ErrorCode
from errgrpc.placeholders import fill
from errgrpc.v1 import annotations_pb2

QUICK = settings(derandomize=True, deadline=None, database=None, max_examples=100)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.text(
    "\"'\\\n{}%ab 汉\u202e\x00👩", max_size=200
)
LINE = TEXT.map(lambda text: " ".join(text.split())).filter(
    lambda line: line and line[0] not in "*" and "buf:lint" not in line
)
LOCALES = ["zh-CN", "en-US", "en", "de", "sr-Latn-RS", "zh-Hant-TW", "en-x-a"]
REASONS = st.from_regex(REASON, fullmatch=True).map(lambda reason: reason[: MAX_REASON - 1] + "X")
FAILURES = st.sampled_from([number for number in schema.STATUSES if number])
HINTS = st.lists(
    st.tuples(
        st.sampled_from(LOCALES),
        TEXT.filter(bool),
        st.dictionaries(
            st.sampled_from(["aa", "bb", "cc"]), st.sampled_from(["1", ""]), max_size=2
        ),
    ),
    max_size=8,
    unique_by=lambda hint: (hint[0], frozenset(hint[2].items())),
)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["room", "limit", "aB-9_", "k" * 64]),
        TEXT,
        st.sampled_from([(0, "x {y}"), (0, ""), (1, "-7"), (2, "1e9"), (3, "true")]),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda field: field[0],
)


def consistent(code: dict[str, Any]) -> dict[str, Any]:
    """Makes the texts and conditions of a random code fit its metadata fields.

    If a code has fields, its texts have doubled braces and the placeholders of all fields. No
    condition names one of the fields.
    """
    if not code["fields"]:
        return code
    named = "".join(f"{{{key}}}" for key, *_ in code["fields"])

    def template(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}") + named

    hints = [(locale, template(text), when) for locale, text, when in code["hints"] if not when]
    return {**code, "message": template(code["message"]), "hints": hints}


CODES = st.lists(
    st.fixed_dictionaries(
        {
            "fields": FIELDS,
            "retryable": st.none() | st.booleans(),
            "resolution": TEXT,
            "deprecated": st.booleans(),
            "reason": REASONS,
            "number": st.integers(-(2**31), 2**31 - 1),
            "grpc_status": FAILURES,
            "http_status": st.none() | st.integers(100, 599),
            "message": TEXT,
            "hints": HINTS,
            "comment": st.lists(LINE, max_size=3),
        }
    ).map(consistent),
    min_size=1,
    max_size=6,
    unique_by=(lambda code: code["reason"], lambda code: code["number"]),
)
CATALOGS = st.fixed_dictionaries(
    {
        "domain": st.text(st.sampled_from(string.printable[:94]), min_size=1, max_size=255),
        "default_locale": st.sampled_from(["", *LOCALES]),
        "fallback": st.booleans(),
        "infer": st.sets(FAILURES),
        "comment": st.lists(LINE, max_size=4),
        "codes": CODES,
    }
)


def describe(catalog: dict[str, Any]) -> FileDescriptorProto:
    """The descriptor of a catalogue, as protoc sends it."""
    file = FileDescriptorProto(name="random.proto")
    enum = file.enum_type.add(name="RandomCode")
    codes = catalog["codes"]
    options: Any = enum.options
    declared = options.Extensions[schema._CATALOG]
    declared.domain, declared.default_locale = catalog["domain"], catalog["default_locale"]
    declared.fallback = codes[0]["reason"] if catalog["fallback"] else ""
    for status in catalog["infer"]:
        declared.infer.add(grpc_status=status, reason=codes[status % len(codes)]["reason"])
    file.source_code_info.location.add(
        path=[5, 0],
        span=[1, 0, 9],
        leading_comments="".join(f" {line}\n" for line in catalog["comment"]),
    )
    for index, code in enumerate(codes):
        value = enum.value.add(name=f"RANDOM_CODE_{code['reason']}", number=code["number"])
        options = value.options
        declared = options.Extensions[schema._CODE]
        declared.grpc_status, declared.message = code["grpc_status"], code["message"]
        for key, description, (kind, example), optional in code["fields"]:
            declared.metadata_fields.add(
                key=key,
                description=description,
                type=kind,
                example=example,
                optional=optional or index == 0,
            )
        if code["retryable"] is not None:
            declared.retryable = code["retryable"]
        declared.resolution = code["resolution"]
        # the first code may be the fallback, which must not be deprecated
        value.options.deprecated = code["deprecated"] and index > 0
        if code["http_status"]:
            declared.http_status = code["http_status"]
        for locale, text, when in code["hints"]:
            declared.hints.add(locale=locale, text=text, when=when)
        comment = "".join(f" {line}\n" for line in code["comment"])
        file.source_code_info.location.add(
            path=[5, 0, 2, index], span=[index + 2, 0, 9], leading_comments=comment
        )
    return file


def generate(file: FileDescriptorProto) -> str:
    response = plugin.generate(
        CodeGeneratorRequest(file_to_generate=[file.name], proto_file=[file])
    )
    assert not response.error
    return response.file[0].content


def expected_hints(
    hints: list[tuple[str, str, dict[str, str]]], metadata: dict[str, str]
) -> dict[str, str]:
    """The rule of annotations.proto: of the hints that hold, the one with the most entries.

    Of equal hints, the first one wins.
    """
    chosen = dict[str, str]()
    for locale in {locale for locale, _, _ in hints}:
        held = [
            (text, when)
            for other, text, when in hints
            if other == locale and when.items() <= metadata.items()
        ]
        if held:
            chosen[locale] = max(held, key=lambda hint: len(hint[1]))[0]
    return chosen


@QUICK
@given(CATALOGS)
def test_the_module_says_what_was_declared(catalog: dict[str, Any]) -> None:
    source = generate(describe(catalog))
    namespace: dict[str, Any] = {"__name__": "random_errgrpc"}
    exec(compile(source, "random_errgrpc.py", "exec"), namespace)  # noqa: S102
    assert namespace["__all__"] == ["RandomCode"]
    cls: type[ErrorCode] = namespace["RandomCode"]
    codes = catalog["codes"]
    assert (cls.domain, cls.default_locale) == (catalog["domain"], catalog["default_locale"])
    assert cls.fallback is (cls[codes[0]["reason"]] if catalog["fallback"] else None)
    assert {status.value[0]: code.reason for status, code in cls.inference.items()} == {
        status: codes[status % len(codes)]["reason"] for status in catalog["infer"]
    }
    assert (inspect.getdoc(cls) if catalog["comment"] else "") == "\n".join(catalog["comment"])
    types = {0: str, 1: int, 2: float, 3: bool}
    for index, (member, code) in enumerate(zip(cls, codes, strict=True)):
        assert [
            (f.key, f.description, f.example, f.optional, f.type) for f in member.metadata_fields
        ] == [
            (key, description, example, optional or index == 0, types[kind])
            for key, description, (kind, example), optional in code["fields"]
        ]
        assert (member.retryable, member.resolution, member.deprecated) == (
            code["retryable"],
            code["resolution"],
            code["deprecated"] and index > 0,
        )
        assert (member.reason, member.number) == (code["reason"], code["number"])
        assert member.grpc_status is schema.STATUSES[code["grpc_status"]]
        assert (member.http_status, member.message) == (code["http_status"], code["message"])
        assert member.description == "\n".join(code["comment"])
        assert list(member.hints.items()) == [
            (locale, text) for locale, text, when in code["hints"] if not when
        ]
        for metadata in (
            {},
            {"aa": "1"},
            {"aa": "1", "bb": "1"},
            {"bb": "", "cc": "1"},
            {"aa": "", "bb": "1", "cc": ""},
        ):
            expected = expected_hints(code["hints"], metadata)
            if code["fields"]:
                expected = {locale: fill(text, metadata) for locale, text in expected.items()}
            assert dict(member.hints_for(metadata)) == expected


@QUICK
@given(CATALOGS)
def test_the_text_is_plain_lines(catalog: dict[str, Any]) -> None:
    source = generate(describe(catalog))
    assert source == generate(describe(catalog))
    assert source.endswith(")\n")
    lines = source.split("\n")
    assert lines == [*source.splitlines(), ""]
    assert not [line for line in lines if line != line.rstrip()]
    assert not render._UNSEEN.search(source.replace("\n", ""))


@QUICK
@given(TEXT)
def test_literals_are_their_text(text: str) -> None:
    literal = render.literal(text)
    assert ast.literal_eval(literal) == text
    assert (
        literal.count("\\") <= min(repr(text).count("\\"), ascii(text).count("\\"))
        or not text.isprintable()
    )


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", '""'),
        ("it's", '"it\'s"'),
        ('say "hi"', "'say \"hi\"'"),
        ("'\"", '"\'\\""'),
        ("\\", '"\\\\"'),
        ("\n\t\r\x00\x7f", '"\\n\\t\\r\\x00\\x7f"'),
        ("\xa0\u200b\u2028\U000e0001", '"\\xa0\\u200b\\u2028\\U000e0001"'),
        ("汉字　👩‍🏫", '"汉字　👩‍🏫"'),
        ('"""', '\'"""\''),
    ],
)
def test_literals(text: str, literal: str) -> None:
    assert render.literal(text) == literal


def catalog(*codes: schema.Code, **changes: Any) -> schema.Catalog:
    values: dict[str, Any] = {
        "file": "x.proto", "package": "", "name": "X", "line": 1, "description": "",
        "annotated": True, "domain": "d", "default_locale": "", "fallback": "", "infer": (),
        "values": codes,
    }  # fmt: skip
    return schema.Catalog(**values | changes)


def code(reason: str = "ABC", number: int = 1, **changes: Any) -> schema.Code:
    values: dict[str, Any] = {
        "name": reason, "reason": reason, "number": number, "line": 2, "description": "",
        "annotated": True, "grpc_status": 5, "http_status": None, "message": "", "hints": (),
    }  # fmt: skip
    return schema.Code(**values | changes)


@pytest.mark.parametrize(
    "description",
    [
        'ends with a quote"', '"starts and ends"', '"""', '""""""', "ends with a backslash\\",
        'four """" quotes', "two\nlines", "x" * 130, "x" * 131,
        'two\nlines, a quote"', "\\\"\"\"", "a\n\n    b\n  c", "tab\tand \x00 and \u202e",
    ],
)  # fmt: skip
def test_docstrings(description: str) -> None:
    source = render.render("x.proto", [catalog(code(), description=description)])
    (cls,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert ast.get_docstring(cls) == inspect.cleandoc(description)


def test_one_line_when_it_fits() -> None:
    def member(length: int) -> list[str]:
        return render.render("x.proto", [catalog(code(message="m" * length))]).splitlines()[11:]

    fixed = len('    ABC = 1, Spec(StatusCode.NOT_FOUND, message="")')
    assert member(100 - fixed) == [
        f'    ABC = 1, Spec(StatusCode.NOT_FOUND, message="{"m" * (100 - fixed)}")'
    ]
    assert member(101 - fixed) == [
        "    ABC = 1, Spec(",
        "        StatusCode.NOT_FOUND,",
        f'        message="{"m" * (101 - fixed)}",',
        "    )",
    ]


def test_a_hostile_file_name_stays_in_its_comment() -> None:
    source = render.render("a\nimport os\u2028.proto", [catalog(code())])
    assert (
        source.splitlines()[0]
        == r"# Generated by protoc-gen-errgrpc from a\nimport os\u2028.proto. Do not edit."
    )


def test_imports_get_out_of_the_way() -> None:
    source = render.render(
        "x.proto", [catalog(code(), name="Spec"), catalog(code("DEF"), name="Spec_")]
    )
    assert "from errgrpc.codes import ErrorCode, Spec as Spec__\n" in source
    namespace: dict[str, Any] = {"__name__": "x"}
    exec(source, namespace)  # noqa: S102
    assert (next(iter(namespace["Spec"])).reason, next(iter(namespace["Spec_"])).reason) == (
        "ABC",
        "DEF",
    )


def test_options_are_the_projects_own() -> None:
    assert annotations_pb2.CATALOG_FIELD_NUMBER == annotations_pb2.CODE_FIELD_NUMBER == 51193
