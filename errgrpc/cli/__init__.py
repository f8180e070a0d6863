"""The `errgrpc` command. `main` is its entry point; each subcommand has its own module."""

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command. Without the extra `cli`, it says what to install and exits with 2."""
    try:
        import typer  # noqa: F401, PLC0415  only to check that it is installed
    except ImportError:
        print(
            "errgrpc: the command needs the extra `cli`: pip install 'errgrpc[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    try:
        from errgrpc.cli.app import run  # noqa: PLC0415  it needs the extra

        run()
    except KeyboardInterrupt:  # the imports take most of the time of a short command
        sys.exit(130)
