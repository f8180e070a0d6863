"""Lists as GitHub reads them, for mkdocs."""

import re

__all__ = ["normalized"]

_ITEM = re.compile(r"(\s*)([-*+]|\d{1,9}[.)])\s+\S")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")


def normalized(markdown: str) -> str:
    """The text with an empty line before each list, which Python-Markdown needs and GitHub does not."""
    lines: list[str] = []
    fence = ""
    in_list = False
    for line in markdown.split("\n"):
        found = _FENCE.match(line)
        if fence:
            fence = "" if found and line.strip().startswith(fence) else fence
        elif found:
            fence = found[1]
        elif _ITEM.match(line):
            if not in_list and lines and lines[-1].strip():
                lines.append("")
            in_list = True
        elif line.strip() and not line[0].isspace() and not (lines and lines[-1].strip()):
            in_list = False
        lines.append(line)
    return "\n".join(lines)
