"""Reads the constants of a Java enum, without compiling or running it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus

from errgrpc.cli.importing.entries import Entry, Key, Note, Notes
from errgrpc.cli.output import Misuse

__all__ = ["ENUM", "read"]

ENUM = re.compile(r"\benum\s+(\w+)[^{;]{0,1000}\{")
_TOKEN = re.compile(
    r"""(?P<doc>/\*.*?\*/)|(?P<line>//[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<char>'(?:[^'\\\n]|\\.)*')|(?P<number>[+-]?\d[\w.]*)"""
    r"""|(?P<name>@?[^\W\d][\w.$]*)|(?P<sign>[^\s])""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u+[0-9a-fA-F]{4}|[0-3]?[0-7]{1,2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " "}
# Names of Apache's HttpStatus that Python does not have.
_APACHE = {
    "MOVED_TEMPORARILY": 302,
    "REQUEST_TOO_LONG": 413,
    "UNPROCESSABLE_ENTITY": 422,
    "INSUFFICIENT_SPACE_ON_RESOURCE": 419,
}
_STATUSES = {status.name: status.value for status in HTTPStatus} | _APACHE
_HAN = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")

_Token = tuple[str, str, int]


def read(text: str, name: str, notes: Notes, first_line: int = 1) -> tuple[str, list[Entry]]:
    """Returns the name of the first enum of a text, and its constants. Raises Misuse."""
    # Blank out comments and strings, because they may contain the word `enum`.
    bare = _TOKEN.sub(
        lambda part: (
            part[0]
            if part["name"] or part["sign"] or part["number"]
            else re.sub(r"[^\n]", " ", part[0])
        ),
        text,
    )
    if (start := ENUM.search(bare)) is None:
        raise Misuse(f"{name} has no Java enum: `enum Name {{ GONE(1, ...), ... }}`")
    tokens, line, end = list[_Token](), first_line, 0
    for part in _TOKEN.finditer(text, start.end()):
        line += text.count("\n", end, part.start())
        end = part.start()
        tokens.append((part.lastgroup or "", part[0], line))
    found = [
        _entry(index, *each, name, notes) for index, each in enumerate(_constants(tokens, name))
    ]
    return start[1], found


def _constants(
    tokens: Sequence[_Token], name: str
) -> Iterator[tuple[str, int, str, list[list[_Token]], bool]]:
    """Yields each constant: name, line, comment, arguments, and whether it is deprecated."""
    index, comment, deprecated = 0, "", False
    while index < len(tokens):
        kind, text, line = tokens[index]
        index += 1
        if kind == "doc":
            comment = text
        elif kind == "name" and text.startswith("@"):
            deprecated |= text in ("@Deprecated", "@java.lang.Deprecated")
            if index < len(tokens) and tokens[index][1] == "(":
                index = _arguments(tokens, index, name)[1]
        elif kind == "name":
            arguments = list[list[_Token]]()
            if index < len(tokens) and tokens[index][1] == "(":
                arguments, index = _arguments(tokens, index, name)
            if index < len(tokens) and tokens[index][1] == "{":
                index = _arguments(tokens, index, name)[1]
            yield text, line, comment, arguments, deprecated or "@deprecated" in comment
            comment, deprecated = "", False
        elif text in (";", "}"):
            return
    raise Misuse(f"{name}: the enum does not end; it needs its closing brace")


def _arguments(tokens: Sequence[_Token], index: int, name: str) -> tuple[list[list[_Token]], int]:
    """Returns the tokens up to the closing bracket, split at commas, and the index after it."""
    found, depth, line = [list[_Token]()], 0, tokens[index][2]
    while index < len(tokens):
        kind, text, _ = token = tokens[index]
        index += 1
        if kind == "sign" and text in "([{":
            depth += 1
        elif kind == "sign" and text in ")]}":
            depth -= 1
            if not depth:
                return [each for each in found if each], index
        elif kind == "sign" and text == "," and depth == 1:
            found.append([])
            continue
        if (
            depth
            and not (depth == 1 and text == "(" and kind == "sign")
            and kind not in ("doc", "line")
        ):
            found[-1].append(token)
    raise Misuse(f"{name}, line {line}: a bracket is not closed")


def _entry(
    index: int,
    constant: str,
    line: int,
    comment: str,
    arguments: list[list[_Token]],
    deprecated: bool,
    name: str,
    notes: Notes,
) -> Entry:
    place, cells, hints = f"{name} line {line}", {"name": constant}, dict[Key, str]()
    for argument in arguments:
        told = "".join(text for _, text, _ in argument)
        role, value = _meaning(argument)
        if role == "number" and "number" in cells and 100 <= int(value) <= 599:
            role = "http"
        if role == "text":
            role = "hint" if _HAN.search(value) or "message" in cells else "message"
        if role == "hint" and not hints:
            hints["", ()] = value
        elif not role or role == "hint" or role in cells:
            notes.append(
                Note(
                    "lost",
                    place,
                    f"{told} of {constant}: it is no number, text or status that a code has",
                )
            )
        else:
            cells[role] = value
    if "number" not in cells:
        cells["number"] = str(index)
        notes.append(Note("guessed", place, f"number {index} of {constant}: its place in the enum"))
    if description := _comment(comment):
        cells["description"] = description
    if deprecated:
        cells["deprecated"] = "true"
    return Entry(place, cells, hints)


def _meaning(argument: Sequence[_Token]) -> tuple[str, str]:
    """Returns the role and value of an argument. Both are empty for an expression."""
    kinds = {kind for kind, _, _ in argument}
    texts = [text for _, text, _ in argument]
    if (
        "string" in kinds
        and kinds <= {"string", "sign"}
        and set(texts[1::2]) <= {"+"}
        and len(texts) % 2
    ):
        return "text", "".join(_unescaped(text) for text in texts[::2])
    whole = "".join(texts)
    if number := re.fullmatch(r"[+-]?(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)[lL]?", whole):
        digits = number[0].rstrip("lL").replace("_", "")
        octal = re.fullmatch(r"[+-]?0[0-7]+", digits)
        with suppress(ValueError):  # `0999`, or more digits than Python takes
            return "number", str(int(digits, 8 if octal else 0))
    if status := re.fullmatch(
        r"(\w+(?:\.\w+)*\.)?(\w+)(?:\.value\(?\)?|\.getStatusCode\(?\)?|\.getCode\(?\)?)?", whole
    ):
        owner, last = (
            (status[1] or "").rstrip(".").rpartition(".")[2],
            status[2].removeprefix("SC_"),
        )
        if owner.lower().startswith(("http", "response")) or status[2].startswith("SC_"):
            return ("http", str(_STATUSES[last])) if last in _STATUSES else ("", "")
        if owner in ("Status", "Code"):
            return "grpc", last
    return "", ""


def _unescaped(literal: str) -> str:
    def one(part: re.Match[str]) -> str:
        text = part[1]
        if text[0] == "u" and len(text) > 1:
            return chr(int(text.lstrip("u"), 16))
        return chr(int(text, 8)) if text[0] in "01234567" else _ESCAPES.get(text, text)

    # Two \u escapes may be one character.
    return (
        _ESCAPE.sub(one, literal[1:-1])
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


def _comment(text: str) -> str:
    """Returns the text of a Javadoc comment, without blank lines."""
    if not text.startswith("/**"):
        return ""
    lines = (re.sub(r"\A\s*\*?", "", line).strip() for line in text[3:-2].splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("@deprecated"))
