"""Drops parts of an answer, in a fixed order, until its trailers fit.

Peers drop trailers that are too large, and the code with them. C-core loses some from 8,192 bytes
on, grpc-java all beyond that, and grpc-go resets the stream. A code with fewer details is worth
more than a complete error that never arrives.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from errgrpc.wire.packing import Trailer, holds, unpack

__all__ = ["DEFAULT_MAX_TRAILER_BYTES", "Parts", "fit"]

# Measured: a trailers-only answer has 247 bytes beside the details. Answers of 8,192 bytes or less
# in all were never lost.
DEFAULT_MAX_TRAILER_BYTES = 7_900
# The message is sent twice, in grpc-message and in the Status. So the part beyond this limit is
# dropped first.
MESSAGE_BYTES = 1_024

_FIRST: tuple[type[Message], ...] = (rpc.DebugInfo, rpc.Help)
_VIOLATIONS: tuple[tuple[type[Message], str], ...] = (
    (rpc.BadRequest, "field_violations"),
    (rpc.PreconditionFailure, "violations"),
    (rpc.QuotaFailure, "violations"),
)


@dataclass(slots=True)
class Parts:
    """The parts of one error that can be dropped. `fit` changes them in place. The code stays."""

    message: str
    metadata: dict[str, str]
    localized: tuple[str, str] | None  # locale, text
    details: list[any_pb2.Any]
    retry: any_pb2.Any | None
    request: any_pb2.Any | None
    trailers: list[Trailer]
    pushback: tuple[Trailer, ...] = ()
    """The entry for the client's own retry policy: the delay of `retry`, or -1 for never."""


def _always() -> bool:
    return True


@dataclass(slots=True)
class _Stage:
    """Units that are dropped together. The first unit is the most valuable."""

    name: str
    weights: Sequence[int]
    """How many bytes of trailers each unit takes at least."""
    keep: Callable[[Sequence[int]], None]
    """Keeps the units with these indices, in their order."""
    is_text: bool = False
    """Whether the units are characters, so that only the first ones can be kept."""
    has_place: Callable[[], bool] = _always
    """Whether the part that the units belong to is still there."""


def fit(parts: Parts, limit: int, size: Callable[[Parts], int]) -> list[str]:
    """Drops parts, in a fixed order, until `size(parts)` is at most `limit` bytes.

    It drops no more than needed. A unit that went before a larger one is put back if it fits, the
    most valuable units first. In the end, no dropped unit would fit. ErrorInfo with reason, domain
    and code always stays.

    Returns the names of the dropped parts. They are empty if all parts fitted.
    """
    if size(parts) <= limit:
        return []
    taken: list[_Stage] = []
    for stage in _stages(parts):
        taken.append(stage)
        stage.keep(())
        if size(parts) <= limit:
            break
    shed = [
        stage.name for stage in reversed(taken) if not _put_back(stage, lambda: limit - size(parts))
    ]
    return list(dict.fromkeys(shed[::-1]))


def _put_back(stage: _Stage, room: Callable[[], int]) -> bool:
    """Puts back the units of an empty stage that fit, and tells whether these are all.

    `room` returns how many bytes are left.
    """
    if not stage.has_place():
        return False
    kept: list[int] = []
    rest: Sequence[int] = range(len(stage.weights))
    while rest:
        fits, too_many = 0, len(rest) + 1
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            stage.keep([*kept, *rest[:middle]])
            if room() >= 0:
                fits = middle
            else:
                too_many = middle
        kept += rest[:fits]
        stage.keep(kept)
        if fits == len(rest) or stage.is_text:
            break
        # The next unit does not fit, so only smaller ones can. Units that are too large are
        # skipped, because each try writes the whole answer.
        most = min(room(), stage.weights[rest[fits]] - 1)
        rest = [unit for unit in rest[fits + 1 :] if stage.weights[unit] <= most]
    return len(kept) == len(stage.weights)


