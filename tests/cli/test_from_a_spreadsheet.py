"""docs/from-a-spreadsheet.md works without a change, with a sheet of 300 codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "from-a-spreadsheet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python|text|yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in re.findall(r"^\| (?:错误码|\d{5}) .*$", PAGE, re.MULTILINE)
]


def sheet(path: Path) -> None:
    """Writes the page's rows and 297 more, with gaps and repeated texts."""
    book = openpyxl.Workbook()
    page = book.active
    for row in ROWS:
        page.append([int(cell) if cell.isdecimal() else cell for cell in row])
    for number in range(10004, 10301):
        http = (400, 403, 404, 409, 422, 503, None)[number % 7]
        english = "Please try again later" if number % 3 else None
        case = f"场景 {number}" if number % 2 else None
        message = f"Step {number} failed"
        page.append(
            [number, f"stepFailed{number}X", http, message, f"步骤 {number} 失败", english, case]
        )
    book.save(path)


def shell(command: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {"PATH": path, "NO_COLOR": "1", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env={**os.environ, **known, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.full
def test_the_page(tmp_path: Path) -> None:
    assert [len(row) for row in ROWS] == [7] * 4
    sheet(tmp_path / "codes.xlsx")
    printed = ""
    workflow = list[str]()
    for kind, block in BLOCKS:
        match kind:
            case "sh":
                ran = shell(block, tmp_path)
                assert ran.returncode == 0, ran.stderr
            case "python":
                (tmp_path / "cart.py").write_text(block)
                ran = shell("python cart.py", tmp_path)
                assert ran.returncode == 0, ran.stderr
                printed = ran.stdout
            case "text":
                assert printed == block
            case "yaml":
                workflow = re.findall(r"- run: (errgrpc .*)", block)
    table = tmp_path / "protos/shop/v1/shop_code.proto"
    assert table.read_text().count("(errgrpc.v1.code)") == 300
    assert (tmp_path / "values-zh-rCN/errors.xml").read_text().count("<string ") == 300
    assert (tmp_path / "errors.html").stat().st_size > 100_000

    # The pull request that adds the table passes, and so does one that adds a good code.
    git = "git -c user.name=x -c user.email=x@example.com"
    onto_main = "git update-ref refs/remotes/origin/main HEAD"
    start = f"git init -q -b main . && {git} commit -q --allow-empty -m first && {onto_main}"
    assert shell(start, tmp_path).returncode == 0

    def check() -> list[int]:
        return [shell(line, tmp_path, GITHUB_BASE_REF="main").returncode for line in workflow]

    assert check() == [0, 0]
    commit = f"git add -A && {git} commit -q -m table && {onto_main}"
    assert shell(commit, tmp_path).returncode == 0
    text = table.read_text()
    before = text.removesuffix("}\n")
    (code,) = re.findall(r"^```proto\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    table.write_text(f"{before}\n{code}}}\n")
    assert check() == [0, 0]
    bare = code.partition("\n")[2]
    # A new code without a description is found, and so is a changed status.
    table.write_text(f"{before}\n{bare}}}\n")
    assert check() == [1, 0]
    table.write_text(text.replace("grpc_status: NOT_FOUND", "grpc_status: INTERNAL", 1))
    assert check()[1] == 1
