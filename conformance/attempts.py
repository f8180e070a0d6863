"""Counts how often clients with a retry policy try a call that errgrpc answers.

`python -m conformance.attempts go java` takes the peers of these directories. Without arguments, it
takes all.
"""

import argparse
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import grpc
from rich.console import Console
from rich.table import Table

import errgrpc
from conformance import ours, peers, server
from conformance.peers import Peer, PeerError
from conformance.service import KINDS, SERVICE, Call, Said, handler, path
from conformance.v1 import conformance_pb2
from conformance.vectors import load
from errgrpc.retries import service_config

__all__ = ["CASES", "MOST", "OTHERWISE", "calls", "check", "counting", "with_table"]

MOST = 4
"""The attempts that the policy allows."""
PAGE = peers.HERE.parent / "docs" / "retries.md"
RESULTS = PAGE.with_name("retries-attempts.json")

CASES: Mapping[str, tuple[str, int]] = {
    "res_code/SERVICE_UNAVAILABLE/en-US": ("nothing", MOST),
    "retry/rounded_up": ("RetryInfo 0.0001 s, pushback 1", MOST),
    "retry/none": ("RetryInfo 0 s, pushback 1", MOST),
    "details/RetryInfo": ("RetryInfo 2 s, pushback 2000", MOST),
    "retry/own": ("RetryInfo 2 s, the handler's pushback 70", MOST),
    "retry/never": ("pushback -1", 1),
    "retry/never_in_spite_of_RetryInfo": ("RetryInfo 1 s, pushback -1", 1),
    "retry/never_by_another_status": ("nothing, a status that is left out of the policy", 1),
    "details/all": ("RetryInfo 0.5 s, pushback 500, a status that no policy has", 1),
}
"""What is sent beside the code, and the expected attempts before a response, by vector name."""
OTHERWISE: Mapping[tuple[str, str], int] = {("grpc-java", "details/all"): MOST}
"""Expected attempts of clients that differ from CASES.

If a method has a policy, grpc-java obeys a pushback whatever the status is.
"""
_AFTER_A_RESPONSE = "retry/rounded_up"

CONFIG = service_config(
    errgrpc.ResCode,
    services=[conformance_pb2.DESCRIPTOR.services_by_name[SERVICE.rpartition(".")[2]]],
    safe_methods=[path(method) for method in KINDS],
    initial_backoff=0.01,
    max_backoff=0.02,
    max_attempts=MOST,
    throttling=None,
)


def calls() -> list[Call]:
    """Returns each case with each kind of method, and two calls that fail after a response.

    The metadata `x-call` tell the server which call it is.
    """
    numbers = {vector["name"]: vector["number"] for vector in load()}
    wanted = [(name, method, 0) for name in CASES for method in KINDS]
    wanted += [(_AFTER_A_RESPONSE, method, 1) for method in ("ServerStream", "BidiStream")]
    return [
        {
            "id": number,
            "vector": numbers[name],
            "method": method,
            "messages": messages,
            "metadata": {"x-call": str(number)},
        }
        for number, (name, method, messages) in enumerate(wanted, 1)
    ]


def expected(client: str, call: Call) -> int:
    """Returns how many attempts a call of a client should take."""
    name = load()[call["vector"] - 1]["name"]
    return 1 if call["messages"] else OTHERWISE.get((client, name), CASES[name][1])


@contextmanager
def counting() -> Iterator[tuple[str, Counter[str]]]:
    """Runs errgrpc's server, and yields its address and the number of attempts by call."""
    came = Counter[str]()

    def fail(number: int, context: grpc.ServicerContext) -> None:
        came.update(str(value) for key, value in context.invocation_metadata() if key == "x-call")
        server.fail(number, context)

    with ThreadPoolExecutor(max_workers=8) as pool:
        running = grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(errgrpc.ResCode)])
        running.add_generic_rpc_handlers((handler(fail),))
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        try:
            yield f"127.0.0.1:{port}", came
        finally:
            running.stop(None).wait()


