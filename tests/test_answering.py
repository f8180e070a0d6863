"""Answers to exceptions: the rules in their order, the request id, the one log record."""

import asyncio
import logging
import re
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, remote
from errgrpc.answering import Answering, Rpc, RpcAnswer
from errgrpc.codes import status_of
from errgrpc.raised import catcher
from errgrpc.wire.packing import DETAILS_KEY, pack

METHOD = "/test.Service/Method"
SECRET = "canary-secret"
FALLBACK = ResCode.INTERNAL_SERVER_ERROR


def rpc_of(**given: Any) -> Rpc:
    whole: dict[str, Any] = {
        "method": METHOD,
        "metadata": (),
        "trailers": (),
        "status": None,
        "details": "",
        "aborted": False,
    }
    return Rpc(**whole | given)


def ask(
    error: BaseException,
    *,
    translate: Any = None,
    on_error: Any = None,
    max_trailer_bytes: int = 7_900,
    **given: Any,
) -> RpcAnswer:
    made = Answering(
        ResCode, translate=translate, on_error=on_error, max_trailer_bytes=max_trailer_bytes
    )
    return made.answer(error, rpc_of(**given))


def read(answer: RpcAnswer) -> RemoteError:
    """The error that a client reads from an answer."""
    *_, (key, raw) = answer.trailers
    assert key == "grpc-status-details-bin"
    assert isinstance(raw, bytes)
    status = status_pb2.Status.FromString(raw)
    assert (status.code, status.message) == (answer.status.value[0], answer.message)
    return errgrpc.decode(raw, ResCode, ComponentCode)


def upstream(
    request_id: str | None = "upstream-id", code: ErrorCode = ResCode.ROOM_NOT_EXIST
) -> RemoteError:
    info = rpc.ErrorInfo(reason=code.reason, domain=code.domain, metadata={"secret": SECRET})
    details = [pack(info)] + (
        [] if request_id is None else [pack(rpc.RequestInfo(request_id=request_id))]
    )
    return errgrpc.decode(
        status_pb2.Status(code=5, message=SECRET, details=details), ResCode, ComponentCode
    )


class Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """All log records of the library."""
    logger, keeping = logging.getLogger("errgrpc"), Keeping()
    logger.addHandler(keeping)
    logger.setLevel(logging.DEBUG)
    yield keeping.records
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(keeping)


class Forgetful(ServiceError):
    def __init__(self) -> None:
        pass


class Unprintable(Exception):
    def __str__(self) -> str:
        raise LookupError

    __repr__ = __str__


class Classless(Unprintable):
    __class__: Any = property(Unprintable.__str__)


class Fake(Exception):
    """Looks like a group and a received error, but is neither."""

    exceptions = None
    request_id = "fake"


# Unhandled exceptions.


@pytest.mark.parametrize(
    "error",
    [
        lambda: LookupError(SECRET),
        lambda: KeyboardInterrupt(SECRET),
        lambda: SystemExit(SECRET),
        lambda: asyncio.CancelledError(SECRET),
        GeneratorExit,
        lambda: StopIteration(SECRET),
        lambda: RecursionError(SECRET),
        MemoryError,
        Unprintable,
        Classless,
        Forgetful,
        Fake,
        upstream,
        lambda: grpc.RpcError(SECRET),
        lambda: ExceptionGroup(SECRET, [LookupError(SECRET), upstream()]),
        lambda: BaseExceptionGroup(SECRET, [KeyboardInterrupt(SECRET)]),
    ],
)
def test_the_fallback_answers_an_unhandled_exception(
    error: Any, records: list[logging.LogRecord]
) -> None:
    raised = error()
    answer = ask(raised, metadata=(("x-request-id", "r-1"),))
    assert (answer.status, answer.message) == (StatusCode.INTERNAL, "Internal Server Error")
    assert SECRET not in repr(answer)
    client = read(answer)
    assert client.error_code is FALLBACK
    assert (client.request_id, client.metadata) == ("r-1", {})
    assert [type(detail) for detail in client.status_details] == [
        rpc.ErrorInfo,
        rpc.LocalizedMessage,
        rpc.RequestInfo,
    ]
    (record,) = records
    assert record.levelno == logging.ERROR
    assert (
        record.getMessage() == f"'{METHOD}' answers ResCode.INTERNAL_SERVER_ERROR, request id r-1"
    )
    assert (
        record.__dict__["grpc_method"],
        record.__dict__["error_code"],
        record.__dict__["request_id"],
    ) == (
        METHOD,
        "INTERNAL_SERVER_ERROR",
        "r-1",
    )
    assert record.exc_info == (type(raised), raised, raised.__traceback__)
    if type(raised) is not Classless:  # Python itself cannot format a traceback of Classless
        assert logging.Formatter().format(record)


