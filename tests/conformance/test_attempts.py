"""Attempts of clients with a retry policy: errgrpc's own clients, and the page with all clients."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from conformance import attempts, ours, peers
from conformance.service import Call, Said
from conformance.vectors import load

# some cases give a delay with a code that forbids retries
pytestmark = pytest.mark.filterwarnings("ignore:a retry_delay is given")


def made(call: Any, target: str, calls: Sequence[Call]) -> dict[int, Said]:
    return {said["id"]: said for said in call(target, calls, attempts.CONFIG)}


@pytest.mark.full  # two cases wait two seconds between attempts
@pytest.mark.parametrize("call", [ours.call_sync, ours.call_aio])
def test_grpcio_tries_as_often_as_the_page_says(call: Any) -> None:
    found, wrong = attempts.check("grpcio", partial(made, call))
    assert wrong == []
    assert found == json.loads(attempts.RESULTS.read_text())["grpcio"]


def test_the_table_is_that_of_the_results() -> None:
    rows, page = json.loads(attempts.RESULTS.read_text()), attempts.PAGE.read_text()
    assert page == attempts.with_table(page, rows), "run `make interop`"
    assert set(rows) == {
        "grpcio",
        "grpcio, asyncio",
        *(peer.name for peer in peers.load() if peer.retries),
    }
    assert {"grpc-go", "grpc-java", "grpc-js"} <= set(rows)


def test_an_attempt_too_many_is_seen() -> None:
    by_call = {call["id"]: call for call in attempts.calls()}
    wrong = next(
        call for call in by_call.values() if load()[call["vector"] - 1]["name"] == "retry/never"
    )

    def twice(target: str, calls: Sequence[Call]) -> dict[int, Said]:
        quick = [wrong, wrong]
        for call in quick:
            ours.call_sync(target, [call])
        return {
            call["id"]: {"status": load()[call["vector"] - 1]["read"]["status"]} for call in calls
        }

    _, found = attempts.check("grpcio", twice)
    assert [text for text in found if "retry/never " in text][
        0
    ] == "grpcio: retry/never Unary: 2 attempts, expected 1; ended with 14"
