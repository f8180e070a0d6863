"""Measures each promise of docs/reliability-tables.md, for errgrpc and other ways, in one run.

    python -m reliability.comparison            # all
    python -m reliability.comparison --render   # only the tables, from the existing figures

A run writes docs/reliability-comparison.json and the tables of the pages.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import platform
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio
import harness
from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc_interceptor.exceptions import GrpcException

import errgrpc
from errgrpc import ErrorCode, ResCode

from . import budget, misbehaviours, peers
from .misbehaviours import CANARY, CODE, Misbehaviour
from .peers import Peer

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "reliability-comparison.json"
PAGES = tuple(ROOT / "docs" / name for name in ("reliability.md", "reliability-tables.md"))
DEADLINE = 1.0  # seconds, after which a call counts as hung; an answer takes some milliseconds
GONE = 0.3  # seconds after which a handler fails whose caller has given up
OVERSIZED = 128
ATTEMPTS = 100

OUTCOMES = {
    "code": "answered with the right status, and the reader has the code",
    "status": "answered with a right status, without a code",
    "lost": "answered with another status: the cause is lost",
    "leaked": "answered with internal text",
    "raised": "the reader raised an exception of its own",
    "success": "the caller saw a success",
    "hung": "no answer before the caller's deadline",
    "swallowed": "answered, but the process did not end as it must",
}
RIGHT = ("code", "status")

Outcomes = Counter[str]


class Bench:
    """The servers of a peer, one for each style, and a pool of callers."""

    def __init__(
        self, peer: Peer, deadline: float = DEADLINE, styles: Sequence[str] = harness.STYLES
    ) -> None:
        self.peer = peer
        self.deadline = deadline
        self.styles = styles
        self._stack = ExitStack()

    def __enter__(self) -> "Bench":
        self.pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=12))
        self.targets = {
            style: self._stack.enter_context(self.peer.serve(style)) for style in self.styles
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def call(
        self, style: str, kind: str, stack: str, act: harness.Action, after: int = 1, **options: Any
    ) -> harness.Outcome:
        with harness.action(act, after) as request:
            return self.peer.call(
                stack, self.targets[style], kind, request, **{"timeout": self.deadline, **options}
            )

    def cells(
        self, one: Callable[[str, str, str], str], styles: Iterable[str] = harness.STYLES
    ) -> dict[str, Outcomes]:
        """Returns the outcomes of `one(style, kind, stack)` by style; the calls run in parallel."""
        running: list[tuple[str, Future[str]]] = [
            (style, self.pool.submit(one, style, kind, stack))
            for style in styles
            if style in self.styles
            for kind in harness.KINDS
            for stack in harness.STACKS
        ]
        counted: dict[str, Outcomes] = {}
        for style, future in running:
            counted.setdefault(style, Counter())[self.ended(future)] += 1
        return counted

    def ended(self, future: Future[str]) -> str:
        """Returns the outcome of a call.

        With trailers of a megabyte, grpcio's clients sometimes miss even their deadline.
        """
        try:
            return future.result(6 * self.deadline + 4)
        except TimeoutError:
            return "hung"

    def judge(
        self,
        outcome: harness.Outcome,
        code: ErrorCode | None = None,
        stands: frozenset[Any] = frozenset(),
    ) -> str:
        """Returns the outcome of a call whose handler failed.

        The handler failed with `code`, with one of the statuses in `stands`, or with an unhandled
        exception.
        """
        if outcome.error is None:
            return "success"
        if outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return "hung"
        visible = repr((outcome.details, outcome.initial, outcome.trailing))
        if any(leak in visible for leak in misbehaviours.LEAKS):
            return "leaked"
        try:
            reason = self.peer.read(outcome.error)
        except Exception:  # noqa: BLE001
            return "raised"
        if stands:
            return "status" if outcome.code in stands else "lost"
        if code is None:
            return "code" if reason == ResCode.INTERNAL_SERVER_ERROR.reason else "status"
        if outcome.code is not code.grpc_status:
            return "lost"
        return "code" if reason == code.reason else "status"


@dataclass(frozen=True)
class Row:
    """One promise and its measurement: outcomes by style of the handler, or by another key."""

    promise: str
    group: str
    measure: Callable[[Bench], dict[str, Outcomes]]

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.promise.lower().replace("'", "")).strip("-")


# Calls that could hang or leak.


def _misbehave(misbehaviour: Misbehaviour) -> Callable[[Bench], dict[str, Outcomes]]:
    def measure(bench: Bench) -> dict[str, Outcomes]:
        def one(style: str, kind: str, stack: str) -> str:
            outcome = bench.call(
                style, kind, stack, misbehaviour.act(style, bench.peer.fail), misbehaviour.after
            )
            return bench.judge(outcome, misbehaviour.code, misbehaviour.stands)

        return bench.cells(one, misbehaviour.styles)

    return measure


def _client_gone(bench: Bench) -> dict[str, Outcomes]:
    """The caller gives up, and then the handler fails. The next caller must get an answer."""

    def one(style: str, kind: str, stack: str) -> str:
        act = misbehaviours.sleeping_then_failing(style, GONE, bench.peer.fail)
        # On asyncio, grpc itself cancels a call whose requests end after its deadline.
        with contextlib.suppress(asyncio.CancelledError):
            bench.call(style, kind, stack, act, timeout=GONE / 3)
        return bench.judge(bench.call(style, kind, stack, act, timeout=GONE + bench.deadline), CODE)

    return bench.cells(one)


def ends_the_process(bench: Bench, kinds: Sequence[str] = harness.KINDS) -> dict[str, Outcomes]:
    """Raises KeyboardInterrupt and SystemExit on an asyncio server's loop in the main thread.

    The call must be answered, and the process must end.
    """
    names = ("KeyboardInterrupt", "SystemExit")
    running = {
        (name, kind): bench.pool.submit(_fatal, bench, name, kind)
        for name in names
        for kind in kinds
    }
    return {"aio": Counter(future.result() for future in running.values())}


def _fatal(bench: Bench, name: str, kind: str) -> str:
    command = [sys.executable, "-m", "reliability.peers", bench.peer.name, name]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            target, request = process.stdout.readline().split()
            outcome = bench.peer.call(
                "sync", target, kind, request.encode(), timeout=bench.deadline
            )
            found = bench.judge(outcome)
            if found in RIGHT and outcome.code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.CANCELLED,
            ):
                found = "lost"  # the caller saw the server stop, and not the handler's failure
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                return "swallowed" if found in RIGHT else found
            return found
        finally:
            process.kill()


# Errors that could be lost.


def _oversized(bench: Bench) -> dict[str, Outcomes]:
    """Sends the random errors of the size budget in the way of each peer."""

    def one(case: budget.Case) -> str:
        sent = _SENT[bench.peer.name](case)
        return bench.judge(
            bench.call(
                case.style, case.kind, case.stack, sent, case.after, timeout=5 * bench.deadline
            ),
            case.code,
        )

    cases = [
        case
        for case in (budget.make(5, number) for number in range(2 * OVERSIZED))
        if case.foreseen
    ][:OVERSIZED]
    counted: dict[str, Outcomes] = {}
    for case in cases:
        case.code = ResCode.SERVICE_UNAVAILABLE  # accepts any metadata, and a delay
    for case, future in [(case, bench.pool.submit(one, case)) for case in cases]:
        counted.setdefault(case.style, Counter())[bench.ended(future)] += 1
    return counted


def _sent_bare(case: budget.Case) -> harness.Action:
    def act(context: Any) -> Any:
        context.set_trailing_metadata(tuple(case.trailers))
        return context.abort(case.code.grpc_status, budget.clean(case.message or case.code.message))

    return act


def _sent_as_grpc_exception(case: budget.Case) -> harness.Action:
    def act(context: Any) -> None:
        context.set_trailing_metadata(tuple(case.trailers))
        raise GrpcException(budget.clean(case.message or case.code.message), case.code.grpc_status)

    return act


def _sent_by_hand(case: budget.Case) -> harness.Action:
    def act(_: Any) -> None:
        expected = budget.Expected(case)
        status, _ = expected.after(expected.without(0))
        raise peers.TeamError(case.code, status.details[1:], status.message)

    return act


_SENT: dict[str, Callable[[budget.Case], harness.Action]] = {
    peers.BARE.name: _sent_bare,
    peers.GRPC_INTERCEPTOR.name: _sent_as_grpc_exception,
    peers.BY_HAND.name: _sent_by_hand,
    peers.GOOGLE_API_CORE.name: _sent_by_hand,
    peers.ERRGRPC.name: lambda case: case.act,
}


# Broken peers and their readers.


def _status(
    code: int = CODE.grpc_status.value[0], message: str = CODE.message, *more: any_pb2.Any
) -> bytes:
    info = any_pb2.Any()
    info.Pack(
        rpc.ErrorInfo(reason=CODE.reason, domain=CODE.domain, metadata={"code": str(CODE.number)})
    )
    return status_pb2.Status(code=code, message=message, details=[*more, info]).SerializeToString()


def _unknown_type() -> any_pb2.Any:
    return any_pb2.Any(type_url="type.googleapis.com/shop.v9.Unknown", value=b"\x0a\x01x")


def _broken_detail() -> any_pb2.Any:
    return any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\x0a\xff\xff")


BROKEN: dict[str, bytes] = {
    "details that are truncated": _status()[:-7],
    "details that are random bytes": random.Random(3).randbytes(200),  # noqa: S311
    "details that are empty": b"",
    "details whose code differs from the status": _status(code=13),
    "details whose message differs from the call's": _status(message="another"),
    "details with a code that gRPC does not define": _status(code=99),
    "details of an unknown type": _status(CODE.grpc_status.value[0], CODE.message, _unknown_type()),
    "a detail that does not parse": _status(
        CODE.grpc_status.value[0], CODE.message, _broken_detail()
    ),
}


def _broken(value: bytes) -> Callable[[Bench], dict[str, Outcomes]]:
    def act(context: Any) -> None:
        context.set_trailing_metadata(((harness.DETAILS_KEY, value),))
        context.abort(CODE.grpc_status, CODE.message)

    def measure(bench: Bench) -> dict[str, Outcomes]:
        """Measures only the reader: for every peer, the server is the same plain server."""
        counted: Outcomes = Counter()
        with harness.sync_server(()) as target, harness.action(act) as request:
            for kind in harness.KINDS:
                for stack in harness.STACKS:
                    outcome = bench.peer.call(
                        stack, target, kind, request, timeout=5 * bench.deadline
                    )
                    counted[bench.judge(outcome, CODE)] += 1
        return {"any": counted}

    return measure


# Upstreams.


def _forged(context: Any) -> None:
    """An upstream whose error claims our domain and has contents that our callers must not see."""
    info, hint = any_pb2.Any(), any_pb2.Any()
    info.Pack(
        rpc.ErrorInfo(
            reason=CODE.reason,
            domain=CODE.domain,
            metadata={"code": str(CODE.number), "token": CANARY},
        )
    )
    hint.Pack(rpc.LocalizedMessage(locale="zh-CN", message=CANARY))
    status = status_pb2.Status(code=CODE.grpc_status.value[0], message=CANARY, details=[info, hint])
    context.set_trailing_metadata(((harness.DETAILS_KEY, status.SerializeToString()),))
    context.abort(CODE.grpc_status, CANARY)


def _upstream(bench: Bench) -> dict[str, Outcomes]:
    with harness.sync_server(()) as upstream, harness.action(_forged, after=0) as asked:

        def act(_: Any) -> None:
            error = bench.peer.call(
                "sync", upstream, "unary_unary", asked, timeout=5 * bench.deadline
            ).error
            raise bench.peer.seen(error)

        def one(style: str, kind: str, stack: str) -> str:
            outcome = bench.call(style, kind, stack, act, timeout=5 * bench.deadline)
            found = bench.judge(outcome)
            claimed = outcome.code is CODE.grpc_status or CODE.reason in repr(outcome.trailing)
            return "leaked" if found in RIGHT and claimed else found

        return bench.cells(one)


_HANGS, _LOSES, _READS, _PASSES = (
    "Nothing hangs, nothing leaks",
    "No error is lost",
    "A broken peer",
    "Errors of other services",
)
ROWS: tuple[Row, ...] = (
    Row(f"{OVERSIZED} random errors of up to a megabyte", _LOSES, _oversized),
    *(Row(each.name, _LOSES, _misbehave(each)) for each in misbehaviours.CODED),
    Row("a coded error after the client has gone, then another call", _LOSES, _client_gone),
    *(Row(each.name, _HANGS, _misbehave(each)) for each in misbehaviours.UNFORESEEN),
    Row(
        "KeyboardInterrupt and SystemExit in the main thread: answered, and the process ends",
        _HANGS,
        ends_the_process,
    ),
    *(Row(each.name, _HANGS, _misbehave(each)) for each in misbehaviours.ABORTS),
    Row("an upstream's error with our domain, raised through a handler", _PASSES, _upstream),
    *(Row(name, _READS, _broken(value)) for name, value in BROKEN.items()),
)


# Failures outside any interceptor, and some inside.


def _remade(handler: Any, method: str, **options: Any) -> Any:
    kind = method.rpartition("/")[2]
    return handler and getattr(grpc, f"{kind}_rpc_method_handler")(
        getattr(handler, kind), **options
    )


class _Serializing(grpc.ServerInterceptor):
    """Changes the serializers of methods, as if a client of another version sends bad requests."""

    def __init__(self, **options: Any) -> None:
        self._options = options

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        return _remade(continuation(details), details.method, **self._options)


class _SerializingAio(grpc.aio.ServerInterceptor):
    def __init__(self, **options: Any) -> None:
        self._options = options

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return _remade(await continuation(details), details.method, **self._options)


def _refuse(_: bytes) -> bytes:
    raise ValueError(CANARY)


@dataclass(frozen=True)
class Limit:
    """A failure outside any interceptor: how often a call is answered, and by which status.

    It is counted over all styles and kinds.
    """

    name: str
    inner: Callable[[str], Sequence[Any]] = lambda _: ()
    method: str | None = None
    act: harness.Action = lambda _: None
    outside: bool = False
    styles: tuple[str, ...] = harness.STYLES
    kinds: tuple[str, ...] = harness.KINDS

    def measure(
        self, peer: Peer, attempts: int = ATTEMPTS, deadline: float = DEADLINE
    ) -> dict[str, Outcomes]:
        """Returns how often each status came, by style.

        If an answer shows something internal, `leaked` is counted, too.
        """
        counted: dict[str, Outcomes] = {}
        for style in self.styles:
            guards = list(peer.interceptors(style))
            inner = list(self.inner(style))
            interceptors = [*inner, *guards] if self.outside else [*guards, *inner]
            with (
                harness.action(self.act, after=1) as request,
                peers.serve(style, interceptors, peer.servicer(style)) as target,
                ThreadPoolExecutor(max_workers=8) as pool,
            ):
                cells = [self.kinds[number % len(self.kinds)] for number in range(attempts)]
                found = pool.map(
                    lambda kind: self._one(peer, target, kind, request, deadline), cells
                )
                counted[style] = Counter(found)
        return counted

    def _one(self, peer: Peer, target: str, kind: str, request: bytes, deadline: float) -> str:
        interceptors = [errgrpc.ClientInterceptor(ResCode)] if peer.typed else []
        with grpc.insecure_channel(target) as channel:
            intercepted = grpc.intercept_channel(channel, *interceptors)
            method = getattr(intercepted, kind)(f"/test.Service/{self.method or kind}")
            try:
                outcome = method(harness.argument(kind, request), timeout=deadline)
                list(outcome if kind.endswith("stream") else ())
            except grpc.RpcError as error:
                failed: Any = error
                if failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    return "hung"
                name = str(failed.code().name)
                coded = peer.typed and failed.error_code is not None and not failed.inferred
                return (
                    name
                    + (" with the code" if coded else "")
                    + (", leaked" if CANARY in str(failed.details()) else "")
                )
            return "success"


def _of(
    sync: Callable[..., Any], asynchronous: Callable[..., Any], **options: Any
) -> Callable[[str], Sequence[Any]]:
    return lambda style: [(sync if style == "sync" else asynchronous)(**options)]


class _Raising(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, details: Any) -> Any:
        raise LookupError(CANARY)


class _RaisingAio(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        raise LookupError(CANARY)


def _abort_in_the_middle(context: Any) -> None:
    context.abort(CODE.grpc_status, CODE.message)


LIMITS: tuple[Limit, ...] = (
    Limit("a method that does not exist", method="missing"),
    Limit(
        "a request that does not parse",
        _of(_Serializing, _SerializingAio, request_deserializer=_refuse),
    ),
    Limit(
        "a response that does not serialize",
        _of(_Serializing, _SerializingAio, response_serializer=_refuse),
    ),
    Limit("another interceptor outside ours raises", _of(_Raising, _RaisingAio), outside=True),
    Limit(
        "fixed by errgrpc: a sync streaming handler on an asyncio server yields, then aborts",
        act=_abort_in_the_middle,
        styles=("sync_on_aio",),
        kinds=("unary_stream", "stream_stream"),
    ),
)
LIMITED = (peers.BARE, peers.ERRGRPC)


# The figures and the page.

Figures = dict[str, Any]


def measure(each: Callable[[str, int], object] = lambda *_: None) -> Figures:
    """Measures everything. `each` is told what was measured, and how many rows."""
    rows: list[dict[str, Any]] = [
        {"id": row.id, "promise": row.promise, "group": row.group, "results": {}} for row in ROWS
    ]
    limits: list[dict[str, Any]] = [{"name": limit.name, "results": {}} for limit in LIMITS]
    for peer in peers.PEERS:
        # Each peer has a process of its own, so that its event loops and threads cannot affect
        # others.
        command = [sys.executable, "-m", "reliability.comparison", "--peer", peer.name]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:  # noqa: S603
            assert process.stdout is not None
            for figures in [*rows, *(limits if peer in LIMITED else ())]:
                each(f"{peer.name}: {figures.get('promise') or figures['name']}", 0)
                figures["results"][peer.name] = json.loads(process.stdout.readline())
                each(f"{peer.name}: {figures.get('promise') or figures['name']}", 1)
            process.kill()
    return {"deadline": DEADLINE, "versions": versions(), "rows": rows, "limits": limits}


def measure_one(peer: Peer) -> NoReturn:
    """Prints the figures of one peer, a line for each row and then for each limit.

    Then it ends the process, even if something still hangs.
    """
    with quiet(), Bench(peer) as bench:
        for row in ROWS:
            print(json.dumps(row.measure(bench), sort_keys=True), flush=True)
        for limit in LIMITS if peer in LIMITED else ():
            print(json.dumps(limit.measure(peer), sort_keys=True), flush=True)
        os._exit(0)


def versions() -> dict[str, str]:
    names = ("grpcio", "grpcio-status", "grpc-interceptor", "google-api-core", "protobuf")
    return {"Python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def total(by_style: Mapping[str, Mapping[str, int]]) -> Outcomes:
    counted: Outcomes = Counter()
    for found in by_style.values():
        counted.update(found)
    return counted


def cell(found: Mapping[str, int]) -> str:
    """Returns `24 status, 8 hung`, with the worse outcomes last."""
    order = list(OUTCOMES)
    names = sorted(
        found, key=lambda name: (order.index(name) if name in order else len(order), name)
    )
    return ", ".join(f"{found[name]} {name}" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables(figures: Figures, size: Mapping[str, Any]) -> dict[str, str]:
    """Returns the parts of the page that come from figures, by name."""
    names = [peer.name for peer in peers.PEERS]
    comparison: list[str] = []
    for group in dict.fromkeys(row["group"] for row in figures["rows"]):
        rows = [row for row in figures["rows"] if row["group"] == group]
        body = [
            [
                row["promise"],
                *(cell(total(row["results"][name])) for name in names),
                f"`{row['id']}`",
            ]
            for row in rows
        ]
        comparison += [f"### {group}", _table(["promise", *names, "test"], body)]
    everything = {
        name: total({row["id"]: total(row["results"][name]) for row in figures["rows"]})
        for name in names
    }
    summary = [
        [f"{outcome}: {text}", *(str(everything[name][outcome]) for name in names)]
        for outcome, text in OUTCOMES.items()
    ]
    limited = [peer.name for peer in LIMITED]
    limits = [
        [limit["name"] + (f" ({_STYLE[style]})" if len(limit["results"][limited[0]]) > 1 else "")]
        + [cell(limit["results"][name][style]) for name in limited]
        for limit in figures["limits"]
        for style in limit["results"][limited[0]]
    ]
    stages = sorted(size["shed_by_stage"].items(), key=lambda item: (-item[1], item[0]))
    sizes = [
        ["errors", f"{size['errors']:,}"],
        ["lost", f"{size['lost']:,}"],
        ["over the limit", f"{size['past_the_limit']:,}"],
        [
            "dropped more than needed, or otherwise wrong",
            f"{size['shed_too_much'] + size['otherwise_wrong']:,}",
        ],
        [
            "without exactly one log record that names the dropped parts",
            f"{size['logged_wrong']:,}",
        ],
        ["largest before the limit is applied", f"{size['raw_largest']:,} bytes"],
        ["largest on the wire", f"{size['largest']:,} bytes of {size['limit']:,}"],
        ["errors with a dropped part", f"{size['shed']:,}"],
        *([f"dropped: {name}", f"{count:,}"] for name, count in stages),
    ]
    used = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return {
        "versions": (
            f"Measured in one run with {used}; "
            f"a call counts as hung after {figures['deadline']:g} s."
        ),
        "summary": _table(["calls", *names], summary),
        "comparison": "\n\n".join(comparison),
        "limits": _table(["what happens", *limited], limits),
        "budget": _table(["", "measured"], sizes),
    }


_STYLE = {
    "sync": "sync",
    "aio": "asyncio",
    "reader_writer": "reader/writer",
    "sync_on_aio": "sync handlers on asyncio",
}
_PART = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(page: str, parts: Mapping[str, str]) -> str:
    """Returns the page with the parts between its markers rebuilt."""
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}", page)


def load() -> tuple[Figures, dict[str, Any]]:
    return json.loads(FIGURES.read_text()), json.loads(budget.PAGE.read_text())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences the log records of the servers, which are expected for each failure."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--render",
        action="store_true",
        help="only the page's tables, from the figures that are there",
    )
    parser.add_argument(
        "--peer",
        choices=[peer.name for peer in peers.PEERS],
        help="print the figures of one, a row a line",
    )
    arguments = parser.parse_args()
    if arguments.peer:
        measure_one(next(peer for peer in peers.PEERS if peer.name == arguments.peer))
    console = Console()
    if not arguments.render:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(
                "", total=len(ROWS) * len(peers.PEERS) + len(LIMITS) * len(LIMITED)
            )
            figures = measure(
                lambda what, done: progress.update(task, advance=done, description=what)
            )
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=False) + "\n")
    figures, size = load()
    for page in PAGES:
        page.write_text(rendered(page.read_text(), tables(figures, size)))
    shown = Table(title=f"calls by outcome; hung after {figures['deadline']:g} s")
    for head in ("promise", *(peer.name for peer in peers.PEERS)):
        shown.add_column(head)
    broken = 0
    for row in figures["rows"]:
        ours = total(row["results"][peers.ERRGRPC.name])
        broken += sum(count for outcome, count in ours.items() if outcome not in RIGHT)
        shown.add_row(
            row["promise"], *(cell(total(row["results"][peer.name])) for peer in peers.PEERS)
        )
    console.print(shown)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
