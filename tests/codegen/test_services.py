"""The errors that services declare: `RAISES`, each way of declaring, and the refusals."""

import contextlib
import json
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import harness
import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

import errgrpc
from errgrpc import ComponentCode, ErrorCode, ResCode
from errgrpc.codegen import breaking, plugin
from examples.classroom.v1.classroom_errgrpc import RAISES

pytestmark = pytest.mark.thinned(2)  # most cases compile protos

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Request = Callable[..., CodeGeneratorRequest]

DESK = "team/errgrpc/desk/v1/codes.proto"
TILL = "team/till/v2/till.proto"
LAMP = "team/lamp/lamp-codes.proto"
CLASS = "team/class/1st/plain.proto"
TEAM = {
    # The package has a segment `errgrpc`, so names of errgrpc need a leading dot (in `team.lamp`,
    # too). The extensions are inside a message.
    DESK: """
        syntax = "proto3";
        package team.errgrpc.desk.v1;
        import "errgrpc/v1/annotations.proto";
        import "google/protobuf/descriptor.proto";
        enum Code {
          option (.errgrpc.v1.catalog) = {domain: "desk"};
          CODE_UNSPECIFIED = 0;
          CODE_FULL = 1 [(.errgrpc.v1.code) = {grpc_status: RESOURCE_EXHAUSTED}];
          CODE_GONE = -7 [(.errgrpc.v1.code) = {grpc_status: NOT_FOUND}];
        }
        message Options {
          extend google.protobuf.MethodOptions { repeated Code raises_desk_code = 51200; }
          extend google.protobuf.ServiceOptions {
            repeated Code every_method_raises_desk_code = 51200;
          }
        }
    """,
    "team/public.proto": f"""
        syntax = "proto3";
        package team;
        import public "{DESK}";
        import public "errgrpc/v1/component_code.proto";
    """,
    # proto2, a public import, two catalogues on one method, options of the service and of its
    # methods, each kind of method.
    TILL: """
        syntax = "proto2";
        package team.till.v2;
        import "team/public.proto";
        import "errgrpc/v1/res_code.proto";
        message M {}
        service Till {
          option (.errgrpc.v1.every_method_raises_res_code) = RES_CODE_UNAUTHORIZED;
          option (.team.errgrpc.desk.v1.Options.every_method_raises_desk_code) = CODE_GONE;
          rpc Unary(M) returns (M) {
            option (.errgrpc.v1.raises_res_code) = RES_CODE_ROOM_NOT_EXIST;
            option deprecated = true;
            option (.errgrpc.v1.raises_res_code) = RES_CODE_UNAUTHORIZED;
            option (.team.errgrpc.desk.v1.Options.raises_desk_code) = CODE_FULL;
          }
          rpc ServerStream(M) returns (stream M) {
            option (.errgrpc.v1.raises_component_code) = COMPONENT_CODE_IM_LOGIN_ERROR;
          }
          rpc ClientStream(stream M) returns (M);
          rpc BidiStream(stream M) returns (stream M);
        }
        service Plain { rpc Unary(M) returns (M); }
        service MethodsOnly {
          rpc Unary(M) returns (M) { option (.errgrpc.v1.raises_res_code) = RES_CODE_NOT_FOUND; }
          rpc Nothing(M) returns (M);
        }
    """,
    # An edition, a catalogue inside a message with its service in the same file, a dash in the file
    # name.
    LAMP: """
        edition = "2023";
        package team.lamp;
        import "errgrpc/v1/annotations.proto";
        import "google/protobuf/descriptor.proto";
        import "team/errgrpc/desk/v1/codes.proto";
        message Lamp {
          enum Code {
            option (.errgrpc.v1.catalog) = {domain: "lamp" fallback: "BROKEN"};
            CODE_UNSPECIFIED = 0;
            CODE_BROKEN = 1 [(.errgrpc.v1.code) = {grpc_status: INTERNAL}];
          }
        }
        extend google.protobuf.MethodOptions {
          repeated Lamp.Code raises_lamp_code = 51201 [features.repeated_field_encoding = EXPANDED];
        }
        service LampService {
          rpc Switch(Lamp) returns (Lamp) {
            option (raises_lamp_code) = CODE_BROKEN;
            option (.team.errgrpc.desk.v1.Options.raises_desk_code) = CODE_FULL;
          }
        }
    """,
    # Path segments that an import statement cannot name, and two catalogues with one class name.
    CLASS: """
        syntax = "proto3";
        package team.odd;
        import "errgrpc/v1/annotations.proto";
        import "google/protobuf/descriptor.proto";
        enum Code {
          option (.errgrpc.v1.catalog) = {domain: "odd"};
          CODE_UNSPECIFIED = 0;
          CODE_ODD = 1 [(.errgrpc.v1.code) = {grpc_status: ABORTED}];
        }
        extend google.protobuf.MethodOptions { repeated Code raises_odd_code = 51202; }
    """,
    "team/odd/odd.proto": """
        syntax = "proto3";
        package team.odd.v1;
        import "team/class/1st/plain.proto";
        import "team/errgrpc/desk/v1/codes.proto";
        message M {}
        service Odd {
          rpc A(M) returns (M) {
            option (raises_odd_code) = CODE_ODD;
            option (.team.errgrpc.desk.v1.Options.raises_desk_code) = CODE_FULL;
          }
        }
    """,
}
# It does not import the catalogue's module at run time.
OPTION_ONLY = {
    "team/late.proto": """
        edition = "2024";
        package team.late;
        import option "errgrpc/v1/res_code.proto";
        message M {}
        service Late {
          rpc A(M) returns (M) { option (.errgrpc.v1.raises_res_code) = RES_CODE_CONFLICT; }
        }
    """
}
EXPECTED = {
    "team.till.v2.till": {
        "/team.till.v2.Till/Unary": {"UNAUTHORIZED", "GONE", "ROOM_NOT_EXIST", "FULL"},
        "/team.till.v2.Till/ServerStream": {"UNAUTHORIZED", "GONE", "IM_LOGIN_ERROR"},
        "/team.till.v2.Till/ClientStream": {"UNAUTHORIZED", "GONE"},
        "/team.till.v2.Till/BidiStream": {"UNAUTHORIZED", "GONE"},
        "/team.till.v2.MethodsOnly/Unary": {"NOT_FOUND"},
        "/team.till.v2.MethodsOnly/Nothing": set(),
    },
    "team.lamp.lamp_codes": {"/team.lamp.LampService/Switch": {"BROKEN", "FULL"}},
    "team.odd.odd": {"/team.odd.v1.Odd/A": {"ODD", "FULL"}},
    "team.late": {"/team.late.Late/A": {"CONFLICT"}},
}


