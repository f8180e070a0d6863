"""Makes foreign text safe to show and to send: escaped, bounded, and always valid UTF-8."""

from typing import TypeGuard

__all__ = ["clean", "is_request_id", "shown"]

_MAX_REQUEST_ID = 128  # characters


def shown(value: object, longest: int = 1_000) -> str:
    """Returns `repr(value)`, cut to `longest` characters.

    It escapes control characters, bidi overrides and ANSI sequences.
    """
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  whatever a foreign __repr__ raises
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= longest else text[:longest] + "..."


def clean(text: str) -> str:
    """Returns `text` with U+FFFD in place of each lone surrogate, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_request_id(text: object) -> TypeGuard[str]:
    """Tells whether `text` is valid as a request id.

    It must have 1 to 128 printable ASCII characters, and not only spaces.
    """
    return (
        isinstance(text, str)
        and len(text) <= _MAX_REQUEST_ID
        and text.isascii()
        and text.isprintable()
        and bool(text.strip())
    )
