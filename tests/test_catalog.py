"""Finding a code: by domain and reason, by number, by status."""

import re
from typing import Any

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import ComponentCode, ErrorCode, ResCode, Spec
from errgrpc.catalog import Registry, as_catalogue, fallback_of, parse_number
from errgrpc.reading import Reading


def registry(*catalogues: type[ErrorCode]) -> Registry:
    return Registry(catalogues)


class ShopCode(ErrorCode, domain="shop.example.com", infer={StatusCode.NOT_FOUND: "GONE"}):
    FINE = 0, Spec(StatusCode.OK)
    GONE = 404, Spec(StatusCode.NOT_FOUND)
    ENGINE_ERROR_ROOM_CLOSED = 5, Spec(StatusCode.ABORTED)


class MoreCode(ErrorCode, domain="shop.example.com"):
    """More codes of the shop, with one new number and one taken number."""

    LOST = 404, Spec(StatusCode.ABORTED)
    STOLEN = 6, Spec(StatusCode.ABORTED)


class SameCode(ErrorCode, domain="shop.example.com"):
    GONE = 8, Spec(StatusCode.NOT_FOUND)


RES, SHOP = ResCode.domain, ShopCode.domain


def known() -> Registry:
    return Registry((ResCode, ComponentCode, ShopCode, MoreCode))


@pytest.mark.parametrize("code", [*ResCode, *ComponentCode, *MoreCode, ShopCode.GONE], ids=str)
def test_every_error_is_found_by_its_reason(code: ErrorCode) -> None:
    expected = None if code is ResCode.SUCCESS else code
    assert known().find(code.domain, code.reason, str(code.number)) is expected
    assert known().find(code.domain, code.reason, "") is expected
    assert known().find(code.domain, code.reason, "12345678") is expected
    assert Registry(()).find(code.domain, code.reason, str(code.number)) is None


@pytest.mark.parametrize(
    ("domain", "reason", "number", "found"),
    [
        (RES, "RENAMED", "1004", ResCode.ROOM_NOT_EXIST),
        (RES, "", "1004", ResCode.ROOM_NOT_EXIST),
        (RES, "RENAMED", "-4", None),
        (ComponentCode.domain, "RENAMED", "-4", ComponentCode.IM_LOGIN_ERROR),
        (RES, "RENAMED", "１００４", None),
        (RES, "RENAMED", " 1004", None),
        (RES, "RENAMED", "1004\n", None),
        (RES, "RENAMED", "", None),
        (RES, "RENAMED", "9" * 5_000, None),
        (RES, "room_not_exist", "", None),
        (RES, "SUCCESS", "0", None),
        (RES, "RENAMED", "0", None),
        ("unknown", "ROOM_NOT_EXIST", "1004", None),
        (RES.upper(), "ROOM_NOT_EXIST", "1004", None),
        # of two catalogues with one domain, the first wins
        (SHOP, "RENAMED", "404", ShopCode.GONE),
        (SHOP, "LOST", "404", MoreCode.LOST),
        (SHOP, "RENAMED", "6", MoreCode.STOLEN),
        ("", "ROOM_NOT_EXIST", "", ResCode.ROOM_NOT_EXIST),
        # a reason in any catalogue wins over a number in any
        ("", "IM_LOGIN_ERROR", "404", ComponentCode.IM_LOGIN_ERROR),
        ("", "RENAMED", "404", ResCode.NOT_FOUND),  # of two catalogues, the first wins
        ("", "RENAMED", "30207", ComponentCode.ENGINE_ERROR_ROOM_CLOSED),
        ("", "ENGINE_ERROR_ROOM_CLOSED", "", ComponentCode.ENGINE_ERROR_ROOM_CLOSED),
        ("", "SUCCESS", "", None),
        ("", "RENAMED", "77", None),
    ],
)
def test_find(domain: str, reason: str, number: str, found: ErrorCode | None) -> None:
    assert known().find(domain, reason, number) is found


@given(
    st.sampled_from(["", RES, SHOP, "x"]) | st.text(),
    st.sampled_from(["GONE", "SUCCESS"]) | st.text(),
    st.text() | st.integers().map(str),
)
def test_find_takes_any_text(domain: str, reason: str, number: str) -> None:
    found = known().find(domain, reason, number)
    assert found is None or (
        domain in {"", found.domain} and found.grpc_status is not StatusCode.OK
    )


