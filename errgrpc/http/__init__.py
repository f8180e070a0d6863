"""Sends the same errors over HTTP: from an error to status, headers and JSON, and back.

This package needs no framework. Three modules connect it to frameworks and clients:

- `errgrpc.http.starlette` answers for Starlette and FastAPI.
- `errgrpc.http.asgi` answers for any other ASGI application.
- `errgrpc.http.httpx` reads the responses of httpx.
"""

from errgrpc.http.bodies import Answer, Form, Headers, Request, encode
from errgrpc.http.details import Json, data
from errgrpc.http.reading import decode
from errgrpc.http.responder import Responder

__all__ = ["Answer", "Form", "Headers", "Json", "Request", "Responder", "data", "decode", "encode"]

for _exported in (Answer, Request, Responder, data, decode, encode):
    _exported.__module__ = __name__
