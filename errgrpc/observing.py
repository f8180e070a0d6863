"""Watches the answers of all servers of this process, those that stand already and those that come: what `errgrpc.testing` is made of.

Without a lock: an observer may go while the garbage collector runs, in the middle of anything. Each step is one operation of a
dict; what is read is the newest state.
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
    """What hears of every answer. Neither method may raise: a server calls them."""

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> object:
        """Called as `on_answer` is, after it, with the traceback of what was raised."""

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> object:
        """Called for each server that declares what its methods raise; perhaps twice."""


class Observed(Protocol):
    """What answers, as far as observers are concerned."""

    @property
    def declared(self) -> Mapping[str, frozenset[ErrorCode]]:
        """What its methods declare that they raise."""
        ...

    def attend(self, observed: bool, /) -> object:
        """Called when observers come or go, with whether there are some."""


observers: dict[object, Observer] = {}
"""Those that there are now; read by `tuple(observers.values())`."""
_all: dict[int, "ref[Observed]"] = {}


def enlist(answering: Observed) -> None:
    """Makes a new server known to observers."""
    key = id(answering)
    # Before observers are read: one of the two sides sees the other. The reference that has died is the default of its own pop.
    _all[key] = ref(answering, partial(_all.pop, key))
    _tell(answering, tuple(observers.values()))


def _tell(answering: Observed, told: tuple[Observer, ...]) -> None:
    answering.attend(bool(observers))
    for observer in told if answering.declared else ():
        observer.declared(answering.declared)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Lets an observer hear of every answer, as long as the context lasts."""
    key = object()
    observers[key] = observer
    _tell_all((observer,))
    try:
        yield
    finally:
        observers.pop(key, None)
        _tell_all(())


def _tell_all(told: tuple[Observer, ...]) -> None:
    for known in tuple(_all.values()):
        if (answering := known()) is not None:
            _tell(answering, told)
