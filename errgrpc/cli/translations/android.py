"""Android's strings.xml.

It does not use moz.l10n, which reads `%'` as the start of a placeholder and changes the text.
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
    """Returns the strings of one locale.

    It leaves out texts without a hint in the locale: Android takes the default locale for them.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<resources>"]
    for text in texts:
        if hint := text.hint(locale):
            if comment := text.comment(PRINTF):
                lines.append(f"    <!-- {_comment(comment)} -->")
            # aapt takes a text with `%` for a format string.
            plain = ' formatted="false"' if not text.fields and "%" in hint else ""
            value = escape(_escaped(PRINTF.written(hint, text.fields)))
            lines.append(f'    <string name="{text.key}"{plain}>{value}</string>')
    return "\n".join([*lines, "</resources>", ""])


def _comment(text: str) -> str:
    """Returns the text of an XML comment, without two hyphens in a row and control characters."""
    seen = re.sub("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", " ", text.replace("\n", "; "))
    return re.sub("-(?=-)|-$", "-\u200b", seen)


def _escaped(text: str) -> str:
    """Escapes what Android reads otherwise.

    Android collapses spaces, reads a leading `@` or `?` as a reference, and drops bare quotes.
    """
    text = re.sub(r"[\\'\"]", r"\\\g<0>", text)
    text = re.sub(r"\A[@?]", r"\\\g<0>", text)
    text = re.sub(r"(?<=\s)\s|\A\s|\s\Z|[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", _unit, text)
    return text


def _unit(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}"


def read(text: str) -> list[Translated]:
    """Returns the strings of a file. Raises ValueError."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type is declared, which no strings.xml needs; remove it")
    # The parser would else believe the encoding that the file names.
    parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314  without a document type, it has no entities
    try:
        root = ElementTree.fromstring(text.encode(), parser)  # noqa: S314  no document type
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    found = list[Translated]()
    for element in root.iter():
        if element.tag in ("plurals", "string-array"):
            why = f"it has the element <{element.tag}>, and a hint is one text"
            found.append(Translated(element.get("name", ""), "", unfinished=why))
        if element.tag != "string":
            continue
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
    # Android drops plain spaces at both ends, but keeps escaped and quoted ones.
    if found and text[0] in _SPACES and found[0] == " ":
        del found[0]
    if found and text[-1] in _SPACES and found[-1] == " " and not quoted:
        del found[-1]
    return "".join(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
