"""What a raised exception holds: the members of a group, its causes, its traceback."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

__all__ = ["causes", "forget_earlier", "leaves"]

_traceback_of = BaseException.__dict__["__traceback__"].__get__  # whatever a subclass makes of it


def forget_earlier(error: BaseException) -> None:
    """Cuts what earlier requests left in the traceback of an instance that is raised again and again.

    Each raise adds to it (a module's constant, a future that many wait for): it would keep the locals of all requests, and
    the log of one would show the others.
    """
    first: TracebackType | None = _traceback_of(error)
    entry = first
    while first is not None and entry is not None and (following := entry.tb_next) is not None:
        if following.tb_frame.f_code is first.tb_frame.f_code:  # where an earlier one was caught, as this one is
            entry.tb_next = None
        entry = following


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group in their order, or the exception itself."""
    todo = [error]  # no recursion: groups may be nested deeper than the stack is
    while todo:
        current = todo.pop()
        if issubclass(type(current), BaseExceptionGroup):
            todo += reversed(_members(current))
        else:
            yield current


def _members(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if issubclass(type(error), BaseExceptionGroup) else ()  # type: ignore[attr-defined]


def causes(error: BaseException) -> Iterator[Any]:
    """The error and what led to it, each once."""
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += (led for led in (*reversed(_members(current)), current.__context__, current.__cause__) if led is not None)