def test_the_record_has_the_traceback(records: list[logging.LogRecord]) -> None:
    try:
        raise LookupError(SECRET)
    except LookupError as error:
        ask(error)
    assert "raise LookupError(SECRET)" in logging.Formatter().format(records[0])


def test_an_instance_raised_again_and_again_keeps_the_last_traceback(
    records: list[logging.LogRecord],
) -> None:
    def handler(depth: int) -> None:
        if depth:
            handler(depth - 1)
        raise shared

    @catcher
    def guard(depth: int) -> int:
        try:
            handler(depth)
        except BaseException as error:  # noqa: BLE001
            ask(error)
        return len(list(traceback.walk_tb(shared.__traceback__)))

    shared: BaseException = LookupError()
    # one frame of each traceback marks what was logged before
    assert [guard(2), guard(0), guard(0), guard(3), guard(1)] == [5, 3, 3, 6, 4]
    assert [
        len(list(traceback.walk_tb(record.exc_info[2]))) for record in records if record.exc_info
    ] == [4, 2, 2, 5, 3]
    shared = ServiceError(ResCode.CONFLICT)
    assert [guard(2), guard(0)] == [0, 0]


def test_the_fallback_is_the_catalogue_s() -> None:
    class ShopCode(ErrorCode, domain="shop.example.com", fallback="BROKEN"):
        BROKEN = 5, errgrpc.Spec(StatusCode.DATA_LOSS, message="Broken")

    answer = Answering(ShopCode).answer(LookupError(), rpc_of())
    assert (answer.status, answer.message) == (StatusCode.DATA_LOSS, "Broken")
    assert read(answer).reason == "BROKEN"


# Coded errors.


@pytest.mark.parametrize(
    "code", [code for code in (*ResCode, *ComponentCode) if code is not ResCode.SUCCESS], ids=str
)
def test_a_service_error_is_answered_as_itself(
    code: ErrorCode, records: list[logging.LogRecord]
) -> None:
    carried = {field.key: field.example for field in code.metadata_fields} or {"anything": "r"}
    answer = ask(
        ServiceError(code, metadata=carried),
        metadata=(("accept-language", "en"), ("x-request-id", "r-1")),
    )
    assert (answer.status, answer.message) == (code.grpc_status, code.message)
    client = read(answer)
    assert type(client) is remote(code)
    assert (client.hint, client.metadata, client.request_id) == (
        code.hint("en-US", carried),
        carried,
        None,
    )
    assert records == []


def test_the_language_is_the_request_s() -> None:
    def locale(*metadata: tuple[str, str]) -> str | None:
        return read(ask(ServiceError(ResCode.CONFLICT), metadata=metadata)).locale

    assert locale() == locale(("accept-language", "broken;;;")) == "zh-CN"
    assert locale(("grpcgateway-accept-language", "en")) == "en-US"
    assert locale(("accept-language", "zh"), ("grpcgateway-accept-language", "en")) == "zh-CN"
    assert read(ask(LookupError(), metadata=(("accept-language", "en"),))).locale == "en-US"


# Groups.


def test_of_a_group_the_first_coded_error_counts(records: list[logging.LogRecord]) -> None:
    first, second = ServiceError(ResCode.CONFLICT), ServiceError(ResCode.NOT_FOUND)
    assert read(ask(ExceptionGroup("g", [first, second]))).error_code is ResCode.CONFLICT
    assert read(ask(ExceptionGroup("g", [second, first]))).error_code is ResCode.NOT_FOUND
    assert (
        read(ask(ExceptionGroup("g", [ExceptionGroup("g", [second]), first]))).error_code
        is ResCode.NOT_FOUND
    )
    assert read(ask(ExceptionGroup("g", [first]))).error_code is ResCode.CONFLICT
    assert records == []


