"""protovalidate's errors as one BadRequest.

The library itself validates real messages, and the tests compare with its own texts.
"""

import itertools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import harness
import protovalidate
import pytest
from google.rpc import error_details_pb2 as rpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import errgrpc
from errgrpc import ResCode, ServiceError
from errgrpc.codes import REASON
from errgrpc.validation.protovalidate import Messages, bad_request

from_error = bad_request(ResCode.BAD_REQUEST)

# The fixture is the same for all examples.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def valid(rooms: Any) -> Any:
    return rooms.Room(card="c", color=1, secret="sesame", owner={"user": "abc"})


def refusal(message: Any) -> protovalidate.ValidationError:
    with pytest.raises(protovalidate.ValidationError) as caught:
        protovalidate.validate(message)
    return caught.value


def refused(error: Any, **arguments: Any) -> Any:
    """The violations that an error becomes."""
    made = bad_request(ResCode.BAD_REQUEST, **arguments)(error)
    assert made.error_code is ResCode.BAD_REQUEST
    (detail,) = made.status_details
    assert isinstance(detail, rpc.BadRequest)
    return detail.field_violations


def own_path(error: protovalidate.ValidationError) -> str:
    """The path of the first violation as protovalidate writes it.

    Its text is `path: message, and 3 more violations`.
    """
    more = len(error.violations) - 1
    text = str(error).removesuffix(f", and {more} more violation{'s' * (more > 1)}")
    message = error.violations[0].proto.message
    return "" if text == message else text.removesuffix(f": {message}")


def broken_seat(room: Any) -> None:
    room.seats.add(user="abc")
    room.seats.add(user="no")


def broken_guest(room: Any) -> None:
    room.by_number[-5].guests["a b"].guests['"\\\n'].row = 11
    room.by_number[-5].user = room.by_number[-5].guests["a b"].user = room.by_number[-5].guests[
        "a b"
    ].guests['"\\\n'].user = "abc"


def unset(name: str) -> Callable[[Any], None]:
    return lambda room: room.ClearField(name)


def put(**values: Any) -> Callable[[Any], None]:
    def change(room: Any) -> None:
        for name, value in values.items():
            room.ClearField(name)
            room.MergeFrom(type(room)(**{name: value}))

    return change


