"""Envoy's gRPC-JSON transcoder with `convert_grpc_status`.

An error is an HTTP status with its google.rpc.Status as JSON.
"""

import json
import sys
from http.client import HTTPConnection
from typing import Any

from conformance.service import DEADLINE, Call, Said, call_lines, path

TYPE = "type.googleapis.com/google.rpc."


def read(body: dict[str, Any]) -> Said:
    """Reads an error as the author of a client does."""
    said: Said = {"status": body.get("code", 0), "message": body.get("message", ""), "details": []}
    for detail in body.get("details", ()):
        if detail["@type"] == TYPE + "ErrorInfo" and "reason" not in said:
            said |= {
                "reason": detail.get("reason", ""),
                "domain": detail.get("domain", ""),
                "metadata": detail.get("metadata", {}),
            }
        elif detail["@type"] == TYPE + "LocalizedMessage":
            said |= {"locale": detail.get("locale", ""), "hint": detail.get("message", "")}
        else:
            said["details"].append(detail)
    return said


def client(gateway: str) -> None:
    """Makes the calls of the runner."""
    connection = HTTPConnection(gateway, timeout=DEADLINE)

    def make(call: Call) -> Said:
        message: Any = {"vector": call["vector"], "messages": call["messages"]}
        streams = call["method"] in {"ClientStream", "BidiStream"}
        body = json.dumps([message] if streams else message)
        try:
            connection.request(
                "POST",
                path(call["method"]),
                body,
                {"content-type": "application/json", **call["metadata"]},
            )
            response = connection.getresponse()
            text, headers = response.read(), response.headers
        except OSError:
            connection.close()
            raise
        if response.status == 200:
            return {"failed": f"200: {text[:60].decode()}"}
        trailing = {key: value for key, value in headers.items() if key.startswith("x-")}
        if not text:
            return {"failed": f"{response.status} without a body"}
        return {"messages": 0, "trailing": trailing, **read(json.loads(text))}

    call_lines(make)
    connection.close()


if __name__ == "__main__":
    client(sys.argv[1])
