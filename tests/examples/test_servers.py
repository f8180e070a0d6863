"""Every code that the classroom promises, over a real port: both servers, both clients."""

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import harness
import pytest
from google.rpc.error_details_pb2 import BadRequest, ResourceInfo, RetryInfo

import errgrpc
from errgrpc import Answered, ComponentCode, ErrorCode, RemoteError, ResCode
from errgrpc.testing import recorded
from examples.classroom import aio_client, aio_server, client, server
from examples.classroom.im import Im
from examples.classroom.rules import Classrooms
from examples.classroom.v1 import classroom_pb2 as pb
from examples.classroom.v1.classroom_errgrpc import RAISES

SERVICE = "classroom.v1.ClassroomService"
USERS = ("chen", "li", "wang", "zhao")


class Driven:
    """An asyncio object for use from a thread: its coroutines and iterators run on the loop."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            result = getattr(self._target, name)(*args, **options)
            result = await result if inspect.isawaitable(result) else result
            return (
                Driven(result, self._loop)
                if isinstance(result, aio_client.Line) or hasattr(result, "__anext__")
                else result
            )

        return lambda *args, **options: run(call(*args, **options), self._loop)

    def __next__(self) -> Any:
        return run(anext(self._target), self._loop)

    def __iter__(self) -> Any:
        try:
            while True:
                yield next(self)
        except StopAsyncIteration:
            pass


def run(awaitable: Any, loop: asyncio.AbstractEventLoop) -> Any:
    async def wait() -> Any:
        return await awaitable

    return asyncio.run_coroutine_threadsafe(wait(), loop).result(harness.DEADLINE)


class Stage:
    """A server with a client for each user, and Chen's lecture `math`, which Li and Wang joined."""

    def __init__(self, target: str, rooms: Classrooms, im: Im, connect: Callable[..., Any]) -> None:
        self.target = target
        self.rooms = rooms
        self.im = im
        self.connect = connect
        self.chen, self.li, self.wang, self.zhao = map(connect, USERS)
        rooms.create_room("chen", "math", "lecture")
        rooms.join_room("li", "math", "student")
        rooms.join_room("wang", "math", "student")

    def sign_in(self, user: str, token: str | None = None, **options: Any) -> Any:
        return getattr(self, user).sign_in(
            "math", token or f"im-{user}", timeout=harness.DEADLINE, **options
        )

    def watch(self, user: str, room: str = "math") -> Any:
        feed = getattr(self, user).watch_room(room, timeout=harness.DEADLINE)
        assert next(feed).kind == pb.EVENT_KIND_WATCHING
        return feed


@contextmanager
def serving(stack: str, rooms: Classrooms, im: Im) -> Iterator[str]:
    with ExitStack() as exits:
        if stack == "sync":
            pool = exits.enter_context(ThreadPoolExecutor(16))
            running = server.build(pool, rooms, im)
            port = running.add_insecure_port("127.0.0.1:0")
            running.start()
            exits.callback(lambda: running.stop(None).wait())
        else:
            loop = exits.enter_context(harness.loop_thread())

            async def start() -> Any:
                started = aio_server.build(rooms, im)
                bound = started.add_insecure_port("127.0.0.1:0")
                await started.start()
                return started, bound

            aio_running, port = run(start(), loop)
            exits.callback(lambda: run(aio_running.stop(None), loop))
        yield f"127.0.0.1:{port}"


@contextmanager
def staged(server_stack: str, client_stack: str) -> Iterator[Stage]:
    rooms, im = Classrooms(max_rooms=2), Im()
    with serving(server_stack, rooms, im) as target, ExitStack() as exits:
        if client_stack == "sync":

            def connect(user: str | None, locale: str = "zh-CN") -> Any:
                return exits.enter_context(
                    client.Client(target, user, locale=locale, timeout=harness.DEADLINE)
                )

        else:
            loop = exits.enter_context(harness.loop_thread())

            def connect(user: str | None, locale: str = "zh-CN") -> Any:
                async def make() -> aio_client.Client:
                    return aio_client.Client(target, user, locale=locale, timeout=harness.DEADLINE)

                driven = Driven(run(make(), loop), loop)
                exits.callback(driven.close)
                return driven

        yield Stage(target, rooms, im, connect)


@pytest.fixture(params=["sync server", "aio server"])
def stage(request: pytest.FixtureRequest, stack: str) -> Iterator[Stage]:
    with staged(request.param.split()[0], stack) as stage:
        yield stage


@pytest.fixture(autouse=True)
def answered() -> Iterator[list[Answered]]:
    """Checks that the servers of a test answer only declared codes, except where a test says so."""
    with recorded() as answered:
        yield answered
    assert [each for each in answered if each.undeclared] == []


