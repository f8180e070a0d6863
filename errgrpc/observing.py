"""Watches the answers of all servers of this process, those that stand already and those that come: what `errgrpc.testing` is made of."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakSet

from errgrpc.codes import ErrorCode
from errgrpc.reports import Answered

__all__ = ["Observed", "Observer", "enlist", "observers", "observing"]


class Observer(Protocol):
    """What hears of every answer. Neither method may raise: a server calls them."""

    def answered(self, answered: Answered, /) -> object:
        """Called as `on_answer` is, after it."""

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> object:
        """Called for each server that declares what its methods raise."""


class Observed(Protocol):
    """What answers, as far as observers are concerned."""

    @property
    def declared(self) -> Mapping[str, frozenset[ErrorCode]]:
        """What its methods declare that they raise."""
        ...

    def attend(self, observed: bool, /) -> object:
        """Called when observers come or go, with whether there are some."""


observers: tuple[Observer, ...] = ()
_all: WeakSet[Observed] = WeakSet()
_lock = threading.Lock()


def enlist(answering: Observed) -> None:
    """Makes a new server known to observers."""
    with _lock:
        _all.add(answering)
        _tell(answering, observers)


def _tell(answering: Observed, told: tuple[Observer, ...]) -> None:
    answering.attend(bool(observers))
    for observer in told if answering.declared else ():
        observer.declared(answering.declared)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Lets an observer hear of every answer, as long as the context lasts."""
    _replace((), (observer,))
    try:
        yield
    finally:
        _replace((observer,), ())


def _replace(gone: tuple[Observer, ...], come: tuple[Observer, ...]) -> None:
    global observers  # noqa: PLW0603  servers read it without a lock, hence it is replaced and never changed
    with _lock:
        observers = (*(each for each in observers if each not in gone), *come)
        for answering in _all:
            _tell(answering, come)
