"""The golden cases: errgrpc makes the same today, the table agrees, and the server sends them."""

import base64
import json
from typing import Any

import grpc
import jsonschema
import pytest
from code_table import CODES
from google.rpc import error_details_pb2 as rpc

from conformance import runner
from conformance.service import responses
from conformance.vectors import PATH, SCHEMA, load
from conformance.vectors.build import as_json, vectors
from errgrpc import ErrorCode, ResCode, Spec, decode, remote

BY_NAME = {vector["name"]: vector for vector in load()}


def test_what_is_checked_in_is_what_errgrpc_makes() -> None:
    assert PATH.read_text("utf-8") == as_json(vectors()), (
        "stale: run make vectors, and look at what changed"
    )


def test_the_schema_describes_them() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(list(load()), schema)


def test_a_number_is_the_place_and_a_name_is_unique() -> None:
    assert [vector["number"] for vector in load()] == list(range(1, len(load()) + 1))
    assert len(BY_NAME) == len(load())


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize(
    "row",
    [row for row in CODES if row.grpc_status is not grpc.StatusCode.OK],
    ids=lambda row: row.reason,
)
def test_each_code_of_the_table_is_there_in_each_language(row: Any, locale: Any) -> None:
    group = {"ResCode": "res_code", "ComponentCode": "component_code"}[row.catalogue]
    vector = BY_NAME[f"{group}/{row.reason}/{locale}"]
    hint = row.chinese if locale == "zh-CN" else row.english
    assert vector["request"]["metadata"] == {"accept-language": locale}
    assert vector["trailers"]["grpc-status"] == row.grpc_status.value[0]
    assert vector["read"] == {
        "status": row.grpc_status.value[0],
        "message": row.message,
        "reason": row.reason,
        "domain": row.domain,
        "metadata": {"code": str(row.number)},
        "locale": locale,
        "hint": hint,
        "details": [],
        "trailing": {},
    }
    assert vector["typed"] == {
        "catalogue": row.catalogue,
        "code": row.reason,
        "number": row.number,
        "inferred": False,
        "locale": locale,
        "hint": hint,
        "request_id": None,
    }


def test_each_standard_detail_is_there() -> None:
    standard = {kind.full_name for kind in rpc.DESCRIPTOR.message_types_by_name.values()}
    found = {detail["type"] for vector in load() for detail in vector["read"]["details"]}
    # these two have their own fields in the vectors
    assert standard - found == {"google.rpc.ErrorInfo", "google.rpc.LocalizedMessage"}


def test_each_status_is_inferred_from() -> None:
    names = {name.removeprefix("inferred/") for name in BY_NAME if name.startswith("inferred/")}
    assert names >= {status.name for status in grpc.StatusCode} - {"OK"}


def test_the_server_sends_them() -> None:
    with runner.reference() as target, grpc.insecure_channel(target) as channel:
        for call in runner.calls(brief=True):
            wanted = load()[call["vector"] - 1]["trailers"]
            with pytest.raises(grpc.RpcError) as caught:
                list(responses(channel, call))
            error: Any = caught.value
            trailers = {entry.key: entry.value for entry in error.trailing_metadata()}
            details = trailers.pop("grpc-status-details-bin", None)
            sent = {
                "grpc-status": error.code().value[0],
                "grpc-message": error.details(),
                "grpc-status-details-bin": None
                if details is None
                else base64.b64encode(details).decode(),
                "metadata": trailers,
            }
            assert sent == wanted, (call, wanted)


def test_a_number_that_no_vector_has_is_refused() -> None:
    call = {"method": "Unary", "vector": len(load()) + 1, "messages": 0, "metadata": {}}
    with (
        runner.reference() as target,
        grpc.insecure_channel(target) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        list(responses(channel, call))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class OlderCode(ErrorCode, domain=ResCode.domain):
    ROOM_NOT_EXIST = 1004, Spec(grpc.StatusCode.NOT_FOUND, message="Room Not Found")


@pytest.mark.parametrize("name", [name for name in BY_NAME if name.startswith("res_code/")])
def test_a_client_with_an_older_catalogue_still_knows_whose_it_is(name: Any) -> None:
    vector = BY_NAME[name]
    error = decode(base64.b64decode(vector["trailers"]["grpc-status-details-bin"]), OlderCode)
    known = vector["read"]["reason"] == "ROOM_NOT_EXIST"
    assert error.error_code is (OlderCode.ROOM_NOT_EXIST if known else None)
    assert isinstance(error, remote(OlderCode))
    assert (error.number, error.reason, error.hint) == (
        vector["typed"]["number"],
        vector["read"]["reason"],
        vector["read"]["hint"],
    )
