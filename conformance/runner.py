"""Runs each peer in each direction, and counts the results of its calls."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance import ours, peers
from conformance.compare import CALL, differences
from conformance.peers import Peer, PeerError
from conformance.service import Call, Said
from conformance.vectors import Vector, load

__all__ = [
    "CLIENT",
    "MESSAGES",
    "SERVER",
    "Result",
    "calls",
    "check_client",
    "check_server",
    "reference",
]

CLIENT, SERVER = "client", "server"
MESSAGES = {"Unary": 0, "ServerStream": 2, "ClientStream": 0, "BidiStream": 1}
"""The number of responses before the error."""


@dataclass
class Result:
    """The results of one direction of a peer."""

    passed: int = 0
    in_part: int = 0
    cannot: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """The number of failed calls by reason."""
    reasons: Counter[str] = field(default_factory=Counter)
    """The number of calls that passed in part or could not be expressed, by reason."""
    not_run: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns the result for the JSON file."""
        if self.not_run:
            return {"not_run": self.not_run}
        counts = {
            "passed": self.passed,
            "in_part": self.in_part,
            "cannot": self.cannot,
            "failed": self.failures.total(),
        }
        return counts | {
            "reasons": dict(self.reasons),
            "failures": dict(self.failures.most_common(20)),
        }


def calls(vectors: Sequence[Vector] | None = None, *, brief: bool = False) -> list[Call]:
    """Returns each vector with each kind of method; if `brief`, with one kind in turn."""
    every = [
        (vector, method)
        for vector in (load() if vectors is None else vectors)
        for method in MESSAGES
    ]
    return [
        {
            "id": number,
            "vector": vector["number"],
            "method": method,
            "messages": MESSAGES[method],
            "metadata": vector["request"]["metadata"],
        }
        for number, (vector, method) in enumerate(every, 1)
        if not brief or number % 4 == vector["number"] % 4
    ]


def reference() -> Any:
    """Returns a context manager that runs errgrpc's server and yields its address."""
    return peers.run_server(["{python}", "-m", "conformance.server"], peers.HERE)


def check_client(peer: Peer, target: str, *, brief: bool = False) -> Result:
    """Checks whether a peer's client reads errgrpc's server."""
    if not peer.client:
        return Result(not_run=peer.no_client)
    made = calls(brief=brief)
    try:
        return _counted(peer, CLIENT, made, [peers.run_client(peer, target, made)])
    except PeerError as failure:
        return Result(failures=Counter([str(failure)]))


def check_server(peer: Peer, *, brief: bool = False) -> Result:
    """Checks whether errgrpc's clients, sync and asyncio, read a peer's server."""
    if not peer.server:
        return Result(not_run=peer.no_server)
    made = calls([vector for vector in load() if vector["servable"]], brief=brief)
    result = None
    try:
        with peers.run_server(peer.server, peer.directory) as target:
            said = [
                {line["id"]: line for line in call(target, made)}
                for call in (ours.call_sync, ours.call_aio)
            ]
            result = _counted(peer, SERVER, made, said)
    except PeerError as failure:
        result = result or Result()
        result.failures[str(failure)] += 1
    return result


def _counted(
    peer: Peer, direction: str, made: Sequence[Call], said: Sequence[Mapping[int, Said]]
) -> Result:
    result, needed = Result(), set[int]()
    for call, answers in ((call, answers) for answers in said for call in made):
        vector = load()[call["vector"] - 1]
        wrong = differences(
            vector, call["messages"], answers.get(call["id"], {"failed": "no answer was printed"})
        )
        if not wrong:
            result.passed += 1
            continue
        entries = [
            n
            for n, entry in enumerate(peer.cannot)
            if entry.covers(direction, vector["name"], call["method"])
        ]
        whole = [n for n in entries if not peer.cannot[n].fields]
        partial = [n for n in entries if wrong.keys() & set(peer.cannot[n].fields)]
        if CALL not in wrong and wrong.keys() <= {
            name for n in partial for name in peer.cannot[n].fields
        }:
            result.in_part += 1
            used = partial
        elif whole:
            result.cannot += 1
            used = whole
        else:
            said_wrong = "; ".join(f"{name} {text}" for name, text in wrong.items())
            result.failures[f"{vector['name']}: {said_wrong}"] += 1
            continue
        needed.update(used)
        result.reasons.update(peer.cannot[n].reason for n in used)
    result.failures.update(_needless(peer, direction, needed))
    return result


def _needless(peer: Peer, direction: str, needed: set[int]) -> Iterator[str]:
    for number, entry in enumerate(peer.cannot):
        if entry.direction == direction and number not in needed:
            yield (
                f"`cannot` says {entry.reason!r} of {', '.join(entry.vectors)}, but no call needed "
                "it"
            )
