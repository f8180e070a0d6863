"""The asyncio client; client.py is the same for the sync stack.

Errors are raised as `errgrpc.remote(...)`, with a hint in the requested language.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Self

import grpc.aio

import errgrpc
from errgrpc import ComponentCode, ResCode

from .v1 import classroom_pb2 as pb
from .v1 import classroom_pb2_grpc

if TYPE_CHECKING:
    # The types of the same stub over an asyncio channel.
    from .v1.classroom_pb2_grpc import ClassroomServiceAsyncStub

__all__ = ["Client", "Line"]


class Client:
    """A user of a classroom server. `timeout` applies to each call except feeds and lines."""

    def __init__(
        self, target: str, user: str | None, *, locale: str = "zh-CN", timeout: float = 10
    ) -> None:
        self._channel = errgrpc.aio.wrap_channel(
            grpc.aio.insecure_channel(target), ResCode, ComponentCode, locale=locale
        )
        stub: Any = classroom_pb2_grpc.ClassroomServiceStub(self._channel)
        self._stub: ClassroomServiceAsyncStub = stub
        self._metadata = () if user is None else (("authorization", f"Bearer {user}"),)
        self._call: dict[str, Any] = {"timeout": timeout, "metadata": self._metadata}

    async def create_room(self, room_uuid: str, config_id: str) -> pb.Room:
        response = await self._stub.CreateRoom(
            pb.CreateRoomRequest(room_uuid=room_uuid, config_id=config_id), **self._call
        )
        return response.room

    async def ensure_room(self, room_uuid: str, config_id: str) -> pb.Room:
        """Creates the room, or returns it if it exists with the same configuration.

        If the room has another configuration, the server's error is raised.
        """
        try:
            return await self.create_room(room_uuid, config_id)
        except errgrpc.remote(ResCode.CONFLICT):
            return await self.get_room(room_uuid)

    async def get_room(self, room_uuid: str) -> pb.Room:
        return (await self._stub.GetRoom(pb.GetRoomRequest(room_uuid=room_uuid), **self._call)).room

    async def close_room(self, room_uuid: str) -> None:
        await self._stub.CloseRoom(pb.CloseRoomRequest(room_uuid=room_uuid), **self._call)

    async def get_occupancy(self, room_uuid: str) -> int:
        return (
            await self._stub.GetOccupancy(pb.GetOccupancyRequest(room_uuid=room_uuid), **self._call)
        ).percent

    async def join_room(self, room_uuid: str, role: str) -> pb.Room:
        return (
            await self._stub.JoinRoom(
                pb.JoinRoomRequest(room_uuid=room_uuid, role=role), **self._call
            )
        ).room

    async def leave_room(self, room_uuid: str, user_uuid: str) -> None:
        await self._stub.LeaveRoom(
            pb.LeaveRoomRequest(room_uuid=room_uuid, user_uuid=user_uuid), **self._call
        )

    async def take_seat(self, room_uuid: str, number: int = 0) -> int:
        response = await self._stub.TakeSeat(
            pb.TakeSeatRequest(room_uuid=room_uuid, number=number), **self._call
        )
        return response.seat.number

    async def import_seats(self, room_uuid: str, seats: Iterable[tuple[int, str]]) -> int:
        """Adds seats: each is a number and the user in it, or an empty text."""
        requests = [pb.ImportSeatsRequest(room_uuid=room_uuid)]
        requests += [
            pb.ImportSeatsRequest(seat=pb.Seat(number=number, user_uuid=user))
            for number, user in seats
        ]
        return (await self._stub.ImportSeats(iter(requests), **self._call)).imported

    async def set_property(
        self, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        request = pb.SetPropertyRequest(
            room_uuid=room_uuid, key=key, value=value, exclusive=exclusive
        )
        await self._stub.SetProperty(request, **self._call)

    async def set_member_property(
        self, room_uuid: str, key: str, value: str, *, exclusive: bool = False
    ) -> None:
        request = pb.SetMemberPropertyRequest(
            room_uuid=room_uuid, key=key, value=value, exclusive=exclusive
        )
        await self._stub.SetMemberProperty(request, **self._call)

    def watch_room(
        self, room_uuid: str, *, timeout: float | None = None
    ) -> AsyncIterator[pb.WatchRoomResponse]:
        request = pb.WatchRoomRequest(room_uuid=room_uuid)
        return aiter(self._stub.WatchRoom(request, timeout=timeout, metadata=self._metadata))

    async def sign_in(
        self,
        room_uuid: str,
        im_token: str,
        *,
        im_reused: bool = False,
        timeout: float | None = None,
    ) -> "Line":
        line = Line(self._stub, timeout=timeout, metadata=self._metadata)
        await line.start(pb.SignIn(room_uuid=room_uuid, im_token=im_token, im_reused=im_reused))
        return line

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Line:
    """A signalling line, which sends letters to the members of a room and receives letters."""

    def __init__(self, stub: "ClassroomServiceAsyncStub", **call: Any) -> None:
        self._requests: asyncio.Queue[pb.SignalRequest | None] = asyncio.Queue()
        line = stub.Signal(self._queued(), **call)
        # Otherwise grpc waits for requests in a task that never ends.
        line.add_done_callback(lambda _: self.hang_up())
        self._responses = aiter(line)

    async def start(self, sign_in: pb.SignIn) -> None:
        self._requests.put_nowait(pb.SignalRequest(sign_in=sign_in))
        await self.receive()

    def send(self, user_uuid: str, text: str) -> None:
        self._requests.put_nowait(
            pb.SignalRequest(letter=pb.Letter(user_uuid=user_uuid, text=text))
        )

    async def receive(self) -> pb.SignalResponse:
        """Returns the next letter. If the line has ended, raises its error or EOFError."""
        try:
            return await anext(self._responses)
        except StopAsyncIteration:
            raise EOFError from None

    def hang_up(self) -> None:
        self._requests.put_nowait(None)

    async def _queued(self) -> AsyncIterator[pb.SignalRequest]:
        while (request := await self._requests.get()) is not None:
            yield request
