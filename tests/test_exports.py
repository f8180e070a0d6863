"""The package exports what it lists, and all exports are documented."""

import importlib
import importlib.metadata
import inspect
import pickle
import pickletools
import pkgutil
import subprocess
import sys
import types
import typing
from typing import Any

import pytest

import errgrpc
import errgrpc.aio
import errgrpc.http

GENERATED = ("errgrpc.v1", "errgrpc.codegen")
ROOMS = [
    info.name
    for info in pkgutil.walk_packages(errgrpc.__path__, "errgrpc.")
    if not info.name.startswith(GENERATED)
]

ALIASES = {"Form", "Headers", "Json", "OnAnswer", "Raises", "Translate", "aio"}
"""Exports that are neither classes nor functions."""


def public(module: types.ModuleType) -> set[str]:
    """The public names of a module, without its own modules."""
    rooms = {
        name
        for name, value in vars(module).items()
        if inspect.ismodule(value) and value is not errgrpc.aio
    }
    return {name for name in vars(module) if not name.startswith("_")} - rooms


def test_the_names_of_the_contract() -> None:
    assert set(errgrpc.__all__) == {
        "Answered",
        "ClientInterceptor",
        "ComponentCode",
        "CurrentCall",
        "ErrorCode",
        "MetadataField",
        "MisuseWarning",
        "OnAnswer",
        "OnError",
        "OnReceived",
        "Raises",
        "RemoteError",
        "ResCode",
        "ServerInterceptor",
        "ServiceError",
        "Spec",
        "Translate",
        "Variant",
        "aio",
        "current_call",
        "decode",
        "encode",
        "from_error",
        "remote",
        "wrap_channel",
    }
    assert set(errgrpc.aio.__all__) == {"ServerInterceptor", "client_interceptors", "wrap_channel"}


@pytest.mark.parametrize(
    "module", [errgrpc, errgrpc.aio, errgrpc.http], ids=lambda module: module.__name__
)
def test_nothing_else_is_public(module: Any) -> None:
    assert public(module) == set(module.__all__)
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize(
    "module", [errgrpc, errgrpc.aio, errgrpc.http], ids=lambda module: module.__name__
)
def test_what_is_exported_says_from_where(module: Any) -> None:
    """Tracebacks, logs and pickles name the place from which users import, not an inner module."""
    names = set(module.__all__) - ALIASES
    assert {name: getattr(module, name).__module__ for name in names} == dict.fromkeys(
        names, module.__name__
    )


def test_the_version() -> None:
    assert errgrpc.__version__ == importlib.metadata.version("errgrpc")


def test_signatures_name_only_what_is_exported() -> None:
    """Users can annotate what they pass to errgrpc."""
    exported = {
        id(getattr(module, name))
        for module in (errgrpc, errgrpc.aio, errgrpc.http)
        for name in module.__all__
    }
    hidden = []
    for module in (errgrpc, errgrpc.aio, errgrpc.http):
        for name in module.__all__:
            value = getattr(module, name)
            function = value.__init__ if inspect.isclass(value) else value
            # users do not create RemoteError
            if not inspect.isfunction(function) or value is errgrpc.RemoteError:
                continue
            todo = list(typing.get_type_hints(function, localns={"Reading": object}).values())
            while todo:
                hint = todo.pop()
                todo += [part for part in typing.get_args(hint) if not isinstance(part, str)]
                origin = typing.get_origin(hint) or hint
                if (
                    getattr(origin, "__module__", "").startswith("errgrpc")
                    and id(hint) not in exported
                ):
                    hidden.append(f"{name}: {hint}")
    assert hidden == []


def test_pickles_name_no_room() -> None:
    """The next version reads pickles of this one, and its inner modules may be others."""
    raised = errgrpc.ServiceError(
        errgrpc.ResCode.ROOM_SIT_FULL,
        "taken",
        hint={"en": "Taken"},
        retry_delay=1,
        room_uuid="r-42",
    )
    received = errgrpc.decode(errgrpc.encode(raised), errgrpc.ResCode)
    for error in (raised, received, type(received), errgrpc.remote(errgrpc.ResCode)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            named = set()
            texts: list[str] = []
            for opcode, argument, _ in pickletools.genops(pickle.dumps(error, protocol)):
                if isinstance(argument, str):
                    texts.append(argument)
                    named |= {argument.split(" ")[0]} if opcode.name == "GLOBAL" else set()
            assert not [
                text
                for text in {*texts, *named}
                if text.startswith("errgrpc.") and text.split(" ")[0] not in PICKLED
            ]


PICKLED = {"errgrpc.values", "errgrpc.v1.ResCode"}
"""Not modules: a key of errgrpc, and the domain of ResCode."""


@pytest.mark.parametrize("name", ROOMS)
def test_each_room_lists_what_it_has(name: str) -> None:
    module = importlib.import_module(name)
    for exported in getattr(module, "__all__", ()):
        assert getattr(module, exported, None) is not None
    assert module.__doc__


def documented(owner: Any, name: str) -> list[str]:
    """The public members of a class or function that have no docstring."""
    missing = [] if inspect.getdoc(owner) else [name]
    if inspect.isclass(owner):
        for attribute, value in vars(owner).items():
            if not attribute.startswith("_") and (
                inspect.isfunction(value)
                or isinstance(value, property | classmethod | staticmethod)
            ):
                # Overrides of grpc's methods are documented there.
                said = [
                    getattr(base, attribute) for base in owner.__mro__ if hasattr(base, attribute)
                ]
                missing += [] if any(map(inspect.getdoc, said)) else [f"{name}.{attribute}"]
    return missing


@pytest.mark.parametrize(
    "module", [errgrpc, errgrpc.aio, errgrpc.http], ids=lambda module: module.__name__
)
def test_all_that_is_public_is_documented(module: Any) -> None:
    assert inspect.getdoc(module)
    assert [
        missing
        for name in module.__all__
        if name not in ALIASES
        for missing in documented(getattr(module, name), name)
    ] == []


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
    # grpc imports its own companion packages where they are installed.
    found = {
        name for name in done.stdout.split() if not name.startswith(("grpc_", "_cython", "cython"))
    }
    assert found <= {"errgrpc", "google", "grpc", "typing_extensions"}
