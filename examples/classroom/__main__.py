"""The command line: `python -m examples.classroom demo` or `serve`."""

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="classroom", description="A classroom service whose error codes are its contract."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="show every feature, on both sides, and exit")
    serve = commands.add_parser(
        "serve", help="run the server until Ctrl-C or SIGTERM, with reflection and health"
    )
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument(
        "--port", type=int, default=50051, help="0 takes a free one (default: %(default)s)"
    )
    serve.add_argument(
        "--aio", action="store_true", help="the asyncio server instead of the sync one"
    )
    arguments = parser.parse_args()
    # Each command needs different packages: see requirements.txt.
    if arguments.command == "demo":
        from . import demo  # noqa: PLC0415  only what this command needs

        return demo.main()
    from . import serve as serving  # noqa: PLC0415  only what this command needs

    return serving.main(f"{arguments.host}:{arguments.port}", aio=arguments.aio)


if __name__ == "__main__":
    sys.exit(main())
