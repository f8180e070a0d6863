"""Watches the answers of all servers of this process, old and new. `errgrpc.testing` uses it.

There are no locks: an observer may leave while the garbage collector runs, in the middle of any
other step. Each step is one operation of a dict. What is read is the newest state.

The state is read by `list`. In CPython 3.11, `tuple` may run the garbage collector between two
values, and an observer or a server that leaves then changes the dict: that is a RuntimeError.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Protocol
from weakref import ref

from errgrpc.codes import ErrorCode
from errgrpc.reports import Answered

__all__ = ["Observed", "Observer", "enlist", "observers", "observing"]


class Observer(Protocol):
    """Hears of every answer. Its methods must not raise, because a server calls them."""

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> object:
        """Called after `on_answer`, with the traceback of what was raised."""

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> object:
        """Called for each server that declares codes, perhaps twice."""


class Observed(Protocol):
    """A server, as observers need it."""

    @property
    def declared(self) -> Mapping[str, frozenset[ErrorCode]]:
        """The codes that each method declares."""
        ...

    def attend(self, observed: bool, /) -> object:
        """Called when observers come or go. `observed` tells whether there are any."""


observers: dict[object, Observer] = {}
"""The current observers. Read them with `list(observers.values())`."""
_all: dict[int, "ref[Observed]"] = {}


def enlist(answering: Observed) -> None:
    """Makes a new server known to observers."""
    key = id(answering)
    # The server is added before the observers are read, so that a new server and a new observer
    # never miss each other. A dead reference removes itself: `pop` gets it as its default.
    _all[key] = ref(answering, partial(_all.pop, key))
    _tell(answering, list(observers.values()))


def _tell(answering: Observed, told: list[Observer]) -> None:
    answering.attend(bool(observers))
    for observer in told if answering.declared else ():
        observer.declared(answering.declared)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Lets an observer hear of every answer while the context lasts."""
    key = object()
    observers[key] = observer
    _tell_all([observer])
    try:
        yield
    finally:
        observers.pop(key, None)
        _tell_all([])


def _tell_all(told: list[Observer]) -> None:
    for known in list(_all.values()):
        if (answering := known()) is not None:
            _tell(answering, told)
