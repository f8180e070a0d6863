"""The JSON of i18next, version 4: one object, each key with its text."""

import json
from collections.abc import Sequence

from errgrpc.cli.translations.placeholders import I18NEXT
from errgrpc.cli.translations.texts import Text, Translated

__all__ = ["read", "write"]


def write(texts: Sequence[Text], locale: str) -> str:
    """Returns the texts of one locale.

    It leaves out texts without a hint in the locale: i18next takes `fallbackLng` for them.
    """
    told = {
        text.key: I18NEXT.written(hint, text.fields)
        for text in texts
        if (hint := text.hint(locale))
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def read(text: str) -> list[Translated]:
    """Returns the texts of a file. Raises ValueError."""
    told = json.loads(text, object_pairs_hook=tuple)  # a dict would lose a key that is there twice
    if not isinstance(told, tuple) or not all(isinstance(value, str) for _, value in told):
        raise ValueError("it is no JSON object of texts by key")
    return [Translated(key, value) for key, value in told]
