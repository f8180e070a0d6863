"""The answers to refused requests, as FastAPI's OpenAPI schema shows them: 400 and our body in place of 422 and FastAPI's."""

from collections.abc import Callable
from typing import Any

from errgrpc.http.bodies import Form

__all__ = ["shown_by"]

_REFUSED = "422"
_REFERENCE = "#/components/schemas/"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")  # the first refers to the second
_NAME = "ErrgrpcError"

_NUMBER = {"type": "integer", "format": "int32", "description": "The number of the error code"}
_MESSAGE = {"type": "string", "description": "What went wrong, in English, for developers"}
_ENVELOPE: dict[str, Any] = {
    "code": _NUMBER,
    "msg": _MESSAGE,
    "data": {"description": "The first detail of the error; absent without one"},
    "ts": {"type": "integer", "format": "int64", "description": "Milliseconds since 1970"},
    "requestId": {"type": "string", "description": "The id of the request, also in the header x-request-id"},
    "cost": {"type": "string", "description": 'How long the request took, such as "66ms"'},
}
_DETAIL = {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}, "additionalProperties": True}
_STATUS: dict[str, Any] = {
    "code": {"type": "integer", "format": "int32", "description": "The HTTP status"},
    "message": _MESSAGE,
    "status": {"type": "string", "description": "The name of the gRPC status, such as NOT_FOUND"},
    "details": {"type": "array", "items": _DETAIL, "description": "google.rpc details as ProtoJSON"},
}
_OPTIONAL = ("data", "cost")


def shown_by(openapi: Callable[[], dict[str, Any]], form: Form, status: int, description: str) -> Callable[[], dict[str, Any]]:
    """`app.openapi`, with this answer to a refused request in place of FastAPI's own.

    An answer that an operation declares for the status itself stays.
    """

    def shown() -> dict[str, Any]:
        schema = openapi()  # the same object each time, so nothing is left to do the second time
        components = schema.get("components", {}).get("schemas", {})
        operations = [each for path in schema.get("paths", {}).values() for each in path.values() if isinstance(each, dict)]
        found = [each["responses"] for each in operations if _is_fastapis(each.get("responses", {}).get(_REFUSED))]
        for responses in found:
            del responses[_REFUSED]
            content = {"application/json": {"schema": {"$ref": _REFERENCE + _NAME}}}
            responses.setdefault(str(status), {"description": description, "content": content})
        if found:
            components[_NAME] = _schema(form)
        for name in _OF_FASTAPI:
            if name in components and not _refers(schema, _REFERENCE + name):
                del components[name]
        return schema

    return shown


def _is_fastapis(response: Any) -> bool:
    return isinstance(response, dict) and _refers(response, _REFERENCE + _OF_FASTAPI[0])


def _refers(value: Any, reference: str) -> bool:
    if isinstance(value, dict):
        return value.get("$ref") == reference or any(_refers(each, reference) for each in value.values())
    return isinstance(value, list) and any(_refers(each, reference) for each in value)


def _schema(form: Form) -> dict[str, Any]:
    properties = {} if form == "aip193" else dict(_ENVELOPE)
    if form != "envelope":
        properties["error"] = _object(_STATUS)
    return _object(properties)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name for name in properties if name not in _OPTIONAL], "properties": properties}
