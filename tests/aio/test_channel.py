"""Wrapped channels of the asyncio stack: classes, methods and lifetime.

test_client.py tests what their calls raise, and test_transparency.py what else their calls do.
"""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

import errgrpc
from errgrpc import RemoteError, ResCode, ServiceError, remote

DEADLINE = harness.DEADLINE
NAMES = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
CLASSES: list[Any] = [
    grpc.aio.Channel,
    grpc.aio.RpcContext,
    grpc.aio.Call,
    grpc.RpcError,
    *(getattr(grpc.aio, f"{name}{end}") for name in NAMES for end in ("MultiCallable", "Call")),
]


def fail(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def succeed(_: Any) -> None:
    pass


def bare(target: str) -> Any:
    return grpc.aio.insecure_channel(target)


def wrap(target: str) -> Any:
    return errgrpc.aio.wrap_channel(grpc.aio.insecure_channel(target), ResCode)


@pytest.fixture(autouse=True)
async def nothing_goes_unnoticed() -> AsyncIterator[None]:
    async with harness.noticing():
        yield


async def consume(call: Any, kind: str) -> Any:
    return await call if kind.endswith("unary") else [response async for response in call]


async def test_all_is_of_the_classes_of_grpc(targets: dict[str, str], kind: str) -> None:
    seen: list[Any] = []
    for make in (bare, wrap):
        async with make(targets["sync"]) as channel:
            method = harness.method(channel, kind)
            made = [channel, method]
            for act in (fail, succeed):
                with harness.action(act) as request:
                    made.append(method(harness.argument(kind, request)))  # before it is awaited
                    try:
                        await consume(made[-1], kind)
                    except grpc.RpcError as error:
                        made.append(error)
            seen.append([[cls for cls in CLASSES if isinstance(value, cls)] for value in made])
            assert type(made[3]) is (
                remote(ResCode.ROOM_NOT_EXIST) if make is wrap else grpc.aio.AioRpcError
            )
    assert seen[0] == seen[1]


async def test_what_is_no_channel_is_refused(targets: dict[str, str]) -> None:
    with grpc.insecure_channel(targets["sync"]) as sync:
        for value in (
            sync,
            None,
            "127.0.0.1:1",
            grpc.aio.Channel,
            errgrpc.aio.client_interceptors(),
        ):
            with pytest.raises(
                TypeError,
                match=r"is no grpc\.aio\.Channel; "
                r"errgrpc\.wrap_channel takes those of the sync stack",
            ):
                errgrpc.aio.wrap_channel(value, ResCode)  # type: ignore[arg-type]


async def test_it_is_its_own_context(targets: dict[str, str]) -> None:
    for make in (bare, wrap):
        channel = make(targets["sync"])
        async with channel as entered:
            assert entered is channel
            with harness.action(succeed) as request:
                assert await harness.method(channel, "unary_unary")(request) == b"first"
        assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
        with pytest.raises(grpc.aio.UsageError, match=r"[Cc]losed"):
            await harness.method(channel, "unary_unary")(request)
        await channel.close()
        with pytest.raises(LookupError):
            async with make(targets["sync"]):
                raise LookupError


async def test_its_connectivity(targets: dict[str, str]) -> None:
    channel = wrap(targets["sync"])
    assert channel.get_state() is grpc.ChannelConnectivity.IDLE
    assert channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY
    await channel.wait_for_state_change(grpc.ChannelConnectivity.IDLE)
    await channel.channel_ready()
    assert channel.get_state(True) is grpc.ChannelConnectivity.READY
    await channel.close()


@pytest.mark.parametrize("grace", [None, DEADLINE])
async def test_closing(grace: float | None, targets: dict[str, str], kind: str) -> None:
    """Closing cancels the running calls at once; with a grace period, it waits for them."""
    seen = []
    for make in (bare, wrap):
        gate = threading.Event()

        def act(_: Any, gate: Any = gate) -> None:
            gate.wait(DEADLINE)

        with harness.action(act) as request:
            channel = make(targets["sync"])
            call = harness.method(channel, kind)(harness.argument(kind, request))
            outcome = asyncio.ensure_future(asyncio.wait_for(consume(call, kind), DEADLINE))
            await asyncio.sleep(0.01)
            closing = asyncio.ensure_future(
                channel.close() if grace is None else channel.close(grace=grace)
            )
            if grace is None:
                await closing
            gate.set()
            await closing
            await asyncio.wait([outcome], timeout=DEADLINE)
            seen.append(
                (
                    outcome.cancelled() or repr(outcome.exception() or outcome.result()),
                    call.cancelled(),
                    await call.code(),
                )
            )
    assert seen[0] == seen[1]
    if kind.endswith("unary") or grace is None:
        assert seen[1][2] is (StatusCode.CANCELLED if grace is None else StatusCode.OK)
    else:
        # grpcio before 1.83 loses track of a stream that a task of the caller reads. It cancels the
        # stream in spite of the grace period.
        assert seen[1][2] in (StatusCode.OK, StatusCode.CANCELLED)


async def test_interceptors_of_the_channel_run_inside(targets: dict[str, str], kind: str) -> None:
    seen: list[Any] = []

    async def see(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details.metadata)
        return await continuation(details, request)

    inner = grpc.aio.insecure_channel(targets["sync"], interceptors=harness.aio_interceptors(see))
    async with errgrpc.aio.wrap_channel(inner, ResCode, locale="zh-CN") as channel:
        with harness.action(fail) as request, pytest.raises(remote(ResCode.ROOM_NOT_EXIST)):
            await consume(
                harness.method(channel, kind)(
                    harness.argument(kind, request), metadata=(("x-a", "1"),)
                ),
                kind,
            )
    assert seen == [grpc.aio.Metadata(("x-a", "1"), ("accept-language", "zh-CN"))]


async def test_wrapped_twice(targets: dict[str, str], kind: str) -> None:
    for inner, outer in (
        ((), (ResCode,)),
        ((ResCode,), ()),
        ((errgrpc.ComponentCode,), (ResCode,)),
    ):
        once = errgrpc.aio.wrap_channel(bare(targets["sync"]), *inner)
        async with errgrpc.aio.wrap_channel(once, *outer) as channel:
            with (
                harness.action(fail, after=1) as request,
                pytest.raises(remote(ResCode.ROOM_NOT_EXIST)),
            ):
                await consume(harness.method(channel, kind)(harness.argument(kind, request)), kind)


async def test_stubs_of_generated_code() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with wrap(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert (
            await stub.Check(health_pb2.HealthCheckRequest())
        ).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(RemoteError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="none"))
        assert (caught.value.code(), caught.value.error_code) == (
            StatusCode.NOT_FOUND,
            ResCode.NOT_FOUND,
        )
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    await server.stop(None)


async def test_a_channel_that_is_dropped_is_gone(targets: dict[str, str]) -> None:
    gone: list[Any] = []
    for make in (bare, wrap):
        gc.collect()
        gc.disable()
        try:
            channel = make(targets["sync"])
            inner = weakref.ref(channel if make is bare else channel._channel)
            with harness.action(succeed) as request:
                method = harness.method(channel, "unary_unary")
                del channel
                assert await method(request) == b"first"  # the method keeps its channel alive
                assert inner() is not None
                del method
            gone.append(inner() is None)
        finally:
            gc.enable()
    assert gone == [True, True]


@pytest.mark.thinned(2)
async def test_a_call_that_is_dropped_is_gone(targets: dict[str, str], kind: str) -> None:
    """It waits for the garbage collector only if grpc's own call waits, too."""
    gone: list[Any] = []
    for make in (bare, wrap):
        async with make(targets["sync"]) as channel:
            method = harness.method(channel, kind)
            with harness.action(succeed) as request:
                await consume(method(harness.argument(kind, request)), kind)
                gc.collect()
                gc.disable()
                try:
                    call = method(harness.argument(kind, request))
                    await consume(call, kind)
                    reference = weakref.ref(call)
                    await asyncio.sleep(0)
                    del call
                    gone.append(reference() is None)
                finally:
                    gc.enable()
    assert gone[0] == gone[1]
