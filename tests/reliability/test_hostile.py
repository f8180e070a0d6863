"""Broken or hostile peers: how a client reads their answers, and a server their requests."""

import base64
import copy
import itertools
import logging
import pickle
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
import harness
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

import errgrpc
from errgrpc import locales
from errgrpc.guards import Guards
from errgrpc.remote_error import _classes
from reliability import h2client
from reliability.fuzz import memory, targets

pytestmark = [pytest.mark.full, pytest.mark.thinned(8)]

DOMAIN = errgrpc.ResCode.domain
UGLY = "%s{0}%n\x1b[31m\u202e\u2066\x00\r\n\x07\x9b\ufeff\U000e0041'\""
"""Format strings, ANSI and bidi escapes, control and invisible characters."""


def packed(*details: Message, code: int = 5, message: str = "Text") -> bytes:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        if isinstance(detail, any_pb2.Any):
            status.details.append(detail)
        else:
            status.details.add().Pack(detail)
    return status.SerializeToString()


def info(reason: str = "ROOM_NOT_EXIST", domain: str = DOMAIN, **metadata: str) -> rpc.ErrorInfo:
    return rpc.ErrorInfo(reason=reason, domain=domain, metadata=metadata)


def of_type(url: str, value: bytes = b"") -> any_pb2.Any:
    return any_pb2.Any(type_url=url, value=value)


def nested(depth: int) -> any_pb2.Any:
    inner = of_type("x/no.such.Type")
    for _ in range(depth):
        outer = any_pb2.Any()
        outer.Pack(inner)
        inner = outer
    return inner


def groups(depth: int) -> bytes:
    """Nested unknown groups, which overflow the stack of a recursive parser."""
    return b"\x0b" * depth + b"\x0c" * depth


WHOLE = packed(
    info(code="1004", room="r-42"),
    rpc.LocalizedMessage(locale="zh-CN", message="房间不存在"),
    rpc.RequestInfo(request_id="id-1"),
)
_CHANCE = random.Random(5)  # noqa: S311  gives the same bytes in each run

BROKEN: dict[str, list[bytes]] = {
    "empty": [b""],
    "random": [_CHANCE.randbytes(200)],
    "text": [b"<html>502 Bad Gateway</html>"],
    "several": [packed(info()), packed(info("NOT_FOUND")), packed(info("FORBIDDEN"))],
    "garbage, then good": [b"\xff\xff", WHOLE],
    "good, then garbage": [WHOLE, b"\xff\xff"],
    "thirty": [bytes([index]) * 9 for index in range(30)],
    "nested 100 deep": [packed(nested(100), info())],
    "groups 100 deep": [WHOLE + groups(100)],
    "groups 1000 deep": [WHOLE + groups(1_000)],
    "duplicate types": [
        packed(
            *(info(reason) for reason in ("ROOM_NOT_EXIST", "NOT_FOUND")),
            *[rpc.RequestInfo(request_id="1")] * 9,
        )
    ],
    "unknown types": [
        packed(
            of_type("type.googleapis.com/no.such.Type", b"\xff"),
            of_type(""),
            of_type("/"),
            of_type("no slash"),
            info(),
        )
    ],
    "a type that is an enum": [
        packed(of_type("x/errgrpc.v1.ResCode"), of_type("x/google.rpc"), info())
    ],
    "mismatched types": [
        packed(of_type("x/google.rpc.ErrorInfo", rpc.Help().SerializeToString() + b"\xff"), info())
    ],
    "a type of 3 kB": [packed(of_type("x/" + "a." * 1_500), info())],
    "another code": [packed(info(), code=13)],
    "OK": [packed(info(), code=0)],
    "a negative code": [packed(info(), code=-1)],
    "a huge code": [packed(info(), code=2**31 - 1)],
    "SUCCESS": [packed(info("SUCCESS", code="0"))],
    "a reason of 4 kB": [packed(info("R" * 4_096, code="1004"))],
    "a domain of 4 kB": [packed(info(domain="d" * 4_096))],
    "no reason, no domain": [packed(info("", ""))],
    "ugly": [
        packed(
            info(UGLY, UGLY, **{UGLY: UGLY, "code": UGLY}),
            rpc.LocalizedMessage(locale=UGLY, message=UGLY),
            rpc.RequestInfo(request_id=UGLY),
            rpc.DebugInfo(detail=UGLY),
            message=UGLY,
        )
    ],
    "ugly and ours": [
        packed(
            info(room=UGLY),
            rpc.LocalizedMessage(locale=UGLY, message=UGLY),
            rpc.RequestInfo(request_id=UGLY),
        )
    ],
    "200 keys": [packed(info(**{f"key_{index}": "x" for index in range(200)}))],
    "not UTF-8": [
        WHOLE.replace("房间".encode(), b"\xff\xfe\xff\xfe\xff\xfe"),
        WHOLE.replace(b"r-42", b"\xc3\x28\xa0\xa1"),
    ],
    "an endless varint": [b"\x08" + b"\xff" * 40],
    "a length beyond the end": [b"\x1a\xff\xff\xff\x7f"],
    **{
        f"number {text!r}": [packed(info("NEWER", code=text))]
        for text in ("-1", "0", "9" * 3_000, "٤٠٤", "1e3", "0x1", " 1004", "1004\n", "")
    },
    **{f"cut at {size}": [WHOLE[:size]] for size in range(1, len(WHOLE), 11)},
}


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def answering(values: Sequence[bytes], text: str) -> Callable[[Any], None]:
    """A handler of bare grpc that ends with these values of `grpc-status-details-bin`."""

    def act(context: Any) -> None:
        context.set_trailing_metadata(tuple(("grpc-status-details-bin", value) for value in values))
        context.abort(StatusCode.NOT_FOUND, text)

    return act


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    with harness.sync_server(()) as target:
        yield target


