"""Loads, builds and runs the peers of the `peers.json` files."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.service import Call, Said
from conformance.v1 import conformance_pb2
from conformance.vectors import PATH
from examples.classroom.gateway import envoy, find_envoy

__all__ = [
    "HERE",
    "Cannot",
    "Peer",
    "PeerError",
    "build",
    "load",
    "run_client",
    "run_retrying",
    "run_server",
    "version",
]

HERE = Path(__file__).parent
GATEWAY = "{gateway}"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Maven prints colours even in batch mode
BUILD_SECONDS, CLIENT_SECONDS, START_SECONDS, STOP_SECONDS = 1_800, 600, 60, 10


class PeerError(Exception):
    """A peer that does not follow README.md."""


@dataclass(frozen=True)
class Cannot:
    """Vectors that a peer cannot express, with the reason."""

    direction: str
    reason: str
    vectors: Sequence[str] = ("*",)
    methods: Sequence[str] = ()
    fields: Sequence[str] = ()

    def covers(self, direction: str, name: str, method: str) -> bool:
        """Returns whether the entry is about this call."""
        in_reach = direction == self.direction and (not self.methods or method in self.methods)
        return in_reach and any(fnmatchcase(name, pattern) for pattern in self.vectors)


@dataclass(frozen=True)
class Peer:
    """An entry of `peers.json`."""

    directory: Path
    name: str
    library: str
    version: Sequence[str]
    needs: Sequence[str] = ()
    build: Sequence[Sequence[str]] = ()
    client: Sequence[str] = ()
    server: Sequence[str] = ()
    retries: Sequence[str] = ()
    """The command of the client with its own retry policy, if it has one."""
    no_client: str = ""
    no_server: str = ""
    cannot: Sequence[Cannot] = field(default=())

    @property
    def through_envoy(self) -> bool:
        """Whether its client calls errgrpc's server through Envoy."""
        return any(GATEWAY in word for word in self.client)

    def missing(self) -> list[str]:
        """Returns the tools that the peer needs and that are missing."""
        missing = [tool for tool in self.needs if shutil.which(tool) is None]
        return [*missing, "envoy"] if self.through_envoy and find_envoy() is None else missing


def load(languages: Sequence[str] = ()) -> list[Peer]:
    """Returns the peers of these directories, or of all."""
    known = sorted(path.parent.name for path in HERE.glob("*/peers.json"))
    if unknown := sorted(set(languages) - set(known)):
        raise PeerError(f"no peers in {', '.join(unknown)}: there are {', '.join(known)}")
    return [
        peer
        for language in known
        if not languages or language in languages
        for peer in _load(HERE / language)
    ]


def _load(directory: Path) -> Iterator[Peer]:
    for entry in json.loads((directory / "peers.json").read_text("utf-8"))["peers"]:
        cannot = tuple(Cannot(**item) for item in entry.pop("cannot", ()))
        peer = Peer(directory=directory, cannot=cannot, **entry)
        for command, why in ((peer.client, peer.no_client), (peer.server, peer.no_server)):
            if bool(command) == bool(why):
                raise PeerError(
                    f"{directory.name}/{peer.name}: "
                    "give each of client and server a command, or say in no_client, no_server "
                    "why not"
                )
        yield peer


@functools.cache
def _run_once(directory: Path, command: tuple[str, ...]) -> str:
    """Returns what a command prints. If several peers share a build, it runs once."""
    words = _filled(command)
    try:
        done = subprocess.run(
            words,
            cwd=directory,
            env=_environment(),
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        raise PeerError(
            f"{' '.join(words)} gave {done.returncode}:\n{_tail(done.stdout + done.stderr)}"
        )
    return done.stdout.decode(errors="replace")


def build(peer: Peer) -> None:
    """Builds a peer."""
    for command in peer.build:
        _run_once(peer.directory, tuple(command))


def version(peer: Peer) -> str:
    """Returns the version of the peer's library."""
    words = _COLOUR.sub("", _run_once(peer.directory, tuple(peer.version))).split()
    return words[-1] if words else "unknown"


def run_client(peer: Peer, target: str, calls: Sequence[Call]) -> dict[int, Said]:
    """Returns what the client of a peer read of each call, by id."""
    if not peer.through_envoy:
        return _run_client(peer, _filled(peer.client, target=target), calls)
    try:
        with envoy(int(target.rpartition(":")[2]), conformance_pb2.DESCRIPTOR) as url:
            return _run_client(
                peer, _filled(peer.client, gateway=url.removeprefix("http://")), calls
            )
    except SystemExit as ended:
        raise PeerError(str(ended)) from ended


def run_retrying(peer: Peer, target: str, config: str, calls: Sequence[Call]) -> dict[int, Said]:
    """Returns the same for a client with a retry policy, a service config as JSON."""
    return _run_client(peer, _filled(peer.retries, target=target, config=config), calls)


def _run_client(peer: Peer, words: Sequence[str], calls: Sequence[Call]) -> dict[int, Said]:
    lines = "".join(json.dumps(call) + "\n" for call in calls).encode()
    try:
        done = subprocess.run(
            words,
            cwd=peer.directory,
            env=_environment(),
            input=lines,
            capture_output=True,
            timeout=CLIENT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        raise PeerError(f"{' '.join(words)} gave {done.returncode}:\n{_tail(done.stderr)}")
    try:
        return {said["id"]: said for said in map(json.loads, done.stdout.splitlines())}
    except (ValueError, TypeError, KeyError) as error:
        raise PeerError(
            f"{' '.join(words)} printed what is no answer: {error}\n{_tail(done.stdout)}"
        ) from error


@contextmanager
def run_server(command: Sequence[str], directory: Path) -> Iterator[str]:
    """Runs a server until the block ends, and yields its address."""
    words = _filled(command)
    with tempfile.TemporaryFile() as errors:

        def told() -> str:
            errors.seek(0)
            return _tail(errors.read())

        try:
            process = subprocess.Popen(
                words,
                cwd=directory,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        except OSError as error:
            raise PeerError(f"{' '.join(words)}: {error}") from error
        with process:
            try:
                yield f"127.0.0.1:{_port(process, words, told)}"
            except BaseException:
                process.kill()
                raise
            _stop(process, words, told)


def _port(process: "subprocess.Popen[str]", words: Sequence[str], told: Callable[[], str]) -> int:
    """Returns the port that a server prints when it is ready."""

    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    line = process.stdout.readline().strip() if process.stdout else ""
    timer.cancel()
    if not line.isdecimal():
        raise PeerError(f"{' '.join(words)} printed {line!r}, not its port\n{told()}")
    return int(line)


def _stop(process: "subprocess.Popen[str]", words: Sequence[str], told: Callable[[], str]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        code = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise PeerError(
            f"{' '.join(words)} did not end within {STOP_SECONDS} s of the end of its "
            f"input\n{told()}"
        ) from error
    if code:
        raise PeerError(f"{' '.join(words)} gave {code}:\n{told()}")


def _filled(command: Sequence[str], **values: str) -> list[str]:
    known = {"python": sys.executable, "vectors": str(PATH), **values}
    return [
        functools.reduce(
            lambda word, item: word.replace(f"{{{item[0]}}}", item[1]), known.items(), word
        )
        for word in command
    ]


def _environment() -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE.parent)}


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-20:])