@given(
    st.text() | st.integers().map(str) | st.from_regex(r"\A-?[0-9]{1,12}\Z", alphabet="-0123456789")
)
def test_parse_number(text: str) -> None:
    ascii_digits = re.compile("-?[0123456789]+").fullmatch(text)
    expected = (
        int(text)
        if ascii_digits and len(text.lstrip("-")) <= 10 and -(2**31) <= int(text) < 2**31
        else None
    )
    assert parse_number(text) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("-2147483648", -(2**31)),
        ("-2147483649", None),
        ("007", 7),
        ("٣", None),
        ("+1", None),
        ("1_0", None),
        ("--1", None),
        ("00000000001", None),
    ],
)
def test_a_number_is_ascii_digits_of_32_bits(text: str, number: int | None) -> None:
    assert parse_number(text) == number


def test_the_catalogue_of_a_domain() -> None:
    assert known().catalogue_of(RES) is ResCode
    assert known().catalogue_of(SHOP) is ShopCode
    assert known().catalogue_of("") is None
    assert known().catalogue_of("unknown") is None


def test_the_first_inference_table_infers() -> None:
    assert Registry((ComponentCode, ShopCode, ResCode)).infer(StatusCode.NOT_FOUND) is ShopCode.GONE
    assert Registry((ComponentCode, ShopCode, ResCode)).infer(StatusCode.INTERNAL) is None
    assert (
        Registry((ComponentCode, ResCode, ShopCode)).infer(StatusCode.NOT_FOUND)
        is ResCode.NOT_FOUND
    )
    assert Registry((ComponentCode,)).infer(StatusCode.NOT_FOUND) is None
    assert Registry(()).infer(StatusCode.NOT_FOUND) is None


def test_the_inference_of_the_classroom() -> None:
    rows = {
        ResCode.BAD_REQUEST: (
            StatusCode.INVALID_ARGUMENT,
            StatusCode.FAILED_PRECONDITION,
            StatusCode.OUT_OF_RANGE,
        ),
        ResCode.UNAUTHORIZED: (StatusCode.UNAUTHENTICATED,),
        ResCode.FORBIDDEN: (StatusCode.PERMISSION_DENIED,),
        ResCode.NOT_FOUND: (StatusCode.NOT_FOUND,),
        ResCode.METHOD_NOT_ALLOWED: (StatusCode.UNIMPLEMENTED,),
        ResCode.CONFLICT: (StatusCode.ALREADY_EXISTS,),
        ResCode.SERVICE_UNAVAILABLE: (
            StatusCode.UNAVAILABLE,
            StatusCode.DEADLINE_EXCEEDED,
            StatusCode.RESOURCE_EXHAUSTED,
            StatusCode.ABORTED,
        ),
        ResCode.INTERNAL_SERVER_ERROR: (
            StatusCode.INTERNAL,
            StatusCode.UNKNOWN,
            StatusCode.DATA_LOSS,
        ),
        None: (StatusCode.OK, StatusCode.CANCELLED),
    }
    inferred = {status: code for code, statuses in rows.items() for status in statuses}
    assert {status: registry(ResCode).infer(status) for status in StatusCode} == inferred


def test_two_catalogues_must_not_share_a_domain_and_a_reason() -> None:
    said = (
        r"^ShopCode\.GONE and SameCode\.GONE share the domain 'shop.example.com' and the reason "
        r"'GONE': "
    )
    with pytest.raises(
        ValueError,
        match=said + "a reader could not tell them apart; give one catalogue another domain$",
    ):
        registry(ShopCode, SameCode)
    assert registry(ShopCode, MoreCode, ShopCode).catalogues == (ShopCode, MoreCode)


@pytest.mark.parametrize(
    "wrong", [None, 5, "ResCode", ErrorCode, Exception, ResCode.NOT_FOUND, [ResCode]], ids=repr
)
def test_what_is_no_catalogue_is_refused(wrong: Any) -> None:
    for refuses in (as_catalogue, registry, fallback_of, lambda catalogue: Registry((catalogue,))):
        with pytest.raises(
            TypeError,
            match=r"is no catalogue: give a subclass of errgrpc.ErrorCode such as errgrpc.ResCode",
        ):
            refuses(wrong)


def test_the_fallback_of_a_server() -> None:
    assert fallback_of(ResCode) is ResCode.INTERNAL_SERVER_ERROR
    with pytest.raises(
        ValueError,
        match="ComponentCode declares no fallback: a server needs a code for unhandled exceptions",
    ):
        fallback_of(ComponentCode)
    assert as_catalogue(ComponentCode) is ComponentCode


def test_a_registry_is_built_once() -> None:
    assert Reading.by(ResCode, ComponentCode) is Reading.by(ResCode, ComponentCode)
    assert Reading.by(ResCode, ComponentCode).registry.catalogues == (ResCode, ComponentCode)
    assert Reading.by() is not Reading.by(ResCode)
