"""Codes: the facts of a member, and what a catalogue refuses."""

import copy
import inspect
import pickle
import types
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import ComponentCode, ErrorCode, ResCode, Spec, Variant


class ShopCode(
    ErrorCode,
    domain="shop.example.com",
    default_locale="zh-CN",
    fallback="BROKEN",
    infer={StatusCode.NOT_FOUND: "GONE"},
):
    """The shop's."""

    GONE = (
        1,
        Spec(
            StatusCode.NOT_FOUND,
            http_status=404,
            message="Gone",
            hints={"zh-CN": "没有了", "en-US": "It is gone"},
            variants=[
                Variant({"sold": "true"}, {"zh-CN": "卖完了"}),
                Variant({"kind": "book", "sold": "true"}, {"zh-cn": "书卖完了"}),
                Variant(
                    {"kind": "book"},
                    {"zh-CN": "书没有了", "en-US": "The book is gone", "de-DE": "Das Buch ist weg"},
                ),
                Variant({"shelf": "3"}, {"en-US": "Not on shelf 3"}),
            ],
            description="The article left the shop after it was put into the cart.",
        ),
    )
    BROKEN = 2, Spec(StatusCode.INTERNAL, http_status=500, message="Broken")

    def shout(self) -> str:
        return self.message.upper()


class OtherCode(ErrorCode, domain="other.example.com"):
    GONE = 1, ShopCode.GONE.spec


def declare(
    name: str = "GONE", number: Any = 1, spec: Any = None, **options: Any
) -> type[ErrorCode]:
    """A catalogue of one code, as a class statement makes it."""
    options = {"domain": "shop.example.com"} | options
    codes = {name: (number, spec or Spec(StatusCode.NOT_FOUND))}
    return cast(
        "type[ErrorCode]",
        types.new_class("ShopCode", (ErrorCode,), options, lambda body: body.update(codes)),
    )


def test_a_member_knows_itself() -> None:
    gone = ShopCode.GONE
    assert (gone.number, int(gone), gone.value) == (1, 1, 1)
    assert (gone.reason, gone.name, gone.domain) == ("GONE", "GONE", "shop.example.com")
    assert gone.grpc_status is StatusCode.NOT_FOUND
    assert gone.http_status == 404
    assert gone.message == "Gone"
    assert (
        gone.description
        == gone.__doc__
        == "The article left the shop after it was put into the cart."
    )
    assert gone.hints == {"zh-CN": "没有了", "en-US": "It is gone"}
    assert gone.shout() == "GONE"
    assert repr(gone) == "<ShopCode.GONE: 1 NOT_FOUND>"
    assert str(gone) == "ShopCode.GONE"


def test_what_a_code_leaves_out_is_empty() -> None:
    class BareCode(ErrorCode, domain="bare.example.com"):
        NOTHING = 7, Spec(StatusCode.ABORTED)

    bare = BareCode.NOTHING
    assert (bare.http_status, bare.message, bare.description, bare.__doc__) == (None, "", "", None)
    assert bare.hints == bare.hints_for({"any": "thing"}) == {}
    assert bare.hint("zh-CN") is None
    assert (BareCode.default_locale, BareCode.fallback, BareCode.inference) == ("", None, {})


def test_a_catalogue_knows_its_options() -> None:
    assert ShopCode.domain == "shop.example.com"
    assert ShopCode.default_locale == "zh-CN"
    assert ShopCode.fallback is ShopCode.BROKEN
    assert ShopCode.inference == {StatusCode.NOT_FOUND: ShopCode.GONE}
    assert ShopCode.__doc__ == "The shop's."


def test_members_are_found_by_number_and_name_and_listed() -> None:
    assert ShopCode(1) is ShopCode["GONE"] is ShopCode.GONE
    assert list(ShopCode) == [ShopCode.GONE, ShopCode.BROKEN]
    assert len(ShopCode) == 2
    with pytest.raises(ValueError, match="3 is not a valid ShopCode"):
        ShopCode(3)
    with pytest.raises(KeyError):
        ShopCode["LOST"]


@pytest.mark.parametrize("code", [*ResCode, *ComponentCode, *ShopCode], ids=str)
def test_a_member_stays_itself(code: ErrorCode) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(code, protocol)) is code  # noqa: S301
    assert copy.copy(code) is copy.deepcopy(code) is code
    assert {code: 1}[type(code)(code.number)] == 1


def test_equal_only_to_itself() -> None:
    assert len({ShopCode.GONE, OtherCode.GONE, ShopCode(1)}) == 2
    others: list[Any] = [OtherCode.GONE, ShopCode.BROKEN, 1, "GONE"]
    assert ShopCode.GONE not in others


