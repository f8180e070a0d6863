"""The bytes of grpc-status-details-bin: written by the contract, read in any form."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
from errgrpc import ComponentCode, ErrorCode, ResCode
from errgrpc.codes import STATUSES
from errgrpc.wire import encoding
from errgrpc.wire.budget import Parts
from errgrpc.wire.packing import Trailer, pack

CODE = ResCode.ROOM_NOT_EXIST
CLEAR = "".join(chr(byte) for byte in range(0x20, 0x7F) if chr(byte) != "%")
INFO = rpc.ErrorInfo(
    reason="ROOM_NOT_EXIST",
    domain="errgrpc.v1.ResCode",
    metadata={"room_uuid": "r-42", "code": "1004", "b": "2"},
)


def parts(**given: Any) -> Parts:
    whole: dict[str, Any] = {
        "message": "Room Not Found",
        "metadata": {},
        "localized": None,
        "details": [],
    }
    return Parts(**whole | {"retry": None, "request": None, "trailers": []} | given)


def status(*details: Message, code: int = 5, message: str = "Room Not Found") -> bytes:
    packed = [detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in details]
    return status_pb2.Status(code=code, message=message, details=packed).SerializeToString()


def test_the_numbers_of_gRPC() -> None:  # noqa: N802
    assert {STATUSES[number] for number in range(17)} == set(StatusCode)
    for known in StatusCode:
        assert STATUSES[code_pb2.Code.Value(known.name)] is known
    for unknown in (-1, 17, 2**31 - 1, -(2**31)):
        assert errgrpc.decode(status_pb2.Status(code=unknown)).code() is StatusCode.UNKNOWN


def test_all_details_in_their_order() -> None:
    violations = rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="name")])
    debug = rpc.DebugInfo(detail="d")
    retry, request = rpc.RetryInfo(retry_delay={"seconds": 1}), rpc.RequestInfo(request_id="id")
    written = encoding.whole(
        CODE,
        parts(
            metadata={"room_uuid": "r-42", "b": "2"},
            localized=("zh-CN", "房间不存在"),
            details=[pack(violations), pack(debug)],
            retry=pack(retry),
            request=pack(request),
        ),
    )
    localized = rpc.LocalizedMessage(locale="zh-CN", message="房间不存在")
    assert written == status(INFO, localized, violations, debug, retry, request)


def test_a_bare_error() -> None:
    info = rpc.ErrorInfo(
        reason="RTC_INIT_ERROR", domain="errgrpc.v1.ComponentCode", metadata={"code": "-1"}
    )
    written = encoding.whole(ComponentCode.RTC_INIT_ERROR, parts(message=""))
    assert status_pb2.Status.FromString(written) == status_pb2.Status(code=13, details=[pack(info)])


def test_the_bytes_are_the_same_each_time() -> None:
    metadata = {f"key{number}": str(number) for number in range(50)}
    shuffled = dict(reversed(metadata.items()))
    assert encoding.whole(CODE, parts(metadata=metadata)) == encoding.whole(
        CODE, parts(metadata=shuffled)
    )


MESSAGES = st.text(st.sampled_from("aZ~ %\x00\n\x1f\x7fé房😀"), max_size=40)
TRAILERS = st.lists(
    st.tuples(st.just("x-a"), st.text("ab", max_size=9) | st.binary(max_size=9))
    | st.tuples(st.just("x-a-bin"), st.binary(max_size=9))
)


@given(MESSAGES, TRAILERS, st.none() | st.tuples(st.just("zh-CN"), MESSAGES))
def test_counts_what_is_sent(
    message: str, trailers: list[tuple[str, str | bytes]], localized: tuple[str, str] | None
) -> None:
    error = parts(message=message, trailers=trailers, localized=localized)
    raw, shed = encoding.fitted(CODE, error, 100_000)
    assert shed == []
    assert raw == encoding.whole(CODE, error)
    entries: list[tuple[str, str | bytes]] = [
        ("grpc-status", "05"),
        ("grpc-message", quote(message.encode(), safe=CLEAR)),
        ("grpc-status-details-bin", base64.b64encode(raw)),
        *(
            (
                key,
                base64.b64encode(value)
                if key.endswith("-bin") and isinstance(value, bytes)
                else value,
            )
            for key, value in trailers
        ),
    ]
    assert encoding.trailer_bytes(CODE, error) == sum(
        len(key) + len(value) + 32 for key, value in entries
    )


def test_encode_sheds_only_past_the_limit() -> None:
    error = parts(metadata={"filler": "f" * 2_000})
    most = encoding.trailer_bytes(CODE, error)
    assert encoding.fitted(CODE, error, most) == (
        status(rpc.ErrorInfo(reason=CODE.reason, domain=CODE.domain, metadata=wired(error))),
        [],
    )
    raw, shed = encoding.fitted(CODE, error, most - 1)
    assert shed == ["metadata"]
    assert error.metadata == {}
    assert raw == status(
        rpc.ErrorInfo(reason=CODE.reason, domain=CODE.domain, metadata={"code": "1004"})
    )


def wired(error: Parts) -> dict[str, str]:
    return {"code": "1004", **error.metadata}


@given(
    st.text(max_size=5) | st.sampled_from([CODE.message, ""]),
    st.dictionaries(
        st.from_regex(r"[a-z][a-zA-Z0-9_-]{1,40}", fullmatch=True), st.text(), max_size=4
    )
    | st.just({"long": "l" * 20_000}),
    st.none()
    | st.tuples(st.sampled_from(["zh-CN", "en-US"]), st.text() | st.just("房" * 100))
    | st.just(("zh-CN", CODE.hints["zh-CN"])),
    st.lists(
        st.sampled_from([rpc.Help(), rpc.BadRequest(field_violations=[{"field": "f" * 200}])]),
        max_size=2,
    ),
)
def test_the_bytes_are_protobufs_own(
    message: str,
    metadata: dict[str, str],
    localized: tuple[str, str] | None,
    details: list[Message],
) -> None:
    written = encoding.whole(
        CODE,
        parts(
            message=message,
            metadata=metadata,
            localized=localized,
            details=list(map(pack, details)),
        ),
    )
    info = rpc.ErrorInfo(
        reason=CODE.reason, domain=CODE.domain, metadata={**metadata, "code": "1004"}
    )
    hint = (
        []
        if localized is None
        else [rpc.LocalizedMessage(locale=localized[0], message=localized[1])]
    )
    assert written == status(info, *hint, *details, message=message)


@pytest.mark.parametrize("code", [*ResCode, *ComponentCode], ids=str)
def test_a_constant_is_its_code_and_nothing_else(code: ErrorCode) -> None:
    for locale in (None, *code.hints):
        localized = None if locale is None else (locale, code.hints[locale])
        whole = parts(message=code.message, localized=localized)
        assert encoding.constant(code, locale) == encoding.whole(code, whole)


@given(MESSAGES.map(lambda text: text * 50), st.integers(0, 3_000))
def test_what_surely_fits_fits(message: str, filler: int) -> None:
    error = parts(message=message, metadata={"filler": "f" * filler})
    raw, _ = encoding.fitted(CODE, error, 10**6)
    for limit in (1_024, 7_900):
        assert (
            len(raw) > encoding.surely_fitting(limit)
            or encoding.trailer_bytes(CODE, error) <= limit
        )
    assert 100 < encoding.surely_fitting(1_024) < encoding.surely_fitting(7_900) == 1_550


MESSAGES_OF_OWN = {"none": "", "short": "own", "long": "m" * 30_000}
DETAILS_OF_OWN: dict[str, Message] = {
    "info": INFO,
    "help": rpc.Help(),
    "debug": rpc.DebugInfo(detail="d" * 20_000),
    "violations": rpc.BadRequest(field_violations=[{"field": "f"}] * 900),
}
# They are chosen by name, as hypothesis refuses to show arguments above 30 kB.
OWN = st.tuples(
    st.sampled_from(sorted(MESSAGES_OF_OWN)), st.lists(st.sampled_from(sorted(DETAILS_OF_OWN)))
)


def own_of(recipe: tuple[str, list[str]] | bytes | None) -> bytes | None:
    if not isinstance(recipe, tuple):
        return recipe
    return status(
        *map(DETAILS_OF_OWN.__getitem__, recipe[1]), code=3, message=MESSAGES_OF_OWN[recipe[0]]
    )


@given(
    st.sampled_from([("", 1), ("gone", 1), ("房间", 5_000), ("%", 3_000), ("m", 30_000)]),
    st.lists(
        st.tuples(st.sampled_from(["x-a", "x-b"]), st.sampled_from([0, 1, 5_000])), max_size=4
    ),
    st.none() | OWN | st.sampled_from([b"", b"garbage"]),
    st.integers(1_024, 9_000),
)
def test_what_a_handler_aborted_with_is_cut(
    repeated: tuple[str, int],
    sizes: list[tuple[str, int]],
    recipe: tuple[str, list[str]] | bytes | None,
    limit: int,
) -> None:
    message, others = repeated[0] * repeated[1], [(key, "v" * size) for key, size in sizes]
    own = own_of(recipe)
    trailers: tuple[Trailer, ...] = (
        *others,
        *([] if own is None else [("grpc-status-details-bin", own)]),
    )
    left, kept, shed = encoding.cut(message, trailers, limit)
    assert wired_bytes(left, kept) <= limit
    assert message.startswith(left)
    if wired_bytes(message, trailers) <= limit:
        assert (left, kept, shed) == (message, trailers, [])
        return
    assert shed
    kept_others = [entry for entry in kept if entry[0] != "grpc-status-details-bin"]
    rest: Iterator[Trailer] = iter(others)
    assert all(entry in rest for entry in kept_others)  # a part of them, in the same order
    for value in (value for key, value in kept if key == "grpc-status-details-bin"):
        assert isinstance(value, bytes)
        own_status, whole = (
            status_pb2.Status.FromString(value),
            status_pb2.Status.FromString(own or b""),
        )
        assert own_status.code == whole.code
        assert own_status.message == (left if whole.message else "")


def wired_bytes(message: str, trailers: Iterable[tuple[str, str | bytes]]) -> int:
    entries: list[tuple[str, str | bytes]] = [
        ("grpc-status", "05"),
        ("grpc-message", quote(message.encode(), safe=CLEAR)),
    ]
    entries += (
        (key, base64.b64encode(value) if isinstance(value, bytes) else value)
        for key, value in trailers
    )
    return sum(len(key) + len(value) + 32 for key, value in entries)
