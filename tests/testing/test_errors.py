"""`remote_error` gives what a client gets, and `raises` explains its failures well."""

import asyncio
import pickle
import re
import unittest
from typing import Any

import grpc
import harness
import pytest
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

import errgrpc
from errgrpc import ComponentCode, MisuseWarning, RemoteError, ResCode, ServiceError
from errgrpc.testing import raises, remote_error

SAME: dict[str, tuple[Any, dict[str, Any]]] = {
    "code": (ResCode.ROOM_NOT_EXIST, {}),
    "metadata": (ResCode.ROOM_NOT_EXIST, {"room_uuid": "r-42"}),
    "message and hint": (
        ResCode.BAD_REQUEST,
        {"message": "No", "hint": {"en": "No!"}, "metadata": {"a_key": True}},
    ),
    "details": (
        ResCode.BAD_REQUEST,
        {"details": [rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="a")])]},
    ),
    "delay": (ResCode.SERVICE_UNAVAILABLE, {"retry_delay": 1.5}),
    "another catalogue": (ComponentCode.IM_LOGIN_ERROR, {"im_reused": True}),
    "oversized": (
        ResCode.BAD_REQUEST,
        {"message": "m" * 9_000, "details": [rpc.DebugInfo(detail="d" * 9_000)]},
    ),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("locale", [None, "en", "zh-CN", "fr, en;q=0.5"])
def test_it_is_what_a_client_gets(name: str, locale: str | None, targets: dict[str, str]) -> None:
    code, arguments = SAME[name]

    def act(_: Any) -> None:
        raise ServiceError(code, **arguments)

    with harness.action(act) as request:
        real = harness.call(
            "wrapped_sync", targets["sync"], "unary_unary", request, locale=locale
        ).error
    made = remote_error(code, locale=locale, **arguments)
    for attribute in (
        "error_code",
        "hint",
        "locale",
        "metadata",
        "number",
        "reason",
        "domain",
        "retryable",
        "retry_delay",
        "request_id",
    ):
        assert getattr(made, attribute) == getattr(real, attribute), attribute
    assert type(made) is type(real) is errgrpc.remote(code)
    assert (made.code(), made.details(), made.status_details) == (
        real.code(),
        real.details(),
        real.status_details,
    )
    assert [(entry.key, entry.value) for entry in made.trailing_metadata()] == [
        (each.key, each.value) for each in real.trailing_metadata()
    ]
    assert (str(made), made.args) == (str(real), real.args)
    assert pickle.loads(pickle.dumps(made)).error_code is code  # noqa: S301


def test_a_status_without_a_code() -> None:
    error = remote_error(StatusCode.UNAVAILABLE, "connection refused")
    assert type(error) is RemoteError
    assert (error.code(), error.details(), error.error_code, error.reason) == (
        StatusCode.UNAVAILABLE,
        "connection refused",
        None,
        None,
    )


def test_what_a_service_error_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="is a success"):
        remote_error(ResCode.SUCCESS)
    with pytest.raises(TypeError, match="is no error code"):
        remote_error(404)  # type: ignore[arg-type]
    with pytest.warns(MisuseWarning, match="the metadata key 'Bad' is left out") as caught:
        remote_error(ResCode.CONFLICT, Bad=1)
    assert caught[0].filename == __file__


# raises


@pytest.mark.parametrize("make", [ServiceError, remote_error])
def test_what_is_expected(make: Any) -> None:
    for expected, metadata in (
        (ResCode.ROOM_NOT_EXIST, {}),
        (ResCode.ROOM_NOT_EXIST, {"room_uuid": "r-42"}),
        (ResCode, {}),
        (ResCode, {"room_uuid": "r-42"}),
    ):
        given: dict[str, Any] = metadata
        error = make(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")
        with raises(expected, **given) as caught:
            raise error
        assert caught.error is error


def test_values_of_metadata_become_text() -> None:
    with raises(ComponentCode.IM_LOGIN_ERROR, im_reused=True):
        raise ServiceError(ComponentCode.IM_LOGIN_ERROR, im_reused=True)
    with raises(ResCode.BAD_REQUEST, error=5, expected="x"):
        raise ServiceError(ResCode.BAD_REQUEST, error=5, expected="x")


def test_there_is_no_error_before_the_end() -> None:
    with raises(ResCode.CONFLICT) as caught:
        with pytest.raises(AttributeError, match="the block has not ended"):
            _ = caught.error
        raise ServiceError(ResCode.CONFLICT)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), GeneratorExit(), asyncio.CancelledError()]
)
def test_what_is_no_exception_goes_through(error: BaseException) -> None:
    with pytest.raises(type(error)), raises(ResCode.CONFLICT):
        raise error


