"""A secret in an error stays in the process.

The tests look for it in the frames on the wire and in all log records.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import harness
import pytest
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

import errgrpc
from errgrpc import ResCode, ServiceError
from reliability import canary, h2client
from reliability.canary import SECRET

pytestmark = pytest.mark.thinned(8)

FALLBACK = "INTERNAL_SERVER_ERROR"
TRANSLATE = {
    canary.Translated: ResCode.CONFLICT,
    canary.MisTranslated: lambda error: f"{error} is no ServiceError",
}


@contextmanager
def guarded(style: str, **options: Any) -> Iterator[str]:
    with harness.serve(style, None, None, **options) as target:
        yield target


@pytest.fixture(scope="module")
def guarded_targets() -> Iterator[dict[str, str]]:
    """Servers of each style that translate some errors: their addresses."""
    with ExitStack() as stack:
        yield {
            style: stack.enter_context(guarded(style, translate=TRANSLATE))
            for style in harness.STYLES
        }


@pytest.fixture(params=harness.STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return request.param


def info(answer: h2client.Answer) -> rpc.ErrorInfo:
    found = rpc.ErrorInfo()
    assert status_pb2.Status.FromString(answer.details).details[0].Unpack(found)
    return found


def leaked(answer: h2client.Answer, secret: str = SECRET) -> list[bytes]:
    """The parts of the answer that have the secret."""
    return [
        text
        for text in answer.texts()
        if secret.encode() in text or secret.encode("utf-16-le") in text
    ]


def telling(records: list[logging.LogRecord], secret: str = SECRET) -> list[logging.LogRecord]:
    """The records that have the secret anywhere."""
    formatter = logging.Formatter("%(message)s")
    return [
        record
        for record in records
        if secret in formatter.format(record) + repr(beside_traceback(record))
    ]


def beside_traceback(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: value for key, value in vars(record).items() if key not in ("exc_info", "exc_text")
    }


def check_records(records: list[logging.LogRecord], most: int) -> None:
    """At most this many records have the secret: our own, and only in the traceback."""
    found = telling(records)
    assert len(found) <= most, [(record.name, record.getMessage()) for record in found]
    for record in found:
        assert (record.name, record.exc_info is not None) == ("errgrpc", True)
        assert SECRET not in repr(beside_traceback(record)) + record.getMessage()


def test_the_search_finds_what_bare_grpc_tells(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with harness.sync_server(()) as target, h2client.Client(target) as client:
        with harness.action(canary.UNFORESEEN["text"]) as request:
            # the value, both decoded and raw
            assert len(leaked(client.call(f"/test.Service/{kind}", request))) >= 2
        with harness.action(upstream(forged())) as request:
            assert [
                text
                for text in leaked(client.call(f"/test.Service/{kind}", request))
                if text.startswith(b"\x08\x05")
            ]
    assert telling(caplog.records)


@pytest.mark.parametrize("after", [0, 1])
def test_an_unforeseen_error_leaves_a_traceback_and_nothing_else(
    guarded_targets: dict[str, str],
    style: str,
    kind: str,
    after: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with h2client.Client(guarded_targets[style]) as client:
        for name, act in canary.UNFORESEEN.items():
            caplog.clear()
            with harness.action(act, after if kind.endswith("stream") else 0) as request:
                answer = client.call(f"/test.Service/{kind}", request)
            if name == "status set before":
                assert (answer.status, answer.details) == (StatusCode.ABORTED.value[0], b""), name
            else:
                assert info(answer).reason == FALLBACK, name
            assert leaked(answer) == [], name
            check_records(caplog.records, most=1)


def test_a_coded_error_leaves_nothing(
    guarded_targets: dict[str, str], style: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with h2client.Client(guarded_targets[style]) as client:
        for name, act in canary.CODED.items():
            with harness.action(act) as request:
                answer = client.call(f"/test.Service/{kind}", request)
            if name == "abort":
                assert (answer.status, answer.details) == (StatusCode.ABORTED.value[0], b"")
            else:
                assert info(answer).reason == "CONFLICT"
            assert leaked(answer) == [], name
    check_records(caplog.records, most=0)


@pytest.mark.parametrize("value", [b"\xff", b"\x1b[31m"])
def test_metadata_that_grpc_complains_of_bring_no_traceback_to_light(
    guarded_targets: dict[str, str],
    style: str,
    kind: str,
    value: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """grpc logs values that it cannot decode, along with any error that is being handled."""
    caplog.set_level(logging.DEBUG)
    with (
        harness.action(canary.UNFORESEEN["text"]) as request,
        h2client.Client(guarded_targets[style]) as client,
    ):
        answer = client.call(
            f"/test.Service/{kind}", request, [(b"x-request-id", value), (b"x-other", value)]
        )
    assert info(answer).reason == FALLBACK
    assert leaked(answer) == []
    check_records(caplog.records, most=1)


def test_an_inner_interceptor_leaks_as_little(style: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            raise PermissionError(SECRET)

    class Aio(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            raise PermissionError(SECRET)

    ours: list[Any] = (
        [errgrpc.ServerInterceptor(ResCode), Sync()]
        if style == "sync"
        else [errgrpc.aio.ServerInterceptor(ResCode), Aio()]
    )
    with harness.serve(style, ours) as target, h2client.Client(target) as client:
        for kind in harness.KINDS:
            caplog.clear()
            answer = client.call(f"/test.Service/{kind}", b"")
            assert info(answer).reason == FALLBACK
            assert leaked(answer) == []
            check_records(caplog.records, most=1)


def test_what_replaces_the_log_record_is_told_all(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With `on_error`, an error has no log record, except if the hook itself fails."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def on_error(error: BaseException, **_: object) -> None:
        told.append(str(error))

    act = canary.UNFORESEEN["text"]
    with (
        guarded(style, on_error=on_error) as target,
        h2client.Client(target) as client,
        harness.action(act) as request,
    ):
        assert leaked(client.call("/test.Service/unary_unary", request)) == []
    assert told == [SECRET]
    check_records(caplog.records, most=0)


def test_an_error_whose_replacement_record_fails_is_not_lost(
    style: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def on_error(error: BaseException, **_: object) -> None:
        raise OSError("the collector is down")

    act = canary.UNFORESEEN["text"]
    with (
        guarded(style, on_error=on_error) as target,
        h2client.Client(target) as client,
        harness.action(act) as request,
    ):
        assert leaked(client.call(f"/test.Service/{kind}", request)) == []
    (record,) = telling(caplog.records)
    text = logging.Formatter("%(message)s").format(record)
    assert f"ValueError: {SECRET}" in text
    assert "OSError: the collector is down" in text
    check_records(caplog.records, most=1)


# C calls B, and B calls A. C is a client on the h2 library, and A may send anything.

OTHER = "other-domain.example.com"


class OtherCode(errgrpc.ErrorCode, domain=OTHER, default_locale="en", fallback="UPSTREAM_FAILED"):
    """The codes of A."""

    UPSTREAM_FAILED = (
        77,
        errgrpc.Spec(StatusCode.INTERNAL, message=SECRET, hints={"en": f"hint {SECRET}"}),
    )


def forged(
    reason: str = "ROOM_NOT_EXIST", domain: str = ResCode.domain, request_id: str = "id-of-a"
) -> bytes:
    """The details that A sends: the secret is in every place, under B's domain or another."""
    status = status_pb2.Status(code=5, message=SECRET)
    status.details.add().Pack(
        rpc.ErrorInfo(reason=reason, domain=domain, metadata={"code": "1004", "key": SECRET})
    )
    status.details.add().Pack(rpc.LocalizedMessage(locale="en", message=SECRET))
    status.details.add().Pack(rpc.DebugInfo(detail=SECRET))
    status.details.add().Pack(rpc.RequestInfo(request_id=request_id, serving_data=SECRET))
    return status.SerializeToString()


