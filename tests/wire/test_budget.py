"""What is cut until an answer's trailers fit: in the documented order, no more than needed."""

import base64
import bisect
import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
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
    pushback: tuple[tuple[str, str | bytes], ...] = (),
) -> Parts:
    packed = {
        any_.TypeName(): any_
        for any_ in (
            detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in details
        )
    }
    last = [None if detail is None else pack(detail) for detail in (retry, request)]
    return Parts(
        message,
        metadata or {},
        localized,
        list(packed.values()),
        last[0],
        last[1],
        list(trailers),
        pushback,
    )


def trailer_bytes(error: Parts) -> int:
    return encoding.trailer_bytes(CODE, error)


def size(error: Parts) -> int:
    """The size that a peer counts, from the bytes on the wire."""
    status = encoding.whole(CODE, error)
    entries: list[tuple[str, str | bytes]] = [
        ("grpc-status", str(CODE.grpc_status.value[0]).zfill(2)),
        ("grpc-message", quote(error.message.encode(), safe=CLEAR)),
        ("grpc-status-details-bin", status),
        *error.trailers,
        *error.pushback,
    ]
    values = [
        base64.b64encode(value) if isinstance(value, bytes) else value for _, value in entries
    ]
    return sum(len(key) + len(value) + 32 for (key, _), value in zip(entries, values, strict=True))


@dataclass
class Stage:
    """Units that the contract cuts together, from the last one.

    `count` is their number. `show` puts the kept ones into an error.
    """

    count: int
    show: Callable[[Parts, list[int]], object]
    is_text: bool = False
    of: tuple[int, int] | None = None
    """The stage and the unit that these units belong to."""


def stages(error: Parts) -> list[Stage]:
    """The stages of an error in the order of the contract."""
    text, metadata, trailers = error.message, list(error.metadata.items()), list(error.trailers)
    first = len(text.encode()[:1_024].decode(errors="ignore"))
    kinds = [
        next(
            (kind for kind in (rpc.DebugInfo, rpc.Help, *VIOLATIONS) if holds(detail, kind)),
            Message,
        )
        for detail in error.details
    ]
    helps = {rpc.DebugInfo: 1, rpc.Help: 2}
    others = [index for index, kind in enumerate(kinds) if kind not in helps]
    made = [
        Stage(
            len(text) - first,
            lambda left, kept: _cut(left, text[first : first + len(kept)]),
            is_text=True,
        )
    ]
    made += [
        Stage(
            kinds.count(kind), _only([index for index, found in enumerate(kinds) if found is kind])
        )
        for kind in helps
    ]
    cut = [
        index
        for index in reversed(others)
        if kinds[index] in VIOLATIONS and unpack(error.details[index], kinds[index]) is not None
    ]
    made += (
        _violations(error, index, kinds[index], (3 + len(cut), others.index(index)))
        for index in cut
    )
    made.append(Stage(len(others), _only(others)))
    made.append(Stage(error.localized is not None, _unset("localized")))
    made.append(
        Stage(
            len(metadata),
            lambda left, kept: setattr(left, "metadata", dict(metadata[unit] for unit in kept)),
        )
    )
    made.append(Stage(error.retry is not None, _no_retry))
    made.append(Stage(error.request is not None, _unset("request")))
    made.append(
        Stage(
            first,
            lambda left, kept: setattr(left, "message", text[: len(kept)] + left.message[first:]),
            is_text=True,
        )
    )
    return [
        *made,
        Stage(
            len(trailers),
            lambda left, kept: setattr(left, "trailers", [trailers[unit] for unit in kept]),
        ),
    ]


def _cut(left: Parts, beyond: str) -> None:
    left.message = (
        left.message[: len(left.message.encode()[:1_024].decode(errors="ignore"))] + beyond
    )


def _no_retry(left: Parts, kept: list[int]) -> None:
    if not kept:
        left.retry, left.pushback = (
            None,
            tuple(entry for entry in left.pushback if entry[1] == "-1"),
        )


def _unset(name: str) -> Callable[[Parts, list[int]], object]:
    return lambda left, kept: None if kept else setattr(left, name, None)


def _only(indices: list[int]) -> Callable[[Parts, list[int]], object]:
    """Removes the details with these indices, except the kept ones.

    A hole stays in the place of each, so that other indices stay valid.
    """

    def show(left: Parts, kept: list[int]) -> None:
        for unit, index in enumerate(indices):
            if unit not in kept:
                left.details[index] = HOLE

    return show


