"""What the package offers is what it says it does, and all of it is documented."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
from typing import Any

import pytest

import errgrpc
import errgrpc.aio
import errgrpc.http

GENERATED = ("errgrpc.v1", "errgrpc.codegen")
ROOMS = [info.name for info in pkgutil.walk_packages(errgrpc.__path__, "errgrpc.") if not info.name.startswith(GENERATED)]


def public(module: types.ModuleType) -> set[str]:
    """The names of a module that are no modules of its own and not private."""
    rooms = {name for name, value in vars(module).items() if inspect.ismodule(value) and value is not errgrpc.aio}
    return {name for name in vars(module) if not name.startswith("_")} - rooms


def test_the_names_of_the_contract() -> None:
    assert set(errgrpc.__all__) == {
        "ClientInterceptor",
        "ComponentCode",
        "ErrorCode",
        "MisuseWarning",
        "OnError",
        "RemoteError",
        "ResCode",
        "ServerInterceptor",
        "ServiceError",
        "Spec",
        "Translate",
        "Variant",
        "aio",
        "decode",
        "encode",
        "from_error",
        "remote",
        "wrap_channel",
    }
    assert set(errgrpc.aio.__all__) == {"ServerInterceptor", "client_interceptors", "wrap_channel"}


@pytest.mark.parametrize("module", [errgrpc, errgrpc.aio, errgrpc.http], ids=lambda module: module.__name__)
def test_nothing_else_is_public(module: Any) -> None:
    assert public(module) == set(module.__all__)
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize("name", ROOMS)
def test_each_room_lists_what_it_has(name: str) -> None:
    module = importlib.import_module(name)
    for exported in getattr(module, "__all__", ()):
        assert getattr(module, exported, None) is not None
    assert module.__doc__


def documented(owner: Any, name: str) -> list[str]:
    """The public things of a class or function that have no docstring."""
    missing = [] if inspect.getdoc(owner) else [name]
    if inspect.isclass(owner):
        for attribute, value in vars(owner).items():
            if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)):
                # What overrides a method of grpc's is documented there.
                said = [getattr(base, attribute) for base in owner.__mro__ if hasattr(base, attribute)]
                missing += [] if any(map(inspect.getdoc, said)) else [f"{name}.{attribute}"]
    return missing


@pytest.mark.parametrize("module", [errgrpc, errgrpc.aio, errgrpc.http], ids=lambda module: module.__name__)
def test_all_that_is_public_is_documented(module: Any) -> None:
    assert inspect.getdoc(module)
    assert [missing for name in module.__all__ for missing in documented(getattr(module, name), name)] == []


def test_importing_is_quiet_and_needs_no_more_than_its_dependencies() -> None:
    code = """
        import sys
        before = {name.partition(".")[0] for name in sys.modules}
        import errgrpc
        after = {name.partition(".")[0] for name in sys.modules}
        print(*sorted(after - before - set(sys.stdlib_module_names)))
        assert not any(name.startswith("errgrpc.codegen") for name in sys.modules)
    """
    command = [sys.executable, "-W", "error", "-c", inspect.cleandoc(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr == ""
    # grpc imports what it finds of its own companions.
    found = {name for name in done.stdout.split() if not name.startswith(("grpc_", "_cython", "cython"))}
    assert found <= {"errgrpc", "google", "grpc", "typing_extensions"}
