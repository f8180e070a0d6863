"""accept-language -> locale, as in RFC 9110 section 12.5.4 and RFC 4647 section 3.4."""

import re
import string
from fractions import Fraction
from typing import Any

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import locales
from errgrpc.scripts import LIKELY

BOTH = ("zh-CN", "en-US")
CHINESE = "zh-CN"


def plain(value: object) -> str:
    """A test's id, without characters on which some test tools fail."""
    return re.sub("[^0-9a-zA-Z]+", "_", ascii(value))


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        # Exact, in any case.
        ("zh-CN", "zh-CN"),
        ("en-US", "en-US"),
        ("EN-us", "en-US"),
        # Lookup: subtags are cut off from the end.
        ("en-US-x-twain", "en-US"),
        # Lookup finds nothing: the first of the same language.
        ("en", "en-US"),
        ("en-GB", "en-US"),
        ("zh", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("e", "zh-CN"),
        ("eng", "zh-CN"),
        # By weight; of equals, the first.
        ("zh;q=0.3, en;q=0.7", "en-US"),
        ("zh, en", "zh-CN"),
        ("en, zh", "en-US"),
        ("zh;q=0.5, en;q=0.5", "zh-CN"),
        ("zh;q=0.501, en;q=0.502", "en-US"),
        ("fr, de;q=0.9, en;q=0.1", "en-US"),
        ("en;q=1., zh;q=0.", "en-US"),
        ("zh;q=0.999, en;q=1.000", "en-US"),
        ("en ; q=0.9 , zh\t;\tQ=0.8", "en-US"),
        ("en;q=1.0, zh", "en-US"),
        # Nothing fits, or no language is asked for.
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("fr", "zh-CN"),
        ("*", "zh-CN"),
        ("*, en;q=0.1", "en-US"),
        ("*;q=0", "zh-CN"),
        ("fr, *;q=0", "zh-CN"),
        # q=0 excludes a language, a locale, or all others.
        ("zh;q=0", "en-US"),
        ("zh-CN;q=0", "en-US"),
        ("zh-CN;q=0.000", "en-US"),
        ("zh-CN;q=0, zh", "en-US"),
        ("zh-CN;q=0, fr", "en-US"),
        ("zh;q=0, zh-CN", "zh-CN"),
        ("en;q=0, en-US;q=0.1", "en-US"),
        ("en-US;q=0, en-GB, zh;q=0.1", "zh-CN"),
        ("zh;q=0, en;q=0", "zh-CN"),
        ("zh;q=0, zh;q=1", "en-US"),  # given twice: the first counts
        ("z;q=0, c-n;q=0", "zh-CN"),
        ("zh-C;q=0", "zh-CN"),
        # Broken elements count as absent.
        ("en;q=2", "zh-CN"),
        ("en;q=-1", "zh-CN"),
        ("en;q=1.1", "zh-CN"),
        ("en;q=1.0000", "zh-CN"),
        ("en;q=0.1234", "zh-CN"),
        ("en;q=.5", "zh-CN"),
        ("en;q=", "zh-CN"),
        ("en;q", "zh-CN"),
        ("en;", "zh-CN"),
        ("en;level=1", "zh-CN"),
        ("en;q=0.5;level=1", "zh-CN"),
        ("en;q=nan", "zh-CN"),
        ("en;q=1e0", "zh-CN"),
        ("en;q=\uff11", "zh-CN"),
        ("en_US", "en-US"),
        ("en-", "zh-CN"),
        ("-en", "zh-CN"),
        ("en--US", "zh-CN"),
        ("englishes", "zh-CN"),
        ("en-USUSUSUSU", "zh-CN"),
        ("en-*", "zh-CN"),
        ("\u0435n", "zh-CN"),
        ("en\n", "zh-CN"),
        ("e n", "zh-CN"),
        (",,,", "zh-CN"),
        (";q=1", "zh-CN"),
        ("zh;q=0;, en-GB;q=5, en", "en-US"),
        (",en,", "en-US"),
        ("\ud800, en", "en-US"),
        ("en-" + "a-" * 30 + "b", "en-US"),  # 64 characters, the most that are looked up
        ("en-" + "a-" * 30 + "bb", "zh-CN"),
        ("\x00,en", "en-US"),
        ("a-" + "-".join("b" * 30) + ", en", "en-US"),
    ],
    ids=plain,
)
def test_choose(header: str | None, chosen: str) -> None:
    assert locales.choose(header, BOTH, CHINESE) == chosen


