"""The interceptors and the channel for grpc.aio.

The errors and codes are the same as for grpc's sync stack: import them from `errgrpc`.
"""

from errgrpc.aio.channel import wrap_channel
from errgrpc.aio.client import client_interceptors
from errgrpc.aio.server import ServerInterceptor

__all__ = ["ServerInterceptor", "client_interceptors", "wrap_channel"]

for _exported in (ServerInterceptor, client_interceptors, wrap_channel):
    _exported.__module__ = __name__
