"""RemoteError and remote(): what `except` catches."""

import contextlib
import copy
import json
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import grpc
import harness
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

import errgrpc
from errgrpc import (
    ComponentCode,
    ErrorCode,
    RemoteError,
    ResCode,
    ServiceError,
    Spec,
    decode,
    remote,
    remote_error,
)
from errgrpc.wire.packing import pack
from errgrpc.wire.received import Received

ROOT = Path(__file__).parent.parent
NOT_EXIST = ResCode.ROOM_NOT_EXIST
HELP = rpc.Help(links=[rpc.Help.Link(url="https://example.com")])
HOSTILE = "\x1b[31m\n\u202e%s{}"


def received(
    *details: Message,
    info: rpc.ErrorInfo | None = None,
    code: int = 5,
    message: str = "Room Not Found",
) -> RemoteError:
    packed = [pack(detail) for detail in (info, *details) if detail is not None]
    return decode(
        status_pb2.Status(code=code, message=message, details=packed), ResCode, ComponentCode
    )


def info_of(code: ErrorCode, **metadata: str) -> rpc.ErrorInfo:
    return rpc.ErrorInfo(
        reason=code.reason, domain=code.domain, metadata={"code": str(code.number), **metadata}
    )


KNOWN = received(
    rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    HELP,
    rpc.RequestInfo(request_id="r-1"),
    info=info_of(NOT_EXIST, room_uuid="r-42"),
)
NEWER = received(
    info=rpc.ErrorInfo(reason="NEWER", domain=ResCode.domain, metadata={"code": "4711"})
)
FOREIGN = received(
    info=rpc.ErrorInfo(reason="GONE", domain="shop.example.com", metadata={"code": "404"})
)
INFERRED = received()
BARE = decode(b"\xff")


def test_a_known_code() -> None:
    assert type(KNOWN) is remote(NOT_EXIST)
    assert KNOWN.error_code is NOT_EXIST
    assert (KNOWN.number, KNOWN.reason, KNOWN.domain, KNOWN.inferred) == (
        1004,
        "ROOM_NOT_EXIST",
        "errgrpc.v1.ResCode",
        False,
    )
    assert KNOWN.metadata == {"room_uuid": "r-42"}
    assert (KNOWN.hint, KNOWN.locale, KNOWN.request_id) == ("房间不存在", "zh-CN", "r-1")
    assert KNOWN.code() is StatusCode.NOT_FOUND
    assert KNOWN.details() == "Room Not Found"
    assert len(KNOWN.status_details) == 4
    assert KNOWN.detail(rpc.Help) == HELP
    assert KNOWN.detail(rpc.DebugInfo) is None
    with pytest.raises(TypeError):
        KNOWN.metadata["a"] = "b"  # type: ignore[index]


def test_a_code_newer_than_the_table() -> None:
    assert type(NEWER) is remote(ResCode)
    assert (NEWER.error_code, NEWER.number, NEWER.reason, NEWER.domain, NEWER.inferred) == (
        None,
        4711,
        "NEWER",
        ResCode.domain,
        False,
    )
    assert (NEWER.hint, NEWER.locale) == (None, None)


def test_a_code_of_an_unknown_catalogue() -> None:
    assert type(FOREIGN) is RemoteError
    assert (FOREIGN.error_code, FOREIGN.number, FOREIGN.reason, FOREIGN.domain) == (
        None,
        404,
        "GONE",
        "shop.example.com",
    )
    assert not FOREIGN.inferred


def test_an_inferred_code() -> None:
    assert type(INFERRED) is RemoteError
    assert (INFERRED.error_code, INFERRED.number, INFERRED.hint, INFERRED.inferred) == (
        ResCode.NOT_FOUND,
        404,
        "没有该操作",
        True,
    )
    assert (INFERRED.reason, INFERRED.domain, INFERRED.metadata) == (None, None, {})


def test_nothing_to_read() -> None:
    assert type(BARE) is RemoteError
    assert (
        BARE.error_code,
        BARE.number,
        BARE.reason,
        BARE.hint,
        BARE.request_id,
        BARE.inferred,
    ) == (None, None, None, None, None, False)
    assert (BARE.code(), BARE.details(), BARE.status_details) == (StatusCode.UNKNOWN, "", ())