def upstream(details: bytes) -> Callable[[Any], None]:
    def act(context: Any) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", details), ("x-of-a", SECRET)))
        context.abort(StatusCode.NOT_FOUND, SECRET)

    return act


@pytest.fixture(scope="module")
def a() -> Iterator[str]:
    """The address of a bare server."""
    with harness.sync_server(()) as target:
        yield target


Handle = Callable[[grpc.RpcError], None]


def calling(a: str, request: bytes, style: str, handle: Handle, *, bare: bool = False) -> Any:
    """A handler of B, which calls A by the stack of its style and handles the error."""
    catalogues = (ResCode, OtherCode)

    def sync(_: Any) -> None:
        interceptors = [] if bare else [errgrpc.ClientInterceptor(*catalogues)]
        with harness.sync_channel(a, *interceptors) as channel:
            try:
                harness.method(channel, "unary_unary")(request, timeout=harness.DEADLINE)
            except grpc.RpcError as error:
                handle(error)

    async def aio(_: Any) -> None:
        interceptors = [] if bare else errgrpc.aio.client_interceptors(*catalogues)
        async with grpc.aio.insecure_channel(a, interceptors=interceptors) as channel:
            try:
                await harness.method(channel, "unary_unary")(request, timeout=harness.DEADLINE)
            except grpc.RpcError as error:
                handle(error)

    return sync if style in ("sync", "sync_on_aio") else aio


def let_go(error: grpc.RpcError) -> None:
    raise error


def wrap(error: grpc.RpcError) -> None:
    raise RuntimeError("A failed") from error


def group(error: grpc.RpcError) -> None:
    raise ExceptionGroup("A failed", [error])


def replace(error: grpc.RpcError) -> None:
    raise ServiceError(ResCode.SERVICE_UNAVAILABLE, by="b") from error


def pass_on(error: grpc.RpcError) -> None:
    assert isinstance(error, errgrpc.RemoteError)
    raise ServiceError.from_remote(error) from error


