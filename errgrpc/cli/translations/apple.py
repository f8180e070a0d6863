"""Apple's Localizable.strings, and the string catalogue of Xcode 15 and later (.xcstrings)."""

import json
import re
from collections.abc import Sequence
from typing import Any

from errgrpc.cli.translations.placeholders import APPLE
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["read_catalogue", "read_strings", "write_catalogue", "write_strings"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_TOKEN = re.compile(
    r"\s+|/\*.*?\*/|//[^\n]*|"
    r'(?P<key>"(?:[^"\\]|\\.)*"|[\w.-]+)\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*;',
    re.DOTALL,
)


def write_strings(texts: Sequence[Text], locale: str) -> str:
    """Returns the strings of one locale. It leaves out texts without a hint in the locale."""
    blocks = list[str]()
    for text in texts:
        if hint := text.hint(locale):
            comment = text.comment(APPLE).replace("*/", "* /")
            told = f"/* {comment} */\n" if comment else ""
            blocks.append(f'{told}"{text.key}" = "{_escaped(APPLE.written(hint, text.fields))}";\n')
    return "\n".join(blocks)


def _escaped(text: str) -> str:
    return re.sub(
        r'["\\\x00-\x1f\x7f\u2028\u2029]',
        lambda found: _ESCAPES.get(found[0]) or f"\\U{ord(found[0]):04x}",
        text,
    )


def read_strings(text: str) -> list[Translated]:
    """Returns the strings of a file. Raises ValueError."""
    found, end = list[Translated](), 0
    while end < len(text):
        token = _TOKEN.match(text, end)
        if token is None:
            line = text.count("\n", 0, end) + 1
            raise ValueError(f'line {line} is not as "KEY" = "text";')
        if token["key"]:
            found.append(
                Translated(_unescaped(token["key"].strip('"')), _unescaped(token["value"]))
            )
        end = token.end()
    return found


def _unescaped(text: str) -> str:
    def one(part: re.Match[str]) -> str:
        return chr(int(part[1], 16)) if part[1] else _UNESCAPED.get(part[2], part[2])

    units = re.sub(r"\\[Uu]([0-9a-fA-F]{4})|\\(.)", one, text, flags=re.DOTALL)
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def write_catalogue(texts: Sequence[Text], locale: str) -> str:
    """Returns the strings of all locales. `locale` is the source language."""
    strings = dict[str, Any]()
    for text in texts:
        hints = {
            hint.locale: {
                "stringUnit": {
                    "state": "translated",
                    "value": APPLE.written(hint.text, text.fields),
                }
            }
            for hint in text.code.hints
            if hint.when == text.when
        }
        if hints:
            comment = text.comment(APPLE)
            told = {"comment": comment} if comment else {}
            strings[text.key] = told | {"extractionState": "manual", "localizations": hints}
    catalogue = {"sourceLanguage": locale, "strings": strings, "version": "1.0"}
    return json.dumps(catalogue, ensure_ascii=False, indent=2) + "\n"


class _Object(list[tuple[str, Any]]):
    """A JSON object. Unlike a dict, it keeps a key that is there twice."""

    def items(self) -> list[tuple[str, Any]]:
        return self

    def get(self, key: str, default: Any = None) -> Any:
        return next((value for each, value in self if each == key), default)


def read_catalogue(text: str) -> list[Translated]:
    """Returns the strings of all locales. Raises ValueError."""
    found = list[Translated]()
    try:
        for key, told in json.loads(text, object_pairs_hook=_Object).get("strings").items():
            for locale, each in told.get("localizations", _Object()).items():
                if (unit := each.get("stringUnit")) is None:
                    why = "it varies by plural or device, and a hint does not"
                    found.append(Translated(key, "", locale, unfinished=why))
                    continue
                state, value = unit.get("state"), unit.get("value")
                why = "" if state == "translated" else f"its state is {state}"
                if not isinstance(value, str):
                    raise ValueError(f"the value of {key} is no text")  # noqa: TRY004  of the file
                found.append(Translated(key, value, locale, unfinished=why))
    except AttributeError as error:
        raise ValueError("it is no string catalogue of Xcode") from error
    return found