def test_a_coded_error_among_others_is_logged_with_them(records: list[logging.LogRecord]) -> None:
    group = ExceptionGroup(
        "g",
        [LookupError(SECRET), ExceptionGroup("g", [upstream(), ServiceError(ResCode.CONFLICT)])],
    )
    answer = ask(group, translate={LookupError: ResCode.NOT_FOUND})
    assert read(answer).error_code is ResCode.CONFLICT
    assert SECRET not in repr(answer)
    (record,) = records
    assert record.levelno == logging.ERROR
    assert (
        record.getMessage() == f"'{METHOD}' answers ResCode.CONFLICT, raised in a group with others"
    )
    assert record.exc_info == (ExceptionGroup, group, None)


def test_a_group_is_translated_by_its_members_then_as_itself(
    records: list[logging.LogRecord],
) -> None:
    group = ExceptionGroup("g", [OSError(), ExceptionGroup("h", [LookupError()])])
    assert (
        read(
            ask(group, translate={LookupError: ResCode.NOT_FOUND, ExceptionGroup: ResCode.CONFLICT})
        ).error_code
        is ResCode.NOT_FOUND
    )
    assert (
        read(ask(group, translate={ExceptionGroup: ResCode.CONFLICT})).error_code
        is ResCode.CONFLICT
    )
    assert (
        read(
            ask(group, translate={Exception: ResCode.FORBIDDEN, LookupError: ResCode.NOT_FOUND})
        ).error_code
        is ResCode.FORBIDDEN
    )
    assert len(records) == 3
    assert (
        read(
            ask(ExceptionGroup("g", [LookupError()]), translate={LookupError: ResCode.NOT_FOUND})
        ).error_code
        is ResCode.NOT_FOUND
    )
    assert len(records) == 3


def test_groups_deeper_than_the_stack() -> None:
    group: Any = ServiceError(ResCode.CONFLICT)
    for _ in range(5_000):
        group = ExceptionGroup("g", [group])
    assert read(ask(group)).error_code is ResCode.CONFLICT
    other: Any = upstream()
    for _ in range(5_000):
        other = ExceptionGroup("g", [other])
    assert (
        Answering(ResCode, on_error=lambda *_, **__: None).answer(other, rpc_of()).status
        is StatusCode.INTERNAL
    )


# Translations.


def test_translations() -> None:
    def function(error: BaseException) -> ServiceError:
        return ServiceError(ResCode.CONFLICT, room_uuid=str(error))

    table: dict[Any, Any] = {
        LookupError: ResCode.NOT_FOUND,
        KeyError: function,
        OSError: ComponentCode.RTC_INIT_ERROR,
    }
    assert read(ask(LookupError(), translate=table)).error_code is ResCode.NOT_FOUND
    assert read(ask(IndexError(), translate=table)).error_code is ResCode.NOT_FOUND
    assert read(ask(ConnectionError(), translate=table)).error_code is ComponentCode.RTC_INIT_ERROR
    assert read(ask(ValueError(), translate=table)).error_code is FALLBACK
    client = read(ask(KeyError(5), translate=table))
    assert (client.error_code, client.metadata) == (ResCode.CONFLICT, {"room_uuid": "5"})
    assert (
        read(ask(KeyError(5), translate=dict(reversed(table.items())))).error_code
        is ResCode.CONFLICT
    )


def test_a_translated_error_is_expected(records: list[logging.LogRecord]) -> None:
    assert (
        read(ask(LookupError(SECRET), translate={LookupError: ResCode.NOT_FOUND})).request_id
        is None
    )
    assert records == []


def test_a_coded_error_is_not_translated() -> None:
    assert (
        read(
            ask(ServiceError(ResCode.CONFLICT), translate={Exception: ResCode.NOT_FOUND})
        ).error_code
        is ResCode.CONFLICT
    )
    assert (
        read(ask(Forgetful(), translate={ServiceError: ResCode.NOT_FOUND})).error_code
        is ResCode.NOT_FOUND
    )


