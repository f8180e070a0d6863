"""A team's error-code table as the contract of its gRPC services: declare a code, raise it, catch it.

Declare a catalogue in a `.proto` (`errgrpc/v1/annotations.proto`, protoc-gen-errgrpc) or as an `ErrorCode` by hand; raise
`ServiceError` under a `ServerInterceptor`; catch `remote(code)` from a channel of `wrap_channel`. asyncio is in `errgrpc.aio`.
"""

from errgrpc import aio
from errgrpc.answering import encode
from errgrpc.codes import ErrorCode, MetadataField, Spec, Variant
from errgrpc.context import CurrentCall, current_call
from errgrpc.declaring import Raises
from errgrpc.reading import decode, from_error
from errgrpc.remote_error import RemoteError, remote
from errgrpc.reports import Answered, OnAnswer, OnError, OnReceived
from errgrpc.service_error import MisuseWarning, ServiceError
from errgrpc.sync import ClientInterceptor, ServerInterceptor, wrap_channel
from errgrpc.translating import Translate
from errgrpc.v1.component_code_errgrpc import ComponentCode
from errgrpc.v1.res_code_errgrpc import ResCode

__version__ = "0.1.0"

__all__ = [
    "Answered",
    "ClientInterceptor",
    "ComponentCode",
    "CurrentCall",
    "ErrorCode",
    "MetadataField",
    "MisuseWarning",
    "OnAnswer",
    "OnError",
    "OnReceived",
    "Raises",
    "RemoteError",
    "ResCode",
    "ServerInterceptor",
    "ServiceError",
    "Spec",
    "Translate",
    "Variant",
    "aio",
    "current_call",
    "decode",
    "encode",
    "from_error",
    "remote",
    "wrap_channel",
]

# Tracebacks, logs and pickles name what is exported, and not the room in which it stands today.
for _exported in (
    Answered,
    ClientInterceptor,
    ComponentCode,
    CurrentCall,
    ErrorCode,
    MetadataField,
    MisuseWarning,
    OnError,
    OnReceived,
    RemoteError,
    ResCode,
    ServerInterceptor,
    ServiceError,
    Spec,
    Variant,
    current_call,
    decode,
    encode,
    from_error,
    remote,
    wrap_channel,
):
    _exported.__module__ = __name__
