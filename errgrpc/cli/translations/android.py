"""Android's strings.xml.

moz.l10n is not used here: it takes `%'` for the beginning of a placeholder, and the text comes back changed.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from errgrpc.cli.translations.placeholders import PRINTF
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["read", "write"]

_ESCAPES = {"\n": r"\n", "\t": r"\t"}
_UNESCAPED = {"n": "\n", "t": "\t"}
_SPACES = " \t\n\r\f\v"
_XLIFF = "{urn:oasis:names:tc:xliff:document:1.2}g"


def write(texts: Sequence[Text], locale: str) -> str:
    """The strings of one locale. The texts without a hint in it are left out: Android takes the default's."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<resources>"]
    for text in texts:
        if hint := text.hint(locale):
            if comment := text.comment(PRINTF):
                lines.append(f"    <!-- {_comment(comment)} -->")
            # What is no format string and has a `%` would be one by aapt's guess.
            plain = ' formatted="false"' if not text.fields and "%" in hint else ""
            value = escape(_escaped(PRINTF.written(hint, text.fields)))
            lines.append(f'    <string name="{text.key}"{plain}>{value}</string>')
    return "\n".join([*lines, "</resources>", ""])


def _comment(text: str) -> str:
    """A comment of XML holds no two hyphens, and no control character."""
    seen = re.sub("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", " ", text.replace("\n", "; "))
    return re.sub("-(?=-)|-$", "-\u200b", seen)


def _escaped(text: str) -> str:
    """Android collapses spaces, reads `@` and `?` at the beginning as references, and needs a backslash before quotes."""
    text = re.sub(r"[\\'\"]", r"\\\g<0>", text)
    text = re.sub(r"\A[@?]", r"\\\g<0>", text)
    text = re.sub(r"(?<=\s)\s|\A\s|\s\Z|[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", _unit, text)
    return text


def _unit(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}"


def read(text: str) -> list[Translated]:
    """The strings of a file. Raises ValueError."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type is declared, which no strings.xml needs; remove it")
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314  without a document type it cannot grow
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    found = list[Translated]()
    for element in root.iter("string"):
        odd = next(
            (child.tag for child in element.iter() if child.tag not in ("string", _XLIFF)), None
        )
        found.append(
            Translated(
                element.get("name", ""),
                _unescaped("".join(element.itertext())),
                unfinished=f"it has the element <{odd}>, and a hint is plain text" if odd else "",
            )
        )
    return found


def _unescaped(text: str) -> str:
    found, quoted = list[str](), False
    for part in re.finditer(
        r"\\u([0-9a-fA-F]{4})|\\(.)|\"|\s+|[^\\\"\s]+|\\", text, re.DOTALL | re.ASCII
    ):
        if part[1]:
            found.append(chr(int(part[1], 16)))
        elif part[2]:
            found.append(_UNESCAPED.get(part[2], part[2]))
        elif part[0] == '"':
            quoted = not quoted
            found.append("")
        elif part[0].isspace():
            found.append(part[0] if quoted else " ")
        else:
            found.append(part[0])
    # Spaces that stand there as such at an end do not count; escaped or quoted ones do.
    if found and text[0] in _SPACES and found[0] == " ":
        del found[0]
    if found and text[-1] in _SPACES and found[-1] == " " and not quoted:
        del found[-1]
    return "".join(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