def test_the_table_is_copied() -> None:
    table: dict[Any, Any] = {LookupError: ResCode.NOT_FOUND}
    made = Answering(ResCode, translate=table)
    table.clear()
    assert made.answer(LookupError(), rpc_of()).status is StatusCode.NOT_FOUND


def test_a_gateway_passes_on_what_it_names() -> None:
    translate = {remote(ResCode): ServiceError.from_remote}
    client = read(ask(upstream(), translate=translate, metadata=(("x-request-id", "own"),)))
    assert (client.error_code, client.request_id, client.metadata) == (
        ResCode.ROOM_NOT_EXIST,
        "upstream-id",
        {"secret": SECRET},
    )
    assert (
        read(ask(upstream(code=ComponentCode.RTC_INIT_ERROR), translate=translate)).error_code
        is FALLBACK
    )


def raising(_: BaseException) -> ServiceError:
    raise KeyError("translator")


def interrupting(_: BaseException) -> ServiceError:
    raise KeyboardInterrupt("translator")


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (raising, KeyError),
        (interrupting, KeyboardInterrupt),
        (lambda _: None, TypeError),
        (lambda _: Forgetful(), TypeError),
        (ServiceError.from_remote, ValueError),
    ],
)
def test_a_translator_that_fails_is_masked_and_logged(
    target: Any, kind: type, records: list[logging.LogRecord]
) -> None:
    error = errgrpc.decode(status_pb2.Status(code=5, message=SECRET), ResCode)
    answer = ask(error, translate={RemoteError: target}, status=StatusCode.ABORTED)
    assert read(answer).error_code is FALLBACK
    assert SECRET not in repr(answer)
    (record,) = records
    assert record.exc_info is not None
    failure = record.exc_info[1]
    assert failure is not None
    assert failure.__context__ is error
    assert type(failure) is kind


def test_what_a_translator_gave_is_named(records: list[logging.LogRecord]) -> None:
    ask(LookupError(), translate={Exception: lambda _: "text"})
    assert (
        str(records[0].exc_info and records[0].exc_info[1])
        == "translate[Exception] gave a str, not a ServiceError"
    )


def test_a_translator_s_own_context_stays(records: list[logging.LogRecord]) -> None:
    def chained(error: BaseException) -> ServiceError:
        try:
            raise OSError
        except OSError:
            raise KeyError from error

    def same(error: BaseException) -> ServiceError:
        raise error

    error = LookupError()
    ask(error, translate={LookupError: chained})
    failure: Any = records[0].exc_info and records[0].exc_info[1]
    assert type(failure.__context__) is OSError
    ask(error, translate={LookupError: same})
    assert error.__context__ is None


# Aborts and statuses of the handler.


def test_an_abort_stands(records: list[logging.LogRecord]) -> None:
    trailers = (("x-own", "1"), ("grpc-status-details-bin", b"own"))
    for error in (Exception(), ServiceError(ResCode.CONFLICT)):
        answer = ask(
            error,
            aborted=True,
            signal=type(error) is Exception,
            status=StatusCode.ABORTED,
            details="as I say\ud800",
            trailers=trailers,
            translate={Exception: ResCode.CONFLICT},
        )
        assert answer == RpcAnswer(StatusCode.ABORTED, "as I say\ufffd", trailers)
    (record,) = records  # a raise after the abort is a bug in the handler
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        f"'{METHOD}' raised after it had aborted with StatusCode.ABORTED",
    )
    records.clear()
    assert ask(Exception(), aborted=True, signal=True, details="x") == RpcAnswer(
        StatusCode.UNKNOWN, "x", ()
    )
    assert records == []


def test_an_abort_is_cut_to_what_arrives(records: list[logging.LogRecord]) -> None:
    own = status_pb2.Status(code=10, message="m" * 30_000)
    trailers = [(DETAILS_KEY, own.SerializeToString())]
    answer = ask(
        Exception(),
        aborted=True,
        signal=True,
        status=StatusCode.ABORTED,
        details=own.message,
        trailers=trailers,
    )
    assert answer.status is StatusCode.ABORTED
    assert set(answer.message) == {"m"}
    ((_, cut),) = answer.trailers
    assert isinstance(cut, bytes)
    # grpcio-status compares these
    assert status_pb2.Status.FromString(cut) == status_pb2.Status(code=10, message=answer.message)
    (record,) = records
    assert (
        record.getMessage()
        == f"'{METHOD}' answers StatusCode.ABORTED cut to 7900 bytes of trailers: message"
    )