def check(
    client: str, make: Callable[[str, Sequence[Call]], Mapping[int, Said]]
) -> tuple[dict[str, list[int]], list[str]]:
    """Returns the attempts of each case by kind of method, and the differences."""
    found, wrong = dict[str, list[int]](), list[str]()
    with counting() as (target, came):
        said = make(target, calls())
    for call in calls():
        vector, attempts = load()[call["vector"] - 1], came[str(call["id"])]
        name = "after a first response" if call["messages"] else vector["name"]
        found.setdefault(name, []).append(attempts)
        status = said.get(call["id"], {}).get("status")
        if (attempts, status) != (expected(client, call), vector["read"]["status"]):
            wrong.append(
                f"{client}: {name} {call['method']}: "
                f"{attempts} attempts, expected {expected(client, call)}; ended with {status}"
            )
    return found, wrong


def _ours(call: Callable[..., list[Said]], target: str, made: Sequence[Call]) -> dict[int, Said]:
    return {said["id"]: said for said in call(target, made, CONFIG)}


def main() -> int:
    """Runs the clients. Returns 1 if a client made other attempts than expected."""
    parser = argparse.ArgumentParser(prog="python -m conformance.attempts", description=__doc__)
    parser.add_argument("directories", nargs="*", help="such as go or java; all if none is given")
    parser.add_argument(
        "--lenient", action="store_true", help="a peer that does not build is not run"
    )
    arguments = parser.parse_args()
    # Some cases have a delay and a code that is not retryable.
    warnings.simplefilter("ignore", errgrpc.MisuseWarning)
    rows: dict[str, dict[str, list[int]]] = {}
    wrong: list[str] = []
    complete = not arguments.directories
    for name, call in (("grpcio", ours.call_sync), ("grpcio, asyncio", ours.call_aio)):
        rows[name], found = check(name, partial(_ours, call))
        wrong += found
    for peer in (peer for peer in peers.load(arguments.directories) if peer.retries):
        if why := _why_not(peer):
            print(f"{peer.name} was not run: {why}")
            complete = False
            wrong += [] if arguments.lenient or peer.missing() else [f"{peer.name}: {why}"]
            continue
        rows[peer.name], found = check(peer.name, partial(_run, peer))
        wrong += found
    Console().print(_table(rows))
    for text in wrong:
        print(text)
    if complete and not wrong:
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), rows), "utf-8")
    return int(bool(wrong))


def _why_not(peer: Peer) -> str:
    """Returns why a peer cannot be run, or an empty text."""
    if missing := peer.missing():
        return f"{', '.join(missing)} is not installed"
    try:
        peers.build(peer)
    except PeerError as failure:
        return f"it did not build: {failure}"
    return ""


def _run(peer: Peer, target: str, made: Sequence[Call]) -> dict[int, Said]:
    return peers.run_retrying(peer, target, CONFIG, made)


def _lines(rows: Mapping[str, Mapping[str, Sequence[int]]]) -> Iterator[tuple[str, ...]]:
    yield ("code", "sent beside it", *rows)
    codes = {
        vector["name"]: f"{vector['read']['reason']}, {grpc_name(vector['read']['status'])}"
        for vector in load()
    }
    for name, (sent, _) in CASES.items():
        yield (codes[name], sent, *(_told(row[name]) for row in rows.values()))
    name = "after a first response"
    yield (
        codes[_AFTER_A_RESPONSE],
        f"{CASES[_AFTER_A_RESPONSE][0]}, {name}",
        *(_told(row[name]) for row in rows.values()),
    )


def grpc_name(status: int) -> str:
    """Returns `UNAVAILABLE` for 14."""
    return next(each.name for each in grpc.StatusCode if each.value[0] == status)


def _told(attempts: Sequence[int]) -> str:
    return "/".join(map(str, sorted(set(attempts))))


def _table(rows: Mapping[str, Mapping[str, Sequence[int]]]) -> Table:
    head, *body = _lines(rows)
    table = Table(
        *head, title=f"Attempts of clients whose policy allows {MOST}, with each kind of method"
    )
    for line in body:
        table.add_row(*line)
    return table


def with_table(page: str, rows: Mapping[str, Mapping[str, Sequence[int]]]) -> str:
    """Returns the page with its table rebuilt."""
    head, *body = _lines(rows)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *body))
    return re.sub(
        r"(?s)(<!-- attempts -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{table}\n\n{found[2]}",
        page,
    )


if __name__ == "__main__":
    sys.exit(main())