def in_line(stage: Stage, user: str, act: Callable[[Any], object]) -> None:
    """Signs in, acts, and reads until the stream ends."""
    line = stage.sign_in(user)
    act(line)
    line.receive()


def in_feed(stage: Stage, user: str, act: Callable[[], object]) -> None:
    feed = stage.watch(user)
    act()
    for _ in feed:
        pass


def out_of_im(stage: Stage) -> None:
    stage.im.reachable = False
    stage.sign_in("li")


def out_of_rooms(stage: Stage) -> None:
    stage.chen.create_room("art", "small-class")
    stage.chen.create_room("music", "small-class")


def small_class(stage: Stage, act: Callable[[], object]) -> None:
    stage.chen.create_room("art", "small-class")
    act()


def seated(stage: Stage, act: Callable[[], object]) -> None:
    stage.li.take_seat("math", 1)
    stage.wang.take_seat("math", 2)
    act()


def sharing(stage: Stage, act: Callable[[], object]) -> None:
    stage.li.set_member_property("math", "screen_share", "on")
    act()


Case = tuple[ErrorCode, Callable[[Stage], object]]

UNARY: list[Case] = [
    (ResCode.UNAUTHORIZED, lambda s: s.connect(None).get_room("math")),
    (ResCode.BAD_REQUEST, lambda s: s.chen.create_room("", "")),
    (ResCode.FORBIDDEN, lambda s: s.li.close_room("math")),
    (ResCode.CONFLICT, lambda s: s.li.create_room("math", "lecture")),
    (ResCode.SERVICE_UNAVAILABLE, out_of_rooms),
    (ResCode.INTERNAL_SERVER_ERROR, lambda s: small_class(s, lambda: s.chen.get_occupancy("art"))),
    (ResCode.ROOM_NOT_EXIST, lambda s: s.li.get_room("music")),
    (ResCode.ROOM_BAD_CONFIG, lambda s: s.chen.create_room("art", "planetarium")),
    (ResCode.ROOM_CONFIG_CONFLICT, lambda s: s.chen.ensure_room("math", "small-class")),
    (ResCode.ROOM_ROLE_UNDEFINED, lambda s: s.zhao.join_room("math", "principal")),
    (ResCode.ROOM_ROLE_EXCEED, lambda s: s.zhao.join_room("math", "host")),
    (ResCode.ROOM_MEMBER_EXIST, lambda s: s.li.join_room("math", "student")),
    (ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST, lambda s: s.chen.leave_room("math", "zhao")),
    (ResCode.ROOM_NOT_PREPARED, lambda s: small_class(s, lambda: s.chen.take_seat("art"))),
    (ResCode.ROOM_SIT_NOT_EXIST, lambda s: s.li.take_seat("math", 9)),
    (ResCode.ROOM_SIT_CONFLICT, lambda s: seated(s, lambda: s.chen.take_seat("math", 1))),
    (ResCode.ROOM_SIT_USER_CONFLICT, lambda s: seated(s, lambda: s.li.take_seat("math", 2))),
    (ResCode.ROOM_SIT_FULL, lambda s: seated(s, lambda: s.chen.take_seat("math"))),
    (
        ResCode.ROOM_PROPERTY_EXISTS,
        lambda s: [s.chen.set_property("math", "topic", "π", exclusive=True) for _ in range(2)],
    ),
    (
        ResCode.ROOM_MEMBER_PROPERTY_EXISTS,
        lambda s: sharing(
            s, lambda: s.li.set_member_property("math", "screen_share", "on", exclusive=True)
        ),
    ),
    (
        ResCode.ROOM_MEMBER_CONCURRENCY_OUT,
        lambda s: sharing(s, lambda: s.wang.set_member_property("math", "screen_share", "on")),
    ),
]
SERVER_STREAM: list[Case] = [
    (ResCode.UNAUTHORIZED, lambda s: next(s.connect(None).watch_room("math"))),
    (ResCode.FORBIDDEN, lambda s: s.watch("zhao")),
    (ResCode.ROOM_NOT_EXIST, lambda s: s.watch("li", "music")),
    (
        ComponentCode.ENGINE_ERROR_ROOM_CLOSED,
        lambda s: in_feed(s, "li", lambda: s.chen.close_room("math")),
    ),
    (
        ComponentCode.ENGINE_ERROR_SERVER_KICKED,
        lambda s: in_feed(s, "li", lambda: s.chen.leave_room("math", "li")),
    ),
]
CLIENT_STREAM: list[Case] = [
    (ResCode.UNAUTHORIZED, lambda s: s.connect(None).import_seats("math", [(3, "")])),
    (ResCode.FORBIDDEN, lambda s: s.li.import_seats("math", [(3, "")])),
    (ResCode.BAD_REQUEST, lambda s: s.chen.import_seats("math", [(3, ""), (0, "")])),
    (ResCode.ROOM_NOT_EXIST, lambda s: s.chen.import_seats("music", [(3, "")])),
    (ResCode.ROOM_SITS_BAD, lambda s: s.chen.import_seats("math", [])),
    (ResCode.ROOM_SIT_CONFLICT, lambda s: s.chen.import_seats("math", [(3, ""), (1, "")])),
    (
        ResCode.ROOM_SIT_USER_CONFLICT,
        lambda s: seated(s, lambda: s.chen.import_seats("math", [(3, "li")])),
    ),
    (
        ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
        lambda s: s.chen.import_seats("math", [(3, "zhao")]),
    ),
]
BIDI_STREAM: list[Case] = [
    (ResCode.UNAUTHORIZED, lambda s: s.connect(None).sign_in("math", "im-li")),
    (ResCode.FORBIDDEN, lambda s: s.sign_in("zhao")),
    (ResCode.NIM_SERVICE_ERROR, out_of_im),
    (
        ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
        lambda s: in_line(s, "li", lambda line: line.send("zhao", "hello")),
    ),
    (ComponentCode.IM_LOGIN_ERROR, lambda s: s.sign_in("li", "im-wang")),
    (ComponentCode.IM_LOGIN_ERROR, lambda s: s.sign_in("li", "im-wang", im_reused=True)),
    (
        ComponentCode.ENGINE_ERROR_ROOM_CLOSED,
        lambda s: in_line(s, "li", lambda _: s.chen.close_room("math")),
    ),
    (
        ComponentCode.ENGINE_ERROR_SERVER_KICKED,
        lambda s: in_line(s, "li", lambda _: s.sign_in("li")),
    ),
    (
        ComponentCode.ENGINE_ERROR_SERVER_KICKED,
        lambda s: in_line(s, "li", lambda _: s.chen.leave_room("math", "li")),
    ),
]
CASES = [*UNARY, *SERVER_STREAM, *CLIENT_STREAM, *BIDI_STREAM]


