"""Code, text and trailers -> RemoteError, with the status of the call and all readable data.

There is always a RemoteError.
"""

import base64
import re
import types
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import (
    ComponentCode,
    ErrorCode,
    RemoteError,
    ResCode,
    ServiceError,
    Spec,
    decode,
    encode,
    from_error,
    remote,
)
from errgrpc.reading import Reading
from errgrpc.texts import shown
from errgrpc.wire.packing import pack

KEY = "grpc-status-details-bin"
HELP = rpc.Help(links=[rpc.Help.Link(url="https://example.com")])


class ShopCode(ErrorCode, domain="shop.example.com", infer={StatusCode.NOT_FOUND: "GONE"}):
    FINE = 0, Spec(StatusCode.OK)
    GONE = 404, Spec(StatusCode.NOT_FOUND, hints={"en": "Gone"})


def status(*details: Message, code: int = 5, message: str = "Room Not Found") -> bytes:
    packed = [detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in details]
    return status_pb2.Status(code=code, message=message, details=packed).SerializeToString()


def info_of(code: ErrorCode, **metadata: str) -> rpc.ErrorInfo:
    return rpc.ErrorInfo(
        reason=code.reason, domain=code.domain, metadata={"code": str(code.number), **metadata}
    )


def failed(
    *values: Any, code: Any = StatusCode.NOT_FOUND, text: Any = "text", more: Any = ()
) -> AioRpcError:
    return AioRpcError(
        code,
        Metadata(("x-first", "1")),
        Metadata(*((KEY, value) for value in values), *more),
        text,
        "debug",
    )


