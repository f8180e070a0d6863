"""Translates foreign exceptions into codes: the table of `translate=`."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from errgrpc.codes import ErrorCode
from errgrpc.locales import Metadata, requested
from errgrpc.reports import is_function
from errgrpc.service_error import ServiceError, made_of, values_of

__all__ = ["Translate", "Translator", "accept_language"]

# type[Any], because a mapping is invariant in its keys. A variable with a table of one class must
# be accepted, too.
Translate = Mapping[type[Any], ErrorCode | Callable[[Any], ServiceError]]
"""Maps exception classes to a code, or to a function from the exception to a ServiceError.

The function must not be async. For an exception, the entry of its most specific class is used.
"""

accept_language: ContextVar[str | None] = ContextVar("errgrpc.accept_language", default=None)
"""The languages that the caller asks for, while a function of the table runs.

A BadRequest has texts in one language.
"""


class Translator:
    """The table of one server interceptor.

    Raises TypeError or ValueError if the table is wrong.
    """

    def __init__(self, translate: Translate | None) -> None:
        self._table = dict(translate or {})
        for kind, target in self._table.items():
            _check_translation(kind, target)

    def translated(self, error: BaseException, metadata: Metadata) -> ServiceError | None:
        """Returns what the table makes of an error, or None.

        The most specific class of the error decides. `metadata` are the caller's.
        """
        for kind in type(error).__mro__ if self._table else ():
            if (target := self._table.get(kind)) is not None:
                made = (
                    made_of(target)
                    if isinstance(target, ErrorCode)
                    else _called(target, error, metadata)
                )
                if values_of(made) is None:
                    raise TypeError(
                        f"translate[{kind.__name__}] gave a {type(made).__name__}, not a "
                        "ServiceError"
                    )
                return made
        return None


def _called(
    function: Callable[[Any], ServiceError], error: BaseException, metadata: Metadata
) -> ServiceError:
    token = accept_language.set(requested(metadata))
    try:
        return function(error)
    finally:
        accept_language.reset(token)


def _check_translation(kind: object, target: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError(f"translate has the key {kind!r}: give exception classes")
    if isinstance(target, ErrorCode):
        made_of(target)  # raises ValueError for SUCCESS now, not in production
    elif not is_function(target) or (isinstance(target, type) and issubclass(target, ErrorCode)):
        wanted = "an error code or a function, not async, from the exception to a ServiceError"
        raise TypeError(f"translate[{kind.__name__}] is {target!r}: give {wanted}")
