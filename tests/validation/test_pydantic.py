"""pydantic's errors as one BadRequest: real models, validated by the library itself."""

import enum
import json
import subprocess
import sys
import tracemalloc
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import fastapi.exceptions
import harness
import httpx
import pydantic
import pydantic_core
import pytest
from google.rpc import error_details_pb2 as rpc
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, PydanticKnownError

import errgrpc
from errgrpc import ResCode
from errgrpc.codes import REASON
from errgrpc.http.starlette import install
from errgrpc.validation.pydantic import bad_request

SECRET = "kanarienvogel"  # noqa: S105
from_error = bad_request(ResCode.BAD_REQUEST)


def refused(error: Any, **arguments: Any) -> Any:
    """The violations that an error becomes."""
    (detail,) = bad_request(ResCode.BAD_REQUEST, **arguments)(error).status_details
    assert isinstance(detail, rpc.BadRequest)
    return detail.field_violations


def refusal(model: type[BaseModel], given: Any) -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(given)
    return caught.value


def raise_value_error(value: str) -> str:
    raise ValueError(f"{value} is bad")


def raise_assertion(value: str) -> str:
    raise AssertionError(f"{value} is bad")


def raise_custom(value: str) -> str:
    raise PydanticCustomError("seat.taken", "{value} is taken", {"value": value})


def raise_known(value: str) -> str:
    raise PydanticKnownError("no_such_attribute", {"attribute": value})


def raise_unforeseen(value: str) -> str:
    raise PydanticCustomError("No such thing!", "no {what}", {"what": value})