SENT = {
    "B's own domain": forged(),
    "B's own domain, unknown": forged("NO_SUCH_REASON"),
    "B's own fallback": forged(FALLBACK),
    "another domain": forged("UPSTREAM_FAILED", OTHER),
    "a stranger's": forged("X_Y_Z", "stranger.example.com"),
    "no domain": forged(domain=""),
    "garbage": SECRET.encode(),
}


@pytest.mark.parametrize("handle", [let_go, wrap, group, replace])
def test_what_a_said_stops_at_b(
    guarded_targets: dict[str, str],
    a: str,
    style: str,
    kind: str,
    handle: Handle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with h2client.Client(guarded_targets[style]) as client:
        for name, details in SENT.items():
            with (
                harness.action(upstream(details)) as to_a,
                harness.action(calling(a, to_a, style, handle)) as to_b,
            ):
                caplog.clear()
                answer = client.call(f"/test.Service/{kind}", to_b)
            for secret in (
                SECRET,
                OTHER,
                "stranger.example.com",
                "ROOM_NOT_EXIST",
                "NO_SUCH_REASON",
                "UPSTREAM_FAILED",
            ):
                assert leaked(answer, secret) == [], name
            found = info(answer)
            if handle is replace:
                assert (found.reason, found.domain, dict(found.metadata)) == (
                    "SERVICE_UNAVAILABLE",
                    ResCode.domain,
                    {"code": "503", "by": "b"},
                )
                check_records(caplog.records, most=0)
                continue
            assert (found.reason, found.domain, dict(found.metadata)) == (
                FALLBACK,
                ResCode.domain,
                {"code": "500"},
            )
            expected = None if name == "garbage" else "id-of-a"
            assert answered_id(answer) == expected or (
                expected is None and len(answered_id(answer)) == 32
            )
            check_records(caplog.records, most=1)


def answered_id(answer: h2client.Answer) -> str:
    found = rpc.RequestInfo()
    assert status_pb2.Status.FromString(answer.details).details[-1].Unpack(found)
    return found.request_id


@pytest.mark.parametrize("handle", [let_go, wrap])
def test_a_stub_without_our_interceptor_tells_no_more(
    guarded_targets: dict[str, str],
    a: str,
    style: str,
    handle: Handle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with h2client.Client(guarded_targets[style]) as client:
        for details in SENT.values():
            with (
                harness.action(upstream(details)) as to_a,
                harness.action(calling(a, to_a, style, handle, bare=True)) as to_b,
            ):
                caplog.clear()
                answer = client.call("/test.Service/unary_unary", to_b)
            assert info(answer).reason == FALLBACK
            assert leaked(answer) == []
            check_records(caplog.records, most=1)


@pytest.mark.parametrize("request_id", ["i" * 129, "\x1b[31m", "身份", "a\nb", ""])
def test_only_a_bounded_printable_request_id_passes(
    guarded_targets: dict[str, str], a: str, style: str, request_id: str
) -> None:
    details = forged(request_id=request_id)
    with (
        h2client.Client(guarded_targets[style]) as client,
        harness.action(upstream(details)) as to_a,
        harness.action(calling(a, to_a, style, let_go)) as to_b,
    ):
        answered = answered_id(client.call("/test.Service/unary_unary", to_b))
        assert len(answered) == 32
        assert int(answered, 16)
        # The request's own id wins.
        assert (
            answered_id(
                client.call("/test.Service/unary_unary", to_b, [(b"x-request-id", b"of-c")])
            )
            == "of-c"
        )


def test_what_b_passes_on_by_name_arrives(
    guarded_targets: dict[str, str], a: str, style: str, kind: str
) -> None:
    with h2client.Client(guarded_targets[style]) as client:
        for name, reason in (
            ("B's own domain", "ROOM_NOT_EXIST"),
            ("another domain", "UPSTREAM_FAILED"),
        ):
            with (
                harness.action(upstream(SENT[name])) as to_a,
                harness.action(calling(a, to_a, style, pass_on)) as to_b,
            ):
                answer = client.call(f"/test.Service/{kind}", to_b)
            found = info(answer)
            assert (found.reason, found.metadata["key"]) == (reason, SECRET)
            assert answer.trailers[b"grpc-message"] == SECRET.encode()
            assert answered_id(answer) == "id-of-a"
            assert b"x-of-a" not in answer.trailers


@pytest.mark.parametrize("name", ["B's own domain, unknown", "a stranger's", "garbage"])
def test_an_unknown_error_cannot_be_passed_on(
    guarded_targets: dict[str, str], a: str, style: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        h2client.Client(guarded_targets[style]) as client,
        harness.action(
            upstream(SENT[name].replace(b"\n\x041004", b"\n\x04xxxx").replace(b"1004", b"9999"))
        ) as to_a,
        harness.action(calling(a, to_a, style, pass_on)) as to_b,
    ):
        answer = client.call("/test.Service/unary_unary", to_b)
    assert info(answer).reason == FALLBACK
    assert leaked(answer) == []
    check_records(caplog.records, most=1)