def test_the_hint_of_the_server_wins() -> None:
    sent = received(rpc.LocalizedMessage(locale="fr", message="Rien"), info=info_of(NOT_EXIST))
    assert (sent.hint, sent.locale) == ("Rien", "fr")
    table = received(info=info_of(NOT_EXIST))
    assert (table.hint, table.locale) == ("房间不存在", "zh-CN")
    reused = received(info=info_of(ComponentCode.IM_LOGIN_ERROR, im_reused="true"))
    assert reused.hint == "复用IM时，请先登录IM"
    unknown = received(
        rpc.LocalizedMessage(locale="fr", message="Rien"), info=rpc.ErrorInfo(reason="GONE")
    )
    assert (unknown.hint, unknown.locale) == ("Rien", "fr")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            KNOWN,
            "NOT_FOUND: ROOM_NOT_EXIST (1004) of 'errgrpc.v1.ResCode', 'Room Not Found', "
            "hint '房间不存在' ('zh-CN'), "
            "metadata {'room_uuid': 'r-42'}, request id 'r-1'",
        ),
        (NEWER, "NOT_FOUND: 'NEWER' (4711) of 'errgrpc.v1.ResCode', 'Room Not Found'"),
        (FOREIGN, "NOT_FOUND: 'GONE' (404) of 'shop.example.com', 'Room Not Found'"),
        (
            INFERRED,
            "NOT_FOUND: inferred NOT_FOUND (404), 'Room Not Found', hint '没有该操作' ('zh-CN')",
        ),
        (BARE, "UNKNOWN: no ErrorInfo, ''"),
    ],
)
def test_str_and_repr_tell_all(error: RemoteError, text: str) -> None:
    assert str(error) == text
    assert repr(error) == f"<{type(error).__name__} {text}>"


def test_str_and_repr_are_escaped_and_bounded() -> None:
    hostile = received(
        rpc.LocalizedMessage(locale=HOSTILE, message=HOSTILE),
        rpc.RequestInfo(request_id=HOSTILE),
        info=rpc.ErrorInfo(reason=HOSTILE, domain=HOSTILE, metadata={HOSTILE: HOSTILE}),
        message=HOSTILE,
    )
    escaped = r"\x1b[31m\n\u202e%s{}"
    assert str(hostile) == (
        f"NOT_FOUND: '{escaped}' of '{escaped}', '{escaped}', hint '{escaped}' ('{escaped}'), "
        f"metadata {{'{escaped}': '{escaped}'}}, request id '{escaped}'"
    )
    long = received(
        info=rpc.ErrorInfo(
            reason="r" * 100_000, domain="d" * 100_000, metadata={"k" * 100_000: "v"}
        ),
        message="m" * 100_000,
    )
    assert len(repr(long)) < 5_000


# Classes.


def test_one_class_for_each_target() -> None:
    assert remote(NOT_EXIST) is remote(NOT_EXIST)
    assert remote(NOT_EXIST).__mro__[:4] == (
        remote(NOT_EXIST),
        remote(ResCode),
        RemoteError,
        AioRpcError,
    )
    assert remote(ResCode) is not remote(ComponentCode)
    assert len({remote(code) for code in ResCode if code is not ResCode.SUCCESS}) == 31
    assert (remote(NOT_EXIST).__name__, remote(ResCode).__name__) == (
        "remote(ResCode.ROOM_NOT_EXIST)",
        "remote(ResCode)",
    )
    assert (remote(NOT_EXIST).__qualname__, remote(NOT_EXIST).__module__) == (
        "remote(ResCode.ROOM_NOT_EXIST)",
        "errgrpc",
    )
    assert remote(NOT_EXIST).__doc__ == "A received error with the code ResCode.ROOM_NOT_EXIST."
    assert remote(ResCode).__doc__ == "A received error of ResCode."
    assert issubclass(RemoteError, grpc.RpcError)


