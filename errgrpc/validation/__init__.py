"""Turns a validator's error into a BadRequest.

`errgrpc.validation.protovalidate` and `errgrpc.validation.pydantic` each have a `bad_request`.
"""
