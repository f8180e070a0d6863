"""Descriptors for the tests: buf builds them from the text of protos, in a temporary folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import unknown_fields
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[2]

Build = Callable[[Mapping[str, str]], FileDescriptorSet]
Request = Callable[[FileDescriptorSet, Iterable[str]], CodeGeneratorRequest]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Workspace = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def tool() -> Run:
    """Returns a function that runs a program of this environment, with the project importable.

    Its signature is `(name, *arguments, cwd) -> result`.
    """
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": search, "PYTHONWARNINGS": "error"}

    def run(
        name: str, *arguments: str | Path, cwd: Path, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        program = shutil.which(name, path=search)
        assert program, f"{name} is not installed"
        return subprocess.run(
            [program, *arguments],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            env=environment,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Returns a function that writes protos into a new folder: `{path: text} -> folder`.

    The folder also has the protos of the project and of google.rpc.
    """

    def write(protos: Mapping[str, str]) -> Path:
        folder = tmp_path_factory.mktemp("workspace")
        for source in (ROOT / "protos", ROOT / "third_party"):
            shutil.copytree(
                source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.binpb")
            )
        for path, text in protos.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def build(workspace: Workspace, tool: Run) -> Build:
    """Returns a function that builds protos: `{path: text} -> descriptor set with comments`.

    The protos may import those of the project.
    """

    def run(protos: Mapping[str, str]) -> FileDescriptorSet:
        built = tool("buf", "build", "-o", "-", "--as-file-descriptor-set", cwd=workspace(protos))
        assert built.returncode == 0, built.stderr.decode()
        return FileDescriptorSet.FromString(built.stdout)

    return run


@pytest.fixture(scope="session")
def request_for() -> Request:
    """Returns a function that builds the request of protoc for some files of a set.

    The request has the files and their imports, each import before its importer.
    """

    def make(files: FileDescriptorSet, names: Iterable[str]) -> CodeGeneratorRequest:
        request = CodeGeneratorRequest(file_to_generate=names)
        by_name = {file.name: file for file in files.file}
        added = set[str]()

        def add(name: str) -> None:
            if name not in added:
                added.add(name)
                for imported in (*by_name[name].dependency, *_option_imports(by_name[name])):
                    add(imported)
                request.proto_file.add().CopyFrom(by_name[name])

        for name in request.file_to_generate:
            add(name)
        return request

    return make


def _option_imports(file: FileDescriptorProto) -> list[str]:
    """The files of `import option`, also if protobuf (before 6.32) does not know the field."""
    known: list[str] | None = getattr(file, "option_dependency", None)
    if known is not None:
        return list(known)
    fields: Any = unknown_fields.UnknownFieldSet(file)
    return [field.data.decode() for field in fields if field.field_number == 15]
