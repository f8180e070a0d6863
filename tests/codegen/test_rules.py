"""Every refusal with its exact text, and several refusals at once."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from errgrpc.codegen import plugin, rules, schema
from errgrpc.v1 import annotations_pb2

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Request = Callable[..., CodeGeneratorRequest]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

FAILURES = (
    "CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, "
    "PERMISSION_DENIED, RESOURCE_EXHAUSTED, "
    "FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, "
    "UNAUTHENTICATED"
)
ENUM = "enum BadCode {{ option (errgrpc.v1.catalog) = {{{}}};\n{}\n}}"
HEAD = 'syntax = "proto3";\npackage bad;\nimport "errgrpc/v1/annotations.proto";\n'
LOST = "LOST = 1 [(errgrpc.v1.code) = {grpc_status: DATA_LOSS}];"
ZERO = "BAD_CODE_UNSPECIFIED = 0;"


def catalog(options: str) -> str:
    """A catalogue on line 4 with these options; its code LOST is on line 6."""
    return ENUM.format(options, f"{ZERO}\n{LOST}")


def value(declaration: str) -> str:
    """A catalogue on line 4 with these values, from line 5 on."""
    return ENUM.format('domain: "d"', declaration)


def code(options: str) -> str:
    """A catalogue with the value BAD_CODE_WRONG of these options on line 6."""
    return value(f"{ZERO}\nBAD_CODE_WRONG = 1 [(errgrpc.v1.code) = {{{options}}}];")


# name -> (text after package and import, from line 4 on; refusals without the file name)
REFUSED = {
    "no_domain": (
        catalog(""),
        ['4: BadCode: has no domain; give the owner of the codes, such as "shop.example.com"'],
    ),
    "bad_domain": (
        catalog('domain: "a shop"'),
        [
            (
                "4: BadCode: has the domain 'a shop'; "
                "give 1 to 255 printable ASCII characters without spaces"
            )
        ],
    ),
    "bad_default_locale": (
        catalog('domain: "d", default_locale: "zh_CN"'),
        ["4: BadCode: has the default_locale 'zh_CN'; give a BCP 47 language tag such as zh-CN"],
    ),
    "unknown_fallback": (
        catalog('domain: "d", fallback: "BAD_CODE_LOST"'),
        [
            (
                "4: BadCode: has the fallback 'BAD_CODE_LOST', which names no code; "
                "give the reason of an error, such as LOST"
            )
        ],
    ),
    "ok_as_fallback": (
        value("FINE = 0 [(errgrpc.v1.code) = {grpc_status: OK}];").replace(
            'domain: "d"', 'domain: "d" fallback: "FINE"'
        ),
        ["4: BadCode: has the fallback 'FINE', which is OK; give the reason of an error"],
    ),
    "unknown_inference": (
        catalog('domain: "d", infer: {grpc_status: NOT_FOUND, reason: "LOSS"}'),
        [
            (
                "4: BadCode: has the inference from NOT_FOUND 'LOSS', which names no code; "
                "give the reason of an error, such as LOST"
            )
        ],
    ),
    "inference_twice": (
        catalog(
            'domain: "d", infer: {grpc_status: ABORTED, reason: "LOST"}, infer: {grpc_status: '
            'ABORTED, reason: "LOST"}'
        ),
        ["4: BadCode: infers twice from ABORTED; give one reason for each status"],
    ),
    "inference_from_nothing": (
        catalog('domain: "d", infer: {reason: "LOST"}, infer: {grpc_status: OK, reason: "LOST"}'),
        [f"4: BadCode: infers 'LOST' from OK or from no grpc_status; give one of {FAILURES}"] * 2,
    ),
    "no_code": (
        value(ZERO),
        [
            (
                "4: BadCode: is a catalogue without codes; annotate its values with "
                "(errgrpc.v1.code), or remove (errgrpc.v1.catalog)"
            )
        ],
    ),
    "no_catalog": (
        f"enum BadCode {{\n{ZERO}\nBARE = 2;\n{LOST}\n}}",
        [
            (
                "4: BadCode: has codes (LOST) but is no catalogue; "
                'add `option (errgrpc.v1.catalog) = {domain: "..."};`'
            )
        ],
    ),
    "bare_value": (
        value(f"BAD_CODE_NOTHING = 0;\nBAD_CODE_UNSPECIFIED = 2;\n{LOST}"),
        [
            (
                "5: BAD_CODE_NOTHING: is no code; annotate it with (errgrpc.v1.code), "
                "which only a zero named *_UNSPECIFIED may lack"
            ),
            (
                "6: BAD_CODE_UNSPECIFIED: is no code; annotate it with (errgrpc.v1.code), "
                "which only a zero named *_UNSPECIFIED may lack"
            ),
        ],
    ),
    "one_number": (
        value(
            f"option allow_alias = true;\n{ZERO}\n{LOST}\n"
            f"GONE = 1 [(errgrpc.v1.code) = {{grpc_status: ABORTED}}];\n"
            "BAD_CODE_NULL_UNSPECIFIED = 0;"
        ),
        [
            "8: GONE: has the number 1 of LOST; give it a number of its own",
            (
                "9: BAD_CODE_NULL_UNSPECIFIED: has the number 0 of BAD_CODE_UNSPECIFIED; "
                "give it a number of its own"
            ),
        ],
    ),
    "metadata_fields": (
        code(
            'grpc_status: ABORTED metadata_fields: {key: "R"} metadata_fields: {key: "hint"} '
            'metadata_fields: {key: "room"}'
            ' metadata_fields: {key: "room"} metadata_fields: {key: "on" type: BOOL example: "yes"}'
        ),
        [
            (
                "6: BAD_CODE_WRONG: has the metadata field 'R'; give [a-z][a-zA-Z0-9_-]+ of at "
                "most 64 characters (AIP-193)"
            ),
            "6: BAD_CODE_WRONG: has the metadata field 'hint'; code, message, hint, details, "
            "metadata, retry_delay are arguments of a "
            "ServiceError or the number: give another key",
            "6: BAD_CODE_WRONG: has the metadata field 'room' twice; give each key once",
            (
                "6: BAD_CODE_WRONG: has the metadata field 'on', whose example 'yes' is no bool; "
                "give another"
            ),
        ],
    ),
    "placeholders": (
        code(
            'grpc_status: ABORTED message: "{rome}" metadata_fields: {key: "room"} '
            'metadata_fields: {key: "on" type: BOOL}'
            ' hints: {locale: "en" text: "{room}"} hints: {locale: "de" text: "{on}"}'
            ' hints: {locale: "en" text: "}" when: {key: "on" value: "1"}}'
        ),
        [
            (
                "6: BAD_CODE_WRONG: has a message with the placeholder {rome}: give one of {on}, "
                "{room}, or declare 'rome' in metadata_fields"
            ),
            (
                "6: BAD_CODE_WRONG: has hints with {on} in 'de', but {room} in 'en': "
                "give the same in each locale"
            ),
            "6: BAD_CODE_WRONG: has hints when {'on': '1'} with a lone '}' at character 1 in 'en': "
            "write {{ or }} for a brace, and one of {on}, {room} for a value",
            (
                "6: BAD_CODE_WRONG: has a hint with the condition 'on' with the value '1', "
                "which is no bool"
            ),
        ],
    ),
    "condition": (
        code('grpc_status: ABORTED hints: {locale: "en" text: "x" when: {key: "R" value: "v"}}'),
        [
            (
                "6: BAD_CODE_WRONG: has a hint with the condition 'R', which no metadata have: "
                "give [a-z][a-zA-Z0-9_-]+ (AIP-193)"
            )
        ],
    ),
    "locales": (
        catalog('domain: "d" locales: ["en", "de", "x_y"]').replace(
            "DATA_LOSS}", 'DATA_LOSS hints: {locale: "en" text: "x"}}'
        ),
        [
            "4: BadCode: has 'x_y' among its locales; give BCP 47 language tags such as zh-CN",
            (
                "6: LOST: has no hint for de, x_y; give one for each of the catalogue's locales, "
                "or none at all"
            ),
        ],
    ),
    "help_url": (
        catalog('domain: "d" help_url: "https://x/{name}"'),
        [
            "4: BadCode: has a help_url that is 'https://x/{name}': give an https URL in ASCII, "
            "in which {reason}, {domain} and {number} "
            "stand for those of the code"
        ],
    ),
    "fallback_with_fields": (
        catalog('domain: "d" fallback: "LOST"').replace(
            "DATA_LOSS}]", 'DATA_LOSS metadata_fields: {key: "room"}}, deprecated = true]'
        ),
        [
            (
                "4: BadCode: has the fallback LOST, which requires room; make it optional: "
                "no unhandled exception has it"
            ),
            "4: BadCode: has the fallback LOST, which is deprecated; give another one",
        ],
    ),
    "no_prefix": (
        value(
            f"{ZERO}\nBAD_CODE_KNOWN = 2 [(errgrpc.v1.code) = {{grpc_status: ABORTED}}];\n{LOST}"
        ),
        ["7: LOST: lacks the prefix BAD_CODE_, which BAD_CODE_KNOWN has; its reason would be LOST"],
    ),
    "one_reason_proto2": (  # in proto3, the compilers refuse it themselves
        value(f"{ZERO}\n{LOST}\nBAD_CODE_LOST = 2 [(errgrpc.v1.code) = {{grpc_status: ABORTED}}];"),
        [
            (
                "6: LOST: lacks the prefix BAD_CODE_, which BAD_CODE_LOST has; "
                "its reason would be LOST"
            ),
            "7: BAD_CODE_LOST: has the reason LOST of LOST; give it a name of its own",
        ],
    ),
    "bad_reason": (
        value(
            "BAD_CODE_ = 0 [(errgrpc.v1.code) = {grpc_status: OK}];\n"
            "BAD_CODE_NO = 1 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\n"
            "lower = 2 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\nBAD_CODE_"
            + "X"
            * 64
            + " = 3 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\n"
            "BAD_CODE_END_ = 4 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\n"
            "BAD_CODE_4XX = 5 [(errgrpc.v1.code) = {grpc_status: ABORTED}];\n"
            "BAD_CODE_" + "Y" * 63 + " = 6 [(errgrpc.v1.code) = {grpc_status: ABORTED}];"
        ),
        [
            (
                f"{line}: {name}: has the reason '{reason}'; make {what} "
                "match [A-Z][A-Z0-9_]+[A-Z0-9] with at most 63 characters (AIP-193)"
            )
            for line, name, reason, what in [
                (5, "BAD_CODE_", "", "what follows BAD_CODE_"),
                (6, "BAD_CODE_NO", "NO", "what follows BAD_CODE_"),
                (7, "lower", "lower", "the name"),
                (8, "BAD_CODE_" + "X" * 64, "X" * 64, "what follows BAD_CODE_"),
                (9, "BAD_CODE_END_", "END_", "what follows BAD_CODE_"),
                (10, "BAD_CODE_4XX", "4XX", "what follows BAD_CODE_"),
            ]
        ]
        + ["7: lower: lacks the prefix BAD_CODE_, which BAD_CODE_ has; its reason would be lower"],
    ),
    "no_status": (
        code('message: "x"'),
        [f"6: BAD_CODE_WRONG: has no grpc_status; give one of {FAILURES}"],
    ),
    "no_status_at_zero": (
        value("FINE = 0 [(errgrpc.v1.code) = {}];"),
        [f"5: FINE: has no grpc_status; give one of {FAILURES} or, as its number is 0, OK"],
    ),
    "ok_at_one": (
        code("grpc_status: OK"),
        [
            (
                "6: BAD_CODE_WRONG: has the grpc_status OK, which only the number 0 may have; "
                f"give one of {FAILURES}"
            )
        ],
    ),
    "http_status": (
        value(
            "FEW = 0 [(errgrpc.v1.code) = {grpc_status: OK http_status: 99}];\n"
            "NIL = 1 [(errgrpc.v1.code) = {grpc_status: ABORTED http_status: 0}];\n"
            "MANY = 2 [(errgrpc.v1.code) = {grpc_status: ABORTED http_status: 600}];\n"
            "LOW = 3 [(errgrpc.v1.code) = {grpc_status: ABORTED http_status: 100}];\n"
            "HIGH = 4 [(errgrpc.v1.code) = {grpc_status: ABORTED http_status: 599}];"
        ),
        [
            "5: FEW: has the http_status 99; give 100 to 599, or leave it out",
            "6: NIL: has the http_status 0; give 100 to 599, or leave it out",
            "7: MANY: has the http_status 600; give 100 to 599, or leave it out",
        ],
    ),
    "bad_locale": (
        code(
            'grpc_status: ABORTED hints: {locale: "zh_CN" text: "x"} hints: {text: "x" when: '
            '{key: "kk" value: "v"}}'
        ),
        [
            (
                "6: BAD_CODE_WRONG: has a hint for the locale 'zh_CN'; "
                "give a BCP 47 language tag such as zh-CN"
            ),
            (
                "6: BAD_CODE_WRONG: has a hint for the locale '' when {'kk': 'v'}; "
                "give a BCP 47 language tag such as zh-CN"
            ),
        ],
    ),
    "locale_twice": (
        code(
            'grpc_status: ABORTED hints: {locale: "zh-CN" text: "x"} hints: {locale: '
            '"zh-cn" text: "y"}'
        ),
        [
            (
                "6: BAD_CODE_WRONG: has two hints for the locale zh-cn; "
                "give one for each locale and condition"
            )
        ],
    ),
    "locale_twice_when": (
        code(
            'grpc_status: ABORTED hints: {locale: "en" text: "x"}'
            ' hints: {locale: "en" text: "y" when: {key: "aa" value: "1"} when: {key: "bb" value: '
            '"2"}}'
            ' hints: {locale: "en" text: "z" when: {key: "bb" value: "2"} when: {key: "aa" value: '
            '"1"}}'
        ),
        [
            (
                "6: BAD_CODE_WRONG: has two hints for the locale en when {'aa': '1', 'bb': '2'}; "
                "give one for each locale and condition"
            )
        ],
    ),
    "empty_hint": (
        code('grpc_status: ABORTED hints: {locale: "en"}'),
        [
            (
                "6: BAD_CODE_WRONG: has a hint without text for the locale 'en'; give the text, "
                "or leave the hint out"
            )
        ],
    ),
    "one_domain": (
        catalog('domain: "shared"')
        + (
            f'\nmessage Other {{ enum Code {{ option (errgrpc.v1.catalog) = {{domain: "shared"}};\n'
            f"{ZERO}\n{LOST}\n}} }}"
        ),
        [
            "10: LOST: has the domain 'shared' and the reason LOST, "
            "as in refused.one_domain.BadCode of refused/one_domain.proto; "
            "give the enum a domain of its own, or the value another name"
        ],
    ),
    "one_class": (
        catalog('domain: "a"')
        + (
            f'\nmessage Bad {{ enum Code {{ option (errgrpc.v1.catalog) = {{domain: "b"}};\n'
            f"{ZERO}\n{LOST}\n}} }}"
        ),
        ["8: Bad.Code: makes the Python class BadCode, as BadCode does; rename one of the two"],
    ),
    "all_at_once": (
        ENUM.format(
            'fallback: "X", default_locale: "-"',
            "BAD_CODE_NOTHING = 0;\n"
            "BAD_CODE_W = 1 [(errgrpc.v1.code) = {http_status: 1 hints: {}}];",
        ),
        [
            '4: BadCode: has no domain; give the owner of the codes, such as "shop.example.com"',
            "4: BadCode: has the default_locale '-'; give a BCP 47 language tag such as zh-CN",
            "4: BadCode: has the fallback 'X', which names no code; give the reason of an error",
            (
                "5: BAD_CODE_NOTHING: is no code; annotate it with (errgrpc.v1.code), "
                "which only a zero named *_UNSPECIFIED may lack"
            ),
            "6: BAD_CODE_W: has the reason 'W'; make what follows BAD_CODE_ match "
            "[A-Z][A-Z0-9_]+[A-Z0-9] "
            "with at most 63 characters (AIP-193)",
            f"6: BAD_CODE_W: has no grpc_status; give one of {FAILURES}",
            "6: BAD_CODE_W: has the http_status 1; give 100 to 599, or leave it out",
            "6: BAD_CODE_W: has a hint for the locale ''; give a BCP 47 language tag such as zh-CN",
            (
                "6: BAD_CODE_W: has a hint without text for the locale ''; give the text, "
                "or leave the hint out"
            ),
        ],
    ),
}


@pytest.fixture(scope="session")
def refused(build: Build) -> FileDescriptorSet:
    """All protos of the table, built once.

    Each has its own package, as enum values share the namespace of their enum.
    """
    protos = {}
    for name, (text, _) in REFUSED.items():
        syntax = "proto2" if name.endswith("_proto2") else "proto3"
        head = (
            f'syntax = "{syntax}";\npackage refused.{name};\n'
            'import "errgrpc/v1/annotations.proto";\n'
        )
        protos[f"refused/{name}.proto"] = head + text
    return build(protos)


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str, refused: FileDescriptorSet, request_for: Request) -> None:
    response = plugin.generate(request_for(refused, [f"refused/{name}.proto"]))
    expected = sorted(REFUSED[name][1], key=lambda line: int(line.partition(":")[0]))
    assert response.error.split("\n") == [f"refused/{name}.proto:{line}" for line in expected]
    assert not response.file


def test_the_files_of_a_request_are_refused_in_one_answer(
    refused: FileDescriptorSet, request_for: Request
) -> None:
    names = ["bad_locale", "no_code", "http_status"]
    response = plugin.generate(request_for(refused, [f"refused/{name}.proto" for name in names]))
    assert response.error.split("\n") == [
        f"refused/{name}.proto:{line}" for name in sorted(names) for line in REFUSED[name][1]
    ]


def hand_made(**options: Any) -> FileDescriptorProto:
    """A file that no compiler writes: the enum HandCode with these options and one code, ABC."""
    file = FileDescriptorProto(name="hand.proto")
    enum = file.enum_type.add(name="HandCode")
    extensions: Any = enum.options.Extensions
    extensions[annotations_pb2.catalog].domain = "d"
    extensions[annotations_pb2.catalog].MergeFrom(options.pop("catalog", annotations_pb2.Catalog()))
    value = enum.value.add(name="HAND_CODE_ABC", number=1)
    extensions = value.options.Extensions
    extensions[annotations_pb2.code].MergeFrom(
        annotations_pb2.Code(**options or {"grpc_status": "CANCELLED"})
    )
    return file


def judged(*files: FileDescriptorProto) -> list[str]:
    return [
        str(refusal)
        for refusal in rules.refusals([catalog for file in files for catalog in schema.read(file)])
    ]


def test_without_lines() -> None:
    assert judged(hand_made()) == []
    assert judged(hand_made(message="x")) == [
        f"hand.proto: HAND_CODE_ABC: has no grpc_status; give one of {FAILURES}"
    ]


def test_unknown_statuses() -> None:
    infer = annotations_pb2.Catalog(infer=[annotations_pb2.Inference(grpc_status=99, reason="ABC")])  # type: ignore[arg-type]
    assert judged(hand_made(grpc_status=99)) == [
        f"hand.proto: HAND_CODE_ABC: has the unknown grpc_status 99; give one of {FAILURES}"
    ]
    assert judged(hand_made(grpc_status=1, catalog=infer)) == [
        (
            "hand.proto: HandCode: infers 'ABC' from the unknown grpc_status 99; "
            f"give one of {FAILURES}"
        )
    ]


def test_hostile_names_stay_on_their_line() -> None:
    file = hand_made()
    file.enum_type[0].name = "Hand\nCode; import os"
    assert judged(file) == [
        (
            r"hand.proto: Hand\nCode; import os: is no name of a Python class; give letters, "
            r"digits and underscores"
        ),
    ]


def test_names_that_are_no_utf8() -> None:
    data = hand_made().SerializeToString().replace(b"HandCode", b"Hand\xff\xfe\xfde")
    assert judged(FileDescriptorProto.FromString(data)) == [
        (
            "hand.proto: Hand\ufffd\ufffd\ufffde: is no name of a Python class; give letters, "
            "digits and underscores"
        )
    ]


def test_an_imported_enum_of_the_same_domain_and_reason(build: Build, request_for: Request) -> None:
    text = (
        'syntax = "proto3";\npackage {0};\n{1}import "errgrpc/v1/annotations.proto";\n'
        + catalog('domain: "d"').replace("{", "{{").replace("}", "}}")
    )
    files = build(
        {"a.proto": text.format("a", ""), "b.proto": text.format("b", 'import "a.proto"; ')}
    )
    assert plugin.generate(request_for(files, ["b.proto"])).error == (
        "b.proto:6: LOST: has the domain 'd' and the reason LOST, as in a.BadCode of a.proto; "
        "give the enum a domain of its own, or the value another name"
    )
    assert plugin.generate(request_for(files, ["a.proto"])).error == ""


@pytest.mark.parametrize("text", [catalog('domain: "d"'), value(LOST.replace("= 1", "= 0"))])
def test_values_without_the_prefix_are_said(text: str, build: Build, request_for: Request) -> None:
    proto = HEAD + text
    request = request_for(build({"bad.proto": proto}), ["bad.proto"])
    assert not plugin.generate(request).error
    assert plugin.notes(request) == [
        (
            "bad.proto:4: BadCode: its values do not begin with BAD_CODE_, "
            "so their whole names are the reasons"
        )
    ]
    assert (
        plugin.notes(
            request_for(
                build({"bad.proto": proto.replace("\nLOST", "\nBAD_CODE_LOST")}), ["bad.proto"]
            )
        )
        == []
    )


def test_notes_go_to_standard_error(workspace: Callable[..., Path], tool: Run) -> None:
    folder = workspace({"bad/bad.proto": HEAD + catalog('domain: "d"')})
    template = (
        "version: v2\n"
        f'plugins: [{{local: ["{sys.executable}", -m, errgrpc.codegen.plugin], out: out}}]\n'
    )
    (folder / "buf.gen.yaml").write_text(template)
    result = tool("buf", "generate", "--path", "bad", cwd=folder)
    assert result.returncode == 0
    assert (
        b"protoc-gen-errgrpc: note: bad/bad.proto:4: BadCode: "
        b"its values do not begin with BAD_CODE_"
    ) in result.stderr
    assert (folder / "out/bad/bad_errgrpc.py").exists()
