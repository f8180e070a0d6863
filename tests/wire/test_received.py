"""What a reader sees of grpc-status-details-bin, in any form."""

import pickle

import pytest
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from errgrpc.wire.packing import pack
from errgrpc.wire.received import Received

INFO = rpc.ErrorInfo(
    reason="ROOM_NOT_EXIST",
    domain="errgrpc.v1.ResCode",
    metadata={"room_uuid": "r-42", "code": "1004", "b": "2"},
)


def status(*details: Message, code: int = 5, message: str = "Room Not Found") -> bytes:
    packed = [detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in details]
    return status_pb2.Status(code=code, message=message, details=packed).SerializeToString()


def test_reads_what_was_written() -> None:
    localized, request = (
        rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
        rpc.RequestInfo(request_id="id"),
    )
    received = Received([status(INFO, localized, request)])
    assert received.info == INFO
    assert received.number == "1004"
    assert list(received.metadata.items()) == [("b", "2"), ("room_uuid", "r-42")]
    assert received.localized == ("zh-CN", "房间不存在")
    assert received.request_id == "id"
    assert received.details == (INFO, localized, request)
    assert received.detail(rpc.RequestInfo) == request
    assert received.detail(rpc.Help) is None
    assert (received.status.code, received.status.message) == (5, "Room Not Found")


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [None],
        ["text"],
        [5],
        [b"\xff"],
        [status(INFO)[:-1]],
        [b"\x12\x02\xff\xff"],
        [b"\x1a\xff\xff\xff\xff\x7f"],
        [status(INFO) * 0],
    ],
    ids=range(10),
)
def test_garbage_is_nothing(values: list[object]) -> None:
    received = Received(values)
    assert received.info is None
    assert (received.number, received.metadata, received.details) == ("", {}, ())
    assert (received.localized, received.request_id, received.detail(rpc.Help)) == (
        None,
        None,
        None,
    )
    assert received.status == status_pb2.Status()


def test_of_several_values_the_first_with_an_error_info_counts() -> None:
    other = rpc.ErrorInfo(reason="OTHER")
    helped = status(rpc.Help())
    assert Received([b"\xff", helped, status(INFO), status(other)]).info == INFO
    assert Received([status(other), status(INFO)]).info == other
    assert Received([helped, status(INFO)]).details == (INFO,)
    assert Received([b"\xff", helped]).details == (rpc.Help(),)
    assert Received([b"\xff", helped, status(rpc.DebugInfo())]).details == (rpc.Help(),)
    assert Received([helped, b"\xff"]).details == (rpc.Help(),)
    assert Received([b"", status(code=7)]).status.code == 7
    assert Received([status(code=6, message=""), status(code=7)]).status.code == 6


def test_of_several_details_of_a_type_the_first_readable_counts() -> None:
    broken = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    not_utf8 = any_pb2.Any(
        type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\x01\xff"
    )
    received = Received(
        [
            status(
                broken,
                not_utf8,
                INFO,
                rpc.ErrorInfo(reason="OTHER"),
                rpc.RequestInfo(request_id="1"),
                rpc.RequestInfo(request_id="2"),
            )
        ]
    )
    assert received.info == INFO
    assert received.request_id == "1"
    assert received.details[:2] == (broken, not_utf8)
    assert Received([status(broken)]).info is None


def test_types_that_this_process_does_not_know_stay_any() -> None:
    unknown = any_pb2.Any(type_url="type.googleapis.com/who.knows.It", value=b"\x08\x01")
    bare = any_pb2.Any(value=b"\x08\x01")
    odd = any_pb2.Any(type_url="google.rpc.Help", value=b"")  # a type_url needs a slash
    mismatched = any_pb2.Any(
        type_url="type.googleapis.com/google.rpc.Help", value=INFO.SerializeToString()
    )
    inside = wrappers_pb2.StringValue(value="x")
    received = Received([status(unknown, bare, odd, inside, mismatched)])
    assert received.details[:2] == (unknown, bare)
    assert received.details[3] == inside
    assert type(received.details[3]) is wrappers_pb2.StringValue
    assert len(received.details) == 5
    assert received.detail(wrappers_pb2.StringValue) == inside


def test_an_empty_text_or_id_is_none() -> None:
    received = Received(
        [status(rpc.LocalizedMessage(locale="zh-CN"), rpc.RequestInfo(serving_data="x"))]
    )
    assert received.localized is None
    assert received.request_id is None
    assert Received([status(rpc.LocalizedMessage(message="x"))]).localized == ("", "x")
    second = [
        rpc.LocalizedMessage(locale="zh-CN"),
        rpc.LocalizedMessage(locale="en", message="second"),
    ]
    assert Received([status(*second)]).localized == ("en", "second")


def test_nested_deeper_than_protobuf_reads() -> None:
    nested = any_pb2.Any(type_url="type.googleapis.com/google.protobuf.Any")
    for _ in range(300):
        outer = any_pb2.Any()
        outer.Pack(nested)
        nested = outer
    assert Received([status(INFO, nested)]).info == INFO
    group = b"\x0b" * 10_000  # start-group tags
    assert Received([group]).info is None


def read_all(values: list[object]) -> None:
    received = Received(values)
    assert isinstance(received.details, tuple)
    assert received.info is None or received.info in received.details
    assert isinstance(received.metadata, dict)
    assert isinstance(received.number, str)
    assert received.localized is None or received.localized[1]
    assert received.request_id is None or received.request_id
    pickle.loads(pickle.dumps(received))  # noqa: S301


WHOLE = status(
    INFO,
    rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="f", description="d")]),
    rpc.RetryInfo(retry_delay={"seconds": -1}),
    rpc.RequestInfo(request_id="r"),
)


@given(st.lists(st.binary() | st.text() | st.integers() | st.none()))
def test_reads_any_values(values: list[object]) -> None:
    read_all(values)


@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_reads_flipped_bits(bit: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    read_all([bytes(flipped)])


@given(st.integers(0, len(WHOLE)), st.binary(max_size=8))
def test_reads_truncated_bytes_with_others_behind(length: int, more: bytes) -> None:
    read_all([WHOLE[:length] + more])


ANYS = st.builds(
    any_pb2.Any,
    type_url=st.sampled_from(
        [
            "",
            "/",
            "x/google.rpc.ErrorInfo",
            "type.googleapis.com/google.rpc.Help",
            "x/google.protobuf.Any",
        ]
    )
    | st.text(max_size=20),
    value=st.sampled_from([b"", INFO.SerializeToString(), b"\x0a\x01\xff"])
    | st.binary(max_size=20),
)


@given(st.lists(ANYS, max_size=5), st.integers(-(2**31), 2**31 - 1), st.text(max_size=5))
def test_reads_any_details(details: list[any_pb2.Any], code: int, message: str) -> None:
    read_all([status(*details, code=code, message=message)])
