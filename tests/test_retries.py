"""Retries: `retry_delay`, what a client's own retry policy is told, and `errgrpc.retries`.

The tests count the attempts of real clients.
"""

import asyncio
import itertools
import json
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
import errgrpc.http
from errgrpc import ErrorCode, MisuseWarning, RemoteError, ResCode, ServiceError, Spec
from errgrpc.answering import Answering, Rpc
from errgrpc.retries import service_config
from errgrpc.wire.packing import DETAILS_KEY, PUSHBACK_KEY
from errgrpc.wire.trailers import sendable
from examples.classroom.v1 import classroom_pb2

pytestmark = pytest.mark.thinned(2)  # the default: some tests have their own number

BUSY = ResCode.SERVICE_UNAVAILABLE  # UNAVAILABLE, retryable
FALLBACK = ResCode.INTERNAL_SERVER_ERROR


class GateCode(ErrorCode, domain="gate.example.com", fallback="BROKEN"):
    OPENING = 1, Spec(StatusCode.UNAVAILABLE)
    CLOSED = 2, Spec(StatusCode.UNAVAILABLE, retryable=False)
    FULL = 3, Spec(StatusCode.RESOURCE_EXHAUSTED, retryable=True)
    LOCKED = 4, Spec(StatusCode.ABORTED, retryable=False)
    BROKEN = 5, Spec(StatusCode.INTERNAL)


def service(**levels: int) -> Any:
    """The descriptor of `test.Service`, whose methods have these idempotency levels."""
    file = descriptor_pb2.FileDescriptorProto(
        name="test.proto", package="test", message_type=[descriptor_pb2.DescriptorProto(name="M")]
    )
    methods: Any = [
        {
            "name": kind,
            "input_type": ".test.M",
            "output_type": ".test.M",
            "options": {"idempotency_level": levels.get(kind, 0)},
        }
        for kind in harness.KINDS
    ]
    file.service.add(name="Service", method=methods)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName("test.Service")


ATTEMPTS = 4
PATHS = [f"/test.Service/{kind}" for kind in harness.KINDS]
FAST: dict[str, Any] = {
    "services": [service()],
    "safe_methods": PATHS,
    "max_attempts": ATTEMPTS,
    "throttling": None,
}
CONFIG = service_config(
    GateCode,
    initial_backoff=0.01,
    max_backoff=0.01,
    statuses={StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED, StatusCode.ABORTED},
    **FAST,
)


@contextmanager
def counted(act: Any, after: int = 0) -> Iterator[tuple[bytes, list[float]]]:
    """The request of an action, and the time of each attempt."""
    came: list[float] = []

    def counting(context: Any) -> Any:
        came.append(time.monotonic())
        return act(context)

    with harness.action(counting, after) as request:
        yield request, came


def call_sync(target: str, kind: str, *requests: bytes, config: str = CONFIG) -> Any:
    """Makes these calls on one channel; returns the last error."""
    error = None
    with errgrpc.wrap_channel(
        grpc.insecure_channel(target, options=[("grpc.service_config", config)]), ResCode, GateCode
    ) as channel:
        for request in requests:
            try:
                outcome = harness.method(channel, kind)(
                    harness.argument(kind, request), timeout=harness.DEADLINE
                )
                list(outcome if kind.endswith("stream") else ())
            except grpc.RpcError as failure:
                error = failure
    return error


def call_aio(target: str, kind: str, *requests: bytes, config: str = CONFIG) -> Any:
    async def call() -> Any:
        error = None
        bare = grpc.aio.insecure_channel(target, options=[("grpc.service_config", config)])
        async with errgrpc.aio.wrap_channel(bare, ResCode, GateCode) as channel:
            for request in requests:
                made = harness.method(channel, kind)(
                    harness.argument(kind, request), timeout=harness.DEADLINE
                )
                try:
                    if kind.endswith("stream"):
                        async for _ in made:
                            pass
                    else:
                        await made
                except grpc.RpcError as failure:
                    error = failure
        return error

    return asyncio.run(call())


