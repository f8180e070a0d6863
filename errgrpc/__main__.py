"""`python -m errgrpc`: the same as the command `errgrpc`."""

from errgrpc.cli import main

if __name__ == "__main__":
    main()
