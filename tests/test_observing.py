"""Servers and observers that leave at any time."""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from errgrpc import ResCode, observing
from errgrpc.answering import Answering, Rpc
from errgrpc.service_error import ServiceError
from errgrpc.testing.recording import Recorder


def answer() -> None:
    error = ServiceError(ResCode.CONFLICT)
    Answering(ResCode).answer(error, Rpc("/test.Service/unary_unary", ()))


@pytest.mark.parametrize("act", [lambda: observing._tell_all([]), answer], ids=["all", "answer"])
@pytest.mark.parametrize("leaves", ["servers", "observers"])
def test_what_leaves_while_the_garbage_collector_runs(leaves: str, act: Callable[[], Any]) -> None:
    """The garbage collector may run at each allocation of an act, in turn."""
    before = gc.get_threshold()
    with ExitStack() as stack:
        for _ in range(30):  # CPython keeps small tuples, and allocates those of 20 and more
            stack.enter_context(observing.observing(Recorder()))
        servers = [Answering(ResCode) for _ in range(30)]
        try:
            for allocations in range(60):
                gc.disable()
                garbage: list[Any] = [
                    Answering(ResCode) if leaves == "servers" else observing.observing(Recorder())
                    for _ in range(3)
                ]
                if leaves == "observers":
                    for each in garbage:
                        each.__enter__()
                garbage.append(garbage)
                del garbage
                gc.set_threshold(gc.get_count()[0] + allocations)
                gc.enable()
                act()
        finally:
            gc.enable()
            gc.set_threshold(*before)
        assert servers
