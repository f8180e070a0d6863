"""Runs the command `errgrpc` as `python -m errgrpc`."""

from errgrpc.cli import main

if __name__ == "__main__":
    main()
