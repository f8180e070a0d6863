"""What the command shows on a terminal: colours, tables, progress, and completion.

`UPDATE_SNAPSHOTS=1 pytest --full tests/cli/test_terminal.py` writes tests/data/terminal anew.
Read the diff.
"""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from errgrpc.cli import main

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
SNAPSHOTS = ROOT / "tests" / "data" / "terminal"
BAD = "tests/cli/lint/name-format/bad.proto"
COMMANDS = {
    "list": "list -c errgrpc:ComponentCode",
    "explain": "explain 1004",
    "explain-nothing": "explain ROOM_NOT_EXISTS",
    "decode": "decode CAUSDlJvb20gTm90IEZvdW5k",
    "lint": f"lint {BAD}",
    "diff": "diff tests/cli/lint/name-format/good.proto tests/cli/lint/name-format/bad.proto",
    "misuse": "list -c nothing",
    "help": "explain --help",
}


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """Runs the command on a terminal of 100 columns, and returns all that it writes there."""
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    known = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "50", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "errgrpc", *arguments],
        cwd=ROOT,
        env={**env, **known, "PYTHONPATH": str(ROOT), **variables},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    process.wait(60)
    return written.decode().replace("\r\n", "\n")


def shown(text: str) -> str:
    """Makes the escapes of colours readable, and leaves out what progress wrote and took away."""
    bare = re.sub(r"\x1b\[\?25l.*?\x1b\[\?25h(\r?\x1b\[[0-9]*[AK])*", "", text, flags=re.DOTALL)
    return bare.replace("\x1b[", "<").replace("\x1b", "<ESC>")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.thinned(2)
def test_it_looks_as_before(name: str) -> None:
    path, text = SNAPSHOTS / f"{name}.txt", shown(on_a_terminal(*COMMANDS[name].split()))
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_progress_is_shown_and_taken_away() -> None:
    text = on_a_terminal("lint", BAD)
    assert f"protoc compiles {BAD}" in text
    assert "protoc compiles" not in shown(text)


def test_no_color_is_respected() -> None:
    assert "\x1b[3" not in on_a_terminal("explain", "1004", NO_COLOR="1")
    assert "\x1b[" in on_a_terminal("explain", "1004")


def in_a_shell(line: str, **variables: str) -> tuple[int, bytes, str]:
    """Runs a line in which `errgrpc` is the command. Returns exit code, output and errors."""
    ran = subprocess.run(
        ["sh", "-c", f'errgrpc() {{ "$0" -m errgrpc "$@"; }}; {line}', sys.executable],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        timeout=60,
    )
    return ran.returncode, ran.stdout, ran.stderr.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
@pytest.mark.parametrize("command", ["list", "docs", "export json", "--help"])
@pytest.mark.thinned(2)
def test_a_full_disk_is_said(command: str) -> None:
    said = "errgrpc: standard output: No space left on device\n"
    assert in_a_shell(f"errgrpc {command} > /dev/full") == (2, b"", said)


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("errgrpc list >&-", 0, ""),
        ("errgrpc explain nothing 2>&-", 1, ""),
        ("errgrpc lint nothing.proto 2>&- >&-", 2, ""),
        ("errgrpc docs | true", 0, ""),
    ],
)
@pytest.mark.thinned(2)
def test_a_closed_output_is_no_traceback(line: str, code: int, err: str) -> None:
    assert in_a_shell(line) == (code, b"", err)


def test_a_pipe_gets_utf_8_in_any_locale() -> None:
    command = "errgrpc explain 房间不存在 -f json"
    wanted = in_a_shell(command, PYTHONIOENCODING="utf-8")
    assert "房间不存在".encode() in wanted[1]
    assert in_a_shell(command, PYTHONIOENCODING="cp1252") == wanted


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("errgrpc.cli.app.run", interrupted)
    with pytest.raises(SystemExit, match=r"\A130\Z"):
        main()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.full
def test_completion(shell: str) -> None:
    program = Path(sys.executable).with_name("errgrpc")
    variables = {
        "_ERRGRPC_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "errgrpc ex",
        "COMP_WORDS": "errgrpc ex",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ran = subprocess.run(
        [program], check=False, env={**os.environ, **variables}, capture_output=True, text=True
    )
    shown = ran.stdout
    assert "explain" in shown
    assert "export" in shown
    assert "lint" not in shown
