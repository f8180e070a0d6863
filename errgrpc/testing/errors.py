"""Makes an error as a client gets it, and checks that an error was raised."""

import re
import traceback
import unittest
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

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
from errgrpc.texts import shown
from errgrpc.wire import encoding
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.wire.packing import DETAILS_KEY

__all__ = ["Expected", "Raised", "raises", "remote_error"]

Expected = ErrorCode | type[ErrorCode] | StatusCode
"""What `raises` accepts."""

_PACKAGE = str(Path(__file__).parents[1])
_MOST_LINES, _LONGEST_LINE = 100, 1_000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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
    """Returns the RemoteError that a client gets for `ServiceError(code, message, ...)`.

    For a grpc.StatusCode, it returns an error without a code. For instance,
    `remote_error(grpc.StatusCode.UNAVAILABLE, "connection refused")` is a refused connection.

    Args:
        code: The code, or a gRPC status.
        message: The text for developers.
        locale: The language that the client asks for: a language tag or an `accept-language` value.
        metadata, hint, details, retry_delay, **more_metadata: As for `errgrpc.ServiceError`.

    Raises:
        TypeError: `code` is neither a code nor a status, or a status is given with more than a
            message.
        ValueError: The gRPC status is OK.
    """
    if isinstance(code, StatusCode):
        if code is StatusCode.OK:
            raise ValueError("StatusCode.OK is a success: give the status of a failure")
        if (
            more_metadata
            or details
            or any(given is not None for given in (metadata, hint, retry_delay))
        ):
            raise TypeError(
                f"{code} has a message alone: "
                "give a code for hint, details, retry_delay and metadata"
            )
        nothing = grpc.aio.Metadata()
        return Reading.by().read(
            grpc.aio.AioRpcError(code, nothing, nothing, message or ""), locale
        )
    error = ServiceError(
        code,
        message,
        metadata=metadata,
        hint=hint,
        details=details,
        retry_delay=retry_delay,
        **more_metadata,
    )
    values = values_of(error)
    assert values is not None  # noqa: S101  it was made just above
    parts = encoding.parts_of(values, locale)
    raw, _ = encoding.fitted(code, parts, DEFAULT_MAX_TRAILER_BYTES)
    trailers = (*parts.trailers, *parts.pushback, (DETAILS_KEY, raw))
    received = grpc.aio.AioRpcError(
        code.grpc_status,
        (),  # type: ignore[arg-type]  # grpc takes tuples
        tuple(Entry(*entry) for entry in trailers),  # type: ignore[arg-type]  # an Entry is a tuple
        parts.message,
    )
    return Reading.by(type(code)).read(received, locale)


def raises(
    expected: Expected, /, *, metadata: Mapping[str, object] | None = None, **more_metadata: object
) -> "Raised":
    """Expects a ServiceError or a RemoteError with this code, or with any code of a catalogue.

        with raises(ResCode.ROOM_NOT_EXIST, room_uuid="r-42") as caught:
            rooms.get("r-42")
        assert caught.error.hint == ...

    The error must have the given metadata, and may have more. Values become text as in a
    ServiceError. An error whose code the client inferred from a status does not count. To expect a
    RemoteError by its status, whatever its code is, give a grpc.StatusCode.

    Args:
        expected: A code, a catalogue or a gRPC status.
        metadata, **more_metadata: The metadata that the error must have.

    Raises:
        TypeError: `expected` is not a code, a catalogue or a status, or the metadata are wrong.
        AssertionError: At the end of the block, if it raised another error or no error. The text
            shows the expected and the raised error. If the server runs in this process, it also
            shows the traceback of the handler.
    """
    if not isinstance(expected, ErrorCode | StatusCode):
        as_catalogue(expected)
    return Raised(expected, arguments.metadata(metadata, more_metadata, _refuse))


class _Heard(NamedTuple):
    answered: Answered
    lines: list[str]
    """The lines of the handler's traceback. Frames are not kept, as they hold the request."""


class _Recorder:
    """Keeps the tracebacks of handlers as text."""

    def __init__(self) -> None:
        self.heard: list[_Heard] = []

    def answered(self, answered: Answered, trace: TracebackType | None, /) -> None:
        error = answered.error
        if error is not None:
            told = traceback.TracebackException(type(error), error, trace or error.__traceback__)
            # The first frames belong to errgrpc.
            first = next(
                (
                    n
                    for n, frame in enumerate(told.stack)
                    if not frame.filename.startswith(_PACKAGE)
                ),
                0,
            )
            told.stack = traceback.StackSummary.from_list(told.stack[first:])
            self.heard.append(_Heard(answered, "".join(told.format()).rstrip().split("\n")))

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> None:
        """Does nothing."""


