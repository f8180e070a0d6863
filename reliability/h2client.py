"""Both ends of a connection on the h2 library.

It reads and sends data that grpcio hides or refuses. `Client` reads whole answers: each decoded
header block, the data, and the received bytes. `Server` answers every call with the given trailers.
Neither checks what it sends.
"""

import base64
import binascii
import socket
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events

__all__ = ["Answer", "Client", "Header", "serve", "unbinary"]

Header = tuple[bytes, bytes]
TIMEOUT = 20.0  # seconds, far more than any call needs


def _connection(*, client: bool) -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(
        client_side=client,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
    )
    return h2.connection.H2Connection(config)


def unbinary(value: bytes) -> bytes:
    """Returns the bytes of a `-bin` header, or nothing if they are not base64.

    The padding may be missing.
    """
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        return b""


@dataclass
class Answer:
    """All that a server sent on one stream, and on the connection since the call began."""

    blocks: list[list[Header]] = field(default_factory=list)
    """The decoded header blocks: initial metadata and trailers, or one block with both."""
    data: bytes = b""
    raw: bytes = b""
    """The bytes of the connection, of all frames."""
    reset: int | None = None
    """The error code of RST_STREAM or GOAWAY, or of a closed connection."""

    @property
    def trailers(self) -> dict[bytes, bytes]:
        """The last header block."""
        return dict(self.blocks[-1]) if self.blocks else {}

    @property
    def status(self) -> int | None:
        """`grpc-status`."""
        status = self.trailers.get(b"grpc-status")
        return None if status is None else int(status)

    @property
    def details(self) -> bytes:
        """The Status in `grpc-status-details-bin`."""
        return unbinary(self.trailers.get(b"grpc-status-details-bin", b""))

    def texts(self) -> Iterator[bytes]:
        """Yields everything that was sent, in each form that a client could read."""
        yield self.raw
        yield self.data
        for name, value in (header for block in self.blocks for header in block):
            yield name
            yield value
            yield urllib.parse.unquote_to_bytes(value)
            if name.endswith(b"-bin"):
                yield unbinary(value)


class Client:
    """A connection to a gRPC server, for calls one after the other."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._authority = target.encode()
        self._socket = socket.create_connection((host, int(port)), TIMEOUT)
        self._h2 = _connection(client=True)
        self._h2.initiate_connection()
        self._socket.sendall(self._h2.data_to_send())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, method: str, request: bytes, metadata: Iterable[Header] = ()) -> Answer:
        """Makes a call with one request, and reads until the stream ends.

        Metadata are sent unchanged, so `-bin` values must be in base64.
        """
        stream = self._h2.get_next_available_stream_id()
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", method.encode()),
            (b":authority", self._authority),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            *metadata,
        ]
        self._h2.send_headers(stream, headers)
        self._h2.send_data(
            stream, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True
        )
        self._socket.sendall(self._h2.data_to_send())
        return self._read(stream)

    def _read(self, stream: int) -> Answer:
        answer = Answer()
        while received := self._socket.recv(65_536):
            answer.raw += received
            ended = False
            for event in self._h2.receive_data(received):
                match event:
                    case h2.events.ResponseReceived() | h2.events.TrailersReceived() if (
                        event.stream_id == stream
                    ):
                        answer.blocks.append(
                            [(bytes(name), bytes(value)) for name, value in event.headers or ()]
                        )
                    case h2.events.DataReceived() if event.stream_id == stream:
                        answer.data += event.data or b""
                        self._h2.acknowledge_received_data(
                            event.flow_controlled_length or 0, stream
                        )
                    case h2.events.StreamEnded() if event.stream_id == stream:
                        ended = True
                    case h2.events.StreamReset() if event.stream_id == stream:
                        answer.reset, ended = int(event.error_code or 0), True
                    case h2.events.ConnectionTerminated():
                        answer.reset, ended = int(event.error_code or 0), True
            if pending := self._h2.data_to_send():
                self._socket.sendall(pending)
            if ended:
                return answer
        answer.reset = -1 if answer.reset is None else answer.reset
        return answer


@contextmanager
def serve(trailers: Sequence[Header], *, messages: Sequence[bytes] = ()) -> Iterator[str]:
    """Runs a server that answers all calls with these messages and trailers; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(TIMEOUT)
    connections: list[Any] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed, or no client connected for a long time
                return
            connection.settimeout(TIMEOUT)
            thread = threading.Thread(target=_answer_all, args=(connection, trailers, messages))
            connections.append((connection, thread))
            thread.start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for connection, thread in connections:
            with suppress(OSError):  # the client is gone
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
            connection.close()


def _answer_all(
    connection: socket.socket, trailers: Sequence[Header], messages: Sequence[bytes]
) -> None:
    try:
        _answer(connection, trailers, messages)
    except OSError:
        return  # the client is gone


def _answer(
    connection: socket.socket, trailers: Sequence[Header], messages: Sequence[bytes]
) -> None:
    server = _connection(client=False)
    server.initiate_connection()
    connection.sendall(server.data_to_send())
    start = [(b":status", b"200"), (b"content-type", b"application/grpc")]
    while received := connection.recv(65_536):
        for event in server.receive_data(received):
            if isinstance(event, h2.events.DataReceived):
                server.acknowledge_received_data(
                    event.flow_controlled_length or 0, event.stream_id or 0
                )
            elif isinstance(event, h2.events.StreamEnded):
                stream = event.stream_id or 0
                if messages:
                    server.send_headers(stream, start)
                    for message in messages:
                        server.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message)
                    server.send_headers(stream, list(trailers), end_stream=True)
                else:
                    server.send_headers(stream, [*start, *trailers], end_stream=True)
        if pending := server.data_to_send():
            connection.sendall(pending)
