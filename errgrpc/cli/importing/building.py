"""Makes a catalogue from the entries of a file.

It turns names into reasons and guesses missing statuses. A note reports each change and guess.
"""

import json
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from errgrpc.cli.importing.entries import Entry, Key, Note, Notes
from errgrpc.cli.output import Misuse
from errgrpc.codegen.schema import STATUSES, Catalog, Code, Field, Hint, upper_snake
from errgrpc.codes import MAX_REASON, REASON

__all__ = ["Wanted", "build", "checked", "described", "merged", "name_of"]

_NUMBERS = {status.name: number for number, status in STATUSES.items()}
_BY_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The mapping of google/rpc/code.proto. `_OTHERS` has the other statuses for the same key."""
_OTHERS = {409: "ABORTED", 400: "FAILED_PRECONDITION or OUT_OF_RANGE", 500: "UNKNOWN or DATA_LOSS"}
_TYPES = {"STRING": 0, "INT64": 1, "DOUBLE": 2, "BOOL": 3}
_TRUE, _FALSE = ("true", "yes", "y", "1", "是", "√"), ("false", "no", "n", "0", "否", "×")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@dataclass(frozen=True)
class Wanted:
    """The facts of the catalogue that the file does not hold."""

    package: str
    enum: str
    domain: str
    default_locale: str = ""

    @property
    def prefix(self) -> str:
        """The prefix of the names of values."""
        return upper_snake(self.enum) + "_"


def merged(first: Iterable[Entry], second: Iterable[Entry], notes: Notes) -> list[Entry]:
    """Joins two lists of the same codes by number. If they contradict, the first wins."""
    rest = list(second)
    others = {entry.cells["number"]: entry for entry in reversed(rest)}
    found = list[Entry]()
    for entry in first:
        if (other := others.pop(entry.cells["number"], None)) is not None:
            rest.remove(other)
            for role, text in other.cells.items():
                if entry.cells.get(role, text) != text:
                    notes.append(
                        Note(
                            "lost",
                            other.place,
                            f"{role} {text!r} of {text_of(entry)}: "
                            f"{entry.place} says {entry.cells[role]!r}",
                        )
                    )
            cells, hints = {**other.cells, **entry.cells}, {**other.hints, **entry.hints}
            found.append(replace(entry, cells=cells, hints=hints))
        else:
            found.append(entry)
    return found + rest


def text_of(entry: Entry) -> str:
    """Returns the name of a code in notes."""
    return entry.cells.get("name") or entry.cells["number"]


def build(entries: list[Entry], wanted: Wanted, file: str, notes: Notes) -> Catalog:
    """Returns the catalogue. Raises Misuse for an invalid cell or a code that appears twice."""
    locale = wanted.default_locale or _guessed_locale(entries, notes)
    codes, owners = list[Code](), dict[str | int, Entry]()
    for entry in entries:
        code = _code(entry, wanted, locale, notes)
        # proto3 compares the names of values as PascalCase: ROOM_1 is the same as ROOM1
        for key in (code.number, "".join(part.capitalize() for part in code.reason.split("_"))):
            if (first := owners.setdefault(key, entry)) is not entry:
                what = f"number {code.number}" if key == code.number else f"reason {code.reason}"
                raise Misuse(
                    f"{file}: {first.place} and {entry.place} both have the {what}; "
                    "give each code its own"
                )
        codes.append(code)
    codes.sort(key=lambda code: code.number != 0)  # proto3 wants a zero first
    if not codes:
        raise Misuse(f"{file} has no code: each code needs a row with a number")
    if codes[0].number != 0:
        zero = "UNSPECIFIED" if "Unspecified" not in owners else "ZERO_UNSPECIFIED"
        codes.insert(
            0,
            Code(
                wanted.prefix + zero,
                zero,
                0,
                0,
                "No code: proto3 wants a zero first.",
                False,
                None,
                None,
                "",
                (),
            ),
        )
    return Catalog(
        file=file,
        package=wanted.package,
        name=wanted.enum,
        line=0,
        description="",
        annotated=True,
        domain=wanted.domain,
        default_locale=locale,
        fallback="",
        infer=(),
        values=tuple(codes),
        prefix=wanted.prefix,
    )


def _guessed_locale(entries: list[Entry], notes: Notes) -> str:
    locales = list(dict.fromkeys(locale for entry in entries for locale, _ in entry.hints))
    if "" not in locales:
        if locales:
            notes.append(
                Note(
                    "guessed",
                    "default_locale",
                    f"{locales[0]}: the first locale with hints; give --default-locale",
                )
            )
        return locales[0] if locales else ""
    texts = "".join(
        text for entry in entries for (locale, _), text in entry.hints.items() if not locale
    )
    locale = (
        "ja"
        if re.search("[\u3041-\u30ff]", texts)
        else "zh-CN"
        if re.search("[\u4e00-\u9fff]", texts)
        else "en"
    )
    notes.append(
        Note(
            "guessed",
            "default_locale",
            f"{locale}: from the letters of the hints; give --default-locale",
        )
    )
    return locale


def _code(entry: Entry, wanted: Wanted, default_locale: str, notes: Notes) -> Code:
    cells = entry.cells
    number = _integer(entry, "number", -(2**31), 2**31 - 1)
    http = _integer(entry, "http", 100, 599) if "http" in cells else None
    reason = _reason(entry, number, wanted, notes)
    status = _status(entry, number, http, reason, notes)
    description = described(cells.get("description", ""))
    if re.sub(r"\s", "", description) != re.sub(r"\s", "", cells.get("description", "")):
        notes.append(
            Note("lost", entry.place, f"control characters in the description of {reason}")
        )
    hints = dict[Key, str]()
    for (locale, when), text in entry.hints.items():
        if (key := (locale or default_locale, when)) in hints:
            raise Misuse(
                f"{entry.place}: {reason} has two hints for {key[0]}; "
                "name the columns by --column TAG=HEADER"
            )
        hints[key] = text
    return Code(
        name=wanted.prefix + reason,
        reason=reason,
        number=number,
        line=0,
        description=description,
        annotated=True,
        grpc_status=status,
        http_status=http,
        message=cells.get("message", ""),
        hints=tuple(Hint(locale, text, when) for (locale, when), text in hints.items()),
        deprecated=bool(_truth(entry, "deprecated")),
        metadata_fields=tuple(_fields(entry)),
        retryable=_truth(entry, "retryable"),
        resolution=cells.get("resolution", ""),
    )


def _integer(entry: Entry, role: str, least: int, most: int) -> int:
    text = entry.cells[role].replace("\u2212", "-")
    if (
        re.fullmatch(r"[+-]?[0-9]{1,10}(\.0+)?", text, re.ASCII)
        and least <= (value := int(text.partition(".")[0])) <= most
    ):
        return value
    raise Misuse(
        f"{entry.place}: the {role} {text!r} is no whole number from {least} to {most}; give one"
    )


def _truth(entry: Entry, role: str) -> bool | None:
    text = entry.cells.get(role, "").casefold()
    if text in (*_TRUE, *_FALSE):
        return text in _TRUE
    if text:
        raise Misuse(f"{entry.place}: {role} is {text!r}; give true or false, or leave it out")
    return None


def _fields(entry: Entry) -> Iterable[Field]:
    try:
        found: Any = json.loads(entry.cells.get("metadata") or "[]")
        for each in found:
            texts = [each["key"], each.get("description", ""), each.get("example", "")]
            if not all(isinstance(text, str) for text in texts):
                raise TypeError  # noqa: TRY301
            yield Field(
                texts[0],
                texts[1],
                texts[2],
                each.get("optional", False) is True,
                _TYPES[each.get("type", "STRING")],
            )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        wanted = (
            '[{"key": "limit", "description": "", "example": "", '
            '"optional": true, "type": "INT64"}]'
        )
        raise Misuse(f"{entry.place}: the metadata fields are not JSON such as {wanted}") from error


def name_of(text: str) -> str:
    """Returns ROOM_NOT_FOUND for `roomNotFound`, `Room Not Found` and `room-not-found`.

    It drops letters that are not Latin.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"[^A-Za-z0-9]+", "_", split.replace("'", "")).strip("_").upper()


