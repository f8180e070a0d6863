"""`errgrpc diff`: it reports the changes of `codegen.breaking`, in each form from each source."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from errgrpc.cli import tables
from errgrpc.codegen.breaking import CHANGES

pytestmark = pytest.mark.thinned(5)  # each case compiles protos

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/command-diff.md").read_text()
SHOP = """syntax = "proto3";
package shop.v1;
import "errgrpc/v1/annotations.proto";

enum ShopCode {
  option (errgrpc.v1.catalog) = {domain: "shop.example.com", default_locale: "en"};
  SHOP_CODE_UNSPECIFIED = 0;
  SHOP_CODE_GONE = 1 [(errgrpc.v1.code) = {
    grpc_status: NOT_FOUND message: "Gone" hints: {locale: "en", text: "It is gone"}
  }];
  SHOP_CODE_FULL = 2 [(errgrpc.v1.code) = {grpc_status: RESOURCE_EXHAUSTED, message: "Full"}];
}
"""
CHANGED = (
    SHOP.replace(
        "grpc_status: NOT_FOUND message", "grpc_status: FAILED_PRECONDITION retryable: true message"
    )
    .replace('"Gone"', '"Sold out"')
    .replace(
        "  SHOP_CODE_FULL = 2 [(errgrpc.v1.code) = {grpc_status: RESOURCE_EXHAUSTED, message: "
        '"Full"}];\n',
        "",
    )
)
TEXT = """breaking: shop.v1.ShopCode: GONE: grpc_status was NOT_FOUND, is FAILED_PRECONDITION \
[grpc-status-changed]
note: shop.v1.ShopCode: GONE: message was 'Gone', is 'Sold out' [message-changed]
caution: shop.v1.ShopCode: GONE: retryable was not said, is true [retryable-changed]
breaking: shop.v1.ShopCode: FULL: removed [code-removed]
caution: shop.v1.ShopCode: FULL: removed, but a later code may take 2 and "SHOP_CODE_FULL": \
declare `reserved` for each [removed-not-reserved]
2 breaking, 2 to look at, 1 to note
"""


def git(folder: Path, *arguments: str) -> None:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "init.defaultBranch=main",
    )
    subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | own,
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository whose table has changed since the last commit."""
    file = tmp_path / "protos/shop/v1/shop.proto"
    file.parent.mkdir(parents=True)
    file.write_text(SHOP)
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Add the shop")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/shop.proto").write_text(SHOP)
    (tmp_path / "old.binpb").write_bytes(tables.compiled(tmp_path / "old")[0].SerializeToString())
    git(tmp_path, "add", "old.binpb")
    git(tmp_path, "commit", "-m", "Release")
    file.write_text(CHANGED)
    return tmp_path


OLD = [
    "main:protos",
    "HEAD~1:protos/shop/v1/shop.proto",
    "main:old.binpb",
    "old",
    "old/shop.proto",
    "old.binpb",
]


def test_a_revision_has_files_that_archives_leave_out(shop: Path, run: Any) -> None:
    (shop / ".gitattributes").write_text("*.proto export-ignore")
    (shop / "protos/link.proto").symlink_to("shop/v1/shop.proto")
    git(shop, "add", ".")
    git(shop, "commit", "-m", "Release without protos")
    ran = run("diff", "main:protos", "protos/shop", cwd=shop)
    assert (ran.code, ran.out, ran.err) == (0, "no change\n", "")


@pytest.mark.parametrize("path", ["protos", "protos/shop/v1/shop.proto", "README.binpb"])
def test_a_broken_revision_is_named(path: str, shop: Path, run: Any) -> None:
    (shop / "protos/shop/v1/shop.proto").write_text("enum")
    (shop / "README.binpb").write_text("nothing")
    git(shop, "add", ".")
    git(shop, "commit", "-m", "Break it")
    ran = run("diff", f"main:{path}", "main:protos", cwd=shop)
    assert ran.code == 2
    assert f"main:{path} is no descriptor" in ran.err or f"protoc refuses main:{path}" in ran.err
    assert "tmp" not in ran.err


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize("new", ["protos", "protos/shop/v1/shop.proto"])
def test_each_kind_of_source(old: str, new: str, shop: Path, run: Any) -> None:
    ran = run("diff", old, new, cwd=shop)
    assert (ran.code, ran.out, ran.err) == (1, TEXT, "")
    ran = run("diff", old, old, cwd=shop)
    assert (ran.code, ran.out) == (0, "no change\n")


def test_a_revision_from_a_folder_of_the_repository(shop: Path, run: Any) -> None:
    assert run("diff", "main:", ".", cwd=shop / "protos").out == TEXT
    ran = run("diff", "main:../..", ".", cwd=shop / "protos")
    assert (ran.code, ran.err) == (2, "errgrpc: main:../.. is outside of the repository\n")


