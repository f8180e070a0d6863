"""The bodies and headers of errors over HTTP."""

import json
import time
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

import errgrpc.http
from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError, Spec
from errgrpc.http import Answer, Request, bodies
from errgrpc.http.bodies import Form
from errgrpc.service_error import values_of

MISSING = ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")
ROOM = {"roomUuid": "r-42", "roomName": "数学", "config": {"seats": 3}}
FORMS: tuple[Form, ...] = ("envelope", "aip193", "both")
URL = "type.googleapis.com/google.rpc."


def body(answer: Answer) -> Any:
    return json.loads(answer.body)


def coded(error: ServiceError, *arguments: Any) -> Answer:
    values = values_of(error)
    assert values is not None
    return bodies.coded(values, *arguments)


def headers(answer: Answer) -> dict[str, str]:
    assert len(dict(answer.headers)) == len(answer.headers)
    return dict(answer.headers)


def test_the_envelope() -> None:
    before = time.time_ns() // 1_000_000
    request = Request(headers=[("x-request-id", "id-1")], started=time.monotonic() - 2)
    answer = coded(MISSING, None, request, "envelope")
    written = body(answer)
    assert answer.status == 404
    assert list(written) == ["code", "msg", "ts", "requestId", "cost"]
    assert (written["code"], written["msg"], written["requestId"]) == (
        1004,
        "Room Not Found",
        "id-1",
    )
    assert before <= written["ts"] <= time.time_ns() // 1_000_000
    assert written["cost"].endswith("ms")
    assert 2_000 <= int(written["cost"].removesuffix("ms")) < 60_000
    assert headers(answer) == {
        "content-type": "application/json; charset=utf-8",
        "x-request-id": "id-1",
    }


def test_409_carries_the_existing_room() -> None:
    room = json_format.ParseDict(ROOM, struct_pb2.Struct())
    written = body(errgrpc.http.encode(ServiceError(ResCode.CONFLICT, details=[room])))
    assert list(written) == ["code", "msg", "data", "ts", "requestId"]
    assert (written["code"], written["data"]) == (409, ROOM)
    assert type(written["data"]["config"]["seats"]) is int


def test_data_is_any_message_of_the_raiser() -> None:
    broken = rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="name")])
    written = body(
        errgrpc.http.encode(ServiceError(ResCode.ROOM_SIT_FULL, details=[broken], retry_delay=1))
    )
    assert written["data"] == {"fieldViolations": [{"field": "name"}]}


@pytest.mark.parametrize(
    ("asked", "locale", "text"),
    [
        ("zh", "zh-CN", "房间不存在"),
        ("en-GB", "en-US", "The room does not exist"),
        (None, "zh-CN", "房间不存在"),
    ],
)
def test_aip193_in_the_language_asked_for(asked: str | None, locale: str, text: str) -> None:
    answer = errgrpc.http.encode(MISSING, asked, form="aip193")
    info = {"@type": URL + "ErrorInfo", "reason": "ROOM_NOT_EXIST", "domain": "errgrpc.v1.ResCode"}
    assert body(answer) == {
        "error": {
            "code": 404,
            "message": "Room Not Found",
            "status": "NOT_FOUND",
            "details": [
                {**info, "metadata": {"code": "1004", "room_uuid": "r-42"}},
                {"@type": URL + "LocalizedMessage", "locale": locale, "message": text},
            ],
        }
    }
    assert headers(answer)["content-language"] == locale
    assert headers(answer)["vary"] == "Accept-Language"
    assert text.encode() in answer.body  # readable, not escaped


