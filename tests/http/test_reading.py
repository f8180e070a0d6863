"""What a client makes of any HTTP answer."""

import json
import pickle
import time
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import any_pb2, struct_pb2
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, Spec, remote
from errgrpc.http import data, decode, encode
from errgrpc.http.bodies import Form
from errgrpc.http.reading import MAX_BODY_BYTES

ENVELOPE = {
    "code": 1004,
    "msg": "Room Not Found",
    "ts": 1619068087795,
    "requestId": "6e507107",
    "cost": "66ms",
}
URL = "type.googleapis.com/google.rpc."
INFO = {
    "@type": URL + "ErrorInfo",
    "reason": "ROOM_NOT_EXIST",
    "domain": "errgrpc.v1.ResCode",
    "metadata": {"code": "1004", "a": "b"},
}
AIP193: dict[str, Any] = {
    "error": {"code": 404, "message": "Room Not Found", "status": "NOT_FOUND", "details": [INFO]}
}


class ShopCode(
    ErrorCode,
    domain="shop.example.com",
    default_locale="en-US",
    infer={StatusCode.NOT_FOUND: "GONE"},
):
    GONE = (
        1,
        Spec(StatusCode.NOT_FOUND, http_status=404, message="Gone", hints={"en-US": "It is gone"}),
    )
    SOLD = 1004, Spec(StatusCode.ABORTED, http_status=409)
    OWN = 5, Spec(StatusCode.ABORTED, http_status=409)


def read(body: Any, status: int = 404, *catalogues: type[ErrorCode], **more: Any) -> RemoteError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(status, more.pop("headers", ()), raw, *(catalogues or (ResCode,)), **more)


def check_inferred(
    error: RemoteError,
    code: ErrorCode | None = ResCode.NOT_FOUND,
    status: StatusCode = StatusCode.NOT_FOUND,
) -> None:
    assert type(error) is RemoteError
    assert (error.error_code, error.inferred, error.code()) == (code, code is not None, status)
    assert (error.reason, error.domain, dict(error.metadata)) == (None, None, {})


def test_an_envelope() -> None:
    error = read(ENVELOPE, accept_language="zh-CN", headers=[("Server", "nginx")])
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    assert (error.error_code, error.code(), error.details()) == (
        ResCode.ROOM_NOT_EXIST,
        StatusCode.NOT_FOUND,
        "Room Not Found",
    )
    assert (error.number, error.reason, error.domain) == (
        1004,
        "ROOM_NOT_EXIST",
        "errgrpc.v1.ResCode",
    )
    assert (error.hint, error.locale, error.request_id, error.inferred) == (
        "房间不存在",
        "zh-CN",
        "6e507107",
        False,
    )
    assert error.initial_metadata() == (("server", "nginx"),)
    assert data(error) is None
    assert (
        errgrpc.http.decode(
            404, [], json.dumps(ENVELOPE).encode(), ResCode, accept_language="en"
        ).hint
        == "The room does not exist"
    )


def test_headers_are_a_mapping_or_pairs() -> None:
    for headers in ({"Retry-After": "2"}, [("Retry-After", "2")], iter([("retry-after", "2")])):
        error = read(ENVELOPE, headers=headers)
        assert error.detail(rpc.RetryInfo) == rpc.RetryInfo(retry_delay=timedelta(seconds=2))
        assert dict(error.initial_metadata()) == {"retry-after": "2"}


def test_the_existing_room() -> None:
    room = {"roomUuid": "r-42", "members": [{"seat": 3, "volume": 0.5}]}
    error = read({**ENVELOPE, "code": 409, "data": room}, 409)
    assert type(error) is remote(ResCode.CONFLICT)
    assert data(error) == room
    assert error.detail(struct_pb2.Struct) is not None


BIG = 1_234_567_890_123_456_789
EXACT: list[Any] = [
    -(10**20 - 1),
    {"orderId": BIG, "seats": [{"id": BIG + 1}], "volume": 0.5},
    [BIG, -BIG],
    BIG,
    {"value": BIG},
]


@pytest.mark.parametrize("room", EXACT)
def test_integers_of_the_data_stay_exact(room: Any) -> None:
    names: dict[Any, str] = {dict: "Struct", list: "ListValue"}
    name = names.get(type(room), "Value")
    typed = [
        {"@type": f"type.googleapis.com/google.protobuf.{kind}", "value": room}
        for kind in {name, "Value"}
    ]
    untyped = (
        []
        if not isinstance(room, dict)
        else [room, {"@type": "type.googleapis.com/x.Y", **room, "a": 1}]
    )
    envelope = {**ENVELOPE, "code": 409, "data": room}
    for body, expected in (
        (envelope, room),
        *(({"error": {**AIP193["error"], "details": [INFO, detail]}}, room) for detail in typed),
        *(
            ({"error": {**AIP193["error"], "details": [INFO, detail]}}, detail)
            for detail in untyped
        ),
    ):
        error = read(body, 409)
        for again in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301
            assert data(again) == expected
            assert data(again) is not data(again) or not isinstance(room, dict | list)


