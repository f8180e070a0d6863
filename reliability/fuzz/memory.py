"""Tests whether many different values of peers fill the memory.

`python -m reliability.fuzz.memory --values 1000000` gives each subject values that are all
different. It compares the resident memory, and for a smaller number the memory that Python holds.
"""

import argparse
import gc
import itertools
import json
import logging
import re
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

import errgrpc
from errgrpc.answering import Answering, Rpc
from errgrpc.reading import Reading
from errgrpc.wire.received import Received

from . import targets

__all__ = ["MOST", "SUBJECTS", "WARM", "growth"]

MOST = 50
"""Bytes that may be held for each value after all caches are full.

A key that is kept takes more.
"""
WARM = 4_096
"""Values that fill every cache. After a multiple of it, the caches are equally full.
"""

Subject = Callable[[int], object]
_ANSWERING = Answering(errgrpc.ResCode, on_error=lambda *_, **__: None)
_READING = Reading(targets.CATALOGUES)


def _languages(number: int) -> object:
    return errgrpc.encode(
        errgrpc.ServiceError(errgrpc.ResCode.NOT_FOUND),
        f"x{number % 9}-{number:x}, zh-{number};q=0.{number % 10}",
    )


def _metadata(number: int) -> object:
    """The metadata of a request: its id, its languages and unknown names."""
    sent = (
        ("x-request-id", f"id-{number}"),
        ("accept-language", f"a-{number:x}"),
        (f"x-{number}", f"{number}"),
    )
    return _ANSWERING.answer(
        KeyError(number),
        Rpc(f"/test.Service/{number}", sent, ((f"t-{number}", "x"),), None, "", aborted=False),
    )


class _Interceptor(errgrpc.ServerInterceptor):
    def method(self, number: int) -> object:
        """A generic handler that answers each name that a client invents."""
        handler: Any = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
        details = SimpleNamespace(method=f"/test.Service/{number}", invocation_metadata=())
        return self.intercept_service(lambda _: handler, details)


def _details(number: int) -> object:
    """The details of an error: unknown reasons, domains, numbers, types and texts."""
    status = status_pb2.Status(code=5, message=f"message {number}")
    known = errgrpc.ResCode.domain if number % 2 else f"domain-{number}.example.com"
    info = rpc.ErrorInfo(
        reason=f"REASON_{number}",
        domain=known,
        metadata={"code": str(number), f"key-{number}": str(number)},
    )
    status.details.add().Pack(info)
    status.details.add(type_url=f"x/type.Of{number}", value=b"%d" % number)
    status.details.add().Pack(rpc.LocalizedMessage(locale=f"a-{number}", message=str(number)))
    status.details.add().Pack(rpc.RequestInfo(request_id=str(number)))
    raw = status.SerializeToString()
    error = _READING.read(
        targets.Failed(grpc.StatusCode.NOT_FOUND, f"text {number}", [raw]), f"b-{number}"
    )
    return (
        error.hint,
        error.metadata,
        error.status_details,
        error.request_id,
        str(error),
        Received([raw]).number,
    )


SUBJECTS: dict[str, Subject] = {
    "accept-language": _languages,
    "metadata of a request": _metadata,
    "names of methods": _Interceptor(errgrpc.ResCode).method,
    "details of an error": _details,
}


def growth(subject: Subject, values: Iterator[int], count: int) -> int:
    """Returns how many bytes more Python holds after `count` values, once the caches are full."""
    gc.collect()
    tracemalloc.start()
    try:
        held = []
        for _ in range(2):
            for value in itertools.islice(values, count):
                subject(value)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return held[1] - held[0]


def _resident() -> int:
    """Returns the resident memory of this process in bytes, or 0 without /proc."""
    path = Path("/proc/self/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", path.read_text("ascii")) if path.exists() else None
    return int(found[1]) * 1_024 if found else 0


def main() -> int:
    """Measures each subject and prints the growth."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=1_000_000)
    options = parser.parse_args()
    logging.disable()
    failed = False
    numbers = itertools.count()
    for name, subject in SUBJECTS.items():
        for number in itertools.islice(numbers, 4 * WARM):
            subject(number)
        resident = _resident()
        for part in range(10):
            for number in itertools.islice(numbers, options.values // 10):
                subject(number)
            print(
                f"{name}: {(part + 1) * options.values // 10:,} of {options.values:,}",
                file=sys.stderr,
                flush=True,
            )
        more = _resident() - resident
        held = growth(subject, numbers, WARM)
        grows = held > MOST * WARM or more > max(MOST * options.values // 2, 8_000_000)
        failed |= grows
        result: dict[str, Any] = {"subject": name, "values": options.values, "resident_bytes": more}
        print(
            json.dumps({**result, "held_bytes_per_value": round(held / WARM, 2), "grows": grows}),
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