@pytest.mark.parametrize(
    "wrong", [None, 5, "ResCode", ErrorCode, Exception, StatusCode.NOT_FOUND, [ResCode]], ids=repr
)
def test_what_is_no_target_is_refused(wrong: Any) -> None:
    with pytest.raises(
        TypeError,
        match=r"is neither an error code nor a catalogue: "
        r"give errgrpc\.ResCode or one of its members",
    ):
        remote(wrong)


def test_success_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"ResCode\.SUCCESS is a success: there is nothing to catch"
    ):
        remote(ResCode.SUCCESS)


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (
            KNOWN,
            [
                remote(NOT_EXIST),
                remote(ResCode),
                RemoteError,
                grpc.RpcError,
                AioRpcError,
                (remote(ResCode.CONFLICT), remote(NOT_EXIST)),
            ],
        ),
        (NEWER, [remote(ResCode), RemoteError, grpc.RpcError]),
        (FOREIGN, [RemoteError, AioRpcError]),
        (INFERRED, [RemoteError]),
    ],
    ids=["known", "newer", "foreign", "inferred"],
)
def test_except(error: RemoteError, caught: list[Any]) -> None:
    for kinds in caught:
        try:
            raise error
        except kinds as again:
            assert again is error
        with contextlib.suppress(kinds):
            raise error
    for other in (
        remote(ResCode.NOT_FOUND),
        remote(ComponentCode),
        remote(ResCode.CONFLICT),
        ServiceError,
    ):
        assert not isinstance(error, other)
    if error is not KNOWN:
        assert not isinstance(error, remote(NOT_EXIST))


def test_except_star() -> None:
    caught: list[BaseException] = []
    try:
        raise ExceptionGroup("both", [KNOWN, NEWER, FOREIGN])
    except* remote(NOT_EXIST) as group:
        caught += group.exceptions
    except* remote(ResCode) as group:
        caught += group.exceptions
    except* grpc.RpcError as group:
        caught += group.exceptions
    assert caught == [KNOWN, NEWER, FOREIGN]


