"""Runs the gateway until Ctrl-C, or as long as a given command runs that uses it.

Start it by `python -m examples.classroom.gateway`.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from typing import NoReturn

from . import SERVICE, gateway

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="The classroom over gRPC, gRPC-Web, Connect and JSON, on one port.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "command",
        nargs="*",
        help="command to run with the gateway's URL in VITE_GATEWAY; the gateway stops after it",
    )
    arguments = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for number in SIGNALS:
        # nohup sets SIGHUP to be ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        with gateway(arguments.port) as url:
            return _run(arguments.command, url) if arguments.command else _wait(url)
    except KeyboardInterrupt:
        return 0


def _end(number: int, _: object) -> NoReturn:
    """Ends the program in order at the first signal; later signals are ignored."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def _wait(url: str) -> int:
    def curl(language: str, method: str, body: str) -> str:
        headers = (
            "-H 'content-type: application/json' -H 'authorization: Bearer chen' "
            f"-H 'accept-language: {language}'"
        )
        return f"  curl {headers} {url}/{SERVICE}/{method} -d '{body}'"

    print(f"{SERVICE} listens on {url} for JSON, gRPC-Web, Connect and gRPC (Ctrl-C stops it)\n")
    print(curl("zh-CN", "GetRoom", '{"room_uuid": "r-42"}'))
    print(curl("en-US", "CreateRoom", '{"room_uuid": "Maths!", "config_id": ""}'))
    print(curl("en-US", "CreateRoom", '{"room_uuid": "maths", "config_id": "small-class"}'))
    print(curl("zh-CN", "GetOccupancy", '{"room_uuid": "maths"}'), flush=True)
    threading.Event().wait()
    raise AssertionError


def _run(command: list[str], url: str) -> int:
    # A signal that arrives while the command starts is held until the process is known. Otherwise
    # the command would continue alone.
    held: list[int] = []
    caught = [number for number in SIGNALS if signal.getsignal(number) is _end]
    for number in caught:
        signal.signal(number, lambda number, _: held.append(number))
    # In a process group of its own, as npm does not always pass on signals.
    env = {**os.environ, "VITE_GATEWAY": url}
    process = subprocess.Popen(  # noqa: S603  the caller's own command
        command, stdin=subprocess.DEVNULL, env=env, process_group=0
    )
    try:
        for number in caught:
            signal.signal(number, _end)
        if held:
            _end(held[0], None)
        return process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
