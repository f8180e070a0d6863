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

from errgrpc.cli.importing.columns import ROLES
from errgrpc.cli.importing.entries import Entry, Key, Note, Notes, whole
from errgrpc.cli.output import Misuse
from errgrpc.codegen.schema import STATUSES, Catalog, Code, Field, Hint, upper_snake
from errgrpc.codes import MAX_REASON, REASON
from errgrpc.http.statuses import grpc_status
from errgrpc.locales import is_language_tag
from errgrpc.placeholders import KEY, names
from errgrpc.specs import MetadataType, wrong_key, wrong_templates, wrong_when

__all__ = ["Wanted", "build", "checked", "described", "merged", "name_of"]

_NUMBERS = {status.name: number for number, status in STATUSES.items()}
_OTHERS = {409: "ABORTED", 400: "FAILED_PRECONDITION or OUT_OF_RANGE", 500: "UNKNOWN or DATA_LOSS"}
# `HTTP 429`, `429 Too Many Requests`
_HTTP = re.compile(
    r"(?:http(?:/[12](?:\.[01])?)?[\s:_-]*)?(\d{3})(?:[\s:(（-]\D*)?\Z", re.IGNORECASE
)
_FORMATS = re.compile(r"%(?:\d+\$)?(?:\.\d+)?[sdifu@](?![A-Za-z])")
_MARKS = re.compile(rf"\$?\{{+[^{{}}]*\}}+|[{{}}]|{_FORMATS.pattern}")
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
    fallback: str = ""
    help_url: str = ""

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


def build(
    entries: list[Entry],
    wanted: Wanted,
    file: str,
    notes: Notes,
    places: dict[str, str] | None = None,
) -> Catalog:
    """Returns the catalogue, and puts the place of each value into `places`.

    Raises Misuse with all invalid cells and all codes that appear twice.
    """
    locale = wanted.default_locale or _guessed_locale(entries, notes)
    codes, owners, wrong = list[Code](), dict[str | int, Entry](), list[str]()
    for entry in entries:
        code = _code(entry, wanted, locale, notes, wrong)
        if code is None:
            continue
        # proto3 compares the names of values as PascalCase: ROOM_1 is the same as ROOM1
        for key in (code.number, "".join(part.capitalize() for part in code.reason.split("_"))):
            if (first := owners.setdefault(key, entry)) is not entry:
                what = f"number {code.number}" if key == code.number else f"reason {code.reason}"
                wrong.append(
                    f"{first.place} and {entry.place} both have the {what}; give each code its own"
                )
        codes.append(code)
        if places is not None:
            places[code.name] = entry.place
    if wrong:
        many = f" {len(wrong)} cells or rows are wrong:\n" if len(wrong) > 1 else " "
        raise Misuse(f"{file}:{many}" + "\n".join(wrong))
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
        fallback=wanted.fallback,
        infer=(),
        values=tuple(codes),
        prefix=wanted.prefix,
        help_url=wanted.help_url,
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


def _code(
    entry: Entry, wanted: Wanted, default_locale: str, notes: Notes, wrong: list[str]
) -> Code | None:
    """Returns the code of a row, or None without a number. Mistakes go to `wrong`."""
    cells = entry.cells
    number = _integer(entry, "number", cells["number"], -(2**31), 2**31 - 1, wrong)
    http = _integer(entry, "http", _HTTP.sub(r"\1", cells.get("http", "")), 100, 599, wrong)
    retryable, deprecated = (_truth(entry, role, wrong) for role in ("retryable", "deprecated"))
    fields = _fields(entry, wrong)
    named = _named_status(entry, wrong)
    if number is None:
        return None
    reason = _reason(entry, number, wanted, notes)
    status = (
        named
        if named or (named == 0 and number == 0)
        else _guess(entry, number, http, reason, notes)
    )
    description = described(cells.get("description", ""))
    if re.sub(r"\s", "", description) != re.sub(r"\s", "", cells.get("description", "")):
        notes.append(
            Note("lost", entry.place, f"control characters in the description of {reason}")
        )
    hints = dict[Key, str]()
    for (locale, when), text in entry.hints.items():
        if (key := (locale or default_locale, when)) in hints:
            wrong.append(
                f"{entry.place}: {reason} has two hints for {key[0]}; "
                "name the columns by --column TAG=HEADER"
            )
        hints[key] = text
    if not fields and "catalogue" not in cells:
        fields = _guessed_fields(entry.place, reason, cells.get("message", ""), hints, notes)
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
        deprecated=bool(deprecated),
        metadata_fields=fields,
        retryable=retryable,
        resolution=cells.get("resolution", ""),
    )


