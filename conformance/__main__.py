"""Builds and runs the peers of the given directories, or of all, and writes the matrix."""

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance import peers
from conformance.peers import Peer, PeerError
from conformance.runner import CLIENT, SERVER, Result, check_client, check_server, reference

MATRIX = peers.HERE.parent / "docs" / "interop-matrix.json"
PAGE = MATRIX.with_name("interop.md")
Row = tuple[Peer, str, dict[str, Result]]


def main() -> int:
    """Runs the peers. Returns 1 if a call failed."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("directories", nargs="*", help="such as go or python; all if none is given")
    parser.add_argument(
        "--json",
        type=Path,
        help=f"where to write the matrix; {MATRIX.name} of docs/ when all have run",
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="a peer that does not build is not run, as when its registry cannot be reached",
    )
    arguments = parser.parse_args()
    console = Console()
    try:
        found = peers.load(arguments.directories)
    except PeerError as failure:
        parser.error(str(failure))
    rows: list[Row] = []
    with reference() as target:
        for peer in found:
            console.print(f"[dim]{peer.directory.name}/{peer.name} …[/dim]")
            rows.append(_row(peer, target, lenient=arguments.lenient))
    console.print(_table(rows))
    _explain(console, rows)
    complete = not arguments.directories and all(version for _, version, _ in rows)
    path = arguments.json or (MATRIX if complete else None)
    if path is not None:
        path.write_text(
            json.dumps([_as_json(row) for row in rows], ensure_ascii=False, indent=1) + "\n",
            "utf-8",
        )
    if path == MATRIX:
        PAGE.write_text(
            with_matrix(PAGE.read_text("utf-8"), json.loads(path.read_text("utf-8"))), "utf-8"
        )
    return int(any(result.failures for _, _, results in rows for result in results.values()))


def _row(peer: Peer, target: str, *, lenient: bool) -> Row:
    """Returns the row of a peer. If the peer was not run, its version is empty."""
    if missing := peer.missing():
        result = Result(not_run=f"{', '.join(missing)} is not installed")
        return peer, "", {CLIENT: result, SERVER: result}
    try:
        peers.build(peer)
        version = peers.version(peer)
    except PeerError as failure:
        result = (
            Result(not_run=f"it did not build: {failure}")
            if lenient
            else Result(failures=Counter([str(failure)]))
        )
        return peer, "", {CLIENT: result, SERVER: result}
    return peer, version, {CLIENT: check_client(peer, target), SERVER: check_server(peer)}


def _table(rows: list[Row]) -> Table:
    table = Table(title="Calls that each peer passed: of each vector, with each kind of method")
    for heading in (
        "peer",
        "version",
        "reads errgrpc's server",
        "errgrpc's clients read its server",
    ):
        table.add_column(heading, no_wrap=heading == "peer")
    for peer, version, results in rows:
        table.add_row(
            f"{peer.directory.name}/{peer.name}",
            version,
            *(_cell(results[way]) for way in (CLIENT, SERVER)),
        )
    return table


def _cell(result: Result) -> str:
    if result.not_run:
        return f"[yellow]not run[/yellow]: {escape(result.not_run)}"
    parts = [f"[green]{result.passed} passed[/green]"]
    parts += [
        f"{count} {word}"
        for count, word in ((result.in_part, "in part"), (result.cannot, "cannot"))
        if count
    ]
    parts += [f"[red]{result.failures.total()} failed[/red]"] if result.failures else []
    return ", ".join(parts)


def _explain(console: Console, rows: list[Row]) -> None:
    """Prints why calls passed in part, could not be made, or failed."""
    for peer, _, results in rows:
        for direction, result in results.items():
            name = f"{peer.directory.name}/{peer.name} as {direction}"
            for reason, count in result.reasons.items():
                console.print(f"{name}, {count} calls: {escape(reason)}", highlight=False)
            for failure, count in result.failures.most_common(10):
                console.print(
                    f"[red]{name} failed[/red], {count} calls: {escape(failure)}", highlight=False
                )
            if len(result.failures) > 10:
                console.print(
                    f"[red]{name} failed[/red]: {len(result.failures) - 10} more", highlight=False
                )


def _as_json(row: Row) -> dict[str, Any]:
    peer, version, results = row
    head = {
        "language": peer.directory.name,
        "peer": peer.name,
        "library": peer.library,
        "version": version,
    }
    return head | {direction: result.as_json() for direction, result in results.items()}


def with_matrix(page: str, rows: list[dict[str, Any]]) -> str:
    """Returns the page with its table rebuilt."""
    head = ("peer", "version", "reads errgrpc's server", "errgrpc's clients read its server")
    body = [
        (
            f"{row['language']}: {row['peer']}",
            row["version"],
            *(_told(row[way]) for way in (CLIENT, SERVER)),
        )
        for row in rows
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * 4, *body))
    return re.sub(
        r"(?s)(<!-- matrix -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{table}\n\n{found[2]}",
        page,
    )


def _told(result: dict[str, Any]) -> str:
    if why := result.get("not_run"):
        return f"not run: {why}"
    words = (
        ("passed", "passed"),
        ("in part", "in_part"),
        ("cannot", "cannot"),
        ("failed", "failed"),
    )
    return ", ".join(
        f"{result[key]:,} {word}" for word, key in words if result[key] or key == "passed"
    )


if __name__ == "__main__":
    sys.exit(main())