def ask(
    stack: str, target: str, kind: str, request: bytes = b"", **options: Any
) -> harness.Outcome:
    """Makes a call that may read trailers of any size."""
    return harness.call(stack, target, kind, request, catalogues=targets.CATALOGUES, **options)


@pytest.mark.parametrize("kind", harness.KINDS)
@pytest.mark.parametrize("stack", harness.STACKS)
def test_a_client_reads_what_it_can(bare: str, stack: str, kind: str) -> None:
    for name, values in BROKEN.items():
        with harness.action(answering(values, f"Text {UGLY}")) as request:
            outcome = ask(stack, bare, kind, request)
        assert isinstance(outcome.error, errgrpc.RemoteError), name
        assert (outcome.error.code(), outcome.error.details()) == (
            StatusCode.NOT_FOUND,
            f"Text {UGLY}",
        ), name
        targets.examine(outcome.error, StatusCode.NOT_FOUND)


def test_a_client_reads_what_can_be_read() -> None:
    """Garbage in `BROKEN` hides no readable detail next to it."""

    def reading(name: str) -> errgrpc.RemoteError:
        return targets.read(BROKEN[name], StatusCode.NOT_FOUND, "Text")

    for name in (
        "several",
        "garbage, then good",
        "good, then garbage",
        "nested 100 deep",
        "duplicate types",
        "unknown types",
    ):
        assert reading(name).error_code is errgrpc.ResCode.ROOM_NOT_EXIST
    for name in (
        "mismatched types",
        "a type of 3 kB",
        "a type that is an enum",
        "another code",
        "OK",
        "a negative code",
        "200 keys",
    ):
        assert isinstance(reading(name), errgrpc.remote(errgrpc.ResCode.ROOM_NOT_EXIST))
    for name in ("random", "text", "thirty", "an endless varint", "a length beyond the end"):
        error = reading(name)
        assert (error.inferred, error.reason, error.status_details) == (True, None, ())
    # found by its number
    assert reading("a reason of 4 kB").error_code is errgrpc.ResCode.ROOM_NOT_EXIST
    assert reading("a domain of 4 kB").error_code is None
    assert (reading("SUCCESS").error_code, reading("SUCCESS").number) == (None, 0)
    for text in ("9" * 3_000, "٤٠٤", "1e3", "0x1", " 1004", "1004\n", ""):
        error = reading(f"number {text!r}")
        assert (error.number, error.error_code, type(error)) == (
            None,
            None,
            errgrpc.remote(errgrpc.ResCode),
        )


