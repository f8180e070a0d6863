"""Runs blocks of calls one at a time, in random order over all contenders and processes."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .contenders import Contender
from .works import FIRST, Work

__all__ = ["Block", "Child", "Pair", "first", "measure", "started"]

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Block:
    """The average seconds of a call in one block.

    `drift` tells how slow the machine was in this round. It is the median of the round's blocks,
    divided by the median of all blocks of the work.
    """

    contender: str
    process: int
    wall: float
    client_cpu: float
    server_cpu: float
    drift: float = 1

    @property
    def cpu(self) -> float:
        """The seconds of both processes."""
        return self.client_cpu + self.server_cpu


class Child:
    """A process that answers each line with a line, and sleeps between them."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def ask(self, line: str = "") -> str:
        """Returns the answer to a line."""
        self._stdin.write(line + "\n")
        self._stdin.flush()
        return self.read()

    def read(self) -> str:
        """Returns the next line of the process. Raises RuntimeError if the process has ended."""
        line = self._stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line

    def close(self) -> None:
        """Ends the process."""
        self._stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()


@dataclass(frozen=True)
class Pair:
    """A server and a client of one contender, and the server without codes that all share."""

    contender: str
    number: int
    server: Child
    foreign: Child
    client: Child

    def block(self, work: Work, calls: int) -> Block:
        """Makes this number of calls."""
        server = self.foreign if work.foreign else self.server
        before = float(server.ask())
        took = json.loads(self.client.ask(json.dumps({"work": work.name, "calls": calls})))
        server_cpu = float(server.ask()) - before
        return Block(
            self.contender,
            self.number,
            took["wall"] / calls,
            took["cpu"] / calls,
            server_cpu / calls,
        )


@contextmanager
def started(
    contenders: Sequence[Contender], stack: str, processes: int, tick: Callable[[], Any]
) -> Iterator[list[Pair]]:
    """Starts this number of pairs of processes for each contender, all idle."""
    with ExitStack() as closing:

        def child(*arguments: str) -> Child:
            made = Child(*arguments)
            closing.callback(made.close)
            return made

        def target(server: Child) -> str:
            return f"127.0.0.1:{int(server.read())}"

        foreign = child("bench.server", "bare", stack)
        foreign_target = target(foreign)
        pairs = []
        for number in range(processes):
            mixed = random.sample(contenders, len(contenders))
            servers = [child("bench.server", contender.server, stack) for contender in mixed]
            for contender, server in zip(mixed, servers, strict=True):
                client = child(
                    "bench.client", contender.client, stack, target(server), foreign_target
                )
                pairs.append(Pair(contender.name, number, server, foreign, client))
            for pair in pairs[-len(mixed) :]:
                pair.client.read()  # it is ready
                tick()
        yield pairs


def first(pairs: list[Pair], tick: Callable[[], Any]) -> list[Block]:
    """Measures the first call of each client: possible only once, before all other calls."""
    blocks = []
    for pair in random.sample(pairs, len(pairs)):
        blocks.append(pair.block(FIRST, 1))
        tick()
    return blocks


def measure(
    pairs: list[Pair],
    work: Work,
    seconds: float,
    budget: float,
    least: int,
    tick: Callable[[float], Any],
) -> list[Block]:
    """Runs blocks of about `seconds` for about `budget` seconds, at least `least` for each pair.

    Warm-up calls do not count.
    """
    once = median(pair.block(work, work.at_once).wall for pair in pairs)
    if once < seconds:  # the first call of a kind is slower
        once = median(pair.block(work, work.at_once).wall for pair in pairs)
    calls = max(1, round(seconds / once / work.at_once)) * work.at_once
    rounds = max(least, round(budget / len(pairs) / (calls * once)))
    found: list[list[Block]] = []
    for _ in range(rounds):
        found.append([])
        for pair in random.sample(pairs, len(pairs)):
            found[-1].append(pair.block(work, calls))
            tick(1 / rounds / len(pairs))
    return list(_with_drift(found))


def _with_drift(rounds: list[list[Block]]) -> Iterator[Block]:
    all_of_it = median(block.wall for blocks in rounds for block in blocks)
    for blocks in rounds:
        drift = median(block.wall for block in blocks) / all_of_it
        for block in blocks:
            yield Block(
                block.contender,
                block.process,
                block.wall,
                block.client_cpu,
                block.server_cpu,
                drift,
            )
