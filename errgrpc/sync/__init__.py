"""The interceptors and the channel for grpc's sync stack. `errgrpc` exports them."""

from errgrpc.sync.channel import wrap_channel
from errgrpc.sync.client import ClientInterceptor
from errgrpc.sync.server import ServerInterceptor

__all__ = ["ClientInterceptor", "ServerInterceptor", "wrap_channel"]