def _violations(error: Parts, index: int, kind: type[Message], of: tuple[int, int]) -> Stage:
    whole = kind.FromString(error.details[index].value)
    entries = list(getattr(whole, VIOLATIONS[kind]))

    def show(left: Parts, kept: list[int]) -> None:
        if len(kept) < len(entries):
            left.details[index] = pack(kind(**{VIOLATIONS[kind]: [entries[unit] for unit in kept]}))

    return Stage(len(entries), show, of=of)


HOLE = any_pb2.Any(type_url="hole")


def duplicate(error: Parts) -> Parts:
    return Parts(
        **{field.name: copy.copy(getattr(error, field.name)) for field in dataclasses.fields(error)}
    )


def showing(error: Parts, kept: list[list[int]]) -> Parts:
    """The error with these units of each stage."""
    left = duplicate(error)
    for stage, units in zip(stages(error), kept, strict=True):
        stage.show(left, units)
    left.details = [detail for detail in left.details if detail is not HOLE]
    return left


def without(error: Parts, count: int) -> Parts:
    """The error without this many units, in the order of the contract."""
    return showing(error, kept_without(error, count))


def kept_without(error: Parts, count: int) -> list[list[int]]:
    kept = []
    for stage in stages(error):
        gone = min(stage.count, count)
        count -= gone
        kept.append(list(range(stage.count - gone)))
    return kept


def total(error: Parts) -> int:
    return sum(stage.count for stage in stages(error))


def expected(error: Parts, limit: int) -> Parts:
    """The error that fits with the fewest units cut, or with all cut.

    Then each unit that still fits is put back, from the last cut one on.
    """

    def fits(kept: list[list[int]]) -> bool:
        return size(showing(error, kept)) <= limit

    count = bisect.bisect_left(
        range(total(error)), True, key=lambda count: fits(kept_without(error, count))
    )
    kept, order = kept_without(error, count), stages(error)
    for number, stage in reversed(list(enumerate(order))):
        whole = [len(units) == other.count for units, other in zip(kept, order, strict=True)]
        if number == 0 and not whole[-2]:  # of the two parts of the message, the first one wins
            continue
        if stage.of is not None and stage.of[1] not in kept[stage.of[0]]:
            continue
        if stage.is_text:
            kept[number] = longest(error, kept, number, stage.count, limit)
            continue
        for unit in range(stage.count):
            tried = [*kept[:number], sorted({*kept[number], unit}), *kept[number + 1 :]]
            kept = tried if fits(tried) else kept
    return showing(error, kept)


def longest(error: Parts, kept: list[list[int]], number: int, count: int, limit: int) -> list[int]:
    """The characters of a text that fit."""

    def is_too_long(length: int) -> bool:
        return (
            size(showing(error, [*kept[:number], list(range(length)), *kept[number + 1 :]])) > limit
        )

    lengths = range(len(kept[number]) + 1, count + 1)
    return list(range(len(kept[number]) + bisect.bisect_left(lengths, True, key=is_too_long)))


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
        rpc.BadRequest(
            field_violations=[
                rpc.BadRequest.FieldViolation(field=f"field{n}", description="房" * (n % 7))
                for n in range(60)
            ]
        ),
        rpc.PreconditionFailure(
            violations=[
                rpc.PreconditionFailure.Violation(type=f"t{n}", subject="s" * n) for n in range(9)
            ]
        ),
        rpc.QuotaFailure(
            violations=[rpc.QuotaFailure.Violation(subject=f"s{n}") for n in range(30)]
        ),
        rpc.ResourceInfo(resource_name="n" * 700),
        wrappers_pb2.BytesValue(value=bytes(900)),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff" * 40),
        any_pb2.Any(type_url="type.googleapis.com/unknown.Type", value=bytes(50)),
    ]
)
ERRORS = st.builds(
    parts,
    message=TEXTS,
    metadata=st.dictionaries(
        st.from_regex(r"[a-z][a-zA-Z0-9_-]{1,20}", fullmatch=True), SHORT, max_size=40
    ),
    localized=st.none() | st.tuples(st.sampled_from(["zh-CN", "en"]), TEXTS),
    details=st.builds(lambda order, count: tuple(order[:count]), DETAILS, st.integers(0, 9)),
    retry=st.none() | st.just(rpc.RetryInfo(retry_delay={"seconds": 5})),
    pushback=st.sampled_from(
        [(), (("grpc-retry-pushback-ms", "5000"),), (("grpc-retry-pushback-ms", "-1"),)]
    ),
    request=st.none() | st.just(rpc.RequestInfo(request_id="r" * 32, serving_data="s" * 300)),
    trailers=st.lists(
        st.sampled_from(
            [
                ("x-a", "a" * 50),
                ("x-b-bin", bytes(100)),
                ("x-c", ""),
                ("x-d", "d" * 2_000),
                ("x-e-bin", b""),
            ]
        )
        | st.integers(0, 9).map(lambda size: ("x-f-bin", bytes(1_350 + size)))
        | st.integers(0, 9).map(lambda size: ("x-g", "g" * (1_800 + size))),
        max_size=9,
    ).map(tuple),
).filter(
    lambda error: (
        error.retry is not None or error.pushback in ((), (("grpc-retry-pushback-ms", "-1"),))
    )
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
        "DebugInfo": any(holds(detail, rpc.DebugInfo) for detail in whole.details)
        and "google.rpc.DebugInfo" not in left,
        "Help": any(holds(detail, rpc.Help) for detail in whole.details)
        and "google.rpc.Help" not in left,
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
    assert same == before  # a ServiceError that is raised again must not pack them again


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
        "trailing metadata of the handler",
    ]


