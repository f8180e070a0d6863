"""Tests the size budget: random errors over real connections.

    python -m reliability.budget --errors 10000

No error may be lost. Each must be within the limit, and shed no more than necessary. A plain client
without errgrpc receives each error. This module computes the expected answer again, only from the
documented order: the error sheds the fewest units that make it fit, and then regains each unit that
still fits.
"""

import argparse
import asyncio
import bisect
import itertools
import json
import logging
import math
import platform
import random
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import harness
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

import errgrpc
from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError

LIMIT = 7_900
KEPT_MESSAGE = 1_024
PAGE = Path(__file__).parents[1] / "docs" / "reliability-budget.json"
ERRORS = [code for code in (*ResCode, *ComponentCode) if code is not ResCode.SUCCESS]
DETAILS_KEY = harness.DETAILS_KEY

_FIRST = (rpc.DebugInfo, rpc.Help)
"""The details that are shed before others."""

Trailer = tuple[str, str | bytes]

# ASCII, characters that grpc-message escapes, characters of two, three and four bytes of UTF-8,
# NUL, a bidi override, a lone surrogate.
_ALPHABETS = (
    "abc xyz",
    "%\n\x00\x7f",
    "éß",
    "房间不存在",
    "😀🀄",
    "\u202e",
    "\ud800",
    "abc房😀%\x00\ud800é",
)


@dataclass
class Case:
    """One error: what a handler raises and has set, and on which server."""

    index: int
    style: str
    kind: str
    stack: str
    after: int
    code: ErrorCode
    message: str | None
    metadata: dict[str, str]
    hint: dict[str, str] | None
    details: list[Message]
    retry_delay: float | None
    trailers: list[Trailer]
    foreseen: bool = True
    """Whether it is a coded error. Other errors get the fallback and the id of the request."""

    @property
    def request_id(self) -> str:
        return f"request-{self.index}"

    def act(self, context: Any) -> None:
        if self.trailers:
            context.set_trailing_metadata(tuple(self.trailers))
        if not self.foreseen:
            raise LookupError(self.message)
        raise ServiceError(
            self.code,
            self.message,
            metadata=self.metadata,
            hint=self.hint,
            details=self.details,
            retry_delay=self.retry_delay,
        )