# name -> (what is wrong, the path, the reason, the description)
CASES: dict[str, tuple[Callable[[Any], None], str, str, str]] = {
    "an element": (broken_seat, "seats[1].user", "STRING_MIN_LEN", "must be at least 3 characters"),
    "a list": (
        put(seats=[{"user": "abc"}] * 4),
        "seats",
        "REPEATED_MAX_ITEMS",
        "must contain no more than 3 item(s)",
    ),
    "a map's key": (
        put(prices={"secret": 1}),
        'prices["secret"]',
        "STRING_MAX_LEN",
        "must be at most 5 characters",
    ),
    "a map's value": (
        put(prices={"a": -1}),
        'prices["a"]',
        "INT32_GTE",
        "must be greater than or equal to 0",
    ),
    "numbers and quotes": (
        broken_guest,
        'by_number[-5].guests["a b"].guests["\\"\\\\\\n"].row',
        "INT32_GTE_LTE",
        "must be greater than or equal to 0 and less than or equal to 10",
    ),
    "a bool": (
        put(by_flag={False: {"user": "No!"}}),
        "by_flag[false].user",
        "STRING_PATTERN",
        "does not match regex pattern `^[a-z]+$`",
    ),
    "64 bits": (
        put(by_large={2**64 - 1: {"user": "abcd!"}}),
        "by_large[18446744073709551615].user",
        "STRING_PATTERN",
        "does not match regex pattern `^[a-z]+$`",
    ),
    "a oneof": (unset("card"), "choice", "REQUIRED", "exactly one field is required in oneof"),
    "a member of a oneof": (
        put(mail="secret"),
        "mail",
        "STRING_EMAIL",
        "must be a valid email address",
    ),
    "a oneof of the message": (
        put(a="1", b="2"),
        "",
        "MESSAGE_ONEOF",
        "only one of a, b can be set",
    ),
    "an enum": (
        put(color=7),
        "color",
        "ENUM_DEFINED_ONLY",
        "value must be one of the defined enum values",
    ),
    "an enum's zero": (unset("color"), "color", "ENUM_NOT_IN", "must not be in list [0]"),
    "required": (unset("owner"), "owner", "REQUIRED", "value is required"),
    "const": (put(secret="secret"), "secret", "STRING_CONST", "must equal `sesame`"),
    "unique": (
        put(tags=["x", "x"]),
        "tags",
        "REPEATED_UNIQUE",
        "repeated value must contain unique items",
    ),
    "bytes": (put(key=b"secret"), "key", "BYTES_MAX_LEN", "must be at most 3 bytes"),
    "CEL": (put(name="rude"), "name", "NAME_NICE", "be nice"),
    "CEL with a literal": (put(name="literal"), "name", "NAME_LITERAL", "say something else"),
    "CEL without a text": (
        put(name="plain"),
        "name",
        "NAME_PLAIN",
        "\"this != 'plain'\" returned false",
    ),
    "CEL that quotes": (put(name="quote secret"), "name", "NAME_QUOTING", "Name quoting"),
    "a rule of another schema": (put(shared="secret"), "shared", "STRING_UPPER", "String upper"),
    "CEL in one line": (
        put(short="shorthand"),
        "short",
        "",
        "\"this != 'shorthand'\" returned false",
    ),
    "CEL in one line with a literal": (put(short="literal"), "short", "", "say more"),
    "CEL in one line that quotes": (
        put(short="quote secret"),
        "short",
        "",
        "this.startsWith('quote') ? 'you said ' + this : ''",
    ),
    # For these, protovalidate does not say where the text comes from.
    "CEL of the message": (put(name="closed"), "", "ROOM_STATIC", "Room static"),
    "CEL of the message that quotes": (
        put(name="whole secret"),
        "",
        "ROOM_QUOTING",
        "Room quoting",
    ),
    "CEL of the message by the name of another rule": (
        put(name="mock secret"),
        "",
        "MESSAGE_ONEOF",
        "Message oneof",
    ),
    "CEL of the message in one line": (
        put(name="shorthand"),
        "",
        "",
        "\"this.name != 'shorthand'\" returned false",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_rule(name: str, rooms: Any) -> None:
    change, field, reason, description = CASES[name]
    room = valid(rooms)
    protovalidate.validate(room)
    change(room)
    error = refusal(room)
    (violation,) = refused(error)
    assert (violation.field, violation.reason, violation.description) == (
        field,
        reason,
        description,
    )
    assert violation.field == own_path(error)
    assert not violation.HasField("localized_message")
    (own,) = refused(error, custom_texts=True)
    assert own.description == error.violations[0].proto.message


@pytest.mark.parametrize("style", harness.STYLES)
def test_over_a_real_port(style: str, kind: str, rooms: Any) -> None:
    room = valid(rooms)
    broken_seat(room)
    broken_guest(room)
    with (
        harness.serve(style, translate={protovalidate.ValidationError: from_error}) as target,
        harness.action(lambda _: protovalidate.validate(room)) as request,
    ):
        outcome = harness.call(style if style in harness.STACKS else "sync", target, kind, request)
    assert outcome.error.error_code is ResCode.BAD_REQUEST
    found = harness.on_the_wire(outcome)["BadRequest"]
    assert [violation.field for violation in found.field_violations] == [
        CASES["an element"][1],
        CASES["numbers and quotes"][1],
    ]
    assert outcome.error.detail(rpc.BadRequest) == found


KEYS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['"', "\\", "a.b", "]", "\n", "\r\n", "\t", "\x7f", "\u202e"]
)
GUESTS: Any = st.deferred(lambda: st.dictionaries(KEYS, SEATS, max_size=2))
SEATS: Any = st.fixed_dictionaries(
    {}, optional={"user": st.text(max_size=4), "row": st.integers(-20, 20), "guests": GUESTS}
)
ROOMS = st.fixed_dictionaries(
    {},
    optional={
        "seats": st.lists(SEATS, max_size=4),
        "prices": st.dictionaries(KEYS, st.integers(-2, 2), max_size=3),
        "by_number": st.dictionaries(st.integers(-(2**31), 2**31 - 1), SEATS, max_size=2),
        "by_flag": st.dictionaries(st.booleans(), SEATS, max_size=2),
        "by_large": st.dictionaries(st.integers(0, 2**64 - 1), SEATS, max_size=2),
        "mail": st.text(max_size=5),
        "color": st.integers(-5, 5),
        "tags": st.lists(st.sampled_from("xyz"), max_size=3),
        "name": st.sampled_from(["rude", "quote", "closed", "whole", "shorthand", ""]),
    },
)


@shared
@given(ROOMS)
def test_paths_are_those_of_protovalidate(rooms: Any, given: Any) -> None:
    """protovalidate gives only the path of the first violation.

    In the examples, each way to break a room comes first at least once.
    """
    room = rooms.Room(card="c", **given) if "mail" not in given else rooms.Room(**given)
    error = refusal(room)
    violations = refused(error)
    assert len(violations) == min(len(error.violations), 100)
    whole = own_path(error)
    assert violations[0].field == (whole if len(whole) <= 200 else f"{whole[:199]}…")
    for violation, sent in zip(error.violations, violations, strict=False):
        assert (
            sent.field.count(".")
            >= len(violation.proto.field.elements if violation.proto.field else ()) - 1
        )
        assert not sent.reason or (REASON.fullmatch(sent.reason) and len(sent.reason) <= 63)
        assert sent.description


SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=40)


