"""For tests of services and clients: errors as a client gets them, servers on free ports, stand-ins for stubs, what was answered.

Nothing here needs pytest; its plugin, `pytest_errgrpc`, is made of this.
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
