"""The sync server; aio_server.py is the same for the asyncio stack.

The handlers only call the rules: no handler deals with errors.
"""
# ruff: noqa: N802  the proto names the methods

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import grpc

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


def build(
    pool: ThreadPoolExecutor,
    rooms: Classrooms,
    im: Im,
    interceptors: Sequence[grpc.ServerInterceptor] = (),
) -> grpc.Server:
    """Returns a server for these rooms, which is not started yet.

    Each feed and each signalling line takes a thread of the pool.
    """
    guard = errgrpc.ServerInterceptor(
        ResCode, translate={UnreachableError: ResCode.NIM_SERVICE_ERROR}, raises=RAISES
    )
    # Without this option, a second server on the same port would take half of the calls.
    server = grpc.server(
        pool, interceptors=[guard, *interceptors], options=[("grpc.so_reuseport", 0)]
    )
    classroom_pb2_grpc.add_ClassroomServiceServicer_to_server(Classroom(rooms, im), server)
    return server


class Classroom(classroom_pb2_grpc.ClassroomServiceServicer):
    def __init__(self, rooms: Classrooms, im: Im) -> None:
        self._rooms = rooms
        self._im = im

    def CreateRoom(
        self, request: pb.CreateRoomRequest, context: grpc.ServicerContext
    ) -> pb.CreateRoomResponse:
        room = self._rooms.create_room(_caller(context), request.room_uuid, request.config_id)
        return pb.CreateRoomResponse(room=messages.room(room))

    def GetRoom(
        self, request: pb.GetRoomRequest, context: grpc.ServicerContext
    ) -> pb.GetRoomResponse:
        _caller(context)
        return pb.GetRoomResponse(room=messages.room(self._rooms.get_room(request.room_uuid)))

    def CloseRoom(
        self, request: pb.CloseRoomRequest, context: grpc.ServicerContext
    ) -> pb.CloseRoomResponse:
        self._rooms.close_room(_caller(context), request.room_uuid)
        return pb.CloseRoomResponse()

    def GetOccupancy(
        self, request: pb.GetOccupancyRequest, context: grpc.ServicerContext
    ) -> pb.GetOccupancyResponse:
        _caller(context)
        return pb.GetOccupancyResponse(percent=self._rooms.occupancy(request.room_uuid))

    def JoinRoom(
        self, request: pb.JoinRoomRequest, context: grpc.ServicerContext
    ) -> pb.JoinRoomResponse:
        room = self._rooms.join_room(_caller(context), request.room_uuid, request.role)
        return pb.JoinRoomResponse(room=messages.room(room))

    def LeaveRoom(
        self, request: pb.LeaveRoomRequest, context: grpc.ServicerContext
    ) -> pb.LeaveRoomResponse:
        self._rooms.leave_room(_caller(context), request.room_uuid, request.user_uuid)
        return pb.LeaveRoomResponse()

    def TakeSeat(
        self, request: pb.TakeSeatRequest, context: grpc.ServicerContext
    ) -> pb.TakeSeatResponse:
        user = _caller(context)
        number = self._rooms.take_seat(user, request.room_uuid, request.number)
        return pb.TakeSeatResponse(seat=pb.Seat(number=number, user_uuid=user))

    def ImportSeats(
        self, request_iterator: Iterator[pb.ImportSeatsRequest], context: grpc.ServicerContext
    ) -> pb.ImportSeatsResponse:
        # Read all requests before the answer: if it comes while an asyncio client of grpcio still
        # writes, the client may lose it.
        room_uuid, seats = messages.seats(list(request_iterator))
        return pb.ImportSeatsResponse(
            imported=self._rooms.import_seats(_caller(context), room_uuid, seats)
        )

    def SetProperty(
        self, request: pb.SetPropertyRequest, context: grpc.ServicerContext
    ) -> pb.SetPropertyResponse:
        user = _caller(context)
        self._rooms.set_property(
            user, request.room_uuid, request.key, request.value, exclusive=request.exclusive
        )
        return pb.SetPropertyResponse()

    def SetMemberProperty(
        self, request: pb.SetMemberPropertyRequest, context: grpc.ServicerContext
    ) -> pb.SetMemberPropertyResponse:
        user = _caller(context)
        self._rooms.set_member_property(
            user, request.room_uuid, request.key, request.value, exclusive=request.exclusive
        )
        return pb.SetMemberPropertyResponse()

    def WatchRoom(
        self, request: pb.WatchRoomRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchRoomResponse]:
        inbox: Inbox[Event] = Inbox(context)
        with self._rooms.watch(_caller(context), request.room_uuid, inbox.put):
            for event in inbox:
                yield messages.event(event)

    def Signal(
        self, request_iterator: Iterator[pb.SignalRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.SignalResponse]:
        sign_in = messages.sign_in(next(request_iterator, None))
        user = _caller(context)
        accepted = self._im.accepts(user, sign_in.im_token)
        inbox: Inbox[Letter] = Inbox(context)
        with self._rooms.sign_in(
            user, sign_in.room_uuid, inbox.put, im_accepted=accepted, im_reused=sign_in.im_reused
        ) as send:
            yield pb.SignalResponse(signed_in=pb.SignedIn())
            Thread(target=_forward, args=(request_iterator, send, inbox), daemon=True).start()
            for letter in inbox:
                yield messages.letter(letter)


def _caller(context: grpc.ServicerContext) -> str:
    return caller(context.invocation_metadata())


class Inbox(Iterator[T]):
    """Yields the items that were put in, until the client is gone.

    An exception is raised, and None ends the iteration.
    """

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._items: SimpleQueue[T | Exception | None] = SimpleQueue()
        self.put = self._items.put
        if not context.add_callback(lambda: self.put(None)):
            self.put(None)

    def __next__(self) -> T:
        item = self._items.get()
        if isinstance(item, Exception):
            raise item
        if item is None:
            raise StopIteration
        return item


def _forward(requests: Iterator[pb.SignalRequest], send: Send, inbox: Inbox[Letter]) -> None:
    """Sends the letters of a line. The handler raises an error of this thread."""
    try:
        for request in requests:
            send(request.letter.user_uuid, request.letter.text)
    except grpc.RpcError:
        pass  # the client is gone
    except Exception as error:  # noqa: BLE001  raised again by the handler
        inbox.put(error)
    finally:
        inbox.put(None)
