"""Finds a code: by domain and reason, by number, or by status.

A catalogue is a class of codes. A `Registry` holds several.
"""

import re
from collections.abc import Mapping

from grpc import StatusCode

from errgrpc.codes import ErrorCode

__all__ = ["Registry", "as_catalogue", "fallback_of", "parse_number"]

_NUMBER = re.compile(r"-?[0-9]{1,10}", re.ASCII)


class Registry:
    """Several catalogues, searched by what a peer sends.

    Raises:
        TypeError: An argument is not a catalogue.
        ValueError: Two catalogues share a (domain, reason).
    """

    def __init__(self, catalogues: tuple[type[ErrorCode], ...]) -> None:
        self.catalogues = tuple(dict.fromkeys(as_catalogue(catalogue) for catalogue in catalogues))
        self._domains: dict[str, type[ErrorCode]] = {}
        self._reasons: dict[tuple[str, str], ErrorCode] = {}
        self._numbers: dict[tuple[str, int], ErrorCode] = {}
        self._inference: Mapping[StatusCode, ErrorCode] = next(
            (c.inference for c in self.catalogues if c.inference), {}
        )
        declared: dict[tuple[str, str], ErrorCode] = {}
        for catalogue in self.catalogues:
            self._domains.setdefault(catalogue.domain, catalogue)
            for code in catalogue:
                other = declared.setdefault((catalogue.domain, code.reason), code)
                if other is not code:
                    raise ValueError(
                        f"{other} and {code} share the domain {code.domain!r} and the reason "
                        f"{code.reason!r}: "
                        "a reader could not tell them apart; give one catalogue another domain"
                    )
                # SUCCESS is not an error, so it is never found
                if code.grpc_status is not StatusCode.OK:
                    self._reasons[catalogue.domain, code.reason] = code
                    self._numbers.setdefault((catalogue.domain, code.number), code)

    def find(self, domain: str, reason: str, number: str) -> ErrorCode | None:
        """Returns the code of an ErrorInfo, or None.

        It searches by domain and reason first, and then by domain and `number`. The number is
        decimal digits. go-kratos sends an empty domain, so that is tried with each catalogue.
        """
        domains = (domain,) if domain else tuple(self._domains)
        found = [self._reasons.get((known, reason)) for known in domains]
        if (as_number := parse_number(number)) is not None:
            found += (self._numbers.get((known, as_number)) for known in domains)
        return next((code for code in found if code is not None), None)

    def catalogue_of(self, domain: str) -> type[ErrorCode] | None:
        """Returns the catalogue of a domain, or None.

        A newer server may send reasons that this catalogue lacks.
        """
        return self._domains.get(domain)

    def infer(self, status: StatusCode) -> ErrorCode | None:
        """Returns the code that is assumed of a failure without an ErrorInfo, or None.

        The first catalogue with an inference table decides.
        """
        return self._inference.get(status)


def parse_number(text: str) -> int | None:
    """Returns the number in ErrorInfo's metadata, or None.

    It must have ASCII digits only, and fit into 32 bits.
    """
    return int(text) if _NUMBER.fullmatch(text) and -(2**31) <= int(text) < 2**31 else None


def as_catalogue(catalogue: object) -> type[ErrorCode]:
    """Returns `catalogue` itself. Raises TypeError if it is not a catalogue."""
    if (
        isinstance(catalogue, type)
        and issubclass(catalogue, ErrorCode)
        and catalogue is not ErrorCode
    ):
        return catalogue
    raise TypeError(
        f"{catalogue!r} is no catalogue: "
        "give a subclass of errgrpc.ErrorCode such as errgrpc.ResCode"
    )


def fallback_of(catalogue: object) -> ErrorCode:
    """Returns the fallback of a server's catalogue.

    Raises:
        TypeError: `catalogue` is not a catalogue.
        ValueError: It declares no fallback.
    """
    guarding = as_catalogue(catalogue)
    if guarding.fallback is None:
        raise ValueError(
            f"{guarding.__name__} declares no fallback: "
            "a server needs a code for unhandled exceptions"
        )
    return guarding.fallback
