"""Java's .properties in ISO 8859-1 with escapes, which all versions of Java and Spring read."""

from collections.abc import Sequence

from moz.l10n.formats import Format
from moz.l10n.formats.properties.parse import properties_parse
from moz.l10n.formats.properties.serialize import properties_serialize
from moz.l10n.model import Entry, Message, PatternMessage, Resource, Section

from errgrpc.cli.translations.placeholders import JAVA
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["read", "write"]


def write(texts: Sequence[Text], locale: str) -> str:
    """Returns the texts of one locale.

    It leaves out texts without a hint in the locale: Java takes the default locale for them.
    """
    entries = [
        Entry[Message](
            (text.key,),
            PatternMessage([_units(JAVA.written(hint, text.fields))]),
            comment=_units(text.comment(JAVA)),
        )
        for text in texts
        if (hint := text.hint(locale))
    ]
    resource = Resource[Message](Format.properties, [Section((), list(entries))])
    return "".join(properties_serialize(resource, encoding="iso-8859-1"))


def _units(text: str) -> str:
    """Splits characters into UTF-16 units, because moz.l10n writes one escape for each."""
    data = text.encode("utf-16-be")
    return "".join(chr(high << 8 | low) for high, low in zip(data[::2], data[1::2], strict=True))


def read(text: str) -> list[Translated]:
    """Returns the texts of a file. Raises ValueError."""
    found = list[Translated]()
    for section in properties_parse(text).sections:
        for entry in section.entries:
            if isinstance(entry, Entry) and isinstance(entry.value, PatternMessage):
                value = "".join(part for part in entry.value.pattern if isinstance(part, str))
                whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                found.append(Translated(".".join((*section.id, *entry.id)), whole))
    return found
