"""Records the answers of all servers in this process, and which declared errors were raised."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from errgrpc.codes import ErrorCode
from errgrpc.observing import observing
from errgrpc.reports import Answered

__all__ = ["Coverage", "Recorder", "recorded"]


class Recorder:
    """An observer that keeps each answer."""

    def __init__(self) -> None:
        self.heard: list[Answered] = []

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> None:  # noqa: ARG002  of Observer
        """Keeps an answer."""
        self.heard.append(answered)

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> None:
        """Does nothing."""


@contextmanager
def recorded() -> Iterator[list[Answered]]:
    """Records the failed calls of all servers in this process while the `with` block runs.

        with recorded() as answered:
            ...  # calls
        assert answered[0].code is ResCode.ROOM_NOT_EXIST

    It yields a list, to which each failed call adds an `errgrpc.Answered` before the client gets
    its error. The servers must use errgrpc's interceptor, or over HTTP `install` or `Responder`.
    """
    recorder = Recorder()
    with observing(recorder):
        yield recorder.heard


class Coverage:
    """An observer that counts which declared errors of methods have been raised."""

    def __init__(self) -> None:
        self._declared = dict[str, set[ErrorCode]]()
        self._raised = dict[str, set[ErrorCode]]()

    def declared(self, raises: Mapping[str, frozenset[ErrorCode]], /) -> None:
        """Adds the declared errors of a server."""
        for method, codes in raises.items():
            self._declared.setdefault(method, set()).update(codes)

    def answered(self, answered: Answered, traceback: TracebackType | None, /) -> None:  # noqa: ARG002  of Observer
        """Marks a declared error as raised."""
        if answered.code is not None:
            self._raised.setdefault(answered.method, set()).add(answered.code)

    def as_json(self) -> dict[str, dict[str, bool]]:
        """Returns for each method which of its declared codes were raised, as `domain/REASON`."""
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
