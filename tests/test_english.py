"""Documents, docstrings and comments have no sentence that must be read twice."""

from collections.abc import Iterator
from pathlib import Path

import english
import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "bench", "conformance", "docs", "errgrpc", "examples", "protos",
    "reliability", "tests", "website",
)  # fmt: skip
FOREIGN = ("node_modules", "target", "third_party", "corpus", "data", "golden", "bufplugin")
"""Folders whose text is not ours, or is an example of what a tool must accept."""


def files() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    yield from ROOT.glob("*.py")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            generated = "_pb2" in path.name or path.name.endswith("_errgrpc.py")
            fixture = path.name in ("good.proto", "bad.proto")
            if path.suffix not in (".md", ".py", ".proto") or generated or fixture:
                continue
            if not set(path.relative_to(ROOT).parts[:-1]) & {*FOREIGN, "types"}:
                yield path


FILES = sorted(path.relative_to(ROOT) for path in files() if path.name != "README.zh-CN.md")


def test_there_are_files_of_each_kind() -> None:
    assert {path.suffix for path in FILES} == {".md", ".py", ".proto"}
    assert {path.parts[0] for path in FILES if len(path.parts) > 1} == {*FOLDERS}


@pytest.mark.parametrize("part", [".", *FOLDERS])
def test_no_sentence_must_be_read_twice(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    own = [
        path for path in FILES if path.parts[0] == part or (part == "." and not path.parent.name)
    ]
    assert own
    assert [found for path in own for found in english.findings(path)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Who asks gets it.", "'Who' in"),
        ("What is none is a TypeError.", "'is none' in"),
        ("It is None.", ""),
        ("word " * 25 + "end.", "26 words"),
        ("word " * 12 + "end. " + "Word " * 12 + "end.", ""),
        ("`a b c d` " * 24 + "end.", ""),
        ("```\n" + "word " * 40 + "\n```", ""),
        ("- " + "word " * 12 + "\n- " + "word " * 20, ""),
        ("| a |\n|---|\n| " + "word " * 26 + "|", "26 words"),
    ],
)
def test_markdown(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(text)
    told = list(english.findings(path))
    assert len(told) == bool(found)
    assert found in "".join(told)


def test_python_and_protos(tmp_path: Path) -> None:
    path, long = tmp_path / "a.py", "word " * 26
    path.write_text(
        f'"""Fine.\n\nArgs:\n    a: {long}\n"""\nx = 1  # nobody\n# {long}\ny = "who"\n'
    )
    assert [found.split(":")[1] for found in english.findings(path)] == ["4", "6", "7"]
    path = tmp_path / "a.proto"
    path.write_text(f"// {long}\n//\n// Who.\nmessage Who {{}}\n")
    assert [found.split(":")[1] for found in english.findings(path)] == ["1", "3"]