def test_any_flipped_bit_and_any_cut() -> None:
    for bit in range(len(WHOLE) * 8):
        targets.read([flipped(WHOLE, bit)], StatusCode.NOT_FOUND, "Text")
    for size in range(len(WHOLE)):
        targets.read([WHOLE[:size]], StatusCode.NOT_FOUND, "Text")


@pytest.mark.parametrize("stack", harness.STACKS)
def test_what_a_real_call_raised_can_be_copied(bare: str, stack: str) -> None:
    """In grpc's sync stack, pickle cannot find the class of metadata entries."""
    with harness.action(answering([WHOLE], "Text")) as request:
        error = ask(stack, bare, "unary_unary", request).error
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(again) is type(error)
        assert (str(again), again.code(), again.details()) == (
            str(error),
            error.code(),
            error.details(),
        )
        assert list(map(tuple, again.trailing_metadata())) == list(
            map(tuple, error.trailing_metadata())
        )
        assert list(map(tuple, again.initial_metadata())) == list(
            map(tuple, error.initial_metadata())
        )
        if stack == "sync":
            assert (
                again.trailing_metadata()[0].key
                == error.trailing_metadata()[0].key
                == "grpc-status-details-bin"
            )


def test_what_is_printed_is_escaped(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("ugly", "ugly and ours"):
        error = targets.read(BROKEN[name], StatusCode.NOT_FOUND, UGLY)
        try:
            raise error
        except errgrpc.RemoteError:
            logging.getLogger("test").exception("%s %r", error, error)
        record = caplog.records[-1]
        assert all(line.isprintable() for line in caplog.handler.format(record).split("\n"))
        assert "\\x1b[31m" in str(error)
        assert "\\u202e" in repr(error)


Headers = list[h2client.Header]


def failed(
    *headers: h2client.Header, status: bytes | None = b"5", message: bytes | None = b"Text"
) -> Headers:
    first: Headers = [] if status is None else [(b"grpc-status", status)]
    return first + ([] if message is None else [(b"grpc-message", message)]) + list(headers)


def binary(*values: bytes) -> Headers:
    return [(b"grpc-status-details-bin", base64.b64encode(value)) for value in values]


# Headers that grpcio refuses to send.
FRAMES: dict[str, Headers] = {
    "no status": failed(status=None),
    **{
        f"status {status!r}": failed(*binary(WHOLE), status=status)
        for status in (
            b"",
            b"99",
            b"-1",
            b"+5",
            b" 5",
            b"5 ",
            b"05",
            b"abc",
            b"2147483648",
            b"9" * 500,
            b"\xff",
            b"0",
        )
    },
    "two statuses": [(b"grpc-status", b"5"), *failed(*binary(WHOLE), status=b"7")],
    **{
        f"message {text!r}": failed(*binary(WHOLE), message=text)
        for text in (b"%", b"%zz", b"%00", b"%ff%fe", b"\xff\xfe", b"a" * 6_000, b"")
    },
    "two messages": failed((b"grpc-message", b"another"), *binary(WHOLE)),
    "several details": failed(*binary(b"\xff", WHOLE, packed(info("NOT_FOUND")))),
    "details in one value": failed(
        (b"grpc-status-details-bin", b",".join(base64.b64encode(value) for value in (WHOLE, WHOLE)))
    ),
    "no base64": failed((b"grpc-status-details-bin", b"!!!\xff")),
    "base64 cut": failed((b"grpc-status-details-bin", base64.b64encode(WHOLE)[:-3])),
    "no padding": failed((b"grpc-status-details-bin", base64.b64encode(WHOLE).rstrip(b"="))),
    "base64 for URLs": failed(
        (b"grpc-status-details-bin", base64.urlsafe_b64encode(packed(info("\xff" * 9))))
    ),
    "raw bytes": failed((b"grpc-status-details-bin", WHOLE)),
    "details of 12 kB": failed(*binary(packed(info(room="r" * 12_000)))),
    "100 trailers": failed(*((b"x-%d" % index, b"x") for index in range(100)), *binary(WHOLE)),
    "names in capitals": failed((b"X-CAPITAL", b"x"), *binary(WHOLE)),
    "values of other bytes": failed((b"x-text", b"\xff\x80\x01"), *binary(WHOLE)),
    "HTTP's own": failed(
        (b"connection", b"close"), (b"transfer-encoding", b"chunked"), *binary(WHOLE)
    ),
}


@pytest.mark.parametrize("messages", [(), (b"first",)], ids=["trailers only", "after a message"])
@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_grpcio_would_not_send(name: str, messages: Sequence[bytes]) -> None:
    """Each call ends with the same status as without ours, as a RemoteError."""
    if name == f"status {b'99'!r}" and harness.GRPC < (1, 80):
        pytest.skip(
            "grpcio before 1.80 raises KeyError for a status that it does not know, without us, too"
        )
    with h2client.serve(FRAMES[name], messages=messages) as target:
        for stack, kind in itertools.product(harness.STACKS, ("unary_unary", "unary_stream")):
            alone = ask(stack, target, kind, interceptors=())
            outcome = ask(stack, target, kind)
            if "kB" in name:  # grpcio sometimes loses such trailers
                assert outcome.code in (StatusCode.NOT_FOUND, StatusCode.RESOURCE_EXHAUSTED)
            else:
                assert (outcome.code, outcome.details) == (alone.code, alone.details)
            assert (outcome.error is None) == (alone.error is None)
            if outcome.error is not None:
                assert isinstance(outcome.error, errgrpc.RemoteError)
                targets.examine(outcome.error, outcome.code)


def test_of_several_details_the_first_readable_counts() -> None:
    with h2client.serve(FRAMES["several details"]) as target:
        for stack in harness.STACKS:
            assert (
                ask(stack, target, "unary_unary").error.error_code is errgrpc.ResCode.ROOM_NOT_EXIST
            )


def spent(work: Callable[[], object]) -> float:
    """The CPU time of this thread for `work`, the best of some runs."""

    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(5))


