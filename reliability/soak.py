"""Makes many calls, and checks that every outcome is expected and that no memory is lost.

`python -m reliability.soak --calls 1000000` starts a client and a server as processes, and watches
them. The server has handlers of all four styles, and the client calls them with both stacks at the
same time. The number of a call determines what it does.

After each round, no call is running. Both processes then count their objects (after a full
collection), memory blocks and resident memory. Only growth over the second half of the run counts.
Figures and plot go to `--out`; for the full run, the default is docs/.

Two limitations of grpcio are left out. On an asyncio server, a sync handler is not told that its
client is gone. If it streams, it keeps its thread forever. If it fails, grpc keeps some objects of
its status. So these calls are not cancelled and have no deadline.
"""

import argparse
import asyncio
import collections
import contextlib
import gc
import json
import logging
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import harness
import psutil
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

import errgrpc
from errgrpc import RemoteError, ResCode, ServiceError, remote

ROOT = Path(__file__).parents[1]
FULL = 1_000_000
DEADLINE = 120.0  # Seconds, more than any call needs.
# Seconds that a sync handler on an asyncio server waits for its client to go, as it is not told.
HELD = 0.05
# Seconds after which a call without a response is cancelled. It does not matter whether the server
# has received it by then.
MOMENT = 0.005
SHORT = 0.03  # seconds, the deadline of calls that must exceed it
THREADS, TASKS, CHANNELS = 8, 48, 2

# Percent of the calls.
MIX = {
    "result": 25,
    "coded": 34,
    "shared": 8,
    "unforeseen": 5,
    "translated": 5,
    "aborted": 5,
    "detailed": 5,
    "large": 3,
    "cancelled": 6,
    "cancelled at once": 3,
    "late": 1,
}
_DEALT = [act for act, percent in MIX.items() for _ in range(percent)]
CODES = [code for code in ResCode if code is not ResCode.SUCCESS]


def key_of(code: errgrpc.ErrorCode) -> str:
    """Returns the metadata key for the call's number: the first declared key, or `call`."""
    return code.metadata_fields[0].key if code.metadata_fields else "call"


LOCALES = ("zh-CN", "en-US")

# The growth that is allowed over the second half: a constant for caches, and an amount for each
# call. Python's own objects must not grow. The resident memory of a client without interceptors
# (`--bare`) grows by about 17 bytes for each call.
ALLOWED = {"objects": (400, 0.001), "blocks": (2_000, 0.004), "rss": (6 * 2**20, 32)}


