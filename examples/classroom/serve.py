"""Runs the server alone, until it is stopped, for grpcurl and for clients in other languages.

It has the health and the reflection service.
"""

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # has no types
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]  # has no types

from . import aio_server, server
from .im import Im
from .rules import Classrooms
from .v1 import classroom_pb2 as pb

__all__ = ["main"]

SERVICE: str = pb.DESCRIPTOR.services_by_name["ClassroomService"].full_name
SERVICES = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 1.0
"""Seconds for calls that still run."""


def main(address: str, *, aio: bool) -> int:
    """Serves until SIGINT or SIGTERM. Raises SystemExit if the address cannot be used."""
    if aio:
        asyncio.run(_serve_aio(address))
    else:
        _serve(address)
    return 0


def _serve(address: str) -> None:
    stop = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    with ThreadPoolExecutor(max_workers=32) as pool:
        rooms = Classrooms()
        running = server.build(pool, rooms, Im())
        checks = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=pool
        )
        health_pb2_grpc.add_HealthServicer_to_server(checks, running)
        reflection.enable_server_reflection(SERVICES, running)
        port = _listen(running, address)
        running.start()
        for name in ("", SERVICE):
            checks.set(name, health_pb2.HealthCheckResponse.SERVING)
        _announce(address, port)
        stop.wait()
        checks.enter_graceful_shutdown()
        rooms.close_all()  # tells the listening clients the reason
        running.stop(GRACE).wait()


async def _serve_aio(address: str) -> None:
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rooms = Classrooms()
    running = aio_server.build(rooms, Im())
    checks = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]  an alias
    health_pb2_grpc.add_HealthServicer_to_server(checks, running)
    reflection.enable_server_reflection(SERVICES, running)
    port = _listen(running, address)
    await running.start()
    for name in ("", SERVICE):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    _announce(address, port)
    await stop.wait()
    await checks.enter_graceful_shutdown()
    rooms.close_all()  # tells the listening clients the reason
    await running.stop(GRACE)


def _listen(running: grpc.Server | grpc.aio.Server, address: str) -> int:
    try:
        return running.add_insecure_port(address)
    except RuntimeError:
        raise SystemExit(f"cannot listen on {address}: is the port taken?") from None


def _announce(address: str, port: int) -> None:
    target = f"{address.rpartition(':')[0]}:{port}"

    def grpcurl(method: str, body: str, *headers: str) -> str:
        options = "".join(f" -H '{header}'" for header in ("authorization: Bearer chen", *headers))
        return f"  grpcurl -plaintext{options} -d '{body}' {target} {SERVICE}/{method}"

    print(f"{SERVICE} listens on {target} (Ctrl-C stops it)\n")
    print(grpcurl("CreateRoom", '{"room_uuid": "math-101", "config_id": "lecture"}'))
    print(
        grpcurl(
            "CreateRoom",
            '{"room_uuid": "math-101", "config_id": "small-class"}',
            "accept-language: en",
        )
    )
    print(
        grpcurl("TakeSeat", '{"room_uuid": "math-101", "number": 9}', "accept-language: zh-CN"),
        flush=True,
    )
