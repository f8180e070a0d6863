"""Converts between the messages of `v1/classroom.proto` and the values of `rules.py`.

Both servers use it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from . import rules
from .v1 import classroom_pb2 as pb

__all__ = ["caller", "event", "letter", "room", "seats", "sign_in"]


def caller(metadata: Iterable[Any] | None) -> str:
    """Returns the user of a call. Raises UNAUTHORIZED."""
    return rules.authenticate(
        next((value for key, value in metadata or () if key == "authorization"), None)
    )


def seats(requests: Sequence[pb.ImportSeatsRequest]) -> tuple[str, list[tuple[int, str]]]:
    """Returns the room and the seats of an import."""
    first, *rest = requests or [pb.ImportSeatsRequest()]
    if first.WhichOneof("request") != "room_uuid":
        raise rules.bad_request({"room_uuid": "must come first"})
    return first.room_uuid, [(request.seat.number, request.seat.user_uuid) for request in rest]


def sign_in(first: pb.SignalRequest | None) -> pb.SignIn:
    if first is None or first.WhichOneof("request") != "sign_in":
        raise rules.bad_request({"sign_in": "must come first"})
    return first.sign_in


def room(value: rules.Room) -> pb.Room:
    return pb.Room(
        room_uuid=value.room_uuid,
        config_id=value.config_id,
        members=[
            pb.Member(user_uuid=user, role=member.role, properties=member.properties)
            for user, member in value.members.items()
        ],
        seats=[pb.Seat(number=number, user_uuid=user) for number, user in value.seats.items()],
        properties=value.properties,
    )


def event(value: rules.Event) -> pb.WatchRoomResponse:
    kind = pb.EventKind.Value(f"EVENT_KIND_{value.kind.name}")
    return pb.WatchRoomResponse(kind=kind, user_uuid=value.user_uuid, subject=value.subject)


def letter(value: rules.Letter) -> pb.SignalResponse:
    return pb.SignalResponse(letter=pb.Letter(user_uuid=value.sender, text=value.text))