def everything() -> Parts:
    return parts(
        message="m" * 1_060,
        metadata={"room_uuid": "r-42", "user": "u"},
        localized=("zh-CN", "房间不存在"),
        details=(
            rpc.BadRequest(
                field_violations=[rpc.BadRequest.FieldViolation(field=f"{n}") for n in range(3)]
            ),
            rpc.Help(links=[rpc.Help.Link(url="u")]),
            rpc.PreconditionFailure(violations=[rpc.PreconditionFailure.Violation(type="t")]),
            rpc.QuotaFailure(violations=[rpc.QuotaFailure.Violation(subject="s")]),
            rpc.DebugInfo(detail="d"),
            rpc.ResourceInfo(resource_name="n"),
        ),
        retry=rpc.RetryInfo(retry_delay={"seconds": 1}),
        pushback=(("grpc-retry-pushback-ms", "1000"),),
        request=rpc.RequestInfo(request_id="id"),
        trailers=(("x-a", "1"), ("x-b", "2")),
    )


def test_each_step_gives_up_the_next_thing_only() -> None:
    """Walks through the whole order: one byte less costs exactly one more unit."""
    whole = everything()
    # the middle of the message adds nothing new
    for count in (count for count in range(total(whole)) if not 70 < count < total(whole) - 10):
        left, one_less = without(whole, count), without(whole, count + 1)
        error = everything()
        fit(error, size(left), trailer_bytes)
        assert size(error) <= size(left)
        # base64 works in groups of three bytes, so a unit may cost nothing
        assert error == left or size(error) == size(left)
        fit(error, size(left) - 1, trailer_bytes)
        assert size(error) < size(left)
        assert error == one_less or size(one_less) == size(left)


def test_retry_info_and_pushback_go_together() -> None:
    error = parts(
        retry=rpc.RetryInfo(retry_delay={"seconds": 1}),
        pushback=(("grpc-retry-pushback-ms", "1000"),),
    )
    assert fit(error, size(error) - 1, trailer_bytes) == ["RetryInfo"]
    assert error == parts()
    never = (("grpc-retry-pushback-ms", "-1"),)
    error = parts(retry=rpc.RetryInfo(retry_delay={"seconds": 1}), pushback=never)
    assert fit(error, 0, trailer_bytes) == ["RetryInfo"]
    assert error == parts(pushback=never)


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
    assert fit(error, 7_900, trailer_bytes) == ["metadata"]
    assert error.message == "房" * 342
    error = parts(message="房" * 900, metadata={"filler": "f" * 7_000, "a": "b"})
    assert fit(error, 7_900, trailer_bytes) == ["message", "metadata"]
    assert (len(error.message), error.metadata) == (585, {"a": "b"})


