"""A team's error-code table as the contract of its gRPC services: declare a code, raise it, catch it.

Declare a catalogue in a `.proto` (`errgrpc/v1/annotations.proto`, protoc-gen-errgrpc) or as an `ErrorCode` by hand; raise
`ServiceError` under a `ServerInterceptor`; catch `remote(code)` from a channel of `wrap_channel`. asyncio is in `errgrpc.aio`.
"""

from errgrpc import aio
from errgrpc.answering import encode
from errgrpc.channel import wrap_channel
from errgrpc.client import ClientInterceptor
from errgrpc.codes import ErrorCode, Spec, Variant
from errgrpc.errors import MisuseWarning, RemoteError, ServiceError, remote
from errgrpc.reading import decode, from_error
from errgrpc.server import ServerInterceptor
from errgrpc.v1.component_code_errgrpc import ComponentCode
from errgrpc.v1.res_code_errgrpc import ResCode

__all__ = [
    "ClientInterceptor",
    "ComponentCode",
    "ErrorCode",
    "MisuseWarning",
    "RemoteError",
    "ResCode",
    "ServerInterceptor",
    "ServiceError",
    "Spec",
    "Variant",
    "aio",
    "decode",
    "encode",
    "from_error",
    "remote",
    "wrap_channel",
]