def caught(act: Callable[[Stage], object], stage: Stage) -> RemoteError:
    with pytest.raises(RemoteError) as error:
        act(stage)
    return error.value


@pytest.mark.parametrize(
    ("code", "act"), CASES, ids=lambda value: value.name if isinstance(value, ErrorCode) else ""
)
@pytest.mark.thinned(3)
def test_each_promised_error_arrives_typed(
    code: ErrorCode, act: Callable[[Stage], object], stage: Stage
) -> None:
    error = caught(act, stage)
    assert type(error) is errgrpc.remote(code)
    assert error.code() is code.grpc_status
    assert error.hint == code.hint("zh-CN", error.metadata)
    assert (error.request_id is not None) is (code is ResCode.INTERNAL_SERVER_ERROR)


def test_the_cases_are_what_the_proto_promises() -> None:
    promised = {code for codes in RAISES.values() for code in codes}
    # The bug in the example is answered by the fallback, which needs no declaration.
    assert {code for code, _ in CASES} == promised | {ResCode.INTERNAL_SERVER_ERROR}
    assert len(promised) == 25


@pytest.mark.parametrize("server_stack", ["sync", "aio"])
def test_an_undeclared_code_would_be_seen(
    server_stack: str, monkeypatch: pytest.MonkeyPatch, answered: list[Answered]
) -> None:
    table = {**RAISES, f"/{SERVICE}/GetRoom": frozenset({ResCode.UNAUTHORIZED})}
    for module in (server, aio_server):
        monkeypatch.setattr(module, "RAISES", table)
    with staged(server_stack, "sync") as stage:
        caught(lambda s: s.li.get_room("music"), stage)
    assert [(each.method, each.code) for each in answered if each.undeclared] == [
        (f"/{SERVICE}/GetRoom", ResCode.ROOM_NOT_EXIST)
    ]
    answered.clear()


def test_the_hint_comes_in_the_language_of_the_client(stage: Stage) -> None:
    error = caught(lambda s: s.connect("li", "en-GB").get_room("music"), stage)
    assert (error.hint, error.locale) == ("The room does not exist", "en-US")


