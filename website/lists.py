"""Lists as GitHub reads them, for Python-Markdown."""

import re
from collections.abc import Iterator

__all__ = ["normalized", "prose"]

_ITEM = re.compile(r"\s*([-*+]|\d{1,9}[.)])\s+\S")
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
    """The text with an empty line before each list: GitHub does not need it, Python-Markdown does."""
    lines: list[str] = []
    in_list = False
    for line, is_prose in prose(markdown):
        follows_text = bool(lines and lines[-1].strip())
        if is_prose and _ITEM.match(line):
            if follows_text and not in_list:
                lines.append("")
            in_list = True
        elif line.strip() and not line[0].isspace() and not follows_text:
            in_list = False
        lines.append(line)
    return "\n".join(lines)