def generated(request: CodeGeneratorRequest) -> dict[str, str]:
    response = plugin.generate(request)
    assert response.error == ""
    return {file.name: file.content for file in response.file}


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports generated modules from memory, as if installed: (texts) -> their RAISES by name."""

    def load(texts: Mapping[str, str]) -> dict[str, Mapping[str, frozenset[ErrorCode]]]:
        def add(name: str, text: str) -> None:
            if name in sys.modules:
                return
            for at in range(1, name.count(".") + 1):
                package = ".".join(name.split(".")[:at])
                if package not in sys.modules:
                    made = ModuleType(package)
                    made.__path__ = []
                    monkeypatch.setitem(sys.modules, package, made)
            module = ModuleType(name)
            monkeypatch.setitem(sys.modules, name, module)
            exec(compile(text, name, "exec"), module.__dict__)  # noqa: S102

        named = {path.removesuffix(".py").replace("/", "."): text for path, text in texts.items()}
        # the catalogues come first
        for name in sorted(named, key=lambda name: "RAISES" in named[name]):
            if not name.startswith("errgrpc."):
                add(name, named[name])
        return {
            name.removesuffix("_errgrpc"): sys.modules[name].RAISES
            for name in named
            if "RAISES:" in named[name]
        }

    return load


@pytest.fixture(scope="session")
def team(build: Build) -> FileDescriptorSet:
    return build(TEAM | OPTION_ONLY)


def test_every_way_to_declare(team: FileDescriptorSet, request_for: Request, modules: Any) -> None:
    texts = generated(request_for(team, [*TEAM, *OPTION_ONLY]))
    assert "team/public_errgrpc.py" not in texts
    found = modules(texts)
    assert {
        name: {method: {code.reason for code in codes} for method, codes in table.items()}
        for name, table in found.items()
    } == EXPECTED
    unary = found["team.till.v2.till"]["/team.till.v2.Till/Unary"]
    assert {code for code in unary if code in ResCode} == {
        ResCode.UNAUTHORIZED,
        ResCode.ROOM_NOT_EXIST,
    }
    assert (
        ComponentCode.IM_LOGIN_ERROR
        in found["team.till.v2.till"]["/team.till.v2.Till/ServerStream"]
    )
    errgrpc.ServerInterceptor(ResCode, raises=list(found.values()))


def test_the_text_is_the_same_whatever_the_order_of_files(
    team: FileDescriptorSet, request_for: Request
) -> None:
    names = [*TEAM, *OPTION_ONLY]
    start = generated(request_for(team, names))
    for seed in range(10):
        random.Random(seed).shuffle(names)
        request = request_for(team, names)
        files = list(request.proto_file)
        random.Random(seed).shuffle(files)
        del request.proto_file[:]
        request.proto_file.extend(files)
        assert generated(request) == start
        for name in names:  # each file alone
            assert generated(request_for(team, [name])).items() <= start.items()


def test_the_classroom_says_what_its_methods_raise() -> None:
    assert len(RAISES) == 12
    assert RAISES["/classroom.v1.ClassroomService/WatchRoom"] == {
        ResCode.UNAUTHORIZED,
        ResCode.FORBIDDEN,
        ResCode.ROOM_NOT_EXIST,
        ComponentCode.ENGINE_ERROR_ROOM_CLOSED,
        ComponentCode.ENGINE_ERROR_SERVER_KICKED,
    }


HEAD = """syntax = "proto3"; package bad;
import "errgrpc/v1/res_code.proto"; import "errgrpc/v1/annotations.proto"; \
import "google/protobuf/descriptor.proto";
enum BadCode { option (errgrpc.v1.catalog) = {domain: "bad"};
  BAD_CODE_UNSPECIFIED = 0; BAD_CODE_LOST = 1 [(errgrpc.v1.code) = {grpc_status: DATA_LOSS}]; }