def test_a_status_that_was_set_stands_but_for_coded_errors(
    records: list[logging.LogRecord],
) -> None:
    given: dict[str, Any] = {
        "status": StatusCode.ABORTED,
        "details": "set",
        "trailers": (("grpc-status-details-bin", b"own"),),
    }
    error = LookupError(SECRET)
    assert ask(error, **given) == RpcAnswer(StatusCode.ABORTED, "set", given["trailers"])
    (record,) = records
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        f"'{METHOD}' failed with the status that it had set, StatusCode.ABORTED",
    )
    assert record.exc_info == (LookupError, error, None)
    assert ask(upstream(), **given).status is StatusCode.ABORTED
    assert read(ask(ServiceError(ResCode.CONFLICT), **given)).error_code is ResCode.CONFLICT
    assert (
        read(ask(error, translate={LookupError: ResCode.NOT_FOUND}, **given)).error_code
        is ResCode.NOT_FOUND
    )


def test_the_handler_s_trailers_go_before_ours() -> None:
    trailers = (
        ("x-own", "1"),
        ("grpc-status-details-bin", b"replaced"),
        ("x-bin", b"\xff"),
        ("grpc-status-details-bin", b"too"),
    )
    answer = ask(ServiceError(ResCode.CONFLICT), trailers=trailers)
    assert answer.trailers[:-1] == (("x-own", "1"), ("x-bin", b"\xff"))
    assert read(answer).error_code is ResCode.CONFLICT
    assert ask(LookupError(), trailers=iter(trailers)).trailers[:-1] == answer.trailers[:-1]


# Request ids.


@pytest.mark.parametrize(
    ("metadata", "error", "request_id"),
    [
        ((("x-request-id", "r-1"),), LookupError(), "r-1"),
        ((("x-request-id", "a" * 128),), LookupError(), "a" * 128),
        ((("x-request-id", "é"), ("x-request-id", "r-2")), LookupError(), "r-2"),
        ((("x-request-id", "r-1"), ("x-request-id", "r-2")), LookupError(), "r-1"),
        ((("x-request-id", " "), ("x-request-id", "r-2")), LookupError(), "r-2"),
        ((("x-request-id", "r-1"),), upstream(), "r-1"),
        ((), upstream(), "upstream-id"),
        ((("x-request-id", "a" * 129),), upstream(), "upstream-id"),
        ((("x-request-id", "a\n"),), upstream(), "upstream-id"),
        ((("x-request-id", b"r-1"),), upstream(), "upstream-id"),
        ((("other", "r-1"),), upstream(), "upstream-id"),
        ((), ExceptionGroup("g", [LookupError(), upstream()]), "upstream-id"),
        ((), ExceptionGroup("g", [upstream("first"), upstream("second")]), "first"),
    ],
)
def test_the_request_id(metadata: Any, error: BaseException, request_id: str) -> None:
    assert read(ask(error, metadata=metadata)).request_id == request_id


@pytest.mark.parametrize("hostile", [None, "", " ", "é", "a\n", "a" * 129])
def test_a_fresh_id_if_no_given_id_may_travel(hostile: str | None) -> None:
    ids = {
        read(ask(upstream(hostile), metadata=(("x-request-id", "\x1b"),))).request_id
        for _ in range(3)
    }
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", str(found)) for found in ids)


def test_the_request_id_of_what_led_to_it() -> None:
    def chain(cause: BaseException | None, context: BaseException | None) -> BaseException:
        error = LookupError()
        error.__cause__, error.__context__ = cause, context
        return error

    assert read(ask(chain(upstream("cause"), upstream("context")))).request_id == "cause"
    assert read(ask(chain(None, upstream("context")))).request_id == "context"
    assert read(ask(chain(chain(upstream("deep"), None), upstream("context")))).request_id == "deep"
    loop = LookupError()
    inner = chain(loop, upstream("in a loop"))
    loop.__context__ = inner
    assert read(ask(loop)).request_id == "in a loop"
    fake = chain(Fake(), None)
    assert read(ask(fake)).request_id != "fake"


