"""Finding a code: by domain and reason, by number, by status. A catalogue is a class of codes; `Registry` holds several."""

import re
from collections.abc import Mapping

from grpc import StatusCode

from errgrpc.codes import ErrorCode

__all__ = ["Registry", "as_catalogue", "fallback_of", "parse_number"]

_NUMBER = re.compile(r"-?[0-9]{1,10}", re.ASCII)


class Registry:
    """Several catalogues, read by what is on the wire.

    Raises TypeError for what is no catalogue, ValueError for two catalogues that share a (domain, reason).
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
                if code.grpc_status is not StatusCode.OK:  # SUCCESS is no error, hence never found
                    self._reasons[catalogue.domain, code.reason] = code
                    self._numbers.setdefault((catalogue.domain, code.number), code)

    def find(self, domain: str, reason: str, number: str) -> ErrorCode | None:
        """The code of an ErrorInfo, or None: by domain and reason, else by domain and the decimal digits of `number`.

        An empty domain, as go-kratos sends it, is tried against each catalogue.
        """
        domains = (domain,) if domain else tuple(self._domains)
        found = [self._reasons.get((known, reason)) for known in domains]
        if (as_number := parse_number(number)) is not None:
            found += (self._numbers.get((known, as_number)) for known in domains)
        return next((code for code in found if code is not None), None)

    def catalogue_of(self, domain: str) -> type[ErrorCode] | None:
        """The catalogue that answers for a domain: a newer server may know reasons that it lacks."""
        return self._domains.get(domain)

    def infer(self, status: StatusCode) -> ErrorCode | None:
        """What the first catalogue with an inference table assumes of a failure that came without an ErrorInfo."""
        return self._inference.get(status)


def parse_number(text: str) -> int | None:
    """The number in ErrorInfo's metadata: ASCII digits of at most 32 bits, else None."""
    return int(text) if _NUMBER.fullmatch(text) and -(2**31) <= int(text) < 2**31 else None


def as_catalogue(catalogue: object) -> type[ErrorCode]:
    """`catalogue` itself. Raises TypeError if it is no catalogue."""
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
    """The fallback, which the catalogue of a server must declare. Raises TypeError or ValueError."""
    guarding = as_catalogue(catalogue)
    if guarding.fallback is None:
        raise ValueError(
            f"{guarding.__name__} declares no fallback: "
            "a server needs a code for what nobody foresaw"
        )
    return guarding.fallback
