"""Measures each subcommand of `errgrpc` on a table of 10,000 codes, each time in a new process.

python -m bench.commands           # about two minutes
python -m bench.commands --quick   # 100 codes, once, to see that all run

The table is a .proto with two hints for each code. The full run writes
docs/performance-commands.json and its table in docs/performance-tables.md.
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from bench.results import machine
from errgrpc.cli.importing import protos
from errgrpc.codegen.schema import Catalog, Code, Field, Hint

__all__ = ["COMMANDS", "PAGE", "RESULTS", "measure", "with_table", "write"]

PAGE = Path(__file__).parents[1] / "docs" / "performance-tables.md"
RESULTS = PAGE.with_name("performance-commands.json")
SIZE = 10_000  # codes
COMMANDS: Mapping[str, str] = {
    "list": "list -c new.proto --format json",
    "explain": "explain -c new.proto ROOM_{last}",
    "decode": "decode -c new.proto {trailer}",
    "lint": "lint new.proto",
    "lint --format sarif": "lint new.proto --format sarif",
    "diff": "diff old.proto new.proto",
    "docs, HTML": "docs -c new.proto",
    "docs, Markdown": "docs -c new.proto --format markdown",
    "export json": "export json -c new.proto",
    "export csv": "export csv -c new.proto",
    "export android": "export android -c new.proto --locale en-US",
    "export strings": "export strings -c new.proto --locale en-US",
    "export xcstrings": "export xcstrings -c new.proto",
    "export i18next": "export i18next -c new.proto --locale en-US",
    "export po": "export po -c new.proto --locale de",
    "export properties": "export properties -c new.proto --locale en-US",
    "import csv": "import codes.csv --package bench.v1 --enum BenchCode",
    "import po": "import de.po -c new.proto",
}
"""The arguments of each command, by its name in the table."""
FINE = {"lint": (0, 1), "lint --format sarif": (0, 1), "diff": (0, 1)}
"""The exit codes that are no failure, if not only 0."""


def _code(number: int, changed: bool) -> Code:
    reason = f"ROOM_{number}"
    text = f"room {number} has {{limit}} seats" + (" left" if changed and not number % 10 else "")
    return Code(
        name=f"BENCH_CODE_{reason}",
        reason=reason,
        number=number,
        line=0,
        description=f"Room {number} was asked for more seats than it has.",
        annotated=True,
        grpc_status=8,
        http_status=429,
        message=f"Room {number} has only {{limit}} seats",
        hints=(Hint("en-US", f"The {text}", ()), Hint("zh-CN", f"房间 {text}", ())),
        metadata_fields=(Field("limit", "The number of seats", "30", False, 0),),
    )


def write(folder: Path, size: int) -> None:
    """Writes the tables that the commands read, and prepares what `import` reads."""
    zero = Code("BENCH_CODE_UNSPECIFIED", "UNSPECIFIED", 0, 0, "", False, None, None, "", ())
    for name, changed in (("old", False), ("new", True)):
        catalog = Catalog(
            file=f"{name}.proto",
            package="bench.v1",
            name="BenchCode",
            line=0,
            description="",
            annotated=True,
            domain="bench.example.com",
            default_locale="en-US",
            fallback="",
            infer=(),
            values=(zero, *(_code(number, changed) for number in range(1, size + 1))),
            prefix="BENCH_CODE_",
        )
        (folder / f"{name}.proto").write_text(protos.render(catalog), "utf-8")
    _run(folder, ["export", "csv", "-c", "new.proto", "-o", "codes.csv"])
    _run(folder, ["export", "po", "-c", "new.proto", "--locale", "de", "-o", "de.po"])
    po = (folder / "de.po").read_text("utf-8")
    translated = re.sub(r'msgid "The (.*)"\nmsgstr ""', r'msgid "The \1"\nmsgstr "Der \1"', po)
    (folder / "de.po").write_text(translated, "utf-8")


def _trailer(number: int) -> str:
    """Returns the trailer of an error with this number, as a log has it."""
    info = AnyMessage()
    info.Pack(ErrorInfo(reason=f"ROOM_{number}", domain="bench.example.com"))
    status = Status(code=8, message="Full", details=[info])
    return base64.b64encode(status.SerializeToString()).decode()


def _run(folder: Path, arguments: list[str]) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "errgrpc", *arguments]
    env = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)


def measure(size: int, times: int) -> dict[str, Any]:
    """Returns the median of the seconds of each command, and the bytes that it prints."""
    found = dict[str, Any]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, size)
        trailer = _trailer(size)
        for command, line in COMMANDS.items():
            seconds, printed = list[float](), b""
            for _ in range(times):
                start = time.perf_counter()
                ran = _run(folder, line.format(last=size, trailer=trailer).split())
                seconds.append(time.perf_counter() - start)
                if ran.returncode not in FINE.get(command, (0,)):
                    raise RuntimeError(
                        f"errgrpc {line} ended with {ran.returncode}: {ran.stderr!r}"
                    )
                printed = ran.stdout
            found[command] = {"seconds": round(median(seconds), 2), "bytes": len(printed)}
            print(f"{command}: {found[command]['seconds']:.2f} s", file=sys.stderr)
    return found


def with_table(page: str, results: Mapping[str, Any]) -> str:
    """Returns the page with the table of these results."""
    rows = [("command", "seconds", "MB printed"), ("---", "---:", "---:")]
    rows += (
        (f"`errgrpc {name}`", f"{row['seconds']:.1f}", f"{row['bytes'] / 1e6:.1f}")
        for name, row in results["commands"].items()
    )
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    facts = results["machine"]
    said = (
        f"{results['codes']:,} codes, Python {facts['versions']['Python']}, "
        f"{facts['cores']} cores: the median of {results['times']} new processes."
    )
    return re.sub(
        r"(?s)(<!-- commands -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{said}\n\n{table}\n\n{found[2]}",
        page,
    )


def main() -> None:
    """Measures every command and writes the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.commands",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="100 codes, once; nothing is written")
    quick = parser.parse_args().quick
    size, times = (100, 1) if quick else (SIZE, 3)
    results = {
        "codes": size,
        "times": times,
        "machine": machine(),
        "commands": measure(size, times),
    }
    if not quick:
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        RESULTS.write_text(text, "utf-8")
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