def test_a_long_chain_of_causes() -> None:
    error: BaseException = upstream("first")
    for _ in range(50_000):
        following = LookupError()
        following.__context__ = error
        error = following
    assert read(ask(error, on_error=lambda *_, **__: None)).request_id == "first"


def test_if_the_client_has_gone_there_is_no_error_record(records: list[logging.LogRecord]) -> None:
    heard: list[Any] = []
    answer = ask(
        LookupError(),
        gone=True,
        metadata=(("x-request-id", "r-1"),),
        on_error=lambda *args, **_: heard.append(args),
    )
    assert answer.status is StatusCode.INTERNAL
    assert [(record.levelno, record.getMessage()) for record in records] == [
        (logging.INFO, f"'{METHOD}' could not be answered, request id r-1")
    ]
    assert records[0].exc_info is not None
    assert heard == []


# on_error and the log.


def test_on_error_hears_instead_of_the_log(records: list[logging.LogRecord]) -> None:
    heard: list[Any] = []

    def on_error(error: BaseException, *, method: str, code: ErrorCode, request_id: str) -> None:
        heard.append((error, method, code, request_id))

    error = LookupError()
    client = read(ask(error, on_error=on_error))
    ask(ServiceError(ResCode.CONFLICT), on_error=on_error)
    ask(error, on_error=on_error, status=StatusCode.ABORTED)
    assert heard == [(error, METHOD, FALLBACK, client.request_id)]
    assert [record.levelno for record in records] == [logging.ERROR]


@pytest.mark.parametrize("failure", [LookupError(), KeyboardInterrupt(), SystemExit()])
def test_what_on_error_raises_is_logged_and_goes_no_further(
    failure: BaseException, records: list[logging.LogRecord]
) -> None:
    def on_error(error: BaseException, **_: Any) -> None:
        raise failure

    client = read(ask(LookupError(), on_error=on_error, metadata=(("x-request-id", "r-1"),)))
    assert client.error_code is FALLBACK
    (record,) = records
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        f"on_error failed for '{METHOD}', request id r-1",
    )
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


def test_the_log_of_a_failing_on_error_has_the_error_too(records: list[logging.LogRecord]) -> None:
    def fails(error: BaseException, **_: Any) -> None:
        raise KeyError

    def fails_in_turn(error: BaseException, **_: Any) -> None:
        try:
            raise OSError
        except OSError:
            raise KeyError from error

    def passes_on(error: BaseException, **_: Any) -> None:
        raise error

    error = LookupError()
    for on_error in (fails, fails_in_turn, passes_on):
        ask(error, on_error=on_error)
    failures: list[Any] = [record.exc_info and record.exc_info[1] for record in records]
    assert [type(failure.__context__) for failure in failures] == [LookupError, OSError, type(None)]
    assert failures[0].__context__ is failures[2] is error


def test_a_log_that_fails_costs_no_answer() -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise LookupError

    logger, broken = logging.getLogger("errgrpc"), Broken()
    logger.addHandler(broken)
    try:
        assert read(ask(LookupError())).error_code is FALLBACK
    finally:
        logger.removeHandler(broken)


def test_the_method_is_no_format_string_and_escaped(records: list[logging.LogRecord]) -> None:
    ask(LookupError(), method="/%s\x1b\n{}", metadata=(("x-request-id", "%d"),))
    assert (
        records[0].getMessage()
        == r"'/%s\x1b\n{}' answers ResCode.INTERNAL_SERVER_ERROR, request id %d"
    )


def test_a_record_says_where_it_comes_from(records: list[logging.LogRecord]) -> None:
    """Mutation tests leave it out, as their functions call each other through wrappers."""
    ask(LookupError(), trailers=[None])
    assert [(Path(record.pathname).name, record.funcName) for record in records] == [
        ("reports.py", "report"),
        ("reports.py", "report"),
    ]


