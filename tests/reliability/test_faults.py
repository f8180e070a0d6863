"""Failing networks and servers: every call ends with a RemoteError.

The error is typed if the client read the answer, and else inferred.
"""

import asyncio
import functools
import gc
import inspect
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import error_details_pb2 as rpc

import errgrpc
from errgrpc import RemoteError, ResCode, ServiceError, remote
from reliability import victim
from reliability.proxy import Deed, Fault, Place, Proxy

pytestmark = pytest.mark.thinned(8)

ROOT = Path(__file__).parents[2]
# Without these options, grpc waits a second before it reconnects, and may reuse the connection of
# an earlier channel.
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.use_local_subchannel_pool", 1),
]


# Statuses of a lost connection. INTERNAL comes from asyncio's client if it could not send a
# request.
LOST: tuple[grpc.StatusCode, ...] = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
PATIENCE: float = harness.DEADLINE
OLD = harness.GRPC < (1, 80)
if OLD:
    # grpcio before 1.80 overlooks many resets (sync: 28 of 60 bare, 27 of 60 with ours). Only the
    # deadline ends such a call.
    LOST += (grpc.StatusCode.DEADLINE_EXCEEDED,)
    PATIENCE = 1
LOCALLY_CANCELLED = (grpc.StatusCode.CANCELLED, "Locally cancelled by application!")


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A failed connection is not a bug: no log record says so, and no exception is lost.

    Exceptions could be lost in a task or a finalizer.
    """
    with caplog.at_level(logging.WARNING):
        yield
        gc.collect(1)
    # All loops share grpc's poller, which may deliver an event for the closed loop of an earlier
    # test.
    assert [
        text
        for record in caplog.records
        if "PollerCompletionQueue" not in (text := record.getMessage())
    ] == []


_numbers = itertools.count()


@contextmanager
def action(act: harness.Action, after: int = 0) -> Iterator[bytes]:
    """As in the harness, but permanent: a request may arrive after its client has given it up."""
    name = f"fault {next(_numbers)}".encode()
    harness.ACTIONS[name] = act, after
    yield name


@dataclass
class Ended:
    """How a call ended."""

    responses: list[bytes] = field(default_factory=list)
    error: Any = None
    cancelled: bool = False
    """Whether asyncio grpc itself cancelled the call.

    It does so if its half-close fails: see test_a_deadline_while_writing.
    """

    def assert_typed(self, code: ResCode = ResCode.ROOM_NOT_EXIST) -> None:
        assert type(self.error) is remote(code), self.error
        assert (self.error.code(), self.error.details()) == (code.grpc_status, code.message)

    def assert_inferred(self, *codes: grpc.StatusCode) -> None:
        assert type(self.error) is RemoteError, self.error
        assert self.error.code() in (codes or (grpc.StatusCode.UNAVAILABLE,)), self.error
        # the table infers no code from CANCELLED
        assert self.error.inferred is (self.error.code() is not grpc.StatusCode.CANCELLED)
        assert (self.error.reason, self.error.domain, dict(self.error.metadata)) == (None, None, {})

    def assert_lost(self, *codes: grpc.StatusCode) -> None:
        """Asserts an inferred error, or a cancellation by bare grpcio during the requests."""
        if not self.cancelled:
            self.assert_inferred(*(codes or LOST))


class Client:
    """One channel of either stack, with concurrent calls."""

    def __init__(
        self, stack: str, target: str, interceptors: Any = None, options: Any = ()
    ) -> None:
        self._stack, self._target, self._options = stack, target, [*OPTIONS, *options]
        if interceptors is None:
            interceptors = (
                [errgrpc.ClientInterceptor(ResCode)]
                if stack == "sync"
                else errgrpc.aio.client_interceptors(ResCode)
            )
        self._interceptors = interceptors

    def __enter__(self) -> "Client":
        self._exits = ExitStack()
        if self._stack == "sync":
            self._pool = self._exits.enter_context(ThreadPoolExecutor(16))
            self._channel = self._exits.enter_context(
                harness.sync_channel(self._target, *self._interceptors, options=self._options)
            )
        else:
            self._loop = self._exits.enter_context(harness.loop_thread())
            self._channel = self._on_loop(self._open()).result(harness.DEADLINE)
            self._exits.callback(
                lambda: self._on_loop(self._channel.close()).result(harness.DEADLINE)
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _on_loop(self, coroutine: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _open(self) -> Any:
        return grpc.aio.insecure_channel(
            self._target, interceptors=self._interceptors, options=self._options
        )

    def begin(self, kind: str, request: bytes, **options: Any) -> Future[Ended]:
        options = {"timeout": harness.DEADLINE, **options}
        if self._stack == "sync":
            return self._pool.submit(self._call, kind, request, options)
        return self._on_loop(self._call_async(kind, request, options))

    def call(self, kind: str, request: bytes, **options: Any) -> Ended:
        return self.begin(kind, request, **options).result(2 * harness.DEADLINE)

    def call_again(self, kind: str, request: bytes) -> Ended:
        """Calls until the channel has a good connection.

        Until grpc notices that the old connection is dead, a call may still use it and fail.
        """
        for _ in range(1_000):
            ended = self.call(kind, request, wait_for_ready=True, timeout=PATIENCE)
            if type(ended.error) is not RemoteError and not ended.cancelled:
                break
            ended.assert_lost()
        return ended

    def call_struck(
        self, proxy: Proxy, fault: Fault, kind: str, request: bytes
    ) -> tuple[Ended, int]:
        """Calls until the fault strikes a call that grpc does not cancel; counts all strikes."""
        strikes = 0
        for _ in range(20):
            proxy.arm(fault)
            ended = self.call(kind, request, timeout=PATIENCE)
            strikes += proxy.struck
            if proxy.struck and not ended.cancelled:
                break
            ended.assert_lost()
        assert proxy.struck == 1
        return ended, strikes

    def _call(self, kind: str, request: bytes, options: Any) -> Ended:
        ended = Ended()
        try:
            answered = harness.method(self._channel, kind)(
                harness.argument(kind, request), **options
            )
            for response in [answered] if kind.endswith("unary") else answered:
                ended.responses.append(response)
        except grpc.RpcError as error:
            ended.error = error
        return ended

    async def _call_async(self, kind: str, request: bytes, options: Any) -> Ended:
        ended = Ended()
        call = harness.method(self._channel, kind)(harness.argument(kind, request), **options)
        try:
            if kind.endswith("unary"):
                ended.responses.append(await call)
            else:
                async for response in call:
                    ended.responses.append(response)
        except grpc.RpcError as error:
            ended.error = error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            if task.cancelling() or not kind.startswith("stream"):
                raise
            assert (await call.code(), await call.details()) == LOCALLY_CANCELLED
            ended.cancelled = True
        return ended


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


def headers_then_fail(context: Any) -> Any:
    sent = context.send_initial_metadata((("x-early", "1"),))
    if inspect.isawaitable(sent):
        return _await_then_fail(sent)
    return fail(context)


async def _await_then_fail(sent: Any) -> None:
    await sent
    fail(None)


@contextmanager
def failing(kind: str) -> Iterator[bytes]:
    """A request that is answered with headers (in streams, a response) and then an error."""
    with action(fail if kind.endswith("stream") else headers_then_fail, 1) as request:
        yield request


def cuttable(style: str, kind: str) -> str:
    """The style, or sync where a sync stream on an asyncio server would keep its thread.

    Such a stream continues after its client has gone: see docs/reliability.md.
    """
    return "sync" if style == "sync_on_aio" and kind.endswith("stream") else style


# The proxy.

CUTS = [
    Fault(place, deed)
    for place, deed in itertools.product(Place, (Deed.CLOSE, Deed.RESET))
    if place not in {Place.NOWHERE, Place.AFTER_TRAILERS}
]


@pytest.mark.parametrize("fault", CUTS, ids=str)
def test_a_connection_that_ends_early(
    targets: dict[str, str], stack: str, kind: str, fault: Fault
) -> None:
    """The call is inferred; the next call on the channel gets a new connection and is typed."""
    target = targets[cuttable(harness.STYLES[CUTS.index(fault) % 4], kind)]
    with failing(kind) as request, Proxy(target) as proxy, Client(stack, proxy.target) as client:
        ended, strikes = client.call_struck(proxy, fault, kind, request)
        ended.assert_inferred(*LOST)
        client.call_again(kind, request).assert_typed()
        assert proxy.connections == strikes + 1


def test_a_connection_that_ends_when_all_is_said(target: str, stack: str, kind: str) -> None:
    """An answer that was read is typed.

    A connection that closes right after it may discard it: both come in one read.
    """
    with failing(kind) as request, Proxy(target) as proxy:
        for deed in (Deed.STALL, Deed.CLOSE, Deed.RESET):
            with Client(stack, proxy.target) as client:
                ended, _ = client.call_struck(
                    proxy, Fault(Place.AFTER_TRAILERS, deed), kind, request
                )
                if deed is not Deed.STALL and ended.error.inferred:
                    ended.assert_inferred(*LOST)
                else:
                    ended.assert_typed()


@pytest.mark.parametrize("place", [Place.HEADERS, Place.TRAILERS_MIDDLE])
def test_an_answer_that_stops(targets: dict[str, str], stack: str, place: Place) -> None:
    """The deadline of the call ends it."""
    with ExitStack() as exits:
        begun = []
        for kind, style in zip(harness.KINDS, harness.STYLES, strict=True):
            request = exits.enter_context(failing(kind))
            proxy = exits.enter_context(Proxy(targets[cuttable(style, kind)]))
            proxy.arm(Fault(place, Deed.STALL))
            begun.append(
                exits.enter_context(Client(stack, proxy.target)).begin(kind, request, timeout=0.5)
            )
        for kind, call in zip(harness.KINDS, begun, strict=True):
            ended = call.result(harness.DEADLINE)
            # the client may still be writing its requests
            if (stack, kind.startswith("stream")) == ("aio", True):
                ended.assert_lost(grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
            else:
                ended.assert_inferred(grpc.StatusCode.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("interceptors", [(), None], ids=["bare", "ours"])
def test_a_deadline_while_writing(targets: dict[str, str], interceptors: Any) -> None:
    """If a half-close fails, grpc cancels the call: a few of a thousand, bare and with ours."""
    with action(fail) as request, Client("aio", targets["aio"], interceptors) as client:
        for kind in harness.KINDS:
            for call in [
                client.begin(kind, request, timeout=number / 20_000) for number in range(100)
            ]:
                ended = call.result(harness.DEADLINE)
                if not ended.cancelled:
                    assert (
                        type(ended.error) is grpc.aio.AioRpcError
                        if interceptors == ()
                        else isinstance(ended.error, RemoteError)
                    )
                    assert ended.error.code() in {
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                        grpc.StatusCode.NOT_FOUND,
                        *LOST,
                    }


@pytest.mark.parametrize("how", ["slow", "mirrored"])
def test_slow_and_duplicated_connections(target: str, stack: str, kind: str, how: str) -> None:
    """Sends one byte at a time; or sends all requests twice and returns one answer."""
    with (
        failing(kind) as request,
        Proxy(target, **{how: True}) as proxy,
        Client(stack, proxy.target) as client,
    ):
        for _ in range(2):
            ended = client.call(kind, request)
            ended.assert_typed()
            assert ended.responses == ([b"first"] if kind.endswith("stream") else [])
        assert proxy.connections == 1


@pytest.mark.parametrize("style", harness.STYLES)
def test_an_answer_that_comes_twice(
    targets: dict[str, str], style: str, stack: str, kind: str
) -> None:
    """Trailers alone are read once; doubled headers break the protocol: the error is inferred."""
    target = targets[cuttable(style, kind)]
    with action(fail) as alone, failing(kind) as request, Proxy(target) as proxy:
        with Client(stack, proxy.target) as client:
            ended, _ = client.call_struck(
                proxy, Fault(Place.AFTER_TRAILERS, Deed.TWICE), kind, alone
            )
            ended.assert_typed()
        with Client(stack, proxy.target) as client:
            ended, _ = client.call_struck(proxy, Fault(Place.HEADERS, Deed.TWICE), kind, request)
            ended.assert_inferred(grpc.StatusCode.UNKNOWN, *LOST)


@pytest.mark.parametrize("reset", [False, True])
def test_connections_dropped_again_and_again(target: str, stack: str, reset: bool) -> None:
    with action(fail, 1) as request, Proxy(target) as proxy, Client(stack, proxy.target) as client:
        for number in range(1, 6):
            for kind in harness.KINDS:
                client.call(kind, request, wait_for_ready=True).assert_typed()
            assert proxy.connections == number
            proxy.drop(reset=reset)
            client.call_again("unary_unary", request).assert_typed()


def test_keepalive(targets: dict[str, str], stack: str) -> None:
    """The peer falls silent: pings find it out."""
    options = [
        ("grpc.keepalive_time_ms", 200),
        ("grpc.keepalive_timeout_ms", 100),
        ("grpc.http2.ping_timeout_ms", 100),
    ]
    with ExitStack() as exits:
        begun = []
        for kind, style in zip(harness.KINDS, harness.STYLES, strict=True):
            request = exits.enter_context(failing(kind))
            proxy = exits.enter_context(Proxy(targets[cuttable(style, kind)]))
            proxy.arm(Fault(Place.HEADERS, Deed.STALL))
            begun.append(
                exits.enter_context(Client(stack, proxy.target, options=options)).begin(
                    kind, request
                )
            )
        for call in begun:
            call.result(harness.DEADLINE).assert_lost()


# Servers that end.


class Victim:
    """A server process on a port that stays ours: this process binds it, the server listens."""

    def __init__(self, style: str, port: int) -> None:
        command = [sys.executable, "-m", "reliability.victim", style, str(port)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )  # noqa: S603
        assert self._line() == b"ready"

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def wait_until_held(self, calls: int) -> None:
        assert [self._line() for _ in range(calls)] == [b"held"] * calls

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        with self._process:  # closes the pipes, which ends it
            pass


@pytest.mark.parametrize("style", ["sync", "aio"])
def test_a_server_that_is_killed_and_comes_back(style: str) -> None:
    with socket.socket() as bound, ExitStack() as exits:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        server = Victim(style, port)
        exits.callback(lambda: server.end())  # noqa: PLW0108  ends the second server, too
        clients = [
            exits.enter_context(Client(stack, f"127.0.0.1:{port}")) for stack in harness.STACKS
        ]
        held = {
            (client, kind): client.begin(kind, victim.HOLD)
            for client in clients
            for kind in harness.KINDS
        }
        server.wait_until_held(len(held))
        server.kill()
        for (_, kind), call in held.items():
            ended = call.result(harness.DEADLINE)
            ended.assert_lost()
            assert ended.responses in ([], [b"first"] if kind.endswith("stream") else [])
        for client in clients:
            client.call("unary_unary", victim.RAISE).assert_inferred()  # no server listens
        server = Victim(style, port)
        for client, kind in held:
            client.call_again(kind, victim.RAISE).assert_typed()


class Gate:
    """Handlers that wait until the gate opens, and then fail."""

    def __init__(self, style: str) -> None:
        self._began, self._opened = threading.Semaphore(0), threading.Event()
        self.act = self._wait if style.startswith("sync") else self._wait_async

    def _wait(self, context: Any) -> None:
        self._began.release()
        self._opened.wait(harness.DEADLINE)
        fail(context)

    async def _wait_async(self, context: Any) -> None:
        self._began.release()
        while not self._opened.is_set():
            await asyncio.sleep(0.005)
        fail(context)

    def wait_until_held(self, calls: int) -> None:
        for _ in range(calls):
            assert self._began.acquire(timeout=harness.DEADLINE)

    def open(self) -> None:
        self._opened.set()


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("patient", [True, False])
def test_a_server_that_stops_with_grace(style: str, stack: str, patient: bool) -> None:
    """Calls that end within the grace period are answered; others and new calls are inferred."""
    gate = Gate(style)
    with (
        victim.stoppable(style) as (target, stop),
        action(gate.act, 1) as request,
        Client(stack, target) as client,
    ):
        try:
            held = [client.begin(kind, request) for kind in harness.KINDS]
            gate.wait_until_held(len(held))
            stopping = stop(harness.DEADLINE if patient else 0.05)
            if patient:
                with action(fail) as other, Client(stack, target) as late:
                    for _ in range(1_000):  # until the server has begun to stop
                        if type((ended := late.call("unary_unary", other)).error) is RemoteError:
                            break
                    ended.assert_inferred(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                gate.open()
            for call in held:
                ended = call.result(harness.DEADLINE)
                if patient:
                    ended.assert_typed()
                else:
                    ended.assert_inferred(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        finally:
            gate.open()
        stopping.result(harness.DEADLINE)


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_handler_that_outlives_its_client(targets: dict[str, str], style: str) -> None:
    """The handler may still read what the client sent; its error is dropped.

    On an asyncio server, bare grpcio reads freed memory here.
    """
    calls, value, outlived = 12, "v" * 27, threading.Semaphore(0)
    gate, read = Gate(style), list[Any]()

    def tell(context: Any) -> None:
        read.append(dict(context.invocation_metadata()).get("x-value"))
        outlived.release()

    def act(context: Any) -> Any:
        if style.startswith("sync"):
            try:
                return gate.act(context)
            finally:
                tell(context)
        return told_at_last(context)

    async def told_at_last(context: Any) -> None:
        waiting: Any = gate.act(context)
        try:
            await waiting
        finally:
            tell(context)

    with action(act, 1) as request, harness.sync_channel(targets[style]) as channel:
        options = {"metadata": (("x-value", value),), "timeout": harness.DEADLINE}
        futures = [
            harness.method(channel, "unary_unary").future(request, **options) for _ in range(calls)
        ]
        gate.wait_until_held(calls)
        for future in futures:
            future.cancel()
    with action(fail) as other:  # these arrive after the cancellations
        for kind in harness.KINDS * 8:
            assert (
                harness.call("sync", targets[style], kind, other).code is grpc.StatusCode.NOT_FOUND
            )
    gate.open()
    for _ in range(calls):
        assert outlived.acquire(timeout=harness.DEADLINE)
    assert read == [value] * calls


# Channels and loops that end: the same as on the bare stack.

NULL: dict[str, Any] = {
    "sync": [harness.NullClientInterceptor()],
    "aio": harness.aio_interceptors(),
}
OURS: dict[str, Any] = {
    "sync": [errgrpc.ClientInterceptor(ResCode)],
    "aio": errgrpc.aio.client_interceptors(ResCode),
}


def how(run: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "answered", run()
    except grpc.RpcError as error:
        return "RpcError", error.code()
    except (Exception, asyncio.CancelledError) as error:
        return type(error).__name__, str(error)


def test_a_channel_closed_during_a_call(targets: dict[str, str], kind: str) -> None:
    def close(interceptors: Any) -> list[Any]:
        gate = Gate("sync")
        with action(gate.act, 1) as request, grpc.insecure_channel(targets["sync"]) as channel:
            method = harness.method(grpc.intercept_channel(channel, *interceptors), kind)
            make = method.future if kind.endswith("unary") else method
            call = make(harness.argument(kind, request), timeout=harness.DEADLINE)
            gate.wait_until_held(1)
            channel.close()
            collect = call.result if kind.endswith("unary") else functools.partial(list, call)
            ended = [how(collect), call.code()]
            gate.open()
            return [*ended, how(lambda: list(method(harness.argument(kind, request))))]

    assert close(OURS["sync"]) == close(NULL["sync"])
    assert close(OURS["sync"])[0] == ("RpcError", grpc.StatusCode.CANCELLED)


async def ended(call: Any, kind: str) -> Any:
    return await call if kind.endswith("unary") else [response async for response in call]


@pytest.mark.parametrize("grace", [None, 0.05])
def test_an_asyncio_channel_closed_during_a_call(
    targets: dict[str, str], kind: str, grace: float | None
) -> None:
    async def close(interceptors: Any) -> list[Any]:
        gate = Gate("aio")
        async with (
            harness.noticing(),
            grpc.aio.insecure_channel(targets["aio"], interceptors=interceptors) as channel,
        ):
            with action(gate.act, 1) as request:
                method = harness.method(channel, kind)
                task = asyncio.ensure_future(
                    ended(method(harness.argument(kind, request), timeout=harness.DEADLINE), kind)
                )
                await asyncio.to_thread(gate.wait_until_held, 1)
                await channel.close(grace)
                await asyncio.wait([task])
                found = [how(task.result)]
                gate.open()
                again = asyncio.ensure_future(
                    asyncio.wait_for(_again(method, kind, request), harness.DEADLINE)
                )
                await asyncio.wait([again])
                return [*found, how(again.result)]

    if OLD and kind.endswith("stream"):
        pytest.skip(
            "grpcio before 1.80 overlooks some streams when it closes a channel, without us, too"
        )
    ours = asyncio.run(close(OURS["aio"]))
    assert ours == asyncio.run(close(NULL["aio"]))
    assert [kind for kind, _ in ours] == ["CancelledError", "UsageError"]


async def _again(method: Any, kind: str, request: bytes) -> Any:
    return await ended(method(harness.argument(kind, request)), kind)


@pytest.mark.parametrize("orderly", [True, False])
def test_an_event_loop_closed_during_a_call(
    targets: dict[str, str],
    kind: str,
    orderly: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`asyncio.run` cancels the tasks first, but a bare close does not: then grpc complains."""

    def close(interceptors: Any) -> tuple[Any, set[str]]:
        gate, complaints, loop = Gate("aio"), list[str](), asyncio.new_event_loop()
        monkeypatch.setattr(
            sys,
            "unraisablehook",
            lambda told: complaints.append(f"{told.exc_type.__name__}: {told.exc_value}"),
        )

        async def begin(request: bytes) -> list[Any]:
            channel = grpc.aio.insecure_channel(targets["aio"], interceptors=interceptors)
            method = harness.method(channel, kind)
            call = method(harness.argument(kind, request), timeout=harness.DEADLINE)
            task = asyncio.ensure_future(ended(call, kind))
            await asyncio.to_thread(gate.wait_until_held, 1)
            return [channel, call, task, method]

        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        with action(gate.act, 1) as request, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            left = loop.run_until_complete(begin(request))
            if orderly:
                loop.run_until_complete(cancel_all())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            found = [left[2].done(), how(lambda: asyncio.run(_again(left[3], kind, request)))]
            gate.open()
            left.clear()
            gc.collect()
            complaints += [str(warning.message) for warning in warned]
        complaints += [record.getMessage().partition("\n")[0] for record in caplog.records]
        caplog.clear()
        return found, {text for text in complaints if "PollerCompletionQueue" not in text}

    gc.collect()  # leftovers of an earlier test complain now
    caplog.clear()
    ours, our_complaints = close(OURS["aio"])
    # In a disorderly end, the loop ends before the task of this test. asyncio may report that in
    # either run.
    null_complaints = set[str]() if orderly else {"Task was destroyed but it is pending!"}
    for _ in range(20):  # grpc's poller decides which complaints come
        null, complaints = close(NULL["aio"])
        assert ours == null
        null_complaints |= complaints
        if our_complaints <= null_complaints:
            break
    assert our_complaints <= null_complaints


