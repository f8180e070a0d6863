"""The properties that must hold for any bytes of a peer, with one check for each reader of bytes.

A check takes an input. It raises AssertionError if a promise is broken, and does not catch
exceptions of the code under test.
"""

import base64
import contextlib
import io
import json
import logging
import pickle
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

import errgrpc
import errgrpc.http
from errgrpc import locales
from errgrpc.answering import Answering, Rpc
from errgrpc.cli import tables
from errgrpc.cli.decoding import finding, shown
from errgrpc.cli.output import safe
from errgrpc.codegen import plugin
from errgrpc.service_error import values_of
from errgrpc.wire import encoding
from errgrpc.wire.budget import DEFAULT_MAX_TRAILER_BYTES
from errgrpc.wire.packing import DETAILS_KEY, NUMBER_KEY

__all__ = [
    "CHECKS",
    "Failed",
    "Source",
    "accept_language",
    "budget",
    "codegen",
    "decision",
    "examine",
    "http",
    "listen",
    "pasted",
    "read",
    "reader",
]

CATALOGUES = (errgrpc.ResCode, errgrpc.ComponentCode)
STANDARD: tuple[type[Message], ...] = (
    rpc.ErrorInfo,
    rpc.RetryInfo,
    rpc.DebugInfo,
    rpc.QuotaFailure,
    rpc.PreconditionFailure,
    rpc.BadRequest,
    rpc.RequestInfo,
    rpc.ResourceInfo,
    rpc.Help,
    rpc.LocalizedMessage,
)
_TABLES = tables.load(["errgrpc:ResCode", "errgrpc:ComponentCode"])
LONGEST_TEXT = 8_000
"""Characters of `str(error)`: seven texts of a peer with 1,000 characters each, and separators."""

_FORMAT = logging.Formatter("%(message)s")
_FAILURES = tuple(status for status in StatusCode if status is not StatusCode.OK)


