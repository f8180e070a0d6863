"""Answers under hostile objects: exceptions, arguments, hooks and loggers.

Each time, the client is answered and the operator has one true record.
"""

import asyncio
import contextlib
import io
import logging
import sys
import textwrap
import threading
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode, _server

import errgrpc
import errgrpc.http
from errgrpc import ErrorCode, MisuseWarning, RemoteError, ResCode, ServiceError, Spec

CANARY = "canary-secret"


def raising(_: object = None) -> Any:
    raise LookupError(CANARY)


def conflict(_: object = None) -> Any:
    raise ServiceError(ResCode.CONFLICT)


class OwnAttributes(ServiceError):
    def __init__(self) -> None:
        super().__init__(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")
        self._details = self._message = self._metadata = self._hints = self._values = (
            self._error_code
        ) = 5  # type: ignore[misc, assignment]


class Forgetful(ServiceError):
    def __init__(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


class Falsy(ServiceError):
    def __len__(self) -> int:
        return 0


class Group(ExceptionGroup[Exception]):
    exceptions = property(raising)  # type: ignore[assignment]


class Traceback(LookupError):
    __traceback__ = property(raising)  # type: ignore[assignment]


class Causes(LookupError):
    __context__ = __cause__ = property(raising)  # type: ignore[assignment]


class Class(LookupError):
    __class__ = property(raising)  # type: ignore[assignment]


class Text(LookupError):
    __str__ = __repr__ = raising


class Arguments(Exception):
    args = property(raising)  # type: ignore[assignment]


class Double(RemoteError):
    def __init__(self) -> None:
        pass


class Name(type):
    def __getattribute__(cls, name: str) -> Any:
        return (
            raising()
            if name in {"__name__", "__mro__", "__module__"}
            else super().__getattribute__(name)
        )


class Meta(LookupError, metaclass=Name):
    pass


def translated_to_falsy() -> BaseException:
    return KeyError()


HOSTILE: dict[str, tuple[Any, ErrorCode]] = {
    "attributes of its own": (OwnAttributes, ResCode.ROOM_NOT_EXIST),
    "a forgotten __init__": (Forgetful, ResCode.INTERNAL_SERVER_ERROR),
    "a falsy error that was translated to": (translated_to_falsy, ResCode.CONFLICT),
    "a group": (lambda: Group("text", [ServiceError(ResCode.CONFLICT)]), ResCode.CONFLICT),
    "a group of others": (lambda: Group("text", [LookupError()]), ResCode.INTERNAL_SERVER_ERROR),
    "__traceback__": (Traceback, ResCode.INTERNAL_SERVER_ERROR),
    "__cause__ and __context__": (Causes, ResCode.INTERNAL_SERVER_ERROR),
    "__class__": (Class, ResCode.INTERNAL_SERVER_ERROR),
    "texts": (Text, ResCode.INTERNAL_SERVER_ERROR),
    "args": (Arguments, ResCode.INTERNAL_SERVER_ERROR),
    "a double of a RemoteError": (Double, ResCode.INTERNAL_SERVER_ERROR),
    "a metaclass": (Meta, ResCode.INTERNAL_SERVER_ERROR),
}


@pytest.mark.parametrize("style", harness.STYLES)
def test_whatever_is_raised_is_answered_and_leaves_one_record(
    style: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[logging.LogRecord] = []
    keeping: Any = logging.Handler()
    keeping.emit = records.append  # unformatted, as formatting these records raises
    monkeypatch.setattr(logging.getLogger("errgrpc"), "handlers", [keeping])
    monkeypatch.setattr(logging.getLogger("errgrpc"), "propagate", False)
    with harness.serve(style, translate={KeyError: lambda _: Falsy(ResCode.CONFLICT)}) as target:
        for name, (make, code) in HOSTILE.items():
            records.clear()

            def act(_: Any, make: Any = make) -> None:
                raise make()

            with harness.action(act) as request:
                outcome = harness.call("sync", target, kind, request)
            assert harness.coded(outcome) == code.reason, name
            assert CANARY not in (outcome.details or ""), name
            masked = code is ResCode.INTERNAL_SERVER_ERROR
            assert (outcome.error.request_id is not None) == masked, name
            assert [record.levelno for record in records] == ([logging.ERROR] if masked else []), (
                name
            )


def test_an_error_that_no_rule_can_read_is_masked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last guard answers even if something inside it fails."""
    answering = errgrpc.answering.Answering(ResCode)  # type: ignore[attr-defined]
    rpc = errgrpc.answering.Rpc("/test.Service/Method", ())  # type: ignore[attr-defined]
    for name in ("values_of", "requested", "own_traceback", "_request_id"):
        caplog.clear()
        with monkeypatch.context() as broken:
            broken.setattr(errgrpc.answering, name, raising)  # type: ignore[attr-defined]
            # `requested` is called a second time without a request, and must then succeed
            if name == "requested":
                broken.setattr(
                    errgrpc.answering, name, lambda metadata: raising() if metadata else None
                )  # type: ignore[attr-defined]
                rpc.metadata = (("a", "b"),)
            answer = answering.answer(ValueError("text"), rpc)
        assert (answer.status, answer.message) == (StatusCode.INTERNAL, "Internal Server Error")
        raw: Any = dict(answer.trailers)["grpc-status-details-bin"]
        read = errgrpc.decode(raw, ResCode)
        assert read.error_code is ResCode.INTERNAL_SERVER_ERROR
        (record,) = caplog.records
        assert read.request_id is not None
        assert read.request_id in record.getMessage()


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("kind", harness.KINDS)
def test_a_handler_of_logging_that_ends_the_process_does_not(
    style: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending: Any = logging.Handler()
    ending.emit = lambda _: sys.exit(CANARY)
    monkeypatch.setattr(logging.getLogger("errgrpc"), "handlers", [ending])
    with harness.serve(style) as target, harness.action(raising) as request:
        for _ in range(2):
            assert (
                harness.coded(harness.call("sync", target, kind, request))
                == "INTERNAL_SERVER_ERROR"
            )


# One source for each fact.


@pytest.mark.parametrize(
    "name", ["error_code", "message", "metadata", "hint", "status_details", "retry_delay"]
)
def test_an_error_has_one_source_for_each_fact(name: str) -> None:
    with pytest.raises(
        TypeError,
        match=rf"Overriding overrides ServiceError\.{name}, which the answer does not read",
    ):
        type("Overriding", (ServiceError,), {name: property(lambda _: "another")})
    mixin = type("Mixin", (), {name: "another"})
    with pytest.raises(TypeError, match="overrides"):
        type("Overriding", (mixin, ServiceError), {})
    assert issubclass(
        type("Own", (ServiceError,), {"other": 5, "__str__": lambda _: "own"}), ServiceError
    )


@pytest.mark.parametrize(
    "name",
    [
        "number",
        "reason",
        "grpc_status",
        "http_status",
        "message",
        "description",
        "hints",
        "hints_for",
        "hint",
    ],
)
def test_a_code_has_one_source_for_each_fact(name: str) -> None:
    body = textwrap.dedent(f"""
        class ShopCode(ErrorCode, domain="shop.example.com"):
            GONE = 1, Spec(StatusCode.NOT_FOUND)
            @property
            def {name}(self):
                return "another"
    """)
    with pytest.raises(ValueError, match=rf"ShopCode: it overrides ErrorCode\.{name}"):
        exec(body, {"ErrorCode": ErrorCode, "Spec": Spec, "StatusCode": StatusCode})  # noqa: S102


# Arguments and warnings.


class Lazy:
    """Like a framework's proxy outside of its context."""

    __class__ = property(raising)  # type: ignore[assignment]

    def __str__(self) -> str:
        return "lazy"


def test_a_lazy_argument_costs_no_code() -> None:
    lazy: Any = Lazy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MisuseWarning)
        for arguments in (
            {"message": lazy},
            {"metadata": lazy},
            {"metadata": {"key": lazy}},
            {"metadata": {lazy: "text"}},
            {"key": lazy},
            {"hint": lazy},
            {"hint": {"en": lazy}},
            {"hint": {lazy: "text"}},
            {"details": lazy},
            {"details": [lazy]},
            {"retry_delay": lazy},
        ):
            made: Any = ServiceError
            assert made(ResCode.NOT_FOUND, **arguments).error_code is ResCode.NOT_FOUND
    with pytest.raises(TypeError, match="is no error code"):
        ServiceError(lazy)


def test_a_warning_that_cannot_be_shown_costs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    made: list[ServiceError] = []

    def make() -> None:
        made.append(ServiceError(ResCode.NOT_FOUND, metadata={"BAD KEY": "text"}))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda *_, **__: closed.write("text"))
        make()
        monkeypatch.setattr(warnings, "showwarning", raising)
        make()
    assert len(made) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MisuseWarning):
            make()


