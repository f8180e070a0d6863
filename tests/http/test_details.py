"""Details as JSON and back: reading them never raises, whatever a peer sends."""

import json
import math
from typing import Any

import pytest
from google.protobuf import any_pb2, json_format, struct_pb2, timestamp_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
from errgrpc import ResCode, ServiceError
from errgrpc.http import data, details
from errgrpc.wire.packing import pack, unpack

TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
URL = "type.googleapis.com/"


def packed_of(value: Any) -> any_pb2.Any | None:
    kept = details.storable(value)
    return None if kept is None else details.as_detail(kept)


@given(JSON)
def test_data_comes_back(value: Any) -> None:
    packed = packed_of(value)
    if value is None:
        assert packed is None
        return
    assert packed is not None
    kinds: dict[type, type[Message]] = {dict: struct_pb2.Struct, list: struct_pb2.ListValue}
    found = unpack(packed, kinds.get(type(value), struct_pb2.Value))
    assert found == json_format.ParseDict(value, type(found)())  # type: ignore[misc]
    assert details.untyped(packed) == value
    assert json.loads(json.dumps(details.untyped(packed))) == value


def test_whole_numbers_are_integers_again() -> None:
    packed = packed_of({"seats": [3, 3.5, 2**60]})
    assert packed is not None
    assert repr(details.untyped(packed)["seats"]) == repr([3, 3.5, float(2**60)])


def test_what_struct_cannot_hold() -> None:
    packed = packed_of([math.nan, math.inf, 10**400, 1e308, "\ud800", {1: object()}])
    assert packed is not None
    assert details.untyped(packed) == [None, None, None, 1e308, "\ufffd", {"1": None}]


@pytest.mark.parametrize("depth", [1, 32, 33, 900, 100_000])
@pytest.mark.parametrize("shut", ["list", "dict"])
def test_depth_is_bounded(depth: int, shut: str) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value] if shut == "list" else {"a": value}
    packed = packed_of(value)
    assert (packed is not None) == (depth <= 32)
    if packed is not None:
        assert details.untyped(packed) == value  # so protobuf can read it


KNOWN: list[Message] = [
    rpc.BadRequest(
        field_violations=[rpc.BadRequest.FieldViolation(field="name", description="是空的")]
    ),
    rpc.ErrorInfo(reason="A_B", domain="d", metadata={"code": "1"}),
    rpc.RetryInfo(retry_delay={"seconds": 1, "nanos": 5}),
    rpc.DebugInfo(stack_entries=["a", "b"]),
    timestamp_pb2.Timestamp(seconds=1),
    struct_pb2.Struct(fields={"a": struct_pb2.Value(number_value=1)}),
]


@pytest.mark.parametrize("message", KNOWN, ids=lambda message: message.DESCRIPTOR.name)
def test_known_types(message: Message) -> None:
    packed = pack(message)
    written = details.to_json(packed)
    assert written["@type"] == URL + message.DESCRIPTOR.full_name
    assert details.from_json(json.loads(json.dumps(written))) == packed


@pytest.mark.parametrize(
    "packed",
    [any_pb2.Any(type_url=URL + "x.Y", value=b"\xff\x00"), any_pb2.Any(type_url=URL + "x.Y")],
)
def test_an_unknown_type_keeps_its_bytes(packed: any_pb2.Any) -> None:
    assert details.from_json(details.to_json(packed)) == packed


def test_what_does_not_parse_keeps_its_bytes() -> None:
    broken = any_pb2.Any(type_url=URL + "google.rpc.BadRequest", value=b"\xff\xff")
    assert details.to_json(broken) == {"@type": broken.type_url, "value": "//8="}


@pytest.mark.parametrize(
    "detail",
    [
        {"@type": URL + "x.Y", "room": 1},
        {"@type": URL + "x.Y", "value": "no base64!"},
        {"@type": URL + "x.Y", "value": 1},
        {"@type": "no url"},
        {"@type": 5},
        {"@type": URL + "google.rpc.BadRequest", "fieldViolations": 5},
        {"type": "google.rpc.ErrorInfo"},
        {},
    ],
)
def test_what_is_unknown_or_broken_stays_readable(detail: dict[str, Any]) -> None:
    packed = details.from_json(detail)
    assert packed is not None
    assert packed.TypeName() == "google.protobuf.Struct"
    assert details.untyped(packed) == detail


def test_newer_fields_are_no_reason_to_reject_the_others() -> None:
    packed = details.from_json(
        {
            "@type": URL + "google.rpc.BadRequest",
            "fieldViolations": [{"field": "a", "new": 1}],
            "newer": {},
        }
    )
    assert packed is not None
    assert unpack(packed, rpc.BadRequest) == rpc.BadRequest(field_violations=[{"field": "a"}])


TYPES = st.sampled_from(
    [
        "",
        "/",
        "a/",
        URL,
        *(URL + message.DESCRIPTOR.full_name for message in KNOWN),
        URL + "google.protobuf.Any",
    ]
)
ODD = st.floats() | st.integers() | st.text(max_size=3)
HOSTILE = st.recursive(
    ODD | SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "reason", "metadata", "retryDelay", "fieldViolations", "stackEntries"]
            ),
            inner,
        )
        | st.builds(
            lambda kind, rest: {"@type": kind, **rest},
            TYPES | ODD,
            st.dictionaries(TEXT, inner, max_size=3),
        )
    ),
    max_leaves=15,
)


@given(HOSTILE)
def test_nothing_makes_reading_fail(detail: Any) -> None:
    packed = details.from_json(detail)
    assert (packed is None) == (not isinstance(detail, dict))
    if packed is not None:
        json.dumps(details.to_json(packed), allow_nan=False)
        details.untyped(packed)


def test_data_is_the_first_detail_of_the_raiser_whichever_way_it_came() -> None:
    room = rpc.ResourceInfo(resource_type="room", resource_name="r-42")
    error = ServiceError(ResCode.ROOM_SIT_FULL, details=[room, rpc.Help()], retry_delay=1)
    assert data(errgrpc.decode(errgrpc.encode(error), ResCode)) == {
        "resourceType": "room",
        "resourceName": "r-42",
    }
    assert (
        data(
            errgrpc.decode(
                errgrpc.encode(ServiceError(ResCode.ROOM_SIT_FULL, retry_delay=1)), ResCode
            )
        )
        is None
    )
