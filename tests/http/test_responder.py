"""Answers to exceptions without a framework, the same as from gRPC's servers."""

import json
import logging
import math
from typing import Any

import pytest
from google.protobuf import struct_pb2

import errgrpc
from errgrpc import ComponentCode, ResCode, ServiceError
from errgrpc.http import Request, Responder, data, decode

REQUEST = Request("GET", "/rooms/r-42", [("accept-language", "en"), ("x-request-id", "id-1")])


class StaleRead(Exception):
    pass


def test_a_coded_error_leaves_no_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = Responder(ResCode, form="both").answer(ServiceError(ComponentCode(30206)), REQUEST)
    assert answer.status == 403
    assert json.loads(answer.body)["code"] == 30206
    assert caplog.records == []


def test_an_unhandled_exception_is_masked_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    answer = Responder(ResCode, form="both").answer(KeyError("secret"), REQUEST)
    written = json.loads(answer.body)
    assert (answer.status, written["code"], written["msg"], written["requestId"]) == (
        500,
        500,
        "Internal Server Error",
        "id-1",
    )
    assert "secret" not in str(answer)
    assert decode(*answer, ResCode).request_id == "id-1"
    (record,) = caplog.records
    assert (
        record.getMessage()
        == "'GET /rooms/r-42' answers ResCode.INTERNAL_SERVER_ERROR, request id id-1"
    )
    assert record.exc_info is not None


def test_the_path_in_the_log_is_bounded_and_escaped(caplog: pytest.LogCaptureFixture) -> None:
    Responder(ResCode).answer(KeyError(), Request("GET", "/\n\x1b[31m" + "p" * 10_000))
    message = caplog.records[0].getMessage()
    assert len(message) < 400
    assert message.isprintable()


def test_translate_and_on_error() -> None:
    told: list[Any] = []

    def on_error(
        error: BaseException, *, method: str, code: errgrpc.ErrorCode, request_id: str
    ) -> None:
        told.append((str(error), method, code, request_id))

    responder = Responder(ResCode, translate={StaleRead: ResCode.CONFLICT}, on_error=on_error)
    assert responder.answer(StaleRead(), REQUEST).status == 409
    assert responder.answer(ExceptionGroup("", [StaleRead()]), REQUEST).status == 409
    assert told == []
    assert responder.answer(ValueError("text"), REQUEST).status == 500
    assert told == [("text", "GET /rooms/r-42", ResCode.INTERNAL_SERVER_ERROR, "id-1")]


def test_an_error_received_over_http_is_masked_unless_passed_on_by_name() -> None:
    upstream = errgrpc.http.encode(
        ServiceError(ResCode.ROOM_NOT_EXIST, "of another service", room_uuid="r-1"), form="both"
    )
    received = decode(*upstream, ResCode)
    answer = Responder(ResCode, form="both").answer(received, Request())
    assert answer.status == 500
    assert "another service" not in str(answer)
    # this id finds the records in both logs
    assert decode(*answer, ResCode).request_id == received.request_id
    passing = Responder(
        ResCode, form="both", translate={errgrpc.remote(ResCode): ServiceError.from_remote}
    )
    passed = decode(*passing.answer(received, Request()), ResCode)
    assert (passed.error_code, passed.details(), passed.metadata) == (
        ResCode.ROOM_NOT_EXIST,
        "of another service",
        {"room_uuid": "r-1"},
    )


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
def test_what_stands_has_no_code(form: Any) -> None:
    answer = Responder(ResCode, form=form).stand(
        418, "Teapot", REQUEST, data={"a": [1]}, headers={"X-Own": "1", "Content-Length": "5"}
    )
    assert "content-length" not in dict(answer.headers)
    assert answer.status == 418
    assert dict(answer.headers)["x-own"] == "1"
    written = json.loads(answer.body)
    if form != "aip193":
        assert (written["code"], written["msg"], written["data"], written["requestId"]) == (
            418,
            "Teapot",
            {"a": [1]},
            "id-1",
        )
    assert ("code" in written, "error" in written) == (form != "aip193", form != "envelope")
    if form != "envelope":
        detail = {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": [1]}}
        assert written["error"] == {
            "code": 418,
            "message": "Teapot",
            "status": "INVALID_ARGUMENT",
            "details": [detail],
        }
    error = decode(*answer, ResCode)
    assert (error.error_code, error.inferred, error.reason) == (ResCode.BAD_REQUEST, True, None)
    assert (error.details(), data(error)) == ("Teapot", {"a": [1]})


def test_a_status_without_a_body_has_no_body() -> None:
    answer = Responder(ResCode).stand(304, None, REQUEST, headers={"etag": "x"})
    assert answer == (304, (("etag", "x"), ("x-request-id", "id-1")), b"")
    assert json.loads(Responder(ResCode).stand(404, None, REQUEST).body)["msg"] == "Not Found"


def test_if_the_client_has_gone_the_record_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Responder(ResCode).answer(OSError(), REQUEST, gone=True)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "'GET /rooms/r-42' could not be answered, request id id-1")
    ]


