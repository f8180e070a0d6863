"""What is given up until an answer's trailers fit: in the documented order, and no more than needed."""

import base64
import bisect
import copy
import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from hypothesis import given, settings
from hypothesis import strategies as st

from errgrpc import ResCode
from errgrpc.wire import encoding
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES, Parts, fit
from errgrpc.wire.packing import holds, pack, unpack

CODE = ResCode.ROOM_NOT_EXIST
VIOLATIONS: dict[type[Message], str] = {
    rpc.BadRequest: "field_violations",
    rpc.PreconditionFailure: "violations",
    rpc.QuotaFailure: "violations",
}
CLEAR = "".join(chr(byte) for byte in range(0x20, 0x7F) if chr(byte) != "%")


def parts(
    message: str = "",
    metadata: dict[str, str] | None = None,
    localized: tuple[str, str] | None = None,
    details: tuple[Message, ...] = (),
    retry: Message | None = None,
    request: Message | None = None,
    trailers: tuple[tuple[str, str | bytes], ...] = (),
) -> Parts:
    packed = {any_.TypeName(): any_ for any_ in (detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in details)}
    last = [None if detail is None else pack(detail) for detail in (retry, request)]
    return Parts(message, metadata or {}, localized, list(packed.values()), last[0], last[1], list(trailers))


def trailer_bytes(error: Parts) -> int:
    return encoding.trailer_bytes(CODE, error)


def size(error: Parts) -> int:
    """What a peer counts, from the bytes that go on the wire."""
    status = encoding.whole(CODE, error)
    entries: list[tuple[str, str | bytes]] = [
        ("grpc-status", str(CODE.grpc_status.value[0]).zfill(2)),
        ("grpc-message", quote(error.message.encode(), safe=CLEAR)),
        ("grpc-status-details-bin", status),
        *error.trailers,
    ]
    values = [base64.b64encode(value) if isinstance(value, bytes) else value for _, value in entries]
    return sum(len(key) + len(value) + 32 for (key, _), value in zip(entries, values, strict=True))


GiveUp = Callable[[Parts, int], object]


def units(error: Parts) -> list[tuple[int, GiveUp]]:
    """What is given up as the contract says: of each thing how many units there are, and what gives up so many of them."""
    beyond = len(error.message) - len(error.message.encode()[:1_024].decode(errors="ignore"))
    kinds = [next((kind for kind in (rpc.DebugInfo, rpc.Help, *VIOLATIONS) if holds(detail, kind)), Message) for detail in error.details]
    order: list[tuple[int, GiveUp]] = [(beyond, _shorten)]
    order += [(kinds.count(kind), _drop(kind)) for kind in (rpc.DebugInfo, rpc.Help)]
    for detail, kind in reversed(list(zip(error.details, kinds, strict=True))):
        if kind in VIOLATIONS and (whole := unpack(detail, kind)) is not None:
            order.append((len(getattr(whole, VIOLATIONS[kind])), _violations(kind)))
    order.append((sum(kind not in {rpc.DebugInfo, rpc.Help} for kind in kinds), lambda left, count: _pop(left.details, count)))
    order.append((error.localized is not None, _unset("localized")))
    order.append((len(error.metadata), lambda left, count: [left.metadata.popitem() for _ in range(count)]))
    order.append((error.retry is not None, _unset("retry")))
    order.append((error.request is not None, _unset("request")))
    order.append((len(error.message) - beyond, _shorten))
    return [*order, (len(error.trailers), lambda left, count: _pop(left.trailers, count))]


def _pop(values: list[Any], count: int) -> None:
    del values[len(values) - count :]


def _shorten(left: Parts, count: int) -> None:
    left.message = left.message[: len(left.message) - count]


def _unset(name: str) -> GiveUp:
    def unset(left: Parts, count: int) -> None:
        if count:
            setattr(left, name, None)

    return unset


def _drop(kind: type[Message]) -> GiveUp:
    def drop(left: Parts, count: int) -> None:
        left.details = [detail for detail in left.details if not count or not holds(detail, kind)]

    return drop


def _violations(kind: type[Message]) -> GiveUp:
    def drop(left: Parts, count: int) -> None:
        index = next(index for index, detail in enumerate(left.details) if holds(detail, kind))
        whole = kind.FromString(left.details[index].value)
        _pop(getattr(whole, VIOLATIONS[kind]), count)
        left.details[index] = pack(whole)

    return drop


def duplicate(error: Parts) -> Parts:
    return Parts(**{field.name: copy.copy(getattr(error, field.name)) for field in dataclasses.fields(error)})


