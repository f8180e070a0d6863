"""The peers that need only Python: each reads errgrpc's server, and errgrpc reads theirs.

`make interop` runs all peers.
"""

from typing import Any

import pytest

from conformance import ours, peers, runner
from conformance.compare import differences
from conformance.vectors import load

pytestmark = [pytest.mark.full, pytest.mark.thinned(2)]  # each case starts a program

PYTHON = {peer.name: peer for peer in peers.load(["python"])}


@pytest.fixture(scope="module")
def target() -> Any:
    with runner.reference() as address:
        yield address


@pytest.mark.parametrize("call", [ours.call_sync, ours.call_aio])
def test_errgrpc_reads_each_vector(target: Any, call: Any) -> None:
    made = runner.calls()
    said = call(target, made)
    assert [line["id"] for line in said] == [line["id"] for line in made]
    wrong = {
        (load()[line["vector"] - 1]["name"], line["method"]): differences(
            load()[line["vector"] - 1], line["messages"], answer
        )
        for line, answer in zip(made, said, strict=True)
    }
    assert {key: value for key, value in wrong.items() if value} == {}


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.thinned(2)
def test_it_reads_our_server(target: Any, name: Any) -> None:
    result = runner.check_client(PYTHON[name], target, brief=True)
    assert not result.failures
    assert result.passed > 0.9 * len(load())


@pytest.mark.parametrize("name", [name for name, peer in PYTHON.items() if peer.server])
@pytest.mark.thinned(2)
def test_we_read_its_server(name: Any) -> None:
    result = runner.check_server(PYTHON[name], brief=True)
    assert not result.failures
    assert result.passed > 0.9 * 2 * sum(vector["servable"] for vector in load())


def test_all_manifests_can_be_read() -> None:
    assert {peer.directory.name for peer in peers.load()} >= {"python"}
