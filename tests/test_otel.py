"""Telemetry by OpenTelemetry's API, and what each tool shows of a server with errgrpc.

The page is docs/observability.md.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.instrumentation.grpc import (
    aio_client_interceptors,
    aio_server_interceptor,
    client_interceptor,
    server_interceptor,
)
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import errgrpc
from errgrpc import Answered, RemoteError, ResCode, ServiceError, otel
from errgrpc.http import Request, Responder

pytestmark = pytest.mark.thinned(2)  # each case has a process of its own

ROOT = Path(__file__).parent.parent
OUTCOMES = ("coded", "unhandled", "aborted", "success")
ANSWERS = ("NOT_FOUND ROOM_NOT_EXIST", "INTERNAL INTERNAL_SERVER_ERROR", "ABORTED None", "OK None")
HANDLERS = {
    "sync": "sync",
    "aio": "asyncio",
    "reader_writer": "asyncio reader/writer",
    "sync_on_aio": "sync on asyncio",
}

Cells = dict[tuple[str, str, str], tuple[str, ...]]
"""Four texts, one for each outcome, by place, style and kind."""


def observed(tool: str) -> tuple[Cells, Cells]:
    """The answers to the client, and what the tool showed."""
    paths = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "observed", tool]
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    answers, shown = (
        dict[tuple[str, str, str], list[str]](),
        dict[tuple[str, str, str], list[str]](),
    )
    for cell in json.loads(ran.stdout):
        key = cell["place"], cell["style"], cell["kind"]
        answers.setdefault(key, []).append(cell["answer"])
        shown.setdefault(key, []).append(cell["shown"])
    return {key: tuple(texts) for key, texts in answers.items()}, {
        key: tuple(texts) for key, texts in shown.items()
    }


def rows(answers: Cells, shown: Cells) -> list[str]:
    """The rows of the page's table: styles and kinds with the same result share a row."""
    kinds = dict[tuple[str, tuple[str, ...]], dict[str, list[str]]]()
    for (place, style, kind), texts in shown.items():
        if place != "alone":
            broken = answers[place, style, kind][-1] != ANSWERS[-1]
            told = ("broken",) * 4 if broken else texts
            kinds.setdefault((place, told), {}).setdefault(style, []).append(kind)
    return [
        f"| {place} | {_handlers(of)} | {' | '.join(texts)} |"
        for (place, texts), of in kinds.items()
    ]


def _handlers(kinds: dict[str, list[str]]) -> str:
    groups = dict[tuple[str, ...], list[str]]()
    for style, of in kinds.items():
        groups.setdefault(tuple(of), []).append(HANDLERS[style])
    told = [
        ", ".join(names) + ("" if of == harness.KINDS else f": {', '.join(of)}")
        for of, names in groups.items()
    ]
    return "; ".join(told)