class Source:
    """Bytes read as choices, so that mutated bytes reach deep structures.

    After the last byte, it chooses the first and the shortest.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def take(self) -> bytes:
        count = self.byte()
        if count == 255:  # a short input can so ask for a long text
            return bytes([self.byte()]) * (self.byte() * 32)
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self) -> str:
        return self.take().decode(errors="replace")

    def one_of(self, *choices: Any) -> Any:
        return choices[self.byte() % len(choices)]

    def rest(self) -> bytes:
        return self._data[self._at :]


class Failed(grpc.RpcError):
    """A failed call as grpc raises it, without a call."""

    def __init__(self, status: StatusCode, text: str | None, values: Iterable[Any]) -> None:
        super().__init__()
        self._status, self._text = status, text
        self._trailers = tuple((DETAILS_KEY, value) for value in values)

    def code(self) -> StatusCode:
        return self._status

    def details(self) -> str | None:
        return self._text

    def trailing_metadata(self) -> Any:
        return self._trailers


def reader(data: bytes) -> None:
    """Reads any bytes: as details, or as choices of which details are made, whole or damaged."""
    source = Source(data)
    if source.byte() % 4 == 0:
        raw = source.rest()
        examine(errgrpc.decode(raw, *CATALOGUES))
        read([raw], StatusCode.NOT_FOUND, None)
    else:
        values = [_details(source) for _ in range(source.one_of(1, 1, 2, 3))]
        read(values, source.one_of(*_FAILURES), source.one_of(None, source.text()))


def read(values: Sequence[Any], status: StatusCode, text: str | None) -> errgrpc.RemoteError:
    """Reads a failed call with these detail bytes; it must keep its status and text."""
    error = errgrpc.from_error(Failed(status, text, values), *CATALOGUES)
    assert error.details() == text
    examine(error, status)
    return error


def _details(source: Source) -> bytes:
    status = status_pb2.Status(
        code=source.one_of(5, 0, 3, 13, -1, 99, 2**31 - 1, -(2**31)), message=source.text()
    )
    for _ in range(source.byte() % 8):
        status.details.append(_detail(source))
    raw = bytearray(status.SerializeToString())
    for _ in range(max(0, source.byte() - 128) % 4):
        if raw:
            raw[(source.byte() * 256 + source.byte()) % len(raw)] ^= 1 << source.byte() % 8
    return bytes(raw[: len(raw) - source.byte()] if source.byte() % 4 == 3 else raw)


def _detail(source: Source) -> any_pb2.Any:
    prefix = source.one_of("type.googleapis.com/", "", "/", "x/", "a/b/")
    made = source.byte() % 6
    if made == 0:
        name = source.one_of(
            "google.protobuf.Any", "no.such.Type", "google.rpc.Status", source.text()
        )
        return any_pb2.Any(type_url=prefix + name, value=source.take())
    if made == 1:  # a known type with bytes that are not its own
        return any_pb2.Any(
            type_url=prefix + source.one_of(*STANDARD).DESCRIPTOR.full_name, value=source.take()
        )
    message: Message
    if made == 2:
        message = rpc.LocalizedMessage(
            locale=source.one_of("zh-CN", "en-US", source.text()), message=source.text()
        )
    elif made == 3:
        message = rpc.RequestInfo(request_id=source.text(), serving_data=source.text())
    else:
        info = rpc.ErrorInfo(
            reason=source.one_of("ROOM_NOT_EXIST", "NOT_FOUND", "SUCCESS", source.text()),
            domain=source.one_of(
                "errgrpc.v1.ResCode", "errgrpc.v1.ComponentCode", "", source.text()
            ),
        )
        if source.byte() % 2:
            info.metadata[NUMBER_KEY] = source.one_of(
                "1004", "0", "-4", "99999999999", "٤٠٤", source.text()
            )
        for _ in range(source.byte() % 4):
            info.metadata[source.text()] = source.text()
        message = info
    return any_pb2.Any(
        type_url=prefix + message.DESCRIPTOR.full_name, value=message.SerializeToString()
    )


def examine(error: errgrpc.RemoteError, status: StatusCode | None = None) -> None:
    """Reads all attributes of an error, prints and copies it, and passes it on in a handler."""
    assert isinstance(error, errgrpc.RemoteError)
    assert isinstance(error.code(), StatusCode)
    assert error.code() is not StatusCode.OK
    assert status in (None, error.code())
    assert error.number is None or -(2**31) <= error.number < 2**31
    assert NUMBER_KEY not in error.metadata
    assert (error.hint is None) == (error.locale is None)
    assert (error.reason is None) == (error.domain is None)
    if error.inferred:
        assert (type(error), error.reason, isinstance(error.error_code, errgrpc.ResCode)) == (
            errgrpc.RemoteError,
            None,
            True,
        )
    elif error.error_code is not None:
        assert isinstance(error, errgrpc.remote(error.error_code))
        assert error.domain in ("", error.error_code.domain)
    for kind in (*STANDARD, *map(type, error.status_details)):
        found = error.detail(kind)
        assert found is None or type(found) is kind
    record = logging.LogRecord("peer", logging.ERROR, "", 0, "%s %r", (error, error), None)
    for text in (str(error), repr(error), _FORMAT.format(record)):
        assert text.isprintable()
        assert len(text) <= 2 * LONGEST_TEXT
    assert len(str(error)) <= LONGEST_TEXT
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  the bytes are from this process
    assert (type(copy), str(copy)) == (type(error), str(error))
    _answered(error)


def _ignored(_: BaseException, **__: object) -> None:
    """Does nothing, as the fuzzers would fill the log."""


_ANSWERING = Answering(errgrpc.ResCode, on_error=_ignored)


def _answered(error: errgrpc.RemoteError) -> None:
    """Passes a received error through a service in between.

    The service must answer its own fallback, and the code itself only by `from_remote`.
    """
    masked = _status(error)
    info = rpc.ErrorInfo()
    assert masked.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "INTERNAL_SERVER_ERROR",
        "errgrpc.v1.ResCode",
        {"code": "500"},
    )
    assert masked.message == errgrpc.ResCode.INTERNAL_SERVER_ERROR.message
    try:
        passed = errgrpc.ServiceError.from_remote(error)
    except ValueError as refusal:
        assert error.inferred or error.error_code is None  # noqa: PT017  on the other path it must not be raised
        assert str(refusal).isprintable()
        return
    assert not error.inferred
    again = errgrpc.decode(_status(passed), *CATALOGUES)
    assert (again.error_code, again.code()) == (error.error_code, passed.error_code.grpc_status)


def _status(error: BaseException) -> status_pb2.Status:
    answer = _ANSWERING.answer(error, Rpc("/test.Service/Method", (), (), None, "", aborted=False))
    assert _size(answer.message, answer.trailers) <= DEFAULT_MAX_TRAILER_BYTES
    return status_pb2.Status.FromString(dict(answer.trailers)[DETAILS_KEY])  # type: ignore[arg-type]


def _size(message: str, trailers: Iterable[tuple[str, str | bytes]]) -> int:
    """Returns the size of an answer's trailers: name, sent value, and 32 for each entry.

    It is computed here independently of errgrpc.
    """
    size = len("grpc-status") + 2 + 32
    size += (
        len("grpc-message")
        + sum(1 if 0x20 <= byte < 0x7F and byte != 0x25 else 3 for byte in message.encode())
        + 32
    )
    return size + sum(
        len(key) + (-(-len(value) // 3) * 4 if isinstance(value, bytes) else len(value)) + 32
        for key, value in trailers
    )


_HINTS = (("zh-CN", "en-US"), ("en", "en-GB", "zh-Hans-CN", "sr-Latn-RS"), ("de",))


def accept_language(data: bytes) -> None:
    """Reads any bytes as an `accept-language` value, also as text of other characters."""
    listen(data.decode("latin-1"))
    if not data.isascii():
        listen(data.decode(errors="replace"))


def listen(header: str) -> None:
    """Checks that a hint is chosen for any header.

    A header without a readable range must give the same result as no header.
    """
    gateway = ("grpcgateway-accept-language", header)
    for metadata in (
        [(locales.ACCEPT_LANGUAGE, header)],
        [("x", header), gateway, (locales.ACCEPT_LANGUAGE, "!")],
    ):
        assert locales.requested(metadata) == (header or None)
    readable = (
        locales.requested(
            [(locales.ACCEPT_LANGUAGE, header), ("grpcgateway-accept-language", "another")]
        )
        == header
    )
    for hints in _HINTS:
        for default in ("zh-CN", ""):
            chosen = locales.choose(header, hints, default)
            assert chosen in hints
            assert chosen == locales.choose(header, hints, default)
            if not readable:
                assert chosen == (default if default in hints else hints[0])
    assert locales.choose(header, (), "zh-CN") is None
    if locales.is_language_tag(header):
        assert locales.is_accept_language(header) or header.lower().startswith("x-")


Arguments = dict[str, Any]


def budget(
    code: errgrpc.ErrorCode,
    arguments: Arguments,
    trailers: Sequence[tuple[str, str | bytes]],
    limit: int,
) -> None:
    """Checks any error of a handler: the trailers fit, and hold reason, domain and number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errgrpc.MisuseWarning)
        error = errgrpc.ServiceError(code, **arguments)
    values = values_of(error)
    assert values is not None
    parts = encoding.parts_of(values, "en", "request-1", trailers)
    raw, shed = encoding.fitted(code, parts, limit)
    assert _size(parts.message, (*parts.trailers, (DETAILS_KEY, raw))) <= limit
    assert error.message.startswith(parts.message)
    rest = iter(trailers)
    assert all(entry in rest for entry in parts.trailers)  # some of them, in their order
    assert shed or (parts.message == error.message and parts.metadata == error.metadata)
    status = status_pb2.Status.FromString(raw)
    info = rpc.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata[NUMBER_KEY]) == (
        code.reason,
        code.domain,
        str(code.number),
    )
    assert (status.code, status.message) == (code.grpc_status.value[0], parts.message)
    names = [detail.TypeName() for detail in status.details]
    assert len(set(names)) == len(names)