def test_names_of_headers_are_taken_in_any_case() -> None:
    request = Request("GET", "/", [("Accept-Language", "en"), ("X-Request-ID", "id-1")])
    answer = Responder(ResCode, form="both").answer(ServiceError(ResCode.CONFLICT), request)
    assert (dict(answer.headers)["content-language"], dict(answer.headers)["x-request-id"]) == (
        "en-US",
        "id-1",
    )


def test_what_comes_too_late_is_logged_foreseen_or_not(caplog: pytest.LogCaptureFixture) -> None:
    for error in (ServiceError(ResCode.CONFLICT), KeyError("text")):
        caplog.clear()
        Responder(ResCode).lose(error, REQUEST, 200)
        (record,) = caplog.records
        assert (
            record.getMessage() == "'GET /rooms/r-42' failed after its response had begun with 200"
        )
        assert record.exc_info is not None
        assert record.exc_info[1] is error


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (("", " ", "r-2", "r-3"), "r-2"),
        (("r-1", "r-2"), "r-1"),
        (("é" * 9, "r-2"), "r-2"),
        ((" ",), None),
    ],
)
def test_the_first_request_id_that_is_one(sent: tuple[str, ...], answered: str | None) -> None:
    request = Request(headers=[("X-Request-Id", text) for text in sent])
    for error in (ServiceError(ResCode.CONFLICT), KeyError()):
        found = dict(Responder(ResCode).answer(error, request).headers)["x-request-id"]
        assert found == answered or (answered is None and len(found) == 32)


def test_wrong_arguments_are_named() -> None:
    wrong: Any = "xml"
    with pytest.raises(ValueError, match="form is 'xml'"):
        Responder(ResCode, form=wrong)
    with pytest.raises(ValueError, match="ComponentCode declares no fallback"):
        Responder(ComponentCode)
    with pytest.raises(TypeError, match="translate has the key"):
        Responder(ResCode, translate={wrong: ResCode.CONFLICT})


DEEP: Any = "text"
for _ in range(60):
    DEEP = {"in": [DEEP]}


@pytest.mark.parametrize("form", ["envelope", "aip193", "both"])
@pytest.mark.parametrize(
    ("given", "written"),
    [
        (
            {"orderId": 1234567890123456789, "ids": (1, 2)},
            {"orderId": 1234567890123456789, "ids": [1, 2]},
        ),
        (
            {"price": 2.5, "none": None, "open": True, 5: "five"},
            {"price": 2.5, "none": None, "open": True, "5": "five"},
        ),
        ({"nan": math.nan, "inf": [math.inf]}, {"nan": None, "inf": [None]}),
        ([1, "房间"], [1, "房间"]),
        (7, 7),
        (DEEP, DEEP),
        ({"object": object()}, {"object": None}),
    ],
    ids=["integers", "scalars", "NaN", "list", "number", "deep", "no JSON"],
)
def test_json_that_a_service_gives_goes_out_as_that_json(
    form: Any, given: Any, written: Any
) -> None:
    answer = Responder(ResCode, form=form).stand(418, None, REQUEST, data=given)
    body = json.loads(answer.body)
    if form != "aip193":
        assert body["data"] == written
    if form != "envelope":
        (detail,) = body["error"]["details"]
        assert detail["@type"].startswith("type.googleapis.com/google.protobuf.")
        assert detail["value"] == written


def test_a_nan_costs_nothing_but_itself() -> None:
    struct = struct_pb2.Struct()
    struct.update({"a": math.nan, "b": 3, "c": ["x", 1.5]})
    answer = Responder(ResCode).answer(ServiceError(ResCode.CONFLICT, details=[struct]), REQUEST)
    assert json.loads(answer.body)["data"] == {"a": None, "b": 3, "c": ["x", 1.5]}