def test_details_beside_the_code(stage: Stage) -> None:
    violations = caught(lambda s: s.chen.create_room("Math", ""), stage).detail(BadRequest)
    assert violations is not None
    assert [violation.field for violation in violations.field_violations] == [
        "room_uuid",
        "config_id",
    ]
    resource = caught(lambda s: s.chen.create_room("math", "lecture"), stage).detail(ResourceInfo)
    assert resource is not None
    assert resource.resource_name == "rooms/math"
    retry = caught(out_of_rooms, stage).detail(RetryInfo)
    assert retry is not None
    assert retry.retry_delay.seconds == 5


def test_a_conflict_is_a_success_if_the_caller_wants_the_room(stage: Stage) -> None:
    assert stage.chen.ensure_room("math", "lecture").room_uuid == "math"
    assert stage.chen.ensure_room("art", "small-class").room_uuid == "art"


def test_what_other_libraries_say_stays_here(stage: Stage) -> None:
    error = caught(out_of_im, stage)
    assert "im-7" not in str(error.trailing_metadata()) + str(error)


def test_a_lesson(stage: Stage) -> None:
    feed = stage.watch("li")
    assert [member.user_uuid for member in stage.zhao.join_room("math", "student").members] == [
        "chen",
        "li",
        "wang",
        "zhao",
    ]
    assert stage.li.take_seat("math") == 1
    assert stage.chen.import_seats("math", [(3, "zhao"), (4, "")]) == 2
    stage.chen.set_property("math", "topic", "π")
    stage.zhao.set_member_property("math", "hand", "up")
    assert stage.li.get_occupancy("math") == 50
    room = stage.li.get_room("math")
    assert {seat.number: seat.user_uuid for seat in room.seats} == {
        1: "li",
        2: "",
        3: "zhao",
        4: "",
    }
    assert (dict(room.properties), dict(room.members[3].properties)) == (
        {"topic": "π"},
        {"hand": "up"},
    )
    stage.zhao.leave_room("math", "zhao")
    stage.li.leave_room("math", "li")
    assert [(event.kind, event.user_uuid, event.subject) for event in feed] == [
        (pb.EVENT_KIND_JOINED, "zhao", "student"),
        (pb.EVENT_KIND_SEATED, "li", "1"),
        (pb.EVENT_KIND_SEATED, "zhao", "3"),
        (pb.EVENT_KIND_PROPERTY_SET, "chen", "topic"),
        (pb.EVENT_KIND_PROPERTY_SET, "zhao", "hand"),
        (pb.EVENT_KIND_LEFT, "zhao", ""),
    ]


def test_letters(stage: Stage) -> None:
    li, wang = stage.sign_in("li"), stage.sign_in("wang")
    li.send("wang", "下课打球？")
    letter = wang.receive().letter
    assert (letter.user_uuid, letter.text) == ("li", "下课打球？")
    wang.send("li", "好")
    assert li.receive().letter.text == "好"
    wang.hang_up()
    with pytest.raises(EOFError):
        wang.receive()
    li.hang_up()


@pytest.mark.parametrize("server_stack", ["sync", "aio"])
@pytest.mark.parametrize(
    ("method", "requests"),
    [
        ("ImportSeats", []),
        ("ImportSeats", [pb.ImportSeatsRequest(seat=pb.Seat(number=3))]),
        ("Signal", []),
        ("Signal", [pb.SignalRequest(letter=pb.Letter(user_uuid="li"))]),
    ],
)
def test_a_stream_that_begins_wrongly(server_stack: str, method: str, requests: list[Any]) -> None:
    with staged(server_stack, "sync") as stage, grpc.insecure_channel(stage.target) as channel:
        call: Any = channel.stream_stream(
            f"/{SERVICE}/{method}", type(requests[0]).SerializeToString if requests else None
        )
        metadata = (("authorization", "Bearer chen"),)
        with pytest.raises(grpc.RpcError) as error:
            list(call(iter(requests), timeout=harness.DEADLINE, metadata=metadata))
    assert type(errgrpc.from_error(error.value, ResCode)) is errgrpc.remote(ResCode.BAD_REQUEST)


def test_a_client_that_goes_is_forgotten(stage: Stage, stack: str) -> None:
    """If a client closes its channel during two streams, the server frees both."""
    if stack == "aio" and harness.GRPC < (1, 83):
        pytest.skip("before 1.83, close() of an asyncio channel does not end its open streams")
    streams = stage.watch("li"), stage.sign_in("li")
    stage.li.close()
    live = stage.rooms._live("math")
    end = time.monotonic() + harness.DEADLINE
    while (live.feeds or live.lines) and time.monotonic() < end:
        time.sleep(0.01)
    assert (live.feeds, live.lines) == ([], {})
    del streams  # Until here: a stream that is no longer referenced would end by itself.
