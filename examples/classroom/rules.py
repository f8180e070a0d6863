"""The rules of a classroom: rooms, roles, seats, properties, feeds and signalling, in memory.

This module uses no gRPC and no I/O. A broken rule raises a ServiceError; errgrpc decides how it is
sent. The module is thread-safe, and its functions never block. A sync server calls it from its
threads, and an asyncio server from its event loop.
"""

import copy
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from google.rpc.error_details_pb2 import BadRequest, ResourceInfo

from errgrpc import ComponentCode, ResCode, ServiceError

__all__ = [
    "CONFIGS",
    "Classrooms",
    "Config",
    "Event",
    "EventKind",
    "Letter",
    "Member",
    "Room",
    "authenticate",
    "bad_request",
]

HOST = "host"
MAX_SEATS = 500
SCREEN_SHARE = "screen_share"
"""The property that only one member of a room may have at a time."""


@dataclass(frozen=True)
class Config:
    """The rules for a kind of room."""

    roles: Mapping[str, int]
    """The most members for each role."""
    seats: int = 0
    """The seats at the start. More can be imported, but only into a room that has seats."""


CONFIGS = {
    "small-class": Config({HOST: 1, "student": 2}),
    "lecture": Config({HOST: 1, "student": 100}, seats=2),
}


@dataclass
class Member:
    role: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class Room:
    room_uuid: str
    config_id: str
    members: dict[str, Member] = field(default_factory=dict)
    seats: dict[int, str] = field(default_factory=dict)
    """The user in each seat, by the seat's number; an empty text for a free seat."""
    properties: dict[str, str] = field(default_factory=dict)


class EventKind(Enum):
    WATCHING = auto()
    JOINED = auto()
    LEFT = auto()
    SEATED = auto()
    PROPERTY_SET = auto()


@dataclass(frozen=True)
class Event:
    kind: EventKind
    user_uuid: str
    subject: str = ""


@dataclass(frozen=True)
class Letter:
    sender: str
    text: str


DeliverEvent = Callable[[Event | ServiceError | None], object]
"""Stores what a feed brings: events, and at the end an error or None.

It is called with the lock held, so it must not do more.
"""
DeliverLetter = Callable[[Letter | ServiceError | None], object]
Send = Callable[[str, str], None]


@dataclass
class _Live:
    """A room with its feeds and lines."""

    room: Room
    feeds: list[tuple[str, DeliverEvent]] = field(default_factory=list)
    lines: dict[str, DeliverLetter] = field(default_factory=dict)

    def tell(self, kind: EventKind, user_uuid: str, subject: object = "") -> None:
        for _, deliver in self.feeds:
            deliver(Event(kind, user_uuid, str(subject)))

    def end(self, user_uuid: str, error: Callable[[], ServiceError | None]) -> None:
        """Ends the feeds and the line of a user.

        Each gets an error of its own, as the errors are raised in different threads.
        """
        for feed in [feed for feed in self.feeds if feed[0] == user_uuid]:
            self.feeds.remove(feed)
            feed[1](error())
        if line := self.lines.pop(user_uuid, None):
            line(error())


def authenticate(authorization: str | None) -> str:
    """Returns the user of `Bearer <user>`. A real service would check a signature here."""
    scheme, _, user_uuid = (authorization or "").partition(" ")
    if scheme != "Bearer" or not user_uuid:
        raise ServiceError(ResCode.UNAUTHORIZED)
    return user_uuid


def bad_request(violations: Mapping[str, str]) -> ServiceError:
    """Returns BAD_REQUEST with these fields and what is wrong with each."""
    fields = [
        BadRequest.FieldViolation(field=name, description=text) for name, text in violations.items()
    ]
    return ServiceError(ResCode.BAD_REQUEST, details=[BadRequest(field_violations=fields)])