# Retries by grpc itself.

POLICY = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def retries(**policy: Any) -> list[tuple[str, Any]]:
    config = {"methodConfig": [{"name": [{}], "retryPolicy": {**POLICY, **policy}}]}
    return [("grpc.service_config", json.dumps(config)), ("grpc.enable_retries", 1)]


def attempt_of(context: Any) -> int:
    return int(dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts", 0))


@pytest.mark.parametrize("good", [2, 99], ids=["other error at last", "the same each time"])
def test_retries(target: str, stack: str, kind: str, good: int) -> None:
    """Each attempt has its own details; the client reads the last ones."""

    def act(context: Any) -> None:
        attempt = attempt_of(context)
        raise ServiceError(
            ResCode.NOT_FOUND if attempt == good else ResCode.SERVICE_UNAVAILABLE, attempt=attempt
        )

    with action(act) as request, Client(stack, target, options=retries()) as client:
        found = client.call(kind, request)
        found.assert_typed(ResCode.NOT_FOUND if good == 2 else ResCode.SERVICE_UNAVAILABLE)
        assert found.error.metadata == {"attempt": "2"}
        assert found.error.detail(rpc.ErrorInfo).metadata["attempt"] == "2"
        assert [key for key, _ in found.error.trailing_metadata()].count(harness.DETAILS_KEY) == 1


def cut_then_retried(
    target: str, stack: str, kind: str, options: Any, timeout: float, interceptors: Any = None
) -> tuple[Ended, list[int]]:
    """Makes a call whose connection is cut in the first answer.

    Returns how it ended, and the attempts that the server saw.
    """
    attempts = list[int]()

    def act(context: Any) -> None:
        attempts.append(attempt_of(context))
        raise ServiceError(ResCode.NOT_FOUND, attempt=attempts[-1])

    with (
        action(act) as request,
        Proxy(target) as proxy,
        Client(stack, proxy.target, interceptors, options) as client,
    ):
        proxy.arm(Fault(Place.HEADERS, Deed.CLOSE))
        ended = client.call(kind, request, wait_for_ready=True, timeout=timeout)
        return ended, attempts


def test_a_retry_after_a_broken_connection(target: str, stack: str, kind: str) -> None:
    """The client reads the details of the last attempt, unless grpc loses it: see the next test."""
    for _ in range(20):
        found, attempts = cut_then_retried(target, stack, kind, retries(), timeout=2)
        if not found.cancelled and type(found.error) is not RemoteError:
            break
        found.assert_lost(grpc.StatusCode.DEADLINE_EXCEEDED, *LOST)
    found.assert_typed(ResCode.NOT_FOUND)
    assert len(attempts) > 1
    assert found.error.metadata == {"attempt": str(attempts[-1])}


@pytest.mark.skipif(
    OLD, reason="grpcio before 1.80: bare, too, such a call outlives its deadline and its channel"
)
@pytest.mark.parametrize("interceptors", [(), None], ids=["bare", "ours"])
def test_a_retry_that_begins_on_a_dead_connection(
    targets: dict[str, str], stack: str, kind: str, interceptors: Any
) -> None:
    """If grpc has not noticed the dead connection, it loses about every second attempt.

    Then the deadline ends the call, bare or with ours.
    """
    options = retries(initialBackoff="0.001s", maxBackoff="0.001s")
    for _ in range(2):
        found, attempts = cut_then_retried(
            targets["sync"], stack, kind, options, timeout=0.2, interceptors=interceptors
        )
        if interceptors == ():
            assert found.cancelled or found.error.code() in {
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                *LOST,
            }
        elif found.cancelled or type(found.error) is RemoteError:
            found.assert_lost(grpc.StatusCode.DEADLINE_EXCEEDED, *LOST)
        else:
            found.assert_typed(ResCode.NOT_FOUND)
            assert found.error.metadata == {"attempt": str(attempts[-1])}