CLIENTS = {"sync": call_sync, "aio": call_aio}


def raising(*arguments: Any, **named: Any) -> Callable[[Any], None]:
    def act(_: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MisuseWarning)
            error = ServiceError(*arguments, **named)
        raise error

    return act


def passed_on(_: Any) -> None:
    sent = errgrpc.encode(ServiceError(BUSY, retry_delay=timedelta(hours=1)))
    raise ServiceError.from_remote(errgrpc.decode(sent, ResCode))


def aborts(context: Any) -> Any:
    return context.abort(StatusCode.UNAVAILABLE, "as I say")


def unhandled(_: Any) -> None:
    raise LookupError("text")


def with_pushback(value: str, *arguments: Any, **named: Any) -> Callable[[Any], None]:
    raises = raising(*arguments, **named)

    def act(context: Any) -> None:
        context.set_trailing_metadata(((PUSHBACK_KEY, value), ("x-own", "kept")))
        raises(context)

    return act


def shed(_: Any) -> None:
    raise ServiceError(
        BUSY, "m" * 900, retry_delay=3_600, details=[rpc.ResourceInfo(resource_name="n" * 900)]
    )


# name -> (what the handler does, attempts of a client with a policy of 4, the pushback sent)
CASES: dict[str, tuple[Any, int, str | None]] = {
    "no delay": (raising(BUSY), ATTEMPTS, None),
    "a delay": (raising(BUSY, retry_delay=0.001), ATTEMPTS, "1"),
    "no delay at all": (raising(BUSY, retry_delay=0), ATTEMPTS, "1"),
    "RetryInfo by hand": (
        raising(GateCode.OPENING, details=[rpc.RetryInfo(retry_delay={"nanos": 1})]),
        ATTEMPTS,
        "1",
    ),
    "another status": (raising(GateCode.FULL, retry_delay=0.002), ATTEMPTS, "2"),
    "not retryable": (raising(GateCode.CLOSED), 1, "-1"),
    "not retryable, with a delay": (raising(GateCode.CLOSED, retry_delay=0.001), 1, "-1"),
    # The client's policy leaves out ABORTED, because LOCKED has it.
    "not retryable, another status": (raising(GateCode.LOCKED), 1, None),
    "not retryable, another status, with a delay": (
        raising(GateCode.LOCKED, retry_delay=0.001),
        1,
        "1",
    ),
    "a status that is not retried": (raising(ResCode.ROOM_NOT_PREPARED, retry_delay=0.001), 1, "1"),
    "an unhandled exception": (unhandled, 1, None),
    "passed on": (passed_on, ATTEMPTS, None),
    "the handler's own pushback": (with_pushback("-1", BUSY, retry_delay=0.001), 1, "-1"),
    "the handler's own pushback stands": (with_pushback("2", GateCode.CLOSED), ATTEMPTS, "2"),
    "the handler's own 0": (with_pushback("0", BUSY), ATTEMPTS, "1"),
    "the handler's own 0 beside a delay": (
        with_pushback("0", BUSY, retry_delay=0.001),
        ATTEMPTS,
        "1",
    ),
    "an abort": (aborts, ATTEMPTS, None),
}


@pytest.fixture(scope="module")
def gates() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {
            style: stack.enter_context(harness.serve(style, catalogue=GateCode))
            for style in harness.STYLES
        }


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.thinned(5)
def test_attempts(name: str, client: str, style: str, kind: str, gates: dict[str, str]) -> None:
    act, attempts, pushback = CASES[name]
    with counted(act) as (request, came):
        error = CLIENTS[client](gates[style], kind, request)
    assert len(came) == attempts
    assert dict(iter(error.trailing_metadata())).get(PUSHBACK_KEY) == pushback


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
def test_after_a_first_message_nothing_is_tried_again(
    client: str, style: str, kind: str, gates: dict[str, str]
) -> None:
    with counted(raising(BUSY, retry_delay=0.001), after=1) as (request, came):
        error = CLIENTS[client](gates[style], kind, request)
    assert (len(came), error.retry_delay, error.error_code) == (1, 0.001, BUSY)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_waits_as_it_is_told(
    client: str, style: str, kind: str, gates: dict[str, str]
) -> None:
    with counted(raising(BUSY, retry_delay=0.05)) as (request, came):
        error = CLIENTS[client](gates[style], kind, request)
    assert error.retry_delay == 0.05
    # The client's own backoff is 12 ms at most. On a busy machine, only a loose lower bound is
    # safe.
    assert all(later - earlier > 0.04 for earlier, later in itertools.pairwise(came))
    assert len(came) == ATTEMPTS


