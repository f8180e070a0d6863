"""Tells which trailing metadata of a handler gRPC can send.

One bad entry would cost the whole answer.
"""

import re
from collections.abc import Iterable

from errgrpc.texts import shown
from errgrpc.wire.packing import PUSHBACK_KEY, Trailer

__all__ = ["pushback", "sendable"]

_KEY = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP2: Header-Name
_TEXT = re.compile(r"[ -~]*")  # gRPC over HTTP2: ASCII-Value
_DELAY = re.compile(r" *(\+?[0-9]{1,19}|-0+) *")
_MAX_PUSHBACK = 2**31 - 1  # milliseconds
# If a server sends these in trailers, its process aborts (grpcio 1.85).
_FATAL = {"grpc-timeout", "grpclb_client_stats"}


def pushback(milliseconds: int) -> int:
    """Returns a delay within what all clients can read.

    On 0, and on more than 32 bits, a client of grpcio waits until its deadline.
    """
    return min(max(milliseconds, 1), _MAX_PUSHBACK)


def sendable(trailers: Iterable[Trailer] | None) -> tuple[list[Trailer], list[str]]:
    """Returns the entries that gRPC can send, and the keys of the others as they are shown.

    The values of the others may be secrets, so they are not shown.
    """
    kept: list[Trailer] = []
    refused: list[str] = []
    for entry in trailers if trailers is not None and issubclass(type(trailers), Iterable) else ():
        key: object = None
        try:
            key, value = entry
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if key == PUSHBACK_KEY and _DELAY.fullmatch(text):
                kept.append((key, str(pushback(int(text)))))
                continue
            if (
                _KEY.fullmatch(key)
                and key not in _FATAL
                and (isinstance(value, bytes) if key.endswith("-bin") else _TEXT.fullmatch(text))
            ):
                kept.append((key, value))
                continue
        except Exception:  # noqa: BLE001, S110  whatever reading the entry raises
            pass
        refused.append(shown(key, 200))
    return kept, refused
