"""Reads the tables of a Markdown file, and the blocks of code beside them."""

import html
import re

from errgrpc.cli.importing.entries import Sheet

__all__ = ["blocks", "tables"]

_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def _split(text: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Returns the lines outside of fences and the fenced blocks, each with its line number."""
    outside, fenced = list[tuple[int, str]](), list[tuple[int, str]]()
    fence, block, start = "", list[str](), 0
    for number, line in enumerate(text.splitlines(), 1):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, block, start = found[1], [], number + 1
            else:
                outside.append((number, line))
        elif found and found[1].startswith(fence) and not line.strip(" `~"):
            fenced.append((start, "\n".join(block)))
            fence = ""
        else:
            block.append(line)
    return outside, fenced


def blocks(text: str) -> list[tuple[int, str]]:
    """Returns the fenced blocks of code, each with its first line number."""
    return _split(text)[1]


def tables(text: str, name: str) -> list[Sheet]:
    """Returns the tables, without marks of emphasis and code."""
    lines = _split(text)[0]
    found = list[Sheet]()
    index = 1
    while index < len(lines):
        head, rule = lines[index - 1][1], lines[index][1]
        if (
            "|" in head
            and "-" in rule
            and _RULE.fullmatch(rule)
            and len(_cells(head)) == len(_cells(rule))
        ):
            end = index + 1
            while (
                end < len(lines) and lines[end][0] == lines[end - 1][0] + 1 and "|" in lines[end][1]
            ):
                end += 1
            rows = [
                (f"line {number}", _cells(line))
                for number, line in (lines[index - 1], *lines[index + 1 : end])
            ]
            found.append(Sheet(name, rows))
            index = end
        index += 1
    return found


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|")
    bare = bare[:-1] if bare.endswith("|") and not bare.endswith("\\|") else bare
    return [_plain(cell) for cell in re.split(r"(?<!\\)\|", bare)]


def _plain(cell: str) -> str:
    text = re.sub(r"<br\s*/?>", "\n", cell.strip(), flags=re.IGNORECASE)
    text = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"\1", text)
    text = re.sub(r"`([^`]+)`", r"\1", text)
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)).strip()
