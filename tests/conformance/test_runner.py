"""The runner: no failure passes, whatever a peer's program does."""

import json
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance import __main__ as command
from conformance import peers, runner
from conformance.peers import Cannot, Peer, PeerError
from conformance.vectors import load

CLIENT = textwrap.dedent(
    """
    import json, sys
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = {vector["number"]: vector for vector in json.load(file)}
    for line in sys.stdin:
        call = json.loads(line)
        vector = vectors[call["vector"]]
        said = {"id": call["id"], "messages": call["messages"], **vector["read"]}
        exec(sys.argv[2])
        print(json.dumps(said))
    """
)
CALLS = len(load())  # each vector is one call


def client(change: str = "pass") -> Any:
    return ["{python}", "-c", CLIENT, "{vectors}", change]


@pytest.fixture
def peer(tmp_path: Any) -> Any:
    def make(**changes: Any) -> Any:
        head = {
            "directory": tmp_path,
            "name": "fake",
            "library": "fake",
            "version": ["{python}", "-c", "print('noise'); print('1.0')"],
        }
        return Peer(**{**head, "client": client(), "no_server": "none", **changes})

    return make


def check(made: Any) -> Any:
    return runner.check_client(made, "127.0.0.1:1", brief=True)


def test_a_client_that_reads_all_passes(peer: Any) -> None:
    result = check(peer())
    assert (result.passed, result.in_part, result.cannot, result.failures) == (CALLS, 0, 0, {})


def test_a_field_that_is_wrong_is_a_failure(peer: Any) -> None:
    result = check(peer(client=client("if vector['name'] == 'message/own': said['hint'] = None")))
    assert (result.passed, result.failures.total()) == (CALLS - 1, 1)
    assert list(result.failures) == ["message/own: hint must be '参数错误', is None"]


def test_what_the_manifest_says_passes_in_part(peer: Any) -> None:
    hint = Cannot("client", "no hints", ["message/*"], fields=["hint"])
    result = check(
        peer(
            client=client("if vector['name'].startswith('message/'): said['hint'] = None"),
            cannot=[hint],
        )
    )
    assert (result.passed, result.in_part, result.failures, result.reasons) == (
        CALLS - 5,
        5,
        {},
        {"no hints": 5},
    )


def test_a_field_that_the_manifest_does_not_name_is_a_failure(peer: Any) -> None:
    hint = Cannot("client", "no hints", ["message/*"], fields=["hint"])
    change = "if vector['name'].startswith('message/'): said['hint'] = said['reason'] = None"
    result = check(peer(client=client(change), cannot=[hint]))
    assert result.passed == CALLS - 5
    assert result.failures.total() == 6  # the sixth: the entry was not needed
    fields_hide_no_failed_call = check(
        peer(client=client("said = {'id': call['id'], 'failed': 'boom'}"), cannot=[hint])
    )
    assert fields_hide_no_failed_call.failures.total() == CALLS + 1


def test_a_call_that_cannot_be_made_is_counted_as_such(peer: Any) -> None:
    streams = Cannot("client", "no streams", methods=["ClientStream", "BidiStream"])
    change = (
        "if call['method'] in ('ClientStream', 'BidiStream'): said = {'id': call['id'], 'failed': "
        "'no streams'}"
    )
    result = check(peer(client=client(change), cannot=[streams]))
    streamed = sum(call["method"] in streams.methods for call in runner.calls(brief=True))
    assert (result.passed, result.cannot, result.failures) == (CALLS - streamed, streamed, {})


def test_an_entry_that_no_call_needed_is_a_failure(peer: Any) -> None:
    entries = [
        Cannot("client", "outdated", ["message/*"]),
        Cannot("server", "of the other direction"),
    ]
    assert list(check(peer(cannot=entries)).failures) == [
        "`cannot` says 'outdated' of message/*, but no call needed it"
    ]


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import sys; sys.stdin.read(); sys.exit('broken')", "broken"),
        ("import sys; sys.stdin.read(); print('no json')", "printed what is no answer"),
        ("import sys; sys.stdin.read(); print('{}')", "printed what is no answer"),
        ("import sys; sys.stdin.read(); print('3')", "printed what is no answer"),
    ],
)
def test_a_client_that_breaks_fails_as_a_whole(peer: Any, program: Any, text: Any) -> None:
    result = check(peer(client=["{python}", "-c", program]))
    assert result.passed == 0
    assert [text in failure for failure in result.failures] == [True]


