"""`serve` and `recorded`.

`serve` runs a servicer of generated code on a free port, on both stacks. `recorded` collects the
answers of all servers in the process.
"""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc import StatusCode

import errgrpc
from errgrpc import Answered, ComponentCode, ResCode, ServiceError, observing
from errgrpc.http import Request, Responder
from errgrpc.testing import raises, recorded, serve, serving
from examples.classroom import aio_server, server
from examples.classroom.im import Im
from examples.classroom.rules import Classrooms
from examples.classroom.v1 import classroom_pb2 as pb
from examples.classroom.v1.classroom_errgrpc import RAISES
from examples.classroom.v1.classroom_pb2_grpc import (
    ClassroomServiceStub,
    add_ClassroomServiceServicer_to_server,
)

SERVICE = "/classroom.v1.ClassroomService/"
CHEN = (("authorization", "Bearer chen"),)
ADD: Any = add_ClassroomServiceServicer_to_server


def test_a_sync_servicer() -> None:
    servicer = server.Classroom(Classrooms(), Im())
    with serve(ADD, servicer, ResCode, client={"locale": "en"}, raises=RAISES) as channel:
        stub = ClassroomServiceStub(channel)
        with raises(ResCode.ROOM_NOT_EXIST, room_uuid="r-42") as caught:
            stub.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)
        assert (caught.error.hint, type(caught.error)) == (
            "The room does not exist",
            errgrpc.remote(ResCode.ROOM_NOT_EXIST),
        )
        with raises(ResCode.UNAUTHORIZED):
            next(stub.WatchRoom(pb.WatchRoomRequest(room_uuid="r-42")))
    with pytest.raises(ValueError, match="closed"):
        stub.GetRoom(pb.GetRoomRequest())


async def test_an_asyncio_servicer() -> None:
    servicer = aio_server.Classroom(Classrooms(), Im())
    async with serve(ADD, servicer, ResCode, client={"locale": "en"}, raises=[RAISES]) as channel:
        stub: Any = ClassroomServiceStub(channel)
        with raises(ResCode.ROOM_NOT_EXIST) as caught:
            await stub.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)
        assert caught.error.hint == "The room does not exist"
        with raises(ResCode.BAD_REQUEST):
            async for _ in stub.Signal(iter(()), metadata=CHEN):
                pass


async def test_sync_handlers_on_an_asyncio_server() -> None:
    async with serve(ADD, server.Classroom(Classrooms(), Im()), ResCode) as channel:
        stub: Any = ClassroomServiceStub(channel)
        with raises(ResCode.ROOM_NOT_EXIST):
            await stub.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)


def test_async_handlers_need_an_asyncio_server() -> None:
    with pytest.raises(
        TypeError, match=r"^Classroom\.CloseRoom is async: serve it by `async with`$"
    ):
        serve(ADD, aio_server.Classroom(Classrooms(), Im()), ResCode).__enter__()


def test_what_the_client_is_given() -> None:
    heard: list[Any] = []

    def on_received(error: errgrpc.RemoteError, /, *, method: str) -> None:
        heard.append((error.error_code, method))

    servicer = server.Classroom(Classrooms(), Im())
    options = [("grpc.max_send_message_length", 4)]
    with serve(
        ADD,
        servicer,
        ResCode,
        client={"catalogues": [ComponentCode], "on_received": on_received, "options": options},
    ) as channel:
        stub = ClassroomServiceStub(channel)
        with pytest.raises(errgrpc.RemoteError) as caught:
            stub.GetRoom(pb.GetRoomRequest(), metadata=CHEN)
        assert (caught.value.reason, caught.value.error_code) == ("ROOM_NOT_EXIST", None)
        with pytest.raises(errgrpc.RemoteError) as caught:
            stub.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert heard[0] == (None, SERVICE + "GetRoom")


def test_wrong_arguments() -> None:
    servicer = server.Classroom(Classrooms(), Im())
    with pytest.raises(
        TypeError,
        match="client has language: give some of catalogues, locale, on_received, forward, options",
    ):
        serve(ADD, servicer, ResCode, client={"language": "en"})  # type: ignore[arg-type]
    before = threading.active_count()
    for catalogue, arguments in (
        (5, {}),
        (ComponentCode, {}),
        (ResCode, {"raises": 5}),
        (ResCode, {"colour": "red"}),
    ):
        with pytest.raises((TypeError, ValueError)):
            serve(ADD, servicer, catalogue, **arguments).__enter__()  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        serve(ADD, object(), ResCode).__enter__()
    assert threading.active_count() <= before


