"""The sync client; aio_client.py is the same for the asyncio stack.

Errors are raised as `errgrpc.remote(...)`, with a hint in the requested language.
"""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Any, Self

import grpc

import errgrpc
from errgrpc import ComponentCode, ResCode

from .v1 import classroom_pb2 as pb
from .v1 import classroom_pb2_grpc

__all__ = ["Client", "Line"]


class Client:
    """A user of a classroom server. `timeout` applies to each call except feeds and lines."""

    def __init__(
        self, target: str, user: str | None, *, locale: str = "zh-CN", timeout: float = 10
    ) -> None:
        self._channel = errgrpc.wrap_channel(
            grpc.insecure_channel(target), ResCode, ComponentCode, locale=locale
        )
        self._stub = classroom_pb2_grpc.ClassroomServiceStub(self._channel)
        self._metadata = () if user is None else (("authorization", f"Bearer {user}"),)
        self._call: dict[str, Any] = {"timeout": timeout, "metadata": self._metadata}

    def create_room(self, room_uuid: str, config_id: str) -> pb.Room:
        return self._stub.CreateRoom(
            pb.CreateRoomRequest(room_uuid=room_uuid, config_id=config_id), **self._call
        ).room

    def ensure_room(self, room_uuid: str, config_id: str) -> pb.Room:
        """Creates the room, or returns it if it exists with the same configuration.

        If the room has another configuration, the server's error is raised.
        """
        try:
            return self.create_room(room_uuid, config_id)
        except errgrpc.remote(ResCode.CONFLICT):
            return self.get_room(room_uuid)

    def get_room(self, room_uuid: str) -> pb.Room:
        return self._stub.GetRoom(pb.GetRoomRequest(room_uuid=room_uuid), **self._call).room

    def close_room(self, room_uuid: str) -> None:
        self._stub.CloseRoom(pb.CloseRoomRequest(room_uuid=room_uuid), **self._call)

    def get_occupancy(self, room_uuid: str) -> int:
        return self._stub.GetOccupancy(
            pb.GetOccupancyRequest(room_uuid=room_uuid), **self._call
        ).percent

    def join_room(self, room_uuid: str, role: str) -> pb.Room:
        return self._stub.JoinRoom(
            pb.JoinRoomRequest(room_uuid=room_uuid, role=role), **self._call
        ).room

    def leave_room(self, room_uuid: str, user_uuid: str) -> None:
        self._stub.LeaveRoom(
            pb.LeaveRoomRequest(room_uuid=room_uuid, user_uuid=user_uuid), **self._call
        )

    def take_seat(self, room_uuid: str, number: int = 0) -> int:
        return self._stub.TakeSeat(
            pb.TakeSeatRequest(room_uuid=room_uuid, number=number), **self._call
        ).seat.number

    def import_seats(self, room_uuid: str, seats: Iterable[tuple[int, str]]) -> int:
        """Adds seats: each is a number and the user in it, or an empty text."""
        requests = [pb.ImportSeatsRequest(room_uuid=room_uuid)]
        requests += [
            pb.ImportSeatsRequest(seat=pb.Seat(number=number, user_uuid=user))
            for number, user in seats
        ]
        return self._stub.ImportSeats(iter(requests), **self._call).imported

    def set_property(
        self, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        request = pb.SetPropertyRequest(
            room_uuid=room_uuid, key=key, value=value, exclusive=exclusive
        )
        self._stub.SetProperty(request, **self._call)

    def set_member_property(
        self, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        request = pb.SetMemberPropertyRequest(
            room_uuid=room_uuid, key=key, value=value, exclusive=exclusive
        )
        self._stub.SetMemberProperty(request, **self._call)

    def watch_room(
        self, room_uuid: str, *, timeout: float | None = None
    ) -> Iterator[pb.WatchRoomResponse]:
        return self._stub.WatchRoom(
            pb.WatchRoomRequest(room_uuid=room_uuid), timeout=timeout, metadata=self._metadata
        )

    def sign_in(
        self,
        room_uuid: str,
        im_token: str,
        *,
        im_reused: bool = False,
        timeout: float | None = None,
    ) -> "Line":
        line = Line(self._stub, timeout=timeout, metadata=self._metadata)
        line.start(pb.SignIn(room_uuid=room_uuid, im_token=im_token, im_reused=im_reused))
        return line

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Line:
    """A signalling line, which sends letters to the members of a room and receives letters."""

    def __init__(self, stub: classroom_pb2_grpc.ClassroomServiceStub, **call: Any) -> None:
        self._requests: SimpleQueue[pb.SignalRequest | None] = SimpleQueue()
        self._responses = stub.Signal(iter(self._requests.get, None), **call)
        # Otherwise grpc waits for requests in a thread that never ends.
        self._responses.add_callback(self.hang_up)

    def start(self, sign_in: pb.SignIn) -> None:
        self._requests.put(pb.SignalRequest(sign_in=sign_in))
        self.receive()

    def send(self, user_uuid: str, text: str) -> None:
        self._requests.put(pb.SignalRequest(letter=pb.Letter(user_uuid=user_uuid, text=text)))

    def receive(self) -> pb.SignalResponse:
        """Returns the next letter. If the line has ended, raises its error or EOFError."""
        try:
            return next(self._responses)
        except StopIteration:
            raise EOFError from None

    def hang_up(self) -> None:
        self._requests.put(None)
