"""The rules of the classroom alone: no server, no port."""

import functools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from google.rpc.error_details_pb2 import BadRequest

from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError
from examples.classroom import rules
from examples.classroom.rules import Classrooms, Event, EventKind, Letter


@pytest.fixture
def rooms() -> Classrooms:
    """A lecture with seats 1 and 2, and a small class of Chen's.

    Chen is the host of the lecture, Li and Wang are its students.
    """
    rooms = Classrooms(max_rooms=2)
    rooms.create_room("chen", "math", "lecture")
    rooms.create_room("chen", "art", "small-class")
    rooms.join_room("li", "math", "student")
    rooms.join_room("wang", "math", "student")
    return rooms


def error_of(act: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        act()
    return caught.value


def violations(error: ServiceError) -> list[tuple[str, str]]:
    (detail,) = error.status_details
    assert isinstance(detail, BadRequest)
    return [(violation.field, violation.description) for violation in detail.field_violations]


@pytest.mark.parametrize(
    ("code", "act"),
    [
        (ResCode.BAD_REQUEST, lambda r: r.create_room("chen", "Math", "lecture")),
        (ResCode.BAD_REQUEST, lambda r: r.set_property("chen", "math", "", "π")),
        (ResCode.BAD_REQUEST, lambda r: r.set_member_property("li", "math", "Hand", "up")),
        (ResCode.BAD_REQUEST, lambda r: r.import_seats("chen", "math", [(3, ""), (0, "")])),
        (ResCode.FORBIDDEN, lambda r: r.close_room("li", "math")),
        (ResCode.FORBIDDEN, lambda r: r.leave_room("li", "math", "wang")),
        (ResCode.FORBIDDEN, lambda r: r.take_seat("zhao", "math", 1)),
        (ResCode.FORBIDDEN, lambda r: r.import_seats("li", "math", [(3, "")])),
        (ResCode.FORBIDDEN, lambda r: r.set_property("li", "math", "topic", "π")),
        (ResCode.CONFLICT, lambda r: r.create_room("li", "math", "lecture")),
        (ResCode.ROOM_CONFIG_CONFLICT, lambda r: r.create_room("li", "math", "small-class")),
        (ResCode.SERVICE_UNAVAILABLE, lambda r: r.create_room("li", "music", "lecture")),
        (ResCode.ROOM_BAD_CONFIG, lambda r: r.create_room("li", "music", "planetarium")),
        (ResCode.ROOM_NOT_EXIST, lambda r: r.get_room("music")),
        (ResCode.ROOM_ROLE_UNDEFINED, lambda r: r.join_room("zhao", "math", "principal")),
        (ResCode.ROOM_ROLE_EXCEED, lambda r: r.join_room("zhao", "math", "host")),
        (ResCode.ROOM_MEMBER_EXIST, lambda r: r.join_room("li", "math", "student")),
        (ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST, lambda r: r.leave_room("chen", "math", "zhao")),
        (
            ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
            lambda r: r.import_seats("chen", "math", [(3, "zhao")]),
        ),
        (ResCode.ROOM_NOT_PREPARED, lambda r: r.take_seat("chen", "art", 0)),
        (ResCode.ROOM_SIT_NOT_EXIST, lambda r: r.take_seat("li", "math", 3)),
        (ResCode.ROOM_SITS_BAD, lambda r: r.import_seats("chen", "math", [])),
        (
            ResCode.ROOM_SITS_BAD,
            lambda r: r.import_seats("chen", "math", [(number, "") for number in range(3, 504)]),
        ),
        (ResCode.ROOM_SIT_CONFLICT, lambda r: r.import_seats("chen", "math", [(3, ""), (2, "")])),
        (ResCode.ROOM_SIT_CONFLICT, lambda r: r.import_seats("chen", "math", [(3, ""), (3, "")])),
        (
            ResCode.ROOM_SIT_USER_CONFLICT,
            lambda r: r.import_seats("chen", "math", [(3, "li"), (4, "li")]),
        ),
    ],
)
def test_a_broken_rule_is_a_code(
    rooms: Classrooms, code: ErrorCode, act: Callable[[Classrooms], object]
) -> None:
    before = rooms.get_room("math")
    assert error_of(lambda: act(rooms)).error_code is code
    assert rooms.get_room("math") == before


def test_all_wrong_fields_are_named_at_once(rooms: Classrooms) -> None:
    error = error_of(lambda: rooms.create_room("chen", "", ""))
    assert violations(error) == [
        ("room_uuid", "must be 1 to 40 of a-z, 0-9 and -"),
        ("config_id", "is missing"),
    ]


def test_a_caller_without_a_token_is_refused() -> None:
    assert rules.authenticate("Bearer li") == "li"
    for wrong in (None, "", "Bearer", "Bearer ", "Basic li"):
        refused = error_of(functools.partial(rules.authenticate, wrong))
        assert refused.error_code is ResCode.UNAUTHORIZED


def test_seats(rooms: Classrooms) -> None:
    assert rooms.take_seat("li", "math", 0) == 1
    assert (
        error_of(lambda: rooms.take_seat("li", "math", 2)).error_code
        is ResCode.ROOM_SIT_USER_CONFLICT
    )
    assert (
        error_of(lambda: rooms.take_seat("wang", "math", 1)).error_code is ResCode.ROOM_SIT_CONFLICT
    )
    assert rooms.occupancy("math") == 50
    assert rooms.take_seat("wang", "math", 2) == 2
    full = error_of(lambda: rooms.take_seat("chen", "math", 0))
    assert (full.error_code, full.metadata["seats"]) == (ResCode.ROOM_SIT_FULL, "2")
    rooms.leave_room("li", "math", "li")
    assert rooms.take_seat("chen", "math", 0) == 1


def test_seats_are_imported(rooms: Classrooms) -> None:
    rooms.take_seat("li", "math", 1)
    taken = error_of(lambda: rooms.import_seats("chen", "math", [(3, "wang"), (4, "li")]))
    assert (taken.error_code, taken.metadata["user_uuid"]) == (ResCode.ROOM_SIT_USER_CONFLICT, "li")
    wrong = error_of(lambda: rooms.import_seats("chen", "math", [(0, ""), (3, ""), (-1, "")]))
    assert violations(wrong) == [
        ("seat[0].number", "must be 1 or more"),
        ("seat[2].number", "must be 1 or more"),
    ]
    assert rooms.import_seats("chen", "math", [(3, "wang"), (7, "")]) == 2
    assert rooms.get_room("math").seats == {1: "li", 2: "", 3: "wang", 7: ""}


def test_properties(rooms: Classrooms) -> None:
    rooms.set_property("chen", "math", "topic", "π")
    rooms.set_property("chen", "math", "topic", "e")
    exists = error_of(lambda: rooms.set_property("chen", "math", "topic", "i", exclusive=True))
    assert exists.error_code is ResCode.ROOM_PROPERTY_EXISTS
    assert rooms.get_room("math").properties == {"topic": "e"}


def test_one_member_shares_the_screen(rooms: Classrooms) -> None:
    rooms.set_member_property("li", "math", "screen_share", "on")
    rooms.set_member_property("li", "math", "screen_share", "hd")
    exists = error_of(
        lambda: rooms.set_member_property("li", "math", "screen_share", "on", exclusive=True)
    )
    assert exists.error_code is ResCode.ROOM_MEMBER_PROPERTY_EXISTS
    second = error_of(lambda: rooms.set_member_property("wang", "math", "screen_share", "on"))
    assert (second.error_code, second.metadata["held_by"]) == (
        ResCode.ROOM_MEMBER_CONCURRENCY_OUT,
        "li",
    )
    rooms.set_member_property("li", "math", "screen_share", "")
    rooms.set_member_property("wang", "math", "screen_share", "on")
    rooms.set_member_property("li", "math", "hand", "up")
    assert rooms.get_room("math").members["li"].properties == {"hand": "up"}


def test_the_conflict_says_what_is_there(rooms: Classrooms) -> None:
    (resource,) = error_of(lambda: rooms.create_room("li", "math", "lecture")).status_details
    assert "rooms/math" in str(resource)
    assert error_of(lambda: rooms.create_room("li", "music", "lecture")).retry_delay == 5


def test_a_feed(rooms: Classrooms) -> None:
    events: list[Any] = []
    with rooms.watch("li", "math", events.append):
        rooms.join_room("zhao", "math", "student")
        rooms.take_seat("zhao", "math", 2)
        rooms.leave_room("zhao", "math", "zhao")
    rooms.set_property("chen", "math", "topic", "π")
    assert events == [
        Event(EventKind.WATCHING, "li"),
        Event(EventKind.JOINED, "zhao", "student"),
        Event(EventKind.SEATED, "zhao", "2"),
        Event(EventKind.LEFT, "zhao"),
    ]


def test_how_feeds_and_lines_end(rooms: Classrooms) -> None:
    ends: dict[str, list[Any]] = {"chen": [], "li": [], "wang": []}
    with ExitStack() as stack:
        for user, end in ends.items():
            stack.enter_context(rooms.watch(user, "math", end.append))
            stack.enter_context(
                rooms.sign_in(user, "math", end.append, im_accepted=True, im_reused=False)
            )
        rooms.leave_room("li", "math", "li")
        rooms.leave_room("chen", "math", "wang")
        rooms.close_room("chen", "math")
    ends = {
        user: [item for item in end if not isinstance(item, Event)] for user, end in ends.items()
    }
    assert ends["li"] == [None, None]
    for user, code in (
        ("wang", ComponentCode.ENGINE_ERROR_SERVER_KICKED),
        ("chen", ComponentCode.ENGINE_ERROR_ROOM_CLOSED),
    ):
        feed, line = ends[user]
        assert feed.error_code is line.error_code is code
        assert feed is not line
    assert error_of(lambda: rooms.get_room("math")).error_code is ResCode.ROOM_NOT_EXIST


def test_letters(rooms: Classrooms) -> None:
    phone: list[Any] = []
    tablet: list[Any] = []
    with (
        rooms.sign_in("li", "math", phone.append, im_accepted=True, im_reused=False) as send,
        rooms.sign_in(
            "wang", "math", list[Any]().append, im_accepted=True, im_reused=False
        ) as answer,
    ):
        answer("li", "hello")
        with rooms.sign_in("li", "math", tablet.append, im_accepted=True, im_reused=False):
            answer("li", "on the tablet?")
        gone = error_of(lambda: answer("li", "still there?"))
        send("wang", "yes")
    assert phone[0] == Letter("wang", "hello")
    assert phone[1].error_code is ComponentCode.ENGINE_ERROR_SERVER_KICKED
    assert tablet == [Letter("wang", "on the tablet?")]
    assert gone.error_code is ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST


@pytest.mark.parametrize(
    ("im_reused", "hint"), [(False, "IM登录失败"), (True, "复用IM时，请先登录IM")]
)
def test_the_hint_depends_on_whether_im_is_reused(
    rooms: Classrooms, im_reused: bool, hint: str
) -> None:
    with (
        pytest.raises(ServiceError) as caught,
        rooms.sign_in("li", "math", print, im_accepted=False, im_reused=im_reused),
    ):
        pass
    error = caught.value
    assert error.error_code is ComponentCode.IM_LOGIN_ERROR
    assert error.error_code.hint("zh-CN", error.metadata) == hint


def test_what_the_rules_return_is_a_copy(rooms: Classrooms) -> None:
    rooms.get_room("math").members.clear()
    assert set(rooms.get_room("math").members) == {"chen", "li", "wang"}


def test_many_threads_and_few_seats(rooms: Classrooms) -> None:
    users = [f"user-{number}" for number in range(40)]
    outcomes: list[object] = []
    start = threading.Barrier(len(users))

    def enter(user: str) -> None:
        rooms.join_room(user, "math", "student")
        start.wait(10)
        try:
            outcomes.append(rooms.take_seat(user, "math", 0))
        except ServiceError as error:
            outcomes.append(error.error_code)

    threads = [threading.Thread(target=enter, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outcome for outcome in outcomes if isinstance(outcome, int)) == [1, 2]
    assert outcomes.count(ResCode.ROOM_SIT_FULL) == 38
