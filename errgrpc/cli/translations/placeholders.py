"""Converts the placeholder `{key}` to the styles of other formats, and back.

As in the catalogue, all texts of a code with metadata fields are format strings. Texts of other
codes have no placeholders.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from errgrpc.placeholders import KEY, parts

__all__ = ["APPLE", "BRACES", "I18NEXT", "JAVA", "PRINTF", "Style"]


@dataclass(frozen=True)
class Style:
    """How a format writes placeholders."""

    written: Callable[[str, Sequence[str]], str]
    """Returns the text for a template and the keys of the code's fields, in order."""
    read: Callable[[str, Sequence[str]], str]
    """Returns the template for a text. Raises ValueError for a placeholder without a field."""


def _pieces(template: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the literals of a template, each with the key after it. The last key is empty."""
    literal = ""
    for text, key in parts(template) if keys else ((template, None),):
        literal += text
        if key is not None:
            yield literal, key
            literal = ""
    yield literal, ""


def _key(keys: Sequence[str], index: int, shown: str) -> str:
    if 0 <= index < len(keys):
        return f"{{{keys[index]}}}"
    raise ValueError(f"{shown} stands for no field: the code has {len(keys)}")


def _template(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _printf(conversion: str) -> Style:
    """Returns a style with `%1$s` for a placeholder and `%%` for a percent sign."""

    def written(template: str, keys: Sequence[str]) -> str:
        if not keys:
            return template
        return "".join(
            text.replace("%", "%%") + (f"%{keys.index(key) + 1}${conversion}" if key else "")
            for text, key in _pieces(template, keys)
        )

    def read(text: str, keys: Sequence[str]) -> str:
        if not keys:
            return text
        found, end, following = "", 0, 0
        for part in re.finditer(r"%(?:%|(?:(\d{1,9})\$)?([@sd])|)", text):
            found += _template(text[end : part.start()])
            end = part.end()
            if part[0] == "%%":
                found += "%"
            elif part[2]:
                found += _key(keys, int(part[1] or following + 1) - 1, part[0])
                following += not part[1]
            else:
                raise ValueError(f"a lone % at character {part.start() + 1}: write %% for one")
        return found + _template(text[end:])

    return Style(written, read)


def _java_written(template: str, keys: Sequence[str]) -> str:
    if not keys:
        return template

    def quoted(run: re.Match[str]) -> str:
        # One pair of quotes for the whole run: between two pairs, `''` would be read as one pair.
        doubled = run[0].replace("'", "''")
        return f"'{doubled}'" if set(run[0]) & {*"{}"} else doubled

    return "".join(
        re.sub("['{}]+", quoted, text) + (f"{{{keys.index(key)}}}" if key else "")
        for text, key in _pieces(template, keys)
    )


def _java_read(text: str, keys: Sequence[str]) -> str:
    """Reads a text as java.text.MessageFormat does.

    `''` is an apostrophe, and text between two `'` is literal.
    """
    if not keys:
        return text
    found, quoted, end = "", False, 0
    for part in re.finditer(r"''|'|\{\s*(\d{1,9})\s*(?:,[^{}]*)?\}|\{", text):
        if quoted and part[0][0] == "{":
            continue
        found += _template(text[end : part.start()])
        end = part.end()
        if part[0] == "''":
            found += "'"
        elif part[0] == "'":
            quoted = not quoted
        elif part[1]:
            found += _key(keys, int(part[1]), part[0])
        else:
            raise ValueError(f"a lone {{ at character {part.start() + 1}: write '{{' for one")
    return found + _template(text[end:])


_JOINER = "\u2060"
"""WORD JOINER, which is invisible.

i18next has no escapes. So it separates characters that i18next would read as its own syntax.
"""


def _i18next_written(template: str, keys: Sequence[str]) -> str:
    found = ""
    for literal, key in _pieces(template, keys):
        joined = re.sub(rf"(\{{{_JOINER}*)(?=\{{)", rf"\1{_JOINER}", literal + "{" * bool(key))
        joined = re.sub(rf"(\${_JOINER}*)(?=t\()", rf"\1{_JOINER}", joined)
        found += joined.removesuffix("{") + f"{{{{{key}}}}}" if key else joined
    return found


def _i18next_read(text: str, keys: Sequence[str]) -> str:
    found, end = "", 0

    def plain(piece: str, following: str) -> str:
        joined = re.sub(rf"\{{({_JOINER}*){_JOINER}(?=\{{)", r"{\1", piece + following)
        joined = re.sub(rf"\$({_JOINER}*){_JOINER}(?=t\()", r"$\1", joined)
        bare = joined[: len(joined) - len(following)]
        return _template(bare) if keys else bare

    for part in re.finditer(rf"\{{\{{-?\s*({KEY.pattern})\s*(?:,[^{{}}]*)?\}}\}}", text):
        found += plain(text[end : part.start()], "{")
        if part[1] not in keys:
            raise ValueError(f"{part[0]} stands for no field of the code")
        found += f"{{{part[1]}}}"
        end = part.end()
    return found + plain(text[end:], "")


def _braces_read(text: str, keys: Sequence[str]) -> str:
    for _, key in parts(text) if keys else ():
        if key and key not in keys:
            raise ValueError(f"{{{key}}} stands for no field of the code")
    return text


PRINTF = _printf("s")
"""The style of Android: `%1$s`."""
APPLE = _printf("@")
"""The style of Apple: `%1$@`."""
JAVA = Style(_java_written, _java_read)
"""The style of java.text.MessageFormat: `{0}`."""
I18NEXT = Style(_i18next_written, _i18next_read)
"""The style of i18next: `{{key}}`."""
BRACES = Style(lambda template, _: template, _braces_read)
"""The style of the catalogue, which gettext calls python-brace-format."""
