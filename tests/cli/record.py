"""Records the corpus of `errgrpc decode`: what tools print of one error.

    python -m examples.classroom.gateway -- python tests/cli/record.py

It needs curl, Envoy and grpcurl, which the interop target builds. VITE_GATEWAY is the address of
Envoy before the classroom.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from string import Template
from typing import Any
from unittest import mock

import grpc
import uvicorn
from fastapi import FastAPI

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import harness  # noqa: E402  as the paths are set above

import errgrpc  # noqa: E402
from errgrpc import ResCode, ServiceError  # noqa: E402
from errgrpc.http.starlette import install  # noqa: E402
from examples.classroom import gateway  # noqa: E402

CORPUS = ROOT / "tests/data/decode"
GRPCURL = ROOT / "conformance/grpcurl/build/grpcurl"
METHOD = "classroom.v1.ClassroomService/GetRoom"


def run(*command: str) -> str:
    """Both outputs of a command, as a terminal shows them."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    ).stdout


def save(name: str, text: str) -> None:
    (CORPUS / name).write_text(
        text.replace(sys.prefix, "/srv/venv").replace(str(ROOT), "/srv/rooms")
    )
    print(f"{name}: {len(text)} characters")


def fail(_: object) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST, room_uuid="r-42")


def of_python() -> None:
    with harness.serve("sync") as target, harness.action(fail) as request:
        plain = grpc.insecure_channel(target)
        try:
            harness.method(plain, "unary_unary")(request)
        except grpc.RpcError as error:
            call: grpc.Call = error  # type: ignore[assignment]
            save("trailing-metadata.txt", repr(call.trailing_metadata()))
            save("traceback-of-grpcio.txt", traceback.format_exc())
            (details,) = [
                value
                for key, value in call.trailing_metadata() or ()
                if key == "grpc-status-details-bin"
            ]
            save("bytes.txt", f"details = {details!r}\n")
            assert isinstance(details, bytes)
            save("hex.txt", f"{details.hex()}\n")
            save(
                "xxd.txt", run("sh", "-c", f"printf %s {details.hex()} | xxd -r -p | xxd -p -c 20")
            )
        with errgrpc.wrap_channel(plain, ResCode) as channel:
            try:
                harness.method(channel, "unary_unary")(request)
            except errgrpc.RemoteError as error:
                save("traceback-of-errgrpc.txt", traceback.format_exc())
                save(
                    "repr-of-errgrpc.txt",
                    f"{logging.getLevelName(logging.ERROR)}:rooms:failed with {error!r}\n",
                )


def of_http() -> None:
    for form in ("envelope", "aip193"):
        app = FastAPI()
        install(app, ResCode, form=form)  # type: ignore[arg-type]
        app.get("/rooms/r-42")(lambda: fail(None))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        thread = threading.Thread(target=lambda server=server: asyncio.run(server.serve()))
        thread.start()
        while not server.started:
            pass
        port = server.servers[0].sockets[0].getsockname()[1]
        save(f"curl-v-{form}.txt", run("curl", "-sv", f"http://127.0.0.1:{port}/rooms/r-42"))
        server.should_exit = True
        thread.join()


def of_the_gateway() -> None:
    url = os.environ["VITE_GATEWAY"].rstrip("/")
    address = url.removeprefix("http://")
    folders = (
        "examples",
        "protos",
        "third_party",
        ".venv/lib/python3.11/site-packages/grpc_tools/_proto",
    )
    proto = (
        *(option for folder in folders for option in ("-import-path", str(ROOT / folder))),
        "-proto",
        "classroom/v1/classroom.proto",
    )
    for name, options in (("grpcurl.txt", ()), ("grpcurl-v.txt", ("-v",))):
        data = ("-d", '{"room_uuid": "r-42"}', "-plaintext", "-H", "accept-language: zh-CN")
        save(name, run(str(GRPCURL), *options, *proto, *data, address, METHOD))
    json = ("-H", "content-type: application/json", "-d", '{"room_uuid": "r-42"}')
    save("curl-v-envoy-json.txt", run("curl", "-sv", *json, f"{url}/{METHOD}"))
    frame = "0000000006" + b"\x0a\x04r-42".hex()
    web = (
        "-H",
        "content-type: application/grpc-web+proto",
        "-H",
        "x-grpc-web: 1",
        "--data-binary",
        "@-",
        "--output",
        "-",
    )
    save(
        "curl-v-grpc-web.txt",
        run(
            "sh",
            "-c",
            f"printf {frame} | xxd -r -p | curl -sv {' '.join(map(repr, web))} {url}/{METHOD} "
            "| cat -v",
        ),
    )


def of_the_access_log() -> None:
    """What Envoy logs of a call, with the trailers that operators add to its format."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "access.log")
        line = (
            '[%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" %RESPONSE_CODE% '
            '%BYTES_SENT% %DURATION% "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
            "grpc-status=%GRPC_STATUS_NUMBER% "
            # An answer without messages has its details in the headers: gRPC's Trailers-Only.
            "details=%RESP(grpc-status-details-bin)%%TRAILER(grpc-status-details-bin)%\n"
        )
        logged = (
            "stat_prefix: gateway\n          access_log:\n"
            "          - name: envoy.access_loggers.file\n            typed_config:\n"
            '              "@type": type.googleapis.com/'
            "envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
            f"              path: {log}\n"
            "              log_format: {text_format_source: {inline_string: "
            f"{json.dumps(line)}}}}}"
        )

        def template(text: str) -> Template:
            return Template(text.replace("stat_prefix: gateway", logged.replace("$", "$$")))

        with mock.patch.object(gateway, "Template", template), gateway.gateway() as url:
            target = url.removeprefix("http://")
            with grpc.insecure_channel(target) as channel, contextlib.suppress(grpc.RpcError):
                call: Any = channel.unary_unary(f"/{METHOD}")
                call(b"\x0a\x04r-42", timeout=10)
        save("envoy-access-log.txt", log.read_text())


if __name__ == "__main__":
    CORPUS.mkdir(parents=True, exist_ok=True)
    of_python()
    of_http()
    of_the_gateway()
    of_the_access_log()
