"""gRPC-Web through Envoy, without a library.

If the answer has no message, the trailers are headers. Otherwise they are the last frame of the
body.
"""

import base64
import sys
from contextlib import suppress
from email.message import Message
from http.client import HTTPConnection
from urllib.parse import unquote

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from conformance.compare import encoded
from conformance.service import DEADLINE, Call, Said, call_lines, path
from conformance.v1.conformance_pb2 import AnswerRequest


def read(trailers: dict[str, str]) -> Said:
    """Reads an error as the author of a client does."""
    said: Said = {
        "status": int(trailers["grpc-status"]),
        "message": unquote(trailers.get("grpc-message", "")),
        "details": [],
    }
    raw = trailers.get("grpc-status-details-bin", "")
    status = status_pb2.Status()
    with suppress(DecodeError):  # of garbage the status is left
        status = status_pb2.Status.FromString(base64.b64decode(raw + "=" * (-len(raw) % 4)))
    for detail in status.details:
        with suppress(DecodeError):
            if detail.TypeName() == "google.rpc.ErrorInfo" and "reason" not in said:
                info = rpc.ErrorInfo.FromString(detail.value)
                said |= {
                    "reason": info.reason,
                    "domain": info.domain,
                    "metadata": dict(info.metadata),
                }
            elif detail.TypeName() == "google.rpc.LocalizedMessage":
                hint = rpc.LocalizedMessage.FromString(detail.value)
                said |= {"locale": hint.locale, "hint": hint.message}
            else:
                said["details"].append(encoded(detail.TypeName(), detail.value))
    return said


def client(kind: str, gateway: str) -> None:
    """Makes the calls of the runner.

    `kind` is the content type: `application/grpc-web+proto`, or `application/grpc-web-text+proto`
    in base64.
    """
    connection, text = HTTPConnection(gateway, timeout=DEADLINE), "-text" in kind

    def make(call: Call) -> Said:
        sent = AnswerRequest(vector=call["vector"], messages=call["messages"]).SerializeToString()
        body = b"\0" + len(sent).to_bytes(4, "big") + sent
        headers = {"content-type": kind, "accept": kind, **call["metadata"]}
        try:
            connection.request(
                "POST", path(call["method"]), base64.b64encode(body) if text else body, headers
            )
            response = connection.getresponse()
            received = response.read()
        except OSError:
            connection.close()
            raise
        messages, trailers = frames(_from_base64(received) if text else received, response.headers)
        trailing = {key: value for key, value in trailers.items() if key.startswith("x-")}
        return {"messages": messages, "trailing": trailing, **read(trailers)}

    call_lines(make)
    connection.close()


def frames(body: bytes, headers: Message) -> tuple[int, dict[str, str]]:
    """Returns the number of messages, and the trailers."""
    messages, trailers = 0, {name.lower(): value for name, value in headers.items()}
    while body:
        end = 5 + int.from_bytes(body[1:5], "big")
        if body[0] & 0x80:
            trailers = {
                name.lower(): value.strip()
                for name, _, value in (
                    line.partition(":") for line in body[5:end].decode().splitlines()
                )
            }
        else:
            messages += 1
        body = body[end:]
    return messages, trailers


def _from_base64(text: bytes) -> bytes:
    """Decodes base64 in which each frame may have its own padding."""
    whole = b""
    while text:
        end = text.find(b"=") + 1
        while end and text[end : end + 1] == b"=":
            end += 1
        piece, text = (text[:end], text[end:]) if end else (text, b"")
        whole += base64.b64decode(piece)
    return whole


if __name__ == "__main__":
    client(*sys.argv[1:])