def test_an_envelopes_number_is_the_first_catalogues_that_declares_it() -> None:
    assert read(ENVELOPE, 404, ResCode, ShopCode).error_code is ResCode.ROOM_NOT_EXIST
    assert read(ENVELOPE, 404, ShopCode, ResCode).error_code is ShopCode.SOLD
    assert read(
        {**ENVELOPE, "code": 30206}, 403, ResCode, ComponentCode
    ).error_code is ComponentCode(30206)


@pytest.mark.parametrize("number", [1999, -7, 2**31 - 1])
def test_a_newer_servers_number_is_known_and_no_code(number: int) -> None:
    error = read({**ENVELOPE, "code": number}, 403)
    assert (type(error), error.error_code, error.number, error.inferred) == (
        RemoteError,
        None,
        number,
        False,
    )
    assert (error.code(), error.details()) == (StatusCode.PERMISSION_DENIED, "Room Not Found")


def test_an_http_status_in_place_of_a_number_is_no_code() -> None:
    """Services answer so if they have no code for a status, as errgrpc itself does."""
    check_inferred(read({**ENVELOPE, "code": 404}, 404, ShopCode), ShopCode.GONE)
    check_inferred(read({**ENVELOPE, "code": 0}, 404, ShopCode), ShopCode.GONE)
    assert read({**ENVELOPE, "code": 404}, 404).error_code is ResCode.NOT_FOUND


def test_aip193() -> None:
    error = read(AIP193)
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    assert (error.metadata, error.details(), error.code()) == (
        {"a": "b"},
        "Room Not Found",
        StatusCode.NOT_FOUND,
    )
    assert read(AIP193, 404, ShopCode).error_code is None
    assert (read(AIP193, 404, ShopCode).reason, read(AIP193, 404, ShopCode).number) == (
        "ROOM_NOT_EXIST",
        1004,
    )


def test_what_a_gateway_makes_of_grpc() -> None:
    gateway = {"code": 5, "message": "Room Not Found", "details": [INFO]}
    assert read(gateway).error_code is ResCode.ROOM_NOT_EXIST
    # not gRPC's 5
    check_inferred(read(gateway, 500), ResCode.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL)


def test_the_status_of_aip193_is_the_errors_own() -> None:
    error = read({"error": {**AIP193["error"], "status": "ABORTED"}}, 500)
    assert (error.code(), error.error_code) == (StatusCode.ABORTED, ResCode.ROOM_NOT_EXIST)


def test_an_empty_message_may_be_left_out() -> None:
    error = read({"error": {"code": 404, "status": "NOT_FOUND", "details": [INFO]}})
    assert (error.error_code, error.details()) == (ResCode.ROOM_NOT_EXIST, "")


def test_an_unknown_detail_stays_readable() -> None:
    unknown = {"@type": "type.googleapis.com/x.Y", "room": "r-42"}
    error = read({"error": {**AIP193["error"], "details": [INFO, unknown]}})
    assert data(error) == unknown
    kept = {"@type": "type.googleapis.com/x.Y", "value": "AAE="}
    found = read({"error": {**AIP193["error"], "details": [INFO, kept]}}).status_details[1]
    assert found == any_pb2.Any(type_url="type.googleapis.com/x.Y", value=b"\0\1")


