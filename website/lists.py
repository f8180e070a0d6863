"""Lists as GitHub reads them, for Python-Markdown."""

import re
from collections.abc import Iterator

__all__ = ["normalized", "prose"]

_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)]) +(?=\S)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")


def prose(markdown: str) -> Iterator[tuple[str, bool]]:
    """Each line of a text, and whether it is prose: no part of a block of code."""
    fence = ""
    for line in markdown.split("\n"):
        found = _FENCE.match(line)
        yield line, not (fence or found)
        if not fence and found:
            fence = found[1]
        elif found and line.strip().startswith(fence):
            fence = ""


def normalized(markdown: str) -> str:
    """The text with its lists as Python-Markdown needs them, which GitHub does not.

    An empty line stands before each list, and four spaces indent what an item holds.
    """
    lines: list[str] = []
    offsets: list[int] = []  # where the text of each open item begins
    was_prose = True
    for line, is_prose in prose(markdown):
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        item = _ITEM.match(text) if is_prose else None
        follows_text = bool(lines and lines[-1].strip())
        if item and follows_text and not offsets:
            lines.append("")
        # Other text after text continues the item, however little it is indented.
        if text and (item or not follows_text or (was_prose and not is_prose)):
            while offsets and indent < offsets[-1]:
                offsets.pop()
        was_prose = is_prose
        if text and offsets and indent >= offsets[-1]:
            further = 0 if item else indent - offsets[-1]
            lines.append(" " * (4 * len(offsets) + further) + text)
        else:
            lines.append(line)
        if item:
            offsets.append(indent + len(item[0]))
    return "\n".join(lines)