@pytest.mark.parametrize("style", harness.STYLES)
def test_what_is_shed_goes_together(style: str, kind: str) -> None:
    with harness.serve(style, max_trailer_bytes=1_024) as target, counted(shed) as (request, came):
        error = call_sync(target, kind, request)
    # the client's own backoff counts: the delay of an hour was cut with its RetryInfo
    assert len(came) == ATTEMPTS
    assert error.error_code is BUSY
    assert error.retry_delay is None
    assert PUSHBACK_KEY not in dict(iter(error.trailing_metadata()))


@pytest.mark.parametrize("style", harness.STYLES)
def test_an_interceptor_that_fails_says_when_too(style: str, kind: str) -> None:
    class Full(grpc.ServerInterceptor):
        def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(BUSY, retry_delay=0.001)

    class AsyncFull(grpc.aio.ServerInterceptor):
        async def intercept_service(self, *_: Any) -> Any:
            raise ServiceError(BUSY, retry_delay=0.001)

    stack, inner = (errgrpc, Full()) if style == "sync" else (errgrpc.aio, AsyncFull())
    with harness.serve(style, [stack.ServerInterceptor(ResCode), inner]) as target:
        error = call_sync(target, kind, b"unused")
    assert (error.retry_delay, dict(iter(error.trailing_metadata()))[PUSHBACK_KEY]) == (0.001, "1")


# The pushback on the wire, for any delay.

SECONDS = (
    st.integers(0, 315_576_000_000)
    | st.floats(0, 315_576_000_000)
    | st.floats(0, 10)
    | st.integers(0, 10_000_000).map(lambda us: us / 1e6)
)


def trailers_of(error: BaseException, **rpc_: Any) -> dict[str, Any]:
    return dict(Answering(ResCode).answer(error, Rpc("/a/b", (), **rpc_)).trailers)


