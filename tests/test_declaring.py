"""A raised code that its method does not declare.

There is one record for each method and code, and `Answered.undeclared` is set. The answer is the
same.
"""

import logging
import threading
from typing import Any

import grpc
import harness
import pytest
from grpc import StatusCode

import errgrpc
from errgrpc import Answered, ComponentCode, RemoteError, ResCode, ServiceError
from errgrpc.answering import Answering, Rpc

pytestmark = pytest.mark.thinned(2)  # a large product

FALLBACK = ResCode.INTERNAL_SERVER_ERROR
PATHS = [f"/test.Service/{kind}" for kind in harness.KINDS]
RAISES = {path: frozenset({ResCode.CONFLICT}) for path in PATHS}
TEXT = "'{}' answers {}, which it does not declare"


def declared(_: Any) -> None:
    raise ServiceError(ResCode.CONFLICT)


def undeclared(_: Any) -> None:
    raise ServiceError(ResCode.FORBIDDEN)


def undeclared_with_details(_: Any) -> None:
    raise ServiceError(ComponentCode.IM_LOGIN_ERROR, retry_delay=1)


def translated(_: Any) -> None:
    raise KeyError("text")


def passed_on(_: Any) -> None:
    received = errgrpc.decode(errgrpc.encode(ServiceError(ResCode.ROOM_NOT_EXIST)), ResCode)
    raise ServiceError.from_remote(received) from received


def unhandled(_: Any) -> None:
    raise LookupError("text")


def fallback_by_name(_: Any) -> None:
    raise ServiceError(FALLBACK)


def aborts(context: Any) -> Any:
    return context.abort(StatusCode.ABORTED, "as I say")


def sets(context: Any) -> None:
    context.set_code(StatusCode.ABORTED)


ACTS: dict[str, tuple[Any, Any]] = {
    "declared": (declared, None),
    "undeclared": (undeclared, ResCode.FORBIDDEN),
    "undeclared with details": (undeclared_with_details, ComponentCode.IM_LOGIN_ERROR),
    "translated": (translated, ResCode.NOT_FOUND),
    "passed on": (passed_on, ResCode.ROOM_NOT_EXIST),
    "unhandled": (unhandled, None),
    "the fallback by name": (fallback_by_name, None),
    "aborts": (aborts, None),
    "sets": (sets, None),
}


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in harness.logged(caplog)
        if record.levelno == logging.WARNING
    ]


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.thinned(2)
def test_what_a_method_does_not_declare(
    style: str, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Answered] = []
    with (
        harness.serve(
            style, raises=RAISES, on_answer=heard.append, translate={KeyError: ResCode.NOT_FOUND}
        ) as target,
        harness.serve(style, translate={KeyError: ResCode.NOT_FOUND}) as bare,
    ):
        for kind in harness.KINDS:
            for name, (act, code) in ACTS.items():
                caplog.clear()
                heard.clear()
                with harness.action(act, after) as request:
                    answers = [
                        harness.call("sync", at, kind, request) for at in (target, target, bare)
                    ]
                assert [answered.undeclared for answered in heard] == [code is not None] * 2, (
                    kind,
                    name,
                )
                assert warned(caplog) == (
                    [TEXT.format(f"/test.Service/{kind}", code)] if code else []
                ), (kind, name)
                if act is not unhandled:  # their request ids differ
                    first, second, without = (
                        (answer.code, answer.details, answer.trailing, answer.responses)
                        for answer in answers
                    )
                    assert first == second == without, (kind, name)


@pytest.mark.parametrize("style", harness.STYLES)
def test_without_a_hook_the_record_is_left_all_the_same(
    style: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with harness.serve(style, raises=[RAISES]) as target, harness.action(undeclared) as request:
        for _ in range(3):
            assert harness.call("sync", target, kind, request).code is StatusCode.PERMISSION_DENIED
    assert warned(caplog) == [TEXT.format(f"/test.Service/{kind}", ResCode.FORBIDDEN)]


def answered(answering: Answering, error: BaseException, method: str = PATHS[0]) -> None:
    answering.answer(error, Rpc(method, ()))


def test_methods_without_a_declaration_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Answered] = []
    answering = Answering(
        ResCode, raises={"/test.Service/other": frozenset()}, on_answer=heard.append
    )
    answered(answering, ServiceError(ResCode.FORBIDDEN))
    assert [each.undeclared for each in heard] == [False]
    answered(answering, ServiceError(ResCode.FORBIDDEN), "/test.Service/other")
    assert [each.undeclared for each in heard] == [False, True]
    assert warned(caplog) == [TEXT.format("/test.Service/other", ResCode.FORBIDDEN)]
    (record,) = harness.logged(caplog)
    assert (record.grpc_method, record.error_code) == ("/test.Service/other", "FORBIDDEN")