def test_calls_without_an_answer_fail(peer: Any) -> None:
    result = check(peer(client=["{python}", "-c", "import sys; sys.stdin.read()"]))
    assert (result.passed, result.failures.total()) == (0, CALLS)


def test_a_client_that_is_not_there_or_does_not_end_fails(peer: Any, monkeypatch: Any) -> None:
    assert check(peer(client=["./no-such-program"])).failures.total() == 1
    monkeypatch.setattr(peers, "CLIENT_SECONDS", 0.1)
    hangs = check(peer(client=["{python}", "-c", "import threading; threading.Event().wait()"]))
    assert "timed out" in next(iter(hangs.failures))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import sys; sys.exit('no port free')", "no port free"),
        ("print('ready')", "printed 'ready', not its port"),
        (
            "import sys; print(1, flush=True); sys.stdin.read(); sys.exit('left badly')",
            "left badly",
        ),
    ],
)
def test_a_server_that_breaks_is_an_error(tmp_path: Any, program: Any, text: Any) -> None:
    with (
        pytest.raises(PeerError, match=text),
        peers.run_server([sys.executable, "-c", program], tmp_path) as target,
    ):
        assert target == "127.0.0.1:1"


def test_a_server_that_does_not_start_or_end_is_killed(tmp_path: Any, monkeypatch: Any) -> None:
    hangs = "import threading; threading.Event().wait()"
    monkeypatch.setattr(peers, "STOP_SECONDS", 0.1)
    with (
        pytest.raises(PeerError, match="did not end"),
        peers.run_server([sys.executable, "-c", f"print(1, flush=True); {hangs}"], tmp_path),
    ):
        pass
    monkeypatch.setattr(peers, "START_SECONDS", 0.1)
    with (
        pytest.raises(PeerError, match="not its port"),
        peers.run_server([sys.executable, "-c", hangs], tmp_path),
    ):
        pytest.fail("it has not started")
    with (
        pytest.raises(PeerError, match="no-such-program"),
        peers.run_server(["./no-such-program"], tmp_path),
    ):
        pytest.fail("it has not started")


def test_a_server_is_killed_when_the_block_fails(tmp_path: Any) -> None:
    program = "import sys; print(1, flush=True); sys.stdin.read()"
    with (
        pytest.raises(RuntimeError, match=r"^mine$"),
        peers.run_server([sys.executable, "-c", program], tmp_path),
    ):
        raise RuntimeError("mine")


def test_a_server_that_answers_nothing_fails_each_call(peer: Any, monkeypatch: Any) -> None:
    vectors = load()[:1]
    monkeypatch.setattr(runner, "load", lambda: vectors)
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], "
        "flush=True); s.close(); sys.stdin.read()"
    )
    result = runner.check_server(peer(server=["{python}", "-c", program], no_server=""))
    assert (result.passed, result.failures.total()) == (0, 8)


def manifest(tmp_path: Any, *entries: Any) -> None:
    (tmp_path / "lang").mkdir()
    (tmp_path / "lang" / "peers.json").write_text(json.dumps({"peers": entries}), "utf-8")


