"""An error as a client gets it, and the check that one was raised."""

import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc import StatusCode

from errgrpc import arguments
from errgrpc.catalog import as_catalogue
from errgrpc.codes import ErrorCode
from errgrpc.observing import observing
from errgrpc.reading import Reading
from errgrpc.remote_error import Entry, RemoteError
from errgrpc.reports import Answered
from errgrpc.service_error import ServiceError, values_of
from errgrpc.testing.recording import Recorder
from errgrpc.texts import shown
from errgrpc.wire import encoding
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.wire.packing import DETAILS_KEY

__all__ = ["Raised", "raises", "remote_error"]


def remote_error(
    code: ErrorCode | StatusCode,
    message: str | None = None,
    *,
    locale: str | None = None,
    metadata: Mapping[str, object] | None = None,
    hint: str | Mapping[str, str] | None = None,
    details: Iterable[Message] = (),
    retry_delay: float | timedelta | None = None,
    **more_metadata: object,
) -> RemoteError:
    """The RemoteError that a client gets when a handler raises `ServiceError(code, message, ...)`.

    `locale` is the language that the client asks for. A grpc.StatusCode in place of a code stands for a failure without one, such as
    a refused connection: `remote_error(grpc.StatusCode.UNAVAILABLE)`; it takes a message alone. Raises what ServiceError raises.
    """
    if isinstance(code, StatusCode):
        nothing = grpc.aio.Metadata()
        return Reading.by().read(grpc.aio.AioRpcError(code, nothing, nothing, message or ""), locale)
    error = ServiceError(code, message, metadata=metadata, hint=hint, details=tuple(details), retry_delay=retry_delay, **more_metadata)
    values = values_of(error)
    assert values is not None  # noqa: S101  it was made just above
    parts = encoding.parts_of(values, locale)
    raw, _ = encoding.fitted(code, parts, DEFAULT_MAX_TRAILER_BYTES)
    trailers = (*parts.trailers, *parts.pushback, (DETAILS_KEY, raw))
    received = grpc.aio.AioRpcError(code.grpc_status, (), tuple(Entry(*entry) for entry in trailers), parts.message)  # type: ignore[arg-type]
    return Reading.by(type(code)).read(received, locale)


def raises(expected: ErrorCode | type[ErrorCode], /, **metadata: object) -> "Raised":
    """A context manager that expects a ServiceError or a RemoteError with this code, or with any of a catalogue.

        with raises(ResCode.ROOM_NOT_EXIST, room_uuid="r-42") as caught:
            rooms.get("r-42")
        assert caught.error.hint == ...

    The error must have these metadata, and may have others; values become text as those of a ServiceError do. A code that a client has
    inferred from a status is not expected. If something else is raised, or nothing, the block ends with an AssertionError that shows
    both, and the traceback of the handler if its server runs in this process.

    Raises TypeError if `expected` is neither a code nor a catalogue.
    """
    if not isinstance(expected, ErrorCode):
        as_catalogue(expected)
    return Raised(expected, metadata)


class Raised:
    """What `raises` gives: the error that was raised is in `error`, after the block."""

    def __init__(self, expected: ErrorCode | type[ErrorCode], metadata: Mapping[str, object]) -> None:
        self._expected = expected
        self._metadata = arguments.metadata(None, metadata, _refuse)
        self._error: ServiceError | RemoteError | None = None
        self._recorder = Recorder()
        self._observing = observing(self._recorder)

    @property
    def error(self) -> ServiceError | RemoteError:
        """The error. Raises AttributeError as long as the block has not ended."""
        if self._error is None:
            raise AttributeError("the block has not ended: there is no error yet")
        return self._error

    def __enter__(self) -> Self:
        self._observing.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        __tracebackhide__ = True  # pytest then shows the line of the test
        self._observing.__exit__(None, None, None)
        if error is not None and not isinstance(error, Exception):
            return False  # KeyboardInterrupt, and the outcomes of pytest
        if isinstance(error, ServiceError | RemoteError) and self._fits(error):
            self._error = error
            return True
        raise AssertionError("\n".join(self._differences(error))) from error

    def _fits(self, error: ServiceError | RemoteError) -> bool:
        code = error.error_code
        is_code = code is self._expected if isinstance(self._expected, ErrorCode) else isinstance(code, self._expected)
        inferred = isinstance(error, RemoteError) and error.inferred
        return is_code and not inferred and self._metadata.items() <= error.metadata.items()

    def _differences(self, error: Exception | None) -> Iterator[str]:
        wanted = _named(self._expected) if isinstance(self._expected, ErrorCode) else f"any code of {self._expected.__name__}"
        yield f"expected {wanted}" + (f" with metadata {self._metadata}" if self._metadata else "")
        if error is None:
            yield "got      no error"
            return
        code = error.error_code if isinstance(error, ServiceError | RemoteError) else None
        inferred = ", inferred from the status" if isinstance(error, RemoteError) and error.inferred else ""
        yield "got      " + (f"{type(error).__name__} without a known code" if code is None else _named(code) + inferred)
        if isinstance(error, ServiceError | RemoteError) and self._metadata:
            yield f"         with metadata {dict(error.metadata)}"
        yield f"error    {shown(error)}"
        if isinstance(error, RemoteError):
            yield from _handler(error, self._recorder.heard)


def _handler(error: RemoteError, heard: Iterable[Answered]) -> Iterator[str]:
    """What the handler raised, if this process has answered the error."""
    same = [each for each in heard if each.error is not None and each.status is error.code() and each.code in (error.error_code, None)]
    answered = next((each for each in same if error.request_id is not None and each.request_id == error.request_id), None)
    answered = answered or (same[0] if len(same) == 1 else None)
    if answered is not None and answered.error is not None:
        yield f"handler  {answered.method} raised"
        yield from (f"         {line}" for text in traceback.format_exception(answered.error) for line in text.rstrip().split("\n"))


def _named(code: ErrorCode) -> str:
    return f"{code} ({code.number}, {code.grpc_status.name})"


def _refuse(text: str) -> None:
    raise TypeError(text)
