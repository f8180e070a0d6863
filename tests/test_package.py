"""The wheel in a new environment with nothing else, as a new user or another team has it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FIRST_EXAMPLE = re.compile(
    r"^```python\n(.*?)^```$.*?^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def test_nothing_else_is_installed(fresh: Any) -> None:
    installed = fresh.run(
        "python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"
    )
    names = {line.partition("==")[0] for line in installed.splitlines()}
    allowed = {
        "errgrpc",
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
        "typing_extensions",
        "pip",
        "setuptools",
        "grpcio-tools",
    }
    assert {"errgrpc", "grpcio", "protobuf", "googleapis-common-protos"} <= names <= allowed


def test_what_other_teams_need_is_in_the_wheel(fresh: Any) -> None:
    listed = fresh.run(
        "python", "-c", "import importlib.metadata as m; print(*m.files('errgrpc'), sep='\\n')"
    ).splitlines()
    stems = ("annotations", "res_code", "component_code")
    needed = {
        f"errgrpc/v1/{stem}{end}" for stem in stems for end in (".proto", "_pb2.py", "_pb2.pyi")
    }
    assert {
        "errgrpc/py.typed",
        "errgrpc/v1/res_code_errgrpc.py",
        "errgrpc/v1/component_code_errgrpc.py",
    } | needed <= set(listed)
    assert not [name for name in listed if name.startswith(("tests/", "examples/"))]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_first_example_runs_as_pasted(fresh: Any, tmp_path: Path, readme: str) -> None:
    found = FIRST_EXAMPLE.search((ROOT / readme).read_text())
    assert found is not None
    (tmp_path / "example.py").write_text(found[1])
    assert fresh.run("python", "-W", "error", "example.py", cwd=tmp_path) == found[2]


def _second_team(count: int) -> str:
    values = "\n".join(
        f"  // Description {number}.\n"
        f"  SECOND_TEAM_CODE_CODE_{number} = {number} [(errgrpc.v1.code) = {{grpc_status: "
        f'ABORTED, http_status: 409, message: "No {number}"'
        f' hints: {{locale: "en-US", text: "Hint {number}"}}}}];'
        for number in range(1, count + 1)
    )
    return f"""syntax = "proto3";
package second.team.v1;
import "errgrpc/v1/annotations.proto";
enum SecondTeamCode {{
  option (errgrpc.v1.catalog) = {{domain: "second.example.com" default_locale: "en-US" \
fallback: "CODE_1"}};
  SECOND_TEAM_CODE_UNSPECIFIED = 0;
{values}
}}
"""


SERVE_AND_CATCH = """
from concurrent import futures
import errgrpc, grpc
from second.team.v1 import codes_pb2
from second.team.v1.codes_errgrpc import SecondTeamCode

assert set(codes_pb2.SecondTeamCode.values()) == {0, *map(int, SecondTeamCode)}

def fail(request, context):
    raise errgrpc.ServiceError(SecondTeamCode(int(request)), number=int(request))

interceptor = errgrpc.ServerInterceptor(SecondTeamCode)
server = grpc.server(futures.ThreadPoolExecutor(), interceptors=[interceptor])
handlers = {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("S", handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    typed = grpc.intercept_channel(channel, errgrpc.ClientInterceptor(SecondTeamCode))
    call = typed.unary_unary("/S/Fail")
    for code in SecondTeamCode:
        try:
            call(str(code.number).encode())
        except errgrpc.remote(code) as error:
            assert (error.error_code, error.code()) == (code, code.grpc_status), error
            assert error.hint == f"Hint {code.number}", error
            assert code.description == f"Description {code.number}.", code.description
server.stop(None).wait()
print(len(SecondTeamCode))
"""


def test_a_second_team_generates_serves_and_catches_200_codes(
    fresh_with_protoc: Any, tmp_path: Path
) -> None:
    package = tmp_path / "second" / "team" / "v1"
    package.mkdir(parents=True)
    (package / "codes.proto").write_text(_second_team(200))
    site = fresh_with_protoc.run(
        "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    ).strip()
    arguments = (
        "-I.",
        f"-I{site}",
        "--python_out=.",
        "--pyi_out=.",
        "--errgrpc_out=.",
        "second/team/v1/codes.proto",
    )
    fresh_with_protoc.run("python", "-m", "grpc_tools.protoc", *arguments, cwd=tmp_path)
    (tmp_path / "main.py").write_text(SERVE_AND_CATCH)
    assert fresh_with_protoc.run("python", "-W", "error", "main.py", cwd=tmp_path) == "200\n"


def test_the_plugin_refuses_in_the_words_of_the_other_team(
    fresh_with_protoc: Any, tmp_path: Path
) -> None:
    wrong = (
        _second_team(3)
        .replace('domain: "second.example.com" ', "")
        .replace('grpc_status: ABORTED, http_status: 409, message: "No 2"', "")
    )
    (tmp_path / "codes.proto").write_text(wrong)
    site = fresh_with_protoc.run(
        "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    ).strip()
    arguments = (
        "python",
        "-m",
        "grpc_tools.protoc",
        "-I.",
        f"-I{site}",
        "--errgrpc_out=.",
        "codes.proto",
    )
    said = fresh_with_protoc.run(*arguments, cwd=tmp_path, check=False)
    assert "codes.proto:4: SecondTeamCode: has no domain; give" in said
    assert "codes.proto:10: SECOND_TEAM_CODE_CODE_2: has no grpc_status; give one of" in said


REFLECTED = """
import grpc, sys
from concurrent.futures import ThreadPoolExecutor
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha import proto_reflection_descriptor_database as database
from google.protobuf.descriptor_pool import DescriptorPool
import errgrpc
if sys.argv[1] == "imported":
    import errgrpc.v1.res_code_pb2
with ThreadPoolExecutor(2) as pool:
    server = grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(errgrpc.ResCode)])
    reflection.enable_server_reflection([reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            descriptors = DescriptorPool(database.ProtoReflectionDescriptorDatabase(channel))
            found = descriptors.FindEnumTypeByName("errgrpc.v1.ResCode")
            print(found.values_by_number[1004].GetOptions().ListFields()[0][1].http_status)
        except KeyError:
            print("no such file")
    server.stop(None).wait()
"""


@pytest.mark.parametrize(
    ("how", "printed"), [("imported", "404"), ("not imported", "no such file")]
)
def test_reflection_serves_a_catalogue_that_is_imported(how: str, printed: str) -> None:
    """The example of docs/protobuf.md; server and client share a process, with separate pools."""
    ran = subprocess.run(
        [sys.executable, "-c", REFLECTED, how],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout.split("\n")[0] == printed, ran.stderr
