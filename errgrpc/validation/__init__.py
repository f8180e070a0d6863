"""Turns the errors of a validator into a ServiceError with a google.rpc.BadRequest.

Use `bad_request` of `errgrpc.validation.protovalidate` or `errgrpc.validation.pydantic`.
"""
