"""The codes that each method declares, and which answered codes are not among them."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from errgrpc.codes import ErrorCode

__all__ = ["Declarations", "Raises"]

Raises = Mapping[str, Collection[ErrorCode]]
"""Maps `/package.Service/Method` to the codes that the method declares.

`RAISES` of a generated module is such a mapping.
"""


_PATH = re.compile("/[^/]+/[^/]+")


class Declarations:
    """The declarations of one server interceptor.

    If several tables have a method, it declares the codes of all. Raises TypeError if a table is
    wrong.
    """

    def __init__(self, raises: Raises | Iterable[Raises]) -> None:
        self.codes = dict[str, frozenset[ErrorCode]]()
        """The declared codes of each method."""
        self._reported = dict[tuple[str, ErrorCode], object]()
        for table in _tables(raises):
            for method, codes in table.items():
                _check(method, codes)
                self.codes[method] = self.codes.get(method, frozenset()) | frozenset(codes)

    def lacks(self, method: str, code: ErrorCode) -> bool:
        """Tells whether the method declares codes, but not this one."""
        declared = self.codes.get(method)
        return declared is not None and code not in declared

    def is_news(self, method: str, code: ErrorCode) -> bool:
        """Returns True only for the first call with this method and code."""
        asked = object()
        # atomic: only one of two threads gets True
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
