"""The main job: every code, raised in every style of handler and kind of method, read back by both clients."""

import harness
import pytest

from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError, remote

ERRORS = [code for code in (*ResCode, *ComponentCode) if code is not ResCode.SUCCESS]


@pytest.mark.parametrize("code", ERRORS, ids=lambda code: code.name)
def test_every_code_arrives_typed(code: ErrorCode, target: str, kind: str, stack: str) -> None:
    def act(context: object) -> None:
        raise ServiceError(code, room_uuid="r-42")

    with harness.action(act, after=1) as request:
        outcome = harness.call(stack, target, kind, request)
    assert type(outcome.error) is remote(code)
    assert outcome.error.error_code is code
    assert outcome.error.hint == code.hints["zh-CN"]
    assert outcome.error.metadata == {"room_uuid": "r-42"}
    assert outcome.code is outcome.error.code() is code.grpc_status
    assert outcome.details == outcome.error.details() == code.message
    assert outcome.responses == ([] if kind.endswith("unary") else [b"first"])