def test_one_record_for_each_method_and_code(caplog: pytest.LogCaptureFixture) -> None:
    answering = Answering(ResCode, raises=RAISES)
    threads = [
        threading.Thread(
            target=answered, args=(answering, ServiceError(code, metadata={"key": number}), path)
        )
        for number in range(10)
        for code in (ResCode.NOT_FOUND, ResCode.BAD_REQUEST)
        for path in PATHS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [
        TEXT.format(path, code)
        for path in PATHS
        for code in (ResCode.NOT_FOUND, ResCode.BAD_REQUEST)
    ]
    assert sorted(warned(caplog)) == sorted(every)


def test_several_tables_add_up(caplog: pytest.LogCaptureFixture) -> None:
    answering = Answering(ResCode, raises=(RAISES, {PATHS[0]: [ResCode.FORBIDDEN]}))
    answered(answering, ServiceError(ResCode.FORBIDDEN))
    answered(answering, ServiceError(ResCode.CONFLICT))
    assert warned(caplog) == []
    answered(answering, ServiceError(ResCode.FORBIDDEN), PATHS[1])
    assert len(warned(caplog)) == 1


def test_a_call_that_is_not_delivered_counts(caplog: pytest.LogCaptureFixture) -> None:
    Answering(ResCode, raises=RAISES).answer(
        ServiceError(ResCode.FORBIDDEN), Rpc(PATHS[0], (), gone=True)
    )
    assert warned(caplog) == [TEXT.format(PATHS[0], ResCode.FORBIDDEN)]


@pytest.mark.parametrize("make", [errgrpc.ServerInterceptor, errgrpc.aio.ServerInterceptor])
@pytest.mark.parametrize(
    ("raises", "says"),
    [
        (5, "raises is 5: give the RAISES of a generated module, or a list of such mappings"),
        ([RAISES, ResCode], "raises is .*: give the RAISES of a generated module"),
        (
            {"/a/b": ResCode},
            r"raises\['/a/b'\] is <enum 'ResCode'>: give a collection of error codes",
        ),
        ({"/a/b": ["CONFLICT"]}, r"raises\['/a/b'\] holds 'CONFLICT', which is no error code"),
        ({"/a/b": 5}, r"raises\['/a/b'\] is 5: give a collection of error codes"),
        (
            {"GetRoom": []},
            (
                "raises has the key 'GetRoom': give the path of a method, "
                "such as '/shop.v1.ShopService/Buy'"
            ),
        ),
        ({5: []}, "raises has the key 5: give the path of a method"),
        ({"/": []}, "raises has the key '/': give the path of a method"),
        ({"/a": []}, "raises has the key '/a': give the path of a method"),
        ({"/a/b": ""}, r"raises\['/a/b'\] is '': give a collection of error codes"),
        ("", "raises is '': give the RAISES of a generated module"),
        (b"", "raises is b'': give the RAISES of a generated module"),
    ],
)
def test_a_wrong_table_is_refused(make: Any, raises: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        make(ResCode, raises=raises)


def test_an_empty_table_declares_nothing() -> None:
    nothing: list[Any] = [{}, [], iter([])]
    for raises in nothing:
        errgrpc.ServerInterceptor(ResCode, raises=raises)


def test_what_is_raised_by_name_is_read_by_its_client() -> None:
    with harness.serve("sync", raises=RAISES) as target, harness.action(undeclared) as request:
        error = harness.call("sync", target, "unary_unary", request).error
    assert isinstance(error, RemoteError)
    assert isinstance(error, grpc.RpcError)
    assert error.error_code is ResCode.FORBIDDEN
