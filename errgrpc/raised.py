"""What a raised exception holds: the members of a group, its causes, the traceback of this raise.

Exceptions are foreign: their class may override any attribute with code that raises. Here attributes are read and set
by BaseException's own descriptors, which run no code of the class.
"""

from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any, TypeVar

__all__ = ["catcher", "causes", "forget_earlier", "leaves", "link", "traceback_of"]

F = TypeVar("F", bound=Callable[..., Any])

traceback_of: Callable[[BaseException], TracebackType | None] = BaseException.__dict__["__traceback__"].__get__
_context_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__context__"].__get__
_set_context: Callable[[BaseException, BaseException], None] = BaseException.__dict__["__context__"].__set__
_cause_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__cause__"].__get__
_members_of: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__

_CATCHERS = set[CodeType]()


def catcher(function: F) -> F:
    """Marks a function of ours that catches what a handler raises: with it the traceback of each raise begins."""
    _CATCHERS.add(function.__code__)
    return function


def forget_earlier(error: BaseException) -> None:
    """Cuts what earlier requests left in the traceback of an instance that is raised again and again.

    Each raise adds to it (a module's constant, a future that many wait for): it would keep the locals of all requests, and
    the log of one would show the others.
    """
    entry = traceback_of(error)
    while entry is not None and (following := entry.tb_next) is not None:
        if following.tb_frame.f_code in _CATCHERS:
            entry.tb_next = None
        entry = following


def link(failure: BaseException, error: BaseException) -> None:
    """Makes `error` the context of a failure that came while it was handled, so that the log shows both."""
    if failure is not error and _context_of(failure) is None:
        _set_context(failure, error)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group in their order, or the exception itself."""
    todo = [error]  # no recursion: groups may be nested deeper than the stack is
    while todo:
        current = todo.pop()
        if issubclass(type(current), BaseExceptionGroup):
            todo += reversed(_members_of(current))
        else:
            yield current


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, each once."""
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            members = _members_of(current) if issubclass(type(current), BaseExceptionGroup) else ()
            todo += (led for led in (*reversed(members), _context_of(current), _cause_of(current)) if led is not None)
