"""What one tool shows of calls to a guarded server, as JSON: `python -m observed TOOL`.

Each tool has its own process, as some hook into all loaded modules. Each call has its own server,
so that all is finished when the tool is asked.
"""

import importlib
import itertools
import json
import logging
import sys
from typing import Any

import grpc
import harness

import errgrpc
from errgrpc import ResCode, ServiceError

OUTCOMES = ("coded", "unhandled", "aborted", "success")


def coded(_: Any) -> None:
    raise ServiceError(ResCode.ROOM_NOT_EXIST)


def unhandled(_: Any) -> None:
    raise LookupError("text")


def aborted(context: Any) -> Any:
    return context.abort(grpc.StatusCode.ABORTED, "as I say")


def success(_: Any) -> None: ...


def observe(tool: Any, place: str, style: str, kind: str, outcome: str) -> dict[str, str]:
    ours = (errgrpc if style == "sync" else errgrpc.aio).ServerInterceptor(
        ResCode, on_answer=tool.on_answer
    )
    its = tool.interceptors(style)
    interceptors = {"before": [*its, ours], "behind": [ours, *its], "none": [ours], "alone": its}[
        place
    ]
    tool.clear()
    with (
        harness.action(globals()[outcome], after=1) as request,
        harness.serve(style, interceptors) as target,
    ):
        answer = harness.call("sync", target, kind, request)
    got = f"{answer.code and answer.code.name} {answer.error and answer.error.reason}"
    return {
        "place": place,
        "style": style,
        "kind": kind,
        "outcome": outcome,
        "answer": got,
        "shown": tool.shown(),
    }


def main(name: str) -> None:
    logging.getLogger("errgrpc").addHandler(logging.NullHandler())
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    tool = importlib.import_module(f"observed.{name}").Tool()
    guarded = itertools.product(tool.places, harness.STYLES, harness.KINDS, OUTCOMES)
    bare = itertools.product(["alone"], harness.STYLES, harness.KINDS, ["success"])
    print(json.dumps([observe(tool, *cell) for cell in itertools.chain(guarded, bare)]))


if __name__ == "__main__":
    main(sys.argv[1])
