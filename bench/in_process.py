"""Measures cases of some microseconds in one process.

`python -m bench.in_process CASE SIDE FOLDER` runs one of the two ways of a case. It reads numbers.
For each number, it runs the way that many times and prints the seconds of processor time for all of
them. Other processes of the machine disturb processor time least. FOLDER holds the catalogues of
many codes.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from time import thread_time
from typing import Any, NamedTuple

import grpc
import grpc.aio
from grpc_status import rpc_status

import errgrpc
from errgrpc import ErrorCode, ResCode, ServiceError, locales
from errgrpc.answering import Answering, Rpc
from errgrpc.reading import Reading
from errgrpc.service_error import values_of
from errgrpc.wire import encoding

from . import by_hand, catalogues

__all__ = ["CASES", "Case"]

CODE = ResCode.ROOM_NOT_EXIST
# As a client with a locale sends it.
ASKED = (("user-agent", "grpc-python/1.85.3"), ("accept-language", "zh-CN"))
BROWSER = "zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7"
LIMIT = 7_900
MANY = 1_000  # values that are new; each comes back only after this number of others
Run = Callable[[], object]


class Case(NamedTuple):
    """Two ways to do the same. A function prepares each, and `ours` is compared with `other`."""

    name: str
    other_name: str
    ours: Callable[[Path], Run]
    other: Callable[[Path], Run]


def ready(run: Run) -> Callable[[Path], Run]:
    return lambda _: run


def each_of(
    errors: Callable[[], Sequence[Any]], read: Callable[[Any], object]
) -> Callable[[Path], Run]:
    return lambda _: in_turn(errors(), read)


# From raise to bytes.

ANSWERING = Answering(ResCode)


def constant() -> ServiceError:
    return ServiceError(CODE)


def with_metadata() -> ServiceError:
    return ServiceError(CODE, room_uuid="r-42")


def with_violations() -> ServiceError:
    return ServiceError(ResCode.BAD_REQUEST, details=[by_hand.VIOLATIONS])


MADE = {"Constant": constant, "Metadata": with_metadata, "Violations": with_violations}


def encoded(make: Callable[[], ServiceError]) -> Run:
    def run() -> bytes:
        error = make()
        values = values_of(error)
        assert values is not None
        return (
            encoding.brief(values, "zh-CN")
            or encoding.fitted(values.code, encoding.parts_of(values, "zh-CN"), LIMIT)[0]
        )

    return run


def to_message(make: Callable[[], ServiceError]) -> Run:
    return lambda: errgrpc.encode(make())


def bytes_by_hand(build: Callable[[], Any]) -> Run:
    return lambda: build().SerializeToString()


def raised(make: Callable[[], ServiceError]) -> Run:
    def run() -> object:
        try:
            raise make()
        except BaseException as error:
            return ANSWERING.answer(error, Rpc("/bench.Bench/Fail", ASKED, (), None, ""))

    return run


def raised_by_hand(build: Callable[[], Any]) -> Run:
    def run() -> object:
        try:
            raise by_hand.AppError(CODE, {}, None, grpc.StatusCode.NOT_FOUND)
        except by_hand.AppError:
            return rpc_status.to_status(build())

    return run


# From bytes to exception.

READING = Reading((ResCode,))


def failed(error: ServiceError) -> grpc.aio.AioRpcError:
    """Returns the error that grpc raises for the answer."""
    answer = ANSWERING.answer(error, Rpc("/bench.Bench/Fail", ASKED, (), None, ""))
    trailers: Any = answer.trailers
    return grpc.aio.AioRpcError(answer.status, grpc.aio.Metadata(), trailers, answer.message, "")


def seen() -> list[Any]:
    return [failed(constant())]


def new() -> list[Any]:
    return [failed(ServiceError(CODE, room_uuid=f"r-{number}")) for number in range(MANY)]


def in_turn(items: Sequence[Any], act: Callable[[Any], object]) -> Run:
    following = cycle(items).__next__
    return lambda: act(following())


def typed_and_asked(error: Any) -> object:
    read = READING.read(error)
    return read.metadata, read.hint


# Languages.

HINTS = tuple(CODE.hints)
OFFERED = {locale.lower(): locale for locale in HINTS} | {
    locale.partition("-")[0]: locale for locale in HINTS
}


def chosen(header: str) -> object:
    return locales.choose(header, HINTS, "zh-CN")


def chosen_by_hand(header: str) -> object:
    return by_hand.choose(header, OFFERED, "zh-CN")


HEADERS = [f"{BROWSER},x-{number}" for number in range(MANY)]

# Catalogues: a code is raised, answered, read and caught.


def caught(size: int, some: int) -> Callable[[Path], Run]:
    """Returns a run with `some` codes in turn, spread over a catalogue of `size` codes."""

    def prepare(folder: Path) -> Run:
        catalogue = catalogues.load(folder, size)
        codes = list(catalogue)[:: size // some]
        answering, reading = Answering(catalogue), Reading((catalogue,))
        pairs = [(code, errgrpc.remote(code)) for code in codes]
        for pair in pairs:  # makes the parts that are made once for each code
            _once(answering, reading, *pair)
        return in_turn(pairs, lambda pair: _once(answering, reading, *pair))

    return prepare


def _once(
    answering: Answering, reading: Reading, code: ErrorCode, kind: type[errgrpc.RemoteError]
) -> None:
    answer = answering.answer(
        ServiceError(code, thing="t-42"), Rpc("/bench.Bench/Fail", ASKED, (), None, "")
    )
    try:
        raise reading.read(
            grpc.aio.AioRpcError(
                answer.status,
                None,
                answer.trailers,  # type: ignore[arg-type]  # of tuples, which grpc takes
                answer.message,
            )
        )
    except kind:
        pass


def _cases() -> Iterable[Case]:
    for key, name in (
        ("Constant", "constant"),
        ("Metadata", "with metadata"),
        ("Violations", "with ten violations"),
    ):
        make, build = MADE[key], by_hand.BUILT[key]
        yield Case(
            f"{name}: constructed, encoded",
            "by hand",
            ready(encoded(make)),
            ready(bytes_by_hand(build)),
        )
        yield Case(
            f"{name}: constructed, encoded to a message",
            "by hand",
            ready(to_message(make)),
            ready(build),
        )
        yield Case(
            f"{name}: raised, caught, answered",
            "by hand",
            ready(raised(make)),
            ready(raised_by_hand(build)),
        )
    for name, errors in (("seen before", seen), ("new", new)):
        yield Case(
            f"{name}: decoded",
            "by hand",
            each_of(errors, READING.read),
            each_of(errors, by_hand.read),
        )
        yield Case(
            f"{name}: decoded, metadata and hint asked for",
            "by hand",
            each_of(errors, typed_and_asked),
            each_of(errors, by_hand.read),
        )
    yield Case(
        "locale: header seen before",
        "by hand",
        ready(lambda: chosen(BROWSER)),
        ready(lambda: chosen_by_hand(BROWSER)),
    )
    yield Case(
        "locale: header never seen",
        "by hand",
        ready(in_turn(HEADERS, chosen)),
        ready(in_turn(HEADERS, chosen_by_hand)),
    )
    for size in catalogues.SIZES[1:]:
        yield Case(
            f"{size:,} codes: raised, read, caught", "10 codes", caught(size, 10), caught(10, 10)
        )
        yield Case(
            f"{size:,} codes, all in turn: raised, read, caught",
            "10 codes",
            caught(size, size),
            caught(10, 10),
        )


CASES = tuple(_cases())


def main() -> None:
    case, side, folder = CASES[int(sys.argv[1])], sys.argv[2], Path(sys.argv[3])
    run = (case.ours if side == "ours" else case.other)(folder)
    for line in sys.stdin:
        numbers = range(int(line))
        start = thread_time()
        for _ in numbers:
            run()
        print(thread_time() - start, flush=True)


if __name__ == "__main__":
    main()