message M {}
"""  # five lines, so the next is line 6
SERVICE = "service S {{ rpc A(M) returns (M) {{\n{}\n}} }}"
# buf refuses two extensions with one number. So the text has another number, which is replaced in
# the set that buf builds.
RENUMBERED = {51194: 59994, 51193: 59993, 51333: 59933}


def renumbered(files: FileDescriptorSet) -> FileDescriptorSet:
    for extension in (extension for file in files.file for extension in file.extension):
        extension.number = next(
            (now for now, was in RENUMBERED.items() if was == extension.number), extension.number
        )
    return files


REFUSED = {
    "success": (
        SERVICE.format("option (errgrpc.v1.raises_res_code) = RES_CODE_SUCCESS;"),
        [
            "bad.proto:7: /bad.S/A: declares (errgrpc.v1.raises_res_code) RES_CODE_SUCCESS, "
            "which is a success; "
            "give an error of errgrpc.v1.ResCode, such as RES_CODE_NOT_MODIFIED"
        ],
    ),
    "success for all": (
        "service S {\noption (errgrpc.v1.every_method_raises_res_code) = RES_CODE_SUCCESS;\n}",
        [
            "bad.proto:7: bad.S: declares (errgrpc.v1.every_method_raises_res_code) "
            "RES_CODE_SUCCESS, which is a success; "
            "give an error of errgrpc.v1.ResCode, such as RES_CODE_NOT_MODIFIED"
        ],
    ),
    "unspecified": (
        "extend google.protobuf.MethodOptions { repeated BadCode raises_bad = 51300; }\n"
        "service S { rpc A(M) returns (M) {\n"
        "option (raises_bad) = BAD_CODE_LOST;\noption (raises_bad) = BAD_CODE_UNSPECIFIED; } }",
        [
            "bad.proto:9: /bad.S/A: declares (bad.raises_bad) BAD_CODE_UNSPECIFIED, "
            "which is no code; "
            "give an error of bad.BadCode, such as BAD_CODE_LOST"
        ],
    ),
    "singular": (
        "extend google.protobuf.MethodOptions {\noptional BadCode raises_bad = 51300; }",
        [
            (
                "bad.proto:7: bad.raises_bad: holds one code at most; "
                "make it `repeated bad.BadCode`, as a method may raise several"
            )
        ],
    ),
    "number of ours": (
        "extend google.protobuf.MethodOptions {\nrepeated BadCode raises_bad = 59994; }",
        [
            "bad.proto:7: bad.raises_bad: has the number 51194 of google.protobuf.MethodOptions, "
            "as errgrpc.v1.raises_res_code of "
            "errgrpc/v1/res_code.proto: no Python process can import both; "
            "give it a number of its own (50000 to 99999 are for use "
            "within an organization)"
        ],
    ),
    "number of a catalogue": (
        "extend google.protobuf.EnumOptions {\nstring about = 59993; }",
        [
            "bad.proto:7: bad.about: has the number 51193 of google.protobuf.EnumOptions, "
            "as errgrpc.v1.catalog of "
            "errgrpc/v1/annotations.proto: no Python process can import both; "
            "give it a number of its own (50000 to 99999 are for use "
            "within an organization)"
        ],
    ),
    "a class RAISES": (
        (
            'enum RAISES { option (errgrpc.v1.catalog) = {domain: "r"}; '
            "RAISES_X_1 = 0 [(errgrpc.v1.code) = {grpc_status: ABORTED}]; }\n"
        )
        + SERVICE.format("option (errgrpc.v1.raises_res_code) = RES_CODE_CONFLICT;"),
        [
            (
                "bad.proto:6: RAISES: makes the Python class RAISES, which is the name of what "
                "bad.S declares; rename the enum"
            )
        ],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_wrong_form_is_refused(case: str, build: Build, request_for: Request) -> None:
    declaration, refusals = REFUSED[case]
    response = plugin.generate(
        request_for(renumbered(build({"bad.proto": HEAD + declaration})), ["bad.proto"])
    )
    assert response.error.split("\n") == refusals
    assert not response.file


def test_what_is_wrong_in_an_import_is_refused_where_it_is_used(
    build: Build, request_for: Request
) -> None:
    options = (
        "extend google.protobuf.MethodOptions { optional BadCode raises_bad = 51300; "
        "repeated BadCode raises_more = 59994; }\n"
    )
    head = (
        'syntax = "proto3"; package use; import "bad.proto"; import "errgrpc/v1/res_code.proto"; '
        "message M {}\n"
    )
    use = head + SERVICE.format("option (bad.raises_bad) = BAD_CODE_LOST;")
    files = renumbered(build({"bad.proto": HEAD + options, "use.proto": use}))
    singular, clash = plugin.generate(request_for(files, ["use.proto"])).error.split("\n")
    assert singular.startswith("bad.proto:6: bad.raises_bad: holds one code at most")
    assert clash.startswith("errgrpc/v1/res_code.proto:") or clash.startswith(
        "bad.proto:6: bad.raises_more: has the number 51194"
    )


def test_two_teams_with_one_number(build: Build, request_for: Request) -> None:
    """protoc only warns, buf refuses, and importing both modules raises TypeError."""
    one = HEAD + (
        "extend google.protobuf.ServiceOptions { repeated BadCode every_method_raises_bad = "
        "51333; }"
    )
    other = (
        one.replace("package bad", "package other")
        .replace('"bad"', '"other"')
        .replace("51333", "59933")
    )
    head = (
        'syntax = "proto3"; package use; import "bad.proto"; import "other.proto"; message M {}\n'
    )
    use = head + (
        "service S { option (bad.every_method_raises_bad) = BAD_CODE_LOST; rpc A(M) returns (M); }"
    )
    files = renumbered(build({"bad.proto": one, "other.proto": other, "use.proto": use}))
    for asked in (["use.proto"], ["bad.proto", "other.proto"]):
        error = plugin.generate(request_for(files, asked)).error
        assert error.startswith(
            "other.proto:6: other.every_method_raises_bad: has the number 51333 of "
            "google.protobuf.ServiceOptions, as "
            "bad.every_method_raises_bad of bad.proto: no Python process can import both"
        )
    assert "\n" not in error
    # alone, it has no conflict
    assert plugin.generate(request_for(files, ["other.proto"])).error == ""
    (change,) = (
        change for change in breaking.compare(files, files) if change.id == "option-number-clash"
    )
    assert str(change).startswith("breaking: other.every_method_raises_bad: has the number 51333")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            "HTTP_CODE_404 = 1 [(errgrpc.v1.code) = {grpc_status: NOT_FOUND}];",
            "HTTP_CODE_404: has the reason '404'",
        ),
        ("HTTP_CODE_GONE = 1 [(errgrpc.v1.code) = {}];", "HTTP_CODE_GONE: has no grpc_status"),
    ],
)
def test_an_imported_catalogue_is_judged_where_it_is_used(
    broken: str, says: str, build: Build, request_for: Request
) -> None:
    """RAISES names the class and the codes, so it would be wrong, too."""
    name = broken.split(" ", maxsplit=1)[0]
    codes = (
        'syntax = "proto3"; package first; import "errgrpc/v1/annotations.proto"; '
        'import "google/protobuf/descriptor.proto";\n'
        'enum HttpCode { option (errgrpc.v1.catalog) = {domain: "http"}; '
        "HTTP_CODE_UNSPECIFIED = 0; " + broken + " }\n"
        "extend google.protobuf.MethodOptions { repeated HttpCode raises_http = 51301; }"
    )
    use = 'syntax = "proto3"; package use; import "first.proto"; message M {}\n' + SERVICE.format(
        f"option (first.raises_http) = {name};"
    )
    files = build({"first.proto": codes, "use.proto": use})
    assert says in plugin.generate(request_for(files, ["use.proto"])).error
    unused = build({"first.proto": codes, "use.proto": use.replace("option", "// option")})
    assert plugin.generate(request_for(unused, ["use.proto"])).error == ""


def test_names_of_python_s_own(build: Build, request_for: Request, modules: Any) -> None:
    """Enums may have names that the generated text uses.

    The file name is one that an import statement cannot name.
    """
    text = (
        (
            'syntax = "proto3"; package own; import "errgrpc/v1/annotations.proto"; '
            'import "google/protobuf/descriptor.proto";\n'
        )
        + "\n".join(
            f'enum {name} {{ option (errgrpc.v1.catalog) = {{domain: "{name}"}}; '
            f"{name.upper()}_LOST = 0 [(errgrpc.v1.code) = "
            f'{{grpc_status: NOT_FOUND, metadata_fields: {{key: "count", type: INT64}}}}]; }}\n'
            f"extend google.protobuf.MethodOptions {{ repeated {name} raises_{name} "
            f"= {51310 + number}; }}"
            for number, name in enumerate(("frozenset", "int", "float", "bool", "str"))
        )
        + "\nmessage M {}\n"
        + SERVICE.format(
            "option (raises_frozenset) = FROZENSET_LOST; option (raises_int) = INT_LOST;"
        )
    )
    use = 'syntax = "proto3"; package use; import "ﬁ.proto"; message M {}\n' + SERVICE.format(
        "option (own.raises_frozenset) = FROZENSET_LOST;"
    )
    texts = generated(
        request_for(build({"ﬁ.proto": text, "use.proto": use}), ["ﬁ.proto", "use.proto"])
    )
    found = modules(texts)
    assert {code.reason for code in found["ﬁ"]["/own.S/A"]} == {"LOST"}
    assert len(found["ﬁ"]["/own.S/A"]) == 2
    assert "import_module" in texts["use_errgrpc.py"]


def test_what_no_compiler_makes_is_no_declaration(build: Build, request_for: Request) -> None:
    """Options that do not parse, and numbers that no extension of options can have."""
    text = HEAD + "extend google.protobuf.MethodOptions { repeated BadCode raises_bad = 51300; }\n"
    files = build({"bad.proto": text + SERVICE.format("option (raises_bad) = BAD_CODE_LOST;")})
    for number in (1, 33, 999, 0, -1, 2**29):
        request = request_for(files, ["bad.proto"])
        request.proto_file[-1].extension[0].number = number
        assert plugin.generate(request).error == ""
        breaking.compare(
            FileDescriptorSet(file=request.proto_file), FileDescriptorSet(file=request.proto_file)
        )
    for raw in (b"\xa2\x86\x19\x01\x80", b"\xa0\x86\x19\xff", b"\xba\x3e\x02\x10\x01"):
        request = request_for(files, ["bad.proto"])
        request.proto_file[-1].service[0].method[0].options.MergeFromString(b"")
        options = request.proto_file[-1].service[0].method[0].options
        options.Clear()
        with contextlib.suppress(DecodeError):
            options.MergeFromString(raw)
        options.uninterpreted_option.add()
        generated(request)


def test_a_file_that_is_asked_for_twice_is_written_once(build: Build, request_for: Request) -> None:
    request = request_for(build({"bad.proto": HEAD}), ["bad.proto"])
    request.file_to_generate.append("bad.proto")
    assert [file.name for file in plugin.generate(request).file] == ["bad_errgrpc.py"]


def test_other_options_declare_nothing(build: Build, request_for: Request) -> None:
    text = HEAD + (
        "extend google.protobuf.MethodOptions { BadCode likely = 51300; "
        "repeated BadCode raised = 51301; repeated M raises_m = 51302; }\n"
        "extend google.protobuf.ServiceOptions { repeated BadCode raises_bad = 51300; }\n"
        "service S { option (raises_bad) = BAD_CODE_LOST; rpc A(M) returns (M) {\n"
        "option (likely) = BAD_CODE_LOST; option (raised) = BAD_CODE_UNSPECIFIED; } }"
    )
    request = request_for(build({"bad.proto": text}), ["bad.proto"])
    assert "RAISES" not in generated(request)["bad_errgrpc.py"]
    has = "has the type of a catalogue but declares no codes, as its name does not begin with"
    assert plugin.notes(request) == [
        f"bad.proto:6: bad.likely: {has} raises_",
        f"bad.proto:6: bad.raised: {has} raises_",
        f"bad.proto:7: bad.raises_bad: {has} every_method_raises_",
    ]


# Changes of declared errors. Each: (text in OLD, its replacement, the changes).
OLD = HEAD + (
    "extend google.protobuf.MethodOptions { repeated BadCode raises_bad = 51300; }\n"
    "service S { rpc A(M) returns (M) { option (raises_bad) = BAD_CODE_LOST; "
    "option (errgrpc.v1.raises_res_code) = RES_CODE_CONFLICT; }\n"
    "rpc B(M) returns (M); }\nservice Plain { rpc A(M) returns (M); }"
)
MORE, LESS = "may raise {} now [method-raises-more]", "raises {} no more [method-raises-less]"
CHANGES = {
    "nothing": ("", "", []),
    "more": (
        "rpc B(M) returns (M);",
        "rpc B(M) returns (M) { option (raises_bad) = BAD_CODE_LOST; }",
        ["caution: /bad.S/B: " + MORE.format("bad.BadCode.LOST")],
    ),
    "less": (
        "option (errgrpc.v1.raises_res_code) = RES_CODE_CONFLICT;",
        "",
        ["note: /bad.S/A: " + LESS.format("errgrpc.v1.ResCode.CONFLICT")],
    ),
    "all of them": (
        "service S {",
        "service S { option (errgrpc.v1.every_method_raises_res_code) = RES_CODE_CONFLICT;",
        ["caution: /bad.S/B: " + MORE.format("errgrpc.v1.ResCode.CONFLICT")],
    ),
    "declared": (
        "service Plain {",
        "service Plain { option (errgrpc.v1.every_method_raises_res_code) = RES_CODE_CONFLICT;",
        ["note: bad.Plain: declares its errors now [raises-declared]"],
    ),
    "declared no more": (
        (
            "option (raises_bad) = BAD_CODE_LOST; option (errgrpc.v1.raises_res_code) = "
            "RES_CODE_CONFLICT;"
        ),
        "",
        ["caution: bad.S: declares no errors any more [raises-removed]"],
    ),
    "a new method": (
        "rpc B(M) returns (M);",
        "rpc B(M) returns (M); rpc C(M) returns (M) { option (raises_bad) = BAD_CODE_LOST; }",
        [],
    ),
    "a method removed": ("rpc B(M) returns (M);", "", []),
    "a service removed": ("service Plain { rpc A(M) returns (M); }", "", []),
    "a renamed code": (
        "BAD_CODE_LOST",
        "BAD_CODE_AWAY",
        ["breaking: bad.BadCode: LOST: reason was LOST, is AWAY [reason-changed]"],
    ),
    "a renumbered code": (
        "BAD_CODE_LOST = 1",
        "BAD_CODE_LOST = 2",
        ["breaking: bad.BadCode: LOST: number was 1, is 2 [number-changed]"],
    ),
    "the number of the option": (
        "51300",
        "51301",
        ["caution: bad.raises_bad: number was 51300, is 51301 [option-number-changed]"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changes_of_what_methods_raise(case: str, build: Build) -> None:
    was, now, changes = CHANGES[case]
    old, new = (build({"bad.proto": text}) for text in (OLD, OLD.replace(was, now)))
    assert list(map(str, breaking.compare(old, new))) == changes


def test_a_set_without_its_imports_is_refused(build: Build, tmp_path: Path) -> None:
    """Options of a missing file cannot be read, so their changes would go unseen."""
    files = build({"bad.proto": OLD})
    lacking = FileDescriptorSet(
        file=[file for file in files.file if file.name != "errgrpc/v1/res_code.proto"]
    )
    (tmp_path / "lacking.binpb").write_bytes(lacking.SerializeToString())
    with pytest.raises(
        ValueError,
        match=r"lacking.binpb lacks errgrpc/v1/res_code.proto, which bad.proto imports: "
        r"make it with `protoc --inc",
    ):
        breaking.load(str(tmp_path / "lacking.binpb"))


def test_protoc_makes_what_python_imports(fresh_with_protoc: Any, tmp_path: Path) -> None:
    """`protoc --python_out` with our plugin, as a user runs it.

    It includes the messages of two teams in one process.
    """
    # protoc before 32 does not know edition 2024.
    protos = TEAM | (OPTION_ONLY if harness.GRPC >= (1, 76) else {})
    for path, text in protos.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    site = next((fresh_with_protoc.folder / "lib").glob("python*/site-packages"))
    outs = [f"--{kind}_out={tmp_path / 'out'}" for kind in ("python", "grpc_python", "errgrpc")]
    (tmp_path / "out").mkdir()
    fresh_with_protoc.run(
        "python",
        "-m",
        "grpc_tools.protoc",
        f"-I{tmp_path}",
        f"-I{site}",
        *outs,
        *protos,
        cwd=tmp_path,
    )
    names = [name for name in EXPECTED if harness.GRPC >= (1, 76) or name != "team.late"]
    script = (
        "import importlib, json, sys\n"
        "import errgrpc\n"
        f"names = {names!r}\n"
        "found = {}\n"
        "for name in names:\n"
        "    importlib.import_module(name + '_pb2'), importlib.import_module(name + '_pb2_grpc')\n"
        "    found[name] = importlib.import_module(name + '_errgrpc').RAISES\n"
        "from errgrpc.v1 import res_code_pb2\n"
        "errgrpc.ServerInterceptor(errgrpc.ResCode, raises=found.values())\n"
        "print(json.dumps({n: {m: sorted(c.reason for c in cs) for m, cs in t.items()} for n, "
        "t in found.items()}))\n"
    )
    (tmp_path / "out/run.py").write_text(script)
    printed = json.loads(
        fresh_with_protoc.run("python", "-W", "error", "run.py", cwd=tmp_path / "out")
    )
    assert printed == {
        name: {method: sorted(codes) for method, codes in EXPECTED[name].items()} for name in names
    }
    other = TEAM[CLASS].replace("51202", "51201").replace("package team.odd", "package clash")
    use = (
        'syntax = "proto3"; import "clash.proto"; import "team/lamp/lamp-codes.proto"; message M {}'
    )
    (tmp_path / "clash.proto").write_text(other)
    (tmp_path / "use.proto").write_text(use)
    command = (
        "python",
        "-m",
        "grpc_tools.protoc",
        f"-I{tmp_path}",
        f"-I{site}",
        *outs,
        "use.proto",
        "clash.proto",
    )
    said = fresh_with_protoc.run(*command, cwd=tmp_path, check=False)
    assert (
        "clash.proto:11: clash.raises_odd_code: has the number 51201 of "
        "google.protobuf.MethodOptions, as team.lamp.raises_lamp_code"
    ) in said