@pytest.mark.parametrize(
    ("header", "of", "default", "chosen"),
    [
        # the default is not among them, so the first is chosen
        ("fr", ("en-US", "de"), "zh-CN", "en-US"),
        ("fr", ("en-US", "de"), "", "en-US"),
        ("fr", ("en-US", "ZH-cn"), "zh-CN", "ZH-cn"),
        (None, ("en-US", "zh-CN"), "zh-CN", "zh-CN"),
        ("en", (), "zh-CN", None),
        (None, (), "", None),
        ("zh-TW", ("en", "zh-CN", "zh-HK"), "en", "zh-HK"),  # the first of the language and script
        ("zh-HK", ("zh-CN", "zh-TW"), "zh-CN", "zh-TW"),
        ("zh-MO", ("zh-CN", "zh-TW"), "zh-CN", "zh-TW"),
        ("zh-Hant-TW", ("zh-CN", "zh-TW"), "zh-CN", "zh-TW"),
        ("zh-Hant", ("zh-CN", "zh-TW", "zh-HK"), "zh-CN", "zh-TW"),
        ("zh-CN", ("zh-Hant", "zh-Hans"), "zh-Hant", "zh-Hans"),
        ("zh", ("zh-TW", "zh-CN"), "en", "zh-CN"),
        ("zh-SG", ("zh-TW", "zh-CN"), "en", "zh-CN"),
        ("zh-MY", ("zh-TW", "zh-CN"), "en", "zh-CN"),
        ("zh_HK", ("zh-CN", "zh-TW"), "zh-CN", "zh-TW"),
        ("en_US, zh;q=0.1", ("zh-CN", "en-US"), "zh-CN", "en-US"),
        ("sr-ME", ("sr", "sr-Latn"), "sr", "sr-Latn"),
        ("sr", ("sr-Latn", "sr-Cyrl"), "sr-Latn", "sr-Cyrl"),
        ("zh-TW", ("zh-CN", "en"), "en", "zh-CN"),  # there is no other Chinese
        ("de-CH-1996", ("en", "de-DE"), "en", "de-DE"),
        ("en-x-hant", ("zh-TW", "en"), "zh-TW", "en"),
        ("zh-Hant-TW", ("zh-CN", "zh-Hant"), "en", "zh-Hant"),  # lookup wins over the language
        ("zh-TW", ("zh-CN", "zh"), "en", "zh"),
        ("zh-Hant-HK", ("zh-CN", "zh-Hant-TW"), "en", "zh-Hant-TW"),
        ("zh-CN;q=0, zh-TW", ("zh-CN", "zh-HK"), "zh-CN", "zh-HK"),
        ("zh-CN;q=0", ("zh-CN", "de", "en"), "zh-CN", "de"),
        ("zh-Hans;q=0", ("zh-Hans-CN", "en"), "zh-Hans-CN", "en"),
        ("zh-Hans;q=0, zh-Hans-CN;q=0.1", ("zh-Hans-CN", "en"), "en", "zh-Hans-CN"),
        ("und", ("und",), "und", "und"),
        ("zh;q=0, en;q=0", ("en-US", "zh-CN"), "zh-CN", "zh-CN"),
        ("zh-TW", ("en", "zh-Hans-CN"), "en", "zh-Hans-CN"),
    ],
    ids=plain,
)
def test_choose_of_other_locales(
    header: str | None, of: tuple[str, ...], default: str, chosen: str | None
) -> None:
    assert locales.choose(header, of, default) == chosen
    assert locales.choose(header, dict.fromkeys(of, "a text"), default) == chosen


# A second implementation, slow and letter by letter.


def _parsed(header: str) -> list[tuple[str, Fraction]]:
    found = []
    for element in header.replace("_", "-").split(","):
        tag, semicolon, weight = element.partition(";")
        tag, weight = tag.strip(" \t").lower(), weight.lstrip(" \t")
        subtags = tag.split("-")
        alphabet = string.ascii_lowercase + string.digits
        well_formed = tag == "*" or (
            all(1 <= len(subtag) <= 8 and set(subtag) <= set(alphabet) for subtag in subtags)
            and set(subtags[0]) <= set(string.ascii_lowercase)
        )
        digits = weight[2:].rstrip(" \t")
        if semicolon:
            whole, _, decimals = digits.partition(".")
            well_formed &= (
                weight[:2] in {"q=", "Q="}
                and whole in {"0", "1"}
                and len(decimals) <= 3
                and set(decimals) <= set(string.digits)
            )
            well_formed &= whole != "1" or set(decimals) <= {"0"}
        if well_formed and len(tag) <= 64:
            found.append(
                (
                    tag,
                    Fraction(digits + "0" if digits.endswith(".") else digits)
                    if semicolon
                    else Fraction(1),
                )
            )
    return found


def _prefixes(tag: str) -> list[str]:
    subtags = tag.split("-")
    return ["-".join(subtags[:count]) for count in range(len(subtags), 0, -1)]


