"""`errgrpc export`: writes the table in the formats of other tools."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from errgrpc.cli.exporting import documents
from errgrpc.cli.output import Exit, Misuse, print_file, working
from errgrpc.cli.tables import Tables
from errgrpc.cli.translations import FORMATS
from errgrpc.cli.translations.texts import locale_of, texts
from errgrpc.locales import is_language_tag

__all__ = ["show", "written"]

_TABLES: Mapping[str, Callable[[Tables], str]] = {
    "json": documents.as_json,
    "json-schema": lambda _: documents.schema(),
    "csv": documents.as_csv,
}


def written(tables: Tables, form: str, locale: str = "") -> str:
    """Returns the table in a format. Formats of hints need `locale`. Raises Misuse."""
    if form in _TABLES:
        if locale:
            raise Misuse(f"{form} holds all locales: leave out --locale")
        return _TABLES[form](tables)
    if form == "xcstrings":
        if locale:
            raise Misuse("xcstrings holds all locales: leave out --locale")
        locale = next(
            (each.default_locale for each in tables.catalogs if each.default_locale), "en"
        )
    elif form == "po" and is_language_tag(locale):
        with contextlib.suppress(Misuse):  # a new locale has no hints yet
            locale = locale_of(tables, locale)
    else:
        locale = locale_of(tables, locale)
    return FORMATS[form].write(texts(tables), locale)


def show(tables: Tables, form: str, output: Path | None, locale: str = "") -> Exit:
    """Writes the table to `output` or to standard output."""
    with working(f"writing {form}"):
        text = written(tables, form, locale).removesuffix("\n") + "\n"
    if output is not None:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise Misuse(f"{output} cannot be written: {error.strerror}") from error
    else:
        print_file(text)
    return Exit.FINE