def test_a_thread_without_frames_of_python() -> None:
    """A C extension may call the class first in a thread, where no frame can be warned."""
    caught: list[Any] = []
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")

        def excepthook(arguments: Any) -> None:
            caught.append(arguments.exc_value)

        import _thread

        done = threading.Event()
        made: Any = ServiceError

        class Ends(dict[str, object]):
            def items(self) -> Any:
                done.set()
                return {"BAD KEY": "text"}.items()

        before, threading.excepthook = threading.excepthook, excepthook
        try:
            _thread.start_new_thread(made, (ResCode.NOT_FOUND,), {"metadata": Ends()})
            assert done.wait(harness.DEADLINE)
        finally:
            threading.excepthook = before
    assert caught == []


# Outcomes.


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("how", ["replaces", "translated", "in finally"])
def test_an_abort_stands_whatever_is_raised_then(
    style: str, kind: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    def replaced(error: BaseException) -> BaseException:
        return KeyError(CANARY) if how == "translated" else ServiceError(ResCode.CONFLICT)

    def sync_act(context: Any) -> None:
        try:
            context.abort(StatusCode.PERMISSION_DENIED, "as I say")
        except Exception as error:
            if how == "in finally":
                raise ValueError(CANARY) from None
            raise replaced(error) from error

    async def aio_act(context: Any) -> None:
        try:
            await context.abort(StatusCode.PERMISSION_DENIED, "as I say")
        except Exception as error:
            if how == "in finally":
                raise ValueError(CANARY) from None
            raise replaced(error) from error

    act = aio_act if style in {"aio", "reader_writer"} else sync_act
    with (
        harness.serve(style, translate={KeyError: ResCode.NOT_FOUND}) as target,
        harness.action(act) as request,
    ):
        outcome = harness.call("sync", target, kind, request)
    assert (outcome.code, outcome.details, outcome.trailing) == (
        StatusCode.PERMISSION_DENIED,
        "as I say",
        {},
    )
    (record,) = harness.logged(caplog)
    assert (record.levelno, record.name) == (logging.ERROR, "errgrpc")
    assert (
        record.getMessage()
        == f"'/test.Service/{kind}' raised after it had aborted with StatusCode.PERMISSION_DENIED"
    )
    assert record.exc_info is not None


def test_what_generated_base_classes_raise_is_quiet(
    target: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def act(context: Any) -> None:
        context.set_code(StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    with harness.action(act) as request:
        assert harness.call("sync", target, kind, request).code is StatusCode.UNIMPLEMENTED
    assert harness.logged(caplog) == []


SHARED = LookupError("shared")


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_shared_instance_shows_the_frames_of_one_request(style: str) -> None:
    seen: list[list[str]] = []

    def on_error(error: BaseException, **_: Any) -> None:
        seen.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

    def first_act(_: Any) -> None:
        raise SHARED

    def second_act(_: Any) -> None:
        raise SHARED

    with harness.serve(style, on_error=on_error) as target:
        for kind in harness.KINDS:
            for act in (first_act, second_act):
                with harness.action(act) as request:
                    harness.call("sync", target, kind, request)
                (names,) = seen
                seen.clear()
                assert names.count("first_act") == (act is first_act), (kind, names)
                assert names.count("second_act") == (act is second_act), (kind, names)


def shown(record: logging.LogRecord) -> list[str]:
    assert record.exc_info is not None
    return [frame.name for frame in traceback.extract_tb(record.exc_info[2])]


def test_a_request_that_is_still_in_a_finally_shows_in_no_other_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception object has one traceback, to which a raise in another thread adds."""
    inside, go_on = threading.Event(), threading.Event()

    def waiting_act(_: Any) -> None:
        try:
            raise SHARED
        finally:
            inside.set()
            go_on.wait(harness.DEADLINE)

    def second_act(_: Any) -> None:
        raise SHARED

    with (
        harness.serve("sync") as target,
        harness.action(waiting_act) as waiting,
        harness.action(second_act) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        call = pool.submit(harness.call, "sync", target, "unary_unary", waiting)
        assert inside.wait(harness.DEADLINE)
        harness.call("sync", target, "unary_unary", second)
        go_on.set()
        call.result()
    record, _ = harness.logged(caplog)
    assert "second_act" in shown(record)
    assert "waiting_act" not in shown(record)


@pytest.mark.parametrize("raised", ["itself", "cause", "member"])
def test_what_was_logged_before_is_neither_shown_nor_kept(
    raised: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A past raise stays out of the record and the traceback, in a framework unknown to us.

    The test covers the exception itself, its cause and the members of a group.
    """
    shared = LookupError("shared")
    responder = errgrpc.http.Responder(ResCode)

    def handler(depth: int) -> None:
        if depth:
            handler(depth - 1)
        if raised == "itself":
            raise shared
        try:
            raise shared
        except LookupError as error:
            if raised == "cause":
                raise KeyError from error
            raise ExceptionGroup("", [error]) from None

    lengths = []
    for depth in (0, 3, 1, 1, 1, 1):
        try:
            handler(depth)
        except Exception as error:
            responder.answer(error, errgrpc.http.Request())
        lengths.append(len(list(traceback.walk_tb(shared.__traceback__))))
    assert lengths[2:] == lengths[2:3] * 4
    for record, depth in zip(harness.logged(caplog), (0, 3, 1, 1, 1, 1), strict=True):
        assert shown(record).count("handler") == depth + 1


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("kind", harness.KINDS)
def test_threads_that_raise_one_instance_at_once(
    kind: str, hears: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The second request is answered while the first has its error caught but not yet read."""
    seen: list[list[str]] = []
    ask = _server._Context.invocation_metadata
    first: list[bytes] = []

    def on_error(error: BaseException, **_: Any) -> None:
        seen.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

    def first_act(_: Any) -> None:
        first.append(b"")
        raise SHARED

    def second_act(_: Any) -> None:
        raise SHARED

    with contextlib.ExitStack() as stack:
        target = stack.enter_context(harness.serve("sync", on_error=on_error if hears else None))
        first_request, second_request = (
            stack.enter_context(harness.action(act)) for act in (first_act, second_act)
        )

        def invocation_metadata(context: Any) -> Any:
            if first:
                first.clear()
                harness.call("sync", target, kind, second_request)
            return ask(context)

        monkeypatch.setattr(_server._Context, "invocation_metadata", invocation_metadata)
        harness.call("sync", target, kind, first_request)
        if not hears:
            seen += (
                [frame.name for frame in traceback.extract_tb(record.exc_info[2])]
                for record in harness.logged(caplog)
                if record.exc_info
            )
    assert [[names.count(name) for name in ("first_act", "second_act")] for names in seen] == [
        [0, 1],
        [1, 0],
    ]


# Loops, threads, memory.


def test_an_interceptor_serves_a_second_loop() -> None:
    """The clients' own retries still work: they retry only errors that are a status alone."""
    attempts = 0

    def handler(_: bytes, __: Any) -> bytes:
        nonlocal attempts
        attempts += 1
        raise ServiceError(ResCode.SERVICE_UNAVAILABLE)

    interceptor = errgrpc.aio.ServerInterceptor(ResCode)
    handlers: Any = {"Method": grpc.unary_unary_rpc_method_handler(handler)}
    service = grpc.method_handlers_generic_handler("test.Service", handlers)
    policy = (
        '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": '
        '"0.01s", "maxBackoff": "0.01s",'
        ' "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}'
    )

    async def run() -> int:
        nonlocal attempts
        attempts = 0
        with ThreadPoolExecutor() as pool:
            server = grpc.aio.server(pool, interceptors=[interceptor])
            server.add_generic_rpc_handlers([service])
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            async with grpc.aio.insecure_channel(
                f"127.0.0.1:{port}", options=[("grpc.service_config", policy)]
            ) as channel:
                method: Any = channel.unary_unary("/test.Service/Method")
                call = method(b"", timeout=harness.DEADLINE)
                assert await call.code() is StatusCode.UNAVAILABLE
            await server.stop(None)
        return attempts

    assert [asyncio.run(run()) for _ in range(3)] == [3, 3, 3]