def test_what_was_shed_is_logged_once(records: list[logging.LogRecord]) -> None:
    error = ServiceError(
        ResCode.BAD_REQUEST, "m" * 5_000, metadata={"filler": "f" * 7_000, "room": "b"}
    )
    answer = ask(error)
    client = read(answer)
    assert (client.error_code, client.metadata, len(answer.message) > 1_024) == (
        ResCode.BAD_REQUEST,
        {"room": "b"},
        True,
    )
    assert client.hint is not None
    (record,) = records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"'{METHOD}' answers ResCode.BAD_REQUEST cut to 7900 bytes of trailers: message, metadata"
    )
    assert record.exc_info is None


def test_the_limit_is_the_interceptor_s() -> None:
    error = ServiceError(ResCode.BAD_REQUEST, metadata={"filler": "f" * 2_000})
    assert read(ask(error)).metadata
    assert not read(ask(error, max_trailer_bytes=1_024)).metadata
    assert read(ask(error)).metadata  # the error itself is not cut


def test_trailers_past_the_limit_go(records: list[logging.LogRecord]) -> None:
    answer = ask(
        ServiceError(ResCode.CONFLICT),
        trailers=[("x-first", "1"), ("x-long", "v" * 9_000), ("x-last", "1")],
    )
    assert answer.trailers[:-1] == (("x-first", "1"), ("x-last", "1"))
    assert (read(answer).error_code, answer.message) == (ResCode.CONFLICT, ResCode.CONFLICT.message)
    assert read(answer).locale is not None
    assert len(records) == 1


# Arguments.