SECRET = "canary-secret"
_TRANSLATE: Any = {KeyError: errgrpc.ResCode.NOT_FOUND, ZeroDivisionError: lambda error: error.made}
_DECIDING = Answering(errgrpc.ResCode, translate=_TRANSLATE, on_error=lambda *_, **__: None)

ATTRIBUTES = (
    "__traceback__", "__cause__", "__context__", "__class__", "__suppress_context__", "__notes__",
    "args", "exceptions", "message", "made", "request_id", "error_code", "code", "details",
    "_values", "_details", "__dict__", "__str__", "__repr__", "__hash__", "__eq__", "__bool__",
    "__len__", "__getattr__", "__getattribute__",
)  # fmt: skip
FAILURES: dict[str, type[BaseException]] = {
    failure.__name__: failure
    for failure in (
        LookupError,
        SystemExit,
        KeyError,
        RecursionError,
        AttributeError,
        StopIteration,
    )
}
BASES: dict[str, type[BaseException]] = {
    "other": LookupError, "translated": KeyError, "made": ZeroDivisionError,
    "group": BaseExceptionGroup, "coded": errgrpc.ServiceError, "forgetful": errgrpc.ServiceError,
    "double": errgrpc.RemoteError, "ending": SystemExit,
}  # fmt: skip
_METHODS = (
    "__str__",
    "__repr__",
    "__hash__",
    "__eq__",
    "__bool__",
    "__len__",
    "__getattr__",
    "__getattribute__",
)
Recipe = tuple[str, frozenset[str], str, Any]