def test_ordered_as_declared() -> None:
    assert sorted({*ResCode}) == list(ResCode)
    assert ShopCode.GONE < ShopCode.BROKEN
    assert ShopCode.BROKEN > ShopCode.GONE
    assert ShopCode.GONE <= ShopCode.GONE >= ShopCode.GONE
    assert ShopCode.GONE <= ShopCode.BROKEN >= ShopCode.GONE
    assert [
        ShopCode.GONE < ShopCode.GONE,
        ShopCode.BROKEN <= ShopCode.GONE,
        ShopCode.GONE >= ShopCode.BROKEN,
    ] == [False] * 3
    assert ComponentCode.IM_LOGIN_ERROR < ComponentCode.RTC_INIT_ERROR
    assert max(ShopCode) is ShopCode.BROKEN
    others: list[Any] = [OtherCode.GONE, 5, None]
    for other in others:
        with pytest.raises(TypeError):
            assert other > ShopCode.GONE
        with pytest.raises(TypeError):
            assert other >= ShopCode.GONE


def test_match() -> None:
    def what(code: ErrorCode) -> str:
        match code:
            case OtherCode.GONE:
                return "other"
            case ShopCode.GONE:
                return "gone"
            case _:
                return "?"

    assert [what(code) for code in (ShopCode.GONE, OtherCode.GONE, ShopCode.BROKEN)] == [
        "gone",
        "other",
        "?",
    ]