@pytest.mark.parametrize(
    ("headers", "request_id", "delay"),
    [
        ([("X-Request-Id", "head"), ("Retry-After", "7")], "head", 7),
        ([("x-request-id", "first"), ("x-request-id", "second")], "first", None),
        ([("x-request-id", " "), ("x-request-id", "second")], "second", None),
        ([("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], None, 0),
        (
            [
                ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
                ("date", "Fri, 31 Dec 1999 23:58:00 GMT"),
            ],
            None,
            119,
        ),
        (
            [
                ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
                ("date", "Sat, 01 Jan 2000 00:00:00 GMT"),
            ],
            None,
            0,
        ),
        (
            [
                ("retry-after", "Friday, 31-Dec-99 23:59:59 GMT"),
                ("date", "Fri Dec 31 23:58:00 1999"),
            ],
            None,
            119,
        ),
        (
            [
                ("retry-after", "Fri, 31 Dec 1999 23:59:59 -0000"),
                ("date", "Fri, 31 Dec 1999 23:59:00 GMT"),
            ],
            None,
            59,
        ),
        ([("retry-after", "Fri, 99 Dec 1999 23:59:59 GMT")], None, None),
        ([("retry-after", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT")], None, None),
        ([("retry-after", "soon")], None, None),
        ([("retry-after", "-1")], None, None),
        ([("retry-after", "9" * 12)], None, None),
        ([("retry-after", "1.5")], None, None),
    ],
)
def test_headers(headers: list[tuple[str, str]], request_id: str | None, delay: int | None) -> None:
    for body in (b"", AIP193):
        error = read(body, 503, headers=headers)
        found = error.detail(rpc.RetryInfo)
        assert (error.request_id, found and found.retry_delay.seconds) == (request_id, delay)
    assert read(ENVELOPE, headers=headers).request_id == "6e507107"


def test_details_come_before_headers() -> None:
    own = [
        INFO,
        {"@type": URL + "RetryInfo", "retryDelay": "1.5s"},
        {"@type": URL + "RequestInfo", "requestId": "body"},
    ]
    error = read(
        {"error": {**AIP193["error"], "details": own}},
        headers=[("retry-after", "2"), ("x-request-id", "head")],
    )
    assert (error.request_id, len(error.status_details)) == ("body", 3)
    found = error.detail(rpc.RetryInfo)
    assert found is not None
    assert found.retry_delay.ToMilliseconds() == 1_500


def test_304_is_the_code_that_declares_it() -> None:
    """A 304 has no body, so it has no number."""
    check_inferred(read(b"", 304), ResCode.NOT_MODIFIED, StatusCode.FAILED_PRECONDITION)
    check_inferred(read(b"", 304, ShopCode), None, StatusCode.FAILED_PRECONDITION)
    check_inferred(
        read(b"", 304, ComponentCode, ResCode), ResCode.NOT_MODIFIED, StatusCode.FAILED_PRECONDITION
    )


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "truncated": json.dumps(ENVELOPE).encode()[:-9],
    "truncated aip193": json.dumps(AIP193).encode()[:-9],
    "no utf-8": b'{"code":1004,"msg":"\xff","ts":1,"requestId":"r"}',
    "nothing": b"null",
    "list": b"[1004]",
    "text": b'"1004"',
    "nan": b"NaN",
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"error":' * 20_000 + b"1" + b"}" * 20_000,
    "another service": b'{"code":404,"message":"no such page"}',
    "another service's envelope": b'{"code":404,"msg":"no such page"}',
    "another service's number": b'{"code":1004,"msg":"Room Not Found","time":1}',
    "oauth": b'{"error":"invalid_grant","error_description":"expired"}',
    "problem": b'{"type":"about:blank","title":"Not Found","status":404,"detail":"x"}',
    "number as text": json.dumps({**ENVELOPE, "code": "1004"}).encode(),
    "number as float": json.dumps({**ENVELOPE, "code": 1004.0}).encode(),
    "number as bool": json.dumps({**ENVELOPE, "code": True}).encode(),
    "number as list": json.dumps({**ENVELOPE, "code": [1004]}).encode(),
    "msg as number": json.dumps({**ENVELOPE, "msg": 5}).encode(),
    "no number": b'{"code":NaN,"msg":"m","ts":1,"requestId":"r"}',
    "infinite number": b'{"code":1e999,"msg":"m","ts":1,"requestId":"r"}',
    "huge number": b'{"code":' + b"9" * 200_000 + b',"msg":"m","ts":1,"requestId":"r"}',
    "aip193 without message": b'{"error":{"code":404,"status":"NOT_FOUND","message":null}}',
    "aip193 with a wrong status": b'{"error":{"code":404,"status":"GONE_AWAY","message":"m"}}',
    "aip193 with a list as status": b'{"error":{"code":404,"status":["NOT_FOUND"],"message":"m"}}',
    "aip193 that says OK": b'{"error":{"code":200,"status":"OK","message":"m"}}',
    "gateway that says OK": b'{"code":0,"message":"m","details":[]}',
    "10 MB": b'{"code":1004,"msg":"' + b"m" * 10_000_000 + b'","ts":1,"requestId":"r"}',
    "just too large": json.dumps(ENVELOPE).encode().ljust(MAX_BODY_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_neither_leaves_what_the_status_says(name: str) -> None:
    before = time.process_time()
    error = read(HOSTILE[name])
    check_inferred(error)
    assert error.details() == "Not Found"
    assert time.process_time() - before < 1
    check_inferred(read(HOSTILE[name], 503), ResCode.SERVICE_UNAVAILABLE, StatusCode.UNAVAILABLE)
    check_inferred(read(HOSTILE[name], 404, ComponentCode), None)


ODD: dict[str, Any] = {
    "wrong types beside": {
        **ENVELOPE,
        "ts": "yesterday",
        "requestId": 7,
        "cost": None,
        "data": None,
    },
    "lone surrogates": {
        **ENVELOPE,
        "msg": "\ud800",
        "requestId": "\ud800",
        "data": {"\ud800": "\udfff"},
    },
    "deep data": {**ENVELOPE, "data": json.loads("[" * 60 + "]" * 60)},
    "huge numbers in data": {**ENVELOPE, "data": [10**300, float("nan"), float("inf")]},
    "duplicate keys": b'{"code":1,"code":1004,"msg":"a","msg":"b","ts":1,"requestId":"r"}',
    "as large as may be": json.dumps(ENVELOPE).encode().ljust(MAX_BODY_BYTES),
    "bom": b"\xef\xbb\xbf" + json.dumps(ENVELOPE).encode(),
    "utf-16": json.dumps(ENVELOPE).encode("utf-16"),
    "details of wrong types": {
        "error": {**AIP193["error"], "details": [None, 5, "x", [], {}, INFO]}
    },
    "10,000 details": {"error": {**AIP193["error"], "details": [INFO] + [{}] * 10_000}},
    "the same detail twice": {
        "error": {**AIP193["error"], "details": [INFO, {**INFO, "reason": "CONFLICT"}]}
    },
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_beside_the_code_does_not_hide_it(name: str) -> None:
    error = read(ODD[name])
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    str(error), error.hint, error.request_id, error.status_details, data(error)


BYTES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["NOT_FOUND", "OK", INFO]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "msg",
                    "ts",
                    "requestId",
                    "data",
                    "error",
                    "status",
                    "message",
                    "details",
                    "@type",
                ]
            ),
            inner,
        )
    ),
    max_leaves=25,
)


@given(BYTES, st.sampled_from([304, 400, 404, 409, 500, 599, 302]), st.binary(max_size=9))
def test_nothing_makes_reading_fail(body: Any, status: int, noise: bytes) -> None:
    raw = json.dumps(body).encode()
    for sent in (raw, noise, raw[: len(raw) // 2] + noise):
        error = decode(status, [("retry-after", str(body))], sent, ResCode, ShopCode)
        assert error.code() is not StatusCode.OK
        json.dumps(
            [data(error), error.hint, error.request_id, error.number, dict(error.metadata)],
            allow_nan=False,
        )
        str(error), error.status_details


DETAIL = st.sampled_from(
    [
        rpc.BadRequest(
            field_violations=[rpc.BadRequest.FieldViolation(field="name", description="是空的")]
        ),
        rpc.ResourceInfo(resource_type="room", resource_name="r-42"),
        rpc.Help(links=[rpc.Help.Link(url="https://example.com")]),
        struct_pb2.Struct(
            fields={
                "roomUuid": struct_pb2.Value(string_value="r-42"),
                "n": struct_pb2.Value(number_value=3),
            }
        ),
        any_pb2.Any(type_url="type.googleapis.com/x.Y", value=b"\xff\0"),
    ]
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def keys_of(code: ErrorCode) -> list[str]:
    """The metadata keys of a code that may have any text."""
    return (
        [field.key for field in code.metadata_fields if field.type is str]
        if code.metadata_fields
        else ["room_uuid", "im_reused", "aB-9"]
    )


def errors_of(code: ErrorCode) -> st.SearchStrategy[ServiceError]:
    return st.builds(
        ServiceError,
        st.just(code),
        st.none() | TEXT,
        metadata=st.dictionaries(st.sampled_from(keys_of(code)), TEXT)
        if keys_of(code)
        else st.just({}),
        hint=st.none()
        | st.dictionaries(st.sampled_from(["zh-CN", "en-US", "fr"]), TEXT.filter(bool), min_size=1),
        details=st.lists(
            DETAIL,
            max_size=3,
            unique_by=lambda detail: getattr(detail, "type_url", detail.DESCRIPTOR.full_name),
        ),
        # A delay is a MisuseWarning if the code forbids retries.
        retry_delay=st.none()
        if code.retryable is False
        else st.none() | st.integers(0, 10**6) | st.floats(0, 10**6),
    )


ERRORS = st.sampled_from([code for code in ResCode if code.http_status not in (200, 304)]).flatmap(
    errors_of
)


def seen(error: RemoteError) -> Any:
    return (
        *(
            type(error),
            error.code(),
            error.details(),
            error.error_code,
            error.number,
            error.reason,
            error.domain,
        ),
        *(dict(error.metadata), error.hint, error.locale, error.inferred),
        [detail for detail in error.status_details if not isinstance(detail, rpc.RequestInfo)],
    )


@given(
    ERRORS,
    st.sampled_from(["zh-CN", "en", "fr;q=0.5, zh", None]),
    st.sampled_from(["aip193", "both"]),
)
def test_grpc_to_aip193_to_grpc_loses_nothing(
    error: ServiceError, asked: str | None, form: Form
) -> None:
    over_grpc = errgrpc.decode(errgrpc.encode(error, asked), ResCode)
    over_http = decode(*encode(ServiceError.from_remote(over_grpc), asked, form=form), ResCode)
    assert seen(over_http) == seen(over_grpc)
    again = errgrpc.decode(errgrpc.encode(ServiceError.from_remote(over_http), asked), ResCode)
    assert seen(again) == seen(over_grpc)


@given(ERRORS, st.sampled_from(["zh-CN", "en", None]))
def test_grpc_to_envelope_to_grpc_loses_nothing_that_an_envelope_can_hold(
    error: ServiceError, asked: str | None
) -> None:
    over_grpc = errgrpc.decode(errgrpc.encode(error, asked), ResCode)
    over_http = decode(*encode(ServiceError.from_remote(over_grpc), asked), ResCode)
    again = errgrpc.decode(errgrpc.encode(ServiceError.from_remote(over_http), asked), ResCode)
    for found in (over_http, again):
        assert type(found) is type(over_grpc)
        assert (found.code(), found.details(), found.error_code) == (
            over_grpc.code(),
            over_grpc.details(),
            over_grpc.error_code,
        )
        assert data(found) == data(over_grpc)
        assert found.request_id == over_http.request_id
        waits = [
            info and -(-info.retry_delay.ToNanoseconds() // 10**9)
            for info in (found.detail(rpc.RetryInfo), over_grpc.detail(rpc.RetryInfo))
        ]
        assert waits[0] == waits[1]


def test_an_error_can_be_pickled() -> None:
    error = read({**ENVELOPE, "data": {"a": 1}}, headers=[("server", "nginx")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), seen(again), data(again)) == (type(error), seen(error), {"a": 1})
    assert [tuple(entry) for entry in again.initial_metadata()] == [("server", "nginx")]


def test_wrong_catalogues_are_named() -> None:
    wrong: Any = "ResCode"
    with pytest.raises(TypeError, match="'ResCode' is no catalogue"):
        decode(404, [], b"", wrong)


SURROGATE = "\\ud800"


@pytest.mark.parametrize(
    "body",
    [
        (
            '{"error": {"code": 404, "message": "m", "status": "NOT_FOUND", "details": [{"@type": '
            '"x/S", "value": "aGk="}]}}'
        ),
        (
            '{"error": {"code": 404, "message": "S", "status": "NOT_FOUND", "details": [{"@type": '
            '"x/y", "S": "S"}, "S", {"S": ["S"]}]}}'
        ),
        '{"error": {"code": 404, "message": "S", "status": "NOT_FOUND", "details":'
        ' [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "S"}]}}',
        '{"code": 1004, "msg": "S", "ts": 1, "requestId": "S", "data": {"S": "S"}}',
    ],
)
def test_lone_surrogates_in_every_position(body: str) -> None:
    error = read(body.replace("S", SURROGATE).replace(f"{SURROGATE}TATU", "STATU").encode(), 404)
    assert error.code() is StatusCode.NOT_FOUND
    assert str(error).isprintable()
    assert isinstance(error.status_details, tuple)


def test_a_large_body_is_bounded_by_its_values() -> None:
    lists = "[" + ",".join(["[]"] * 60_000) + "]"
    error = read(
        f'{{"code": 1004, "msg": "m", "ts": 1, "requestId": "id-1", "data": {lists}}}'.encode(), 404
    )
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    assert data(error) is None
    info = json.dumps(
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ROOM_NOT_EXIST",
            "domain": ResCode.domain,
        }
    )
    violations = json.dumps(
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "f"}] * 6_000,
        }
    )
    error = read(
        (
            f'{{"error": {{"code": 404, "message": "m", "status": "NOT_FOUND", "details": [{info}, '
            f"{violations}]}}}}"
        ).encode(),
        404,
    )
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    assert error.detail(rpc.BadRequest) is None