def test_a_manifest_says_why_a_direction_is_missing(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(peers, "HERE", tmp_path)
    entry = {"name": "p", "library": "l", "version": ["true"], "client": ["true"]}
    manifest(tmp_path, entry)
    with pytest.raises(PeerError, match="lang/p"):
        peers.load()
    with pytest.raises(PeerError, match="no peers in other: there are lang"):
        peers.load(["other"])


def run(monkeypatch: Any, tmp_path: Any, entry: Any, *options: str) -> Any:
    """Runs the command; returns its exit code and what it writes."""
    monkeypatch.setattr(peers, "HERE", tmp_path)
    manifest(tmp_path, entry)
    monkeypatch.setenv("COLUMNS", "200")
    nothing = [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"]
    path = tmp_path / "matrix.json"
    monkeypatch.setattr(sys, "argv", ["conformance", "--json", str(path), *options])
    monkeypatch.setattr(command, "reference", lambda: peers.run_server(nothing, tmp_path))
    return command.main(), json.loads(path.read_text("utf-8"))


ENTRY = {
    "name": "fake",
    "library": "libfake",
    "version": ["{python}", "-c", "print('1.0')"],
    "no_server": "none",
    "client": client(),
}


def test_the_command_says_which_peers_passed(monkeypatch: Any, tmp_path: Any, capsys: Any) -> None:
    code, matrix = run(monkeypatch, tmp_path, ENTRY)
    assert code == 0
    assert matrix == [
        {
            "language": "lang",
            "peer": "fake",
            "library": "libfake",
            "version": "1.0",
            "client": {
                "passed": 4 * CALLS,
                "in_part": 0,
                "cannot": 0,
                "failed": 0,
                "reasons": {},
                "failures": {},
            },
            "server": {"not_run": "none"},
        }
    ]
    assert f"{4 * CALLS} passed" in capsys.readouterr().out


def test_the_command_fails_with_what_failed(monkeypatch: Any, tmp_path: Any, capsys: Any) -> None:
    code, matrix = run(monkeypatch, tmp_path, ENTRY | {"client": client("said['hint'] = '[red]'")})
    assert code == 1
    assert matrix[0]["client"]["failed"] == 4 * CALLS
    assert "'[red]'" in capsys.readouterr().out


def test_a_missing_tool_is_named_and_never_passes(
    monkeypatch: Any, tmp_path: Any, capsys: Any
) -> None:
    code, matrix = run(monkeypatch, tmp_path, ENTRY | {"needs": ["no-such-tool", "sh"]})
    assert code == 0
    assert (
        matrix[0]["client"] == matrix[0]["server"] == {"not_run": "no-such-tool is not installed"}
    )
    said = capsys.readouterr().out
    assert said.count("not run: no-such-tool is not installed") == 2
    assert " passed" not in said.partition("errgrpc's server")[2]


def test_what_does_not_build_fails(monkeypatch: Any, tmp_path: Any) -> None:
    build = [["{python}", "-c", "import sys; sys.exit('no compiler')"]]
    code, matrix = run(monkeypatch, tmp_path, ENTRY | {"build": build})
    assert code == 1
    assert "no compiler" in next(iter(matrix[0]["client"]["failures"]))


def test_what_does_not_build_is_not_run_where_its_registry_may_be_out_of_reach(
    monkeypatch: Any, tmp_path: Any
) -> None:
    build = [["{python}", "-c", "import sys; sys.exit('no network')"]]
    code, matrix = run(monkeypatch, tmp_path, ENTRY | {"build": build}, "--lenient")
    assert code == 0
    assert "no network" in matrix[0]["client"]["not_run"]


def test_a_client_behind_envoy_is_not_run_without_it(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(peers, "find_envoy", lambda: None)
    code, matrix = run(monkeypatch, tmp_path, ENTRY | {"client": [*client(), "{gateway}"]})
    assert code == 0
    assert matrix[0]["client"] == {"not_run": "envoy is not installed"}


def test_a_client_behind_envoy_gets_its_address(monkeypatch: Any, peer: Any) -> None:
    @contextmanager
    def envoy(port: int, _: Any) -> Iterator[str]:
        yield f"http://127.0.0.1:{port + 1}"

    monkeypatch.setattr(peers, "find_envoy", lambda: "envoy")
    monkeypatch.setattr(peers, "envoy", envoy)
    made = peer(client=[*client("assert sys.argv[3] == '127.0.0.1:2'"), "{gateway}"])
    assert (made.missing(), check(made).passed) == ([], CALLS)


def test_an_envoy_that_does_not_start_fails(monkeypatch: Any, peer: Any) -> None:
    def envoy(*_: Any) -> Any:
        raise SystemExit("envoy did not start")

    monkeypatch.setattr(peers, "envoy", envoy)
    assert list(check(peer(client=[*client(), "{gateway}"])).failures) == ["envoy did not start"]
