"""Reads raised exceptions: the members of a group, the causes, the traceback of this raise.

The class of an exception may override any attribute with code that raises. So attributes are read
and set with BaseException's own descriptors, which run no code of the class.
"""

import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeVar

__all__ = ["catcher", "causes", "leaves", "link", "own_traceback", "settle", "traceback_of"]

F = TypeVar("F", bound=Callable[..., Any])

traceback_of: Callable[[BaseException], TracebackType | None] = BaseException.__dict__[
    "__traceback__"
].__get__
_context_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__[
    "__context__"
].__get__
_set_context: Callable[[BaseException, BaseException], None] = BaseException.__dict__[
    "__context__"
].__set__
_cause_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__[
    "__cause__"
].__get__
_members_of: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__[
    "exceptions"
].__get__

_with_traceback = BaseException.with_traceback
_CATCHERS = set[CodeType]()
_MOST_CALLERS = 100  # callers of a frame that are checked


def handled_before() -> FrameType:
    """Returns a frame that stands before the entries of earlier requests in a traceback.

    Its name is shown there.
    """
    return sys._getframe()  # noqa: SLF001  public in all but its name


_HANDLED = handled_before()


def catcher(function: F) -> F:
    """Marks a function that catches what a handler raises.

    The traceback of each raise begins with it.
    """
    _CATCHERS.add(function.__code__)
    return function


def own_traceback(caught: TracebackType | None) -> TracebackType | None:
    """Returns the part of a caught traceback that belongs to this raise.

    An instance may be raised many times: a module's constant, or a future that many wait for. Each
    raise adds to the traceback of the earlier ones. The whole traceback would keep the locals of
    all requests, and the log of one would show the others. The part is a copy, because other
    threads read the same entries.
    """
    own: list[TracebackType] = []
    entry = caught
    while (
        entry is not None
        and not (entry.tb_frame.f_code in _CATCHERS and own)
        and not _is_foreign(entry.tb_frame, own)
    ):
        own.append(entry)
        entry = entry.tb_next
    if entry is None:
        return caught
    copied = None
    for entry in reversed(own):
        copied = TracebackType(copied, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return copied


def _is_foreign(frame: FrameType | None, own: list[TracebackType]) -> bool:
    """Tells whether a frame belongs to an earlier raise, or to a call in another thread.

    It is right as far as Python tells.
    """
    if frame is _HANDLED:
        return True
    ours = [entry.tb_frame for entry in own]
    for _ in range(_MOST_CALLERS):
        if frame is None or frame in ours:  # a generator that has ended does not tell its caller
            return False
        if frame.f_code in _CATCHERS:
            return bool(own)
        frame = frame.f_back
    return False


def settle(error: BaseException) -> None:
    """Marks where the next raise begins, in an exception that has been logged.

    Its members and causes are marked, too.
    """
    for each in causes(error):
        if (own := traceback_of(each)) is not None and own.tb_frame is not _HANDLED:
            _with_traceback(each, TracebackType(own, _HANDLED, _HANDLED.f_lasti, _HANDLED.f_lineno))


def link(failure: BaseException, error: BaseException) -> None:
    """Makes `error` the context of a failure to handle it, so that the log shows both."""
    if failure is not error and _context_of(failure) is None:
        _set_context(failure, error)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yields the exceptions of a group in their order, or the exception itself."""
    todo = [error]  # no recursion, because groups may be nested very deeply
    while todo:
        current = todo.pop()
        if issubclass(type(current), BaseExceptionGroup):
            todo += reversed(_members_of(current))
        else:
            yield current


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yields the error, its members and its causes, each once."""
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            members = _members_of(current) if issubclass(type(current), BaseExceptionGroup) else ()
            todo += (
                led
                for led in (*reversed(members), _context_of(current), _cause_of(current))
                if led is not None
            )
