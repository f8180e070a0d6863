"""The asyncio server; server.py is the same for the sync stack.

The handlers only call the rules: no handler deals with errors.
"""
# ruff: noqa: N802  the proto names the methods

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import grpc.aio

import errgrpc
from errgrpc import ResCode

from . import messages
from .im import Im, UnreachableError
from .messages import caller
from .rules import Classrooms, Event, Letter, Send
from .v1 import classroom_pb2 as pb
from .v1 import classroom_pb2_grpc
from .v1.classroom_errgrpc import RAISES

__all__ = ["Classroom", "build"]

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]


def build(
    rooms: Classrooms, im: Im, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
) -> grpc.aio.Server:
    """Returns a server for these rooms, which is not started yet."""
    guard = errgrpc.aio.ServerInterceptor(
        ResCode, translate={UnreachableError: ResCode.NIM_SERVICE_ERROR}, raises=RAISES
    )
    # Without this option, a second server on the same port would take half of the calls.
    server = grpc.aio.server(
        interceptors=[guard, *interceptors], options=[("grpc.so_reuseport", 0)]
    )
    classroom_pb2_grpc.add_ClassroomServiceServicer_to_server(Classroom(rooms, im), server)
    return server


class Classroom(classroom_pb2_grpc.ClassroomServiceServicer):
    def __init__(self, rooms: Classrooms, im: Im) -> None:
        self._rooms = rooms
        self._im = im

    async def CreateRoom(
        self, request: pb.CreateRoomRequest, context: Context
    ) -> pb.CreateRoomResponse:
        room = self._rooms.create_room(_caller(context), request.room_uuid, request.config_id)
        return pb.CreateRoomResponse(room=messages.room(room))

    async def GetRoom(self, request: pb.GetRoomRequest, context: Context) -> pb.GetRoomResponse:
        _caller(context)
        return pb.GetRoomResponse(room=messages.room(self._rooms.get_room(request.room_uuid)))

    async def CloseRoom(
        self, request: pb.CloseRoomRequest, context: Context
    ) -> pb.CloseRoomResponse:
        self._rooms.close_room(_caller(context), request.room_uuid)
        return pb.CloseRoomResponse()

    async def GetOccupancy(
        self, request: pb.GetOccupancyRequest, context: Context
    ) -> pb.GetOccupancyResponse:
        _caller(context)
        return pb.GetOccupancyResponse(percent=self._rooms.occupancy(request.room_uuid))

    async def JoinRoom(self, request: pb.JoinRoomRequest, context: Context) -> pb.JoinRoomResponse:
        room = self._rooms.join_room(_caller(context), request.room_uuid, request.role)
        return pb.JoinRoomResponse(room=messages.room(room))

    async def LeaveRoom(
        self, request: pb.LeaveRoomRequest, context: Context
    ) -> pb.LeaveRoomResponse:
        self._rooms.leave_room(_caller(context), request.room_uuid, request.user_uuid)
        return pb.LeaveRoomResponse()

    async def TakeSeat(self, request: pb.TakeSeatRequest, context: Context) -> pb.TakeSeatResponse:
        user = _caller(context)
        number = self._rooms.take_seat(user, request.room_uuid, request.number)
        return pb.TakeSeatResponse(seat=pb.Seat(number=number, user_uuid=user))

    async def ImportSeats(
        self, request_iterator: AsyncIterator[pb.ImportSeatsRequest], context: Context
    ) -> pb.ImportSeatsResponse:
        # Read all requests before the answer: if it comes while an asyncio client of grpcio still
        # writes, the client may lose it.
        room_uuid, seats = messages.seats([request async for request in request_iterator])
        return pb.ImportSeatsResponse(
            imported=self._rooms.import_seats(_caller(context), room_uuid, seats)
        )

    async def SetProperty(
        self, request: pb.SetPropertyRequest, context: Context
    ) -> pb.SetPropertyResponse:
        user = _caller(context)
        self._rooms.set_property(
            user, request.room_uuid, request.key, request.value, exclusive=request.exclusive
        )
        return pb.SetPropertyResponse()

    async def SetMemberProperty(
        self, request: pb.SetMemberPropertyRequest, context: Context
    ) -> pb.SetMemberPropertyResponse:
        user = _caller(context)
        self._rooms.set_member_property(
            user, request.room_uuid, request.key, request.value, exclusive=request.exclusive
        )
        return pb.SetMemberPropertyResponse()

    async def WatchRoom(
        self, request: pb.WatchRoomRequest, context: Context
    ) -> AsyncIterator[pb.WatchRoomResponse]:
        inbox: Inbox[Event] = Inbox()
        with self._rooms.watch(_caller(context), request.room_uuid, inbox.put):
            async for event in inbox:
                yield messages.event(event)

    async def Signal(
        self, request_iterator: AsyncIterator[pb.SignalRequest], context: Context
    ) -> AsyncIterator[pb.SignalResponse]:
        sign_in = messages.sign_in(await anext(aiter(request_iterator), None))
        user = _caller(context)
        accepted = self._im.accepts(user, sign_in.im_token)
        inbox: Inbox[Letter] = Inbox()
        with self._rooms.sign_in(
            user, sign_in.room_uuid, inbox.put, im_accepted=accepted, im_reused=sign_in.im_reused
        ) as send:
            yield pb.SignalResponse(signed_in=pb.SignedIn())
            forwarding = asyncio.create_task(_forward(request_iterator, send, inbox))
            try:
                async for letter in inbox:
                    yield messages.letter(letter)
            finally:
                forwarding.cancel()


def _caller(context: Context) -> str:
    return caller(context.invocation_metadata())


class Inbox(AsyncIterator[T]):
    """Yields the items that were put in. An exception is raised, and None ends the iteration."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[T | Exception | None] = asyncio.Queue()
        self.put = self._items.put_nowait

    async def __anext__(self) -> T:
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        if item is None:
            raise StopAsyncIteration
        return item


async def _forward(
    requests: AsyncIterator[pb.SignalRequest], send: Send, inbox: Inbox[Letter]
) -> None:
    """Sends the letters of a line. The handler raises an error of this task."""
    try:
        async for request in requests:
            send(request.letter.user_uuid, request.letter.text)
    except Exception as error:  # noqa: BLE001  raised again by the handler
        inbox.put(error)
    finally:
        inbox.put(None)