def read_all(values: Sequence[bytes]) -> object:
    error = errgrpc.from_error(
        targets.Failed(StatusCode.NOT_FOUND, "Text", values), *targets.CATALOGUES
    )
    return (
        str(error),
        error.metadata,
        error.status_details,
        error.hint,
        error.request_id,
        error.detail(rpc.Help),
    )


def choose(header: str) -> object:
    return locales.requested([(locales.ACCEPT_LANGUAGE, header)]), locales.choose(
        header, ("zh-CN", "en-US"), "zh-CN"
    )


DETAILS: dict[str, Callable[[int], Sequence[bytes]]] = {
    "unknown details": lambda count: [packed(*[of_type("x/no.such.Type")] * count)],
    "details that do not parse": lambda count: [
        packed(*[of_type("x/google.rpc.ErrorInfo", b"\xff")] * count)
    ],
    "one type": lambda count: [packed(*[rpc.RequestInfo()] * count)],
    "keys": lambda count: [packed(info(**{f"k{index}": "x" for index in range(count)}))],
    "a long reason": lambda count: [packed(info("R" * 40 * count))],
    "digits": lambda count: [packed(info("NEWER", code="9" * 40 * count))],
    "an ugly text": lambda count: [packed(info(UGLY * count), message=UGLY * count)],
    "values": lambda count: [b"\xff"] * count,
    "groups": lambda count: [groups(count)],
}
LANGUAGES: dict[str, Callable[[int], str]] = {
    "ranges": lambda count: ",".join(f"x{index:x};q=0.{index % 10}" for index in range(count)),
    "ranges of one language": lambda count: "zh-TW;q=0," * count,
    "a long range": lambda count: "a-" * 20 * count,
    "spaces": lambda count: " " * 40 * count + "x;",
    "letters": lambda count: "a" * 40 * count,
    "weights": lambda count: "zh" + ";q=0.1" * count,
}


