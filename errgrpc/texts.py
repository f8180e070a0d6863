"""Makes foreign text safe to show and to send: escaped, bounded, and always valid UTF-8."""

from typing import TypeGuard

__all__ = ["clean", "is_request_id", "shown"]

_MAX_REQUEST_ID = 128  # characters


def shown(value: object, longest: int = 1_000) -> str:
    """`repr(value)`, cut to `longest` characters; it escapes control characters, bidi overrides and ANSI sequences."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  whatever a foreign __repr__ raises
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= longest else text[:longest] + "..."


def clean(text: str) -> str:
    """`text` with U+FFFD in place of each lone surrogate, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_request_id(text: object) -> TypeGuard[str]:
    """Whether `text` may travel as a request id: 1 to 128 printable ASCII characters, not all of them spaces."""
    return (
        isinstance(text, str)
        and len(text) <= _MAX_REQUEST_ID
        and text.isascii()
        and text.isprintable()
        and bool(text.strip())
    )
