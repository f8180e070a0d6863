"""`errgrpc decode`: it finds errors in what users paste, and is safe for any text."""

import base64
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import any_pb2, json_format, wrappers_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

import errgrpc
from errgrpc import ResCode, ServiceError
from errgrpc.cli import tables
from errgrpc.cli.decoding.finding import find
from errgrpc.cli.decoding.shown import as_value
from errgrpc.cli.output import safe

pytestmark = pytest.mark.thinned(2)  # each case is a property

CORPUS = Path(__file__).parents[1] / "data/decode"
TABLES = tables.load()
ERROR = ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")
RAW = errgrpc.encode(ERROR).SerializeToString()

# file -> (the form that is found, the number, the status)
EXPECTED = {
    "bytes.txt": ("bytes", "1004", "NOT_FOUND"),
    "curl-v-aip193.txt": ("json", "1004", "NOT_FOUND"),
    "curl-v-envelope.txt": ("envelope", "1004", "NOT_FOUND"),
    "curl-v-envoy-json.txt": ("json", "401", "UNAUTHENTICATED"),
    "curl-v-grpc-web.txt": ("base64", "401", "UNAUTHENTICATED"),
    "envoy-access-log.txt": ("base64", "401", "UNAUTHENTICATED"),
    "grpcurl-v.txt": ("base64", "401", "UNAUTHENTICATED"),
    "grpcurl.txt": ("json", "401", "UNAUTHENTICATED"),
    "hex.txt": ("hex", "1004", "NOT_FOUND"),
    "repr-of-errgrpc.txt": ("text", "1004", "NOT_FOUND"),
    "traceback-of-errgrpc.txt": ("text", "1004", "NOT_FOUND"),
    "traceback-of-grpcio.txt": ("text", None, "NOT_FOUND"),
    "trailing-metadata.txt": ("bytes", "1004", "NOT_FOUND"),
    "xxd.txt": ("hex", "1004", "NOT_FOUND"),
}


def test_each_file_of_the_corpus_is_expected() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_tools_print_is_read(name: str, run: Any) -> None:
    ran = run("decode", "-", "--format", "json", stdin=(CORPUS / name).read_text())
    assert (ran.code, ran.err) == (0, "")
    (told,) = json.loads(ran.out)
    assert (told["found_as"], told["number"], told["status"]) == EXPECTED[name]
    if told["number"] is not None:
        assert told["declared"]["number"] == int(told["number"])
        text = run("decode", (CORPUS / name).read_text()).out
        assert text.startswith(
            f"{told['number']} {told['declared']['reason']} {told['status']}  errgrpc.v1.ResCode\n"
        )


def test_the_output(run: Any) -> None:
    error = ServiceError(
        ResCode.SERVICE_UNAVAILABLE,
        "Busy",
        retry_delay=2.5,
        details=[
            rpc.RequestInfo(request_id="id-1"),
            rpc.Help(links=[rpc.Help.Link(url="https://a.b")]),
        ],
    )
    packed = any_pb2.Any(
        type_url="type.example.com/shop.v1.Cart",
        value=wrappers_pb2.StringValue(value="apples").SerializeToString() + b"\x10\x05",
    )
    status = errgrpc.encode(error, "en")
    status.details.append(packed)
    ran = run("decode", base64.b64encode(status.SerializeToString()).decode())
    assert ran.code == 0
    for line in (
        "503 SERVICE_UNAVAILABLE UNAVAILABLE  errgrpc.v1.ResCode",
        "  message: Busy",
        "  request id: id-1",
        "  try again in: 2.5 s",
        '  detail google.rpc.Help: {"links": [{"url": "https://a.b"}]}',
        (
            '  detail shop.v1.Cart: {"fields": [{"field": 1, "value": "apples"}, {"field": 2, '
            '"value": 5}]}'
        ),
        f"  declared message: {ResCode.SERVICE_UNAVAILABLE.message}",
        "  retry: the same call may succeed later",
    ):
        assert f"{line}\n" in ran.out


def test_a_table_is_given_or_the_error_has_none(run: Any) -> None:
    ran = run("decode", RAW.hex(), "-c", "errgrpc:ComponentCode")
    assert (
        "  table: no catalogue given declares this code: give its table by --catalogue\n" in ran.out
    )
    plain = status_pb2.Status(code=5, message="no such room").SerializeToString().hex()
    assert "  table: the error names no code" in run("decode", plain).out


def test_nothing_to_decode(run: Any) -> None:
    for text in ("", "no error", "CAUS", "{}", "deadbeef" * 20, "{" * 10_000):
        ran = run("decode", "--", text)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("no error is in this text: no google.rpc.Status in base64")


# Any error in any form


METADATA = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True), st.text(max_size=20), max_size=4
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@st.composite
def statuses(draw: Any) -> status_pb2.Status:
    """Errors of failures, with known and unknown details."""
    status = status_pb2.Status(code=draw(st.integers(1, 16)), message=draw(TEXT))
    info = any_pb2.Any()
    info.Pack(
        rpc.ErrorInfo(
            reason="GONE", domain="shop.example.com", metadata={"code": "1", **draw(METADATA)}
        )
    )
    status.details.append(info)
    for value in draw(st.lists(st.binary(max_size=30), max_size=3)):
        status.details.append(any_pb2.Any(type_url="type.example.com/shop.v1.Unknown", value=value))
    return status


def in_lines(text: str, width: int, end: str) -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


