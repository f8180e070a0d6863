"""What errgrpc costs: Python frames, bytecodes, protobuf parses and memory blocks.

These counts have no noise. The bounds are today's counts and a little more: another frame for each
message or a second parse breaks them. `make bench` measures times.
"""

import gc
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import error_details_pb2 as rpc

import errgrpc
from errgrpc import ErrorCode, MetadataField, ResCode, ServiceError, Spec
from errgrpc.answering import Answering, Rpc
from errgrpc.reading import Reading

PACKAGE = str(Path(errgrpc.__file__).parent)
CODE = ResCode.NOT_FOUND  # declares no metadata
ASKED = (("user-agent", "x"), ("accept-language", "zh-CN"))
RPC = Rpc("/test.Service/unary_unary", ASKED)
ANSWERING, READING = Answering(ResCode), Reading((ResCode,))


@contextmanager
def frames(*, in_threads: bool = False) -> Iterator[list[str]]:
    """The names of the package's functions that run meanwhile.

    With `in_threads`, also those in threads that start meanwhile.
    """
    found: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            found.append(frame.f_code.co_name)

    before = sys.getprofile()
    if in_threads:
        threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)
        threading.setprofile(None)  # type: ignore[arg-type]


def per(few: int, many: int, run: Callable[[int], list[str]]) -> float:
    """How many frames one more unit costs, without the first units and the end.

    Takes the least of some runs: on a busy machine, a few frames of a start or an end fall into one
    run only.
    """
    run(few)  # fills the caches
    return min((len(run(many)) - len(run(few))) / (many - few) for _ in range(4))


async def async_per(few: int, many: int, run: Callable[[int], Awaitable[list[str]]]) -> float:
    """The same as `per`, for an asyncio client."""
    await run(few)
    return min([(len(await run(many)) - len(await run(few))) / (many - few) for _ in range(4)])


def fail(_: Any) -> None:
    raise ServiceError(CODE, room_uuid="r-42")


def succeed(_: Any) -> None: ...


@pytest.mark.parametrize(
    ("style", "act", "most"),
    [
        ("sync", succeed, 3),  # our interceptor finds the guarded handler, which runs
        ("aio", succeed, 5),
        ("sync_on_aio", succeed, 8),
        ("sync", fail, 17),
        ("aio", fail, 24),
        ("sync_on_aio", fail, 24),
    ],
)
def test_frames_of_a_call_on_the_server(style: str, act: Any, most: int) -> None:
    def run(calls: int) -> list[str]:
        with (
            harness.action(act) as request,
            frames(in_threads=True) as found,
            harness.serve(style) as target,
            grpc.insecure_channel(target) as channel,
        ):
            method: Any = channel.unary_unary("/test.Service/unary_unary")
            for _ in range(calls):
                method.future(request).exception()
        return found

    assert 0 < per(3, 23, run) <= most


def interceptors(target: str) -> grpc.Channel:
    return grpc.intercept_channel(grpc.insecure_channel(target), errgrpc.ClientInterceptor(ResCode))


def wrapped(target: str) -> grpc.Channel:
    return errgrpc.wrap_channel(grpc.insecure_channel(target), ResCode)


@pytest.mark.parametrize(
    ("connected", "act", "most"),
    [
        (wrapped, succeed, 1),
        (interceptors, succeed, 4),
        (wrapped, fail, 10),
        (interceptors, fail, 12),
    ],
)
def test_frames_of_a_call_on_the_client(
    connected: Any, act: Any, most: int, targets: dict[str, str]
) -> None:
    def run(calls: int) -> list[str]:
        with (
            harness.action(act) as request,
            connected(targets["sync"]) as channel,
            frames() as found,
        ):
            method = channel.unary_unary("/test.Service/unary_unary")
            for _ in range(calls):
                try:
                    method(request)
                except grpc.RpcError as error:
                    assert isinstance(error, errgrpc.RemoteError)
        return found

    assert 0 < per(3, 23, run) <= most


class Many(harness.SyncServicer):
    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        return iter([b"response"] * int(request))


class ManyAsync(harness.AsyncServicer):
    async def unary_stream(self, request: bytes, context: Any) -> Any:
        for _ in range(int(request)):
            yield b"response"


class ManyWritten(harness.ReaderWriterServicer):
    async def unary_stream(self, request: bytes, context: Any) -> None:
        for _ in range(int(request)):
            await context.write(b"response")


@pytest.mark.parametrize(
    ("style", "servicer", "most"),
    [
        ("sync", Many, 1),
        ("aio", ManyAsync, 1),
        ("reader_writer", ManyWritten, 1),
        ("sync_on_aio", Many, 1),
    ],
)
def test_frames_of_a_message_on_the_server(style: str, servicer: Any, most: int) -> None:
    def run(messages: int) -> list[str]:
        with (
            frames(in_threads=True) as found,
            harness.serve(style, servicer=servicer()) as target,
            grpc.insecure_channel(target) as channel,
        ):
            method: Any = channel.unary_stream("/test.Service/unary_stream")
            assert len(list(method(str(messages).encode()))) == messages
        return found

    assert 0 < per(10, 110, run) <= most


@pytest.mark.parametrize("connected", [wrapped, interceptors])
def test_frames_of_a_message_on_the_client(connected: Any) -> None:
    with harness.serve("sync", servicer=Many()) as target:

        def run(messages: int) -> list[str]:
            with connected(target) as channel, frames() as found:
                method: Any = channel.unary_stream("/test.Service/unary_stream")
                assert len(list(method(str(messages).encode()))) == messages
            return found

        assert 0 < per(10, 110, run) <= 1


