"""The arguments of a ServiceError: right ones are sent, wrong ones are left out and named.

No wrong argument raises.
"""

import enum
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from google.protobuf import any_pb2, descriptor_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import ComponentCode, ErrorCode, ResCode, Spec, arguments
from errgrpc.texts import clean, shown
from errgrpc.wire.packing import pack

CODE = ResCode.NOT_FOUND


class Bare(ErrorCode, domain="bare.example.com"):
    BROKEN = 1, Spec(CODE.grpc_status)


class Colour(enum.Enum):
    DEEP_RED = 1


class Word(enum.StrEnum):
    HELLO = "hi"


class Bits(enum.Flag):
    ONE = 1
    TWO = 2


class Hostile:
    def _raise(self) -> Any:
        raise LookupError("secret")

    __str__ = __repr__ = __bool__ = __iter__ = _raise


class HostileMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise LookupError("secret")

    def __iter__(self) -> Iterator[str]:
        yield "key"

    def __len__(self) -> int:
        return 1


def said(call: Callable[[arguments.Warn], Any]) -> tuple[Any, list[str]]:
    """What a call returns, and what it reports."""
    reports: list[str] = []
    return call(reports.append), reports


# Messages.


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("No such room", "No such room"),
        ("", ""),
        ("房间 😀\x00\n", "房间 😀\x00\n"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),  # a surrogate pair is one character in two halves
        ("\udc00\ud800", "\ufffd\ufffd"),
        (None, None),
    ],
)
def test_a_message(message: str | None, text: str | None) -> None:
    assert said(lambda report: arguments.message(message, CODE, report)) == (text, [])


@pytest.mark.parametrize(
    ("message", "kind"), [(5, "int"), (b"x", "bytes"), (Hostile(), "Hostile"), (False, "bool")]
)
def test_a_message_that_is_no_text(message: object, kind: str) -> None:
    expected = (None, [f"message is a {kind}, not a str: the message of ResCode.NOT_FOUND is used"])
    assert said(lambda report: arguments.message(message, CODE, report)) == expected


# Metadata.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("r-42", "r-42"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-1.5, "-1.5"),
        (Decimal("1.10"), "1.10"),
        (b"x", "b'x'"),
        (Colour.DEEP_RED, "DEEP_RED"),
        (Word.HELLO, "HELLO"),
        (Bits.ONE | Bits.TWO, "ONE|TWO"),
        (Bits(0), "Bits(0)"),
        (CODE, "NOT_FOUND"),
        ("a\ud800", "a\ufffd"),
        ([1], "[1]"),
    ],
)
def test_values_become_text(value: object, text: str) -> None:
    assert said(lambda report: arguments.metadata({"key": value}, {}, report)) == (
        {"key": text},
        [],
    )
    assert said(lambda report: arguments.metadata(None, {"key": value}, report)) == (
        {"key": text},
        [],
    )


def test_none_is_left_out_silently_and_keywords_win() -> None:
    call = said(
        lambda report: arguments.metadata(
            {"aa": None, "bb": 1, "cc": 2}, {"bb": 3, "cc": None}, report
        )
    )
    assert call == ({"bb": "3"}, [])
    assert said(lambda report: arguments.metadata(None, {}, report)) == ({}, [])
    assert list(arguments.metadata({"zz": 1, "aa": 2}, {"bb": 3}, print)) == ["zz", "aa", "bb"]


@pytest.mark.parametrize(
    "key", ["ab", "a-", "a_", "aB9", "room_uuid", "room-uuid", "roomUuid", "a" * 64]
)
def test_keys_that_aip_193_allows(key: str) -> None:
    assert said(lambda report: arguments.metadata({key: "v"}, {}, report)) == ({key: "v"}, [])


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        "A",
        "Ab",
        "1a",
        "_a",
        "a b",
        "a.b",
        "a\n",
        "a" * 65,
        "ré",
        "房间",
        5,
        None,
        ("a", "b"),
    ],
)
def test_keys_that_it_does_not(key: object) -> None:
    metadata, reports = said(lambda report: arguments.metadata({key: "v", "good": 1}, {}, report))
    assert metadata == {"good": "1"}
    assert reports == [
        (
            f"the metadata key {key!r} is left out: AIP-193 asks for [a-z][a-zA-Z0-9_-]+ of at "
            "most 64 characters"
        )
    ]


def test_a_long_key_is_named_in_part() -> None:
    _, (report,) = said(lambda report: arguments.metadata({"k" * 10_000: "v"}, {}, report))
    assert "'kkkkk" in report
    assert len(report) < 250


def test_the_number_is_the_library_s() -> None:
    metadata, reports = said(lambda report: arguments.metadata(None, {"code": 5}, report))
    assert (metadata, reports) == (
        {},
        ["the metadata key 'code' is left out: it holds the code's number"],
    )


