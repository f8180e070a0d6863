"""The works: what one call of each does, the same for all contenders."""

from dataclasses import dataclass

__all__ = ["FIRST", "WORKS", "Work"]


@dataclass(frozen=True)
class Work:
    """One kind of call.

    - `method`: the method of the service.
    - `messages`: the number of messages in a stream.
    - `size`: the bytes of each message.
    - `at_once`: the number of calls in flight.
    - `foreign`: whether the server knows no codes.
    """

    name: str
    method: str
    messages: int = 1
    size: int = 16
    at_once: int = 1
    foreign: bool = False

    @property
    def kind(self) -> str:
        """The kind that the targets name: success, stream, error or error with metadata."""
        return {
            "Echo": "success",
            "Down": "stream",
            "Up": "stream",
            "Metadata": "error with metadata",
        }.get(self.method, "error")


FIRST = Work("first error of a client, connecting included", "Metadata")
WORKS = (
    Work("success", "Echo"),
    Work("success, 1 kB", "Echo", size=1_000),
    Work("success, 100 kB", "Echo", size=100_000),
    Work("success, 16 at once", "Echo", at_once=16),
    Work("success, 64 at once", "Echo", at_once=64),
    Work("response stream of 1", "Down"),
    Work("response stream of 200", "Down", 200),
    Work("response stream of 10,000", "Down", 10_000),
    Work("request stream of 1", "Up"),
    Work("request stream of 200", "Up", 200),
    Work("request stream of 10,000", "Up", 10_000),
    Work("error", "Constant"),
    Work("error, 16 at once", "Constant", at_once=16),
    Work("error, 64 at once", "Constant", at_once=64),
    Work("error with metadata", "Metadata"),
    Work("error with ten violations", "Violations"),
    Work("error inferred", "Plain", foreign=True),
)
