"""A TCP proxy between client and server that breaks connections at exact places of an answer.

It parses only the headers of the HTTP/2 frames that the server sends (RFC 9113 section 4.1). A
fault is applied to a number of connections or answers, and later ones pass unchanged. So a channel
that reconnects finds a healthy server.
"""

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Self

import harness

_FRAME_HEADER = 9
_DATA, _HEADERS = 0, 1
_END_STREAM = 0x1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_NO_LINGER = struct.pack("ii", 1, 0)  # a close resets the connection


class Place(enum.Enum):
    """The place of a fault. The server's frames before it have passed; later frames have not."""

    NOWHERE = "nowhere"
    ACCEPT = "when the client connects"
    REQUEST_HEADERS = "before the request's headers"
    REQUEST = "between the request's headers and its message"
    HEADERS = "before the response's headers"
    RESPONSE = "between the response's headers and what follows"
    TRAILERS = "before the trailers"
    TRAILERS_FRAME_HEADER = "inside the trailers' frame header"
    TRAILERS_START = "behind the trailers' frame header"
    TRAILERS_MIDDLE = "in the middle of the trailers"
    TRAILERS_END = "before the last byte of the trailers"
    AFTER_TRAILERS = "behind the trailers"


class Deed(enum.Enum):
    """The action at the place of a fault."""

    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    """Nothing more is read or sent, and the connection stays open."""
    TWICE = "twice"
    """The frame is sent a second time."""


@dataclass(frozen=True)
class Fault:
    place: Place
    deed: Deed = Deed.CLOSE

    def __str__(self) -> str:
        return f"{self.deed.value} {self.place.value}"


_INSIDE: dict[Place, Callable[[int], int]] = {
    Place.TRAILERS: lambda _: 0,
    Place.TRAILERS_FRAME_HEADER: lambda _: 5,
    Place.TRAILERS_START: lambda _: _FRAME_HEADER,
    Place.TRAILERS_MIDDLE: lambda size: (_FRAME_HEADER + size) // 2,
    Place.TRAILERS_END: lambda size: size - 1,
    Place.AFTER_TRAILERS: lambda size: size,
}


class Proxy:
    """Forwards to `target`, and applies a fault as often as `arm` says.

    `slow` sends each byte in a segment of its own. `mirrored` also sends the client's data to the
    server over a second connection, and drops the answers. The event loop of the proxy has its own
    thread.
    """

    def __init__(self, target: str, *, slow: bool = False, mirrored: bool = False) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._slow, self._mirrored = slow, mirrored
        self._fault, self._left = Fault(Place.NOWHERE), 0
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.struck = 0

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self._loop = self._stack.enter_context(harness.loop_thread())
        self._on_loop(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._on_loop(self._stop())
        self._stack.close()

    def _on_loop(self, coroutine: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(harness.DEADLINE)

    async def _start(self) -> None:
        self._released = asyncio.Event()
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self.target = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _stop(self) -> None:
        # The server is closed only after all tasks of this loop have ended. A client that has just
        # arrived is at first a task of asyncio. If its server were closed, its connection would
        # stay open.
        self._loop.remove_reader(self._server.sockets[0])
        self._released.set()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._writers:
                _end(writer, reset=False)
            await asyncio.wait(tasks, timeout=0.1)
        self._server.close()

    def arm(self, fault: Fault, times: int = 1) -> None:
        """Applies the fault to the next answers that reach its place."""
        self._fault, self._left, self.struck = fault, times, 0

    def drop(self, *, reset: bool = False) -> None:
        """Ends all connections. New ones are accepted."""

        async def drop() -> None:
            for writer in self._writers:
                _end(writer, reset=reset)

        self._on_loop(drop())

    def _strikes(self, *places: Place) -> Fault | None:
        if self._fault.place not in places or not self._left:
            return None
        self._left -= 1
        self.struck += 1
        return self._fault

    async def _link(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Forwards one client's connection to the server, over one or two connections.

        If any of them ends, all end.
        """
        self.connections += 1
        writers, directions = [client], list[asyncio.Task[None]]()
        try:
            if fault := self._strikes(Place.ACCEPT):
                _end(client, reset=fault.deed is Deed.RESET)
                return
            with contextlib.suppress(OSError):  # the server is down
                servers = [
                    await asyncio.open_connection(self._host, int(self._port))
                    for _ in range(2 if self._mirrored else 1)
                ]
                writers += (writer for _, writer in servers)
                self._writers.update(writers)
                directions.append(asyncio.create_task(self._requests(reader, client, writers[1:])))
                directions.append(asyncio.create_task(self._responses(servers[0][0], client)))
                directions += (asyncio.create_task(_unheard(unheard)) for unheard, _ in servers[1:])
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers.difference_update(writers)
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        servers: list[asyncio.StreamWriter],
    ) -> None:
        await self._send(servers, await reader.readexactly(len(_PREFACE)))
        while True:
            frame = await _frame(reader)
            place = {_HEADERS: Place.REQUEST_HEADERS, _DATA: Place.REQUEST}.get(
                frame[3], Place.NOWHERE
            )
            if (fault := self._strikes(place)) and not await self._do(fault, client):
                return
            await self._send(servers, frame)

    async def _responses(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        opened: set[bytes] = set()  # streams whose headers have passed
        while True:
            frame = await _frame(reader)
            kind, flags, stream = frame[3], frame[4], frame[5:_FRAME_HEADER]
            places = list[Place]()
            if kind in {_HEADERS, _DATA}:
                places.append(Place.RESPONSE if stream in opened else Place.HEADERS)
                opened.add(stream)
            if kind == _HEADERS and flags & _END_STREAM:
                places += _INSIDE
            fault = self._strikes(*places)
            if fault is None:
                await self._send([client], frame)
                continue
            cut = _INSIDE[fault.place](len(frame)) if fault.place in _INSIDE else 0
            await self._send([client], frame[:cut])
            if not await self._do(fault, client):
                return
            await self._send([client], frame[cut:] + (frame if fault.deed is Deed.TWICE else b""))

    async def _send(self, writers: list[asyncio.StreamWriter], data: bytes) -> None:
        for piece in (
            (data[index : index + 1] for index in range(len(data))) if self._slow else (data,)
        ):
            for writer in writers:
                writer.write(piece)
                await writer.drain()

    async def _do(self, fault: Fault, client: asyncio.StreamWriter) -> bool:
        """Applies the fault, and returns whether the connection continues."""
        if fault.deed is Deed.RESET:
            _end(client, reset=True)
        elif fault.deed is Deed.STALL:
            await self._released.wait()
        return fault.deed is Deed.TWICE


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Returns the next frame, with its header."""
    header = await reader.readexactly(_FRAME_HEADER)
    return header + await reader.readexactly(int.from_bytes(header[:3]))


async def _unheard(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
