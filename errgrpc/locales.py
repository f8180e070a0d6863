"""Chooses the locale that fits the `accept-language` of a caller.

See RFC 9110 section 12.5.4 and RFC 4647 section 3.4.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any

from errgrpc.scripts import LIKELY

__all__ = ["choose", "is_accept_language", "is_language_tag", "requested"]

ACCEPT_LANGUAGE = "accept-language"
# grpc-gateway forwards the header of the browser under this name.
GATEWAY_ACCEPT_LANGUAGE = "grpcgateway-accept-language"
_HEADERS = (ACCEPT_LANGUAGE, GATEWAY_ACCEPT_LANGUAGE)
Metadata = Iterable[tuple[str, str | bytes]]


# RFC 5646 section 2.1, without grandfathered tags: language, extlang, script, region, variants,
# extensions, private use.
_LANGUAGE_TAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)
# One element of the header: a basic language range or `*`, and a weight of at most three decimals.
_RANGE = re.compile(
    r"[ \t]*(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)[ \t]*"
    r"(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?",
    re.IGNORECASE | re.ASCII,
)
# Characters. The longest registered tags have about 35, and a lookup is quadratic in the length.
_LONGEST_RANGE = 64
# Characters. Real headers are shorter. A hostile peer must not fill the cache with long ones.
_LONGEST_MEMO = 128


def is_language_tag(tag: Any) -> bool:
    """Tells whether `tag` is a well-formed BCP 47 language tag such as `zh-CN` (not `zh_CN`)."""
    return issubclass(type(tag), str) and _LANGUAGE_TAG.fullmatch(tag) is not None


def is_accept_language(value: object) -> bool:
    """Tells whether `value` is a language tag or a whole valid `accept-language` header."""
    return isinstance(value, str) and all(_RANGE.fullmatch(element) for element in value.split(","))


def requested(metadata: Metadata | None) -> str | None:
    """Returns the header by which a request asks for a language, or None.

    The header of grpc-gateway is used only if `accept-language` has no readable range.
    """
    asked: dict[str, str] = {}
    try:
        for name, value in metadata or ():
            if name in _HEADERS and isinstance(value, str):
                asked[name] = f"{asked[name]},{value}" if name in asked else value
    except (TypeError, ValueError):
        # Another interceptor made the metadata invalid. The error of the call matters more than its
        # language.
        pass
    language = asked.get(ACCEPT_LANGUAGE)
    if GATEWAY_ACCEPT_LANGUAGE in asked and (
        language is None or next(_parse(language), None) is None
    ):
        language = asked[GATEWAY_ACCEPT_LANGUAGE]
    return language or None


def choose(accept_language: str | None, locales: Collection[str], default: str) -> str | None:
    """Returns the locale that fits the header best.

    If none fits, it is `default`. If that is not among `locales`, it is the first of them. Broken
    ranges are ignored. If `*;q=0` excludes all, a text is still chosen. It is None only if
    `locales` is empty.
    """
    if accept_language is not None and len(accept_language) > _LONGEST_MEMO:
        return _choose(accept_language, tuple(locales), default)
    return _choose_memo(accept_language, tuple(locales), default)


def _choose(accept_language: str | None, locales: tuple[str, ...], default: str) -> str | None:
    ranges = list(_parse(accept_language)) if accept_language else []
    weights: dict[str, float] = {}
    for tag, weight in ranges:
        weights.setdefault(tag, weight)
    wanted = {
        locale.lower(): locale for locale in locales if not _excluded(locale.lower(), weights)
    }
    if not wanted:  # all are excluded, but the default is better than nothing
        wanted = {locale.lower(): locale for locale in locales}
    # the first locale of each language
    languages = {locale.partition("-")[0]: wanted[locale] for locale in reversed(wanted)}
    for tag, weight in sorted(ranges, key=lambda item: -item[1]):
        if weight > 0 and (
            found := _in_script(tag, wanted)
            or _lookup(tag, wanted)
            or languages.get(tag.partition("-")[0])
        ):
            return found
    return wanted.get(default.lower()) or next(iter(wanted.values()), None)


_choose_memo = lru_cache(maxsize=512)(_choose)  # nearly all requests share a few headers


def _parse(header: str) -> Iterator[tuple[str, float]]:
    """Yields the well-formed ranges of a header in lower case, with their weights.

    `_` counts as `-`.
    """
    for element in header.replace("_", "-").split(","):
        if (match := _RANGE.fullmatch(element)) and len(match[1]) <= _LONGEST_RANGE:
            yield match[1].lower(), float(match[2] or 1)


def _excluded(locale: str, weights: dict[str, float]) -> bool:
    """Tells whether the longest range that `locale` starts with has the weight 0."""
    while locale:
        if (weight := weights.get(locale)) is not None:
            return weight == 0
        locale = locale.rpartition("-")[0]
    return False


def _in_script(tag: str, wanted: dict[str, str]) -> str | None:
    """Returns the locale that fits a tag best among those of its language and script, or None."""
    language, script = tag.partition("-")[0], _script(tag)
    own = {
        locale: name
        for locale, name in wanted.items()
        if locale.partition("-")[0] == language and _script(locale) == script
    }
    return _lookup(tag, own) or next(iter(own.values()), None)


def _script(tag: str) -> str | None:
    """Returns the script that a tag in lower case names, or the likely one.

    It is None for a language with a single script.
    """
    language, *subtags = tag.split("-")
    region = ""
    for subtag in subtags:
        if len(subtag) == 4 and subtag.isalpha():
            return subtag
        if len(subtag) == 1:  # an extension, or private use
            break
        if not region and (len(subtag) == 2 or (len(subtag) == 3 and subtag.isdecimal())):
            region = subtag
    return LIKELY.get(f"{language}-{region}") or LIKELY.get(language)


def _lookup(tag: str, wanted: dict[str, str]) -> str | None:
    """Looks up a tag as RFC 4647 says. It finds no zh-CN for zh or zh-TW."""
    while tag:
        if tag in wanted:
            return wanted[tag]
        tag = tag.rpartition("-")[0]
    return None