def _stages(parts: Parts) -> Iterator[_Stage]:
    """Yields the stages in their order. Each is read after those before it have dropped all."""
    text = parts.message
    first = len(text.encode()[:MESSAGE_BYTES].decode(errors="ignore"))
    if len(text) > first:
        yield _text(parts, text, first, len(text))
    yield from _details(parts)
    yield from _single(parts, "localized", "LocalizedMessage")
    items = list(parts.metadata.items())
    if items:
        weights = [
            _as_base64(rpc.ErrorInfo(metadata={key: value}).ByteSize()) for key, value in items
        ]
        yield _Stage(
            "metadata",
            weights,
            lambda kept: setattr(parts, "metadata", dict(items[unit] for unit in kept)),
        )
    yield from _retry(parts)
    yield from _single(parts, "request", "RequestInfo")
    if first:
        yield _text(parts, text, 0, first)
    trailers = list(parts.trailers)
    if trailers:
        # Exact weights, because text and bytes are compared.
        weights = [
            len(key) + ((len(value) + 2) // 3 * 4 if key.endswith("-bin") else len(value))
            for key, value in trailers
        ]
        yield _Stage(
            "trailing metadata of the handler",
            weights,
            lambda kept: setattr(parts, "trailers", [trailers[u] for u in kept]),
        )


def _as_base64(count: int) -> int:
    """Returns by how many bytes base64 grows at least, if its content grows by `count`."""
    return count * 4 // 3 - 3


def _text(parts: Parts, text: str, start: int, end: int) -> _Stage:
    def keep(kept: Sequence[int]) -> None:
        parts.message = text[: start + len(kept)]

    return _Stage(
        "message",
        range(end - start),
        keep,
        is_text=True,
        has_place=lambda: len(parts.message) == start,
    )


def _single(parts: Parts, name: str, label: str) -> Iterator[_Stage]:
    if (whole := getattr(parts, name)) is not None:
        yield _Stage(label, [0], lambda kept: setattr(parts, name, whole if kept else None))


def _retry(parts: Parts) -> Iterator[_Stage]:
    """Drops RetryInfo and pushback together, because they say the same delay.

    A pushback of -1 stays: without it, clients would retry a call that cannot succeed.
    """
    retry, pushback = parts.retry, parts.pushback
    always = pushback if pushback and pushback[0][1] == "-1" else ()

    def keep(kept: Sequence[int]) -> None:
        parts.retry, parts.pushback = (retry, pushback) if kept else (None, always)

    if retry is not None:
        yield _Stage("RetryInfo", [0], keep)


def _details(parts: Parts) -> Iterator[_Stage]:
    whole, now, gone = parts.details, list(parts.details), set[int]()

    def details(name: str, indices: list[int]) -> Iterator[_Stage]:
        def keep(kept: Sequence[int]) -> None:
            gone.difference_update(indices)
            gone.update(set(indices) - {indices[unit] for unit in kept})
            show()

        if indices:
            yield _Stage(name, [_as_base64(now[index].ByteSize()) for index in indices], keep)

    def violations(index: int, kind: type[Message], field: str) -> Iterator[_Stage]:
        def keep(kept: Sequence[int]) -> None:
            less = type(message)()
            less.CopyFrom(empty)
            getattr(less, field).extend(entries[unit] for unit in kept)
            # A new Any: the same error may be raised again, and needs the old one.
            cut = any_pb2.Any(
                type_url=whole[index].type_url, value=less.SerializeToString(deterministic=True)
            )
            now[index] = whole[index] if len(kept) == len(entries) else cut
            show()

        message: Any = unpack(whole[index], kind)
        if message is not None and (entries := getattr(message, field)):
            name = f"violations of {kind.DESCRIPTOR.name}"
            empty = type(message)()
            empty.CopyFrom(message)
            empty.ClearField(field)
            yield _Stage(
                name,
                [_as_base64(entry.ByteSize()) for entry in entries],
                keep,
                has_place=lambda: index not in gone,
            )

    def show() -> None:
        parts.details = [detail for index, detail in enumerate(now) if index not in gone]

    helps = [
        index for index, detail in enumerate(whole) if any(holds(detail, kind) for kind in _FIRST)
    ]
    for kind in _FIRST:
        yield from details(
            kind.DESCRIPTOR.name, [index for index in helps if holds(whole[index], kind)]
        )
    for index in reversed(range(len(whole))):
        for kind, field in _VIOLATIONS:
            yield from violations(index, kind, field)
    yield from details("details", [index for index in range(len(whole)) if index not in helps])
