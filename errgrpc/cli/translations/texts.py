"""The hints of catalogues for translators: each with a key, a source text and a comment."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from errgrpc.cli.facts import hint_for
from errgrpc.cli.output import Misuse
from errgrpc.cli.tables import Tables
from errgrpc.cli.translations.placeholders import Style
from errgrpc.codegen.schema import Catalog, Code
from errgrpc.placeholders import names

__all__ = ["Condition", "Text", "Translated", "locale_of", "texts"]

Condition = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Text:
    """A hint of one code under one condition, in all its locales."""

    key: str
    """The reason, or `<reason>_IF_<key>_<value>` under a condition."""
    catalog: Catalog
    code: Code
    when: Condition

    @property
    def fields(self) -> tuple[str, ...]:
        """The keys of the placeholders, in the order of their numbers."""
        declared = [field.key for field in self.code.metadata_fields]
        if not declared:
            return ()
        others = {key for hint in self.code.hints for key in names(hint.text)}
        return (*declared, *sorted(others.difference(declared)))

    @property
    def source(self) -> str:
        """The hint of the default locale, or else another hint, the message or the reason."""
        return self._source[0]

    @property
    def source_note(self) -> str:
        """`source: en-US` for another locale than the default one, or else an empty text."""
        return self._source[1]

    @property
    def _source(self) -> tuple[str, str]:
        default = self.catalog.default_locale
        if own := self.hint(default):
            return own, ""
        if told := hint_for(self.catalog, self.code):
            locales = [hint.locale for hint in self.code.hints if hint.text == told]
            known = default.lower() in map(str.lower, locales)
            return told, "" if known else f"source: {locales[0]}"
        if self.code.message:
            return self.code.message, "source: the message for developers"
        return self.code.reason, "source: the reason"

    def comment(self, style: Style) -> str:
        """Returns the comment: when the code occurs, and the meaning of each placeholder."""
        told = [self.code.description]
        if self.when:
            told.append("If " + " and ".join(f"{key} is {value}" for key, value in self.when))
        for field in self.code.metadata_fields:
            example = field.example and f"such as {field.example}"
            about = ", ".join(filter(None, (field.description, example)))
            placeholder = style.written(f"{{{field.key}}}", self.fields)
            told.append(f"{placeholder} is {field.key}" + (f": {about}" if about else ""))
        return "\n".join(filter(None, told))

    def hint(self, locale: str) -> str:
        """Returns the text for a locale, or an empty text."""
        found = (
            hint.text
            for hint in self.code.hints
            if hint.when == self.when and hint.locale.lower() == locale.lower()
        )
        return next(found, "")


def texts(tables: Tables) -> list[Text]:
    """Returns all hints in the order of codes. Raises Misuse if two catalogues share a reason."""
    found = dict[str, Text]()
    taken = {each.full_name: {code.reason for code in each.codes} for each in tables.catalogs}
    for catalog, code in tables.codes():
        for key, when in _keys(code, taken[catalog.full_name]):
            text = Text(key, catalog, code, when)
            if (other := found.setdefault(key, text)) is not text:
                raise Misuse(
                    f"{other.catalog.full_name}.{other.code.reason} and "
                    f"{catalog.full_name}.{code.reason} would both have the key {key}; "
                    "export one catalogue at a time by --catalogue"
                )
    return list(found.values())


def _keys(code: Code, taken: set[str]) -> Iterator[tuple[str, Condition]]:
    """Yields a key for each condition, and adds it to the keys that its catalogue has taken."""
    yield code.reason, ()
    for when in dict.fromkeys(hint.when for hint in code.hints if hint.when):
        words = (
            re.sub("[^A-Z0-9]+", "_", f"{key}_{value}".upper()).strip("_") for key, value in when
        )
        key = stem = f"{code.reason}_IF_{'_AND_'.join(words)}"
        number = 1
        while key in taken:
            number += 1
            key = f"{stem}_{number}"
        taken.add(key)
        yield key, when


def locale_of(tables: Tables, wanted: str) -> str:
    """Returns a locale as the catalogues spell it. Raises Misuse if no hint has the locale."""
    known = dict.fromkeys(hint.locale for _, code in tables.codes() for hint in code.hints)
    for locale in known:
        if locale.lower() == wanted.replace("_", "-").lower():
            return locale
    have = f"there are {', '.join(known)}" if known else "there is no hint at all"
    raise Misuse(
        f"no hint is in the locale {wanted!r}: {have}" if wanted else f"give --locale: {have}"
    )


@dataclass(frozen=True)
class Translated:
    """One text of a translator's file, with the placeholders of its format."""

    key: str
    text: str
    locale: str = ""
    """Empty if the file does not name it."""
    source: str | None = None
    """The source text, if the file contains it."""
    unfinished: str = ""
    """Why it cannot be taken yet, such as `it is marked fuzzy`."""