def page_of(tool: str) -> list[str]:
    page = (ROOT / "docs/observability.md").read_text()
    found = re.search(
        rf"^<!-- observed: {tool} -->\n\n\|[^\n]*\n\|[- |]*\n(.*?)\n\n<!-- end -->$",
        page,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None
    return found[1].split("\n")


@pytest.mark.parametrize(
    ("tool", "places"),
    [
        ("opentelemetry_by_hand", ("before", "behind")),
        pytest.param("opentelemetry_auto", ("before",), marks=pytest.mark.full),
        ("prometheus_by_hand", ("before", "behind")),
        pytest.param("sentry_by_hand", ("before", "behind", "none"), marks=pytest.mark.full),
        pytest.param("sentry_auto", ("before",), marks=pytest.mark.full),
        pytest.param("ddtrace_auto", ("before",), marks=pytest.mark.full),
    ],
)
def test_the_page_says_what_a_tool_shows(tool: str, places: tuple[str, ...]) -> None:
    answers, shown = observed(tool)
    told = [
        row
        for row in page_of(tool.partition("_")[0])
        if row.startswith(tuple(f"| {place} |" for place in places))
    ]
    assert rows(answers, shown) == told, "\n".join(rows(answers, shown))
    for (place, style, kind), texts in answers.items():
        if place != "alone" and texts != ANSWERS:
            assert answers["alone", style, kind] != ANSWERS[-1:], (
                "the tool breaks the handler only with errgrpc"
            )


@pytest.mark.full
def test_a_service_that_opentelemetry_leaves_alone_is_not_broken() -> None:
    answers, shown = observed("opentelemetry_excluded")
    assert set(answers.values()) == {ANSWERS, ANSWERS[-1:]}
    assert set(shown.values()) == {("nothing",) * 4, ("nothing",)}


# The hooks.

METHODS = [f"/test.Service/{kind}" for kind in harness.KINDS]


class Measured:
    """Providers of OpenTelemetry's SDK that keep what they receive."""

    def __init__(self, **options: Any) -> None:
        self.reader = InMemoryMetricReader()
        meters = MeterProvider(metric_readers=[self.reader])
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = otel.Telemetry(meter_provider=meters, **{"methods": METHODS} | options)

    @property
    def counted(self) -> dict[tuple[str, str, str], int]:
        """The counts by method, reason and side."""
        data = self.reader.get_metrics_data()
        metrics = (
            []
            if data is None
            else [
                each
                for one in data.resource_metrics
                for scope in one.scope_metrics
                for each in scope.metrics
            ]
        )
        names = otel.RPC_METHOD, otel.ERRGRPC_REASON, otel.ERRGRPC_SIDE
        found = dict[tuple[str, str, str], int]()
        for metric in metrics:
            assert (metric.name, metric.unit) == ("errgrpc.failed_calls", "{call}")
            points: Any = metric.data.data_points
            for point in points:
                assert set(point.attributes) == set(names)
                method, reason, side = (point.attributes[name] for name in names)
                found[method, reason, side] = point.value
        return found

    @contextmanager
    def span(self) -> Iterator[None]:
        with self.tracers.get_tracer("tests").start_as_current_span(
            "caller", record_exception=False, set_status_on_exception=False
        ):
            yield

    def spans(self) -> dict[str, dict[str, Any]]:
        """The attributes of errgrpc and error.type, by the name of the span."""
        names = (
            otel.ERROR_TYPE,
            otel.ERRGRPC_REASON,
            otel.ERRGRPC_DOMAIN,
            otel.ERRGRPC_CODE,
            otel.ERRGRPC_REQUEST_ID,
        )
        return {
            span.name: {
                name: value for name, value in (span.attributes or {}).items() if name in names
            }
            for span in self.exporter.get_finished_spans()
        }

    def heard(self, error: RemoteError, method: str = METHODS[0]) -> dict[str, Any]:
        """The attributes that an error sets on the span of a caller."""
        self.exporter.clear()
        with self.span():
            self.telemetry.on_received(error, method=method)
        return self.spans()["caller"]


def coded(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


def unhandled(_: Any) -> None:
    raise LookupError("text")


def aborts(context: Any) -> Any:
    return context.abort(StatusCode.ABORTED, "as I say")


ACTS = {coded: "ROOM_NOT_EXIST", unhandled: "INTERNAL_SERVER_ERROR", aborts: otel.OTHER}


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_server_counts_each_failed_call_by_method_and_reason(style: str, kind: str) -> None:
    measured = Measured()
    with harness.serve(style, on_answer=measured.telemetry.on_answer) as target:
        for act in (*ACTS, coded, lambda _: None):
            with harness.action(act) as request:
                harness.call("sync", target, kind, request)
    method = f"test.Service/{kind}"
    counts = {"ROOM_NOT_EXIST": 2, "INTERNAL_SERVER_ERROR": 1, otel.OTHER: 1}
    assert measured.counted == {
        (method, reason, "server"): count for reason, count in counts.items()
    }


def test_a_client_counts_each_failed_call_by_method_and_reason(
    stack: str, kind: str, targets: dict[str, str]
) -> None:
    measured = Measured()
    hook = measured.telemetry.on_received
    for act in (*ACTS, coded, lambda _: None):
        with harness.action(act) as request:
            if stack == "sync":
                interceptors: Any = [errgrpc.ClientInterceptor(ResCode, on_received=hook)]
            else:
                interceptors = errgrpc.aio.client_interceptors(ResCode, on_received=hook)
            harness.call(stack, targets["sync"], kind, request, interceptors=interceptors)
    method = f"test.Service/{kind}"
    counts = {"ROOM_NOT_EXIST": 2, "INTERNAL_SERVER_ERROR": 1, otel.OTHER: 1}
    assert measured.counted == {
        (method, reason, "client"): count for reason, count in counts.items()
    }


@pytest.mark.parametrize("style", ["sync", "aio"])
def test_the_span_of_a_server_says_what_is_known(style: str, kind: str) -> None:
    measured = Measured()
    hook = measured.telemetry.on_answer
    interceptors: list[Any]
    if style == "sync":
        interceptors = [
            server_interceptor(measured.tracers),
            errgrpc.ServerInterceptor(ResCode, on_answer=hook),
        ]
    else:
        interceptors = [
            aio_server_interceptor(measured.tracers),
            errgrpc.aio.ServerInterceptor(ResCode, on_answer=hook),
        ]
    seen = []
    for act in ACTS:
        measured.exporter.clear()
        with harness.serve(style, interceptors) as target, harness.action(act, after=1) as request:
            harness.call("sync", target, kind, request, metadata=[("x-request-id", "id-1")])
        seen.append(measured.spans()[f"/test.Service/{kind}"])
    domain = {otel.ERRGRPC_DOMAIN: ResCode.domain}
    assert seen == [
        {otel.ERRGRPC_REASON: "ROOM_NOT_EXIST", otel.ERRGRPC_CODE: 1004, **domain},
        {
            otel.ERRGRPC_REASON: "INTERNAL_SERVER_ERROR",
            otel.ERRGRPC_CODE: 500,
            otel.ERRGRPC_REQUEST_ID: "id-1",
            **domain,
        },
        {},
    ]


@pytest.mark.parametrize(
    ("wanted", "place"),
    [("caller", "wrap_channel"), ("caller", "interceptor before"), ("call", "interceptor behind")],
)
def test_which_span_of_a_sync_client_says_it(
    wanted: str, place: str, kind: str, targets: dict[str, str]
) -> None:
    measured = Measured()
    hook, its = measured.telemetry.on_received, client_interceptor(measured.tracers)
    with grpc.insecure_channel(targets["sync"]) as bare, harness.action(coded, after=1) as request:
        if place == "interceptor behind":
            channel = intercept_channel(
                grpc.intercept_channel(bare, errgrpc.ClientInterceptor(ResCode, on_received=hook)),
                its,
            )
        elif place == "interceptor before":
            channel = grpc.intercept_channel(
                intercept_channel(bare, its), errgrpc.ClientInterceptor(ResCode, on_received=hook)
            )
        else:
            channel = errgrpc.wrap_channel(intercept_channel(bare, its), ResCode, on_received=hook)
        with measured.span(), pytest.raises(errgrpc.remote(ResCode.ROOM_NOT_EXIST)):
            list(harness.method(channel, kind)(harness.argument(kind, request)))
    assert _span_with_reason(measured) == ("caller" if kind == "stream_stream" else wanted)


@pytest.mark.parametrize("place", ["wrap_channel", "interceptor before", "interceptor behind"])
async def test_an_asyncio_client_says_it_on_the_span_of_the_caller(
    place: str, kind: str, targets: dict[str, str]
) -> None:
    measured = Measured()
    its, hook = aio_client_interceptors(measured.tracers), measured.telemetry.on_received
    ours = errgrpc.aio.client_interceptors(ResCode, on_received=hook)
    interceptors = {
        "wrap_channel": its,
        "interceptor before": [*ours, *its],
        "interceptor behind": [*its, *ours],
    }[place]
    with harness.action(coded, after=1) as request:
        async with grpc.aio.insecure_channel(targets["sync"], interceptors=interceptors) as bare:
            channel = (
                errgrpc.aio.wrap_channel(bare, ResCode, on_received=hook)
                if place == "wrap_channel"
                else bare
            )
            call = harness.method(channel, kind)(harness.argument(kind, request))
            with measured.span(), pytest.raises(errgrpc.remote(ResCode.ROOM_NOT_EXIST)):
                await call if kind.endswith("unary") else [response async for response in call]
    assert _span_with_reason(measured) == "caller"


def _span_with_reason(measured: Measured) -> str:
    (name,) = [name for name, attributes in measured.spans().items() if attributes]
    return "caller" if name == "caller" else "call"


# What peers send.


class Refusing(grpc.ServerInterceptor):
    """Raises before it is known whether the method exists."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise ServiceError(ResCode.UNAUTHORIZED)


def test_a_client_cannot_make_up_methods() -> None:
    measured, by_default = Measured(), Measured(methods=None)

    def hook(answered: Answered) -> None:
        measured.telemetry.on_answer(answered)
        by_default.telemetry.on_answer(answered)

    interceptors = [errgrpc.ServerInterceptor(ResCode, on_answer=hook), Refusing()]
    with harness.serve("sync", interceptors) as target, grpc.insecure_channel(target) as channel:
        for method in (
            "/test.Service/unary_unary",
            "/test.Service/made_up",
            "/classroom.v1.ClassroomService/JoinRoom",
            "/a/b",
            "no/path",
        ):
            call: Any = channel.unary_unary(method)
            with pytest.raises(grpc.RpcError):
                call(b"", timeout=harness.DEADLINE)
    assert measured.counted == {
        ("test.Service/unary_unary", "UNAUTHORIZED", "server"): 1,
        (otel.OTHER, "UNAUTHORIZED", "server"): 4,
    }
    from examples.classroom.v1 import classroom_pb2  # an imported service is recognized

    service = classroom_pb2.DESCRIPTOR.services_by_name["ClassroomService"]
    path = f"/{service.full_name}/{service.methods[0].name}"
    by_default.telemetry.on_answer(Answered(path, None, None, StatusCode.ABORTED, None, "aborted"))
    assert by_default.counted[path[1:], otel.OTHER, "server"] == 1


@given(
    st.one_of(st.text(), st.from_regex(r"/?[\w.\0/]*/\w*"), st.just("/google.rpc.context/\ud800"))
)
def test_any_text_is_counted_as_some_method(path: str) -> None:
    measured = Measured(methods=None)
    measured.telemetry.on_answer(Answered(path, None, None, StatusCode.ABORTED, None, "aborted"))
    assert list(measured.counted) == [(otel.OTHER, otel.OTHER, "server")]


def received(reason: str, domain: str, number: str = "", request_id: str = "") -> RemoteError:
    details = [
        error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata={"code": number}),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    status = status_pb2.Status(code=5, message="text")
    for detail in details:
        status.details.add().Pack(detail)
    return errgrpc.decode(status, ResCode)


def test_of_an_unknown_code_the_span_has_what_the_peer_sent() -> None:
    measured = Measured()
    unknown = received("NEWER", ResCode.domain, "7", "id-1")
    assert unknown.error_code is None
    assert measured.heard(unknown) == {
        otel.ERRGRPC_REASON: "NEWER",
        otel.ERRGRPC_DOMAIN: ResCode.domain,
        otel.ERRGRPC_CODE: 7,
        otel.ERRGRPC_REQUEST_ID: "id-1",
    }
    assert measured.heard(received("NEWER", "other.example.com", "x")) == {
        otel.ERRGRPC_REASON: "NEWER",
        otel.ERRGRPC_DOMAIN: "other.example.com",
    }
    assert measured.counted == {("test.Service/unary_unary", otel.OTHER, "client"): 2}


def test_a_guess_is_no_reason() -> None:
    measured = Measured()
    with grpc.insecure_channel("127.0.0.1:1") as bare:
        call: Any = errgrpc.wrap_channel(
            bare, ResCode, on_received=measured.telemetry.on_received
        ).unary_unary(METHODS[0])
        with measured.span(), pytest.raises(RemoteError) as caught:
            call(b"", timeout=harness.DEADLINE)
    assert caught.value.inferred
    assert measured.spans()["caller"] == {}
    assert list(measured.counted) == [("test.Service/unary_unary", otel.OTHER, "client")]


@given(st.text(max_size=80), st.text(max_size=300), st.text(max_size=30), st.text(max_size=140))
def test_no_peer_makes_a_label_or_an_attribute_of_its_own(
    reason: str, domain: str, number: str, request_id: str
) -> None:
    measured = Measured()
    attributes = measured.heard(received(reason, domain, number, request_id), method=reason)
    assert list(measured.counted) == [(otel.OTHER, otel.OTHER, "client")]
    assert all(
        isinstance(value, int) or (value.isascii() and value.isprintable() and len(value) <= 255)
        for value in attributes.values()
    )


# Options.


def test_the_reason_as_error_type() -> None:
    measured = Measured(reason_as_error_type=True)
    assert (
        measured.heard(received("ROOM_NOT_EXIST", ResCode.domain))[otel.ERROR_TYPE]
        == "ROOM_NOT_EXIST"
    )
    assert otel.ERROR_TYPE not in measured.heard(received("NEWER", ResCode.domain))
    assert measured.heard(received("", "")) == {}
    assert otel.ERROR_TYPE not in Measured().heard(received("ROOM_NOT_EXIST", ResCode.domain))


def test_methods_may_be_what_generated_code_declares() -> None:
    from examples.classroom.v1 import classroom_errgrpc

    path = next(iter(classroom_errgrpc.RAISES))
    measured = Measured(methods=classroom_errgrpc.RAISES)
    measured.heard(received("ROOM_NOT_EXIST", ResCode.domain), method=path)
    assert list(measured.counted) == [(path[1:], "ROOM_NOT_EXIST", "client")]


@pytest.mark.parametrize("methods", ["/a/b", b"/a/b", 5, ["a/b"], ["/a"], [5], [("/a/b",)]])
def test_wrong_methods_are_refused(methods: Any) -> None:
    with pytest.raises(TypeError, match="give a collection of paths"):
        otel.Telemetry(methods=methods)


def test_requests_over_http_count_by_reason_alone(caplog: pytest.LogCaptureFixture) -> None:
    measured = Measured(methods=None)
    responder = Responder(ResCode, on_answer=measured.telemetry.on_answer)
    request = Request("GET", "/rooms/r-42", [("x-request-id", "id-1")])
    with measured.span():
        responder.answer(ServiceError(ResCode.ROOM_NOT_EXIST), request)
    assert measured.counted == {(otel.OTHER, "ROOM_NOT_EXIST", "server"): 1}
    assert measured.spans()["caller"][otel.ERRGRPC_REQUEST_ID] == "id-1"


# Telemetry never fails a call.


class Failing(NoOpMeterProvider):
    """Its counter raises."""

    def get_meter(self, *_: Any, **__: Any) -> Any:
        return self

    def create_counter(self, *_: Any, **__: Any) -> Any:
        return self

    def add(self, *_: Any, **__: Any) -> None:
        raise OSError("full")


@pytest.mark.parametrize("style", harness.STYLES)
def test_what_the_sdk_raises_goes_no_further(
    style: str, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError("full")

    telemetry = otel.Telemetry()
    monkeypatch.setattr(telemetry, "_failed_calls", type("Failing", (), {"add": fails})())
    with (
        harness.serve(style, on_answer=telemetry.on_answer) as target,
        harness.action(coded) as request,
    ):
        interceptors = [errgrpc.ClientInterceptor(ResCode, on_received=telemetry.on_received)]
        answer = harness.call("sync", target, kind, request, interceptors=interceptors)
    assert type(answer.error) is errgrpc.remote(ResCode.ROOM_NOT_EXIST)
    assert {record.getMessage() for record in harness.logged(caplog)} == {
        f"{name} failed for '/test.Service/{kind}'" for name in ("on_answer", "on_received")
    }


WITHOUT_SDK = """
import sys
sys.modules["opentelemetry.sdk"] = None
from concurrent import futures
import errgrpc, grpc
from errgrpc import ResCode, ServiceError, otel

def fail(request, context):
    raise ServiceError(ResCode.ROOM_NOT_EXIST)

telemetry = otel.Telemetry()
interceptor = errgrpc.ServerInterceptor(ResCode, on_answer=telemetry.on_answer)
server = grpc.server(futures.ThreadPoolExecutor(), interceptors=[interceptor])
handlers = {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("S", handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    try:
        wrapped = errgrpc.wrap_channel(channel, ResCode, on_received=telemetry.on_received)
        wrapped.unary_unary("/S/Fail")(b"")
    except errgrpc.RemoteError as error:
        print(error.error_code)
server.stop(None).wait()
others = ("opentelemetry.semconv", "opentelemetry.instrumentation")
print([name for name in sys.modules if name.startswith(others)])
"""
SAID = "ResCode.ROOM_NOT_EXIST\n[]\n"


def test_the_api_alone_does() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_SDK],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == SAID


@pytest.mark.full
def test_the_lowest_api_does(fresh: Any, tmp_path: Path) -> None:
    floor = re.search(
        r'^otel = \["opentelemetry-api>=([\d.]+)"\]$',
        (ROOT / "pyproject.toml").read_text(),
        re.MULTILINE,
    )
    assert floor is not None
    install = (
        "python",
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--target",
        str(tmp_path),
    )
    fresh.run(*install, f"opentelemetry-api=={floor[1]}")
    (tmp_path / "main.py").write_text(WITHOUT_SDK)
    assert fresh.run("python", "main.py", cwd=tmp_path) == SAID
