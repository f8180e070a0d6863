"""HTTP statuses and gRPC's, as google's own document maps them."""

import re
from pathlib import Path

import google.rpc
import pytest
from grpc import StatusCode

from errgrpc import ComponentCode, ErrorCode, ResCode, Spec
from errgrpc.http import statuses

PROTO = Path(next(iter(google.rpc.__path__)), "code.proto").read_text()
MAPPED = re.findall(r"HTTP Mapping: (\d+).*?\n\s*([A-Z_]+) = \d+;", PROTO, re.DOTALL)


def test_the_mapping_is_that_of_code_proto() -> None:
    assert {StatusCode[name]: int(http) for http, name in MAPPED} == {
        status: statuses.of_grpc(status) for status in StatusCode
    }


@pytest.mark.parametrize("status", [status for status in StatusCode if status is not StatusCode.OK])
def test_the_way_back_ends_at_the_same_http_status(status: StatusCode) -> None:
    assert statuses.of_grpc(statuses.grpc_status(statuses.of_grpc(status))) == statuses.of_grpc(
        status
    )


def test_each_http_status_is_a_failure_of_its_kind() -> None:
    for http in range(100, 600):
        found = statuses.grpc_status(http)
        assert found is not StatusCode.OK
        if http // 100 in (4, 5):
            assert found is not StatusCode.UNKNOWN
            assert (statuses.of_grpc(found) // 100 == 4) == (http // 100 == 4) or http in (405, 408)


def test_what_code_proto_does_not_name() -> None:
    named = {
        304: "FAILED_PRECONDITION",
        412: "FAILED_PRECONDITION",
        405: "UNIMPLEMENTED",
        410: "NOT_FOUND",
        502: "UNAVAILABLE",
    }
    assert {http: statuses.grpc_status(http).name for http in named} == named
    assert [statuses.grpc_status(http).name for http in (418, 507, 302, 0, 999)] == [
        "INVALID_ARGUMENT",
        "INTERNAL",
    ] + ["UNKNOWN"] * 3


@pytest.mark.parametrize("code", [*ResCode, *ComponentCode], ids=str)
def test_a_code_has_its_own_http_status_or_that_of_its_grpc_status(code: ErrorCode) -> None:
    assert statuses.http_status(code) == (code.http_status or statuses.of_grpc(code.grpc_status))


def test_a_status_that_cannot_end_a_request_is_not_sent() -> None:
    class Odd(ErrorCode, domain="odd.example.com"):
        EARLY = 1, Spec(StatusCode.ABORTED, http_status=103)

    assert statuses.http_status(Odd.EARLY) == 409


def test_phrases_and_bodies() -> None:
    assert statuses.phrase(404) == "Not Found"
    assert statuses.phrase(599) == "HTTP 599"
    assert [http for http in range(100, 600) if not statuses.has_body(http)] == [
        *range(100, 200),
        204,
        205,
        304,
    ]
