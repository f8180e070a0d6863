"""Makes a team's table of error codes the contract of its gRPC services.

- Declare a catalogue of codes: in a `.proto` (`errgrpc/v1/annotations.proto` and
  protoc-gen-errgrpc), or by hand as a subclass of `ErrorCode`.
- On a server, add a `ServerInterceptor`, and raise `ServiceError` in the handlers.
- On a client, wrap the channel with `wrap_channel`, and catch `remote(code)`.

For grpc.aio, use the interceptors and the channel of `errgrpc.aio`.
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

# Tracebacks, logs and pickles name `errgrpc`, because a later version may move the modules inside.
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
