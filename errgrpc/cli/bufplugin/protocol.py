"""PluginRPC: an argument names the procedure, stdin has its request, and stdout its response.

For each module, `buf lint` starts the program nine times. Four of these calls ask only for the
protocol and the procedures. They do not import `checks`: that takes 0.13 s of 0.3 s CPU time
(Python 3.11, `python -c "import errgrpc.cli.bufplugin.checks"`).
"""

import sys
from argparse import ArgumentParser

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from errgrpc.cli.bufplugin import pluginrpc_pb2 as rpc

__all__ = ["PROCEDURES", "answer", "run"]

_NAME = "buf-plugin-errgrpc"
_SERVICE = "/buf.plugin.check.v1.CheckService"
PROCEDURES = {f"{_SERVICE}/{name}": name for name in ("Check", "ListRules", "ListCategories")}


def answer(procedure: str, data: bytes, form: str) -> bytes:
    """Answers a serialized request with a serialized response, which may be an error."""
    from errgrpc.cli.bufplugin import checks  # noqa: PLC0415  it needs the extra
    from errgrpc.cli.output import Misuse  # noqa: PLC0415  it needs the extra, too

    kind, handle = checks.HANDLERS[PROCEDURES[procedure]]
    request, argument, response = rpc.Request(), kind(), rpc.Response()
    try:
        if form == "binary":
            request.ParseFromString(data)
        elif data:
            json_format.Parse(data, request, ignore_unknown_fields=True)
        if request.HasField("value") and not request.value.Unpack(argument):
            raise ValueError(f"it holds {request.value.type_url!r}")  # noqa: TRY301  answered below
    except (ValueError, RecursionError, DecodeError, json_format.ParseError) as error:
        response.error.code = rpc.CODE_INVALID_ARGUMENT
        response.error.message = (
            f"standard input is no pluginrpc.v1.Request with a {kind.DESCRIPTOR.full_name} "
            f"in the format {form}: {error}"
        )
        return _serialized(response, form)
    try:
        response.value.Pack(handle(argument))
    except Misuse as error:
        response.error.code = rpc.CODE_FAILED_PRECONDITION
        response.error.message = str(error)
    return _serialized(response, form)


def _serialized(message: Message, form: str) -> bytes:
    if form == "json":
        return json_format.MessageToJson(message).encode()
    return message.SerializeToString()


def run() -> None:
    """Runs the plugin with the arguments of the process."""
    parser = ArgumentParser(_NAME, description="A plugin for `buf lint` and `buf breaking`.")
    parser.add_argument("--protocol", action="store_true", help="print the version of PluginRPC")
    parser.add_argument("--spec", action="store_true", help="print the procedures")
    parser.add_argument("--format", choices=("binary", "json"), default="binary")
    parser.add_argument("procedure", nargs="?", choices=PROCEDURES, metavar="PROCEDURE")
    given = parser.parse_args()
    out = sys.stdout.buffer
    if given.protocol:
        out.write(b"1\n")
    elif given.spec:
        spec = rpc.Spec(procedures=[rpc.Procedure(path=path) for path in PROCEDURES])
        out.write(_serialized(spec, given.format))
    elif given.procedure:
        data = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
        try:
            out.write(answer(given.procedure, data, given.format))
        except ImportError as error:
            parser.error(f"the plugin needs the extra `cli`: pip install 'errgrpc[cli]' ({error})")
    else:
        parser.error("buf runs this plugin: name it in buf.yaml, as docs/command-buf.md shows")
