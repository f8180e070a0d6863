"""A validator's error as a BadRequest: `errgrpc.validation.protovalidate` and `errgrpc.validation.pydantic` each have `bad_request`."""
