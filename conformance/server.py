"""errgrpc's server of the vectors, which all clients call: `python -m conformance.server`."""

import functools
import warnings

import grpc

import errgrpc
from conformance.service import serve
from conformance.vectors.build import cases
from conformance.vectors.cases import Case
from conformance.vectors.foreign import Foreign
from errgrpc.wire.packing import DETAILS_KEY

__all__ = ["fail"]

_cases = functools.cache(cases)


def fail(number: int, context: grpc.ServicerContext) -> None:
    """Fails an RPC with a vector.

    It raises the exception of a handler, or aborts with the bytes of another server.
    """
    case: Case | Foreign | None = _cases()[number - 1] if 1 <= number <= len(_cases()) else None
    match case:
        case Case():
            context.set_trailing_metadata(case.trailing)
            raise case.error()
        case Foreign():
            context.set_trailing_metadata(
                () if case.details is None else ((DETAILS_KEY, case.details),)
            )
            context.abort(case.status, case.message)
        case _:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no vector has the number {number}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", errgrpc.MisuseWarning)  # of the vector details/all
    serve(fail, errgrpc.ServerInterceptor(errgrpc.ResCode, on_error=lambda *_, **__: None))
