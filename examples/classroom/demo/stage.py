"""Runs the story: a server on a free port and its clients, for each stack and language."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from .. import aio_client, aio_server, client, server
from ..im import Im
from ..rules import Classrooms
from .spy import AioSpy, Spy
from .story import DEADLINE, MAX_ROOMS, Step
from .wire import Seen, read

__all__ = ["LOCALES", "Scene", "perform"]

LOCALES = ("zh-CN", "en-US")
ADDRESS = "127.0.0.1:0"
GRACE = 1.0

Records = list[logging.LogRecord]


@dataclass(frozen=True)
class Scene:
    """The result of a step in one stack and language."""

    stack: str
    locale: str
    raised: Exception | None
    """The exception of the handler."""
    wire: Seen | None
    caught: Exception | None
    """The exception that the client caught."""
    log: logging.LogRecord | None
    events: list[Any]
    """The events of a feed before it ended."""


def perform(steps: Sequence[Step]) -> list[list[Scene]]:
    """Returns all scenes of each step: sync and asyncio, each in Chinese and in English."""
    with _records() as records:
        runs = [run(steps, locale, records) for run in (_run_sync, _run_aio) for locale in LOCALES]
    return [list(scenes) for scenes in zip(*runs, strict=True)]


class _Stage:
    """The server and the clients of a step. The stacks' streams differ, so each has a subclass."""

    stack: str

    def __init__(
        self, im: Im, connect: Callable[..., Any], target: str, locale: str, records: Records
    ) -> None:
        self.im = im
        self.kept: dict[str, Any] = {}
        self.events: list[Any] = []
        self._locale = locale
        self._records = records
        users = (None, "chen", "li", "wang", "zhao")
        self.clients = [connect(target, user, locale=locale, timeout=DEADLINE) for user in users]
        self.stranger, self.chen, self.li, self.wang, self.zhao = self.clients

    def begin(self) -> None:
        self._records.clear()
        self.events = []

    def scene(self, step: Step, spy: Spy | AioSpy, caught: Exception | None) -> Scene:
        wire = (
            read(caught)
            if isinstance(caught, grpc.RpcError) and isinstance(caught, grpc.Call)
            else None
        )
        log = self._records[-1] if self._records else None
        # A stream can fail before its client reads the error, so the spy keeps the exception.
        raised = None if caught is None else spy.raised.pop(step.method, None)
        return Scene(self.stack, self._locale, raised, wire, caught, log, self.events)


class _SyncStage(_Stage):
    stack = "sync"

    def keep(self, name: str, line: Any) -> None:
        self.kept[name] = line

    def watch(self, name: str, feed: Any) -> None:
        self.events.append(next(feed))
        self.kept[name] = feed

    def drain(self, name: str) -> None:
        for event in self.kept[name]:
            self.events.append(event)


class _AioStage(_Stage):
    stack = "asyncio"

    async def keep(self, name: str, line: Any) -> None:
        self.kept[name] = await line

    async def watch(self, name: str, feed: Any) -> None:
        self.events.append(await anext(feed))
        self.kept[name] = feed

    async def drain(self, name: str) -> None:
        async for event in self.kept[name]:
            self.events.append(event)


def _run_sync(steps: Sequence[Step], locale: str, records: Records) -> list[Scene]:
    im, spy, scenes = Im(), Spy(), list[Scene]()
    with ThreadPoolExecutor(max_workers=16) as pool:
        running = server.build(pool, Classrooms(max_rooms=MAX_ROOMS), im, [spy])
        port = running.add_insecure_port(ADDRESS)
        running.start()
        stage: Any = _SyncStage(im, client.Client, f"127.0.0.1:{port}", locale, records)
        stage.stop_server = lambda: running.stop(GRACE).wait()
        try:
            for step in steps:
                stage.begin()
                caught = None
                try:
                    step.act(stage)
                except Exception as error:  # noqa: BLE001  every exception is shown
                    caught = error
                scenes.append(stage.scene(step, spy, caught))
        finally:
            for each in stage.clients:
                each.close()
            stage.stop_server()
    return scenes


def _run_aio(steps: Sequence[Step], locale: str, records: Records) -> list[Scene]:
    return asyncio.run(_run_async(steps, locale, records))


async def _run_async(steps: Sequence[Step], locale: str, records: Records) -> list[Scene]:
    im, spy, scenes = Im(), AioSpy(), list[Scene]()
    running = aio_server.build(Classrooms(max_rooms=MAX_ROOMS), im, [spy])
    port = running.add_insecure_port(ADDRESS)
    await running.start()
    stage: Any = _AioStage(im, aio_client.Client, f"127.0.0.1:{port}", locale, records)
    stage.stop_server = lambda: running.stop(GRACE)
    try:
        for step in steps:
            stage.begin()
            caught = None
            try:
                result = step.act(stage)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:  # noqa: BLE001  every exception is shown
                caught = error
            scenes.append(stage.scene(step, spy, caught))
    finally:
        for each in stage.clients:
            await each.close()
        await stage.stop_server()
    return scenes


@contextmanager
def _records() -> Iterator[Records]:
    """Collects the log records of errgrpc, which would otherwise appear in the terminal."""
    records: Records = []
    logger = logging.getLogger("errgrpc")

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler, propagate = Keep(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield records
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)