def wrong_on_error() -> Any:
    async def on_error(error: BaseException, **_: Any) -> None: ...

    return on_error


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"catalogue": 5}, TypeError, "5 is no catalogue"),
        ({"catalogue": ComponentCode}, ValueError, "ComponentCode declares no fallback"),
        ({"on_error": 5}, TypeError, "on_error is 5: give a function"),
        ({"on_error": wrong_on_error()}, TypeError, "that is not async"),
        (
            {"translate": {KeyError: ResCode}},
            TypeError,
            "KeyError. is <enum 'ResCode'>: give an error code or a function",
        ),
        (
            {"translate": {5: ResCode.CONFLICT}},
            TypeError,
            "translate has the key 5: give exception classes",
        ),
        ({"translate": {int: ResCode.CONFLICT}}, TypeError, "translate has the key <class 'int'>"),
        (
            {"translate": {LookupError: 5}},
            TypeError,
            (
                r"translate\[LookupError\] is 5: give an error code or a function, not async, "
                r"from the exception to a ServiceError$"
            ),
        ),
        ({"translate": {LookupError: wrong_on_error()}}, TypeError, "not async"),
        (
            {"translate": {LookupError: ResCode.SUCCESS}},
            ValueError,
            r"ResCode\.SUCCESS is a success",
        ),
        (
            {"max_trailer_bytes": 1_023},
            ValueError,
            "max_trailer_bytes is 1023, not an int of at least 1024",
        ),
        ({"max_trailer_bytes": "x"}, ValueError, "max_trailer_bytes is 'x'"),
        ({"max_trailer_bytes": 8e3}, ValueError, "max_trailer_bytes is 8000.0"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        Answering(options.pop("catalogue", ResCode), **options)


def test_the_least_limit_holds_the_longest_code() -> None:
    codes = {"A" * 63: (-(2**31), errgrpc.Spec(StatusCode.ABORTED, hints={"en": "h" * 999}))}
    options = {"domain": "d" * 255, "fallback": "A" * 63}
    longest: Any = types.new_class(
        "LongCode", (ErrorCode,), options, lambda body: body.update(codes)
    )
    made = Answering(longest, max_trailer_bytes=1_024)
    for error in (
        ServiceError(longest["A" * 63], "m" * 9_000, metadata={"k" * 64: "v" * 999}),
        LookupError(),
    ):
        answer = made.answer(error, rpc_of(trailers=[("x", "v" * 999)]))
        assert (read(answer).reason, read(answer).domain, read(answer).number) == (
            "A" * 63,
            "d" * 255,
            -(2**31),
        )


def test_encode() -> None:
    error = ServiceError(
        ResCode.CONFLICT, "m" * 9_000, room_uuid="r", details=[rpc.RequestInfo(request_id="id")]
    )
    status = errgrpc.encode(error, "en")
    assert (status.code, status.message) == (6, "m" * 9_000)
    client = errgrpc.decode(status, ResCode)
    assert (client.error_code, client.locale, client.metadata, client.request_id) == (
        ResCode.CONFLICT,
        "en-US",
        {"room_uuid": "r"},
        "id",
    )
    assert errgrpc.decode(errgrpc.encode(error), ResCode).locale == "zh-CN"
    wrong: Any
    for wrong in (LookupError(), upstream(), None):
        with pytest.raises(
            TypeError, match=rf"^{re.escape(repr(wrong))} is no errgrpc\.ServiceError$"
        ):
            errgrpc.encode(wrong)


# What gRPC can send.

GOOD: list[Any] = [
    ("x-a", ""),
    ("x-a", " ~"),
    ("x-a", b"ascii"),
    ("0_.-z", "v"),
    ("x-bin", b"\xff"),
    ("-bin", b""),
]
BAD: list[Any] = [
    ("x-a", "é"),
    ("x-a", "a\n"),
    ("x-a", b"\xff"),
    ("x-a", 5),
    ("x-a", None),
    ("x-bin", "text"),
    ("X-A", "v"),
    ("x a", "v"),
    (":path", "v"),
    ("", "v"),
    ("x\n", "v"),
    ("é", "v"),
    (b"x-a", "v"),
    (5, "v"),
    ("grpc-timeout", "1S"),
    ("grpclb_client_stats", "v"),
    ("x-a",),
    ("x-a", "v", "w"),
    "text",
    5,
    None,
]


def sendable(trailers: Any) -> list[Any]:
    """The trailing metadata of a handler that aborts, as they are sent."""
    return list(Answering(ResCode).standing(METHOD, StatusCode.ABORTED, "", trailers).trailers)


def test_what_grpc_can_send_is_sent() -> None:
    assert sendable(GOOD) == GOOD
    assert sendable(None) == sendable(()) == []


@pytest.mark.parametrize("entry", BAD, ids=range(len(BAD)))
def test_what_it_cannot_is_left_out(entry: Any, records: list[logging.LogRecord]) -> None:
    assert sendable([GOOD[1], entry, GOOD[4]]) == [GOOD[1], GOOD[4]]
    (record,) = records
    assert record.levelno == logging.WARNING
    key = entry[0] if isinstance(entry, tuple) and len(entry) == 2 else None
    assert (
        record.getMessage()
        == f"trailing metadata that gRPC cannot send is left out, its key is {key!r}"
    )


def test_a_long_key_is_named_in_part(records: list[logging.LogRecord]) -> None:
    assert sendable([("K" * 5_000, "v")]) == []
    assert records[0].getMessage().endswith("its key is '" + "K" * 199 + "...")


@pytest.mark.parametrize("trailers", [5, object(), ServiceError])
def test_what_is_no_metadata_at_all(trailers: Any) -> None:
    assert sendable(trailers) == []
    assert (
        read(ask(ServiceError(ResCode.CONFLICT), trailers=trailers)).error_code is ResCode.CONFLICT
    )


@given(
    st.lists(
        st.tuples(
            st.text(max_size=4) | st.sampled_from(["x-a", "x-bin"]),
            st.text(max_size=4) | st.binary(max_size=4) | st.none(),
        )
    )
)
def test_sendable_takes_anything(trailers: list[Any]) -> None:
    logging.getLogger("errgrpc").setLevel(logging.CRITICAL)
    try:
        for key, value in sendable(trailers):
            assert key.isascii()
            assert isinstance(value, bytes) or value.isascii()
    finally:
        logging.getLogger("errgrpc").setLevel(logging.NOTSET)


def test_status_of() -> None:
    assert status_of(StatusCode.ABORTED) is StatusCode.ABORTED
    for nothing in (StatusCode.OK, None, 5, "ABORTED"):
        assert status_of(nothing) is None
    assert DETAILS_KEY == "grpc-status-details-bin"