def test_many_threads_get_one_class() -> None:
    class RaceCode(ErrorCode, domain="race.example.com"):
        LOST = 1, Spec(StatusCode.ABORTED)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            for target in (RaceCode, RaceCode.LOST):
                remote_error._classes.pop(target, None)
            barrier, made = threading.Barrier(8), list[type]()

            def make(barrier: threading.Barrier = barrier, made: list[type] = made) -> None:
                barrier.wait()
                made.append(remote(RaceCode.LOST))

            threads = [threading.Thread(target=make) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert set(made) == {remote(RaceCode.LOST)}
            assert made[0].__base__ is remote(RaceCode)
    finally:
        sys.setswitchinterval(interval)


# Pickles.


class MyError(RemoteError):
    pass


class MyNotExist(remote(NOT_EXIST)):  # type: ignore[misc]
    pass


@pytest.mark.parametrize(
    "kind",
    [RemoteError, remote(ResCode), remote(NOT_EXIST), MyError, MyNotExist],
    ids=lambda kind: kind.__name__,
)
def test_classes_pickle_and_copy_as_themselves(kind: type[RemoteError]) -> None:
    assert pickle.loads(pickle.dumps(kind)) is kind  # noqa: S301
    assert copy.copy(kind) is copy.deepcopy(kind) is kind


def same(one: RemoteError, other: RemoteError) -> None:
    assert type(one) is type(other)
    assert str(one) == str(other)
    assert (one.code(), one.details(), one.debug_error_string()) == (
        other.code(),
        other.details(),
        other.debug_error_string(),
    )
    assert tuple(one.initial_metadata() or ()) == tuple(other.initial_metadata() or ())
    assert tuple(one.trailing_metadata() or ()) == tuple(other.trailing_metadata() or ())
    assert one.error_code is other.error_code
    assert (one.metadata, one.hint, one.locale, one.status_details) == (
        other.metadata,
        other.hint,
        other.locale,
        other.status_details,
    )


@pytest.mark.parametrize(
    "error",
    [KNOWN, NEWER, FOREIGN, INFERRED, BARE],
    ids=["known", "newer", "foreign", "inferred", "bare"],
)
def test_errors_pickle_and_copy(error: RemoteError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        same(again, error)


def test_a_derived_error_pickles() -> None:
    kinds: list[Any] = [MyError, MyNotExist]
    for kind in kinds:
        error: Any = kind.__new__(kind)
        error.__setstate__(KNOWN.__reduce__()[2])
        error.add_note("a note")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        same(again, error)
        assert again.__notes__ == ["a note"]


def test_an_error_of_a_real_call_pickles(targets: dict[str, str], stack: str) -> None:
    def act(context: Any) -> None:
        context.set_trailing_metadata((("x-own", "1"), ("x-own-bin", b"\xff")))
        raise ServiceError(NOT_EXIST, room_uuid="r-42")

    with harness.action(act) as request:
        error = harness.call(stack, targets["sync"], "unary_unary", request).error
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    same(again, error)
    assert dict([*again.trailing_metadata()])["x-own"] == "1"


def test_pickles_into_a_process_that_has_not_imported_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "their_codes.py").write_text(
        textwrap.dedent("""
            from grpc import StatusCode
            from errgrpc import ErrorCode, Spec

            class TheirCode(ErrorCode, domain="their.example.com"):
                GONE = 1, Spec(StatusCode.NOT_FOUND, hints={"en": "Gone"})
        """)
    )
    write = """
        import pickle, sys
        from google.protobuf import any_pb2
        from google.rpc import error_details_pb2, status_pb2
        import errgrpc
        from their_codes import TheirCode
        packed = any_pb2.Any()
        packed.Pack(
            error_details_pb2.ErrorInfo(
                reason="GONE", domain="their.example.com", metadata={"k": "v"}
            )
        )
        status = status_pb2.Status(code=5, message="Gone", details=[packed])
        error = errgrpc.decode(status, TheirCode)
        raised = errgrpc.ServiceError(TheirCode.GONE)
        sys.stdout.buffer.write(pickle.dumps((error, errgrpc.remote(TheirCode), raised)))
    """
    read = """
        import pickle, sys
        error, kind, raised = pickle.loads(sys.stdin.buffer.read())
        from their_codes import TheirCode
        import errgrpc
        assert type(error) is errgrpc.remote(TheirCode.GONE) and kind is errgrpc.remote(TheirCode)
        assert error.error_code is TheirCode.GONE and raised.error_code is TheirCode.GONE
        print(error)
    """

    def run(code: str, stdin: bytes = b"") -> bytes:
        environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=environment, check=False
        )  # noqa: S603
        assert not done.stderr, done.stderr.decode()
        return done.stdout

    text = run(read, run(write)).decode()
    assert text == (
        "NOT_FOUND: GONE (1) of 'their.example.com', 'Gone', hint 'Gone' ('en'), "
        "metadata {'k': 'v'}\n"
    )


# The failed call, as grpc's own interceptor chains read it.


def test_initial_metadata_that_were_late_are_asked_for_once() -> None:
    asked: list[str] = []

    def late() -> Any:
        asked.append("asked")
        return (("x", "late"),)

    error = RemoteError(
        StatusCode.NOT_FOUND,
        "",
        Received(),
        None,
        inferred=False,
        accept_language=None,
        initial_metadata=late,
    )
    assert asked == []
    assert (error.initial_metadata(), error.initial_metadata()) == (
        (("x", "late"),),
        (("x", "late"),),
    )
    assert asked == ["asked"]


def test_is_a_finished_call_and_future() -> None:
    error: Any = pickle.loads(pickle.dumps(KNOWN))  # noqa: S301
    heard: list[Any] = []
    assert issubclass(type(error), grpc.Call)
    assert issubclass(type(error), grpc.Future)
    assert (
        error.done(),
        error.running(),
        error.cancelled(),
        error.cancel(),
        error.is_active(),
    ) == (True, False, False, False, False)
    assert error.time_remaining() is None
    assert error.add_callback(print) is False
    assert error.exception() is error
    error.add_done_callback(heard.append)
    assert heard == [error]
    with pytest.raises(remote(NOT_EXIST)):
        error.result()
    assert error.traceback() is error.__traceback__ is not None