@shared
@given(SECRETS)
def test_no_value_is_sent(rooms: Any, secret: str) -> None:
    """Only keys of maps are sent, as protovalidate's own path has them."""
    for start in ("", "quote", "whole"):
        room = rooms.Room(
            mail=secret,
            name=start + secret,
            secret=secret,
            tags=[secret] * 2,
            key=secret.encode(),
            color=5,
            shared=secret,
            short=start + secret,
        )
        room.seats.add(user=secret, row=77_777_777)
        room.by_number[3].user = secret
        room.by_number[3].guests["key"].user = secret
        error = refusal(room)
        said = errgrpc.encode(from_error(error)).SerializeToString()
        schema = type(room).DESCRIPTOR.file.serialized_pb
        for part in (secret, secret[:8], secret[-8:]):
            assert part.encode() not in said or part.encode() in schema
        assert b"77777777" not in said


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize(
    ("kind_of_rule", "value"), [("Broken", {"text": "a"}), ("Failing", {"number": 0})]
)
def test_a_rule_that_fails_is_not_the_callers_mistake(
    style: str, kind_of_rule: str, value: Any, rooms: Any, caplog: Any
) -> None:
    message = getattr(rooms, kind_of_rule)(**value)
    with (
        harness.serve(style, translate={protovalidate.ValidationError: from_error}) as target,
        harness.action(lambda _: protovalidate.validate(message)) as request,
    ):
        outcome = harness.call("sync", target, "unary_unary", request)
    assert outcome.error.error_code is ResCode.INTERNAL_SERVER_ERROR
    (record,) = harness.logged(caplog)
    assert isinstance(
        record.exc_info[1], protovalidate.CompilationError | protovalidate.EvaluationError
    )


def test_only_the_first_are_looked_at(rooms: Any) -> None:
    violation = refusal(rooms.Seat(user="no")).violations[0]
    endless: Any = itertools.repeat(violation)
    assert len(refused(protovalidate.ValidationError("endless", endless))) == 100


def test_texts_are_bounded(rooms: Any) -> None:
    room = valid(rooms)
    room.by_number[1].user = "abc"
    room.by_number[1].guests["k" * 1_000_000].row = 11
    room.name = "quote" + "n" * 1_000_000
    error = refusal(room)
    found = refused(error, custom_texts=True)
    assert {max(len(violation.field), len(violation.description)) for violation in found} == {
        200,
        300,
    }
    assert found[0].field == f"{own_path(error)[:199]}…"


@pytest.mark.parametrize("style", harness.STYLES)
def test_what_does_not_fit_is_shed_violation_by_violation(
    style: str, rooms: Any, caplog: Any
) -> None:
    room = valid(rooms)
    for number in range(1_000):
        room.prices[f"{number:0100}"] = 1
    whole = refused(refusal(room))
    assert len(whole) == 100
    with (
        harness.serve(style, translate={protovalidate.ValidationError: from_error}) as target,
        harness.action(lambda _: protovalidate.validate(room)) as request,
    ):
        outcome = harness.call("sync", target, "unary_unary", request)
    sent = harness.on_the_wire(outcome)["BadRequest"].field_violations
    assert 20 < len(sent) < 100
    assert list(sent) == list(whole[: len(sent)])
    assert outcome.error.hint == "参数错误"
    (record,) = harness.logged(caplog)
    assert record.getMessage().endswith("cut to 7900 bytes of trailers: violations of BadRequest")


