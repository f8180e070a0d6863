"""A process with the server of one contender.

`python -m bench.server SERVER STACK` prints its port. For each line that it reads, it prints the
CPU seconds that all its threads have used. It ends at the end of its input.
"""

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio

from . import contenders, service

ADDRESS = "127.0.0.1:0"
OPTIONS = (("grpc.so_reuseport", 0),)
THREADS = 64


def _answer_questions(port: int) -> None:
    print(port, flush=True)
    for _ in sys.stdin:
        print(time.process_time(), flush=True)


def serve_sync(which: str) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        server = grpc.server(
            pool, interceptors=contenders.server_interceptors(which, "sync"), options=OPTIONS
        )
        service.add_to_server(service.Servicer(contenders.failures(which, "sync")), server)
        port = server.add_insecure_port(ADDRESS)
        server.start()
        _answer_questions(port)
        server.stop(None).wait()


async def serve_aio(which: str) -> None:
    server = grpc.aio.server(
        interceptors=contenders.server_interceptors(which, "aio"), options=OPTIONS
    )
    service.add_to_server(service.AsyncServicer(contenders.failures(which, "aio")), server)
    port = server.add_insecure_port(ADDRESS)
    await server.start()
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def answer() -> None:
        _answer_questions(port)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=answer, daemon=True).start()
    await ended.wait()
    await server.stop(None)


if __name__ == "__main__":
    if sys.argv[2] == "aio":
        asyncio.run(serve_aio(sys.argv[1]))
    else:
        serve_sync(sys.argv[1])