WRITTEN: dict[str, Any] = {
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "base64 without padding": lambda raw: base64.b64encode(raw).decode().rstrip("="),
    "base64 between signs of empty fields": lambda raw: (
        f"--{base64.urlsafe_b64encode(raw).decode().rstrip('=')}-"
    ),
    "base64 for URLs": lambda raw: base64.urlsafe_b64encode(raw).decode(),
    "base64 in lines": lambda raw: in_lines(base64.b64encode(raw).decode(), 76, "\n"),
    "base64 in indented lines": lambda raw: in_lines(
        base64.b64encode(raw).decode(), 64, "\r\n    "
    ),
    "base64 in a JSON string of lines": lambda raw: in_lines(
        base64.b64encode(raw).decode(), 60, "\\n"
    ),
    "header": lambda raw: f"< grpc-status-details-bin: {base64.b64encode(raw).decode()}",
    "two values": lambda raw: f"CAI=,{base64.b64encode(raw).decode()},CAI=",
    "hex": lambda raw: raw.hex(),
    "HEX": lambda raw: raw.hex().upper(),
    "hex with spaces": lambda raw: raw.hex(" "),
    "hex with colons": lambda raw: raw.hex(":"),
    "hex in lines": lambda raw: in_lines(raw.hex(" ", 2), 50, "\n"),
    "0x": lambda raw: ", ".join(f"0x{byte:02x}" for byte in raw),
    "repr": repr,
    "repr of metadata": lambda raw: repr((("a", "b"), ("grpc-status-details-bin", raw))),
    "octal": lambda raw: '"' + "".join(f"\\{byte:03o}" for byte in raw) + '"',
}


@pytest.mark.parametrize("form", WRITTEN)
@given(
    status=statuses(),
    before=st.sampled_from(["", "a line\n", "level=error msg=", "[2026-11-29] ", "{", "x: "]),
    after=st.sampled_from(["", "\n", '"}', " end"]),
)
def test_a_status_is_found_however_it_is_written(
    form: str, status: status_pb2.Status, before: str, after: str
) -> None:
    if form.startswith("hex") and before.endswith(" ") is False and before:
        before += "\n"
    if form in (
        "base64 in lines",
        "base64 in indented lines",
        "base64 in a JSON string of lines",
    ) or form.startswith("hex"):
        after = after.replace(" end", "\n.")
    found = find(before + WRITTEN[form](status.SerializeToString(deterministic=True)) + after)
    assert status in [each.status for each in found]


@given(status=statuses())
def test_json_is_found(status: status_pb2.Status) -> None:
    known = status_pb2.Status(code=status.code, message=status.message, details=status.details[:1])
    body = json_format.MessageToDict(known)
    for written in (
        json.dumps(body),
        json.dumps({"error": body}),
        json.dumps({"log": json.dumps(body)}),
        json.dumps([{"a": body}], indent=4),
    ):
        found = find(f"a line {{ and {written} more")
        assert [
            (each.status.code, each.status.message) for each in found if each.how == "json"
        ] == [(known.code, known.message)]


def test_many_in_one_input() -> None:
    every = [errgrpc.encode(ServiceError(code)) for code in ResCode if code is not ResCode.SUCCESS]
    lines = [
        f"line {number}: {base64.b64encode(status.SerializeToString()).decode()}"
        for number, status in enumerate(every)
    ]
    found = find("\n".join(lines * 2))
    assert [each.status for each in found] == every
    assert [as_value(TABLES, each)["declared"]["number"] for each in found] == [
        code.number for code in ResCode if code is not ResCode.SUCCESS
    ]


# Any text


ALPHABET = st.sampled_from(
    [
        *(
            "CAUS",
            "CAESB",
            "{",
            "}",
            '"',
            ":",
            '{"code":5,"message":"',
            '"details":[',
            '"@type":',
            "08051204",
            "\\x08\\x05\\x12",
            "=",
            "\n",
        ),
        *(
            "\\n",
            " ",
            "\x1b[31m",
            "\u202e",
            "A" * 50,
            "NOT_FOUND: GONE (1) of 'a', '\x1b'",
            "status = StatusCode.",
            '"ts":',
            "é",
            "\ud800",
        ),
    ]
)


@given(st.lists(ALPHABET | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_safe(text: str) -> None:
    for found in find(text):
        value = as_value(TABLES, found)
        assert json.dumps(value)
        assert (
            safe(str(value["message"])).isprintable()
            or "\n" in value["message"]
            or "\t" in value["message"]
        )


def test_no_control_character_of_an_error_reaches_the_terminal(run: Any) -> None:
    status = errgrpc.encode(
        ServiceError(
            ResCode.CONFLICT,
            "a\x1b[31mb\u202ec\rd\x07",
            hint={"en": "\x9b1m"},
            details=[rpc.DebugInfo(detail="\x1b]0;t\x07")],
        )
    )
    raw = status.SerializeToString()
    for form in ("text", "json"):
        for written in (
            raw.hex(),
            json.dumps(
                json_format.MessageToDict(status_pb2.Status(code=6, message=status.message))
            ),
        ):
            out = run("decode", written, "--format", form).out
            assert not {"\x1b", "\u202e", "\r", "\x07", "\x9b"} & set(out)
            assert "ALREADY_EXISTS" in out


@pytest.mark.full
@pytest.mark.parametrize(
    "piece",
    [
        "CAUS",
        "CAUSA\n",
        "{",
        '{"a":',
        '{"a":[',
        "[{",
        "0805120a",
        "\\x08",
        "\\x08\\x05\\x12",
        '\\"{',
        "A: B (1) of 'c', '",
        "Code: A\nMessage: ",
        "08 ",
    ],
)
def test_a_large_hostile_text_takes_bounded_time(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    started = time.process_time()
    find(text)
    assert time.process_time() - started < 20  # seconds, far more than it needs


def test_random_bytes_are_no_error() -> None:
    random.seed(5)
    text = base64.b64encode(random.randbytes(300_000)).decode() + random.randbytes(100_000).hex()
    assert find(text) == []
