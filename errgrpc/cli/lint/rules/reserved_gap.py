"""The number of a removed code is reserved, so that no new code takes it."""

from collections.abc import Iterator
from itertools import pairwise

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import Catalog, Code

__all__ = ["check", "id", "severity"]

id = "reserved-gap"
severity: Severity = "warning"
_MOST = 5  # numbers; after a longer gap, a new block of numbers begins
_BLOCK = 100  # numbers; at a multiple, a new block may begin


def check(tables: Tables) -> Iterator[Found]:
    """Finds short gaps of unreserved numbers, except between codes numbered by HTTP status."""
    described = {file.name for file in tables.files.file}
    for catalog in tables.catalogs:
        values = {value.number: value for value in catalog.values}
        # A class cannot reserve a number.
        for before, after in pairwise(sorted(values)) if catalog.file in described else ():
            free = [
                number
                for number in range(before + 1, min(after, before + _MOST + 2))
                if not _reserved(catalog, number)
            ]
            in_row = before - 1 in values or after + 1 in values
            if (
                0 < len(free) <= _MOST
                and in_row
                and before // _BLOCK == after // _BLOCK
                and not (_is_http(values[before]) and _is_http(values[after]))
            ):
                listed = ", ".join(map(str, free))
                yield Found(
                    anchor(catalog, values[after]),
                    f"unused and not reserved before it: {listed}; "
                    "reserve each number that a removed code had",
                    adds=f"reserved {listed};",
                )


def _reserved(catalog: Catalog, number: int) -> bool:
    return any(first <= number <= last for first, last in catalog.reserved_numbers)


def _is_http(code: Code) -> bool:
    return code.number == code.http_status
