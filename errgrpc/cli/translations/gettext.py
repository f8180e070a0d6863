"""GNU gettext's .po, by polib. The msgctxt is the key, the msgid is the source text."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import polib

from errgrpc.cli.translations.placeholders import BRACES
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["read", "write"]


def write(texts: Sequence[Text], locale: str) -> str:
    """Returns all texts. Texts without a hint in the locale are untranslated."""
    file = polib.POFile(wrapwidth=0)
    file.metadata = {
        "Project-Id-Version": texts[0].catalog.domain if texts else "",
        # As msginit writes them without a translator. A date would change each export.
        "PO-Revision-Date": "",
        "Last-Translator": "Automatically generated",
        "Language-Team": "none",
        "Language": locale.replace("-", "_"),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    for text in texts:
        entry = polib.POEntry(
            msgctxt=text.key,
            msgid=BRACES.written(text.source, text.fields),
            msgstr=BRACES.written(text.hint(locale), text.fields),
            comment="\n".join(filter(None, (text.comment(BRACES), text.source_note))),
            flags=["python-brace-format"] if text.fields else [],
        )
        file.append(entry)
    return str(file) + "\n"


def read(text: str) -> list[Translated]:
    """Returns the entries of a file. Raises ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        # A file, because polib would split a text at all line ends of Unicode.
        path = Path(folder, "translated.po")
        path.write_text(text, encoding="utf-8", newline="")
        try:
            file = polib.pofile(str(path), encoding="utf-8")
        except OSError as error:
            raise ValueError(
                f"it is no .po file: {str(error).replace(folder + '/', '')}"
            ) from error
    locale = file.metadata.get("Language", "").replace("_", "-")
    return [
        Translated(
            entry.msgctxt or "",
            entry.msgstr,
            locale,
            entry.msgid,
            "it is marked fuzzy"
            if entry.fuzzy
            else "it has plural forms"
            if entry.msgid_plural
            else "",
        )
        for entry in file
        if not entry.obsolete and (entry.msgstr or entry.msgid_plural)
    ]