def test_nothing_runs_afterwards_whatever_the_block_raises() -> None:
    before = set(threading.enumerate())
    with (  # noqa: PT012  the block is tested
        pytest.raises(LookupError),
        serve(ADD, server.Classroom(Classrooms(), Im()), ResCode) as channel,
    ):
        stub = ClassroomServiceStub(channel)
        feed = stub.WatchRoom(pb.WatchRoomRequest(), metadata=CHEN)
        with raises(ResCode.ROOM_NOT_EXIST):
            next(feed)
        raise LookupError
    ours = {thread for thread in set(threading.enumerate()) - before if "ThreadPool" in thread.name}
    assert ours == set()


def test_it_can_be_served_again() -> None:
    serving = serve(ADD, server.Classroom(Classrooms(), Im()), ResCode)
    for _ in range(2):
        with serving as channel, raises(ResCode.UNAUTHORIZED):
            ClassroomServiceStub(channel).GetRoom(pb.GetRoomRequest())


# recorded


def test_what_all_servers_answer_is_recorded() -> None:
    """Covers servers from before and new ones, both stacks, and HTTP."""
    with serve(ADD, server.Classroom(Classrooms(), Im()), ResCode) as first:
        stub = ClassroomServiceStub(first)
        stub_of: Any = stub

        def get() -> None:
            with raises(ResCode.ROOM_NOT_EXIST):
                stub_of.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)

        get()
        with recorded() as answered, recorded() as again:
            get()
            assert [(each.method, each.code, each.status, each.outcome) for each in answered] == [
                (SERVICE + "GetRoom", ResCode.ROOM_NOT_EXIST, StatusCode.NOT_FOUND, "coded")
            ]

            async def other() -> None:
                async with serve(ADD, aio_server.Classroom(Classrooms(), Im()), ResCode) as channel:
                    aio_stub: Any = ClassroomServiceStub(channel)
                    with raises(ResCode.UNAUTHORIZED):
                        await aio_stub.GetRoom(pb.GetRoomRequest())

            asyncio.run(other())
            Responder(ResCode).answer(ServiceError(ResCode.CONFLICT), Request("GET", "/"))
            assert [each.code for each in answered] == [
                ResCode.ROOM_NOT_EXIST,
                ResCode.UNAUTHORIZED,
                ResCode.CONFLICT,
            ]
        get()
        assert len(answered) == len(again) == 3
        assert all(isinstance(each, Answered) for each in answered)


def test_a_status_that_a_handler_sets_is_recorded() -> None:
    class Sets(server.Classroom):
        def GetRoom(
            self, request: pb.GetRoomRequest, context: grpc.ServicerContext
        ) -> pb.GetRoomResponse:
            context.set_code(StatusCode.ABORTED)
            return pb.GetRoomResponse()

        def CloseRoom(self, request: pb.CloseRoomRequest, context: grpc.ServicerContext) -> Any:
            context.abort(StatusCode.DATA_LOSS, "lost")

    with serve(ADD, Sets(Classrooms(), Im()), ResCode) as channel:
        stub = ClassroomServiceStub(channel)
        for call in (
            lambda: stub.GetRoom(pb.GetRoomRequest()),
            lambda: stub.CloseRoom(pb.CloseRoomRequest()),
        ):
            with pytest.raises(errgrpc.RemoteError):
                call()  # this makes the guards before the recording begins
        with recorded() as answered:
            for call in (
                lambda: stub.GetRoom(pb.GetRoomRequest()),
                lambda: stub.CloseRoom(pb.CloseRoomRequest()),
            ):
                with pytest.raises(errgrpc.RemoteError):
                    call()
        assert [(each.outcome, each.status) for each in answered] == [
            ("aborted", StatusCode.ABORTED),
            ("aborted", StatusCode.DATA_LOSS),
        ]


def test_what_is_not_declared_is_recorded() -> None:
    table = {SERVICE + "GetRoom": frozenset({ResCode.UNAUTHORIZED})}
    with (
        serve(ADD, server.Classroom(Classrooms(), Im()), ResCode, raises=table) as channel,
        recorded() as answered,
    ):
        stub = ClassroomServiceStub(channel)
        with raises(ResCode.UNAUTHORIZED):
            stub.GetRoom(pb.GetRoomRequest())
        with raises(ResCode.ROOM_NOT_EXIST):
            stub.GetRoom(pb.GetRoomRequest(room_uuid="r-42"), metadata=CHEN)
    assert [each.undeclared for each in answered] == [False, True]


def test_threads_that_record_at_once() -> None:
    counts: list[int] = []

    def record() -> None:
        for _ in range(50):
            with recorded() as answered:
                Responder(ResCode).answer(ServiceError(ResCode.CONFLICT), Request("GET", "/"))
                counts.append(len(answered))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 400
    assert min(counts) >= 1  # its own answer, and maybe those of other threads
    assert observing.observers == {}


# Findings of a hostile review


class Endless(server.Classroom):
    """Handlers that ignore their context."""

    began, ended = threading.Event(), threading.Event()

    def GetRoom(self, request: pb.GetRoomRequest, context: Any) -> Any:
        self.began.set()
        self.ended.wait()
        raise ServiceError(ResCode.CONFLICT)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(serving, "_PATIENCE", 0.1)
    Endless.began.clear()
    Endless.ended.clear()
    yield
    Endless.ended.set()