@pytest.mark.parametrize("fail_on", ["breaking", "caution", "note"])
@pytest.mark.parametrize("kept", ["breaking", "caution", "note", None])
def test_what_fails(fail_on: str, kept: str | None, shop: Path, run: Any) -> None:
    """The configuration allows all changes except for one severity."""
    order = ["note", "caution", "breaking"]
    allowed = [id_ for id_, severity in CHANGES.items() if severity != kept]
    ran = run(
        "diff",
        "main:protos",
        "protos",
        "--fail-on",
        fail_on,
        *(each for id_ in allowed for each in ("--allow", id_)),
        cwd=shop,
    )
    assert ran.code == int(kept is not None and order.index(kept) >= order.index(fail_on))
    assert ran.out.count("allowed ") == sum(
        1 for line in TEXT.splitlines() if "[" in line and not line.startswith(f"{kept}:")
    )


def in_form(form: str, out: str) -> list[tuple[str, str]]:
    """The id and the text of each change in an output."""
    if form == "json":
        return [(each["id"], f"{each['where']}: {each['what']}") for each in json.loads(out)]
    if form == "sarif":
        (sarif_run,) = json.loads(out)["runs"]
        assert {rule["id"] for rule in sarif_run["tool"]["driver"]["rules"]} == set(CHANGES)
        return [(each["ruleId"], each["message"]["text"]) for each in sarif_run["results"]]
    if form == "github":
        found = [
            re.fullmatch(
                r"::(?:error|warning|notice) file=[^,:]+,line=\d+,title=([a-z-]+)::(.*)", line
            )
            for line in out.splitlines()
        ]
        return [(match[1], match[2]) for match in found if match]
    if form == "markdown":
        rows = [
            re.fullmatch(
                r"\| `+ ?(.*?) ?`+ \| `+ ?(.*?) ?`+ \| `([a-z-]+)`(?: \(allowed\))? \|", line
            )
            for line in out.splitlines()
        ]
        return [(match[3], f"{match[1]}: {match[2]}") for match in rows if match]
    found = [
        re.fullmatch(r"(?:allowed )?(?:breaking|caution|note): (.*) \[([a-z-]+)\]", line)
        for line in out.splitlines()
    ]
    return [(match[2], match[1]) for match in found if match]


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "markdown"])
def test_each_form_says_the_same(form: str, shop: Path, run: Any) -> None:
    ran = run(
        "diff", "main:protos", "protos", "--format", form, "--allow", "code-removed", cwd=shop
    )
    assert ran.code == 1
    assert sorted(in_form(form, ran.out)) == sorted(in_form("text", TEXT))


def test_each_change_stands_at_a_line(shop: Path, run: Any) -> None:
    found = {
        each["id"]: each
        for each in json.loads(run("diff", "main:protos", "protos", "-f", "json", cwd=shop).out)
    }
    assert {each["file"] for each in found.values()} == {"protos/shop/v1/shop.proto"}
    assert (found["message-changed"]["line"], found["code-removed"]["line"]) == (8, 11)
    assert found["code-removed"]["allowed"] is False
    out = run("diff", "main:protos", "protos", "-f", "sarif", cwd=shop).out
    results = {each["ruleId"]: each for each in json.loads(out)["runs"][0]["results"]}
    assert results["message-changed"]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "protos/shop/v1/shop.proto"},
        "region": {"startLine": 8},
    }
    assert {each["level"] for each in results.values()} == {"error", "warning", "note"}


@pytest.mark.parametrize(
    "text",
    [
        r"\033[31mred",
        r"a\n::error::b",
        "|x|`y`",
        "<script>",
        "@team [a](http://b)",
        r"\342\200\256",
        "%0A::error::",
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "markdown"])
def test_no_text_of_a_table_breaks_out_of_a_form(
    form: str, text: str, shop: Path, run: Any
) -> None:
    (shop / "protos/shop/v1/shop.proto").write_text(SHOP.replace("It is gone", text))
    ran = run("diff", "main:protos", "protos", "-f", form, cwd=shop)
    assert ran.code == 0
    ((id_, said),) = in_form(form, ran.out)
    assert id_ == "hint-changed"
    assert said.startswith("shop.v1.ShopCode: GONE: hint for en was 'It is gone', is ")
    assert not {"\x1b", "\u202e", "\r"} & set(ran.out)
    assert sum(line.startswith("::") for line in ran.out.splitlines()) == (form == "github")


