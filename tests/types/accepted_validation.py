"""What type checkers accept of validation. Nothing of this runs."""

from typing import assert_type

import fastapi.exceptions
import protovalidate
import pydantic

import errgrpc
from errgrpc import ResCode, ServiceError
from errgrpc.http.starlette import install
from errgrpc.validation import protovalidate as of_protos
from errgrpc.validation import pydantic as of_models

texts = {"string.min_len": {"en-US": "Too short", "zh-CN": "太短"}}
translate: errgrpc.Translate = {
    protovalidate.ValidationError: of_protos.bad_request(ResCode.BAD_REQUEST, messages=texts),
    pydantic.ValidationError: of_models.bad_request(
        ResCode.BAD_REQUEST, messages={"missing": "缺失"}, custom_texts=True
    ),
}
errgrpc.ServerInterceptor(ResCode, translate=translate)
errgrpc.aio.ServerInterceptor(
    ResCode, translate={protovalidate.ValidationError: of_protos.bad_request(ResCode.BAD_REQUEST)}
)
install(
    fastapi.FastAPI(),
    ResCode,
    translate={fastapi.exceptions.RequestValidationError: of_models.bad_request(ResCode.CONFLICT)},
)


def found(error: protovalidate.ValidationError) -> ServiceError:
    return assert_type(
        of_protos.bad_request(ResCode.BAD_REQUEST, messages={"a": "text", "b": {"en": "text"}})(
            error
        ),
        ServiceError,
    )