def hostile(recipe: Recipe | None) -> BaseException:
    """Returns an exception whose attributes raise."""
    if recipe is None:
        return LookupError(SECRET)
    base, names, failure, inner = recipe

    def raises(*_: object, **__: object) -> Any:
        raise FAILURES[failure](SECRET)

    own: dict[str, Any] = {name: raises if name in _METHODS else property(raises) for name in names}
    plain: dict[str, Any] = {} if base == "coded" else {"__init__": lambda *_, **__: None}
    try:
        kind: Any = type("Hostile", (BASES[base],), {**plain, **own})
    except TypeError:  # ServiceError refuses an override
        kind, own = type("Hostile", (BASES[base],), plain), {}
    if base == "group":
        try:
            return kind(SECRET, [hostile(inner)])  # type: ignore[no-any-return]
        except tuple(FAILURES.values()):
            # Python looks at the classes of the members, so it refuses such a group.
            return kind(SECRET, [LookupError(SECRET)])  # type: ignore[no-any-return]
    made = kind.__new__(kind, SECRET)
    if inner is not None:
        BaseException.__dict__["__cause__"].__set__(made, hostile(inner))
    if base == "coded" and not own:
        made.__init__(errgrpc.ResCode.CONFLICT)
    return made  # type: ignore[no-any-return]


def decision(recipe: Recipe | None, metadata: Any, trailers: Any, status: Any) -> None:
    """Checks the answer to any exception of a handler, whatever its context says.

    gRPC can send the answer. It has a code, and no text of the exception.
    """
    answer = _DECIDING.answer(
        hostile(recipe), Rpc("/test.Service/Method", metadata, trailers, status, "text")
    )
    assert isinstance(answer.status, StatusCode)
    assert answer.status is not StatusCode.OK
    raw: Any = dict(answer.trailers).get(DETAILS_KEY)
    if raw is None:  # a status that the handler had set is kept
        assert status is answer.status
        return
    assert SECRET not in answer.message
    assert SECRET.encode() not in raw
    read = errgrpc.decode(raw, errgrpc.ResCode)
    assert read.error_code is not None
    assert read.code() is answer.status


def http(status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Reads any HTTP answer: the attributes of the error can be read and shown."""
    error = errgrpc.http.decode(status, headers, body, *CATALOGUES)
    examine(error)
    errgrpc.http.data(error)


def codegen(request: bytes) -> None:
    """Runs the plugin on any bytes: it refuses them by name, or writes modules that run."""
    try:
        answer = plugin.run(request)
    except ValueError as error:
        assert isinstance(error.__cause__, DecodeError)  # noqa: PT017  no other error is allowed
        return
    response = CodeGeneratorResponse.FromString(answer)
    assert not (response.error and response.file)
    assert all(line.isprintable() for line in response.error.split("\n"))
    for file in response.file:
        namespace: dict[str, Any] = {"__name__": "generated"}
        exec(compile(file.content, file.name, "exec"), namespace)  # noqa: S102  the plugin's output must run
        for name in namespace["__all__"]:
            assert issubclass(namespace[name], errgrpc.ErrorCode)
            assert list(namespace[name])


def pasted(data: bytes) -> None:
    """Reads what people paste into `errgrpc decode`: details in any encoding between other text."""
    source, pieces = Source(data), list[str]()
    for _ in range(1 + source.byte() % 4):
        raw = _details(source)
        encoded = base64.b64encode(raw).decode()
        pieces.append(
            source.one_of(
                encoded.rstrip("="),
                base64.urlsafe_b64encode(raw).decode(),
                encoded[: source.byte()],
                raw.hex(" "),
                repr(raw),
                str(errgrpc.decode(raw, *CATALOGUES)),
                json.dumps({"error": {"code": 404, "message": source.text(), "details": []}}),
                json.dumps({"code": source.byte(), "msg": source.text(), "requestId": "r"}),
            )
        )
        pieces.append(source.one_of("\n", ", ", "grpc-status-details-bin: ", source.text()))
    # A small input can ask for a megabyte. The time grows with the text, and tests/cli bounds it.
    text = "".join(pieces)[:100_000]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        shown.show(_TABLES, finding.find(text), source.one_of("text", "json"))
    assert all(
        character == "\n" or safe(character) == character for character in printed.getvalue()
    )


CHECKS: dict[str, Callable[[bytes], None]] = {
    "reader": reader,
    "accept_language": accept_language,
    "pasted": pasted,
}
"""The checks for the coverage-guided fuzzer."""