MESSAGES: Messages = {
    "string.min_len": {"en-US": "Too short", "zh-CN": "太短"},
    "required": "必填",
    "never": {"fr": "Jamais"},
}


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (None, {"seats[0].user": ("zh-CN", "太短"), "owner": ("zh-CN", "必填")}),
        ("en", {"seats[0].user": ("en-US", "Too short"), "owner": ("zh-CN", "必填")}),
        ("fr, en;q=0.5", {"seats[0].user": ("en-US", "Too short"), "owner": ("zh-CN", "必填")}),
        ("zh", {"seats[0].user": ("zh-CN", "太短"), "owner": ("zh-CN", "必填")}),
    ],
)
@pytest.mark.parametrize("style", harness.STYLES)
def test_end_users_are_told_in_their_language(
    style: str, language: str | None, expected: Any, rooms: Any
) -> None:
    room = valid(rooms)
    room.seats.add(user="no", row=-1)
    room.ClearField("owner")
    translate = {protovalidate.ValidationError: bad_request(ResCode.BAD_REQUEST, messages=MESSAGES)}
    with (
        harness.serve(style, translate=translate) as target,
        harness.action(lambda _: protovalidate.validate(room)) as request,
    ):
        outcome = harness.call("sync", target, "unary_unary", request, locale=language)
    found = harness.on_the_wire(outcome)["BadRequest"].field_violations
    assert len(found) == 3
    texts = {
        each.field: (each.localized_message.locale, each.localized_message.message)
        for each in found
        if each.HasField("localized_message")
    }
    assert texts == expected


def test_without_a_call_the_language_is_the_catalogues(rooms: Any) -> None:
    (violation,) = refused(refusal(rooms.Seat(user="no")), messages=MESSAGES)
    assert violation.localized_message == rpc.LocalizedMessage(locale="zh-CN", message="太短")


class PlainCode(errgrpc.ErrorCode, domain="plain.example.com"):
    WRONG = 1, errgrpc.Spec(errgrpc.ResCode.BAD_REQUEST.grpc_status)


def test_a_catalogue_without_a_locale(rooms: Any) -> None:
    error = refusal(rooms.Seat(user="no"))
    for texts, locale in (("short", "und"), ({"fr": "court", "en": "short"}, "fr")):
        (detail,) = bad_request(PlainCode.WRONG, messages={"string.min_len": texts})(
            error
        ).status_details
        assert isinstance(detail, rpc.BadRequest)
        (violation,) = detail.field_violations
        assert violation.localized_message.locale == locale


def test_an_exception_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match=r"ValueError.* is no protovalidate.ValidationError"):
        from_error(ValueError("text"))  # type: ignore[arg-type]


def test_an_error_without_violations() -> None:
    assert refused(protovalidate.ValidationError("by hand", [])) == []


WRONG: list[tuple[Any, Any, type[Exception], str]] = [
    ("BAD_REQUEST", None, TypeError, "'BAD_REQUEST' is no error code: give a member"),
    (ResCode.SUCCESS, None, ValueError, "ResCode.SUCCESS is a success"),
    (ResCode.BAD_REQUEST, "too short", TypeError, "messages is 'too short': give a mapping"),
    (
        ResCode.BAD_REQUEST,
        {1: "text"},
        TypeError,
        "messages has the key 1: give the name of a rule",
    ),
    (ResCode.BAD_REQUEST, {"r": 1}, TypeError, r"messages\['r'\] is 1, not a mapping"),
    (
        ResCode.BAD_REQUEST,
        {"r": ""},
        ValueError,
        r"messages\['r'\] has no text for the locale 'zh-CN'",
    ),
    (
        ResCode.BAD_REQUEST,
        {"r": {"zh_CN": "x"}},
        ValueError,
        r"messages\['r'\] has the locale 'zh_CN', not a BCP 47",
    ),
]


@pytest.mark.parametrize(("code", "messages", "raised", "text"), WRONG)
def test_wrong_arguments(code: Any, messages: Any, raised: type[Exception], text: str) -> None:
    with pytest.raises(raised, match=text):
        bad_request(code, messages=messages)


def test_it_makes_no_more_than_an_error_of_ours(rooms: Any) -> None:
    error = from_error(refusal(rooms.Seat(user="no")))
    assert type(error) is ServiceError
    assert (error.message, error.hint, dict(error.metadata)) == ("Bad Request", None, {})


def test_it_needs_no_other_validator() -> None:
    program = (
        "import sys, errgrpc.validation.protovalidate; print({'pydantic', 'pydantic_core', "
        "'fastapi'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("set()\n", "")
