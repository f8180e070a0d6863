"""The reference as one HTML file, which needs neither network nor JavaScript to be read."""

import hashlib
import re
import unicodedata
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from errgrpc.cli.page.content import more, pretty
from errgrpc.cli.page.words import WORDS
from errgrpc.locales import choose

__all__ = ["html"]

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_KINDS = {
    "OK": "fine",
    **dict.fromkeys(("UNAUTHENTICATED", "PERMISSION_DENIED"), "access"),
    **dict.fromkeys(
        ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
        "server",
    ),
}
_SCRIPTS = (
    ("ko", "[\uac00-\ud7af]"),
    ("ja", "[\u3040-\u30ff]"),
    ("zh", "[\u4e00-\u9fff]"),
    ("", "[^\x00-\u024f\u2000-\u206f]"),
)


def html(known: Mapping[str, Any]) -> str:
    """The page. Its style and script are the only ones that it allows; all that a catalogue says is escaped."""
    codes = [code for catalogue in known["catalogues"] for code in catalogue["codes"]]
    locales = _locales(known)
    files_of_page = files("errgrpc.cli.page")
    style = files_of_page.joinpath("page.css").read_text(encoding="utf-8") + _shown_by_locale(
        len(locales)
    )
    script = files_of_page.joinpath("page.js").read_text(encoding="utf-8")
    text = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            known,
            count=len(codes),
            locales=locales,
            words=WORDS,
            style=Markup(style),  # noqa: S704  ours
            script=Markup(script),  # noqa: S704  ours
            style_hash=_hash(style),
            script_hash=_hash(script),
            statuses=sorted({code["grpc_status"] for code in codes if code["grpc_status"]}),
            https=sorted(
                {code["http_status"] for code in codes if code["http_status"] is not None}
            ),
            hints_of=lambda code, default: _hints(code, default, locales),
        )
    )
    return _seen(text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("errgrpc.cli.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "json": pretty,
        "kind": lambda status: _KINDS.get(status, "client"),
        "lang": _lang,
        "locale": _locale,
        "more": more,
    }
    return environment


def _locales(known: Mapping[str, Any]) -> list[str]:
    """The languages to choose from, that of the first catalogue before the others; English and Chinese are always among them."""
    found = {catalogue["default_locale"]: None for catalogue in known["catalogues"]}
    for catalogue in known["catalogues"]:
        found |= {hint["locale"]: None for code in catalogue["codes"] for hint in code["hints"]}
    tags = {tag.lower(): tag for tag in reversed(found) if _TAG.fullmatch(tag)}
    locales = list(reversed(tags.values()))
    for tag in ("en", "zh-CN"):
        if all(locale.lower().partition("-")[0] != tag[:2] for locale in locales):
            locales.append(tag)
    return locales


def _hints(code: Mapping[str, Any], default: str, locales: Sequence[str]) -> list[dict[str, str]]:
    """The hints without a condition, each with classes that say for which of the page's languages a server would choose it."""
    texts = {hint["locale"]: hint["text"] for hint in code["hints"] if not hint["when"]}
    return [
        {"locale": locale, "text": texts[locale], "classes": classes}
        for locale, classes in _chosen(tuple(texts), default, tuple(locales))
    ]


@cache
def _chosen(of: tuple[str, ...], default: str, locales: tuple[str, ...]) -> list[tuple[str, str]]:
    numbers = dict[str, list[str]]()
    for number, locale in enumerate(locales):
        if (chosen := choose(locale, of, default)) is not None:
            numbers.setdefault(chosen, []).append(f"l{number}")
    return [(locale, " ".join(classes)) for locale, classes in numbers.items()]


def _shown_by_locale(count: int) -> str:
    """Shows of each hint the one in the chosen language: numbers, as a locale of a catalogue may be any text."""
    return (
        "\n".join(
            f'[data-locale="{number}"] .hint > .l{number}' for number in range(count)
        ).replace("\n", ", ")
        + " { display: inline; }\n"
    )


@cache
def _locale(tag: str) -> Markup:
    """The attribute `lang` of a text in this locale; none if it is no tag of a language."""
    return Markup(' lang="{}"').format(tag) if _TAG.fullmatch(tag) else Markup()


def _lang(text: str) -> Markup:
    """The attribute `lang` of a text whose language is not declared, by its script, so that it is read aloud and drawn well.

    Latin letters count as English, which messages are in by convention.
    """
    return _locale(
        "en"
        if text.isascii()
        else next((tag for tag, script in _SCRIPTS if re.search(script, text)), "en")
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _seen(text: str) -> str:
    """The page without a character that no terminal or editor should get as it is.

    A reference of HTML stands for it, which a browser shows alike; for a control or a surrogate, which it refuses, U+FFFD does.
    """
    for character in set(text) - {"\n"}:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs"):
            text = text.replace(character, " " if character == "\t" else "\ufffd")
        elif category in ("Cf", "Zl", "Zp"):
            text = text.replace(character, f"&#{ord(character)};")
    return text
