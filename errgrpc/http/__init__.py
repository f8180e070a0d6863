"""The same errors over HTTP: an error to status, headers and JSON, and back. Needs no framework.

`errgrpc.http.starlette` answers for Starlette and FastAPI, `errgrpc.http.asgi` for any other ASGI application,
`errgrpc.http.httpx` reads httpx's responses.
"""

from errgrpc.http.bodies import Answer, Form, Headers, Request, encode
from errgrpc.http.details import Json, data
from errgrpc.http.reading import decode
from errgrpc.http.responder import Responder

__all__ = ["Answer", "Form", "Headers", "Json", "Request", "Responder", "data", "decode", "encode"]

for _exported in (Answer, Request, Responder, data, decode, encode):
    _exported.__module__ = __name__