@given(SECONDS)
def test_the_pushback_is_the_delay_rounded_up(delay: float) -> None:
    for error in (
        ServiceError(BUSY, retry_delay=delay),
        ServiceError(BUSY, details=[rpc.RetryInfo(retry_delay=timedelta(seconds=delay))]),
    ):
        sent = trailers_of(error)
        info = rpc.RetryInfo()
        assert status_pb2.Status.FromString(sent[DETAILS_KEY]).details[-1].Unpack(info)
        nanoseconds = info.retry_delay.ToNanoseconds()
        assert int(sent[PUSHBACK_KEY]) == min(max(-(-nanoseconds // 1_000_000), 1), 2**31 - 1)
        assert abs(nanoseconds / 1e9 - delay) <= max(1e-6, delay * 1e-9)
        assert error.retry_delay == pytest.approx(delay, abs=1e-6)
        read = errgrpc.decode(sent[DETAILS_KEY], ResCode)
        assert read.retry_delay == pytest.approx(delay, abs=1e-6)


WRONG = [
    rpc.RetryInfo(),
    rpc.RetryInfo(retry_delay={"seconds": -1}),
    rpc.RetryInfo(retry_delay={"nanos": -1}),
    rpc.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2**62)),
    any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff\xff"),
]


@pytest.mark.parametrize("info", WRONG, ids=range(len(WRONG)))
def test_a_retry_info_without_a_delay_says_nothing(info: Any) -> None:
    error = ServiceError(BUSY, details=[info])
    assert (error.retry_delay, error.status_details) == (None, (info,))
    sent = trailers_of(error)
    assert PUSHBACK_KEY not in sent
    assert errgrpc.decode(sent[DETAILS_KEY], ResCode).retry_delay is None


def test_a_retry_info_by_hand_is_the_delay() -> None:
    packed = any_pb2.Any()
    packed.Pack(rpc.RetryInfo(retry_delay={"seconds": 2, "nanos": 500_000_000}))
    for info in (packed, rpc.RetryInfo(retry_delay={"seconds": 2, "nanos": 500_000_000})):
        for details in (
            [info],
            [rpc.RequestInfo(request_id="r"), info],
            [rpc.Help(), info, rpc.RequestInfo(request_id="r")],
        ):
            error = ServiceError(BUSY, details=details)
            assert error.retry_delay == 2.5
            assert error.status_details == tuple(detail for detail in details if detail is not info)
            kinds = [detail.TypeName() for detail in errgrpc.encode(error).details]
            assert kinds.count("google.rpc.RetryInfo") == 1


def test_a_delay_of_a_code_that_is_not_retryable_is_misuse() -> None:
    for arguments in ({"retry_delay": 1}, {"details": [rpc.RetryInfo(retry_delay={"seconds": 1})]}):
        with pytest.warns(MisuseWarning) as caught:
            error = ServiceError(ResCode.NOT_FOUND, **arguments)  # type: ignore[arg-type]
        (warning,) = caught
        assert (warning.filename, str(warning.message)) == (
            __file__,
            "a retry_delay is given with ResCode.NOT_FOUND, which declares that a retry "
            "cannot succeed: leave it out, or declare otherwise",
        )
        assert error.retry_delay == 1
        assert trailers_of(error)[PUSHBACK_KEY] == "1000"
    with pytest.warns(MisuseWarning):
        closed = ServiceError(GateCode.CLOSED, retry_delay=1)
    assert trailers_of(closed)[PUSHBACK_KEY] == "-1"
    assert errgrpc.decode(trailers_of(closed)[DETAILS_KEY], GateCode).retry_delay == 1


def test_what_is_passed_on_keeps_its_retry_info() -> None:
    received = errgrpc.decode(errgrpc.encode(ServiceError(BUSY, retry_delay=2)), ResCode)
    assert (received.retry_delay, received.retryable) == (2.0, True)
    error = ServiceError.from_remote(received)
    sent = trailers_of(error)
    assert PUSHBACK_KEY not in sent
    assert errgrpc.decode(sent[DETAILS_KEY], ResCode).retry_delay == 2.0
    closed = errgrpc.decode(errgrpc.encode(ServiceError(GateCode.CLOSED)), GateCode)
    # this service's callers must not retry, either
    assert trailers_of(ServiceError.from_remote(closed))[PUSHBACK_KEY] == "-1"


def test_the_first_delay_that_is_readable_counts() -> None:
    for before in ((), *((wrong,) for wrong in WRONG)):
        status = status_pb2.Status(code=14)
        for info in (
            *before,
            rpc.RetryInfo(retry_delay={"seconds": 3}),
            rpc.RetryInfo(retry_delay={"seconds": 4}),
        ):
            status.details.append(info) if isinstance(
                info, any_pb2.Any
            ) else status.details.add().Pack(info)
        assert errgrpc.decode(status, ResCode).retry_delay == 3.0
    assert errgrpc.decode(status_pb2.Status(code=14), ResCode).retry_delay is None


def test_what_does_not_parse_is_not_passed_on_in_place_of_what_does() -> None:
    status = errgrpc.encode(ServiceError(BUSY, retry_delay=3))
    status.details.insert(
        1, any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff\xff")
    )
    received = errgrpc.decode(status, ResCode)
    again = errgrpc.decode(errgrpc.encode(ServiceError.from_remote(received)), ResCode)
    assert (received.retry_delay, again.retry_delay) == (3.0, 3.0)


def test_over_http_a_retry_info_without_a_delay_says_nothing_either() -> None:
    for info in WRONG:
        status, headers, body = errgrpc.http.encode(ServiceError(BUSY, details=[info]))
        assert "retry-after" not in dict(headers)
        assert errgrpc.http.decode(status, headers, body, ResCode).retry_delay is None
    status, headers, body = errgrpc.http.encode(ServiceError(BUSY, retry_delay=0))
    assert dict(headers)["retry-after"] == "0"
    assert errgrpc.http.decode(status, headers, body, ResCode).retry_delay == 0


class HostileFloat(float):
    def __ge__(self, _: Any) -> bool:
        raise RuntimeError("text")

    __le__ = __float__ = __ge__  # type: ignore[assignment]


class HostileInt(int):
    def __ge__(self, _: Any) -> bool:
        raise RuntimeError("text")

    __le__ = __int__ = __ge__  # type: ignore[assignment]


class HostileDelta(timedelta):
    def total_seconds(self) -> float:
        raise RuntimeError("text")


@pytest.mark.parametrize("delay", [HostileFloat(2), HostileInt(2), HostileDelta(seconds=2)])
def test_a_hostile_number_is_the_number(delay: Any) -> None:
    assert trailers_of(ServiceError(BUSY, retry_delay=delay))[PUSHBACK_KEY] == "2000"


def test_never_stays_whatever_is_shed() -> None:
    """Without the pushback, clients would retry an error whose code forbids retries."""
    with pytest.warns(MisuseWarning):
        error = ServiceError(
            GateCode.CLOSED,
            "m" * 9_000,
            retry_delay=5,
            details=[rpc.ResourceInfo(resource_name="n" * 9_000)],
        )
    answer = Answering(ResCode, max_trailer_bytes=1_024).answer(
        error, Rpc("/a/b", (), trailers=(("x-own", "o" * 2_000),))
    )
    sent: dict[str, Any] = dict(answer.trailers)
    assert sent[PUSHBACK_KEY] == "-1"
    assert "x-own" not in sent
    read = errgrpc.decode(sent[DETAILS_KEY], GateCode)
    assert read.error_code is GateCode.CLOSED


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        *((zero, "1") for zero in ("0", "00", " 0 ", "+0", "-0", "-00")),
        *(
            (much, "2147483647")
            for much in (
                "2147483647",
                "2147483648",
                "4294967296",
                "9223372036854775807",
                "9999999999999999999",
            )
        ),
        *(
            (own, own)
            for own in ("1", "-1", "-7", "10", "now", "", "0x", "0 0", "99999999999999999999999")
        ),
    ],
)
def test_a_handler_s_own_pushback_goes_out_as_clients_can_bear_it(value: str, sent: str) -> None:
    """If it is 0 or the greatest of 64 bits, a grpcio client waits until its deadline.

    Without a deadline, it waits forever.
    """
    assert sendable([(PUSHBACK_KEY, value), ("x", "0")]) == ([(PUSHBACK_KEY, sent), ("x", "0")], [])


