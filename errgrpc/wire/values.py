"""The plain values of one error. `arguments` makes them, and `encoding` writes them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf.message import Message

from errgrpc.codes import ErrorCode

__all__ = ["Values"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Values(NamedTuple):
    """The values of one error. None stands for what the code itself declares."""

    code: ErrorCode
    message: str | None = None
    metadata: Mapping[str, str] = _NOTHING
    hints: dict[str, str] | None = None
    """The texts that replace the code's own, by locale."""
    hint: str | None = None
    """The text in `hints`, if the raiser gave it without a locale."""
    retry_delay: float | None = None
    """Seconds."""
    details: tuple[tuple[Message, bytes], ...] = ()
    """Each detail with its bytes in an Any, in the order of the wire.

    RetryInfo and RequestInfo are last.
    """