def test_both_are_both() -> None:
    one, other, both = (body(errgrpc.http.encode(MISSING, form=form)) for form in FORMS)
    assert both["error"] == other["error"]
    assert [*both] == [*one, "error"]
    assert (both["code"], both["msg"]) == (one["code"], one["msg"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "code",
    [code for code in (*ResCode, *ComponentCode) if code.grpc_status is not StatusCode.OK],
    ids=str,
)
def test_each_code(code: ErrorCode, form: Form) -> None:
    answer = errgrpc.http.encode(ServiceError(code), form=form)
    if code is ResCode.NOT_MODIFIED:
        assert (answer.status, answer.body) == (304, b"")
        assert "content-type" not in headers(answer)
        return
    written = body(answer)
    if form != "aip193":
        assert (written["code"], written["msg"]) == (code.number, code.message)
    if form != "envelope":
        assert (written["error"]["code"], written["error"]["status"]) == (
            answer.status,
            code.grpc_status.name,
        )


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(0, "0"), (1, "1"), (1.0001, "2"), (0.2, "1"), (90, "90"), (315_576_000_000, "315576000000")],
)
@pytest.mark.parametrize("form", FORMS)
def test_retry_after_is_rounded_up(delay: float, seconds: str, form: Form) -> None:
    answer = errgrpc.http.encode(
        ServiceError(ResCode.SERVICE_UNAVAILABLE, retry_delay=delay), form=form
    )
    assert headers(answer)["retry-after"] == seconds


def test_no_retry_after_without_a_time_to_wait() -> None:
    assert "retry-after" not in headers(errgrpc.http.encode(MISSING))
    nonsense = ServiceError(ResCode.CONFLICT, details=[rpc.RetryInfo(retry_delay={"seconds": -5})])
    assert "retry-after" not in headers(errgrpc.http.encode(nonsense))


@pytest.mark.parametrize("given", ["", "i" * 129, "\x1b[31m", "身份", "a\nb"])
def test_only_a_bounded_printable_request_id_is_taken_over(given: str) -> None:
    answer = coded(MISSING, None, Request(headers=[("x-request-id", given)]), "envelope")
    made = headers(answer)["x-request-id"]
    assert body(answer)["requestId"] == made
    assert len(made) == 32
    assert int(made, 16)


def test_the_request_id_of_a_log_record_and_of_an_error_passed_on_come_first() -> None:
    request = Request(headers=[("x-request-id", "asked")])
    assert headers(coded(MISSING, "logged", request, "envelope"))["x-request-id"] == "logged"
    passed = ServiceError(ResCode.CONFLICT, details=[rpc.RequestInfo(request_id="origin")])
    assert body(coded(passed, None, request, "both"))["requestId"] == "origin"
    for hostile in ("a\r\nset-cookie: b", "i" * 500):
        passed = ServiceError(ResCode.CONFLICT, details=[rpc.RequestInfo(request_id=hostile)])
        assert headers(coded(passed, None, request, "both"))["x-request-id"] == "asked"


def test_text_that_utf8_cannot_hold() -> None:
    assert body(bodies.uncoded(404, "\ud800", None, Request(), "both"))["msg"] == "\ufffd"


def test_a_hint_of_the_raisers_own() -> None:
    answer = errgrpc.http.encode(
        ServiceError(ResCode.CONFLICT, hint={"en-US": "Taken"}), "zh-CN", form="aip193"
    )
    assert headers(answer)["content-language"] == "en-US"
    assert body(answer)["error"]["details"][1] == {
        "@type": URL + "LocalizedMessage",
        "locale": "en-US",
        "message": "Taken",
    }


def test_a_code_without_hints_says_no_language() -> None:
    class Bare(ErrorCode, domain="bare.example.com"):
        GONE = 1, Spec(StatusCode.DATA_LOSS, message="Gone")

    answer = errgrpc.http.encode(ServiceError(Bare.GONE), form="aip193")
    assert answer.status == 500
    assert "content-language" not in headers(answer)


def test_wrong_arguments_are_named() -> None:
    wrong: Any = "xml"
    with pytest.raises(ValueError, match="form is 'xml': give one of 'envelope', 'aip193', 'both'"):
        errgrpc.http.encode(MISSING, form=wrong)
    wrong = ResCode.CONFLICT
    with pytest.raises(TypeError, match=r"is no errgrpc\.ServiceError"):
        errgrpc.http.encode(wrong)