class Raised:
    """The context manager that `raises` returns. After the block, `error` is the raised error."""

    def __init__(self, expected: Expected, metadata: Mapping[str, str]) -> None:
        self._expected = expected
        self._metadata = metadata
        self._error: ServiceError | RemoteError | None = None
        self._recorder = _Recorder()
        self._observing: AbstractContextManager[None] | None = None

    @property
    def error(self) -> ServiceError | RemoteError:
        """The error that the block raised.

        Raises:
            AttributeError: The block has not ended yet.
        """
        if self._error is None:
            raise AttributeError("the block has not ended: there is no error yet")
        return self._error

    def __enter__(self) -> Self:
        self._error = None
        self._observing = observing(self._recorder)
        self._observing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        __tracebackhide__ = True  # makes pytest show the line of the test
        if self._observing is not None:
            self._observing.__exit__(None, None, None)
        heard, self._recorder.heard = self._recorder.heard, []
        if kind is not None and (
            not issubclass(kind, Exception) or issubclass(kind, unittest.SkipTest)
        ):
            return False  # KeyboardInterrupt, or an outcome of pytest or unittest
        if self._fits(error):
            self._error = error  # type: ignore[assignment]  # `_fits` has checked it
            return True
        raise AssertionError("\n".join(map(_line, self._differences(error, heard)))) from error

    def _fits(self, error: BaseException | None) -> bool:
        try:
            if isinstance(error, RemoteError) and isinstance(self._expected, StatusCode):
                return (
                    error.code() is self._expected
                    and self._metadata.items() <= error.metadata.items()
                )
            code = _code_of(error)
            is_code = (
                code is self._expected
                if isinstance(self._expected, ErrorCode)
                else type(code) is self._expected
            )
            return (
                is_code
                and not _is_inferred(error)
                and self._metadata.items() <= error.metadata.items()  # type: ignore[union-attr]  # it has a code
            )
        except Exception:  # noqa: BLE001  a double, or a subclass without our `__init__`
            return False

    def _differences(self, error: BaseException | None, heard: Iterable[_Heard]) -> Iterator[str]:
        wanted = self._expected
        named = (
            _named(wanted)
            if isinstance(wanted, ErrorCode)
            else str(wanted)
            if isinstance(wanted, StatusCode)
            else None
        )
        if named is None:
            named = f"any code of {wanted.__name__}"  # type: ignore[union-attr]  # it is a class
        yield f"expected {named}" + (
            f" with metadata {shown(self._metadata)}" if self._metadata else ""
        )
        if error is None:
            yield "got      no error"
            return
        code = _code_of(error)
        inferred = ", inferred from the status" if _is_inferred(error) else ""
        unknown = " without a known code" if isinstance(error, RemoteError) else ""
        yield "got      " + (
            f"{type(error).__name__}{unknown}" if code is None else _named(code) + inferred
        )
        if code is not None and self._metadata:
            yield f"         with metadata {shown(dict(error.metadata))}"  # type: ignore[attr-defined]  # has a code
        yield f"error    {shown(error)}"
        if isinstance(error, RemoteError):
            yield from _handler(error, heard)


def _code_of(error: BaseException | None) -> ErrorCode | None:
    if isinstance(error, RemoteError):
        return error.error_code
    values = values_of(error)
    return None if values is None else values.code


def _is_inferred(error: BaseException | None) -> bool:
    return isinstance(error, RemoteError) and error.inferred


def _handler(error: RemoteError, heard: Iterable[_Heard]) -> Iterator[str]:
    """Yields the traceback of the handler if it is certain that this process answered the error."""
    same = [
        each
        for each in heard
        if each.answered.status is error.code() and each.answered.code in (error.error_code, None)
    ]
    found = next(
        (
            each
            for each in same
            if error.request_id is not None and each.answered.request_id == error.request_id
        ),
        None,
    )
    if found is None:
        alike = [
            each
            for each in same
            if (values := values_of(each.answered.error)) is None
            or values.metadata == error.metadata
        ]
        found = alike[0] if len(alike) == 1 else None
    if found is not None:
        yield f"handler  {found.answered.method} raised"
        lines = found.lines[:_MOST_LINES] + (["..."] if len(found.lines) > _MOST_LINES else [])
        yield from (f"         {line}" for line in lines)


def _line(text: str) -> str:
    """Returns a line of a failure, without control characters and at most 2,000 characters long."""
    text = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
    return text if len(text) <= _LONGEST_LINE * 2 else text[: _LONGEST_LINE * 2] + "..."


def _named(code: ErrorCode) -> str:
    return f"{code} ({code.number}, {code.grpc_status.name})"


def _refuse(text: str) -> Any:
    raise TypeError(text)
