"""The pytest plugin, in separate runs of pytest.

The runs are plain, under pytest-xdist, with asyncio in both modes, anyio and unittest.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RAISES = (
    '{"/shop.Shop/Buy": {ResCode.CONFLICT, ResCode.FORBIDDEN}, "/shop.Shop/Look": '
    "{ResCode.NOT_FOUND}}"
)
SHOP = f"""
import grpc, pytest, unittest
from errgrpc import ResCode, ServiceError
from errgrpc.testing import raises, recorded, serve

CODES = {{
    b"conflict": ResCode.CONFLICT,
    b"forbidden": ResCode.FORBIDDEN,
    b"undeclared": ResCode.UNAUTHORIZED,
}}

class Shop:
    def Buy(self, request, context):
        if request == b"set":
            context.set_code(grpc.StatusCode.ABORTED)
            return b""
        if request == b"break":
            raise LookupError("text")
        raise ServiceError(CODES[request])

def add(servicer, server):
    handlers = {{"Buy": grpc.unary_unary_rpc_method_handler(servicer.Buy)}}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Shop", handlers)])

def buy(request):
    with serve(add, Shop(), ResCode, raises={RAISES}) as channel, recorded():
        channel.unary_unary("/shop.Shop/Buy")(request)

async def abuy(request):
    async with serve(add, Shop(), ResCode, raises={RAISES}) as channel:
        await channel.unary_unary("/shop.Shop/Buy")(request)
"""
DECLARED = """
from shop import *

def test_conflict():
    with raises(ResCode.CONFLICT):
        buy(b"conflict")
"""
UNDECLARED = """
from shop import *

def test_undeclared():
    with raises(ResCode.UNAUTHORIZED):
        buy(b"undeclared")

def test_that_fails_by_itself():
    with raises(ResCode.CONFLICT):
        buy(b"undeclared")

def test_what_needs_no_declaration():
    for request in (b"break", b"set"):
        with pytest.raises(grpc.RpcError):
            buy(request)
