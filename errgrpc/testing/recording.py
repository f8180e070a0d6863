"""What all servers of this process have answered, and which of the declared errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from errgrpc.codes import ErrorCode
from errgrpc.observing import observing
from errgrpc.reports import Answered

__all__ = ["Coverage", "Recorder", "recorded"]


class Recorder:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Answered] = []

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> None:  # noqa: ARG002
        """Called by each server."""
        self.heard.append(answered)

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> None:
        """Called for each server."""


@contextmanager
def recorded() -> Iterator[list[Answered]]:
    """Yields a list that grows by an `errgrpc.Answered` for each call that fails meanwhile in a handler, on any server of this process.

    A server is one with errgrpc's interceptor; over HTTP, `install` and `Responder` are servers, too. When a client has its error,
    its server's entry is there.
    """
    recorder = Recorder()
    with observing(recorder):
        yield recorder.heard


class Coverage:
    """An observer that counts which of the declared errors of methods have been raised."""

    def __init__(self) -> None:
        self._declared = dict[str, set[ErrorCode]]()
        self._raised = dict[str, set[ErrorCode]]()

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> None:
        """Called for each server."""
        for method, codes in raises.items():
            self._declared.setdefault(method, set()).update(codes)

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> None:  # noqa: ARG002
        """Called by each server."""
        if answered.code is not None:
            self._raised.setdefault(answered.method, set()).add(answered.code)

    def as_json(self) -> dict[str, dict[str, bool]]:
        """Whether each declared code of each method has been raised; codes are named `domain/REASON`."""
        declared = sorted(self._declared.items())
        return {
            method: {
                f"{code.domain}/{code.reason}": code in self._raised.get(method, ())
                for code in sorted(codes, key=_by_domain)
            }
            for method, codes in declared
        }


def _by_domain(code: ErrorCode) -> tuple[str, int]:
    return code.domain, code.number
