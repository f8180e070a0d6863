"""The conformance service over grpcio without generated stubs, for servers and clients."""

import itertools
import json
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from conformance.v1.conformance_pb2 import AnswerRequest, AnswerResponse

__all__ = [
    "DEADLINE",
    "KINDS",
    "SERVICE",
    "Call",
    "Said",
    "call_lines",
    "free_port",
    "handler",
    "path",
    "responses",
    "serve",
    "until_end_of_input",
]

SERVICE = "errgrpc.conformance.v1.ConformanceService"
KINDS = {
    "Unary": "unary_unary",
    "ServerStream": "unary_stream",
    "ClientStream": "stream_unary",
    "BidiStream": "stream_stream",
}
"""The name that grpcio has for each method's kind."""
DEADLINE = 20.0  # seconds, far more than any call needs

Call = dict[str, Any]
"""A line that a client reads."""
Said = dict[str, Any]
"""A line that a client prints."""


def path(method: str) -> str:
    """Returns the HTTP path of a method."""
    return f"/{SERVICE}/{method}"


def handler(fail: Callable[[int, grpc.ServicerContext], None]) -> grpc.GenericRpcHandler:
    """Returns the service. Each method passes the vector's number to `fail`."""

    def streamed(request: AnswerRequest, context: grpc.ServicerContext) -> Iterator[AnswerResponse]:
        for index in range(request.messages):
            yield AnswerResponse(index=index + 1)
        fail(request.vector, context)

    def streamed_both_ways(
        requests: Iterator[AnswerRequest], context: grpc.ServicerContext
    ) -> Iterator[AnswerResponse]:
        first = next(requests)
        for index in range(first.messages):
            yield AnswerResponse(index=index + 1)
        all_read(itertools.chain([first], requests), context)

    def all_read(requests: Iterator[AnswerRequest], context: grpc.ServicerContext) -> None:
        fail([*requests][0].vector, context)  # noqa: RUF015  reads them all

    behaviours: dict[str, Callable[..., Any]] = {
        "Unary": lambda request, context: fail(request.vector, context),
        "ServerStream": streamed,
        "ClientStream": all_read,
        "BidiStream": streamed_both_ways,
    }
    methods = {
        name: getattr(grpc, f"{kind}_rpc_method_handler")(
            behaviours[name],
            request_deserializer=AnswerRequest.FromString,
            response_serializer=AnswerResponse.SerializeToString,
        )
        for name, kind in KINDS.items()
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def serve(
    fail: Callable[[int, grpc.ServicerContext], None], *interceptors: grpc.ServerInterceptor
) -> None:
    """Serves until the input ends, as the server of a peer does."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        server = grpc.server(pool, interceptors=list(interceptors))
        server.add_generic_rpc_handlers((handler(fail),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        until_end_of_input(port)
        server.stop(None).wait()


def until_end_of_input(port: int) -> None:
    """Tells the runner the port, and waits until the input ends."""
    print(port, flush=True)
    sys.stdin.read()


def free_port() -> socket.socket:
    """Returns a listening socket for asyncio.

    asyncio turns off Nagle's algorithm only if the socket names its protocol. Otherwise a call
    takes 40 ms.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def responses(channel: grpc.Channel, call: Call) -> Iterator[AnswerResponse]:
    """Makes a call, and yields the responses before its error."""
    kind = KINDS[call["method"]]
    invoke = getattr(channel, kind)(
        path(call["method"]),
        request_serializer=AnswerRequest.SerializeToString,
        response_deserializer=AnswerResponse.FromString,
    )
    request = AnswerRequest(vector=call["vector"], messages=call["messages"])
    argument = iter([request]) if kind.startswith("stream") else request
    result = invoke(argument, timeout=DEADLINE, metadata=tuple(call["metadata"].items()))
    if kind.endswith("_stream"):
        yield from result
    else:
        yield result


def call_lines(make: Callable[[Call], Said]) -> None:
    """Makes the calls of the input, as the client of a peer does."""
    for line in sys.stdin:
        call = json.loads(line)
        try:
            said = make(call)
        except Exception as failure:  # noqa: BLE001  any exception of the library's reader
            said = {"failed": f"{type(failure).__name__}: {failure}"}
        print(json.dumps({"id": call["id"], **said}))
