"""The formats of translators and other platforms. Each can be written and read back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from errgrpc.cli.translations import android, apple, gettext, i18next, properties
from errgrpc.cli.translations.placeholders import APPLE, BRACES, I18NEXT, JAVA, PRINTF, Style
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """A format, with its style of placeholders."""

    write: Callable[[Sequence[Text], str], str]
    """Returns the file of one locale."""
    read: Callable[[str], list[Translated]]
    """Returns the texts of a file. Raises ValueError."""
    style: Style
    suffix: str
    """The suffix of its files."""


FORMATS: Mapping[str, Format] = {
    "android": Format(android.write, android.read, PRINTF, ".xml"),
    "strings": Format(apple.write_strings, apple.read_strings, APPLE, ".strings"),
    "xcstrings": Format(apple.write_catalogue, apple.read_catalogue, APPLE, ".xcstrings"),
    "i18next": Format(i18next.write, i18next.read, I18NEXT, ".json"),
    "po": Format(gettext.write, gettext.read, BRACES, ".po"),
    "properties": Format(properties.write, properties.read, JAVA, ".properties"),
}