def _text(rng: random.Random, longest: int) -> str:
    alphabet = rng.choice(_ALPHABETS)
    length = rng.choice((longest, rng.randint(0, longest), rng.randint(0, min(longest, 200))))
    # A repeated piece gives the requested length quickly.
    piece = "".join(rng.choices(alphabet, k=61))
    return (piece * (length // 61 + 1))[:length]


def _violations(
    rng: random.Random, kind: Any, field_name: str, **fields: Callable[[], str]
) -> Message:
    message: Message = kind()
    for _ in range(rng.choice((1, 5, rng.randint(1, 100), 1_000))):
        getattr(message, field_name).add(**{name: make() for name, make in fields.items()})
    return message


def _details(rng: random.Random) -> list[Message]:
    def short() -> str:
        return clean(_text(rng, 60))

    def long() -> str:
        return clean(_text(rng, 3_000))

    makers: list[Callable[[], Message]] = [
        lambda: rpc.DebugInfo(
            stack_entries=[clean(_text(rng, 1_000)) for _ in range(rng.randint(0, 100))],
            detail=long(),
        ),
        lambda: rpc.Help(
            links=[
                rpc.Help.Link(description=short(), url="https://example.com/" + short())
                for _ in range(rng.randint(1, 40))
            ]
        ),
        lambda: _violations(
            rng, rpc.BadRequest, "field_violations", field=short, description=short
        ),
        lambda: _violations(
            rng, rpc.PreconditionFailure, "violations", type=short, subject=short, description=short
        ),
        lambda: _violations(rng, rpc.QuotaFailure, "violations", subject=short, description=short),
        lambda: rpc.ResourceInfo(
            resource_type=short(), resource_name=long(), owner=short(), description=short()
        ),
        lambda: wrappers_pb2.StringValue(value=long()),
        lambda: rpc.RequestInfo(request_id=short() or "r", serving_data=short()),
    ]
    return [make() for make in rng.sample(makers, rng.choice((0, 1, 2, 3, len(makers))))]


def _trailers(rng: random.Random) -> list[Trailer]:
    """Returns up to 6 kB of trailers; now and then more than the whole limit."""
    room = rng.choice((0, 0, 0, 300, 2_000, 6_000, 6_000, 20_000 if rng.random() < 0.2 else 0))
    made: list[Trailer] = []
    while room > 40:
        size = rng.randint(0, min(room, 3_000) - 40 + 1)
        number = len(made)
        made.append(
            (f"x-blob-{number}-bin", rng.randbytes(size * 3 // 4))
            if rng.random() < 0.4
            else (f"x-text-{number}", "t" * size)
        )
        room -= size + 44
    if rng.random() < 0.05:  # a handler's own value is replaced
        made.insert(rng.randint(0, len(made)), (DETAILS_KEY, rng.randbytes(50)))
    return made


def make(seed: int, index: int) -> Case:
    """Returns the error with this number. Sizes near the limit are frequent."""
    rng = random.Random(f"{seed}/{index}")  # noqa: S311
    combinations = list(itertools.product(harness.STYLES, harness.KINDS, harness.STACKS))
    style, kind, stack = combinations[index % len(combinations)]
    keys = rng.choice((0, 0, 1, 5, rng.randint(0, 60), 200))
    made = Case(
        index,
        style,
        kind,
        stack,
        rng.choice((0, 1, 2)),
        rng.choice(ERRORS),
        _text(rng, rng.choice((100, 1_100, 3_000, 30_000))) if rng.random() < 0.6 else None,
        {
            f"key_{rng.randint(0, 99)}_{number}"[:64]: _text(rng, rng.choice((10, 60, 300)))
            for number in range(keys)
        },
        {"zh-CN": _text(rng, rng.choice((100, 2_000, 20_000))) or "x", "en-US": "x"}
        if rng.random() < 0.4
        else None,
        _details(rng),
        rng.choice((None, None, 0, 0.5, 3_600)),
        _trailers(rng),
    )
    # Then only the declared keys, with long values. No hint depends on these values.
    if made.code.metadata_fields:
        values = {int: "42", bool: "false"}
        made.metadata = {
            field.key: values.get(field.type) or _text(rng, rng.choice((10, 300, 3_000)))
            for field in made.code.metadata_fields
        }
    if made.code.retryable is False:  # otherwise a delay causes a MisuseWarning
        made.retry_delay = None
    if rng.random() < 0.05:
        made.foreseen = False
        made.code, made.metadata, made.hint, made.retry_delay = (
            ResCode.INTERNAL_SERVER_ERROR,
            {},
            None,
            None,
        )
        made.details = [rpc.RequestInfo(request_id=made.request_id)]
    return made


# The expected answer, from the documents alone.


def clean(text: str) -> str:
    """Replaces lone surrogates, which UTF-8 does not have, by U+FFFD."""
    return "".join(
        "\ufffd" if 0xD800 <= ord(character) <= 0xDFFF else character for character in text
    )


@dataclass
class Expected:
    """The answer after some units were shed.

    `units` holds the stages in their order, and the number of units of each.
    """

    case: Case
    message: str = ""
    kept: int = 0
    others: list[Message] = field(default_factory=list)
    retry: Message | None = None
    request: Message | None = None
    hint: tuple[str, str] | None = None
    metadata: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[Trailer] = field(default_factory=list)
    units: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        case = self.case
        self.message = (
            case.code.message if case.message is None or not case.foreseen else clean(case.message)
        )
        for size, character in zip(
            itertools.accumulate(len(c.encode()) for c in self.message), self.message, strict=True
        ):
            if size > KEPT_MESSAGE:
                break
            self.kept += len(character)
        for detail in case.details:
            if isinstance(detail, rpc.RequestInfo):
                self.request = detail
            else:
                self.others.append(detail)
        if case.retry_delay is not None:
            delay = duration_pb2.Duration(
                seconds=int(case.retry_delay), nanos=round(case.retry_delay % 1 * 1e9)
            )
            self.retry = rpc.RetryInfo(retry_delay=delay)
        hints = (
            {locale: clean(text) for locale, text in case.hint.items()}
            if case.hint
            else case.code.hints
        )
        self.hint = ("zh-CN", hints["zh-CN"])
        self.metadata = [(key, clean(value)) for key, value in case.metadata.items()]
        self.trailers = [entry for entry in case.trailers if entry[0] != DETAILS_KEY]
        self.units = list(self._units())

    def _units(self) -> Iterator[tuple[str, int]]:
        yield "message", len(self.message) - self.kept
        for kind in _FIRST:
            yield kind.DESCRIPTOR.name, sum(isinstance(detail, kind) for detail in self.others)
        for detail in reversed(self.others):
            yield f"violations of {detail.DESCRIPTOR.name}", len(_violations_of(detail))
        yield "details", sum(not isinstance(detail, _FIRST) for detail in self.others)
        yield "LocalizedMessage", 1
        yield "metadata", len(self.metadata)
        yield "RetryInfo", int(self.retry is not None)
        yield "RequestInfo", int(self.request is not None)
        yield "rest of the message", min(self.kept, len(self.message))
        yield "trailing metadata of the handler", len(self.trailers)

    def without(self, given_up: int) -> list[list[int]]:
        """Returns the units that each stage keeps after shedding `given_up` units in order.

        Each stage sheds its last unit first.
        """
        kept = []
        for _, count in self.units:
            gone = min(count, given_up)
            given_up -= gone
            kept.append(list(range(count - gone)))
        return kept

    def shed(self, kept: list[list[int]]) -> list[str]:
        """Returns the stages that have shed a unit."""
        return [
            name
            for (name, count), units in zip(self.units, kept, strict=True)
            if len(units) < count
        ]

    def after(self, kept: list[list[int]]) -> tuple[status_pb2.Status, list[Trailer]]:
        """Returns the Status and the handler's trailers with these units of each stage."""
        case, left = self.case, dict[int, Message](enumerate(self.others))
        parts = iter(kept)
        beyond = len(next(parts))
        for kind in _FIRST:
            if not next(parts):
                left = {
                    index: detail for index, detail in left.items() if not isinstance(detail, kind)
                }
        for index, detail in reversed(list(enumerate(self.others))):
            units, entries = next(parts), _violations_of(detail)
            if index in left and len(units) < len(entries):
                left[index] = less = type(detail)()
                less.CopyFrom(detail)
                del _violations_of(less)[:]
                _violations_of(less).extend(entries[unit] for unit in units)
        units = next(parts)
        others = [
            index for index, detail in enumerate(self.others) if not isinstance(detail, _FIRST)
        ]
        left = {
            index: detail
            for index, detail in left.items()
            if index not in others or others.index(index) in units
        }
        hint = self.hint if next(parts) else None
        metadata = [self.metadata[unit] for unit in next(parts)]
        retry, request = (detail if next(parts) else None for detail in (self.retry, self.request))
        pushback = []
        if retry is not None and case.retry_delay is not None:
            pushback = [
                ("grpc-retry-pushback-ms", str(max(1, math.ceil(case.retry_delay * 1_000))))
            ]
        message = self.message[: len(next(parts)) + beyond]
        trailers = [self.trailers[unit] for unit in next(parts)]
        code = self.case.code
        details: list[Message] = [
            rpc.ErrorInfo(
                reason=code.reason,
                domain=code.domain,
                metadata={"code": str(code.number), **dict(metadata)},
            )
        ]
        if hint is not None:
            details.append(rpc.LocalizedMessage(locale=hint[0], message=hint[1]))
        details += left.values()
        details += [detail for detail in (retry, request) if detail is not None]
        packed = [any_pb2.Any() for _ in details]
        for into, detail in zip(packed, details, strict=True):
            into.Pack(detail, deterministic=True)
        return status_pb2.Status(code=code.grpc_status.value[0], message=message, details=packed), [
            *trailers,
            *pushback,
        ]

    def size(self, kept: list[list[int]]) -> int:
        status, trailers = self.after(kept)
        return received_bytes(
            status.message, [*trailers, (DETAILS_KEY, status.SerializeToString())]
        )

    def fitting(self) -> list[list[int]]:
        """Returns the units that each stage keeps.

        First the fewest units are shed that make the error fit. Then each unit that still fits
        returns, from the last shed unit on.
        """
        fewest = _first(
            sum(count for _, count in self.units),
            lambda given_up: self.size(self.without(given_up)) <= LIMIT,
        )
        kept, names = self.without(fewest), [name for name, _ in self.units]
        details, rest = names.index("details"), names.index("rest of the message")
        for stage, (name, count) in reversed(list(enumerate(self.units))):
            if name.startswith("violations") and len(kept[stage]) < count:
                index = len(self.others) - 1 - (stage - 3)
                place = sum(not isinstance(detail, _FIRST) for detail in self.others[:index])
                if place not in kept[details]:
                    continue
            if name == "message" and len(kept[rest]) < self.units[rest][1]:
                continue
            if "message" in name:
                kept[stage] = self._longest(kept, stage)
                continue
            for unit in range(count):
                kept = self._grown(kept, stage, {*kept[stage], unit}) or kept
        return kept

    def _longest(self, kept: list[list[int]], stage: int) -> list[int]:
        """Returns the characters of a text that fit."""
        had, count = len(kept[stage]), self.units[stage][1]
        more = _first(
            count - had, lambda number: self._grown(kept, stage, range(had + number + 1)) is None
        )
        return list(range(had + more))

    def _grown(
        self, kept: list[list[int]], stage: int, units: Iterable[int]
    ) -> list[list[int]] | None:
        """Returns `kept` with these units of a stage, or None if that does not fit."""
        tried = [*kept[:stage], sorted(units), *kept[stage + 1 :]]
        return tried if self.size(tried) <= LIMIT else None


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """Returns the first number for which `holds` is true, or `count`.

    If it is true for a number, it must be true for all later numbers.
    """
    return bisect.bisect_left(range(count), True, key=holds)


def _violations_of(detail: Message) -> Any:
    return getattr(
        detail, "field_violations" if isinstance(detail, rpc.BadRequest) else "violations", ()
    )


def received_bytes(message: str, trailers: list[Trailer]) -> int:
    """Returns the size that a peer counts: name, value and 32 for each entry.

    Binary values count as base64, and grpc-message counts as percent-encoded.
    """
    size = len("grpc-status") + 2 + 32 + len("grpc-message") + 32
    size += sum(1 if 0x20 <= byte < 0x7F and byte != ord("%") else 3 for byte in message.encode())
    for key, value in trailers:
        size += len(key) + 32 + (-(-len(value) // 3) * 4 if key.endswith("-bin") else len(value))
    return size


# The received answer.


@dataclass
class Received:
    code: grpc.StatusCode
    message: str
    trailers: list[Trailer]


@dataclass
class Result:
    """The findings. All except the totals must stay 0."""

    errors: int = 0
    seed: int = 0
    lost: int = 0
    past_the_limit: int = 0
    shed_too_much: int = 0
    otherwise_wrong: int = 0
    logged_wrong: int = 0
    shed: int = 0
    sheds_own_trailers: int = 0
    largest: int = 0
    raw_largest: int = 0
    shed_by_stage: Counter[str] = field(default_factory=Counter)
    by_way: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        return (
            self.lost
            + self.past_the_limit
            + self.shed_too_much
            + self.otherwise_wrong
            + self.logged_wrong
        )


class Plain:
    """Plain clients of both stacks, with one channel to each server."""

    def __init__(
        self, targets: dict[str, str], loop: asyncio.AbstractEventLoop, stack: ExitStack
    ) -> None:
        self._loop = loop
        self._sync = {
            style: stack.enter_context(grpc.insecure_channel(target))
            for style, target in targets.items()
        }
        self._aio = asyncio.run_coroutine_threadsafe(self._open(targets), loop).result(
            harness.DEADLINE
        )
        stack.callback(
            lambda: asyncio.run_coroutine_threadsafe(self._close(), loop).result(harness.DEADLINE)
        )

    async def _open(self, targets: dict[str, str]) -> dict[str, Any]:
        return {style: grpc.aio.insecure_channel(target) for style, target in targets.items()}

    async def _close(self) -> None:
        for channel in self._aio.values():
            await channel.close()

    def call(self, case: Case, request: bytes) -> Any:
        """Returns the error of a call."""
        if case.stack == "aio":
            return asyncio.run_coroutine_threadsafe(self._call(case, request), self._loop).result(
                2 * harness.DEADLINE
            )
        method = harness.method(self._sync[case.style], case.kind)
        try:
            outcome = method(
                harness.argument(case.kind, request),
                timeout=harness.DEADLINE,
                metadata=_metadata(case),
            )
            list(outcome if case.kind.endswith("stream") else ())
        except grpc.RpcError as error:
            return error
        return None

    async def _call(self, case: Case, request: bytes) -> Any:
        method = harness.method(self._aio[case.style], case.kind)
        call = method(
            harness.argument(case.kind, request), timeout=harness.DEADLINE, metadata=_metadata(case)
        )
        try:
            if case.kind.endswith("stream"):
                async for _ in call:
                    pass
            else:
                await call
        except grpc.RpcError as error:
            return error
        return None


def _metadata(case: Case) -> tuple[tuple[str, str], ...]:
    return (("x-request-id", case.request_id),)


class _Records(logging.Handler):
    """Collects the log records that say what was shed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "bytes of trailers" in record.getMessage():
            self.texts.append(record.getMessage())


def check(case: Case, error: Any, records: list[str], result: Result) -> str | None:
    """Counts the differences of an answer, and returns them as text, or None."""
    result.errors += 1
    result.by_way[f"{case.style} {case.kind} from {case.stack}"] += 1
    if error is None or error.code() is not case.code.grpc_status:
        result.lost += 1
        return f"answered {error!r}"
    trailers = [(key, value) for key, value in error.trailing_metadata() or ()]
    own = [entry for entry in trailers if entry[0] != DETAILS_KEY]
    raw = [value for key, value in trailers if key == DETAILS_KEY]
    typed = errgrpc.from_error(error, ResCode, ComponentCode)
    if (
        len(raw) != 1
        or not isinstance(raw[0], bytes)
        or typed.error_code is not case.code
        or typed.inferred
    ):
        result.lost += 1
        return f"the code did not arrive, but {typed!r}"
    size = received_bytes(error.details(), trailers)
    result.largest = max(result.largest, size)
    if size > LIMIT:
        result.past_the_limit += 1
        return f"{size} bytes"
    expected = Expected(case)
    units = expected.fitting()
    result.raw_largest = max(result.raw_largest, expected.size(expected.without(0)))
    status, kept = expected.after(units)
    received = status_pb2.Status.FromString(raw[0])
    if (received.code, received.message) != (case.code.grpc_status.value[0], error.details()):
        result.otherwise_wrong += 1
        return "status and details differ"
    if _plain(received) != _plain(status) or sorted(own) != sorted(kept):
        if received.ByteSize() < status.ByteSize() or len(own) < len(kept):
            result.shed_too_much += 1
        else:
            result.otherwise_wrong += 1
        found = (
            f"received {received.ByteSize()} bytes and {len(own)} trailers, expected "
            f"{status.ByteSize()} and {len(kept)}"
        )
        return f"{expected.shed(units)} go by the documents; {found}"
    stages = expected.shed(units)
    result.shed += bool(stages)
    result.shed_by_stage.update(
        name.split(" of ")[0] if name.startswith("violations") else name for name in stages
    )
    result.sheds_own_trailers += "trailing metadata of the handler" in stages
    # A shortened error has one record, any other has none.
    named = {"rest of the message": "message"}
    wanted = list(dict.fromkeys(named.get(name, name) for name in stages))
    if len(records) != bool(stages) or (
        stages and not records[0].endswith(": " + ", ".join(wanted))
    ):
        result.logged_wrong += 1
        return f"logged {records}, expected {wanted}"
    return None


def _plain(status: status_pb2.Status) -> list[Any]:
    """Returns the details in a form that can be compared: maps have no order on the wire."""
    plain: list[Any] = [status.code, status.message]
    for packed in status.details:
        info = rpc.ErrorInfo()
        if packed.Unpack(info):
            plain.append((info.reason, info.domain, sorted(info.metadata.items())))
        else:
            plain.append((packed.type_url, packed.value))
    return plain


def run(
    errors: int, seed: int, start: int = 0, each: Callable[[Result], object] = lambda _: None
) -> tuple[Result, list[str]]:
    """Makes, sends and checks errors; returns the figures and the first differences."""
    result, wrong = Result(seed=seed), list[str]()
    records, logger = _Records(), logging.getLogger("errgrpc")
    propagate = logger.propagate
    logger.addHandler(records)
    logger.propagate = False
    try:
        with ExitStack() as stack:
            targets = {style: stack.enter_context(harness.serve(style)) for style in harness.STYLES}
            loop = stack.enter_context(harness.loop_thread())
            plain = Plain(targets, loop, stack)
            for index in range(start, start + errors):
                case = make(seed, index)
                records.texts.clear()
                with harness.action(case.act, case.after) as request:
                    error = plain.call(case, request)
                finding = check(case, error, records.texts, result)
                if finding is not None and len(wrong) < 20:
                    wrong.append(
                        f"error {index} ({case.style} {case.kind} from {case.stack}): {finding}"
                    )
                each(result)
    finally:
        logger.removeHandler(records)
        logger.propagate = propagate
    return result, wrong


def versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in ("grpcio", "protobuf")},
    }


def main() -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument(
        "--json",
        type=Path,
        help=f"where the figures go; {PAGE.name} in docs/ when all 10,000 errors ran",
    )
    arguments = parser.parse_args()
    console = Console()
    warnings.simplefilter("error", errgrpc.MisuseWarning)  # nothing that is raised here is misuse
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[found]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("size budget", total=arguments.errors, found="")

        def each(result: Result) -> None:
            progress.update(
                task, completed=result.errors, found=f"{result.failures} wrong, {result.shed} shed"
            )

        result, wrong = run(arguments.errors, arguments.seed, each=each)
    table = Table(
        title=f"{result.errors:,} random errors of up to {result.raw_largest:,} bytes, "
        f"limit {LIMIT:,}",
        show_header=False,
    )
    for name in (
        "lost",
        "past_the_limit",
        "shed_too_much",
        "otherwise_wrong",
        "logged_wrong",
        "shed",
        "sheds_own_trailers",
        "largest",
    ):
        table.add_row(name.replace("_", " "), f"{getattr(result, name):,}")
    for name, count in result.shed_by_stage.most_common():
        table.add_row(f"gave up: {name}", f"{count:,}")
    console.print(table)
    for text in wrong:
        console.print(text, style="red", markup=False)
    path = arguments.json or (PAGE if arguments.errors >= 10_000 else None)
    if path is not None:
        figures = {**vars(result), "limit": LIMIT, "versions": versions()}
        path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    assert threading.active_count() < 10
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