def test_a_skip_goes_through() -> None:
    with pytest.raises(pytest.skip.Exception), raises(ResCode.CONFLICT):
        pytest.skip("for its reason")


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="5 is no catalogue"):
        raises(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the metadata key 'Bad' is left out"):
        raises(ResCode.CONFLICT, Bad=1)


def failure(raised: BaseException | None, *expected: Any, **metadata: Any) -> str:
    with pytest.raises(AssertionError) as caught, raises(*expected, **metadata):  # noqa: PT012  the block is tested
        if raised is not None:
            raise raised
    assert caught.value.__cause__ is raised
    return str(caught.value)


def inferred() -> RemoteError:
    bare = grpc.aio.AioRpcError(
        StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "gone"
    )
    return errgrpc.from_error(bare, ResCode)


FAILURES = {
    "nothing": (
        failure(None, ResCode.CONFLICT),
        "expected ResCode.CONFLICT (409, ALREADY_EXISTS)\ngot      no error",
    ),
    "another code": (
        failure(ServiceError(ResCode.FORBIDDEN, needs="host"), ResCode.CONFLICT),
        "expected ResCode.CONFLICT (409, ALREADY_EXISTS)\n"
        "got      ResCode.FORBIDDEN (403, PERMISSION_DENIED)\n"
        "error    <ServiceError FORBIDDEN (403): 'Forbidden' {'needs': 'host'}>",
    ),
    "another catalogue": (
        failure(ServiceError(ComponentCode.RTC_INIT_ERROR), ResCode),
        "expected any code of ResCode\n"
        "got      ComponentCode.RTC_INIT_ERROR (-1, INTERNAL)\n"
        "error    <ServiceError RTC_INIT_ERROR (-1): 'RTC Init Error'>",
    ),
    "other metadata": (
        failure(
            remote_error(ResCode.ROOM_NOT_EXIST, room_uuid="r-7"),
            ResCode.ROOM_NOT_EXIST,
            room_uuid="r-42",
        ),
        "expected ResCode.ROOM_NOT_EXIST (1004, NOT_FOUND) with metadata {'room_uuid': 'r-42'}\n"
        "got      ResCode.ROOM_NOT_EXIST (1004, NOT_FOUND)\n"
        "         with metadata {'room_uuid': 'r-7'}\n"
        "error    <remote(ResCode.ROOM_NOT_EXIST) NOT_FOUND: ROOM_NOT_EXIST (1004) of "
        "'errgrpc.v1.ResCode', 'Room Not Found', "
        "hint '房间不存在' ('zh-CN'), metadata {'room_uuid': 'r-7'}>",
    ),
    "an inferred code": (
        failure(inferred(), ResCode.NOT_FOUND),
        "expected ResCode.NOT_FOUND (404, NOT_FOUND)\n"
        "got      ResCode.NOT_FOUND (404, NOT_FOUND), inferred from the status\n"
        "error    <RemoteError NOT_FOUND: inferred NOT_FOUND (404), 'gone', "
        "hint '未找到' ('zh-CN')>",
    ),
    "no known code": (
        failure(remote_error(StatusCode.UNAVAILABLE, "refused"), ResCode.NOT_FOUND),
        "expected ResCode.NOT_FOUND (404, NOT_FOUND)\n"
        "got      RemoteError without a known code\n"
        "error    <RemoteError UNAVAILABLE: no ErrorInfo, 'refused'>",
    ),
    "another exception": (
        failure(LookupError("text"), ResCode.NOT_FOUND),
        (
            "expected ResCode.NOT_FOUND (404, NOT_FOUND)\ngot      LookupError\n"
            "error    LookupError('text')"
        ),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_what_was_expected_and_what_came(name: str) -> None:
    said, expected = FAILURES[name]
    assert re.sub(r"hint '[^']*' \('zh-CN'\)>$", "hint>", said) == re.sub(
        r"hint '[^']*' \('zh-CN'\)>$", "hint>", expected
    )


def read_the_file(_: Any) -> None:
    raise FileNotFoundError("no such room file")


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_failure_shows_the_traceback_of_the_handler(
    style: str, kind: str, targets: dict[str, str]
) -> None:
    with (
        harness.action(read_the_file) as request,
        pytest.raises(AssertionError) as caught,
        raises(ResCode.ROOM_NOT_EXIST),
    ):
        raise harness.call("sync", targets[style], kind, request).error
    head, *lines = str(caught.value).split(f"\nhandler  /test.Service/{kind} raised\n")
    assert head.startswith(
        "expected ResCode.ROOM_NOT_EXIST (1004, NOT_FOUND)\n"
        "got      ResCode.INTERNAL_SERVER_ERROR (500, INTERNAL)\nerror    <remote("
    )
    assert lines[0].startswith("         Traceback (most recent call last):\n")
    assert "in read_the_file" in lines[0]
    assert lines[0].endswith("FileNotFoundError: no such room file")


def test_a_failure_hides_its_own_frames_from_pytest() -> None:
    with pytest.raises(AssertionError) as caught, raises(ResCode.CONFLICT):
        pass
    assert caught.traceback[-1].frame.f_locals.get("__tracebackhide__") is True


def test_without_pytest() -> None:
    class Case(unittest.TestCase):
        def test(self) -> None:
            with raises(ResCode.CONFLICT):
                raise ServiceError(ResCode.FORBIDDEN)

    result = unittest.TestResult()
    Case("test").run(result)
    ((_, text),) = result.failures
    assert "expected ResCode.CONFLICT" in text


def sold_out(_: Any) -> None:
    raise ServiceError(ResCode.FORBIDDEN, needs="host")


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_failure_shows_where_a_coded_error_was_raised(
    style: str, kind: str, targets: dict[str, str]
) -> None:
    with (
        harness.action(sold_out) as request,
        pytest.raises(AssertionError) as caught,
        raises(ResCode.ROOM_NOT_EXIST),
    ):
        raise harness.call("sync", targets[style], kind, request).error
    lines = str(caught.value).partition(f"handler  /test.Service/{kind} raised\n")[2]
    assert "in sold_out" in lines
    assert "errgrpc/sync/server.py" not in lines
    assert "errgrpc/raised.py" not in lines


def test_another_answer_with_the_same_code_is_not_taken_for_the_cause(
    targets: dict[str, str],
) -> None:
    with (  # noqa: PT012  the block is tested
        harness.action(sold_out) as request,
        pytest.raises(AssertionError) as caught,
        raises(ResCode.CONFLICT),
    ):
        harness.call("sync", targets["sync"], "unary_unary", request)
        raise remote_error(ResCode.FORBIDDEN, needs="guest")
    assert "handler" not in str(caught.value)


def test_a_status_is_expected_whatever_the_code() -> None:
    with raises(StatusCode.UNAVAILABLE) as caught:
        raise remote_error(ResCode.SERVICE_UNAVAILABLE)
    assert caught.error.error_code is ResCode.SERVICE_UNAVAILABLE
    with raises(StatusCode.UNAVAILABLE):
        raise remote_error(StatusCode.UNAVAILABLE)
    assert failure(remote_error(StatusCode.ABORTED), StatusCode.UNAVAILABLE).startswith(
        "expected StatusCode.UNAVAILABLE\ngot      RemoteErr"
    )


def test_metadata_by_mapping() -> None:
    with raises(ResCode.BAD_REQUEST, metadata={"metadata_key": 5}):
        raise ServiceError(ResCode.BAD_REQUEST, metadata={"metadata_key": 5})


@pytest.mark.parametrize(
    "arguments",
    [{"hint": "h"}, {"retry_delay": 2}, {"seats": 3}, {"metadata": {}}, {"details": [rpc.Help()]}],
)
def test_a_status_has_a_message_alone(arguments: dict[str, Any]) -> None:
    with pytest.raises(
        TypeError, match=r"StatusCode\.UNAVAILABLE has a message alone: give a code for hint"
    ):
        remote_error(StatusCode.UNAVAILABLE, **arguments)
    with pytest.raises(ValueError, match="is a success"):
        remote_error(StatusCode.OK)


def test_a_skip_of_unittest_goes_through() -> None:
    with pytest.raises(unittest.SkipTest), raises(ResCode.CONFLICT):
        raise unittest.SkipTest("for its reason")


class NoInit(ServiceError):
    def __init__(self) -> None: ...


class BadRepr(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("text")


@pytest.mark.parametrize("error", [NoInit(), BadRepr(), LookupError("\x1b[2J\x07\u202e" * 5_000)])
def test_hostile_errors_end_in_a_failure_too(error: Exception) -> None:
    said = failure(error, ResCode.CONFLICT)
    assert said.startswith("expected ResCode.CONFLICT (409, ALREADY_EXISTS)\n")
    assert len(said) < 5_000
    assert "\x1b" not in said


def test_the_lines_of_a_handler_are_escaped_and_bounded(targets: dict[str, str]) -> None:
    def act(_: Any) -> None:
        raise LookupError("\x1b[2J" * 5_000)

    with (
        harness.action(act) as request,
        pytest.raises(AssertionError) as caught,
        raises(ResCode.CONFLICT),
    ):
        raise harness.call("sync", targets["sync"], "unary_unary", request).error
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 20_000


def test_one_object_can_be_entered_again() -> None:
    expected = raises(ResCode.CONFLICT)
    for _ in range(2):
        with expected:
            raise ServiceError(ResCode.CONFLICT)
