"""What type checkers refuse: beside each line stand the code of mypy and the rule of pyright.

Nothing of this runs.
"""
# ruff: noqa: B015, B018

from collections.abc import Callable
from typing import assert_never

import grpc
import grpc.aio
from grpc import StatusCode

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, Spec
from errgrpc.retries import service_config
from errgrpc.testing import failing, raises, remote_error, serve


class ShopCode(ErrorCode, domain="shop.example.com"):
    GONE = 1, Spec(StatusCode.NOT_FOUND)
    BROKEN = 2, Spec(StatusCode.INTERNAL)


def takes_a_res_code(code: ResCode) -> None: ...


def wrong_members() -> None:
    wrong: ResCode = ComponentCode.RTC_INIT_ERROR  # expect: assignment / reportAssignmentType
    takes_a_res_code(ComponentCode.RTC_INIT_ERROR)  # expect: arg-type / reportArgumentType
    takes_a_res_code(404)  # expect: arg-type / reportArgumentType
    ResCode.NO_SUCH_CODE  # expect: attr-defined / reportAttributeAccessIssue
    ResCode.NOT_FOUND.number = 5  # expect: misc / reportAttributeAccessIssue
    ResCode.CONFLICT.http_status = 5  # expect: misc / reportAttributeAccessIssue
    ResCode.NOT_FOUND.hints["en"] = "x"  # expect: index / reportIndexIssue
    ResCode.NOT_FOUND < ComponentCode.RTC_INIT_ERROR  # expect: operator / reportOperatorIssue
    ResCode.NOT_FOUND.http_status + 1  # expect: operator / reportOptionalOperand
    text: str = ResCode.NOT_FOUND.hint("en")  # expect: assignment / reportAssignmentType
    print(wrong, text)


def wrong_specs() -> None:
    Spec()  # expect: call-arg / reportCallIssue
    Spec(5)  # expect: arg-type / reportArgumentType
    Spec(StatusCode.NOT_FOUND, 404)  # expect: call-arg / reportCallIssue
    Spec(StatusCode.NOT_FOUND, http_status="404")  # expect: arg-type / reportArgumentType
    Spec(StatusCode.NOT_FOUND, hints={"en": 5})  # expect: dict-item / reportArgumentType


def a_match_that_forgets_a_member(code: ShopCode) -> str:
    match code:
        case ShopCode.GONE:
            return "gone"
        case _:
            assert_never(code)  # expect: arg-type / reportArgumentType


def wrong_errors() -> None:
    ServiceError()  # expect: call-arg / reportCallIssue
    ServiceError("x")  # expect: arg-type / reportArgumentType
    ServiceError(404)  # expect: arg-type / reportArgumentType
    ServiceError(ResCode)  # expect: arg-type / reportArgumentType
    ServiceError(ResCode.CONFLICT, 5)  # expect: arg-type / reportArgumentType
    ServiceError(ResCode.CONFLICT, details="x")  # expect: arg-type / reportArgumentType
    ServiceError(ResCode.CONFLICT, details=["x"])  # expect: list-item / reportArgumentType
    ServiceError(ResCode.CONFLICT, hint={"en": 5})  # expect: dict-item / reportArgumentType
    ServiceError(ResCode.CONFLICT, retry_delay="5")  # expect: arg-type / reportArgumentType
    ServiceError(ResCode.CONFLICT).metadata["a"] = "b"  # expect: index / reportIndexIssue
    # expect: misc / reportAttributeAccessIssue
    ServiceError(ResCode.CONFLICT).error_code = ResCode.NOT_FOUND
    ServiceError.from_remote(LookupError())  # expect: arg-type / reportArgumentType


def wrong_raises(error: RemoteError) -> None:
    # expect: arg-type / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, raises={"/a/b": ResCode.CONFLICT})
    # expect: list-item / reportArgumentType
    errgrpc.aio.ServerInterceptor(ResCode, raises=["/a/b"])
    error.retry_delay = 5  # expect: misc / reportAttributeAccessIssue
    service_config(ResCode)  # expect: call-arg / reportCallIssue
    service_config(ResCode, services=["Shop"])  # expect: list-item / reportArgumentType
    service_config(ResCode, services=[], statuses={14})  # expect: arg-type / reportArgumentType


