"""`demo` and `serve` as users type them."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import harness
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]

import errgrpc
from errgrpc import ComponentCode, ResCode
from examples.classroom import demo
from examples.classroom.client import Client

ROOT = Path(__file__).parents[2]
SERVICE = "classroom.v1.ClassroomService"
COMMAND = [sys.executable, "-W", "error", "-m", "examples.classroom"]


def test_the_demo() -> None:
    done = subprocess.run(
        [*COMMAND, "demo"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    output = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "✓ 全部符合预期  All as expected" in output
    assert "\x1b" not in output
    for text in (
        "ROOM_NOT_EXIST · errgrpc.v1.ResCode",
        "zh-CN  房间不存在",
        "en-US  The room does not exist",
    ):
        assert text in output
    assert "im-7.internal" not in output.replace("UnreachableError im-7.internal", "")


def test_the_demo_in_a_terminal_of_another_encoding() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1", "COLUMNS": "80"}
    done = subprocess.run(
        [*COMMAND, "demo"], cwd=ROOT, capture_output=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b[" in done.stdout.decode()


def test_the_demo_fails_when_something_came_out_differently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter = demo.CHAPTERS[0]
    steps = [dataclasses.replace(chapter.steps[0], expect=ResCode.FORBIDDEN), *chapter.steps[1:]]
    monkeypatch.setattr(demo, "CHAPTERS", [dataclasses.replace(chapter, steps=steps)])
    assert demo.main() == 1
    output = capsys.readouterr().out
    assert "not as expected" in output
    assert "✗ sync ✗ asyncio" in output


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server in its own process, killed if it outlives the test."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(harness.DEADLINE, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        found = re.match(rf"{SERVICE} listens on (127\.0\.0\.1:\d+) ", process.stdout.readline())
        assert found, process.communicate()
        yield found[1], process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("options", [(), ("--aio",)], ids=["sync", "aio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve(options: tuple[str, ...], number: signal.Signals) -> None:
    with serving(*options) as (target, process), grpc.insecure_channel(target) as channel:
        checks: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            check = checks.Check(
                health_pb2.HealthCheckRequest(service=name), timeout=harness.DEADLINE
            )
            assert check.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            checks.Check(health_pb2.HealthCheckRequest(service="shop"), timeout=harness.DEADLINE)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND

        ask: Any = reflection_pb2.ServerReflectionRequest
        requests = iter([ask(list_services=""), ask(file_containing_symbol="google.rpc.ErrorInfo")])
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        services, file = reflection.ServerReflectionInfo(requests, timeout=harness.DEADLINE)
        assert SERVICE in [service.name for service in services.list_services_response.service]
        assert file.file_descriptor_response.file_descriptor_proto

        with Client(target, "chen") as chen:
            chen.create_room("math", "lecture")
            feed = chen.watch_room("math", timeout=harness.DEADLINE)
            next(feed)
            with pytest.raises(errgrpc.remote(ResCode.ROOM_CONFIG_CONFLICT)):
                chen.create_room("math", "small-class")
            process.send_signal(number)
            with pytest.raises(errgrpc.remote(ComponentCode.ENGINE_ERROR_ROOM_CLOSED)):
                next(feed)
        assert process.stdout is not None
        assert process.stderr is not None
        # read until the process ends
        assert f"{target} {SERVICE}/CreateRoom" in process.stdout.read()
        assert (process.wait(), process.stderr.read()) == (0, "")


def test_serve_on_a_port_that_is_taken() -> None:
    with serving() as (target, _):
        port = target.rpartition(":")[2]
        done = subprocess.run(
            [*COMMAND, "serve", "--port", port],
            cwd=ROOT,
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: is the port taken?" in done.stderr


def test_without_a_command() -> None:
    done = subprocess.run(
        COMMAND, cwd=ROOT, capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 2
    assert "usage: classroom" in done.stderr