@pytest.mark.parametrize(
    ("old", "says"),
    [
        (
            "nothing",
            (
                "nothing does not exist: give a descriptor set, a .proto file, a folder of them, "
                "or REVISION:PATH"
            ),
        ),
        ("nothing:protos", "git: nothing is no revision"),
        ("--output=x:protos", "begins with `-`"),
        ("main:-x", "neither a revision nor a path may begin with `-`"),
        ("main:/etc", "main:/etc is outside of the repository"),
        ("old/other.txt", "is no descriptor set"),
    ],
)
def test_what_cannot_be_compared(old: str, says: str, shop: Path, run: Any) -> None:
    (shop / "old/other.txt").write_text("text")
    ran = run("diff", "--", old, "protos", cwd=shop)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize(
    ("path", "folder", "says"),
    [
        ("protos", ".", "main has no protos"),
        ("docs", ".", "main has no .proto file in docs"),
        ("", ".", "main has no .proto file in ."),
        ("released.binpb", ".", "main has no released.binpb"),
        (
            "protos",
            "docs",
            "main has no docs/protos (the path is relative to the working directory)",
        ),
    ],
)
def test_a_path_that_a_revision_lacks(
    path: str, folder: str, says: str, tmp_path: Path, run: Any
) -> None:
    """As the old one it is an empty table, as the new one it is a mistake."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text("A page\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Begin")
    (tmp_path / "shop.proto").write_text(SHOP)
    new = os.path.relpath(tmp_path / "shop.proto", tmp_path / folder)
    ran = run("diff", f"main:{path}", new, cwd=tmp_path / folder)
    assert (ran.code, ran.err) == (0, f"note: {says}. It counts as an empty table.\n")
    assert ran.out == (
        "note: shop.v1.ShopCode: added [catalogue-added]\n0 breaking, 0 to look at, 1 to note\n"
    )
    ran = run("diff", new, f"main:{path}")
    assert (ran.code, ran.out, ran.err) == (2, "", f"errgrpc: {says}\n")
    assert run("diff", f"mian:{path}", new).err == "errgrpc: git: mian is no revision\n"


def test_outside_of_a_repository(tmp_path: Path, run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    ran = run("diff", "main:protos", "main:protos", cwd=tmp_path)
    assert ran.code == 2
    assert "not a git repository" in ran.err
    monkeypatch.setenv("PATH", "")
    assert run("diff", "main:protos", "main:protos", cwd=tmp_path).err.endswith(
        "needs git, which is not installed\n"
    )


def test_an_unknown_id_is_refused(shop: Path, run: Any) -> None:
    ran = run("diff", "old", "protos", "--allow", "nothing", cwd=shop)
    assert ran.code == 2
    assert ran.err.startswith(
        "errgrpc: nothing is no id of a change: give one of catalogue-removed, "
    )


def test_a_link_in_a_revision_leads_nowhere(shop: Path, run: Any) -> None:
    (shop / "protos/away.proto").symlink_to("/etc/hostname")
    git(shop, "add", "protos/away.proto")
    git(shop, "commit", "-m", "Add a link")
    assert run("diff", "main:protos", "protos/shop/v1/shop.proto", cwd=shop).out == TEXT
    ran = run("diff", "main:protos/away.proto", "protos/shop/v1/shop.proto", cwd=shop)
    assert (ran.code, ran.err) == (2, "errgrpc: main:protos/away.proto has no .proto file\n")


# The page


def test_the_page_has_each_change() -> None:
    rows = dict(re.findall(r'^\| <a id="[a-z-]+"></a>`([a-z-]+)` \| (\w+) \| ', PAGE, re.MULTILINE))
    assert rows == dict(CHANGES)


RUN_BY_THE_PAGE = pytest.mark.parametrize(
    ("pattern", "environment"),
    [(r"- run: (errgrpc diff .*)", {"GITHUB_BASE_REF": "main"}), (r"entry: (errgrpc diff .*)", {})],
)


@RUN_BY_THE_PAGE
def test_what_the_page_lets_run_runs(pattern: str, environment: dict[str, str], shop: Path) -> None:
    """As the workflow on GitHub and the hook of pre-commit run it."""
    (command,) = re.findall(pattern, PAGE)
    git(shop, "update-ref", "refs/remotes/origin/main", "main")
    ran = as_a_shell(command, environment, shop)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert sorted(in_form("github" if "github" in command else "text", ran.stdout)) == sorted(
        in_form("text", TEXT)
    )
    (shop / "protos/shop/v1/shop.proto").write_text(SHOP)
    assert as_a_shell(command, environment, shop).returncode == 0


def as_a_shell(
    command: str, environment: dict[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    own = os.environ | environment | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    script = command.replace("errgrpc", f"{shlex.quote(sys.executable)} -m errgrpc", 1)
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=own, capture_output=True, text=True, check=False
    )


@RUN_BY_THE_PAGE
def test_the_pull_request_that_adds_the_table_passes(
    pattern: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (command,) = re.findall(pattern, PAGE)
    (tmp_path / "README.md").write_text("The shop\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Begin")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "main")
    (tmp_path / "protos/shop/v1").mkdir(parents=True)
    (tmp_path / "protos/shop/v1/shop.proto").write_text(SHOP)
    ran = as_a_shell(command, environment, tmp_path)
    assert (ran.returncode, ran.stderr.count("\n")) == (0, 1)
    assert "has no protos. It counts as an empty table." in ran.stderr
    assert "catalogue-added" in ran.stdout