class Classrooms:
    """All rooms of a server. The first argument of each method is the user of the call."""

    def __init__(self, *, max_rooms: int = 100) -> None:
        self._max_rooms = max_rooms
        self._lock = threading.RLock()
        self._rooms: dict[str, _Live] = {}

    def create_room(self, caller: str, room_uuid: str, config_id: str) -> Room:
        violations = {}
        if not re.fullmatch(r"[a-z0-9-]{1,40}", room_uuid):
            violations["room_uuid"] = "must be 1 to 40 of a-z, 0-9 and -"
        if not config_id:
            violations["config_id"] = "is missing"
        if violations:
            raise bad_request(violations)
        if config_id not in CONFIGS:
            raise ServiceError(ResCode.ROOM_BAD_CONFIG, config_id=config_id)
        with self._lock:
            if existing := self._rooms.get(room_uuid):
                if existing.room.config_id != config_id:
                    raise ServiceError(
                        ResCode.ROOM_CONFIG_CONFLICT,
                        room_uuid=room_uuid,
                        config_id=existing.room.config_id,
                    )
                resource = ResourceInfo(
                    resource_type="classroom.v1.Room", resource_name=f"rooms/{room_uuid}"
                )
                raise ServiceError(ResCode.CONFLICT, room_uuid=room_uuid, details=[resource])
            if len(self._rooms) >= self._max_rooms:
                raise ServiceError(
                    ResCode.SERVICE_UNAVAILABLE,
                    "No room is free",
                    retry_delay=5,
                    max_rooms=self._max_rooms,
                )
            seats = dict.fromkeys(range(1, CONFIGS[config_id].seats + 1), "")
            room = Room(room_uuid, config_id, {caller: Member(HOST)}, seats)
            self._rooms[room_uuid] = _Live(room)
            return copy.deepcopy(room)

    def get_room(self, room_uuid: str) -> Room:
        with self._lock:
            return copy.deepcopy(self._live(room_uuid).room)

    def close_room(self, caller: str, room_uuid: str) -> None:
        with self._lock:
            live = self._live(room_uuid)
            self._check_host(live.room, caller)
            self._close(live)

    def close_all(self) -> None:
        """Closes all rooms before the server stops."""
        with self._lock:
            for live in list(self._rooms.values()):
                self._close(live)

    def occupancy(self, room_uuid: str) -> int:
        """Returns the percentage of seats that are taken."""
        seats = self.get_room(room_uuid).seats.values()
        # A deliberate bug: a small class has no seats. The demo shows what its client learns about
        # it.
        return 100 * sum(map(bool, seats)) // len(seats)

    def join_room(self, caller: str, room_uuid: str, role: str) -> Room:
        with self._lock:
            live = self._live(room_uuid)
            room, roles = live.room, CONFIGS[live.room.config_id].roles
            if role not in roles:
                raise ServiceError(ResCode.ROOM_ROLE_UNDEFINED, role=role, defined=", ".join(roles))
            if caller in room.members:
                raise ServiceError(ResCode.ROOM_MEMBER_EXIST, room_uuid=room_uuid, user_uuid=caller)
            if sum(member.role == role for member in room.members.values()) >= roles[role]:
                raise ServiceError(ResCode.ROOM_ROLE_EXCEED, role=role, limit=roles[role])
            room.members[caller] = Member(role)
            live.tell(EventKind.JOINED, caller, role)
            return copy.deepcopy(room)

    def leave_room(self, caller: str, room_uuid: str, user_uuid: str) -> None:
        """Removes the caller from a room. If the caller is the host, it can remove other users."""
        with self._lock:
            live = self._live(room_uuid)
            if user_uuid != caller:
                self._check_host(live.room, caller)
            if user_uuid not in live.room.members:
                raise ServiceError(
                    ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
                    room_uuid=room_uuid,
                    user_uuid=user_uuid,
                )
            del live.room.members[user_uuid]
            live.room.seats |= {
                number: "" for number, user in live.room.seats.items() if user == user_uuid
            }
            removed = user_uuid != caller
            live.end(
                user_uuid,
                lambda: (
                    ServiceError(ComponentCode.ENGINE_ERROR_SERVER_KICKED, kicked_by=caller)
                    if removed
                    else None
                ),
            )
            live.tell(EventKind.LEFT, user_uuid)

    def take_seat(self, caller: str, room_uuid: str, number: int) -> int:
        """Takes a seat and returns its number. Number 0 means any free seat."""
        with self._lock:
            live = self._live(room_uuid)
            self._check_member(live.room, caller)
            seats = live.room.seats
            if not seats:
                raise ServiceError(
                    ResCode.ROOM_NOT_PREPARED, "The room has no seats", room_uuid=room_uuid
                )
            if number and number not in seats:
                raise ServiceError(ResCode.ROOM_SIT_NOT_EXIST, room_uuid=room_uuid, seat=number)
            if caller in seats.values():
                raise ServiceError(
                    ResCode.ROOM_SIT_USER_CONFLICT, room_uuid=room_uuid, user_uuid=caller
                )
            if number and seats[number]:
                raise ServiceError(ResCode.ROOM_SIT_CONFLICT, room_uuid=room_uuid, seat=number)
            number = number or next((free for free, user in seats.items() if not user), 0)
            if not number:
                raise ServiceError(ResCode.ROOM_SIT_FULL, room_uuid=room_uuid, seats=len(seats))
            seats[number] = caller
            live.tell(EventKind.SEATED, caller, number)
            return number

    def import_seats(self, caller: str, room_uuid: str, seats: Sequence[tuple[int, str]]) -> int:
        """Adds all seats or none, and returns how many were added.

        Each is a number and the user in it, or an empty text.
        """
        if not 1 <= len(seats) <= MAX_SEATS:
            raise ServiceError(
                ResCode.ROOM_SITS_BAD, f"Import 1 to {MAX_SEATS} seats", seats=len(seats)
            )
        wrong = {
            f"seat[{index}].number": "must be 1 or more"
            for index, (number, _) in enumerate(seats)
            if number < 1
        }
        if wrong:
            raise bad_request(wrong)
        with self._lock:
            live = self._live(room_uuid)
            room = live.room
            self._check_host(room, caller)
            after = dict(room.seats)
            for number, user_uuid in seats:
                if number in after:
                    raise ServiceError(ResCode.ROOM_SIT_CONFLICT, room_uuid=room_uuid, seat=number)
                if user_uuid and user_uuid not in room.members:
                    raise ServiceError(
                        ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
                        room_uuid=room_uuid,
                        user_uuid=user_uuid,
                    )
                if user_uuid and user_uuid in after.values():
                    raise ServiceError(
                        ResCode.ROOM_SIT_USER_CONFLICT, room_uuid=room_uuid, user_uuid=user_uuid
                    )
                after[number] = user_uuid
            room.seats = after
            for number, user_uuid in seats:
                if user_uuid:
                    live.tell(EventKind.SEATED, user_uuid, number)
        return len(seats)

    def set_property(
        self, caller: str, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        _check_key(key)
        with self._lock:
            live = self._live(room_uuid)
            self._check_host(live.room, caller)
            if exclusive and key in live.room.properties:
                raise ServiceError(ResCode.ROOM_PROPERTY_EXISTS, room_uuid=room_uuid, key=key)
            live.room.properties[key] = value
            live.tell(EventKind.PROPERTY_SET, caller, key)

    def set_member_property(
        self, caller: str, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        """Sets a property of the caller. An empty value removes it."""
        _check_key(key)
        with self._lock:
            live = self._live(room_uuid)
            properties = self._check_member(live.room, caller).properties
            if exclusive and key in properties:
                raise ServiceError(ResCode.ROOM_MEMBER_PROPERTY_EXISTS, user_uuid=caller, key=key)
            holders = [
                user for user, member in live.room.members.items() if key in member.properties
            ]
            if key == SCREEN_SHARE and value and holders not in ([], [caller]):
                raise ServiceError(
                    ResCode.ROOM_MEMBER_CONCURRENCY_OUT, key=key, limit=1, held_by=holders[0]
                )
            properties[key] = value
            if not value:
                del properties[key]
            live.tell(EventKind.PROPERTY_SET, caller, key)

    @contextmanager
    def watch(self, caller: str, room_uuid: str, deliver: DeliverEvent) -> Iterator[None]:
        """Delivers the events of a room while the context lasts."""
        feed = caller, deliver
        with self._lock:
            live = self._live(room_uuid)
            self._check_member(live.room, caller)
            live.feeds.append(feed)
            deliver(Event(EventKind.WATCHING, caller))
        try:
            yield
        finally:
            with self._lock:
                if feed in live.feeds:
                    live.feeds.remove(feed)

    @contextmanager
    def sign_in(
        self,
        caller: str,
        room_uuid: str,
        deliver: DeliverLetter,
        *,
        im_accepted: bool,
        im_reused: bool,
    ) -> Iterator[Send]:
        """Delivers letters to the caller while the context lasts, and yields a send function."""
        with self._lock:
            live = self._live(room_uuid)
            self._check_member(live.room, caller)
            if not im_accepted:
                raise ServiceError(ComponentCode.IM_LOGIN_ERROR, im_reused=im_reused)
            if other_device := live.lines.get(caller):
                other_device(
                    ServiceError(ComponentCode.ENGINE_ERROR_SERVER_KICKED, kicked_by=caller)
                )
            live.lines[caller] = deliver

        def send(user_uuid: str, text: str) -> None:
            with self._lock:
                if (line := live.lines.get(user_uuid)) is None:
                    raise ServiceError(
                        ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
                        room_uuid=room_uuid,
                        user_uuid=user_uuid,
                    )
                line(Letter(caller, text))

        try:
            yield send
        finally:
            with self._lock:
                if live.lines.get(caller) is deliver:
                    del live.lines[caller]

    def _close(self, live: _Live) -> None:
        room_uuid = live.room.room_uuid
        del self._rooms[room_uuid]
        for user_uuid in live.room.members:
            live.end(
                user_uuid,
                lambda: ServiceError(ComponentCode.ENGINE_ERROR_ROOM_CLOSED, room_uuid=room_uuid),
            )

    def _live(self, room_uuid: str) -> _Live:
        try:
            return self._rooms[room_uuid]
        except KeyError:
            raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid=room_uuid) from None

    def _check_member(self, room: Room, user_uuid: str) -> Member:
        try:
            return room.members[user_uuid]
        except KeyError:
            raise ServiceError(
                ResCode.FORBIDDEN, room_uuid=room.room_uuid, needs="membership"
            ) from None

    def _check_host(self, room: Room, user_uuid: str) -> None:
        if self._check_member(room, user_uuid).role != HOST:
            raise ServiceError(ResCode.FORBIDDEN, room_uuid=room.room_uuid, needs=HOST)


def _check_key(key: str) -> None:
    if not re.fullmatch(r"[a-z_]{1,40}", key):
        raise bad_request({"key": "must be 1 to 40 of a-z and _"})