def _script_of(tag: str) -> str:
    """The script by CLDR, from the library that has its data."""
    subtags = re.split("-[a-z0-9]-", tag.lower() + "-", maxsplit=1)[0].rstrip("-").split("-")
    named = [subtag for subtag in subtags[1:] if len(subtag) == 4 and subtag.isalpha()]
    regions = [subtag for subtag in subtags[1:] if re.fullmatch("[a-z0-9]{2}|[0-9]{3}", subtag)]
    likely = get_global("likely_subtags")
    for key in (*(f"{subtags[0]}_{region.upper()}" for region in regions[:1]), subtags[0]):
        if not named and key in likely:
            named = [likely[key].split("_")[1].lower()]
    return named[0] if named else ""


def _reference(header: str | None, of: tuple[str, ...], default: str) -> str | None:
    ranges = _parsed(header or "")

    def excluded(locale: str) -> bool:
        said = [
            weight
            for prefix in _prefixes(locale.lower())
            for tag, weight in ranges
            if tag == prefix
        ]
        return bool(said) and said[0] == 0

    rest = [locale for locale in of if not excluded(locale)] or list(of)
    weights = sorted({weight for _, weight in ranges if weight}, reverse=True)
    for tag in (tag for wanted in weights for tag, weight in ranges if weight == wanted):
        own = [
            locale
            for locale in rest
            if (locale.lower().split("-")[0], _script_of(locale))
            == (tag.split("-")[0], _script_of(tag))
        ]
        for prefix in _prefixes(tag):
            for locale in own:
                if locale.lower() == prefix:
                    return locale
        if own:
            return own[0]
        for prefix in _prefixes(tag):
            for locale in rest:
                if locale.lower() == prefix:
                    return locale
        for locale in rest:
            if tag.split("-")[0] == locale.lower().split("-")[0]:
                return locale
    for locale in rest:
        if locale.lower() == default.lower():
            return locale
    return rest[0] if rest else None


TAGS = [
    "zh-CN",
    "zh-TW",
    "zh-Hant",
    "zh-HK",
    "sr",
    "sr-ME",
    "sr-Latn",
    "zh-Hans-CN",
    "zh-Hans",
    "zh",
    "en-US",
    "en-GB",
    "en",
    "de",
    "de-x-a",
]
OPTIONAL = [" ", "\t", ""]
RANGES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(OPTIONAL),
        st.sampled_from(
            [
                *TAGS,
                "*",
                "fr",
                "ZH-cn",
                "zh_CN",
                "zh-",
                "en-US-x-a",
                "z" * 9,
                "\u00e9",
                "zh-" + "a-" * 29 + "b",
                "zh-" + "a-" * 31 + "b",
            ]
        ),
        st.sampled_from(OPTIONAL),
        st.sampled_from(
            [
                "",
                "",
                ";q=0",
                ";q=0.5",
                ";q=0.50",
                ";Q=1",
                "; q=0.3 ",
                ";q=0.001",
                ";q=1.000",
                ";q=0.",
                ";q=2",
                ";q=x",
                ";",
                ";a=b",
            ]
        ),
    ),
)
HEADERS = st.none() | st.lists(RANGES, max_size=6).map(",".join)
LOCALES = st.lists(st.sampled_from(TAGS), unique=True, max_size=5).map(tuple)


@given(HEADERS, LOCALES, st.sampled_from(["", *TAGS]))
def test_choose_as_a_slower_reference_does(
    header: str | None, of: tuple[str, ...], default: str
) -> None:
    assert locales.choose(header, of, default) == _reference(header, of, default)


@given(st.text() | st.text("ezhnUSq=;,. \t-*01"), LOCALES, st.sampled_from(["", *TAGS]))
def test_choose_takes_any_text(header: str, of: tuple[str, ...], default: str) -> None:
    chosen = locales.choose(header, of, default)
    assert chosen == _reference(header, of, default)
    assert (chosen is None) == (not of)


@pytest.mark.parametrize(
    "header",
    [
        "fr;q=0.5," * 1_000 + "en",
        ",".join(f"a{chr(97 + number % 26)}-{number}" for number in range(1_000)) + ",en",
        "," * 8_192 + "en",
        " " * 8_192 + "en",
        "en" + " " * 8_192,
        "en" + "\t" * 4_096 + ";" + " " * 4_096 + "q=1",
        "en-" + "a-" * 4_096 + "a, en",
        "*," * 4_096 + "en",
        "zh;q=0," * 1_000 + "en",
    ],
    ids=lambda header: plain(header[:12]),
)
def test_long_headers(header: str) -> None:
    assert locales.choose(header, BOTH, CHINESE) == "en-US"
    assert (
        locales.choose(
            header,
            [f"{language}-US" for language in ("zh", "en", *(f"qq-x-{n}" for n in range(300)))],
            CHINESE,
        )
        == "en-US"
    )


