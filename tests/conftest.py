"""What all tests share: the selection of tests, a server of each style, and a new environment.

The servers and the environment live as long as the run.

`make test` leaves out slow tests (`@pytest.mark.full`) and runs a part of each large product
(`@pytest.mark.thinned(n)`). `make test-full`, `pytest --full`, and a test named by its id
(`file.py::test`) run everything.
"""

import gc
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import harness
import hypothesis
import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent

# Each run has the same examples. There is no deadline: a slow machine proves nothing.
hypothesis.settings.register_profile("errgrpc", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("errgrpc")
# For mutation tests, any failure is enough: to find its least example would take minutes.
unshrunk = [
    phase
    for phase in hypothesis.Phase
    if phase not in {hypothesis.Phase.shrink, hypothesis.Phase.explain}
]
hypothesis.settings.register_profile(
    "mutants", hypothesis.settings.get_profile("errgrpc"), phases=unshrunk
)

if harness.GRPC < (1, 83):
    # In grpcio before 1.83, an intercepted call that failed to begin raises its error again when it
    # is collected, maybe in another test. If pytest is parsing a source at that time, CPython
    # before 3.11.8 and 3.12.2 miscounts and the run ends.
    Intercepted: Any = grpc.aio._interceptor.InterceptedCall  # type: ignore[attr-defined]

    def collected(self: Any, original: Any = Intercepted.__del__) -> None:
        with suppress(Exception):  # the error of an interceptor
            original(self)

    Intercepted.__del__ = collected


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="run what takes long, too, and every case of the large products",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full") or any("::" in argument for argument in config.args):
        return
    left_out = {item for item in items if _is_left_out(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    # The collected tests are a large heap, which each garbage collection would walk through.
    # `make test` with Python 3.11: 111 s instead of 137 s.
    gc.collect()
    gc.freeze()


def _is_left_out(item: pytest.Item) -> bool:
    if item.get_closest_marker("full"):
        return True
    thinned, call = item.get_closest_marker("thinned"), getattr(item, "callspec", None)
    # The tests on the diagonals of the product run, so that each value meets other values.
    return (
        thinned is not None
        and call is not None
        and sum(call.indices.values()) % thinned.args[0] != 0
    )


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Iterator[None]:
    """Escapes lone surrogates in logs, as pytest-xdist sends reports as UTF-8."""
    return _escaped((yield))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_escaped, value))
    return value


@pytest.fixture(scope="session")
def targets() -> Iterator[dict[str, str]]:
    """The address of a server of each style, guarded by ResCode."""
    with ExitStack() as stack:
        yield {style: stack.enter_context(harness.serve(style)) for style in harness.STYLES}


@pytest.fixture(params=harness.STYLES)
def target(request: pytest.FixtureRequest, targets: dict[str, str]) -> str:
    """The address of a guarded server, once for each style of handler."""
    return targets[request.param]


@pytest.fixture(params=harness.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=harness.STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """The client's stack."""
    return request.param


@dataclass(frozen=True)
class Fresh:
    """A new environment with only the built wheel and its dependencies."""

    folder: Path

    def run(self, *command: str, cwd: Path | None = None, check: bool = True) -> str:
        """The output of a command of that environment."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            check=False,
            text=True,
            capture_output=True,
            timeout=300,
        )  # noqa: S603
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout if check else done.stdout + done.stderr

    def install(self, *requirements: str) -> None:
        """Installs with pip, in the versions that the tests themselves run with."""
        pinned = [
            f"{name}=={metadata.version(name)}"
            for name in ("grpcio", "protobuf", "googleapis-common-protos")
        ]
        constraints = self.folder / "constraints.txt"
        constraints.write_text("\n".join(pinned))
        self.run(
            "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            str(constraints),
            *requirements,
        )


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    def make(made: Fresh) -> None:
        build = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(made.folder),
            str(ROOT),
        ]
        subprocess.run(build, check=True, capture_output=True)  # noqa: S603
        venv.create(made.folder, with_pip=True, symlinks=True)
        made.install(*map(str, made.folder.glob("*.whl")))

    return _once(tmp_path_factory, "fresh", make)


@pytest.fixture(scope="session")
def fresh_with_protoc(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """The same environment with protoc and buf, as another team has it."""

    def make(made: Fresh) -> None:
        made.install("grpcio-tools")
        buf = shutil.which("buf", path=str(Path(sys.executable).parent))
        assert buf, "buf is not installed"
        (made.folder / "bin/buf").symlink_to(buf)

    return _once(tmp_path_factory, "fresh", make, "with protoc")


def _once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Fresh], None], step: str = "made"
) -> Fresh:
    """The environment; the first worker of pytest-xdist that asks for it makes it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (done := folder / step).exists():
            folder.mkdir(exist_ok=True)
            make(Fresh(folder))
            done.touch()
    return Fresh(folder)
