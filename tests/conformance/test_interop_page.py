"""docs/interop.md shows programs as they ran, and its matrix lists the existing peers."""

import json
import re
import textwrap

import pytest

from conformance import peers
from conformance.__main__ import MATRIX, PAGE, with_matrix

PARTS = re.findall(
    r"\]\((\.\./conformance/[^)]+)\):\n\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL
)


def test_there_is_a_part_for_each_program() -> None:
    assert len(PARTS) >= 15
    languages = {peer.directory.name for peer in peers.load()}
    assert {path.split("/")[2] for path, _ in PARTS} == languages


def test_the_table_is_that_of_the_matrix() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_matrix(page, json.loads(MATRIX.read_text("utf-8"))), "run `make interop`"


@pytest.mark.parametrize(
    ("path", "part"), PARTS, ids=[path.rpartition("/")[2] for path, _ in PARTS]
)
def test_a_part_is_from_a_program_that_ran(path: str, part: str) -> None:
    program = (PAGE.parent / path).read_text("utf-8")
    lines = [re.sub(r"  # (type|noqa): .*", "", line).strip() for line in program.splitlines()]
    wanted = [line.strip() for line in textwrap.dedent(part).splitlines()]
    assert any(lines[start : start + len(wanted)] == wanted for start in range(len(lines))), (
        f"{path} has no such lines"
    )


def test_the_matrix_has_no_failure_and_no_peer_that_is_gone() -> None:
    rows = json.loads(MATRIX.read_text("utf-8"))
    known = {(peer.directory.name, peer.name) for peer in peers.load()}
    assert {(row["language"], row["peer"]) for row in rows} == known
    assert [
        row["peer"] for row in rows for way in ("client", "server") if row[way].get("failed")
    ] == []