INFO = info_of(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def test_a_coded_error() -> None:
    error = from_error(failed(status(INFO), more=[("x-last", "2")]), ResCode)
    assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
    assert (error.error_code, error.metadata, error.inferred) == (
        ResCode.ROOM_NOT_EXIST,
        {"room_uuid": "r-42"},
        False,
    )
    assert (error.code(), error.details(), error.debug_error_string()) == (
        StatusCode.NOT_FOUND,
        "text",
        "debug",
    )
    assert dict([*error.initial_metadata()]) == {"x-first": "1"}
    assert dict([*error.trailing_metadata()]) == {KEY: status(INFO), "x-last": "2"}


@pytest.mark.parametrize(
    ("info", "kind", "code"),
    [
        (INFO, remote(ResCode.ROOM_NOT_EXIST), ResCode.ROOM_NOT_EXIST),
        (
            rpc.ErrorInfo(reason="RENAMED", domain=ResCode.domain, metadata={"code": "1004"}),
            remote(ResCode.ROOM_NOT_EXIST),
            ResCode.ROOM_NOT_EXIST,
        ),
        (
            rpc.ErrorInfo(reason="ROOM_NOT_EXIST"),
            remote(ResCode.ROOM_NOT_EXIST),
            ResCode.ROOM_NOT_EXIST,
        ),
        (
            rpc.ErrorInfo(reason="NEWER", domain=ResCode.domain, metadata={"code": "4711"}),
            remote(ResCode),
            None,
        ),
        (rpc.ErrorInfo(domain=ResCode.domain), remote(ResCode), None),
        (
            rpc.ErrorInfo(reason="SUCCESS", domain=ResCode.domain, metadata={"code": "0"}),
            remote(ResCode),
            None,
        ),
        (
            rpc.ErrorInfo(
                reason="ROOM_NOT_EXIST", domain="evil.example.com", metadata={"code": "1004"}
            ),
            RemoteError,
            None,
        ),
        (rpc.ErrorInfo(), RemoteError, None),
        (info_of(ShopCode.GONE), RemoteError, None),
    ],
)
def test_the_class_is_decided_by_the_error_info_alone(
    info: rpc.ErrorInfo, kind: type, code: ErrorCode | None
) -> None:
    error = from_error(failed(status(info)), ResCode)
    assert type(error) is kind
    assert error.error_code is code
    assert not error.inferred
    assert (error.reason, error.domain) == (info.reason, info.domain)


def test_no_error_info_is_inferred_and_never_caught_as_a_code() -> None:
    for values in ([], [b"\xff"], [status(HELP)], [b""]):
        error = from_error(failed(*values), ResCode)
        assert type(error) is RemoteError
        assert (error.error_code, error.inferred) == (ResCode.NOT_FOUND, True)
        assert (error.number, error.reason, error.domain, error.hint) == (
            404,
            None,
            None,
            "没有该操作",
        )
    assert from_error(failed(code=StatusCode.CANCELLED), ResCode).error_code is None
    assert not from_error(failed(code=StatusCode.CANCELLED), ResCode).inferred
    assert from_error(failed(), ComponentCode).error_code is None
    assert from_error(failed(), ComponentCode, ShopCode, ResCode).error_code is ShopCode.GONE
    assert from_error(failed()).error_code is None


@pytest.mark.parametrize("code", list(StatusCode))
def test_the_status_is_the_rpc_s_own(code: StatusCode) -> None:
    for value in (status(INFO, code=7, message="other"), b"\xff"):
        error = from_error(failed(value, code=code), ResCode)
        assert error.code() is (StatusCode.UNKNOWN if code is StatusCode.OK else code)
        assert error.details() == "text"


def test_the_first_value_with_an_error_info_counts() -> None:
    assert (
        from_error(
            failed(b"\xff", status(HELP), status(INFO), status(info_of(ResCode.CONFLICT))), ResCode
        ).error_code
        is ResCode.ROOM_NOT_EXIST
    )


def test_an_rpc_error_that_says_nothing() -> None:
    error = from_error(grpc.RpcError(), ResCode)
    assert (error.code(), error.details(), error.error_code) == (
        StatusCode.UNKNOWN,
        None,
        ResCode.INTERNAL_SERVER_ERROR,
    )
    assert error.inferred
    assert "UNKNOWN" in str(error)

    class Odd(grpc.RpcError):
        code: Any = 5

        def details(self) -> Any:
            return None

        def trailing_metadata(self) -> Any:
            return None

    assert from_error(Odd(), ResCode).code() is StatusCode.UNKNOWN

    class Numbered(grpc.RpcError):
        def code(self) -> Any:
            return 5

    assert from_error(Numbered(), ResCode).code() is StatusCode.UNKNOWN


class Stream(grpc.RpcError):
    """A sync stream of grpc, which is itself the error.

    It would block if it were asked for data that has not arrived.
    """

    def __init__(self, **state: Any) -> None:
        self._state = types.SimpleNamespace(**state)
        self.asked = 0

    def __next__(self) -> Any: ...

    def code(self) -> StatusCode:
        return StatusCode.NOT_FOUND

    def initial_metadata(self) -> Any:
        self.asked += 1
        return (("x", "late"),)

    def debug_error_string(self) -> Any:
        raise AssertionError("waits forever")


def test_a_stream_is_asked_only_for_what_has_arrived() -> None:
    early = from_error(Stream(initial_metadata=(("x", "1"),), debug_error_string="debug"), ResCode)
    assert (early.initial_metadata(), early.debug_error_string()) == ((("x", "1"),), "debug")
    late = from_error(Stream(initial_metadata=None), ResCode)
    assert (late.initial_metadata(), late.debug_error_string()) == ((("x", "late"),), None)
    stream = Stream(initial_metadata=None)
    again = from_error(from_error(stream), ResCode, ShopCode)
    assert stream.asked == 0
    assert (again.error_code, again.initial_metadata()) == (ResCode.NOT_FOUND, (("x", "late"),))
    assert stream.asked == 1
    del stream._state
    assert from_error(stream).debug_error_string() is None


def test_what_is_no_rpc_error_is_refused() -> None:
    wrong: Any
    for wrong in (ServiceError(ResCode.CONFLICT), LookupError(), None, StatusCode.NOT_FOUND):
        with pytest.raises(TypeError, match=rf"^{re.escape(repr(wrong))} is no grpc\.RpcError$"):
            from_error(wrong, ResCode)
    with pytest.raises(TypeError, match="is no catalogue"):
        from_error(failed(), 5)  # type: ignore[arg-type]


def test_a_typed_error_stays_itself_unless_only_we_know_its_code() -> None:
    typed = from_error(failed(status(INFO)), ResCode)
    assert from_error(typed, ResCode) is from_error(typed, ShopCode) is typed
    inferred = from_error(failed(), ResCode)
    assert from_error(inferred, ResCode, ShopCode) is inferred
    foreign = from_error(failed(status(info_of(ShopCode.GONE))), ResCode)
    assert from_error(foreign, ComponentCode) is foreign
    known = from_error(foreign, ShopCode)
    assert type(known) is remote(ShopCode.GONE)
    assert (known.code(), known.details(), dict([*known.trailing_metadata()])) == (
        foreign.code(),
        foreign.details(),
        dict([*foreign.trailing_metadata()]),
    )
    assert Reading((ShopCode,)).read(foreign, "en").locale == "en"
    assert Reading((ResCode,)).read(from_error(failed()), "en").locale == "en-US"
    newer = from_error(
        failed(status(rpc.ErrorInfo(reason="NEWER", domain=ShopCode.domain))), ResCode
    )
    assert type(from_error(newer, ShopCode)) is remote(ShopCode)


# Languages.


def test_the_table_s_hint_is_in_the_language_asked_for() -> None:
    error = Reading((ResCode,)).read(failed(status(INFO)), "fr, en;q=0.1")
    assert (error.hint, error.locale) == ("The room does not exist", "en-US")
    sent = status(INFO, rpc.LocalizedMessage(locale="zh-CN", message="没有"))
    assert Reading((ResCode,)).read(failed(sent), "en").hint == "没有"
    assert Reading((ResCode,)).read(failed(), "en").hint == "No such operation"
    variant = status(info_of(ComponentCode.IM_LOGIN_ERROR, im_reused="true"))
    assert (
        Reading((ComponentCode,)).read(failed(variant), "en").hint
        == "Log in to IM first when IM is reused"
    )
    assert from_error(failed(status(INFO)), ResCode).locale == "zh-CN"


def test_wrong_catalogues_are_refused() -> None:
    class SameCode(ErrorCode, domain="shop.example.com"):
        GONE = 5, Spec(StatusCode.ABORTED)

    with pytest.raises(ValueError, match="share the domain"):
        Reading((ShopCode, SameCode))
    with pytest.raises(TypeError, match="is no catalogue"):
        Reading((ErrorCode,))


# decode.


def test_decode() -> None:
    raw = status(INFO, HELP)
    for given_status in (raw, status_pb2.Status.FromString(raw)):
        error = decode(given_status, ResCode)
        assert type(error) is remote(ResCode.ROOM_NOT_EXIST)
        assert (error.code(), error.details(), error.detail(rpc.Help)) == (
            StatusCode.NOT_FOUND,
            "Room Not Found",
            HELP,
        )
        assert error.trailing_metadata() == ((KEY, raw),)
        assert (error.initial_metadata(), error.debug_error_string()) == (None, None)
        assert error.locale == "zh-CN"
    assert decode(status(code=0)).code() is StatusCode.UNKNOWN
    assert decode(status(code=99)).code() is StatusCode.UNKNOWN
    assert decode(b"\xff", ResCode).code() is StatusCode.UNKNOWN
    assert decode(b"\xff", ResCode).error_code is ResCode.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    "wrong",
    [None, 5, bytearray(b""), INFO, ServiceError(ResCode.CONFLICT)],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_decode_refuses(wrong: Any) -> None:
    with pytest.raises(
        TypeError,
        match=rf"^{re.escape(shown(wrong, 80))} is neither a google\.rpc\.Status, nor bytes, "
        r"nor base64$",
    ):
        decode(wrong)
    with pytest.raises(TypeError, match="is no catalogue"):
        decode(b"", wrong)


# Hostile peers.

WHOLE = status(
    INFO,
    rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="f", description="d")]),
    rpc.RequestInfo(request_id="r"),
)
CATALOGUES = (ResCode, ComponentCode, ShopCode)