def _integer(
    entry: Entry, role: str, text: str, least: int, most: int, wrong: list[str]
) -> int | None:
    value = whole(text)
    if value is not None and least <= value <= most:
        return value
    if text:
        wrong.append(
            f"{entry.place}: the {role} {text!r} is no whole number "
            f"from {least} to {most}; give one"
        )
    return None


def _truth(entry: Entry, role: str, wrong: list[str]) -> bool | None:
    text = entry.cells.get(role, "").casefold()
    if text in (*_TRUE, *_FALSE):
        return text in _TRUE
    if text:
        wrong.append(f"{entry.place}: {role} is {text!r}; give true or false, or leave it out")
    return None


def _fields(entry: Entry, wrong: list[str]) -> tuple[Field, ...]:
    text = entry.cells.get("metadata") or "[]"
    keys = [key.strip("{}") for key in re.split(r"[\s,，、;；]+", text)]
    if all(map(KEY.fullmatch, keys)):
        return tuple(Field(key, "", "", False, 0) for key in keys)
    try:
        return tuple(map(_field, json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sample = '[{"key": "limit", "example": "30", "optional": true, "type": "INT64"}]'
        wrong.append(
            f"{entry.place}: the metadata fields are neither `limit, seconds` "
            f"nor JSON such as {sample}"
        )
        return ()


def _field(told: Any) -> Field:
    key, description, example = told["key"], told.get("description", ""), told.get("example", "")
    if not all(isinstance(text, str) for text in (key, description, example)):
        raise TypeError
    kind = _TYPES[told.get("type", "STRING")]
    return Field(key, description, example, told.get("optional", False) is True, kind)


def _guessed_fields(
    place: str, reason: str, message: str, hints: Mapping[Key, str], notes: Notes
) -> tuple[Field, ...]:
    """Returns the fields that the texts name, if the generator accepts them."""
    groups = {when: dict[str, str]() for _, when in hints}
    for (locale, when), text in hints.items():
        groups[when][locale] = text
    texts = (message, *hints.values())
    keys = sorted(
        {key for text in texts for key in names(text)} | {key for when in groups for key, _ in when}
    )
    whens = dict[str, MetadataType].fromkeys(keys, str)
    wrong = next(
        filter(
            None,
            (
                "a value is {key}, with no $" if any("${" in text for text in texts) else None,
                *map(wrong_key, keys),
                *(wrong_templates(each, keys) for each in ({"": message}, *groups.values())),
                *(wrong_when(dict(when), whens) for when in groups),
            ),
        ),
        None,
    )
    named = any(map(names, texts))
    odd = _FORMATS if named and wrong is None else _MARKS
    if marks := dict.fromkeys(mark[0] for text in texts for mark in odd.finditer(text)):
        why = wrong if named and wrong else f"a value is {{key}}, and the key matches {KEY.pattern}"
        what = f"{', '.join(marks)} of {reason}: sent as text; {why}"
        notes.append(Note("lost", place, what))
    if not named or wrong is not None:
        return ()
    for key in keys:
        what = f"metadata field {key} of {reason}: its texts have {{{key}}}"
        notes.append(Note("guessed", place, what, "metadata fields of the texts", 20))
    return tuple(Field(key, "", "", False, 0) for key in keys)


def name_of(text: str) -> str:
    """Returns ROOM_NOT_FOUND for `roomNotFound`, `Room Not Found` and `room-not-found`.

    It drops letters that are not Latin.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"[^A-Za-z0-9]+", "_", split.replace("'", "")).strip("_").upper()


def _reason(entry: Entry, number: int, wanted: Wanted, notes: Notes) -> str:
    name = entry.cells.get("name", "")
    bare = name if "catalogue" in entry.cells else name.removeprefix(wanted.prefix)
    for each in (bare, name):
        if REASON.fullmatch(each) and len(each) <= MAX_REASON:
            if each != name:
                what = f"{name} is now {each}: the prefix of the enum is left out"
                notes.append(Note("renamed", entry.place, what, "names with the enum's prefix"))
            return each
    message = entry.cells.get("message", "")
    source = name if name_of(name) else message if message.isascii() else ""
    made = name_of(source).removeprefix(wanted.prefix)
    reason = made[:MAX_REASON].strip("_")
    if not reason:
        reason = f"CODE_{number}".replace("-", "MINUS_")
    elif not reason[0].isalpha() or len(reason) < 3:
        reason = f"CODE_{reason}"[:MAX_REASON].strip("_")
    origin = f"the message {source!r}" if source else f"the number {number}"
    if name and name == source:
        why = f"reasons match {REASON.pattern}, at most {MAX_REASON} characters"
        # In other names, more than the case and the separators changes.
        group = "names in another case" if made == reason and name.isascii() else ""
        notes.append(Note("renamed", entry.place, f"{name} is now {reason}: {why}", group))
    elif name:
        what = f"{name} is now {reason}: made from {origin}"
        notes.append(Note("renamed", entry.place, what))
    else:
        what = f"reason {reason} of {number}: made from {origin}"
        notes.append(Note("guessed", entry.place, what, "reasons of rows without a name", 20))
    return reason


def _named_status(entry: Entry, wrong: list[str]) -> int | None:
    """Returns the gRPC status that the row has, by its name or number."""
    if not (told := entry.cells.get("grpc")):
        return None
    name = (
        name_of(told.rpartition(".")[2])
        if not told.isdecimal()
        else next((n for n, i in _NUMBERS.items() if i == int(told)), "")
    )
    name = "CANCELLED" if name == "CANCELED" else name
    if name not in _NUMBERS:
        wrong.append(f"{entry.place}: {told!r} is no gRPC status; give one such as NOT_FOUND")
    return _NUMBERS.get(name)


def _guess(entry: Entry, number: int, http: int | None, reason: str, notes: Notes) -> int:
    known, source = (http, f"HTTP {http}") if http is not None else (number, f"the number {number}")
    if number == 0 and (http is None or http // 100 == 2):
        name = "OK"
    elif http is not None or 400 <= number <= 599:
        name = grpc_status(known).name
    else:
        name, source = "UNKNOWN", "nothing"
    may = f"; it may be {_OTHERS[known]}" if known in _OTHERS else ""
    if name != "OK" and known // 100 == 2:
        may = "; a code of success has the number 0, so delete this row if it is one"
    what = f"grpc_status {name} of {reason}: from {source}{may}"
    certain = source != "nothing"
    group = f"times {name} from {source}{may}"
    notes.append(Note("guessed", entry.place, what, group, 1 if certain else 20))
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
        # `owner` is a well-formed language tag, but languages have two or three letters.
        language = len(re.split("[-_]", role.strip())[0]) in (2, 3)
        if role.strip() not in ROLES and not (language and is_language_tag(role.strip())):
            raise Misuse(
                f"--column {pair}: {role!r} is no role and no language; give one of "
                f"{', '.join(ROLES)}, or a language tag such as zh-CN. "
                "A column that is not named is left out"
            )
        found[role.strip()] = header.strip()
    return found
