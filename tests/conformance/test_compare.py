"""What counts as read: every field, and details in each form that a library may give."""

import copy
from typing import Any

import pytest

from conformance.compare import CALL, differences, encoded
from conformance.vectors import load
from conformance.vectors.build import as_json

BY_NAME = {vector["name"]: vector for vector in load()}
ALL = BY_NAME["details/all"]


def said(vector: Any, **changes: Any) -> Any:
    return copy.deepcopy(vector["read"]) | {"messages": 0} | changes


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_vector_says_is_as_it_must_be(name: Any) -> None:
    assert differences(BY_NAME[name], 0, said(BY_NAME[name], typed=BY_NAME[name]["typed"])) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("messages", 1),
        ("status", 5),
        ("status", "3"),
        ("status", None),
        ("message", ""),
        ("message", None),
        ("reason", "OTHER"),
        ("domain", None),
        ("metadata", {"code": "400"}),
        ("metadata", {"code": 400, "room_uuid": "r-42"}),
        ("locale", "en"),
        ("hint", None),
        ("details", []),
        ("details", None),
        ("details", ALL["read"]["details"][1:]),
        ("details", [*ALL["read"]["details"], ALL["read"]["details"][0]]),
        ("details", [*ALL["read"]["details"][:-1], {"type": "google.rpc.RetryInfo", "base64": ""}]),
        (
            "details",
            [*ALL["read"]["details"][:-1], {"type": "google.rpc.RetryInfo", "base64": "no base64"}],
        ),
        (
            "details",
            [*ALL["read"]["details"][:-1], {"@type": "google.rpc.RetryInfo", "unknown": 1}],
        ),
        ("details", [*ALL["read"]["details"][:-1], {}]),
    ],
)
def test_a_field_that_differs_is_named(field: Any, value: Any) -> None:
    assert list(differences(ALL, 0, said(ALL, **{field: value}))) == [field]


@pytest.mark.parametrize("field", list(ALL["typed"]))
def test_a_typed_field_that_differs_is_named(field: Any) -> None:
    assert list(differences(ALL, 0, said(ALL, typed=ALL["typed"] | {field: "other"}))) == [
        f"typed.{field}"
    ]


def test_a_field_that_is_left_out_was_not_read() -> None:
    # this vector has no trailing metadata
    assert set(differences(ALL, 0, {"messages": 0})) == {*ALL["read"]} - {"trailing"}


def test_trailing_metadata_are_compared_where_there_are_some() -> None:
    vector = BY_NAME["trailing/own"]
    assert list(differences(vector, 0, said(vector, trailing={}))) == ["trailing"]
    assert list(differences(vector, 0, said(vector, trailing=None))) == ["trailing"]
    assert (
        differences(vector, 0, said(vector, trailing=vector["read"]["trailing"] | {"x-other": "1"}))
        == {}
    )


def test_details_count_in_both_forms_and_in_any_order() -> None:
    forms = [
        {"@type": f"type.googleapis.com/{detail['type']}", **detail["json"]}
        for detail in ALL["read"]["details"]
    ]
    assert differences(ALL, 0, said(ALL, details=forms[::-1])) == {}
    encodings = [
        {"type": detail["type"], "base64": detail["base64"]} for detail in ALL["read"]["details"]
    ]
    assert differences(ALL, 0, said(ALL, details=encodings)) == {}
    assert (
        differences(
            ALL,
            0,
            said(
                ALL,
                details=[
                    *forms,
                    encoded("google.rpc.ErrorInfo", b""),
                    {"@type": "x/google.rpc.ErrorInfo"},
                ],
            ),
        )
        == {}
    )


def test_a_well_known_type_has_its_json_under_value() -> None:
    vector = BY_NAME["details/well_known"]
    form = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "90s"}
    assert differences(vector, 0, said(vector, details=[form])) == {}
    assert list(differences(vector, 0, said(vector, details=[form | {"value": "91s"}]))) == [
        "details"
    ]


def test_a_call_that_gave_no_error_differs_as_a_whole() -> None:
    assert differences(ALL, 0, {"failed": "no answer"}) == {CALL: "no answer"}


def test_a_long_value_is_cut_in_the_report() -> None:
    assert len(differences(ALL, 0, said(ALL, message="x" * 5_000))["message"]) < 300


def test_as_json_keeps_chinese_readable() -> None:
    assert "房间不存在" in as_json(list(load()))