def test_the_memo_is_bounded() -> None:
    memo = locales._choose_memo
    memo.cache_clear()
    for number in range(2_000):
        locales.choose(f"en-x-{number}", BOTH, CHINESE)
    info = memo.cache_info()
    assert info.currsize == info.maxsize == 512
    memo.cache_clear()
    locales.choose("en" + " " * 126, BOTH, CHINESE)
    assert memo.cache_info().currsize == 1
    locales.choose("en" + " " * 127, BOTH, CHINESE)
    assert memo.cache_info().currsize == 1
    locales.choose(None, BOTH, CHINESE)
    assert memo.cache_info().currsize == 2


@pytest.mark.parametrize(
    ("metadata", "header"),
    [
        ([("accept-language", "en")], "en"),
        ([("grpcgateway-accept-language", "en")], "en"),
        ([("grpcgateway-accept-language", "zh"), ("accept-language", "en")], "en"),
        ([("accept-language", ";;;"), ("grpcgateway-accept-language", "zh")], "zh"),
        ([("accept-language", ";;;"), ("grpcgateway-accept-language", ";")], ";"),
        ([("accept-language", ";;;")], ";;;"),  # `choose` treats it as absent
        ([("accept-language", "")], None),
        ([("accept-language", ""), ("grpcgateway-accept-language", "zh")], "zh"),
        ([("accept-language", "*"), ("grpcgateway-accept-language", "zh")], "*"),
        # RFC 9110 section 5.2: they form one list
        ([("accept-language", "fr"), ("accept-language", "en")], "fr,en"),
        ([("accept-language", b"en"), ("other", "x")], None),
        ([("accept-language", b"en"), ("accept-language", "zh")], "zh"),
        ([("x-accept-language", "en"), ("other", b"x")], None),
        ([], None),
        (None, None),
    ],
    ids=plain,
)
def test_requested(metadata: list[tuple[str, Any]] | None, header: str | None) -> None:
    assert locales.requested(metadata) == header


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["accept-language", "grpcgateway-accept-language", "x"]),
            st.text() | st.binary(),
        )
    )
)
def test_requested_takes_any_metadata(metadata: list[tuple[str, str | bytes]]) -> None:
    header = locales.requested(metadata)
    assert header is None or header
    assert locales.choose(header, BOTH, CHINESE) in BOTH


@pytest.mark.parametrize(
    "tag",
    [
        *TAGS,
        "und",
        "yue",
        "zh-yue-HK",
        "zh-min-nan-Hant-CN",
        "sl-rozaj-biske-nedis",
        "de-CH-1901",
        "es-419",
        "abcd",
        "abcdefgh",
        "en-a-bbb-x-a-ccc",
        "en-x-1",
        "EN-us",
    ],
    ids=plain,
)
def test_language_tags(tag: str) -> None:
    assert locales.is_language_tag(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "e",
        "zh_CN",
        "zh-",
        "-zh",
        "zh--CN",
        "zh-CN ",
        "zh-CN\n",
        "*",
        "zh-C",
        "zh-x",
        "en-a",
        "abcdefghi",
        "zh-CN-DE",
        "1a",
        "\u00e9n",
        "en-x-123456789",
        5,
        None,
        b"en",
    ],
    ids=plain,
)
def test_what_is_no_language_tag(tag: object) -> None:
    assert not locales.is_language_tag(tag)


@pytest.mark.parametrize("value", ["zh-CN", "zh-CN, en;q=0.5", "*", "en ;q=1.0,*;q=0"], ids=plain)
def test_whole_accept_language_values(value: str) -> None:
    assert locales.is_accept_language(value)


@pytest.mark.parametrize(
    "value", ["", "zh_CN", "zh-CN,", "en;q=2", "en\nx: y", "en,\u00e9", 5, None, b"en"], ids=plain
)
def test_what_is_no_accept_language(value: object) -> None:
    assert not locales.is_accept_language(value)


def test_the_table_of_scripts_is_cldr_s() -> None:
    named: dict[str, set[str]] = {}
    unnamed: dict[str, dict[str, str]] = {}
    for key, value in get_global("likely_subtags").items():
        language, *rest = key.split("_")
        if language == "und" or value.count("_") == 0:
            continue
        script = value.split("_")[1].lower()
        named.setdefault(language, set()).add(script)
        if not any(len(part) == 4 for part in rest):
            unnamed.setdefault(language, {})["-".join([language, *rest]).lower()] = script
    expected: dict[str, str] = {}
    for language in sorted(named):
        tags = unnamed.get(language, {})
        if len(named[language]) > 1 and language in tags:
            expected[language] = tags[language]
            expected |= {
                tag: script for tag, script in sorted(tags.items()) if script != tags[language]
            }
    assert dict(LIKELY) == expected
    assert list(LIKELY) == list(expected)