def dealt(number: int) -> tuple[str, str, str, ResCode, str]:
    """Returns what a call does: style of handler, kind, act, code, locale."""
    mixed = number * 2_654_435_761 % 2**32 >> 7  # Knuth's multiplicative hash
    style, kind = harness.STYLES[number % 4], harness.KINDS[number // 4 % 4]
    act = _DEALT[mixed % 100]
    if style == "sync_on_aio" and (act == "late" or act.startswith("cancelled")):
        act = "result"
    return style, kind, act, CODES[mixed // 100 % len(CODES)], LOCALES[mixed % 2]


# The server.

SHARED = ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="shared")


class Foreseen(Exception):  # noqa: N818
    """An exception that the server translates."""


def translated(error: Foreseen) -> ServiceError:
    return ServiceError(ResCode.NOT_FOUND, call=error.args[0])


def told(context: Any) -> dict[str, Any]:
    return dict(context.invocation_metadata())


def act_coded(context: Any) -> None:
    asked = told(context)
    code = ResCode[asked["x-reason"]]
    raise ServiceError(code, metadata={key_of(code): asked["x-call"]})


def act_shared(_: Any) -> None:
    raise SHARED


def act_unforeseen(context: Any) -> None:
    raise LookupError(told(context)["x-call"])


def act_translated(context: Any) -> None:
    raise Foreseen(told(context)["x-call"])


def act_aborted(context: Any) -> Any:
    context.set_trailing_metadata((("x-own", told(context)["x-call"]),))
    return context.abort(grpc.StatusCode.FAILED_PRECONDITION, "aborted")


def act_detailed(context: Any) -> None:
    violation = rpc.BadRequest.FieldViolation(field="call", description=told(context)["x-call"])
    raise ServiceError(
        ResCode.ROOM_SIT_FULL,
        details=[rpc.BadRequest(field_violations=[violation])],
        retry_delay=1.5,
    )


def act_large(context: Any) -> None:
    raise ServiceError(
        ResCode.BAD_REQUEST,
        call=told(context)["x-call"],
        details=[rpc.DebugInfo(detail="x" * 20_000)],
    )


def hold(context: Any) -> None:
    """Waits until the client is gone; a sync handler on an asyncio server is not told."""
    gone = threading.Event()
    if not hasattr(context, "is_active"):
        gone.wait(HELD)
    elif context.add_callback(gone.set):
        gone.wait(DEADLINE)


async def hold_async(_: Any) -> None:
    await asyncio.Event().wait()


class Counting(logging.Handler):
    """Counts the records of errgrpc by level, and keeps the texts of unexpected records."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: collections.Counter[str] = collections.Counter()
        self.others: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        if record.name == "errgrpc" and kind in {None, LookupError}:
            self.levels[record.levelname] += 1
        elif record.name == "errgrpc" and kind in {IndexError, KeyError}:
            # the client was gone, so the handler found no request
            self.levels["no request"] += 1
        elif record.name == "grpc._cython.cygrpc" and record.getMessage().startswith(
            "Invalid encoding"
        ):
            # the name of a method whose call is gone
            self.levels["bytes that are no text, read by grpc"] += 1
        elif len(self.others) < 20:
            self.others.append(f"{record.name}: {logging.Formatter().format(record)}")


def serve(leak: bool) -> None:
    counting = Counting()
    logging.basicConfig(level=logging.WARNING, handlers=[counting])
    kept = list[list[list[int]]]()
    acts: dict[str, Any] = {
        "result": lambda _: None,
        "coded": act_coded,
        "shared": act_shared,
        "unforeseen": act_unforeseen,
        "translated": act_translated,
        "aborted": act_aborted,
        "detailed": act_detailed,
        "large": act_large,
    }
    if leak:
        acts["result"] = lambda _: kept.append([[] for _ in range(5)])
    for name, act in acts.items():
        harness.ACTIONS[name.encode()] = act, 1
    # In a stream, these handlers send one response first.
    for name, act in (("hold", hold), ("hold_async", hold_async)):
        harness.ACTIONS[name.encode()] = act, 1
    translate: Any = {Foreseen: translated}
    guards = {
        stack: made(ResCode, translate=translate)
        for stack, made in (
            ("sync", errgrpc.ServerInterceptor),
            ("aio", errgrpc.aio.ServerInterceptor),
        )
    }

    def start(stack: ExitStack) -> dict[str, str]:
        return {
            style: stack.enter_context(
                harness.serve(style, [guards["sync" if style == "sync" else "aio"]])
            )
            for style in harness.STYLES
        }

    with ExitStack() as once:  # objects that grpc and asyncio make once and keep
        start(once)
    before = resources()
    with ExitStack() as stack:
        say(start(stack))
        for line in sys.stdin:
            if line.strip() != "sample":
                break
            time.sleep(HELD)  # for the sync handlers that are not told
            say(sample())
    say({"left": left(before), "levels": dict(counting.levels), "others": counting.others})


# The client.

Check = Callable[[Any], bool]


def ended_with(error: Any, kind: type[RemoteError], code: grpc.StatusCode) -> bool:
    return type(error) is kind and error.code() is code


def is_typed(error: Any, code: ResCode, locale: str) -> bool:
    hint = code.hints.get(locale) or code.hints.get("zh-CN")
    return (
        ended_with(error, remote(code), code.grpc_status)
        and error.hint == hint
        and error.details() == code.message
    )


def is_inferred(error: Any, code: grpc.StatusCode) -> bool:
    return ended_with(error, RemoteError, code) and error.reason is None


def odd(error: Any) -> bool:
    """Returns whether the error is a rare one of bare grpcio's asyncio client.

    It occurs if a deadline ends a call before its requests are sent.
    """
    cancelled = isinstance(error, asyncio.CancelledError) or is_inferred(
        error, grpc.StatusCode.CANCELLED
    )
    return cancelled or (
        is_inferred(error, grpc.StatusCode.INTERNAL)
        and error.details() == "Internal error from Core"
    )


def expected(number: int, responses: list[bytes], error: Any) -> bool:
    """Returns whether a call ended as expected."""
    style, kind, act, code, locale = dealt(number)
    partly = [harness.RESPONSES[0]] if kind.endswith("stream") else []
    if act == "result":
        return error is None and responses == list(
            harness.RESPONSES if partly else harness.RESPONSES[:1]
        )
    if act.startswith("cancelled"):
        # asyncio, and the future of a unary call, raise their own exceptions for it.
        cancelled = isinstance(error, asyncio.CancelledError | grpc.FutureCancelledError)
        # its handler waits only a moment
        done = error is None and style == "sync_on_aio"
        return done or (
            (cancelled or is_inferred(error, grpc.StatusCode.CANCELLED))
            and responses in ([], partly)
        )
    if act == "late":
        return (
            is_inferred(error, grpc.StatusCode.DEADLINE_EXCEEDED) or odd(error)
        ) and responses in ([], partly)
    own = {"call": str(number)}
    checks: dict[str, Check] = {
        "coded": lambda error: (
            is_typed(error, code, locale) and error.metadata == {key_of(code): str(number)}
        ),
        "shared": lambda error: (
            is_typed(error, ResCode.ROOM_NOT_EXIST, locale)
            and error.metadata == {"room_uuid": "shared"}
        ),
        "unforeseen": lambda error: (
            is_typed(error, ResCode.INTERNAL_SERVER_ERROR, locale)
            and error.request_id == f"id-{number}"
        ),
        "translated": lambda error: (
            is_typed(error, ResCode.NOT_FOUND, locale) and error.metadata == own
        ),
        "aborted": lambda error: (
            is_inferred(error, grpc.StatusCode.FAILED_PRECONDITION)
            and dict(iter(error.trailing_metadata())).get("x-own") == str(number)
        ),
        "detailed": lambda error: (
            is_typed(error, ResCode.ROOM_SIT_FULL, locale)
            and error.detail(rpc.BadRequest).field_violations[0].description == str(number)
            and error.detail(rpc.RetryInfo).retry_delay.ToMilliseconds() == 1_500
        ),
        "large": lambda error: (
            is_typed(error, ResCode.BAD_REQUEST, locale) and error.metadata == own
        ),
    }
    if not (responses == partly and error is not None and checks[act](error)):
        return False
    if act in {"coded", "shared"}:  # what other readers see
        raw = dict(iter(error.trailing_metadata()))["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(raw)
        return (status.code, status.message) == (error.code().value[0], error.details())
    return True


def arguments(number: int) -> tuple[Any, dict[str, Any]]:
    style, kind, act, code, locale = dealt(number)
    name = act
    if act == "late" or act.startswith("cancelled"):
        name = "hold_async" if style in {"aio", "reader_writer"} else "hold"
    asked = (
        ("x-call", str(number)),
        ("x-reason", code.reason),
        ("x-request-id", f"id-{number}"),
        ("accept-language", locale),
    )
    request = name.encode()
    options = {"metadata": asked, "timeout": SHORT if act == "late" else DEADLINE}
    return (iter([request]) if kind.startswith("stream") else request), options


def call_sync(channels: dict[str, Any], number: int) -> tuple[list[bytes], Any]:
    style, kind, act, _, _ = dealt(number)
    method = harness.method(channels[style], kind)
    request, options = arguments(number)
    responses = list[bytes]()
    try:
        if not act.startswith("cancelled"):
            answered = method(request, **options)
            responses.extend([answered] if kind.endswith("unary") else answered)
        elif kind.endswith("unary"):
            future = method.future(request, **options)
            if act == "cancelled":
                time.sleep(MOMENT)
            future.cancel()
            responses.append(future.result())
        else:
            call = method(request, **options)
            if act == "cancelled":
                responses.append(next(call))
            call.cancel()
            responses.extend(call)
    except (grpc.RpcError, grpc.FutureCancelledError) as error:
        return responses, error
    return responses, None


async def call_aio(channels: dict[str, Any], number: int) -> tuple[list[bytes], Any]:
    style, kind, act, _, _ = dealt(number)
    request, options = arguments(number)
    call = harness.method(channels[style], kind)(request, **options)
    responses = list[bytes]()
    try:
        if act == "cancelled":
            if kind.endswith("stream"):
                responses.append(await anext(aiter(call)))
            else:
                await asyncio.sleep(MOMENT)
        if act.startswith("cancelled"):
            call.cancel()
        if kind.endswith("unary"):
            responses.append(await call)
        else:
            async for response in call:
                responses.append(response)  # noqa: PERF401  responses before an error count, too
    except (grpc.RpcError, asyncio.CancelledError) as error:
        return responses, error
    return responses, None


class Callers:
    """Threads and tasks that make calls. Each takes the next number."""

    def __init__(self, targets: dict[str, str], stack: ExitStack, bare: bool) -> None:
        self._bare = bare
        sync = [] if bare else [errgrpc.ClientInterceptor(ResCode)]
        interceptors = [] if bare else errgrpc.aio.client_interceptors(ResCode)
        options = [("grpc.use_local_subchannel_pool", 1)]  # each channel has its own connection
        self.ended: collections.Counter[str] = collections.Counter()
        self.violations = list[str]()
        self._lock = threading.Lock()
        self._sync = [
            {
                style: stack.enter_context(harness.sync_channel(target, *sync, options=options))
                for style, target in targets.items()
            }
            for _ in range(CHANNELS)
        ]
        self._pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        self._loop = stack.enter_context(harness.loop_thread())

        async def connect() -> list[dict[str, Any]]:
            return [
                {
                    style: grpc.aio.insecure_channel(
                        target, interceptors=interceptors, options=options
                    )
                    for style, target in targets.items()
                }
                for _ in range(CHANNELS)
            ]

        async def close() -> None:
            for channels in self._aio:
                for channel in channels.values():
                    await channel.close()

        self._aio = self._on_loop(connect())
        stack.callback(lambda: self._on_loop(close()))

    def _on_loop(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def run(self, numbers: Iterator[int]) -> None:
        """Makes these calls, and returns when all have ended."""
        threads = [
            self._pool.submit(self._in_thread, self._sync[index % CHANNELS], numbers)
            for index in range(THREADS)
        ]
        self._on_loop(self._in_tasks(numbers))
        for thread in threads:
            thread.result()

    def _in_thread(self, channels: dict[str, Any], numbers: Iterator[int]) -> None:
        for number in numbers:
            self._judge("sync", number, *call_sync(channels, number))

    async def _in_tasks(self, numbers: Iterator[int]) -> None:
        async def one_by_one(channels: dict[str, Any]) -> None:
            for number in numbers:
                self._judge("aio", number, *await call_aio(channels, number))

        async with asyncio.TaskGroup() as group:
            for index in range(TASKS):
                group.create_task(one_by_one(self._aio[index % CHANNELS]))

    def _judge(self, stack: str, number: int, responses: list[bytes], error: Any) -> None:
        good = self._bare or expected(number, responses, error)
        with self._lock:
            self.ended[dealt(number)[2]] += 1
            self.ended[f"by {stack}"] += 1
            self.ended["late, and odd"] += (
                dealt(number)[2] == "late" and not self._bare and odd(error)
            )
            if not good:
                self.ended["violations"] += 1
                if len(self.violations) < 20:
                    self.violations.append(
                        f"call {number} {dealt(number)} by {stack}: {responses} {error!r}"
                    )


def call(targets: dict[str, str], bare: bool) -> None:
    counting = Counting()
    logging.basicConfig(level=logging.WARNING, handlers=[counting])
    with ExitStack() as once:  # objects that grpc and asyncio make once and keep
        Callers(targets, once, bare).run(iter(range(100)))
    before = resources()
    with ExitStack() as stack:
        callers = Callers(targets, stack, bare)
        say({})
        for line in sys.stdin:
            if line == "\n":
                break
            first, end = map(int, line.split())
            callers.run(iter(range(first, end)))
            say({**sample(), "violations": callers.violations})
        ended, violations = dict(callers.ended), callers.violations
        del callers
    say({"left": left(before), "ended": ended, "violations": violations, "others": counting.others})


# The counters of both processes.


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def sample() -> dict[str, int]:
    gc.collect()
    return {
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "rss": psutil.Process().memory_info().rss,
    }


def resources() -> dict[str, int]:
    gc.collect()
    process = psutil.Process()
    pending = sum(
        isinstance(found, asyncio.Task) and not found.done() for found in gc.get_objects()
    )
    return {
        "threads": threading.active_count(),
        "tasks": pending,
        "files": process.num_fds(),
        "threads of grpc's": process.num_threads() - threading.active_count(),
    }


def left(before: dict[str, int]) -> dict[str, list[int]]:
    """Returns the counts before and now. grpc ends its own threads a moment after they are told."""
    until = time.monotonic() + 20
    found = resources()
    while any(now > before[name] for name, now in found.items()) and time.monotonic() < until:
        time.sleep(0.1)
        found = resources()
    return {name: [before[name], now] for name, now in found.items()}


# The watcher.


class Process:
    """The client or the server, controlled line by line. It ends with this process."""

    def __init__(self, *role: str) -> None:
        command = [sys.executable, "-m", "reliability.soak", *role]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )  # noqa: S603

    def ask(self, text: str | None = None, patience: float = 600) -> Any:
        """Returns the answer to a line.

        If the process does not answer in time, something hangs, so the process is killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if text is not None:
            with contextlib.suppress(BrokenPipeError):
                print(text, file=self._process.stdin, flush=True)
        watchdog = threading.Timer(patience, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
            watchdog.join()
        if not line:
            raise RuntimeError(f"a process hung or died: {self._process.args!r}")
        return json.loads(line)

    def end(self) -> int:
        with self._process:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                return self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise RuntimeError("a process did not end when all was closed") from None


Progress = Callable[[int, str], None]


def watch(calls: int, rounds: int, leak: bool, bare: bool, progress: Progress) -> dict[str, Any]:
    """Runs everything, and returns the findings."""
    samples = list[dict[str, Any]]()
    start = time.monotonic()
    with ExitStack() as stack:
        server = Process("--role", "server", *(["--leak"] if leak else []))
        stack.callback(server.end)
        client = Process(
            "--role", "client", "--targets", json.dumps(server.ask()), *(["--bare"] if bare else [])
        )
        stack.callback(client.end)
        client.ask()
        for number in range(rounds):
            first, end = calls * number // rounds, calls * (number + 1) // rounds
            found = client.ask(f"{first} {end}")
            violations = found.pop("violations")
            samples.append(
                {
                    "calls": end,
                    "seconds": round(time.monotonic() - start, 2),
                    "client": found,
                    "server": server.ask("sample"),
                }
            )
            rss = {name: samples[-1][name]["rss"] / 2**20 for name in ("client", "server")}
            rate = end / samples[-1]["seconds"]
            progress(
                end,
                f"{rate:,.0f} calls/s, client {rss['client']:.1f} MiB, server {rss['server']:.1f} "
                f"MiB, {len(violations)} violations",
            )
        ends = {"client": client.ask("", 120), "server": server.ask("end", 120)}
    return {
        "calls": calls,
        "seconds": round(time.monotonic() - start, 1),
        "samples": samples,
        "ends": ends,
    }


def slope(points: list[tuple[float, float]]) -> float:
    """Returns the slope of the straight line that fits best."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return float(
        sum((x - mean_x) * (y - mean_y) for x, y in points)
        / sum((x - mean_x) ** 2 for x, _ in points)
    )


def growth(samples: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns what one call adds over the second half, by process and measure."""
    half = [entry for entry in samples if entry["calls"] > samples[-1]["calls"] / 2]
    return {
        process: {
            measure: slope([(entry["calls"], entry[process][measure]) for entry in half])
            for measure in ALLOWED
        }
        for process in ("client", "server")
    }


def verdict(found: dict[str, Any]) -> list[str]:
    """Returns all broken promises."""
    ends, calls = found["ends"], found["calls"]
    broken: list[str] = list(ends["client"]["violations"])
    if (count := ends["client"]["ended"].get("violations", 0)) > len(broken):
        broken.append(f"{count - len(broken)} more calls ended otherwise")
    if (count := sum(ends["client"]["ended"].get(act, 0) for act in MIX)) != calls:
        broken.append(f"{count} of {calls} calls ended")
    for process, measures in growth(found["samples"]).items():
        for measure, rate in measures.items():
            fixed, each = ALLOWED[measure]
            if rate * calls / 2 > fixed + each * calls / 2:
                broken.append(f"{process}: {measure} grow by {rate:.4f} with each call")
    for process, end in ends.items():
        for name, (before, now) in end["left"].items():
            if now > before:
                broken.append(f"{process}: {now} {name} left, {before} before")
        broken += (
            f"{process} logged {text}"
            for text in end["others"]
            if "PollerCompletionQueue" not in text
        )
    # The calls of the client's warm-up are answered, too.
    acts = collections.Counter(dealt(number)[2] for number in (*range(100), *range(calls)))
    for level, act in (("ERROR", "unforeseen"), ("WARNING", "large")):
        if (count := ends["server"]["levels"].get(level, 0)) != acts[act]:
            broken.append(
                f"the server logged {count} records of {level} for {acts[act]} {act} errors"
            )
    return broken


def plot(found: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415  only the plot needs it

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    mpl.rcParams.update({"svg.hashsalt": "soak", "font.size": 9})
    samples, rates = found["samples"], growth(found["samples"])
    figure, rows = plt.subplots(3, 1, figsize=(8, 7.5), sharex=True, layout="constrained")
    for axes, (measure, title, unit) in zip(
        rows,
        (
            ("rss", "resident memory, MiB", 2**20),
            ("objects", "objects, thousands", 1e3),
            ("blocks", "memory blocks, thousands", 1e3),
        ),
        strict=True,
    ):
        for process, colour in (("client", "#1f77b4"), ("server", "#d62728")):
            xs = [entry["calls"] for entry in samples]
            ys = [entry[process][measure] / unit for entry in samples]
            per_call = f"{rates[process][measure]:+.4f} {'B' if measure == 'rss' else ''}".strip()
            axes.plot(
                xs,
                ys,
                ".",
                markersize=3,
                color=colour,
                label=f"{process}: {per_call} per call, second half",
            )
            half = [(x, y) for x, y in zip(xs, ys, strict=True) if x > found["calls"] / 2]
            rate = slope(half)
            mean_x, mean_y = (sum(values) / len(half) for values in zip(*half, strict=True))
            axes.plot(
                [x for x, _ in half],
                [mean_y + rate * (x - mean_x) for x, _ in half],
                color=colour,
                linewidth=1,
            )
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    rows[0].set_title(f"{found['calls']:,} calls")
    rows[-1].set_xlabel("calls")
    rows[-1].xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


@contextlib.contextmanager
def showing(calls: int) -> Iterator[Progress]:
    """Shows a bar on a terminal, else a line for every twentieth."""
    bar = None
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from rich import progress  # noqa: PLC0415  optional

            columns = (
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(),
                "{task.description}",
            )
            bar = progress.Progress(*columns)
    if bar is not None:
        with bar:
            task = bar.add_task("", total=calls)
            yield lambda done, text: bar.update(task, completed=done, description=text)
        return
    shown = 0

    def line(done: int, text: str) -> None:
        nonlocal shown
        if done * 20 // calls > shown:
            shown = done * 20 // calls
            print(f"{done:>9,} of {calls:,}: {text}", flush=True)

    yield line


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=FULL)
    parser.add_argument(
        "--out",
        type=Path,
        help="the folder for reliability-soak.json and .svg; by default docs/ for a full run",
    )
    parser.add_argument(
        "--leak",
        action="store_true",
        help="let the server keep a little of each result, to see the run fail",
    )
    parser.add_argument(
        "--bare",
        action="store_true",
        help="channels without interceptors, to compare memory; outcomes are not judged",
    )
    parser.add_argument("--role", choices=["server", "client"], help=argparse.SUPPRESS)
    parser.add_argument("--targets", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "server":
        serve(given.leak)
        return 0
    if given.role == "client":
        call(given.targets, given.bare)
        return 0
    rounds = max(10, min(100, given.calls // 250))
    with showing(given.calls) as progress:
        found = watch(given.calls, rounds, given.leak, given.bare, progress)
    broken = verdict(found)
    rates = growth(found["samples"])
    versions = {name: metadata.version(name) for name in ("grpcio", "protobuf")}
    found = {
        "calls": found["calls"],
        "violations": broken,
        "seconds": found["seconds"],
        "ended": found["ends"]["client"]["ended"],
        "growth per call, second half": rates,
        "before and left": {process: end["left"] for process, end in found["ends"].items()},
        "records of the server": found["ends"]["server"]["levels"],
        "versions": {"python": platform.python_version(), **versions},
        "samples": found["samples"],
    }
    out = given.out or (ROOT / "docs" if given.calls >= FULL else None)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        plot(found, out / "reliability-soak.svg")
        texts = ",\n".join("    " + json.dumps(entry) for entry in found.pop("samples"))
        head = json.dumps(found, indent=2).removesuffix("\n}")
        (out / "reliability-soak.json").write_text(f'{head},\n  "samples": [\n{texts}\n  ]\n}}\n')
    for process, measures in rates.items():
        print(
            f"{process}, per call of the second half:",
            ", ".join(f"{rate:+.4f} {name}" for name, rate in measures.items()),
        )
    for text in broken:
        print(f"VIOLATION {text}")
    print(f"{given.calls:,} calls in {found['seconds']:.0f} s, {len(broken)} violations")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
