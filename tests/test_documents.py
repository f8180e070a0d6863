"""The examples of the documents run as they are, in order."""

import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina.instrumentation
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser
from sybil.typing import Evaluator

import errgrpc
from errgrpc.failed_call import FailedCall

ROOT = Path(__file__).parent.parent
PARTS = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A comment with its own line takes its line break along. The space after the mark excludes URLs.
COMMENT = re.compile(r"^[ ]*(?:#|//) .*\n|[ ]+(?:#|//) .*$", re.MULTILINE)


def _python(example: Example) -> None:
    printed = example.namespace["printed"]
    with contextlib.redirect_stdout(printed):
        exec(compile(example.parsed, f"{example.path}:{example.line}", "exec"), example.namespace)  # noqa: S102  runs the examples


def _text(example: Example) -> None:
    """Compares the output of the block before."""
    printed = example.namespace["printed"]
    assert printed.getvalue() == example.parsed
    printed.truncate(0)
    printed.seek(0)


def _proto(example: Example) -> None:
    """Writes a file whose name is in its first line."""
    path = Path(example.parsed.splitlines()[0].removeprefix("// "))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed)


def _yaml(example: Example) -> None:
    """Reads a file whose name is in its first line, in an environment of any Python version."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    Path(example.parsed.splitlines()[0].removeprefix("# ")).write_text(
        re.sub(r"python3\.\d+", version, example.parsed)
    )


def _sh(example: Example) -> None:
    if "git archive" in example.parsed:
        git = "git -c user.name=tests -c user.email=tests@example.com"
        example.namespace["run"](
            "bash",
            "-euc",
            f"git init -q -b main . && git add protos && {git} commit -q -m protos && git remote "
            "add origin file://$PWD",
        )
    example.namespace["run"]("bash", "-euc", example.parsed)


EVALUATORS: dict[str, Evaluator] = {
    "python": _python,
    "text": _text,
    "proto": _proto,
    "sh": _sh,
    "yaml": _yaml,
}


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # where structlog is installed, stamina prints each retry
    stamina.instrumentation.set_on_retry_hooks([])
    yield tmp_path
    stamina.instrumentation.set_on_retry_hooks(None)
    for name in [
        name
        for name in sys.modules
        if name.split(".")[0] in {"buf", "cinema", "library", "shop", "theatre"}
    ]:
        del sys.modules[name]


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README.zh-CN.md",
        "docs/adopt.md",
        "docs/current-call.md",
        "docs/http.md",
        "docs/observability.md",
        "docs/protobuf.md",
        "docs/raises.md",
        "docs/retries.md",
        "docs/testing.md",
        "docs/validation.md",
        "docs/wire.md",
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_the_examples_run(name: str, fresh_with_protoc: Any) -> None:
    parsers = [
        CodeBlockParser(language=language, evaluator=evaluator)
        for language, evaluator in EVALUATORS.items()
    ]
    document = Document.parse(str(ROOT / name), *parsers)
    document.namespace.update(printed=io.StringIO(), run=fresh_with_protoc.run)
    Path(".venv").symlink_to(fresh_with_protoc.folder)
    ran = 0
    try:
        for example in document.examples():
            example.evaluate()
            ran += 1
    finally:
        _close(document.namespace)
    # Parts in other languages were run by hand, as their pages say.
    assert ran == sum(
        language in EVALUATORS for language, _ in PARTS.findall((ROOT / name).read_text())
    )
    assert document.namespace["printed"].getvalue() == "", (
        "something was printed that the page does not show"
    )


def _close(namespace: dict[str, Any]) -> None:
    if "channel" in namespace:
        namespace["channel"].close()
    if "server" in namespace:
        namespace["server"].stop(None).wait()


def test_both_readmes_show_the_same_code() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert _code(english) == _code(chinese)
    assert english.count("\n## ") == chinese.count("\n## ")


def _code(page: str) -> list[tuple[str, str]]:
    """The blocks of a page without their comments, which each README has in its own language."""
    parts = PARTS.findall(page)
    comments = [each.strip(" #/\n") for _, text in parts for each in COMMENT.findall(text)]
    # a text block shows the description of a code, which is a comment
    shown = re.compile("|".join(map(re.escape, comments)))
    return [
        (language, (shown if language == "text" else COMMENT).sub("", text))
        for language, text in parts
    ]


def test_the_order_of_interceptors_is_as_its_page_says() -> None:
    """Runs in its own process, as Sentry hooks into all loaded modules."""
    parts = PARTS.findall((ROOT / "docs/interceptors.md").read_text())
    program = "\n".join(text for language, text in parts if language == "python")
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "".join(text for language, text in parts if language == "text")


def test_the_page_lists_every_attribute_of_an_error() -> None:
    page = (ROOT / "docs/errors.md").read_text()
    sections = dict(
        re.findall(r"^## (A member|\w+)[^\n]*\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    )
    for kind, hidden in ((errgrpc.ServiceError, Exception), (errgrpc.RemoteError, FailedCall)):
        names = (
            {name for name in dir(kind) if not name.startswith("_")}
            - set(dir(Exception))
            - set(vars(hidden))
        )
        assert listed(sections[kind.__name__]) == names
    code = errgrpc.ResCode.CONFLICT
    known = {
        name
        for name in (*vars(errgrpc.ErrorCode), *vars(code), *errgrpc.ErrorCode.__annotations__)
        if not name.startswith("_")
    }
    assert listed(sections["A member"]) == known


def listed(rows: str) -> set[str]:
    cells = re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)[^`]*`", cell)}