class Color(enum.Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(gt=0)


class Dog(BaseModel):
    kind: Literal["dog"]


class Seat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: str = Field(min_length=3, max_length=20, pattern="^[a-z]*$")
    row: int = Field(0, ge=0, le=10)


class Strict(BaseModel):
    number: Annotated[int, Field(strict=True)]


class Room(BaseModel):
    seats: list[Seat] = []
    by_name: dict[str, Seat] = {}
    by_number: dict[int, Seat] = {}
    short: list[int] = Field([], max_length=1)
    color: Color = Color.RED
    word: Literal["yes", "no"] = "yes"
    pet: Annotated[Cat | Dog | None, Field(discriminator="kind")] = None
    either: int | Seat | None = None
    strict: Strict | None = None
    amount: Decimal = Field(Decimal(1), max_digits=3, gt=Decimal("0.5"))
    day: date = Field(date(2020, 1, 1), ge=date(2020, 1, 1))
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    clock: time = time(1)
    lasts: timedelta = timedelta(1)
    link: pydantic.AnyUrl | None = None
    id: uuid.UUID | None = None
    flag: bool = True
    mail: str = Field("", alias="e-mail", max_length=3)
    either_name: str = Field("", validation_alias=pydantic.AliasPath("names", 0), max_length=3)
    raw: pydantic.Json[int] = 1
    code: bytes = Field(b"", max_length=3)
    failing: Annotated[str, AfterValidator(raise_value_error)] = ""
    asserting: Annotated[str, AfterValidator(raise_assertion)] = ""
    taken: Annotated[str, AfterValidator(raise_custom)] = ""
    known: Annotated[str, AfterValidator(raise_known)] = ""
    unforeseen: Annotated[str, AfterValidator(raise_unforeseen)] = ""
    closed: bool = False
    reopened: bool = False

    @pydantic.model_validator(mode="after")
    def _whole(self) -> "Room":
        if self.closed:
            raise ValueError(f"the room of {SECRET} is closed")
        return self


SEAT = {"user": "abc"}

# name -> (what is given, the path, the reason, the description)
CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "nested": (
        {"seats": [SEAT, {"user": "ab"}]},
        "seats[1].user",
        "STRING_TOO_SHORT",
        "String should have at least 3 characters",
    ),
    "missing": ({"seats": [{}]}, "seats[0].user", "MISSING", "Field required"),
    "extra": (
        {"seats": [SEAT | {SECRET[:5]: 5}]},
        "seats[0].kanar",
        "EXTRA_FORBIDDEN",
        "Extra inputs are not permitted",
    ),
    "pattern": (
        {"seats": [{"user": "ABC"}]},
        "seats[0].user",
        "STRING_PATTERN_MISMATCH",
        "String should match pattern '^[a-z]*$'",
    ),
    "range": (
        {"seats": [SEAT | {"row": 77}]},
        "seats[0].row",
        "LESS_THAN_EQUAL",
        "Input should be less than or equal to 10",
    ),
    "a map's value": (
        {"by_name": {"a": {"user": "ab"}}},
        "by_name.a.user",
        "STRING_TOO_SHORT",
        "String should have at least 3 characters",
    ),
    "a key that is no name": (
        {"by_name": {'a "b".c\\\n': {"user": "ab"}}},
        'by_name["a \\"b\\".c\\\\\\n"].user',
        "STRING_TOO_SHORT",
        "String should have at least 3 characters",
    ),
    "an empty key": ({"by_name": {"": {}}}, 'by_name[""].user', "MISSING", "Field required"),
    "a map's key": (
        {"by_number": {"five": SEAT}},
        "by_number.five",
        "INT_PARSING",
        "Input should be a valid integer, unable to parse string as an integer",
    ),
    "a number as key": ({"by_number": {5: {}}}, "by_number[5].user", "MISSING", "Field required"),
    "too many": (
        {"short": [1, 2]},
        "short",
        "TOO_LONG",
        "List should have at most 1 item after validation",
    ),
    "an enum": ({"color": SECRET}, "color", "ENUM", "Input should be 'red'"),
    "a literal": ({"word": SECRET}, "word", "LITERAL_ERROR", "Input should be 'yes' or 'no'"),
    "a tag": (
        {"pet": {"kind": SECRET}},
        "pet",
        "UNION_TAG_INVALID",
        "Input tag '…' found using 'kind' does not match any of the expected tags: 'cat', 'dog'",
    ),
    "no tag": (
        {"pet": {}},
        "pet",
        "UNION_TAG_NOT_FOUND",
        "Unable to extract tag using discriminator 'kind'",
    ),
    "under a tag": (
        {"pet": {"kind": "cat", "lives": 0}},
        "pet.cat.lives",
        "GREATER_THAN",
        "Input should be greater than 0",
    ),
    "strict": (
        {"strict": {"number": SECRET}},
        "strict.number",
        "INT_TYPE",
        "Input should be a valid integer",
    ),
    "a model": (
        {"strict": SECRET},
        "strict",
        "MODEL_TYPE",
        "Input should be a valid dictionary or instance of Strict",
    ),
    "a decimal": ({"amount": "0.1"}, "amount", "GREATER_THAN", "Input should be greater than 0.5"),
    "digits": (
        {"amount": "1.2345"},
        "amount",
        "DECIMAL_MAX_DIGITS",
        "Decimal input should have no more than 3 digits in total",
    ),
    "no decimal": (
        {"amount": SECRET},
        "amount",
        "DECIMAL_PARSING",
        "Input should be a valid decimal",
    ),
    "a date": (
        {"day": SECRET},
        "day",
        "DATE_FROM_DATETIME_PARSING",
        "Input should be a valid date or datetime",
    ),
    "an early date": (
        {"day": "2019-05-05"},
        "day",
        "GREATER_THAN_EQUAL",
        "Input should be greater than or equal to 2020-01-01",
    ),
    "a datetime": (
        {"at": SECRET},
        "at",
        "DATETIME_FROM_DATE_PARSING",
        "Input should be a valid datetime or date",
    ),
    "a time": (
        {"clock": SECRET},
        "clock",
        "TIME_PARSING",
        "Input should be in a valid time format",
    ),
    "a timedelta": (
        {"lasts": SECRET},
        "lasts",
        "TIME_DELTA_PARSING",
        "Input should be a valid timedelta",
    ),
    "a URL": ({"link": SECRET}, "link", "URL_PARSING", "Input should be a valid URL"),
    "a UUID": ({"id": SECRET}, "id", "UUID_PARSING", "Input should be a valid UUID"),
    "a bool": (
        {"flag": SECRET},
        "flag",
        "BOOL_PARSING",
        "Input should be a valid boolean, unable to interpret input",
    ),
    "an alias": (
        {"e-mail": SECRET},
        "e-mail",
        "STRING_TOO_LONG",
        "String should have at most 3 characters",
    ),
    "a path as alias": (
        {"names": [SECRET]},
        "names[0]",
        "STRING_TOO_LONG",
        "String should have at most 3 characters",
    ),
    "JSON": ({"raw": SECRET}, "raw", "JSON_INVALID", "Invalid JSON"),
    "bytes": ({"code": SECRET}, "code", "BYTES_TOO_LONG", "Data should have at most 3 bytes"),
    "a ValueError": ({"failing": SECRET}, "failing", "VALUE_ERROR", "Value error"),
    "an AssertionError": (
        {"asserting": SECRET},
        "asserting",
        "ASSERTION_ERROR",
        "Assertion failed",
    ),
    "a custom error": ({"taken": SECRET}, "taken", "SEAT_TAKEN", "Seat taken"),
    "one of pydantic's own": (
        {"known": SECRET},
        "known",
        "NO_SUCH_ATTRIBUTE",
        "Object has no attribute '…'",
    ),
    "a type that is no reason": ({"unforeseen": SECRET}, "unforeseen", "", "No such thing!"),
    "the whole model": ({"closed": True}, "", "VALUE_ERROR", "Value error"),
    "no object": (
        SECRET,
        "",
        "MODEL_TYPE",
        "Input should be a valid dictionary or instance of Room",
    ),  # type: ignore[dict-item]
}
CUSTOM = {
    "a ValueError": f"Value error, {SECRET} is bad",
    "an AssertionError": f"Assertion failed, {SECRET} is bad",
    "a custom error": f"{SECRET} is taken",
    "a type that is no reason": f"no {SECRET}",
    "the whole model": f"Value error, the room of {SECRET} is closed",
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_error(name: str) -> None:
    given, field, reason, description = CASES[name]
    error = refusal(Room, given)
    (violation,) = refused(error)
    assert (violation.field, violation.reason, violation.description) == (
        field,
        reason,
        description,
    )
    assert not violation.HasField("localized_message")
    (own,) = refused(error, custom_texts=True)
    assert own.description == CUSTOM.get(name, description)


def test_each_member_of_a_union_has_its_say() -> None:
    assert [violation.field for violation in refused(refusal(Room, {"either": {}}))] == [
        "either.int",
        "either.Seat.user",
    ]


@pytest.mark.parametrize("style", harness.STYLES)
def test_over_a_real_port(style: str, kind: str) -> None:
    given = {"seats": [{"user": "ab"}], "closed": "perhaps"}
    with (
        harness.serve(style, translate={pydantic.ValidationError: from_error}) as target,
        harness.action(lambda _: Room.model_validate(given)) as request,
    ):
        outcome = harness.call(style if style in harness.STACKS else "sync", target, kind, request)
    assert outcome.error.error_code is ResCode.BAD_REQUEST
    found = harness.on_the_wire(outcome)["BadRequest"]
    assert [violation.field for violation in found.field_violations] == ["seats[0].user", "closed"]
    assert outcome.error.detail(rpc.BadRequest) == found


ERRORS: dict[str, dict[str, Any]] = {
    error["type"]: error.get("example_context") or {}
    for error in pydantic_core._pydantic_core.list_all_errors()
}
# The entries of the contexts that a schema declares. The input gives the others: "tag", "error",
# "encoding_error", "attribute", "tz_actual" and "actual_length".
DECLARED = {
    "method_name", "class_name", "class", "field_type", "min_length", "max_length", "pattern",
    "expected", "expected_tags", "expected_schemes", "expected_version", "encoding",
    "discriminator", "gt", "ge", "lt", "le", "multiple_of", "max_digits", "decimal_places",
    "whole_digits", "tz_expected",
}  # fmt: skip


@pytest.mark.parametrize("kind_of_error", ERRORS)
def test_what_the_input_says_is_left_out_of_each_text(kind_of_error: str) -> None:
    """Covers all texts of pydantic, in any version."""
    context: dict[str, Any] = {
        key: 77777
        if key == "actual_length"
        else value
        if isinstance(value, int | None)
        else "declared"
        if key in DECLARED
        else SECRET
        for key, value in ERRORS[kind_of_error].items()
    }
    if kind_of_error in ("value_error", "assertion_error"):
        context["error"] = ValueError(SECRET)
    data: Any = [{"type": kind_of_error, "loc": ("field",), "input": SECRET, "ctx": context}]
    error = pydantic_core.ValidationError.from_exception_data("Model", data)
    (violation,) = refused(error)
    assert violation.reason == kind_of_error.upper()
    assert violation.description
    assert SECRET not in violation.description
    assert "77777" not in violation.description
    if set(context) <= DECLARED:
        assert violation.description == error.errors()[0]["msg"]


# no text of a schema begins so
SECRETS = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).map("§{}".format)
NESTED = st.recursive(
    SECRETS | st.integers(10**9, 10**12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
)


def texts(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*map(texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {str(value)}


@given(
    st.dictionaries(
        st.sampled_from(list(Room.model_fields)),
        NESTED | st.fixed_dictionaries({"kind": SECRETS, "user": SECRETS}),
        min_size=1,
    )
)
def test_no_value_is_sent(given: Any) -> None:
    try:
        Room.model_validate({**given, "seats": [given], "strict": given})
    except pydantic.ValidationError as error:
        said = [violation.description for violation in refused(error)] + [
            violation.reason for violation in refused(error)
        ]
        whole = errgrpc.encode(from_error(error)).SerializeToString()
        for text in texts(given):
            assert not any(text in each for each in said)
            assert text.encode() not in whole


PARTS = st.lists(
    st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda part: part != "[key]")
    | st.integers(0, 99),
    min_size=1,
    max_size=5,
)


@given(PARTS)
def test_paths_are_bounded_and_tell_locations_apart(parts: list[Any]) -> None:
    def path(location: list[Any]) -> str:
        data: Any = [{"type": "missing", "loc": tuple(location), "input": 1}]
        (violation,) = refused(pydantic_core.ValidationError.from_exception_data("Model", data))
        return violation.field

    assert parsed(path(parts)) == parts


def parsed(path: str) -> list[Any]:
    """The parts of a path, parsed by the rules of its form."""
    parts: list[Any] = []
    while path:
        if path.startswith('["'):
            text, end = "", 2
            while path[end] != '"':
                if path[end] == "\\":
                    end += 1
                    text += {"n": "\n", "r": "\r"}.get(path[end], path[end])
                else:
                    text += path[end]
                end += 1
            parts.append(text)
            path = path[end + 2 :]
        elif path.startswith("["):
            number, _, path = path[1:].partition("]")
            parts.append(int(number))
        else:
            path = path.removeprefix(".")
            end = min((at for at in (path.find("."), path.find("[")) if at >= 0), default=len(path))
            parts.append(path[:end])
            path = path[end:]
    return parts


def test_only_the_first_are_sent_and_each_is_bounded() -> None:
    class Tags(BaseModel):
        tags: list[Annotated[str, Field(max_length=1, pattern="x" * 1_000)]]
        more: dict[str, int] = {}

    found = refused(refusal(Tags, {"more": {"k" * 1_000_000: "x"}, "tags": ["no"] * 9_999}))
    assert len(found) == 100
    (violation,) = refused(refusal(Tags, {"more": {"k" * 1_000_000: "x"}, "tags": []}))
    assert (len(violation.field), violation.field[:8]) == (200, "more.kkk")
    (violation,) = refused(refusal(Tags, {"tags": ["y"]}))
    assert len(violation.description) == 300


def test_of_too_many_errors_only_the_number_is_told() -> None:
    """Asking pydantic for each error makes a record: half a million would take 312 MB."""

    class Tags(BaseModel):
        tags: list[int]

    error = refusal(Tags, {"tags": ["no"] * 10_001})
    tracemalloc.start()
    try:
        (violation,) = refused(error)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (violation.field, violation.reason, violation.description) == (
        "",
        "",
        "10001 errors, more than 10000",
    )
    assert peak < 100_000


@pytest.mark.parametrize("kind_of_error", ERRORS)
def test_a_validator_s_own_error_that_bears_a_name_of_pydantic_s_sends_nothing_of_its_own(
    kind_of_error: str,
) -> None:
    def raise_it(value: str) -> str:
        raise PydanticCustomError(kind_of_error, "it is {pattern}", dict.fromkeys(DECLARED, value))  # type: ignore[arg-type]

    class Model(BaseModel):
        field: Annotated[str, AfterValidator(raise_it)]

    error = refusal(Model, {"field": SECRET})
    (violation,) = refused(error)
    assert SECRET not in str(violation)
    assert violation.reason == kind_of_error.upper()
    (violation,) = refused(error, custom_texts=True)
    assert violation.description == f"it is {SECRET}"


@pytest.mark.parametrize(
    ("given", "path"),
    [({"[key]": "x"}, '["[key]"]'), ({"x": "1"}, "x"), ({"[key]": "1"}, '["[key]"]')],
)
def test_a_key_that_is_named_as_pydantic_names_keys(given: Any, path: str) -> None:
    (violation,) = refused(
        refusal(pydantic.RootModel[dict[Annotated[str, Field(max_length=0)], int]], given)
    )[:1]
    assert violation.field == path


def test_an_exception_of_another_kind_is_refused() -> None:
    """For `translate={ValueError: bad_request(code)}`: pydantic's error is a ValueError."""
    with pytest.raises(TypeError, match=r"ValueError.* is no pydantic.ValidationError"):
        from_error(ValueError("text"))  # type: ignore[arg-type]


def test_lone_surrogates() -> None:
    error = fastapi.exceptions.RequestValidationError(
        [{"type": "missing", "loc": ("body", "\ud800")}]
    )
    (violation,) = refused(error)
    assert violation.field == "body.\ufffd"


@pytest.mark.parametrize("style", harness.STYLES)
def test_what_does_not_fit_is_shed_violation_by_violation(style: str, caplog: Any) -> None:
    given: Any = {"by_name": {f"name-{number:090}": {} for number in range(1_000)}}
    whole = refused(refusal(Room, given))
    with (
        harness.serve(style, translate={pydantic.ValidationError: from_error}) as target,
        harness.action(lambda _: Room.model_validate(given)) as request,
    ):
        outcome = harness.call("sync", target, "unary_unary", request)
    sent = harness.on_the_wire(outcome)["BadRequest"].field_violations
    assert 20 < len(sent) < 100
    assert list(sent) == list(whole[: len(sent)])
    (record,) = harness.logged(caplog)
    assert record.getMessage().endswith("cut to 7900 bytes of trailers: violations of BadRequest")


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", ("en-US", "Taken")), ("zh", ("zh-CN", "已被占用")), (None, ("zh-CN", "已被占用"))],
)
@pytest.mark.parametrize("style", harness.STYLES)
def test_end_users_are_told_in_their_language(
    style: str, language: str | None, expected: Any
) -> None:
    translate = {
        pydantic.ValidationError: bad_request(
            ResCode.BAD_REQUEST, messages={"seat.taken": {"zh-CN": "已被占用", "en-US": "Taken"}}
        )
    }
    given = {"taken": SECRET, "failing": SECRET}
    with (
        harness.serve(style, translate=translate) as target,
        harness.action(lambda _: Room.model_validate(given)) as request,
    ):
        outcome = harness.call("sync", target, "unary_unary", request, locale=language)
    failing, taken = harness.on_the_wire(outcome)["BadRequest"].field_violations
    assert not failing.HasField("localized_message")
    assert (taken.localized_message.locale, taken.localized_message.message) == expected


def test_what_fastapi_refuses() -> None:
    errors = refusal(Room, {"seats": [{"user": "ab"}]}).errors()
    error = fastapi.exceptions.RequestValidationError(
        [{**each, "loc": ("body", *each["loc"])} for each in errors]
    )
    (violation,) = refused(error, messages={"string_too_short": "太短"})
    assert (violation.field, violation.localized_message.message) == ("body.seats[0].user", "太短")


async def test_fastapi_tells_end_users_in_their_language() -> None:
    app = fastapi.FastAPI()
    from_request = bad_request(
        ResCode.BAD_REQUEST, messages={"string_too_short": {"zh-CN": "太短", "en-US": "Too short"}}
    )

    @app.post("/seats")
    async def take(seat: Seat) -> None:
        raise AssertionError

    install(
        app,
        ResCode,
        form="aip193",
        translate={fastapi.exceptions.RequestValidationError: from_request},
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(
            "/seats", json={"user": "ab"}, headers={"accept-language": "en"}
        )
    violations = next(
        detail["fieldViolations"]
        for detail in response.json()["error"]["details"]
        if "fieldViolations" in detail
    )
    assert violations == [
        {
            "field": "body.user",
            "description": "String should have at least 3 characters",
            "reason": "STRING_TOO_SHORT",
            "localizedMessage": {"locale": "en-US", "message": "Too short"},
        }
    ]


def test_it_needs_no_other_validator() -> None:
    program = (
        "import sys, errgrpc.validation.pydantic; print({'protovalidate', 'protobuf', 'fastapi', "
        "'pydantic'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("set()\n", "")


def test_reasons_are_as_google_rpc_wants_them() -> None:
    for name, (wrong, _, reason, _) in CASES.items():
        (violation,) = refused(refusal(Room, wrong))
        assert not reason or REASON.fullmatch(violation.reason), name


def test_json_is_read_the_same() -> None:
    given = json.dumps({"seats": [{"user": "ab"}]})
    with pytest.raises(pydantic.ValidationError) as caught:
        Room.model_validate_json(given)
    assert [violation.field for violation in refused(caught.value)] == ["seats[0].user"]
