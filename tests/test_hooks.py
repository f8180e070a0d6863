"""Hooks: `on_answer` on the servers, `on_received` on the clients.

Errors of a hook go no further.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from grpc import StatusCode

import errgrpc
from errgrpc import Answered, RemoteError, ResCode, ServiceError
from errgrpc.answering import Answering, Rpc
from errgrpc.http import Request, Responder

FALLBACK = ResCode.INTERNAL_SERVER_ERROR
TRANSLATE = {KeyError: ResCode.NOT_FOUND}


def coded(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


def translated(_: Any) -> None:
    raise KeyError("text")


def unhandled(_: Any) -> None:
    raise LookupError("text")


def aborts(context: Any) -> Any:
    return context.abort(StatusCode.ABORTED, "as I say")


def sets(context: Any) -> None:
    context.set_code(StatusCode.ABORTED)


def sets_and_raises(context: Any) -> None:
    context.set_code(StatusCode.ABORTED)
    raise ValueError("text")


ACTS: dict[str, tuple[Any, type[BaseException] | None, Any, StatusCode, str]] = {
    "coded": (coded, ServiceError, ResCode.ROOM_NOT_EXIST, StatusCode.NOT_FOUND, "coded"),
    "translated": (translated, KeyError, ResCode.NOT_FOUND, StatusCode.NOT_FOUND, "translated"),
    "unhandled": (unhandled, LookupError, FALLBACK, StatusCode.INTERNAL, "unhandled"),
    "aborts": (aborts, None, None, StatusCode.ABORTED, "aborted"),
    "sets": (sets, None, None, StatusCode.ABORTED, "aborted"),
    "sets_and_raises": (sets_and_raises, ValueError, None, StatusCode.ABORTED, "aborted"),
}


@contextmanager
def hearing(style: str, hook: Any = None, **options: Any) -> Iterator[tuple[str, list[Answered]]]:
    heard: list[Answered] = []
    with harness.serve(style, on_answer=hook or heard.append, **options) as target:
        yield target, heard


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("after", [0, 1])
def test_each_failed_call_is_heard_once(style: str, kind: str, after: int) -> None:
    with hearing(style, translate=TRANSLATE) as (target, heard):
        for name, (act, error, code, status, outcome) in ACTS.items():
            heard.clear()
            with harness.action(act, after) as request:
                answer = harness.call("sync", target, kind, request)
            assert answer.code is status, name
            (answered,) = heard
            assert type(answered.error) is (error or type(None)), name
            assert (answered.method, answered.code, answered.status) == (
                f"/test.Service/{kind}",
                code,
                status,
            ), name
            assert (answered.outcome, answered.undeclared) == (outcome, False), name
            sent = answer.error.request_id if isinstance(answer.error, RemoteError) else None
            assert answered.request_id == sent, name
            assert (sent is not None) == (outcome == "unhandled")
        heard.clear()
        with harness.action(lambda _: None) as request:
            assert harness.call("sync", target, kind, request).code is StatusCode.OK
        assert heard == []


def fails(_: Answered) -> None:
    raise SystemExit("text")


async def is_async(_: Any) -> None: ...


def returns_a_coroutine(answered: Answered) -> Any:
    return is_async(answered)


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("hook", [fails, returns_a_coroutine])
def test_what_a_hook_does_goes_no_further(
    style: str, kind: str, hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with hearing(style, hook, translate=TRANSLATE) as (target, _):
        for name, (act, _, _, status, _) in ACTS.items():
            caplog.clear()
            with harness.action(act) as request:
                assert harness.call("sync", target, kind, request).code is status, name
            texts = [record.getMessage() for record in harness.logged(caplog)]
            assert f"on_answer failed for '/test.Service/{kind}'" in texts, name


class Async:
    async def __call__(self, *_: Any, **__: Any) -> None: ...


@pytest.mark.parametrize("hook", [is_async, Async(), 5], ids=["function", "object", "no function"])
def test_an_async_hook_is_refused(hook: Any) -> None:
    for name, make in (
        ("on_answer", errgrpc.ServerInterceptor),
        ("on_error", errgrpc.ServerInterceptor),
        ("on_answer", errgrpc.aio.ServerInterceptor),
        ("on_answer", Responder),
        ("on_received", errgrpc.ClientInterceptor),
        ("on_received", errgrpc.aio.client_interceptors),
    ):
        arguments: Any = {name: hook}
        with pytest.raises(TypeError, match=f"{name} is .*: give a function"):
            make(ResCode, **arguments)


def test_on_error_that_returns_a_coroutine_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    swallowing: Any = lambda *_, **__: is_async(None)  # noqa: E731
    with harness.serve("sync", on_error=swallowing) as target, harness.action(unhandled) as request:
        assert harness.call("sync", target, "unary_unary", request).code is StatusCode.INTERNAL
    (record,) = harness.logged(caplog)
    assert record.getMessage().startswith("on_error failed")
    assert "LookupError: text" in (record.exc_text or "")


@pytest.mark.parametrize("flag", ["gone", "stuck"])
@pytest.mark.parametrize(
    "raised",
    [
        ServiceError(ResCode.SERVICE_UNAVAILABLE),
        ServiceError(ResCode.SERVICE_UNAVAILABLE, retry_delay=1),
        LookupError("text"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_undelivered(
    flag: str, raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    heard: list[Answered] = []
    told: dict[str, Any] = {flag: True}
    Answering(ResCode, on_answer=heard.append).answer(
        raised, Rpc("/test.Service/Method", (), **told)
    )
    (answered,) = heard
    assert (answered.error, answered.outcome) == (raised, "undelivered")
    levels = [
        record.levelno
        for record in caplog.records
        if "could not be answered" in record.getMessage()
    ]
    masked = isinstance(raised, LookupError)
    assert levels == ([logging.INFO if flag == "gone" else logging.ERROR] if masked else [])


# Clients.


def ask(stack: str, target: str, kind: str, request: bytes, hook: Any) -> harness.Outcome:
    if stack == "aio":
        return harness.call(
            "aio",
            target,
            kind,
            request,
            interceptors=errgrpc.aio.client_interceptors(ResCode, on_received=hook),
        )
    return harness.call(
        "sync",
        target,
        kind,
        request,
        interceptors=[errgrpc.ClientInterceptor(ResCode, on_received=hook)],
    )


def test_a_client_hears_of_each_failed_call_once(
    stack: str, kind: str, targets: dict[str, str]
) -> None:
    heard: list[Any] = []

    def hook(error: RemoteError, *, method: str) -> None:
        heard.append((error, method))

    with harness.action(coded, after=1) as request:
        outcome = ask(stack, targets["sync"], kind, request, hook)
    assert heard == [(outcome.error, f"/test.Service/{kind}")]
    with harness.action(lambda _: None) as request:
        ask(stack, targets["sync"], kind, request, hook)
    assert len(heard) == 1


def test_a_wrapped_channel_hears_too(kind: str, targets: dict[str, str]) -> None:
    heard: list[Any] = []

    def hook(error: RemoteError, *, method: str) -> None:
        heard.append((error, method))

    with harness.action(coded) as request, grpc.insecure_channel(targets["sync"]) as bare:
        method = harness.method(errgrpc.wrap_channel(bare, ResCode, on_received=hook), kind)
        with pytest.raises(RemoteError) as caught:
            list(method(harness.argument(kind, request)))
    assert heard == [(caught.value, f"/test.Service/{kind}")]


async def test_an_asyncio_channel_hears_once_however_often_it_is_read(
    kind: str, targets: dict[str, str]
) -> None:
    heard: list[Any] = []

    def hook(error: RemoteError, *, method: str) -> None:
        heard.append((type(error), method))

    with harness.action(coded) as request:
        async with grpc.aio.insecure_channel(targets["sync"]) as bare:
            channel = errgrpc.aio.wrap_channel(bare, ResCode, on_received=hook)
            call = harness.method(channel, kind)(harness.argument(kind, request))
            for _ in range(3):
                with pytest.raises(RemoteError):
                    await (call if kind.endswith("unary") else call.read())
    assert heard == [(errgrpc.remote(ResCode.ROOM_NOT_EXIST), f"/test.Service/{kind}")]


def test_what_on_received_raises_goes_no_further(
    stack: str, kind: str, targets: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def hook(error: RemoteError, *, method: str) -> None:
        raise SystemExit

    with harness.action(coded) as request:
        outcome = ask(stack, targets["sync"], kind, request, hook)
    assert type(outcome.error) is errgrpc.remote(ResCode.ROOM_NOT_EXIST)
    assert [record.getMessage() for record in harness.logged(caplog)] == [
        f"on_received failed for '/test.Service/{kind}'"
    ]


# HTTP.


def test_over_http_all_that_is_answered_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    heard: list[Answered] = []
    responder = Responder(ResCode, translate=TRANSLATE, on_answer=heard.append)
    request = Request("GET", "/rooms/r-42", [("x-request-id", "id-1")])
    for error, code, status, outcome in (
        (ServiceError(ResCode.ROOM_NOT_EXIST), ResCode.ROOM_NOT_EXIST, 404, "coded"),
        (KeyError(), ResCode.NOT_FOUND, 404, "translated"),
        (LookupError(), FALLBACK, 500, "unhandled"),
    ):
        responder.answer(error, request)
        assert heard.pop() == Answered("GET /rooms/r-42", error, code, status, "id-1", outcome)  # type: ignore[arg-type]
    raised = OSError()
    responder.stand(418, None, request, cause=raised)
    assert heard.pop() == Answered("GET /rooms/r-42", raised, None, 418, "id-1", "aborted")
    responder.answer(raised, request, gone=True)
    assert heard.pop().outcome == "undelivered"
    responder.lose(raised, request, 200)
    assert heard.pop() == Answered("GET /rooms/r-42", raised, None, 200, None, "undelivered")
    assert heard == []