"""
Pytest = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Pytest:
    """Returns a function that runs pytest: `(*arguments, ini, **files) -> result`.

    Each run has a new folder.
    """

    def run(*arguments: str, ini: str = "", **files: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "pytest.ini").write_text(
            f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}\n"
        )
        for name, text in {"shop": SHOP, **files}.items():
            (tmp_path / f"{name}.py").write_text(text)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST")
        }
        quiet = () if "no:terminal" in arguments else ("-q",)  # the terminal plugin has this option
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *quiet, *arguments]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    return run


@pytest.mark.full
def test_nothing_of_errgrpc_is_imported_unless_it_is_asked_for(run: Pytest) -> None:
    alone = (
        "import sys\ndef test():\n    assert 'pytest_errgrpc' in sys.modules\n"
        "    assert not [name for name in sys.modules if name.split('.')[0] in ('errgrpc', "
        "'grpc')]\n"
    )
    done = run("test_alone.py", test_alone=alone)
    assert done.returncode == 0, done.stdout
    assert "errgrpc" not in done.stdout


@pytest.mark.full
def test_coverage_as_text(run: Pytest) -> None:
    done = run("--errgrpc-coverage", test_declared=DECLARED)
    assert done.returncode == 0, done.stdout
    section = done.stdout.partition("errgrpc: declared errors that were raised")[2].split("\n")[1:]
    assert section[:4] == [
        "method           raised  not raised",
        "/shop.Shop/Buy      1/2  FORBIDDEN",
        "/shop.Shop/Look     0/1  NOT_FOUND",
        "TOTAL            1/3     33.3 %",
    ]


@pytest.mark.full
@pytest.mark.parametrize("workers", [("-n", "2"), ()], ids=["xdist", "one process"])
def test_coverage_as_json(workers: tuple[str, ...], run: Pytest, tmp_path: Path) -> None:
    more = DECLARED.replace("conflict", "forbidden").replace("CONFLICT", "FORBIDDEN")
    done = run(
        *workers, "--errgrpc-coverage=json:found.json", test_declared=DECLARED, test_more=more
    )
    assert done.returncode == 0, done.stdout
    domain = "errgrpc.v1.ResCode"
    assert json.loads((tmp_path / "found.json").read_text()) == {
        "declared": 3,
        "raised": 2,
        "percent": 66.7,
        "methods": {
            "/shop.Shop/Buy": {f"{domain}/FORBIDDEN": True, f"{domain}/CONFLICT": True},
            "/shop.Shop/Look": {f"{domain}/NOT_FOUND": False},
        },
    }
    assert "written to found.json" in done.stdout


@pytest.mark.full
def test_coverage_as_json_on_the_terminal(run: Pytest) -> None:
    done = run("--errgrpc-coverage=json", test_declared=DECLARED)
    found = re.search(r"^\{.*^\}", done.stdout, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert json.loads(found[0])["raised"] == 1


@pytest.mark.full
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
@pytest.mark.parametrize(("least", "code"), [("33", 0), ("33.4", 1)])
def test_fail_under(least: str, code: int, workers: tuple[str, ...], run: Pytest) -> None:
    done = run(*workers, f"--errgrpc-fail-under={least}", test_declared=DECLARED)
    assert done.returncode == code, done.stdout
    said = (
        "FAIL 33.3 % of the declared errors were raised, and 33.4 % are required "
        "(--errgrpc-fail-under)"
    )
    assert (said in done.stdout) is bool(code)


@pytest.mark.full
def test_a_run_that_declares_nothing_is_not_covered(run: Pytest) -> None:
    done = run(
        "--errgrpc-coverage", "--errgrpc-fail-under=1", test_nothing="def test():\n    pass\n"
    )
    assert done.returncode == 1
    assert (
        "no server of this run declares the errors of its methods: give the interceptor raises="
        in done.stdout
    )


@pytest.mark.full
def test_a_path_is_not_taken_for_a_report(run: Pytest) -> None:
    done = run("--errgrpc-coverage", "test_declared.py", test_declared=DECLARED)
    assert done.returncode == 4
    assert (
        "'test_declared.py' is no report: give text, json or json:FILE; before a path, "
        "write --errgrpc-coverage=text"
    ) in done.stderr


@pytest.mark.full
@pytest.mark.parametrize("workers", [("-n", "2"), ()], ids=["xdist", "one process"])
def test_strict(workers: tuple[str, ...], run: Pytest) -> None:
    done = run(
        *workers,
        "-rf",
        ini="errgrpc_strict = true",
        test_declared=DECLARED,
        test_undeclared=UNDECLARED,
    )
    assert done.returncode == 1
    assert "2 failed, 2 passed" in done.stdout
    assert "/shop.Shop/Buy answered ResCode.UNAUTHORIZED, which it does not declare" in done.stdout
    # the test's own failure wins
    assert "expected ResCode.CONFLICT (409, ALREADY_EXISTS)" in done.stdout


@pytest.mark.full
def test_without_strict_an_undeclared_code_fails_nothing(run: Pytest) -> None:
    done = run(
        "--deselect", "test_undeclared.py::test_that_fails_by_itself", test_undeclared=UNDECLARED
    )
    assert done.returncode == 0, done.stdout


KINDS = {
    "asyncio strict": (
        "asyncio_mode = strict",
        "import pytest\nfrom shop import *\n@pytest.mark.asyncio\nasync def test():\n"
        "    with raises(ResCode.UNAUTHORIZED):\n        await abuy(b'undeclared')\n",
    ),
    "asyncio auto": (
        "asyncio_mode = auto",
        (
            "from shop import *\nasync def test():\n    with raises(ResCode.UNAUTHORIZED):\n"
            "        await abuy(b'undeclared')\n"
        ),
    ),
    "anyio": (
        "",
        "import pytest\nfrom shop import *\n@pytest.fixture\ndef anyio_backend():\n"
        "    return 'asyncio'\n"
        "@pytest.mark.anyio\nasync def test():\n    with raises(ResCode.UNAUTHORIZED):\n"
        "        await abuy(b'undeclared')\n",
    ),
    "unittest": (
        "",
        "from shop import *\nclass Tests(unittest.TestCase):\n    def test(self):\n"
        "        with raises(ResCode.UNAUTHORIZED):\n            buy(b'undeclared')\n",
    ),
    "unittest asyncio": (
        "",
        "from shop import *\nclass Tests(unittest.IsolatedAsyncioTestCase):\n"
        "    async def test(self):\n"
        "        with raises(ResCode.UNAUTHORIZED):\n            await abuy(b'undeclared')\n",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_test(kind: str, run: Pytest) -> None:
    ini, text = KINDS[kind]
    done = run(ini=ini, test_it=text)
    assert done.returncode == 0, done.stdout
    done = run("--errgrpc-coverage", ini=f"{ini}\nerrgrpc_strict = true", test_it=text)
    assert done.returncode == 1, done.stdout
    assert "/shop.Shop/Buy answered ResCode.UNAUTHORIZED, which it does not declare" in done.stdout
    assert "TOTAL            0/3" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    "arguments",
    [("--co",), ("nofile.py",), ("-k", "nothing")],
    ids=["collect only", "usage error", "no test"],
)
def test_a_run_of_nothing_says_nothing(
    arguments: tuple[str, ...], run: Pytest, tmp_path: Path
) -> None:
    done = run(
        *arguments,
        "--errgrpc-coverage=json:x.json",
        "--errgrpc-fail-under=50",
        test_declared=DECLARED,
    )
    assert done.returncode == {"--co": 0, "nofile.py": 4, "-k": 5}[arguments[0]]
    assert "FAIL" not in done.stdout
    assert not (tmp_path / "x.json").exists()


@pytest.mark.full
def test_the_file_is_written_where_nothing_is_shown(run: Pytest, tmp_path: Path) -> None:
    done = run(
        "-p", "no:terminal", "--errgrpc-coverage=json:no/such/x.json", test_declared=DECLARED
    )
    assert done.returncode == 0
    assert json.loads((tmp_path / "no/such/x.json").read_text())["raised"] == 1


@pytest.mark.full
def test_a_file_that_cannot_be_written_costs_nothing_else(run: Pytest) -> None:
    done = run(
        "--errgrpc-coverage=json:shop.py/x.json", "--errgrpc-fail-under=50", test_declared=DECLARED
    )
    assert done.returncode == 1
    assert "could not be written:" in done.stdout
    assert "FAIL 33.3 %" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize("value", ["nan", "101", "-1", "50%"])
def test_what_is_no_percentage(value: str, run: Pytest) -> None:
    done = run(f"--errgrpc-fail-under={value}", test_declared=DECLARED)
    assert done.returncode == 4
    assert f"{value!r} is no percentage: give a number from 0 to 100" in done.stderr


@pytest.mark.full
def test_strict_looks_at_fixtures_too(run: Pytest) -> None:
    text = """
from shop import *

@pytest.fixture
def before():
    with raises(ResCode.UNAUTHORIZED):
        buy(b"undeclared")

@pytest.fixture
def after():
    yield
    with raises(ResCode.UNAUTHORIZED):
        buy(b"undeclared")

def test_before(before): ...

def test_after(after): ...
"""
    done = run(ini="errgrpc_strict = true", test_fixtures=text)
    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout


@pytest.mark.full
def test_it_may_be_named_by_its_module(run: Pytest) -> None:
    done = run("-p", "pytest_errgrpc", test_declared=DECLARED)
    assert done.returncode == 0, done.stdout + done.stderr
