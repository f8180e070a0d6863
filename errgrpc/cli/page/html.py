"""The reference as one HTML file, which can be read without a network and without JavaScript."""

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
    """Returns the page.

    It allows only its own style and script. All texts of the catalogues are escaped.
    """
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
            style=Markup(style),  # noqa: S704  errgrpc's own
            script=Markup(script),  # noqa: S704  errgrpc's own
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
    """Returns the languages of the page, with the default locale of the first catalogue first.

    English and Chinese are always among them.
    """
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
    """Returns the hints without a condition.

    Their classes name the languages of the page for which a server would choose the hint.
    """
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
    """Returns the style that shows only the hint in the chosen language.

    It names languages by number, because a locale of a catalogue may be any text.
    """
    return (
        "\n".join(
            f'[data-locale="{number}"] .hint > .l{number}' for number in range(count)
        ).replace("\n", ", ")
        + " { display: inline; }\n"
    )


@cache
def _locale(tag: str) -> Markup:
    """Returns the attribute `lang` for a locale, or nothing if it is no language tag."""
    return Markup(' lang="{}"').format(tag) if _TAG.fullmatch(tag) else Markup()


def _lang(text: str) -> Markup:
    """Returns the attribute `lang` of a text without a declared language, by its script.

    Screen readers and fonts need it. Latin letters count as English, the language of messages.
    """
    return _locale(
        "en"
        if text.isascii()
        else next((tag for tag, script in _SCRIPTS if re.search(script, text)), "en")
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _seen(text: str) -> str:
    """Replaces the characters that terminals and editors must not get.

    Format characters become character references, which a browser shows unchanged. Browsers refuse
    references of control characters and surrogates, so these become U+FFFD.
    """
    for character in set(text) - {"\n"}:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs"):
            text = text.replace(character, " " if character == "\t" else "\ufffd")
        elif category in ("Cf", "Zl", "Zp"):
            text = text.replace(character, f"&#{ord(character)};")
    return text