@pytest.mark.parametrize("name", [*DETAILS, *LANGUAGES])
def test_no_input_costs_quadratic_time(name: str) -> None:
    def cost(count: int) -> float:
        if name in DETAILS:
            values = DETAILS[name](count)
            return spent(lambda: read_all(values))
        header = LANGUAGES[name](count)
        return spent(lambda: choose(header))

    small, large = (max(cost(count), 50e-6) for count in (250, 8_000))
    assert large / small < 32 * 6  # linear growth is 32, quadratic 1,024


@pytest.mark.full
@pytest.mark.parametrize("name", memory.SUBJECTS)
def test_no_cache_grows_with_the_values_of_strangers(name: str) -> None:
    """`python -m reliability.fuzz.memory` does the same with a million values."""
    count = memory.WARM if name == "names of methods" else memory.WARM // 4
    assert memory.growth(memory.SUBJECTS[name], itertools.count(), count) < memory.MOST * count


def test_caches_are_bounded() -> None:
    for code in itertools.chain.from_iterable(targets.CATALOGUES):
        if code is not errgrpc.ResCode.SUCCESS:
            errgrpc.remote(code)
    classes = len(_classes)
    for index in range(2_000):
        memory.SUBJECTS["details of an error"](index)
        locales.choose(f"x-{index}", ("zh-CN",), "zh-CN")
    assert len(_classes) == classes
    assert locales._choose_memo.cache_info().currsize <= 512
    guards = Guards(lambda _, __, behavior: behavior)
    handler: Any = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    for index in range(2 * Guards._MOST):
        guards.get(f"/{index}", handler)
    assert len(guards._made) <= Guards._MOST