def test_details_of_an_unknown_type_stay_any() -> None:
    unknown = any_pb2.Any(type_url="type.googleapis.com/who.knows.It", value=b"x")
    status = status_pb2.Status(code=5, details=[pack(info_of(NOT_EXIST)), unknown])
    error = decode(status, ResCode)
    assert error.status_details == (info_of(NOT_EXIST), unknown)


# Errors that travel between processes.


@pytest.mark.parametrize("how", ["pickle", "cloudpickle", "copy", "deepcopy"])
def test_an_error_that_travelled_is_caught_and_reads_the_same(how: str) -> None:
    ways: dict[str, Callable[[Any], Any]] = {
        "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301
        "cloudpickle": lambda error: pickle.loads(cloudpickle.dumps(error)),  # noqa: S301  as Ray, dask and joblib do it
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }
    sent = ServiceError(ResCode.ROOM_NOT_EXIST, hint=ResCode.CONFLICT.hints, room_uuid="r-42")
    for error in (
        decode(errgrpc.encode(sent), ResCode),
        decode(b"", ResCode),
        decode(errgrpc.encode(sent)),
    ):
        again = ways[how](ways[how](error))
        assert type(again) is type(error)
        assert (str(again), again.args, again.hint) == (str(error), error.args, error.hint)
        assert json.loads(json.dumps(again.args)) == [str(error)]
    assert ways[how](sent).hint == sent.hint == ResCode.CONFLICT.hints


LOADED = """
import pickle, sys
run = pickle.loads(sys.stdin.buffer.read())
print(run())
"""


@pytest.mark.parametrize("target", [ResCode, NOT_EXIST])
def test_another_process_catches_with_a_class_sent_by_value(target: Any) -> None:
    """Ray and dask send a notebook's function this way, with the classes that it names."""
    raw, kind = errgrpc.encode(ServiceError(NOT_EXIST)).SerializeToString(), remote(target)

    def run() -> list[Any]:
        try:
            raise decode(raw, ResCode)
        except kind as error:
            return [kind is remote(target), kind.__name__, str(error.error_code)]

    sent = cloudpickle.dumps(run)
    read = subprocess.run(
        [sys.executable, "-c", LOADED], input=sent, capture_output=True, check=False, timeout=60
    )
    assert read.stdout.decode() == f"{[True, kind.__name__, str(NOT_EXIST)]}\n", (
        read.stderr.decode()
    )


def test_asyncio_grpcs_own_methods_work() -> None:
    error = decode(errgrpc.encode(ServiceError(ResCode.ROOM_NOT_EXIST)), ResCode)
    assert AioRpcError.code(error) is StatusCode.NOT_FOUND
    assert AioRpcError.details(error) == "Room Not Found"
    assert AioRpcError.debug_error_string(error) is None
    assert AioRpcError.trailing_metadata(error) == error.trailing_metadata()
    assert "NOT_FOUND" in AioRpcError.__repr__(error)


def test_a_subclass_may_take_keywords() -> None:
    class Tagged(RemoteError):
        tag: str

        def __init_subclass__(cls, *, tag: str = "", **more: Any) -> None:
            super().__init_subclass__(**more)
            cls.tag = tag

    class Child(Tagged, tag="x"):
        pass

    assert Child.tag == "x"


def test_several_are_caught_at_once() -> None:
    several = remote(ResCode.CONFLICT, ComponentCode, ResCode.ROOM_NOT_EXIST)
    assert several == (
        remote(ResCode.CONFLICT),
        remote(ComponentCode),
        remote(ResCode.ROOM_NOT_EXIST),
    )
    with pytest.raises(several):
        raise decode(errgrpc.encode(ServiceError(ResCode.ROOM_NOT_EXIST)), ResCode)
    with pytest.raises(TypeError, match="neither an error code nor a catalogue"):
        remote(ResCode, LookupError)  # type: ignore[arg-type]