def read_all(
    *values: Any, code: StatusCode = StatusCode.NOT_FOUND, text: str = "text"
) -> RemoteError:
    error = from_error(failed(*values, code=code, text=text), *CATALOGUES)
    assert error.code() is code
    assert error.details() == text
    assert error.error_code is None or error.inferred or isinstance(error, remote(error.error_code))
    assert error.inferred == (error.reason is None and error.error_code is not None)
    assert error.number is None or -(2**31) <= error.number < 2**31
    assert str(error).isprintable()
    assert repr(error).isprintable()
    assert len(repr(error)) < 10_000
    assert isinstance(error.status_details, tuple)
    assert (error.hint is None) == (error.locale is None)
    for kind in (rpc.ErrorInfo, rpc.Help, rpc.RequestInfo, any_pb2.Any):
        assert error.detail(kind) is None or isinstance(error.detail(kind), kind)
    return error


@given(st.lists(st.binary(max_size=60) | st.text(max_size=9), max_size=4))
def test_random_values(values: list[Any]) -> None:
    read_all(*values)


@given(st.lists(st.integers(0, len(WHOLE) * 8 - 1), max_size=4))
def test_flipped_bits(bits: list[int]) -> None:
    flipped = bytearray(WHOLE)
    for bit in bits:
        flipped[bit // 8] ^= 1 << bit % 8
    read_all(bytes(flipped))


def test_truncated_anywhere() -> None:
    for length in range(len(WHOLE)):
        read_all(WHOLE[:length])
        read_all(WHOLE[length:])
        read_all(WHOLE[:length], WHOLE)


TEXTS = st.text(max_size=9) | st.sampled_from(
    [
        "\x1b[31m",
        "\u202e",
        "%s%n{0}",
        "x" * 4_096,
        "ROOM_NOT_EXIST",
        "SUCCESS",
        *[code.domain for code in CATALOGUES],
    ]
)
NUMBERS = st.sampled_from(
    ["404", "-4", "0", "9" * 4_000, "-1", "4294967296", "1e9", "\u0664", " 404"]
) | st.integers().map(str)
INFOS = st.builds(
    lambda reason, domain, number, more: rpc.ErrorInfo(
        reason=reason, domain=domain, metadata={**more, "code": number}
    ),
    TEXTS,
    TEXTS,
    NUMBERS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)
DETAILS = st.one_of(
    INFOS,
    st.builds(rpc.LocalizedMessage, locale=TEXTS, message=TEXTS),
    st.builds(rpc.RequestInfo, request_id=TEXTS),
    st.builds(
        any_pb2.Any,
        type_url=TEXTS | st.just("type.googleapis.com/google.rpc.ErrorInfo"),
        value=st.binary(max_size=9),
    ),
    st.just(wrappers_pb2.StringValue(value="x")),
)


@given(
    st.lists(st.lists(DETAILS, max_size=4), min_size=1, max_size=3),
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from(list(StatusCode)[1:]),
    TEXTS,
)
def test_any_details(values: list[list[Any]], code: int, own: StatusCode, text: str) -> None:
    error = read_all(*(status(*details, code=code) for details in values), code=own, text=text)
    infos = [detail for details in values for detail in details if type(detail) is rpc.ErrorInfo]
    if infos and not any(
        isinstance(detail, any_pb2.Any) for details in values for detail in details
    ):
        assert (error.reason, error.domain) == (infos[0].reason, infos[0].domain)


def test_nested_a_hundred_deep() -> None:
    nested: Message = INFO
    for _ in range(100):
        outer = any_pb2.Any()
        outer.Pack(nested)
        nested = outer
    assert read_all(status(nested)).inferred
    assert read_all(status(nested, INFO)).error_code is ResCode.ROOM_NOT_EXIST


def test_ten_thousand_details() -> None:
    error = read_all(status(*[HELP] * 5_000, INFO, *[INFO] * 5_000))
    assert error.error_code is ResCode.ROOM_NOT_EXIST
    assert len(error.status_details) == 10_001


@pytest.mark.parametrize(
    "code", [code for code in ResCode if code.grpc_status is not StatusCode.OK], ids=str
)
def test_a_constant_is_read_the_same_when_it_is_seen_again(code: ErrorCode) -> None:
    reading = Reading((ResCode,))
    for locale in ("zh-CN", "en-US"):
        raw = encode(ServiceError(code), locale).SerializeToString()
        rpc_error = failed(raw, code=StatusCode.ABORTED, text="as the RPC says")
        first, again = reading.read(rpc_error), reading.read(rpc_error)
        assert again is not first
        assert type(first) is type(again) is remote(code)
        assert str(first) == str(again)
        assert first.code() is again.code() is StatusCode.ABORTED
        assert first.status_details == again.status_details
        once, twice = decode(raw, ResCode), decode(raw, ResCode)
        assert (once.code(), once.details(), str(once)) == (
            twice.code(),
            twice.details(),
            str(twice),
        )
        assert (once.code(), once.details()) == (code.grpc_status, code.message)


def test_what_was_read_is_not_shared() -> None:
    raw = encode(ServiceError(ResCode.CONFLICT), "zh-CN").SerializeToString()
    first, again = decode(raw, ResCode), decode(raw, ResCode)
    first.status_details[0].Clear()
    assert again.metadata == decode(raw, ResCode).metadata == {}
    assert again.reason == decode(raw, ResCode).reason == "CONFLICT"


def test_peers_cannot_fill_what_is_known() -> None:
    reading = Reading((ResCode,))
    for number, code in enumerate(
        code for _ in range(50) for code in ResCode if code.grpc_status is not StatusCode.OK
    ):
        for hint in (None, {"zh-CN": f"提示 {number}"}):
            reading.read(
                failed(
                    encode(
                        ServiceError(code, f"message {number}", hint=hint), "zh-CN"
                    ).SerializeToString()
                )
            )
    own = {
        encode(ServiceError(code), locale).SerializeToString()
        for code in ResCode
        if code.number
        for locale in code.hints
    }
    assert own <= set(reading._constants)
    assert len(reading._constants) == sum(
        1 + len(code.hints) for code in ResCode if code.grpc_status is not StatusCode.OK
    )


def test_what_decode_refuses_is_shown_in_part() -> None:
    for wrong, kind in (["x" * 5_000], TypeError), ("!" * 5_000, ValueError):
        with pytest.raises(kind) as refused:
            decode(wrong)  # type: ignore[arg-type]
        assert len(str(refused.value)) < 150


@given(
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    st.booleans(),
    st.integers(1, 80),
    st.booleans(),
)
def test_decode_takes_base64(encode: Any, padded: bool, width: int, several: bool) -> None:
    text = encode(status(INFO, HELP)).decode().rstrip("=" if not padded else "")
    text = "\n ".join(text[at : at + width] for at in range(0, len(text), width))
    error = decode(f"CAI=, {text}" if several else text, ResCode)
    assert error.details() == "Room Not Found"
    assert (type(error), error.detail(rpc.Help)) == (remote(ResCode.ROOM_NOT_EXIST), HELP)


@pytest.mark.parametrize("text", ["text!", "房间", "CAUS\x00", "é", "C"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(shown(text, 80))} is no base64$"):
        decode(text)


def test_a_hint_behind_an_empty_one_is_passed_on() -> None:
    first, second = (
        rpc.LocalizedMessage(locale="zh-CN"),
        rpc.LocalizedMessage(locale="de", message="Weg"),
    )
    error = decode(status(INFO, first, second), ResCode)
    assert (error.hint, error.locale) == ("Weg", "de")
    assert ServiceError.from_remote(error).hint == {"de": "Weg"}