def test_what_a_large_thing_drove_out_comes_back() -> None:
    hint = ("zh-CN", "房间不存在")
    error = parts(
        metadata={"a": "1", "large": "v" * 9_000, "b": "2"},
        localized=hint,
        details=(rpc.ResourceInfo(resource_name="n"),),
    )
    assert fit(error, 7_900, trailer_bytes) == ["metadata"]
    assert (error.metadata, error.localized, len(error.details)) == ({"a": "1", "b": "2"}, hint, 1)
    error = parts(
        localized=("zh-CN", "x" * 9_000),
        details=(rpc.DebugInfo(detail="d"), rpc.Help(links=[rpc.Help.Link(url="u")])),
    )
    assert fit(error, 7_900, trailer_bytes) == ["LocalizedMessage"]
    error = parts(
        metadata={"a": "1"}, trailers=(("x-a", "1"), ("x-large", "v" * 9_000), ("x-b", "2"))
    )
    assert fit(error, 7_900, trailer_bytes) == ["trailing metadata of the handler"]
    assert (error.metadata, error.trailers) == ({"a": "1"}, [("x-a", "1"), ("x-b", "2")])
    violations = [
        rpc.BadRequest.FieldViolation(field=field, description=text)
        for field, text in (("a", ""), ("b", "x" * 9_000), ("c", ""))
    ]
    error = parts(details=(rpc.BadRequest(field_violations=violations),))
    assert fit(error, 7_900, trailer_bytes) == ["violations of BadRequest"]
    assert unpack(error.details[0], rpc.BadRequest) == rpc.BadRequest(
        field_violations=[violations[0], violations[2]]
    )


@pytest.mark.parametrize("small", [0, 7])
@pytest.mark.parametrize("what", ["violations", "metadata", "details", "trailers"])
def test_what_follows_a_large_thing_is_put_back_in_few_tries(what: str, small: int) -> None:
    """A client may control the number of violations, and each try encodes the whole answer."""
    sizes = [9_000] + [small] * 3_000
    texts = ["x" * size for size in sizes]
    given: dict[str, Any] = {
        "violations": {
            "details": (rpc.BadRequest(field_violations=[{"description": text} for text in texts]),)
        },
        "metadata": {"metadata": {f"key{number}": text for number, text in enumerate(texts)}},
        "details": {
            "details": tuple(
                any_pb2.Any(type_url=f"x/y{number}", value=text.encode())
                for number, text in enumerate(texts)
            )
        },
        "trailers": {"trailers": tuple((f"x-{number}", text) for number, text in enumerate(texts))},
    }
    error, tries = parts(**given[what]), []
    fit(error, 7_900, lambda left: tries.append(1) or trailer_bytes(left))  # type: ignore[func-returns-value]
    assert 7_900 - 60 < size(error) <= 7_900
    assert len(tries) < 100


def test_a_cut_detail_keeps_its_type_url() -> None:
    violations = rpc.BadRequest(field_violations=[{"field": "f" * 500}] * 40)
    error = parts(
        details=(
            any_pb2.Any(
                type_url="my.example/google.rpc.BadRequest", value=violations.SerializeToString()
            ),
        )
    )
    fit(error, 7_900, trailer_bytes)
    assert [detail.type_url for detail in error.details] == ["my.example/google.rpc.BadRequest"]


def test_a_thousand_violations_of_each_kind() -> None:
    error = parts(
        details=(
            rpc.BadRequest(
                field_violations=[
                    rpc.BadRequest.FieldViolation(field=f"f{n}") for n in range(1_000)
                ]
            ),
            rpc.QuotaFailure(
                violations=[rpc.QuotaFailure.Violation(subject=f"s{n}") for n in range(1_000)]
            ),
        )
    )
    assert fit(error, 7_900, trailer_bytes) == [
        "violations of QuotaFailure",
        "violations of BadRequest",
    ]
    assert 7_900 - 40 < size(error) <= 7_900


def test_pack_and_unpack() -> None:
    packed = pack(rpc.RequestInfo(request_id="id"))
    assert packed.type_url == "type.googleapis.com/google.rpc.RequestInfo"
    assert unpack(packed, rpc.RequestInfo) == rpc.RequestInfo(request_id="id")
    assert unpack(packed, rpc.ErrorInfo) is None
    assert unpack(any_pb2.Any(type_url=packed.type_url, value=b"\xff"), rpc.RequestInfo) is None
    assert unpack(any_pb2.Any(), rpc.RequestInfo) is None
    maps = {f"key{n}": "v" for n in range(50)}
    assert pack(rpc.ErrorInfo(metadata=maps)) == pack(
        rpc.ErrorInfo(metadata=dict(reversed(maps.items())))
    )