@asynccontextmanager
async def asyncio_channel(door: str, target: str) -> AsyncIterator[Any]:
    chain = errgrpc.aio.client_interceptors(ResCode) if door == "interceptors" else None
    async with grpc.aio.insecure_channel(target, interceptors=chain) as channel:
        yield channel if chain else errgrpc.aio.wrap_channel(channel, ResCode)


@pytest.mark.parametrize(
    ("door", "act", "most"),
    [
        ("wrapped", succeed, 6),
        ("interceptors", succeed, 13),
        ("wrapped", fail, 15),
        ("interceptors", fail, 24),
    ],
)
async def test_frames_of_a_call_on_an_asyncio_client(
    door: str, act: Any, most: int, targets: dict[str, str]
) -> None:
    async def run(calls: int) -> list[str]:
        with harness.action(act) as request, frames() as found:
            async with asyncio_channel(door, targets["sync"]) as channel:
                method = channel.unary_unary("/test.Service/unary_unary")
                for _ in range(calls):
                    with suppress(errgrpc.RemoteError):
                        await method(request)
        return found

    assert 0 < await async_per(3, 23, run) <= most


@pytest.mark.parametrize("door", ["wrapped", "interceptors"])
async def test_frames_of_a_message_on_an_asyncio_client(door: str) -> None:
    with harness.serve("sync", servicer=Many()) as target:

        async def run(messages: int) -> list[str]:
            with frames() as found:
                async with asyncio_channel(door, target) as channel:
                    async for response in channel.unary_stream("/test.Service/unary_stream")(
                        str(messages).encode()
                    ):
                        assert response
            return found

        # each read resumes once, when its message arrives
        assert 0 < await async_per(10, 110, run) <= 4


# Without a wire.


def constant() -> Any:
    return ANSWERING.answer(ServiceError(CODE), RPC)


def with_metadata() -> Any:
    return ANSWERING.answer(ServiceError(CODE, room_uuid="r-42"), RPC)


def declared() -> Any:
    return ANSWERING.answer(ServiceError(ResCode.ROOM_NOT_EXIST), RPC)


def declared_with_metadata() -> Any:
    return ANSWERING.answer(ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42"), RPC)


def filled() -> Any:
    return ANSWERING.answer(ServiceError(FilledCode.FULL, limit=30), RPC)


class FilledCode(ErrorCode, domain="filled.example.com", default_locale="zh-CN"):
    FULL = (
        1,
        Spec(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            message="{limit} seats are taken",
            hints={"zh-CN": "{limit} 个座位已满", "en-US": "All {limit} seats are taken"},
            metadata_fields=[MetadataField("limit", type=int)],
        ),
    )


def with_violations() -> Any:
    violations = [
        rpc.BadRequest.FieldViolation(field=f"f{number}", description="wrong")
        for number in range(10)
    ]
    return ANSWERING.answer(
        ServiceError(ResCode.BAD_REQUEST, details=[rpc.BadRequest(field_violations=violations)]),
        RPC,
    )


def read(answer: Any) -> Callable[[], Any]:
    error = grpc.aio.AioRpcError(answer.status, None, answer.trailers, answer.message)
    return lambda: READING.read(error)


SEEN, NEW = read(constant()), read(with_metadata())


@pytest.mark.parametrize(
    ("run", "most"),
    [
        (constant, 229),
        (with_metadata, 478),
        (with_violations, 603),
        (declared, 229),
        (declared_with_metadata, 580),
        (filled, 2005),
        (SEEN, 182),
        (NEW, 282),
    ],
    ids=[
        "constant",
        "metadata",
        "violations",
        "declared",
        "declared with metadata",
        "filled",
        "seen",
        "new",
    ],
)
def test_bytecodes(run: Callable[[], Any], most: int) -> None:
    run()
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    for _ in range(2):  # CPython 3.12.1 reports no opcodes the first time that it traces code
        count = 0
        sys.settrace(trace)
        try:
            run()
        finally:
            sys.settrace(before)
    assert most * 0.7 < count <= most, count


@pytest.mark.parametrize(
    ("run", "most"),
    [
        (constant, 0),
        (with_metadata, 0),
        (SEEN, 0),
        (NEW, 2),
        (lambda: SEEN().metadata, 2),
        (lambda: NEW().hint, 3),
    ],
    ids=["constant", "metadata", "seen", "new", "seen and asked", "new and asked"],
)
def test_parses_of_protobuf(run: Callable[[], Any], most: int) -> None:
    run()
    parsed: list[str] = []

    def note(_: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in {
            "FromString",
            "ParseFromString",
            "MergeFromString",
            "Unpack",
        }:
            parsed.append(called.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    assert len(parsed) == most


@pytest.mark.parametrize(
    ("run", "most"),
    [
        (lambda: ServiceError(CODE), 4.5),
        (lambda: ServiceError(CODE, room_uuid="r-42"), 7.5),
        (SEEN, 6.5),
        (NEW, 10.5),
    ],
    ids=["constant", "metadata", "seen", "new"],
)
def test_memory_blocks_of_an_error(run: Callable[[], Any], most: float) -> None:
    def blocks(kept: list[Any]) -> int:
        gc.collect()
        before = sys.getallocatedblocks()
        kept.extend(run() for _ in range(1_000))
        return sys.getallocatedblocks() - before

    blocks([])
    each = blocks([]) / 1_000
    assert 1 < each <= most
