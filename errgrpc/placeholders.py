"""Placeholders in the texts of a catalogue: `{key}` stands for a value of the metadata.

`{{` and `}}` are braces. Unlike in `str.format`, there are no attributes, indexes, formats or
conversions.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["KEY", "MAX_KEY", "fill", "names", "parts", "wrong"]

KEY = re.compile(r"[a-z][a-zA-Z0-9_-]+")
"""A key of `ErrorInfo.metadata` (AIP-193)."""
MAX_KEY = 64

_PART = re.compile(rf"\{{\{{|\}}\}}|\{{({KEY.pattern})\}}|[{{}}]")
_LONGEST = 200  # characters of a value
_CUT = "…"
# Control characters of ASCII and Latin-1, and those that reorder text (Unicode's Bidi_Control).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def wrong(template: str) -> str | None:
    """Returns what is wrong with a template, or None.

    A brace must not stand alone, or around a text that is not a key.
    """
    for part in _PART.finditer(template):
        if part[0] in ("{", "}"):
            return f"a lone {part[0]!r} at character {part.start() + 1}"
    return None


def names(template: str) -> frozenset[str]:
    """Returns the keys that a template names."""
    return frozenset(part[1] for part in _PART.finditer(template) if part[1])


def fill(template: str, metadata: Mapping[str, str]) -> str:
    """Returns the template with the values in place of their keys.

    It is filled in one pass, so braces in a value are text. A missing value becomes `…`. A value of
    more than 200 characters is cut there, and ends with `…`. Control characters, and those that
    reorder text, become U+FFFD.
    """
    return "".join(
        text if key is None else _shown(metadata.get(key)) for text, key in parts(template)
    )


@lru_cache(maxsize=4_096)  # all templates come from tables, so they are few
def parts(template: str) -> tuple[tuple[str, str | None], ...]:
    """Texts, and keys in place of which a value goes."""
    found: list[tuple[str, str | None]] = []
    end = 0
    for part in _PART.finditer(template):
        found.append((template[end : part.start()], None))
        found.append(("", part[1]) if part[1] else (part[0][0], None))
        end = part.end()
    return (*found, (template[end:], None))


def _shown(value: str | None) -> str:
    if value is None:
        return _CUT
    return _UNSEEN.sub("\ufffd", value if len(value) <= _LONGEST else value[:_LONGEST] + _CUT)
