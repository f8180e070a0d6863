"""Helps to test services and clients.

- `remote_error` makes an error as a client gets it.
- `raises` checks that a block raises an error.
- `serve` serves a servicer on a free port.
- `failing` replaces a method of a stub with one that fails, without a server.
- `recorded` records the failed calls of servers.

They work without pytest. The pytest plugin `pytest_errgrpc` uses them.
"""

from errgrpc.testing.errors import Raised, raises, remote_error
from errgrpc.testing.failing import failing
from errgrpc.testing.recording import recorded
from errgrpc.testing.serving import ClientOptions, Serving, serve

__all__ = [
    "ClientOptions",
    "Raised",
    "Serving",
    "failing",
    "raises",
    "recorded",
    "remote_error",
    "serve",
]

for _exported in (ClientOptions, Raised, Serving, failing, raises, recorded, remote_error, serve):
    _exported.__module__ = __name__
