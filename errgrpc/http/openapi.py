"""Changes FastAPI's OpenAPI schema so that it shows errgrpc's answers to refused requests.

They have status 400 and errgrpc's body in place of 422 and FastAPI's body.
"""

import itertools
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
    "requestId": {
        "type": "string",
        "description": "The id of the request, also in the header x-request-id",
    },
    "cost": {"type": "string", "description": 'How long the request took, such as "66ms"'},
}
_DETAIL = {
    "type": "object",
    "required": ["@type"],
    "properties": {"@type": {"type": "string"}},
    "additionalProperties": True,
}
_STATUS: dict[str, Any] = {
    "code": {"type": "integer", "format": "int32", "description": "The HTTP status"},
    "message": _MESSAGE,
    "status": {"type": "string", "description": "The name of the gRPC status, such as NOT_FOUND"},
    "details": {
        "type": "array",
        "items": _DETAIL,
        "description": "google.rpc details as ProtoJSON",
    },
}
_OPTIONAL = ("data", "cost")


def shown_by(
    openapi: Callable[[], dict[str, Any]], form: Form, status: int, description: str
) -> Callable[[], dict[str, Any]]:
    """Wraps `app.openapi`: the answer to a refused request is errgrpc's in place of FastAPI's.

    If an operation declares an answer for the same status, that answer stays. The function never
    fails: it leaves any part that FastAPI did not write.
    """

    def shown() -> dict[str, Any]:
        schema = openapi()  # returns the same object each time, so only the first call changes it
        components = _dict(_dict(schema, "components"), "schemas")
        if not _is_fastapis(components.get(_OF_FASTAPI[0])):
            return schema
        name = next(
            name
            for name in itertools.chain([_NAME], map((_NAME + "{}").format, itertools.count(2)))
            if name not in components
        )
        answer = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": _REFERENCE + name}}},
        }
        for path in _dict(schema, "paths").values():
            for operation in path.values() if isinstance(path, dict) else ():
                responses = _dict(operation, "responses")
                if _refers(responses.get(_REFUSED), _REFERENCE + _OF_FASTAPI[0]):
                    del responses[_REFUSED]
                    responses.setdefault(str(status), answer)
        if _refers(schema, _REFERENCE + name):
            components[name] = _schema(form)
        for own in _OF_FASTAPI:
            if own in components and not _refers(schema, _REFERENCE + own):
                del components[own]
        return schema

    return shown


def _dict(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _is_fastapis(component: Any) -> bool:
    """Returns whether it is FastAPI's component, and not an application's model of that name."""
    return _dict(component, "properties").keys() == {"detail"}


def _refers(value: Any, reference: str) -> bool:
    todo = [value]
    while todo:
        current = todo.pop()
        if isinstance(current, dict):
            if current.get("$ref") == reference:
                return True
            todo += current.values()
        elif isinstance(current, list):
            todo += current
    return False


def _schema(form: Form) -> dict[str, Any]:
    properties = {} if form == "aip193" else dict(_ENVELOPE)
    if form != "envelope":
        properties["error"] = _object(_STATUS)
    return _object(properties)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name in properties if name not in _OPTIONAL],
        "properties": properties,
    }