def wrong_tests() -> None:
    raises("CONFLICT")  # expect: arg-type / reportArgumentType
    remote_error(404)  # expect: arg-type / reportArgumentType
    # expect: arg-type / reportArgumentType
    serve(print, object(), ResCode, client={"language": "en"})
    failing(ResCode)  # expect: arg-type / reportArgumentType


def wrong_catching(call: Callable[[], object], error: RemoteError) -> None:
    errgrpc.remote(5)  # expect: call-overload / reportArgumentType
    errgrpc.remote("ROOM_NOT_EXIST")  # expect: call-overload / reportArgumentType
    errgrpc.remote(LookupError)  # expect: arg-type / reportArgumentType
    error.detail(LookupError)  # expect: type-var / reportArgumentType
    error.error_code.reason  # expect: union-attr / reportOptionalMemberAccess
    error.hint.upper()  # expect: union-attr / reportOptionalMemberAccess
    raised: ServiceError = error  # expect: assignment / reportAssignmentType
    errgrpc.from_error(LookupError(), ResCode)  # expect: arg-type / reportArgumentType
    errgrpc.from_error(error, ResCode.CONFLICT)  # expect: arg-type / reportArgumentType
    errgrpc.decode(5)  # expect: arg-type / reportArgumentType
    errgrpc.encode(error)  # expect: arg-type / reportArgumentType
    print(raised)


def on_received(error: RemoteError, *, method: str) -> None: ...


def print_answered(answered: errgrpc.Answered) -> None: ...


def no_keywords(error: BaseException) -> None: ...


def too_narrow(error: LookupError, *, method: str, code: ErrorCode, request_id: str) -> None: ...


def no_service_error(error: LookupError) -> str:
    return str(error)


def wrong_fields() -> None:
    errgrpc.MetadataField(5)  # expect: arg-type / reportArgumentType
    errgrpc.MetadataField("room", type="string")  # expect: arg-type / reportArgumentType
    errgrpc.MetadataField("room", type=dict)  # expect: arg-type / reportArgumentType
    errgrpc.MetadataField("room", "text", "example")  # expect: call-arg / reportCallIssue


def wrong_interceptors() -> None:
    errgrpc.ServerInterceptor()  # expect: call-arg / reportCallIssue
    errgrpc.ServerInterceptor(ResCode.CONFLICT)  # expect: arg-type / reportArgumentType
    errgrpc.ServerInterceptor(LookupError)  # expect: arg-type / reportArgumentType
    # expect: arg-type / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, on_answer=on_received)
    # expect: arg-type / reportArgumentType
    errgrpc.ClientInterceptor(ResCode, on_received=print_answered)
    # expect: arg-type / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, on_error=no_keywords)
    errgrpc.ServerInterceptor(ResCode, on_error=too_narrow)  # expect: arg-type / reportArgumentType
    # expect: dict-item / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, translate={LookupError: no_service_error})
    # expect: dict-item / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, translate={LookupError: 404})
    # expect: arg-type / reportArgumentType
    errgrpc.ServerInterceptor(ResCode, max_trailer_bytes="x")
    errgrpc.aio.ServerInterceptor(ResCode.CONFLICT)  # expect: arg-type / reportArgumentType
    # expect: arg-type / reportArgumentType
    errgrpc.aio.ServerInterceptor(ResCode, on_error=no_keywords)
    errgrpc.ClientInterceptor("zh-CN")  # expect: arg-type / reportArgumentType
    errgrpc.ClientInterceptor(ResCode, locale=5)  # expect: arg-type / reportArgumentType
    errgrpc.aio.client_interceptors(ResCode.CONFLICT)  # expect: arg-type / reportArgumentType
    # expect: arg-type / reportArgumentType
    errgrpc.wrap_channel(grpc.aio.insecure_channel("host:1"), ResCode)
    # expect: arg-type / reportArgumentType
    errgrpc.wrap_channel(grpc.insecure_channel("host:1"), ResCode.CONFLICT)
    # expect: arg-type / reportArgumentType
    errgrpc.aio.wrap_channel(grpc.insecure_channel("host:1"), ResCode)