@pytest.mark.usefixtures("impatient")
def test_a_handler_that_never_ends_is_named_and_left_behind() -> None:
    with (  # noqa: PT031  the block is tested
        pytest.warns(
            ResourceWarning,
            match=r"^Endless\.GetRoom still runs 0\.1 s after its server has stopped$",
        ) as caught,
        serve(ADD, Endless(Classrooms(), Im()), ResCode) as channel,
    ):
        call = ClassroomServiceStub(channel).GetRoom.future(pb.GetRoomRequest())
        assert Endless.began.wait(20)
    assert not call.cancelled()
    assert caught[0].filename == __file__


LEAVES_EARLY = """
import asyncio, sys, threading, warnings
from errgrpc import ResCode
from errgrpc.testing import serve, serving
from examples.classroom.v1 import classroom_pb2 as pb
from examples.classroom.v1.classroom_pb2_grpc import (
    ClassroomServiceStub,
    add_ClassroomServiceServicer_to_server as add,
)

class Endless:
    def __getattr__(self, name):
        return lambda request, context: None
    def WatchRoom(self, request, context):
        while True:
            yield pb.WatchRoomResponse()

async def leave_a_stream_early():
    async with serve(add, Endless(), ResCode) as channel:
        await ClassroomServiceStub(channel).WatchRoom(pb.WatchRoomRequest()).read()

serving._PATIENCE = 0.1
asyncio.run(leave_a_stream_early())
print("left")
"""


def test_a_sync_handler_that_still_runs_hangs_neither_the_loop_nor_the_process() -> None:
    """Runs in its own process: grpc's asyncio server never ends the thread of such a stream."""
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_EARLY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr


async def test_a_sync_handler_that_fails_as_the_block_ends() -> None:
    Endless.began.clear()
    Endless.ended.clear()
    async with serve(ADD, Endless(Classrooms(), Im()), ResCode) as channel:
        stub: Any = ClassroomServiceStub(channel)
        call = stub.GetRoom(pb.GetRoomRequest())
        await asyncio.sleep(0)
        assert await asyncio.to_thread(Endless.began.wait, 20)
        assert not call.done()
        asyncio.get_running_loop().call_later(0.05, Endless.ended.set)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with (
        serve(ADD, server.Classroom(Classrooms(), Im()), ResCode) as channel,
        raises(ResCode.UNAUTHORIZED),
    ):
        ClassroomServiceStub(channel).GetRoom(pb.GetRoomRequest(), timeout=20)


def test_further_interceptors_stand_behind_errgrpc_s() -> None:
    class Forbids(grpc.ServerInterceptor):
        def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(ResCode.FORBIDDEN)

    with (
        serve(
            ADD, server.Classroom(Classrooms(), Im()), ResCode, interceptors=[Forbids()]
        ) as channel,
        raises(ResCode.FORBIDDEN),
    ):
        ClassroomServiceStub(channel).GetRoom(pb.GetRoomRequest())


def test_one_object_is_not_served_twice_at_once() -> None:
    serving = serve(ADD, server.Classroom(Classrooms(), Im()), ResCode)
    with serving, pytest.raises(RuntimeError, match="it is served already"):
        serving.__enter__()


def test_what_is_wrong_with_the_interceptor_is_wrong_at_once() -> None:
    with pytest.raises(TypeError, match="raises is 5"):
        serve(ADD, object(), ResCode, raises=5)


def test_a_stream_that_began_before_is_recorded_at_its_end() -> None:
    goes_on = threading.Event()

    class Sets(server.Classroom):
        def WatchRoom(self, request: pb.WatchRoomRequest, context: Any) -> Any:
            yield pb.WatchRoomResponse()
            goes_on.wait(20)
            context.set_code(StatusCode.ABORTED)

    with serve(ADD, Sets(Classrooms(), Im()), ResCode) as channel:
        feed = ClassroomServiceStub(channel).WatchRoom(pb.WatchRoomRequest())
        next(feed)
        with recorded() as answered:
            goes_on.set()
            with pytest.raises(errgrpc.RemoteError):
                next(feed)
    assert [each.status for each in answered] == [StatusCode.ABORTED]


def test_an_abandoned_recorder_that_the_garbage_collector_closes() -> None:
    """The collector may run at any time, also while another recorder begins or ends."""
    kept = [Responder(ResCode) for _ in range(20)]

    def abandoned() -> Any:
        with recorded() as answered:
            yield answered

    for _ in range(2_000):
        generator = abandoned()
        next(generator)
        box: list[Any] = [generator]
        box.append(box)  # in a reference cycle
        del generator, box
    gc.collect()
    assert observing.observers == {}
    assert len(kept) == 20