def _reason(entry: Entry, number: int, wanted: Wanted, notes: Notes) -> str:
    name = entry.cells.get("name", "")
    if REASON.fullmatch(name) and len(name) <= MAX_REASON:
        return name
    message = entry.cells.get("message", "")
    source = name if name_of(name) else message if message.isascii() else ""
    reason = name_of(source).removeprefix(wanted.prefix)[:MAX_REASON].strip("_")
    if not reason:
        reason = f"CODE_{number}".replace("-", "MINUS_")
    elif not reason[0].isalpha() or len(reason) < 3:
        reason = f"CODE_{reason}"[:MAX_REASON].strip("_")
    if name:
        notes.append(
            Note(
                "renamed",
                entry.place,
                f"{name} is now {reason}: reasons match {REASON.pattern}, "
                f"at most {MAX_REASON} characters",
            )
        )
    else:
        notes.append(
            Note(
                "guessed",
                entry.place,
                f"reason {reason} of {number}: made from the {'message' if source else 'number'}",
            )
        )
    return reason


def _status(entry: Entry, number: int, http: int | None, reason: str, notes: Notes) -> int:
    if told := entry.cells.get("grpc"):
        name = (
            name_of(told.rpartition(".")[2])
            if not told.isdecimal()
            else next((n for n, i in _NUMBERS.items() if i == int(told)), "")
        )
        name = "CANCELLED" if name == "CANCELED" else name
        if name not in _NUMBERS:
            raise Misuse(f"{entry.place}: {told!r} is no gRPC status; give one such as NOT_FOUND")
        if name != "OK" or number == 0:
            return _NUMBERS[name]
    known, source = (http, f"HTTP {http}") if http is not None else (number, f"the number {number}")
    if number == 0 and known in (0, 200):
        name = "OK"
    elif known in _BY_HTTP:
        name = _BY_HTTP[known]
    elif http is not None or 400 <= number <= 599:
        name = {4: "FAILED_PRECONDITION", 5: "INTERNAL"}.get(known // 100, "UNKNOWN")
    else:
        name, source = "UNKNOWN", "nothing"
    may = f"; it may be {_OTHERS[known]}" if known in _OTHERS else ""
    notes.append(
        Note("guessed", entry.place, f"grpc_status {name} of {reason}: from {source}{may}")
    )
    return _NUMBERS[name]


def described(text: str) -> str:
    """Removes what a comment cannot hold, so that the description can be read back unchanged."""
    kept = "".join(
        c
        for c in "\n".join(text.splitlines()).expandtabs()
        if c == "\n" or (unicodedata.category(c) not in ("Cc", "Cf", "Cs") and c not in _BIDI)
    )
    lines = [
        line.rstrip()
        for line in kept.split("\n")
        if not line.lstrip().startswith("buf:lint:ignore")
    ]
    return textwrap.dedent("\n".join(lines)).strip()


def checked(pairs: Iterable[str]) -> Mapping[str, str]:
    """Reads pairs of the form `ROLE=HEADER`. Raises Misuse."""
    found = dict[str, str]()
    for pair in pairs:
        role, equals, header = pair.partition("=")
        if not equals or not role or not header:
            raise Misuse(f"--column {pair}: give ROLE=HEADER, such as number=编号 or zh-CN=提示")
        found[role.strip()] = header.strip()
    return found
