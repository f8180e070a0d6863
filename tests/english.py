"""Finds what must be read twice: long sentences, and words that hide their noun.

`python tests/english.py FILE...` prints a line for each finding, and exits with 1 if there is one.
It reads Markdown, the docstrings and comments of Python, and the comments of .proto files.
"""

import ast
import io
import re
import sys
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

MOST = 25
"""Words of one sentence."""

BANNED = re.compile(
    r"\b(who|whom|whoever|nobody|somebody|anybody|everybody|someone|anyone|whichever|thereby|thereof|"
    r"hence|thus|foresaw|foreseen|unforeseen|lest|save for|bar one|in vain|"
    r"(?:is|are|was|were) (?-i:none)|none at all|"
    r"not (?:un|in)\w+(?:ed|able|ible)|never not|such as is|as it stands|as ever|to and fro)\b",
    re.IGNORECASE,
)
_ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|No)\.", re.IGNORECASE)
_PRAGMA = re.compile(r"#\s*(noqa|type:|pyright|pragma|mypy|fmt|!)")
_ITEM = re.compile(
    r"^\s*(?:[*-] |\w[\w.*`, ]*: )|"
    r"^\s*(Args|Returns|Raises|Yields|Attributes|Examples?|Notes?):\s*$"
)


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """Yields the prose of a Markdown file by line.

    A code span is one word. Fenced blocks are left out.
    """
    for token in MarkdownIt().enable("table").parse(text):
        if token.type == "inline":
            parts = [
                "`x`"
                if each.type == "code_inline"
                else " "
                if "break" in each.type
                else each.content
                for each in token.children or ()
            ]
            yield (token.map or [0])[0] + 1, "".join(parts)


def python(text: str) -> Iterator[tuple[int, str]]:
    """The docstrings and the comments of a Python file."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(docstring))):
                yield from _paragraphs(node.lineno, docstring)
    block, first, last = list[str](), 0, (-2, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if _PRAGMA.match(token.string):
            words = re.sub(
                r"#\s*(noqa|type|pyright|pragma)\S*( [A-Z]+\d+,?| ignore\S*)*", "", token.string
            )
            yield token.start[0], words.strip("# ")
            continue
        if token.start != (last[0] + 1, last[1]) and block:
            yield first, " ".join(block)
            block = []
        first = first if block else token.start[0]
        block.append(token.string.lstrip("# "))
        last = token.start
    if block:
        yield first, " ".join(block)


def _paragraphs(line: int, text: str) -> Iterator[tuple[int, str]]:
    block, first, fenced = list[str](), line, False
    for number, each in enumerate(textwrap.dedent(text).splitlines(), line):
        fenced ^= each.strip().startswith("```")
        if not each.strip() or _ITEM.match(each) or fenced:
            if block:
                yield first, " ".join(block)
            block = []
        if each.strip() and not fenced and not each.strip().startswith(("```", ">>>")):
            first = first if block else number
            block.append(each.strip())
    if block:
        yield first, " ".join(block)


def proto(text: str) -> Iterator[tuple[int, str]]:
    """The comments of a .proto file."""
    block, first = list[str](), 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if found := re.match(r"\s*//\s*(.*)", line):
            first = first if block else number
            block.append(found[1])
        if (not found or not found[1]) and block:
            yield first, " ".join(block)
            block = []


def sentences(text: str) -> Iterator[str]:
    """The sentences of a paragraph."""
    bare = re.sub(r"`+[^`]+`+", "`x`", _ABBREVIATIONS.sub(r"\1", text))
    yield from re.split(r"(?<=[.!?])[)\"'*]*\s+(?=[^a-z])", bare)


def findings(path: Path) -> Iterator[str]:
    """A line for each sentence that is too long, and for each banned word."""
    text = path.read_text(encoding="utf-8")
    reader = {".md": markdown, ".py": python, ".pyi": python, ".proto": proto}[path.suffix]
    for line, paragraph in reader(text):
        for sentence in sentences(paragraph):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > MOST:
                yield f"{path}:{line}: {len(words)} words: {' '.join(words[:8])} ..."
            for found in BANNED.finditer(sentence):
                yield f"{path}:{line}: {found[0]!r} in: {sentence[:80]}"


if __name__ == "__main__":
    found = [each for name in sys.argv[1:] for each in findings(Path(name))]
    print(*found, f"{len(found)} found", sep="\n")
    sys.exit(bool(found))