def test_values_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ShopCode.GONE.hints["zh-CN"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        ShopCode.inference[StatusCode.ABORTED] = ShopCode.GONE  # type: ignore[index]
    with pytest.raises(AttributeError):
        ShopCode.GONE.number = 5  # type: ignore[misc]
    given = {"en-US": "first"}
    spec = Spec(StatusCode.NOT_FOUND, hints=given)
    given["en-US"] = "second"
    assert spec.hints == {"en-US": "first"}


@pytest.mark.parametrize(
    ("metadata", "chinese", "english"),
    [
        ({}, "没有了", "It is gone"),
        ({"sold": "false", "kind": "pen"}, "没有了", "It is gone"),
        ({"sold": "true", "more": "x"}, "卖完了", "It is gone"),
        ({"kind": "book"}, "书没有了", "The book is gone"),
        (
            {"kind": "book", "sold": "true"},
            "书卖完了",
            "The book is gone",
        ),  # the most entries win
        (
            {"kind": "book", "shelf": "3"},
            "书没有了",
            "The book is gone",
        ),  # of equals, the first wins
        ({"shelf": "3"}, "没有了", "Not on shelf 3"),
    ],
)
def test_metadata_choose_the_variant(metadata: dict[str, str], chinese: str, english: str) -> None:
    assert ShopCode.GONE.hint("zh-CN", metadata) == ShopCode.GONE.hint(None, metadata) == chinese
    assert ShopCode.GONE.hint("fr, en-GB;q=0.8, zh;q=0.3", metadata) == english


def test_a_variant_may_have_a_locale_of_its_own() -> None:
    assert ShopCode.GONE.hint("de", {"kind": "book"}) == "Das Buch ist weg"
    assert ShopCode.GONE.hint("de") == "没有了"


def test_the_codes_of_the_classroom_choose_by_metadata() -> None:
    code = ComponentCode.IM_LOGIN_ERROR
    assert [code.hint("zh-CN"), code.hint("en")] == ["IM登录失败", "IM login error"]
    reused = {"im_reused": "true"}
    assert [code.hint("zh-CN", reused), code.hint("en", reused)] == [
        "复用IM时，请先登录IM",
        "Log in to IM first when IM is reused",
    ]
    assert code.hint("zh-CN", {"im_reused": "false"}) == "IM登录失败"


SURROGATE = "\ud800"


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda: Spec(5), TypeError, "grpc_status is 5, not a grpc.StatusCode"),  # type: ignore[arg-type]
        (
            lambda: Spec(StatusCode.OK, http_status=99),
            ValueError,
            "http_status is 99, not None or an int from 100 to 599",
        ),
        (lambda: Spec(StatusCode.OK, http_status=600), ValueError, "http_status is 600"),
        (lambda: Spec(StatusCode.OK, http_status=True), ValueError, "http_status is True"),
        (lambda: Spec(StatusCode.OK, message=5), TypeError, "message is 5, not a str"),  # type: ignore[arg-type]
        (
            lambda: Spec(StatusCode.OK, message=SURROGATE),
            ValueError,
            r"message is '\\ud800', which has a lone surrogate",
        ),
        (lambda: Spec(StatusCode.OK, description=b""), TypeError, "description is b'', not a str"),  # type: ignore[arg-type]
        (
            lambda: Spec(StatusCode.OK, hints="x"),  # type: ignore[arg-type]
            TypeError,
            "hints is 'x', not a mapping of str to str",
        ),
        (lambda: Spec(StatusCode.OK, hints={5: "x"}), TypeError, "a key of hints is 5, not a str"),  # type: ignore[dict-item]
        (lambda: Spec(StatusCode.OK, hints={"en": 5}), TypeError, r"hints\['en'\] is 5, not a str"),  # type: ignore[dict-item]
        (
            lambda: Spec(StatusCode.OK, hints={"en": SURROGATE}),
            ValueError,
            r"hints\['en'\] is '\\ud800'",
        ),
        (
            lambda: Spec(StatusCode.OK, hints={"zh_CN": "x"}),
            ValueError,
            "hints has the locale 'zh_CN', not a BCP 47 language tag",
        ),
        (
            lambda: Spec(StatusCode.OK, hints={"en": "a", "EN": "b"}),
            ValueError,
            "hints has the locale 'EN' twice",
        ),
        (
            lambda: Spec(StatusCode.OK, hints={"en": ""}),
            ValueError,
            "hints has no text for the locale 'en'",
        ),
        (
            lambda: Spec(StatusCode.OK, variants=["x"]),  # type: ignore[list-item]
            TypeError,
            "variants holds 'x', not an errgrpc.Variant",
        ),
        (
            lambda: Spec(
                StatusCode.OK,
                variants=[Variant({"aa": "b"}, {"en": "1"}), Variant({"aa": "b"}, {"EN": "2"})],
            ),
            ValueError,
            "variants has 'EN' twice for {'aa': 'b'}",
        ),
        (lambda: Variant({}, {"en": "1"}), ValueError, "Variant.when is empty"),
        (lambda: Variant({"aa": 5}, {}), TypeError, r"Variant.when\['aa'\] is 5"),  # type: ignore[dict-item]
        (lambda: Variant({"aa": "b"}, {"e": "1"}), ValueError, "Variant.hints has the locale 'e'"),
    ],
)
def test_a_wrong_spec_is_refused(
    make: Callable[[], object], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        make()


def test_the_ends_of_each_range_are_taken() -> None:
    assert Spec(StatusCode.OK, http_status=100).http_status == 100
    assert Spec(StatusCode.OK, http_status=599).http_status == 599
    assert declare(number=2**31 - 1)(2**31 - 1).number == 2**31 - 1
    assert declare(number=-(2**31))(-(2**31)).number == -(2**31)
    assert declare(name="A" * 63)["A" * 63].reason == "A" * 63
    assert declare(domain="d" * 255).domain == "d" * 255
    assert declare(number=0, spec=Spec(StatusCode.OK))(0).grpc_status is StatusCode.OK
    same_when_other_locale = [
        Variant({"aa": "b"}, {"en": "1"}),
        Variant({"aa": "b"}, {"de": "2"}),
        Variant({"aa": "c"}, {"en": "3"}),
    ]
    assert len(Spec(StatusCode.OK, variants=same_when_other_locale).variants) == 3


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        (
            {"number": "1"},
            TypeError,
            "the number is '1', not an int of 32 bits: declare `NAME = number, Spec",
        ),
        ({"number": True}, TypeError, "the number is True"),
        ({"number": 2**31}, TypeError, "the number is 2147483648"),
        ({"number": -(2**31) - 1}, TypeError, "the number is -2147483649"),
        ({"spec": "x"}, TypeError, "ShopCode 1 has 'x' for its Spec"),
        ({"name": "gone"}, ValueError, "gone is no reason: AIP-193 asks for"),
        ({"name": "GO"}, ValueError, "GO is no reason"),
        ({"name": "GONE_"}, ValueError, "GONE_ is no reason"),
        (
            {"name": "A" * 64},
            ValueError,
            "is no reason: AIP-193 asks for .* of at most 63 characters",
        ),
        ({"spec": Spec(StatusCode.OK)}, ValueError, r"GONE \(1\) is OK: only the number 0 may be"),
        (
            {"domain": ""},
            ValueError,
            "domain is '', not 1 to 255 printable ASCII characters without spaces",
        ),
        ({"domain": "a b"}, ValueError, "domain is 'a b'"),
        ({"domain": "é"}, ValueError, "domain is 'é'"),
        ({"domain": "d" * 256}, ValueError, "domain is 'd"),
        ({"domain": 5}, ValueError, "domain is 5"),
        (
            {"default_locale": "zh_CN"},
            ValueError,
            "default_locale is 'zh_CN', not a BCP 47 language tag",
        ),
        (
            {"fallback": "LOST"},
            ValueError,
            "fallback names 'LOST': give the reason of an error of ShopCode",
        ),
        (
            {"name": "FINE", "number": 0, "spec": Spec(StatusCode.OK), "fallback": "FINE"},
            ValueError,
            "fallback names 'FINE'",
        ),
        (
            {"infer": {StatusCode.ABORTED: "LOST"}},
            ValueError,
            r"infer\[StatusCode.ABORTED\] names 'LOST'",
        ),
        (
            {"infer": {StatusCode.OK: "GONE"}},
            ValueError,
            "infer has the key <StatusCode.OK: .*>, not a grpc.StatusCode of a failure",
        ),
        ({"infer": {5: "GONE"}}, ValueError, "infer has the key 5"),
        ({"unknown": 1}, TypeError, "takes no keyword arguments"),
    ],
    ids=str,
)
def test_a_wrong_catalogue_is_refused(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        declare(**options)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(
        ValueError,
        match=r"ShopCode: gone is no reason.*; domain is ''.*; default_locale is 'e'.*; "
        r"fallback names 'X'",
    ):
        declare(name="gone", domain="", default_locale="e", fallback="X")


def test_a_catalogue_needs_a_domain_and_a_code_its_spec() -> None:
    with pytest.raises(TypeError, match="domain"):

        class NoDomain(ErrorCode):
            GONE = 1, Spec(StatusCode.NOT_FOUND)

    with pytest.raises(TypeError, match="BareCode 1 has None for its Spec"):

        class BareCode(ErrorCode, domain="bare.example.com"):
            GONE = 1


def test_a_number_stands_once() -> None:
    with pytest.raises(
        ValueError,
        match=r"^TwiceCode: GONE and LOST have the same number, 1: give each code its own$",
    ):

        class TwiceCode(ErrorCode, domain="twice.example.com"):
            GONE = 1, Spec(StatusCode.NOT_FOUND)
            LOST = 1, Spec(StatusCode.NOT_FOUND)


def test_catalogues_may_share_a_base_with_methods() -> None:
    class TeamCode(ErrorCode, domain="team.example.com"):
        def is_ours(self) -> bool:
            return self.domain.endswith("team.example.com")

    class DeskCode(TeamCode, domain="desk.team.example.com"):
        LOCKED = 5, Spec(StatusCode.ABORTED)

    assert DeskCode.LOCKED.is_ours()
    assert DeskCode.LOCKED.domain == "desk.team.example.com"
    assert issubclass(DeskCode, Enum)


def test_ten_thousand_codes() -> None:
    options: dict[str, Any] = {"domain": "many.example.com", "fallback": "CODE_9999"}
    specs = (
        Spec(StatusCode.ABORTED, message=f"Code {number}", hints={"en": f"{number}"})
        for number in range(10_000)
    )
    codes = {f"CODE_{number:04}": (number, spec) for number, spec in enumerate(specs)}
    many: Any = types.new_class("ManyCode", (ErrorCode,), options, lambda body: body.update(codes))
    assert len(many) == 10_000
    assert many(1234).reason == "CODE_1234"
    assert sorted({*many}) == list(many)


@given(
    st.dictionaries(
        st.sampled_from(["sold", "kind", "shelf"]), st.sampled_from(["true", "book", "3"])
    )
)
def test_the_variant_with_the_most_entries_wins_locale_by_locale(metadata: dict[str, str]) -> None:
    hints = {locale.lower(): text for locale, text in ShopCode.GONE.hints_for(metadata).items()}
    for locale in ("zh-cn", "en-us", "de-de"):
        best, text = (
            -1,
            {key.lower(): value for key, value in ShopCode.GONE.hints.items()}.get(locale),
        )
        for variant in ShopCode.GONE.spec.variants:
            own = {key.lower(): value for key, value in variant.hints.items()}
            if (
                locale in own
                and len(variant.when) > best
                and all(metadata.get(key) == value for key, value in variant.when.items())
            ):
                best, text = len(variant.when), own[locale]
        assert hints.get(locale) == text


def test_the_generated_catalogues_declare_as_by_hand() -> None:
    for catalogue in (ResCode, ComponentCode):
        assert issubclass(catalogue, ErrorCode)
        assert inspect.getdoc(catalogue)
        assert catalogue.default_locale == "zh-CN"
