"""The size budget over real connections: 320 random errors of `python -m reliability.budget`."""

import logging
from typing import Any

import grpc
import harness
import pytest

import errgrpc
from errgrpc import ResCode, ServiceError
from reliability import budget

pytestmark = [pytest.mark.full, pytest.mark.thinned(8)]


@pytest.mark.parametrize("start", range(0, 320, 32))
def test_every_code_arrives_within_the_limit_and_no_more_is_shed_than_needed(start: int) -> None:
    # 32: each style, kind and client stack once
    result, wrong = budget.run(32, seed=2, start=start)
    assert wrong == []
    assert result.errors == 32
    assert result.shed > 0
    assert 0 < result.largest <= budget.LIMIT


def test_the_check_sees_an_error_that_was_shed_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "LIMIT", budget.LIMIT + 50)
    result, wrong = budget.run(32, seed=2)
    assert result.shed_too_much == len(wrong) > 0


@pytest.mark.parametrize(
    "trailers",
    [
        [(f"x-{number}", "t" * 1_000) for number in range(12)],
        [("x-one", "t" * 9_000)],
        [("x-one-bin", b"t" * 9_000)],
        [(f"x-{number}", "") for number in range(230)],
    ],
    ids=["many", "one", "binary", "empty"],
)
def test_trailers_of_the_handler_that_are_past_the_limit_alone_go_and_the_code_arrives(
    target: str, kind: str, stack: str, trailers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def act(context: Any) -> None:
        context.set_trailing_metadata(tuple(trailers))
        raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")

    with caplog.at_level(logging.WARNING, "errgrpc"), harness.action(act, after=1) as request:
        outcome = harness.call(stack, target, kind, request)
    assert type(outcome.error) is errgrpc.remote(ResCode.ROOM_NOT_EXIST)
    received = list(outcome.error.trailing_metadata())
    assert budget.received_bytes(outcome.details or "", received) <= budget.LIMIT
    kept = [entry for entry in received if entry[0] != harness.DETAILS_KEY]
    assert len(kept) < len(trailers)
    assert sorted(kept) == sorted(trailers[: len(kept)])
    (record,) = [record for record in caplog.records if record.name == "errgrpc"]
    assert "trailing metadata of the handler" in record.getMessage()


@pytest.mark.parametrize("text", ["m" * 30_000, "房间" * 5_000], ids=["ascii", "chinese"])
def test_what_a_handler_aborts_with_arrives(
    text: str, target: str, kind: str, stack: str, caplog: pytest.LogCaptureFixture
) -> None:
    def act(context: Any) -> Any:
        return context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)

    with caplog.at_level(logging.WARNING, "errgrpc"), harness.action(act, after=1) as request:
        outcome = harness.call(stack, target, kind, request)
    assert outcome.code is grpc.StatusCode.FAILED_PRECONDITION
    assert outcome.details
    assert text.startswith(outcome.details)
    assert budget.LIMIT - 30 < budget.received_bytes(outcome.details, []) <= budget.LIMIT
    (record,) = [record for record in caplog.records if record.name == "errgrpc"]
    assert "FAILED_PRECONDITION cut to 7900 bytes of trailers: message" in record.getMessage()
