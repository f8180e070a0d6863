"""grpcurl with `-format-error`, which prints an error's google.rpc.Status as JSON on stderr."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conformance.service import DEADLINE, SERVICE, Call, Said, call_lines

HERE = Path(__file__).parent
PROTOS = [
    "-import-path",
    HERE.parent / "v1",
    "-import-path",
    HERE.parents[1] / "third_party",
    "-proto",
    "conformance.proto",
]


def read(printed: str) -> Said:
    """Reads an error as the author of a script does, for instance with `jq`."""
    status = json.loads(printed)
    said: Said = {"status": status["code"], "message": status.get("message", ""), "details": []}
    for detail in status.get("details", ()):
        kind = detail["@type"].rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo" and "reason" not in said:
            said |= {
                "reason": detail.get("reason", ""),
                "domain": detail.get("domain", ""),
                "metadata": detail.get("metadata", {}),
            }
        elif kind == "google.rpc.LocalizedMessage":
            said |= {"locale": detail.get("locale", ""), "hint": detail.get("message", "")}
        else:
            said["details"].append(detail)
    return said


def client(target: str) -> None:
    """Makes the calls of the runner."""

    def make(call: Call) -> Said:
        headers = [
            word for key, value in call["metadata"].items() for word in ("-H", f"{key}: {value}")
        ]
        asked = json.dumps({"vector": call["vector"], "messages": call["messages"]})
        options: Any = [
            "-plaintext",
            "-format-error",
            "-max-time",
            str(DEADLINE),
            *PROTOS,
            *headers,
            "-d",
            asked,
        ]
        command = [HERE / "build" / "grpcurl", *options, target, f"{SERVICE}/{call['method']}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE + 5, check=False
        )
        try:
            return {"messages": done.stdout.count('"index"'), **read(done.stderr)}
        except ValueError:
            return {"failed": done.stderr or f"it gave {done.returncode} and printed no error"}

    call_lines(make)


if __name__ == "__main__":
    client(sys.argv[1])