def without(error: Parts, count: int) -> Parts:
    """The error with so many units given up."""
    left = duplicate(error)
    for most, give_up in units(error):
        give_up(left, min(most, count))
        count -= min(most, count)
    return left


def total(error: Parts) -> int:
    return sum(most for most, _ in units(error))


def expected(error: Parts, limit: int) -> Parts:
    """The error with the fewest units given up that fits, or with all."""
    return without(error, bisect.bisect_left(range(total(error)), True, key=lambda count: size(without(error, count)) <= limit))


TEXTS = st.builds(
    lambda text, times: text * times,
    st.text(st.sampled_from("aZ %\n\x00\x7fé房😀\u202e~"), max_size=9),
    st.sampled_from([0, 1, 7, 90, 400, 3_500]),
)
SHORT = st.text(st.sampled_from("aé房%"), max_size=30)
DETAILS = st.permutations(
    [
        rpc.DebugInfo(detail="frame\n" * 2_000),
        rpc.Help(links=[rpc.Help.Link(url="https://example.com", description="d" * 300)] * 3),
        rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field=f"field{n}", description="房" * (n % 7)) for n in range(60)]),
        rpc.PreconditionFailure(violations=[rpc.PreconditionFailure.Violation(type=f"t{n}", subject="s" * n) for n in range(9)]),
        rpc.QuotaFailure(violations=[rpc.QuotaFailure.Violation(subject=f"s{n}") for n in range(30)]),
        rpc.ResourceInfo(resource_name="n" * 700),
        wrappers_pb2.BytesValue(value=bytes(900)),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff" * 40),
        any_pb2.Any(type_url="type.googleapis.com/unknown.Type", value=bytes(50)),
    ]
)
ERRORS = st.builds(
    parts,
    message=TEXTS,
    metadata=st.dictionaries(st.from_regex(r"[a-z][a-zA-Z0-9_-]{1,20}", fullmatch=True), SHORT, max_size=40),
    localized=st.none() | st.tuples(st.sampled_from(["zh-CN", "en"]), TEXTS),
    details=st.builds(lambda order, count: tuple(order[:count]), DETAILS, st.integers(0, 9)),
    retry=st.none() | st.just(rpc.RetryInfo(retry_delay={"seconds": 5})),
    request=st.none() | st.just(rpc.RequestInfo(request_id="r" * 32, serving_data="s" * 300)),
    trailers=st.lists(
        st.sampled_from([("x-a", "a" * 50), ("x-b-bin", bytes(100)), ("x-c", ""), ("x-d", "d" * 2_000), ("x-e-bin", b"")]), max_size=6
    ).map(tuple),
)


@settings(max_examples=200)
@given(ERRORS, st.integers(600, 9_000))
def test_sheds_in_order_and_no_more_than_needed(error: Parts, limit: int) -> None:
    whole = duplicate(error)
    shed = fit(error, limit, trailer_bytes)
    assert size(error) == trailer_bytes(error)
    assert error == expected(whole, limit)
    assert size(error) <= limit
    assert bool(shed) == (size(whole) > limit)


@given(ERRORS, st.integers(600, 9_000))
def test_what_was_shed_is_named(error: Parts, limit: int) -> None:
    whole = duplicate(error)
    shed = fit(error, limit, trailer_bytes)
    left = {detail.TypeName(): detail for detail in error.details}
    gone = {
        "message": error.message != whole.message,
        "DebugInfo": any(holds(detail, rpc.DebugInfo) for detail in whole.details) and "google.rpc.DebugInfo" not in left,
        "Help": any(holds(detail, rpc.Help) for detail in whole.details) and "google.rpc.Help" not in left,
        "LocalizedMessage": error.localized != whole.localized,
        "metadata": error.metadata != whole.metadata,
        "RetryInfo": error.retry != whole.retry,
        "RequestInfo": error.request != whole.request,
        "trailing metadata of the handler": error.trailers != whole.trailers,
    }
    assert {name for name, went in gone.items() if went} == set(shed) & set(gone)


@given(ERRORS)
def test_the_errors_own_details_stay_whole(error: Parts) -> None:
    before = copy.deepcopy(error.details)
    same = list(error.details)
    fit(error, 900, trailer_bytes)
    assert same == before  # a ServiceError that is raised again packs them no second time


def test_the_default_limit() -> None:
    assert DEFAULT_MAX_TRAILER_BYTES == 7_900