def test_metadata_that_cannot_be_read() -> None:
    assert said(lambda report: arguments.metadata([("a", "b")], {"good": 1}, report)) == (
        {"good": "1"},
        ["metadata is a list, not a mapping: it is left out"],
    )
    assert said(lambda report: arguments.metadata(HostileMapping(), {"good": 1}, report)) == (
        {"good": "1"},
        ["metadata is left out: reading it raises LookupError"],
    )
    assert said(lambda report: arguments.metadata({"bad": Hostile(), "good": 1}, {}, report)) == (
        {"good": "1"},
        ["the metadata 'bad' is left out: its value does not become text (LookupError)"],
    )
    _, (report,) = said(lambda report: arguments.metadata({Hostile(): 1}, {}, report))
    assert "<Hostile, whose repr raises LookupError>" in report


# Hints.


@pytest.mark.parametrize(
    ("hint", "code", "texts"),
    [
        (None, CODE, None),
        ("不行", CODE, {"zh-CN": "不行"}),
        ("No", Bare.BROKEN, {"und": "No"}),
        ("a\ud800", CODE, {"zh-CN": "a\ufffd"}),
        ({}, CODE, {}),
        ({"en": "No", "de-CH": "N\ud800"}, CODE, {"en": "No", "de-CH": "N\ufffd"}),
    ],
)
def test_hints(hint: object, code: ErrorCode, texts: dict[str, str] | None) -> None:
    assert said(lambda report: arguments.hints(hint, code, report)) == (texts, [])


@pytest.mark.parametrize(
    ("hint", "texts", "reports"),
    [
        (
            5,
            None,
            [
                (
                    "hint is a int, neither a str nor a mapping of locale to text: "
                    "the hints of ResCode.NOT_FOUND are used"
                )
            ],
        ),
        (
            [],
            None,
            [
                (
                    "hint is a list, neither a str nor a mapping of locale to text: "
                    "the hints of ResCode.NOT_FOUND are used"
                )
            ],
        ),
        (
            {"zh_CN": "x", "en": "y"},
            {"en": "y"},
            ["the hint for 'zh_CN' is left out: that is no BCP 47 language tag such as 'zh-CN'"],
        ),
        ("", None, ["the hint for 'zh-CN' is left out: it is empty"]),
        ({"de": "", "en": "y"}, {"en": "y"}, ["the hint for 'de' is left out: it is empty"]),
        (
            {5: "x", "en": "y"},
            {"en": "y"},
            ["the hint for 5 is left out: that is no BCP 47 language tag such as 'zh-CN'"],
        ),
        (
            {"de": 5, "en": "y"},
            {"en": "y"},
            ["the hint for 'de' is left out: it is a int, not a str"],
        ),
        (
            {"en-us": "x", "EN-US": "y"},
            {"en-us": "x"},
            ["the hint for 'EN-US' is left out: there is one for 'en-us'"],
        ),
        (
            {"zh_CN": "x"},
            None,
            ["the hint for 'zh_CN' is left out: that is no BCP 47 language tag such as 'zh-CN'"],
        ),
        (HostileMapping(), None, ["hint is left out: reading it raises LookupError"]),
    ],
)
def test_wrong_hints(hint: object, texts: dict[str, str] | None, reports: list[str]) -> None:
    assert said(lambda report: arguments.hints(hint, CODE, report)) == (texts, reports)


# Retry delays.


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (None, None),
        (0, 0),
        (1.5, 1.5),
        (timedelta(minutes=1), 60.0),
        (timedelta(0), 0.0),
        (315_576_000_000, 315_576_000_000),
        (1e-12, 1e-12),
    ],
)
def test_retry_delays(delay: object, seconds: float | None) -> None:
    assert said(lambda report: arguments.seconds(delay, report)) == (seconds, [])


@pytest.mark.parametrize(
    "delay",
    [
        -1,
        -1e-9,
        timedelta(-1),
        float("nan"),
        float("inf"),
        -float("inf"),
        315_576_000_001,
        10**400,
        True,
        "5",
        Decimal(5),
        Hostile(),
        1j,
    ],
    ids=lambda delay: type(delay).__name__,
)
def test_wrong_retry_delays(delay: object) -> None:
    seconds, (report,) = said(lambda report: arguments.seconds(delay, report))
    assert seconds is None
    assert report == (
        f"retry_delay {shown(delay, 80)} is left out: give seconds from 0 to 315576000000, "
        "or a timedelta"
    )


# Details.

HELP = rpc.Help(links=[rpc.Help.Link(url="https://example.com")])
RETRY, REQUEST = rpc.RetryInfo(retry_delay={"seconds": 1}), rpc.RequestInfo(request_id="id")


