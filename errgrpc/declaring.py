"""What methods declare that they raise, and which raised code is not among it."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from errgrpc.codes import ErrorCode

__all__ = ["Declarations", "Raises"]

Raises = Mapping[str, Collection[ErrorCode]]
"""The codes that each method declares, by `/package.Service/Method`: the `RAISES` of a generated module."""


_PATH = re.compile("/[^/]+/[^/]+")


class Declarations:
    """The tables of one server interceptor; a method in several has the codes of all. Raises TypeError for a wrong one."""

    def __init__(self, raises: Raises | Iterable[Raises]) -> None:
        self.codes = dict[str, frozenset[ErrorCode]]()
        """Those of each method."""
        self._reported = dict[tuple[str, ErrorCode], object]()
        for table in _tables(raises):
            for method, codes in table.items():
                _check(method, codes)
                self.codes[method] = self.codes.get(method, frozenset()) | frozenset(codes)

    def lacks(self, method: str, code: ErrorCode) -> bool:
        """Whether the method declares codes, and not this one."""
        declared = self.codes.get(method)
        return declared is not None and code not in declared

    def is_news(self, method: str, code: ErrorCode) -> bool:
        """Whether this is asked for the first time of a method and a code."""
        asked = object()
        # atomic: two threads do not both report it
        return self._reported.setdefault((method, code), asked) is asked


def _tables(raises: Any) -> list[Mapping[Any, Any]]:
    is_list = isinstance(raises, Iterable) and not isinstance(raises, Mapping | str | bytes)
    tables: list[Any] = list(raises) if is_list else [raises]
    for table in tables:
        if not isinstance(table, Mapping):
            raise TypeError(
                f"raises is {raises!r}: "
                "give the RAISES of a generated module, or a list of such mappings"
            )
    return tables


def _check(method: object, codes: object) -> None:
    if not isinstance(method, str) or not _PATH.fullmatch(method):
        raise TypeError(
            f"raises has the key {method!r}: "
            "give the path of a method, such as '/shop.v1.ShopService/Buy'"
        )
    if isinstance(codes, type | str | bytes) or not isinstance(codes, Collection):
        raise TypeError(f"raises[{method!r}] is {codes!r}: give a collection of error codes")
    for code in codes:
        if not isinstance(code, ErrorCode):
            raise TypeError(f"raises[{method!r}] holds {code!r}, which is no error code")