def test_all_of_it_goes_when_nothing_fits() -> None:
    error = everything()
    shed = fit(error, 0, trailer_bytes)
    assert error == parts()
    assert shed == [
        "message",
        "DebugInfo",
        "Help",
        "violations of QuotaFailure",
        "violations of PreconditionFailure",
        "violations of BadRequest",
        "details",
        "LocalizedMessage",
        "metadata",
        "RetryInfo",
        "RequestInfo",
        "message",
        "trailing metadata of the handler",
    ]


def everything() -> Parts:
    return parts(
        message="m" * 1_060,
        metadata={"room_uuid": "r-42", "user": "u"},
        localized=("zh-CN", "房间不存在"),
        details=(
            rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field=f"{n}") for n in range(3)]),
            rpc.Help(links=[rpc.Help.Link(url="u")]),
            rpc.PreconditionFailure(violations=[rpc.PreconditionFailure.Violation(type="t")]),
            rpc.QuotaFailure(violations=[rpc.QuotaFailure.Violation(subject="s")]),
            rpc.DebugInfo(detail="d"),
            rpc.ResourceInfo(resource_name="n"),
        ),
        retry=rpc.RetryInfo(retry_delay={"seconds": 1}),
        request=rpc.RequestInfo(request_id="id"),
        trailers=(("x-a", "1"), ("x-b", "2")),
    )


def test_each_step_gives_up_the_next_thing_only() -> None:
    """Walks through the whole order: a byte less than what is left costs exactly one unit more."""
    whole = everything()
    for count in (count for count in range(total(whole)) if not 70 < count < total(whole) - 10):  # the message's middle is dull
        left, one_less = without(whole, count), without(whole, count + 1)
        error = everything()
        fit(error, size(left), trailer_bytes)
        assert size(error) <= size(left)
        assert error == left or size(error) == size(left)  # base64 counts in threes: a unit may cost nothing
        fit(error, size(left) - 1, trailer_bytes)
        assert size(error) < size(left)
        assert error == one_less or size(one_less) == size(left)


def test_nothing_goes_when_all_fits() -> None:
    error = everything()
    assert fit(error, size(error), trailer_bytes) == []
    assert error == everything()


@pytest.mark.parametrize("character", ["a", "é", "房", "😀", "\x00", "%"])
def test_a_message_is_cut_between_characters(character: str) -> None:
    width, count = len(character.encode()), len(quote(character.encode(), safe=CLEAR))
    for start in ("", "x", "xy", "xyz"):
        error = parts(message=start + character * 30_000)
        fit(error, 7_900, trailer_bytes)
        assert error.message == start + character * (len(error.message) - len(start))
        assert 7_900 - (width * 4 // 3 + count + 4) < size(error) <= 7_900


def test_a_message_up_to_1024_bytes_outlives_all_but_the_trailers() -> None:
    for message in ("m" * 1_024, "房" * 341):
        error = parts(message=message, metadata={"filler": "f" * 9_000}, trailers=(("x", "y"),))
        assert fit(error, 7_900, trailer_bytes) == ["metadata"]
        assert error.message == message
    error = parts(message="房" * 342, metadata={"filler": "f" * 9_000})
    assert fit(error, 7_900, trailer_bytes) == ["message", "metadata"]
    assert error.message == "房" * 341


def test_a_thousand_violations_of_each_kind() -> None:
    error = parts(
        details=(
            rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field=f"f{n}") for n in range(1_000)]),
            rpc.QuotaFailure(violations=[rpc.QuotaFailure.Violation(subject=f"s{n}") for n in range(1_000)]),
        )
    )
    assert fit(error, 7_900, trailer_bytes) == ["violations of QuotaFailure", "violations of BadRequest"]
    assert 7_900 - 40 < size(error) <= 7_900


def test_pack_and_unpack() -> None:
    packed = pack(rpc.RequestInfo(request_id="id"))
    assert packed.type_url == "type.googleapis.com/google.rpc.RequestInfo"
    assert unpack(packed, rpc.RequestInfo) == rpc.RequestInfo(request_id="id")
    assert unpack(packed, rpc.ErrorInfo) is None
    assert unpack(any_pb2.Any(type_url=packed.type_url, value=b"\xff"), rpc.RequestInfo) is None
    assert unpack(any_pb2.Any(), rpc.RequestInfo) is None
    maps = {f"key{n}": "v" for n in range(50)}
    assert pack(rpc.ErrorInfo(metadata=maps)) == pack(rpc.ErrorInfo(metadata=dict(reversed(maps.items()))))