@pytest.mark.parametrize("value", ["9223372036854775807", "99999999999999999999999"])
def test_no_pushback_of_a_handler_loses_its_error_at_once(
    value: str, gates: dict[str, str]
) -> None:
    """The first is a delay of 24 days: the client waits until its caller's deadline."""
    with (
        counted(with_pushback(value, BUSY)) as (request, came),
        grpc.insecure_channel(gates["sync"]) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        harness.method(channel, "unary_unary")(request, timeout=harness.DEADLINE)
    # without a policy, the client ignores it
    assert (caught.value.code(), len(came)) == (StatusCode.UNAVAILABLE, 1)


def test_threads_that_raise_one_error() -> None:
    error, found = ServiceError(BUSY, retry_delay=1.5), []
    threads = [
        threading.Thread(target=lambda: found.append(trailers_of(error)[PUSHBACK_KEY]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["1500"] * 20


# service_config


def policy(config: str) -> Any:
    (found,) = json.loads(config)["methodConfig"]
    return found


def test_the_methods_that_are_safe_to_repeat() -> None:
    classroom = classroom_pb2.DESCRIPTOR.services_by_name["ClassroomService"]
    assert json.loads(service_config(ResCode, services=[classroom])) == {
        "methodConfig": [
            {
                "name": [
                    {"service": "classroom.v1.ClassroomService", "method": "GetRoom"},
                    {"service": "classroom.v1.ClassroomService", "method": "GetOccupancy"},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.100s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
    named = service_config(
        services=[classroom, service(unary_unary=1, unary_stream=2)],
        safe_methods=["/classroom.v1.ClassroomService/CloseRoom"],
    )
    assert [each["method"] for each in policy(named)["name"]] == [
        "GetRoom",
        "CloseRoom",
        "GetOccupancy",
        "unary_unary",
        "unary_stream",
    ]


def test_a_service_that_is_given_twice_counts_once(gates: dict[str, str]) -> None:
    """If a config names a method twice, grpcio refuses it and each call of the channel fails."""
    config = service_config(
        services=[service(unary_unary=1), service(unary_unary=1)],
        safe_methods=[PATHS[0]],
        throttling=None,
    )
    assert policy(config)["name"] == [{"service": "test.Service", "method": "unary_unary"}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"throttling": (1_000, 1_000)},
        {"throttling": (3, 0.001)},
        {"throttling": (10, 1)},
        {"initial_backoff": 0.01, "max_backoff": 0.01, "backoff_multiplier": 1},
        {"initial_backoff": 1e8, "max_backoff": 1e8, "backoff_multiplier": 1e8},
        {"max_attempts": 5, "statuses": set(StatusCode) - {StatusCode.OK}},
    ],
)
def test_a_client_takes_every_policy(arguments: dict[str, Any], gates: dict[str, str]) -> None:
    config = service_config(GateCode, ResCode, **(FAST | arguments))
    with counted(raising(GateCode.CLOSED)) as (request, came):
        assert (
            call_sync(gates["sync"], "unary_unary", request, config=config).error_code
            is GateCode.CLOSED
        )
    assert len(came) == 1


def test_whole_tokens_are_read_as_such() -> None:
    """grpcio reads 1 as 0.001, and 1.0 as 1."""
    assert '"tokenRatio": 1.0' in service_config(
        services=[service(unary_unary=1)], throttling=(10, 1)
    )


def test_nothing_that_may_be_retried_is_no_policy() -> None:
    with pytest.warns(
        MisuseWarning,
        match="^service_config: nothing will be tried again, as no method is safe to repeat",
    ) as caught:
        assert json.loads(service_config(services=[service()], throttling=None)) == {}
    assert caught[0].filename == __file__
    with pytest.warns(MisuseWarning, match="no method is safe to repeat"):
        assert json.loads(service_config(services=[])) == {
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
        }
    with pytest.warns(MisuseWarning, match="as each status has a code that is not retryable$"):
        assert json.loads(service_config(GateCode, statuses={StatusCode.ABORTED}, **FAST)) == {}


def test_a_status_that_a_final_code_has_is_left_out() -> None:
    every = set(StatusCode) - {StatusCode.OK}
    assert policy(service_config(statuses=every, **FAST))["retryPolicy"][
        "retryableStatusCodes"
    ] == sorted(s.name for s in every)
    left = policy(service_config(GateCode, ResCode, statuses=every, **FAST))["retryPolicy"][
        "retryableStatusCodes"
    ]
    final = {code.grpc_status.name for code in (*GateCode, *ResCode) if code.retryable is False} - {
        "UNAVAILABLE"
    }
    assert {"ABORTED", "NOT_FOUND"} <= final
    assert set(left) == {status.name for status in every} - final


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"services": ["test.Service"]},
            "services holds 'test.Service': give a descriptor such as shop_pb2",
        ),
        ({"safe_methods": "/a/b"}, "safe_methods is '/a/b', not a collection"),
        ({"safe_methods": b"/a/b"}, "safe_methods is b'/a/b', not a collection"),
        ({"services": service()}, "services is <.*>, not a collection"),
        ({"services": None}, "services is None, not a collection"),
        ({"statuses": 14}, "statuses is 14, not a collection"),
        ({"throttling": 10}, "throttling is 10: give two numbers"),
        ({"throttling": (10,)}, r"throttling is \(10,\): give two numbers"),
        ({"throttling": (2, 0.1)}, "throttling has 2 tokens, not an int from 3 to 1000"),
        (
            {"throttling": (10, 4294967.296)},
            "throttling gives back 4294967.296 tokens for a success: give 0.001 to 1000",
        ),
        (
            {"safe_methods": ["unary_unary"]},
            (
                "safe_methods names 'unary_unary', which no service has: .*, "
                "such as '/test.Service/unary_unary'"
            ),
        ),
        (
            {"services": [], "safe_methods": ["/a/b"]},
            "safe_methods names '/a/b', which no service has: give '/package.Service/Method'$",
        ),
        ({"max_attempts": 1}, "max_attempts is 1, not an int from 2 to 5"),
        ({"max_attempts": 6}, "max_attempts is 6, not an int from 2 to 5"),
        ({"max_attempts": 2.0}, "max_attempts is 2.0, not an int from 2 to 5"),
        ({"initial_backoff": 0}, "initial_backoff is 0, not a number above 0"),
        (
            {"max_backoff": 0.001},
            (
                "max_backoff is 0.001 seconds: give 0.01 or more, "
                "as a client of grpcio hangs on one of 0 ms"
            ),
        ),
        ({"backoff_multiplier": 0.9}, "backoff_multiplier is 0.9: give 1 or more"),
        ({"max_backoff": float("nan")}, "max_backoff is nan, not a number above 0"),
        ({"backoff_multiplier": "2"}, "backoff_multiplier is '2', not a number above 0"),
        (
            {"statuses": {StatusCode.OK}},
            "statuses holds <StatusCode.OK.*: give the grpc.StatusCode of a failure",
        ),
        (
            {"statuses": ["UNAVAILABLE"]},
            "statuses holds 'UNAVAILABLE': give the grpc.StatusCode of a failure",
        ),
        ({"throttling": (0, 0.1)}, "throttling has 0 tokens, not an int from 3 to 1000"),
        ({"throttling": (10, 0.0001)}, "throttling gives back 0.0001 tokens for a success"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        service_config(ResCode, **({"services": [service(unary_unary=1)]} | arguments))
    with pytest.raises(TypeError, match="is no catalogue"):
        service_config(5, services=[])  # type: ignore[arg-type]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_method_that_is_not_safe_is_tried_once(client: str, gates: dict[str, str]) -> None:
    config = service_config(
        services=[service(unary_unary=1)], initial_backoff=0.01, throttling=None
    )
    for kind, attempts in (("unary_unary", ATTEMPTS), ("unary_stream", 1)):
        with counted(raising(GateCode.OPENING)) as (request, came):
            CLIENTS[client](gates["sync"], kind, request, config=config)
        assert len(came) == attempts


@pytest.mark.parametrize("client", CLIENTS)
def test_throttling_ends_what_goes_on_failing(client: str) -> None:
    config = service_config(initial_backoff=0.01, **(FAST | {"throttling": (4, 0.1)}))
    with harness.serve("sync", catalogue=GateCode) as target:
        with counted(raising(GateCode.OPENING)) as (request, came):
            CLIENTS[client](target, "unary_unary", *[request] * 3, config=config)
        # Of 4 tokens, 2 failures leave half. Then each call has one attempt.
        assert len(came) == 2 + 1 + 1
        with (
            counted(raising(GateCode.CLOSED)) as (closed, came),
            counted(raising(GateCode.OPENING)) as (opening, later),
        ):
            CLIENTS[client](target, "unary_unary", closed, closed, opening, config=config)
        # a failure that must not be retried takes a token, too (A6)
        assert (len(came), len(later)) == (2, 1)


def test_a_received_error_says_whether_and_when() -> None:
    with harness.serve("sync") as target, counted(raising(BUSY, retry_delay=2)) as (request, _):
        error = harness.call("sync", target, "unary_unary", request).error
    assert isinstance(error, RemoteError)
    assert (error.retryable, error.retry_delay) == (True, 2.0)


# The recipes of docs/retries.md, executed from its text.


def recipes() -> dict[str, Any]:
    page = (Path(__file__).parent.parent / "docs/retries.md").read_text()
    blocks = re.findall(
        r"^```python\n(import stamina.*?|from tenacity.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 2
    names: dict[str, Any] = {"grpc": grpc}
    for block in blocks:
        recipe = block.split("\n\n\nstub =")[0].split("\n\n\n@retry")[0]
        exec(compile(recipe, "docs/retries.md", "exec"), names)  # noqa: S102  runs the examples
    return names


def decorated(library: str) -> Any:
    """The decorator of a call, sync or async, as the page has it."""
    names = recipes()
    if library == "stamina":
        return names["stamina"].retry(
            on=names["may_retry"], attempts=ATTEMPTS, wait_initial=0.001, wait_jitter=0.001
        )
    names["backoff"] = names["wait_exponential_jitter"](multiplier=0.001, jitter=0.001)
    stop = names["stop_after_attempt"](ATTEMPTS)
    return names["retry"](
        retry=names["retry_if_exception"](names["may_retry"]),
        wait=names["wait"],
        stop=stop,
        reraise=True,
    )


RECIPES = {
    "retryable": (raising(BUSY, retry_delay=0.001), ATTEMPTS),
    "retryable, another status": (raising(GateCode.FULL), ATTEMPTS),
    "not said, UNAVAILABLE": (raising(GateCode.OPENING), ATTEMPTS),
    "not said, another status": (raising(GateCode.BROKEN), 1),
    "not said, another status, with a delay": (
        raising(GateCode.BROKEN, retry_delay=0.001),
        ATTEMPTS,
    ),
    "not retryable": (raising(GateCode.CLOSED), 1),
    "not retryable, with a delay": (raising(GateCode.LOCKED, retry_delay=0.001), 1),
    "an abort without a code": (aborts, ATTEMPTS),
}


@pytest.mark.parametrize("library", ["stamina", "tenacity"])
@pytest.mark.parametrize("client", CLIENTS)
def test_the_recipes(library: str, client: str, gates: dict[str, str]) -> None:
    for name, (act, attempts) in RECIPES.items():
        with counted(act) as (request, came):
            if client == "sync":
                with errgrpc.wrap_channel(
                    grpc.insecure_channel(gates["sync"]), ResCode, GateCode
                ) as channel:
                    call = decorated(library)(
                        lambda: harness.method(channel, "unary_unary")(request)
                    )  # noqa: B023
                    with pytest.raises(RemoteError):
                        call()
            else:

                async def run() -> None:
                    async with errgrpc.aio.wrap_channel(
                        grpc.aio.insecure_channel(gates["aio"]), ResCode, GateCode
                    ) as channel:

                        @decorated(library)  # type: ignore[untyped-decorator]
                        async def call() -> None:
                            await harness.method(channel, "unary_unary")(request)  # noqa: B023

                        with pytest.raises(RemoteError):
                            await call()  # noqa: B023

                asyncio.run(run())
        assert len(came) == attempts, name


@pytest.mark.parametrize("library", ["stamina", "tenacity"])
def test_the_recipes_try_a_refused_connection_again(library: str) -> None:
    calls = []
    # bound but not listening: the port is refused, and no other program gets it
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        channel = errgrpc.wrap_channel(
            grpc.insecure_channel(f"127.0.0.1:{closed.getsockname()[1]}"), ResCode
        )

        def call() -> None:
            calls.append(1)
            harness.method(channel, "unary_unary")(b"")

        with channel, pytest.raises(RemoteError) as caught:
            decorated(library)(call)()
    assert (caught.value.code(), caught.value.inferred, len(calls)) == (
        StatusCode.UNAVAILABLE,
        True,
        ATTEMPTS,
    )