LARGE = [("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 1 << 20)]


@pytest.fixture(scope="module")
def guarded() -> Iterator[dict[str, str]]:
    """Guarded servers of each style that read headers of any size: their addresses."""
    with ExitStack() as stack:
        sync = harness.sync_server([errgrpc.ServerInterceptor(errgrpc.ResCode)], options=LARGE)
        started = {"sync": stack.enter_context(sync)}
        for style in ("aio", "reader_writer", "sync_on_aio"):
            server = harness.aio_server(
                [errgrpc.aio.ServerInterceptor(errgrpc.ResCode)],
                harness.SERVICERS[style](),
                options=LARGE,
            )
            started[style] = stack.enter_context(server)
        yield started


def language(*values: bytes) -> Headers:
    return [(b"accept-language", value) for value in values]


REQUESTS: dict[str, Headers] = {
    "8 kB of a letter": language(b"a" * 8_192),
    "8 kB of subtags": language(b"zh" + b"-a" * 4_095),
    "a thousand ranges": language(
        b",".join(b"x%d;q=0.%d" % (index, index % 9) for index in range(1_000))
    ),
    "commas": language(b"," * 8_192),
    "invalid weights": language(
        b"zh;q=, zh;q=2, zh;q=-1, zh;q=1e9, zh;q=nan, zh;q=0.1234, zh;;q=1, zh q=1, zh;q=1;q=1, "
        b"zh;level=1"
    ),
    "repeated": language(*[b"xx"] * 500),
    "binary": language(b"\xff\xfe\x80"),
    "control characters": language(b"zh\x00\x1b[31m\r\n"),
    "UTF-8": language("中文".encode()),
    "format strings": language(b"%s{0}%n${jndi:ldap://x}"),
    "a binary key": [(b"accept-language-bin", base64.b64encode(b"zh"))],
    "the gateway's": [(b"grpcgateway-accept-language", b"\xff"), *language(b"!")],
    "all excluded": language(b"*;q=0, zh;q=0, en;q=0"),
    **{
        f"request id {value[:40]!r}": [(b"x-request-id", value)]
        for value in (
            b"",
            b"i" * 129,
            b"i" * 8_192,
            b"\x1b[31m",
            b"\xff\xfe",
            "身份".encode(),
            b"a\tb",
            b"%s{0}",
            b"../../etc/passwd",
            b"i" * 128,
        )
    },
    "several request ids": [
        (b"x-request-id", value) for value in (b"i" * 129, b"\xff", b"good", b"second")
    ],
    "500 request ids": [(b"x-request-id", b"%d" % index) for index in range(500)],
    "a binary request id": [(b"x-request-id-bin", b"!!!")],
    "500 names": [(b"x-%d" % index, b"%d" % index) for index in range(500)],
    "a value of 60 kB": [(b"x-large", b"x" * 60_000)],
    "ugly names": [(b"%s{0}", b"x"), (b"x_\xff", b"x"), (b"", b"x"), (b"X-CAPITAL", b"x")],
    "grpc's own": [
        (b"grpc-status-details-bin", b"AAAA"),
        (b"grpc-status", b"0"),
        (b"grpc-message", b"x"),
        (b"grpc-timeout", b"9H"),
    ],
}


@pytest.mark.parametrize("style", harness.STYLES)
@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
def test_a_server_answers_whatever_is_asked(
    guarded: dict[str, str], style: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> None:
        raise KeyError("unforeseen")

    refused = set()
    with harness.action(fail) as request, ExitStack() as clients:
        client = clients.enter_context(h2client.Client(guarded[style]))
        for name, headers in REQUESTS.items():
            answer = client.call(f"/test.Service/{kind}", request, headers)
            if not answer.details:  # grpc's C-core refused the request
                assert answer.reset is not None or answer.status not in (None, 0)
                refused.add(name)
                client = clients.enter_context(h2client.Client(guarded[style]))
                continue
            assert answer.status == StatusCode.INTERNAL.value[0], name
            details = unpacked(answer.details)
            assert details["ErrorInfo"].reason == "INTERNAL_SERVER_ERROR", name
            assert details["LocalizedMessage"].locale == "zh-CN", name
            check_request_id(
                details["RequestInfo"].request_id,
                [value for key, value in headers if key == b"x-request-id"],
            )
        answer = client.call(f"/test.Service/{kind}", request, language(b"en"))
        assert unpacked(answer.details)["LocalizedMessage"].locale == "en-US"
    # the first is not base64, the second has invalid names of headers
    assert refused == {"a binary request id", "ugly names"}
    assert len([record for record in harness.logged(caplog) if record.name == "errgrpc"]) > len(
        REQUESTS
    ) - len(refused)
    assert all(record.getMessage().isprintable() for record in harness.logged(caplog))


def unpacked(details: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for packed_detail in status_pb2.Status.FromString(details).details:
        kind = next(
            kind
            for kind in targets.STANDARD
            if kind.DESCRIPTOR.full_name == packed_detail.TypeName()
        )
        found[kind.DESCRIPTOR.name] = kind.FromString(packed_detail.value)
    return found


def check_request_id(answered: str, sent: list[bytes]) -> None:
    allowed = [
        value.decode("ascii")
        for value in sent
        if 0 < len(value) <= 128 and all(0x20 <= byte < 0x7F for byte in value)
    ]
    if allowed:
        assert answered == allowed[0]
    else:
        assert len(answered) == 32
        assert int(answered, 16)


@pytest.mark.parametrize("style", harness.STYLES)
def test_a_server_survives_methods_that_strangers_make_up(
    guarded: dict[str, str], style: str, caplog: pytest.LogCaptureFixture
) -> None:
    with h2client.Client(guarded[style]) as client:
        for method in (
            "/test.Service/nothing",
            "/%s{0}/x",
            "/",
            "/test.Service/" + "m" * 4_000,
            "/\u202e/\u202e",
        ):
            assert client.call(method, b"").status == StatusCode.UNIMPLEMENTED.value[0]
    assert all(record.getMessage().isprintable() for record in harness.logged(caplog))