def kept(details: object, *, with_retry: bool = True) -> tuple[list[Message], list[str]]:
    found, reports = said(
        lambda report: arguments.details(details, with_retry=with_retry, warn=report)
    )
    for detail, packed in found:
        assert (
            packed
            == (detail if isinstance(detail, any_pb2.Any) else pack(detail)).SerializeToString()
        )
    return [detail for detail, _ in found], reports


def test_details_keep_their_order_but_the_last_two() -> None:
    string = wrappers_pb2.StringValue(value="x")
    unknown = any_pb2.Any(type_url="type.googleapis.com/who.knows.It", value=b"x")
    assert kept([REQUEST, RETRY, string, HELP, unknown]) == (
        [string, HELP, unknown, RETRY, REQUEST],
        [],
    )
    assert kept(iter([HELP])) == ([HELP], [])
    assert kept(()) == ([], [])
    assert kept([pack(REQUEST), pack(HELP)]) == ([pack(HELP), pack(REQUEST)], [])


def test_what_is_packed_is_a_copy() -> None:
    changed, packed = rpc.Help(links=HELP.links), pack(HELP)
    found = arguments.details(
        [changed, any_pb2.Any(type_url="x/a.B", value=b"1")], with_retry=True, warn=print
    )
    changed.links[0].url = "changed"
    assert found[0][1] == packed.SerializeToString()
    cast("any_pb2.Any", found[1][0]).value = b"2"
    assert any_pb2.Any.FromString(found[1][1]).value == b"1"


@pytest.mark.parametrize(
    ("details", "with_retry", "report"),
    [
        (HELP, True, "details is a Help, not a sequence of messages: it is left out"),
        (5, True, "details is a int, not a sequence of messages: it is left out"),
        (None, True, "details is a NoneType, not a sequence of messages: it is left out"),
        ([5], True, "the detail 5 is left out: it is a int, not a protobuf message"),
        (
            [rpc.Help],
            True,
            (
                "the detail <class 'google.rpc.error_details_pb2.Help'> is left out: "
                "it is a MessageMeta, not a protobuf message"
            ),
        ),
        (
            [Hostile()],
            True,
            (
                "the detail <Hostile, whose repr raises LookupError> is left out: it is a Hostile, "
                "not a protobuf message"
            ),
        ),
        (
            [rpc.ErrorInfo()],
            True,
            "the detail google.rpc.ErrorInfo is left out: the code and its metadata make it",
        ),
        (
            [pack(rpc.ErrorInfo())],
            True,
            "the detail google.rpc.ErrorInfo is left out: the code and its metadata make it",
        ),
        (
            [rpc.LocalizedMessage()],
            True,
            "the detail google.rpc.LocalizedMessage is left out: give hint= instead",
        ),
        (
            [RETRY],
            False,
            (
                "the detail google.rpc.RetryInfo is left out: "
                "each type goes on the wire at most once (AIP-193)"
            ),
        ),
        ([any_pb2.Any()], True, "an Any without a type is left out of the details"),
        (
            [descriptor_pb2.UninterpretedOption.NamePart()],
            True,
            "the detail google.protobuf.UninterpretedOption.NamePart is left out: "
            "'Message google.protobuf.UninterpretedOption.NamePart is "
            "missing required fields: name_part,is_extension'",
        ),
        (
            (raising for raising in [Hostile()] if raising),
            True,
            "details is left out: reading it raises LookupError",
        ),
    ],
)
def test_wrong_details(details: object, with_retry: bool, report: str) -> None:
    if isinstance(details, list):
        assert kept([HELP, *details], with_retry=with_retry) == ([HELP], [report])
    else:
        assert kept(details, with_retry=with_retry) == ([], [report])


def test_a_type_twice_is_sent_once() -> None:
    report = (
        "the detail google.rpc.Help is left out: each type goes on the wire at most once (AIP-193)"
    )
    assert kept([HELP, rpc.Help(), pack(HELP)]) == ([HELP], [report, report])


# Untrusted texts.


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(Hostile)
    | st.just(HELP)
    | st.just(any_pb2.Any(type_url="\x00")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["en", "good", 5]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(ANYTHING, ANYTHING)
def test_nothing_raises(value: Any, other: Any) -> None:
    reports: list[str] = []
    for argument in (value, other, [value, other], {"good": value, "en": other}):
        arguments.message(argument, CODE, reports.append)
        assert all(
            isinstance(text, str)
            for text in arguments.metadata(argument, {"good": other}, reports.append).values()
        )
        hints = arguments.hints(argument, CODE, reports.append)
        assert hints is None or all(map(clean, hints))
        arguments.seconds(argument, reports.append)
        for _, packed in arguments.details(argument, with_retry=True, warn=reports.append):
            any_pb2.Any.FromString(packed)
    assert ComponentCode.RTC_INIT_ERROR.hint()
