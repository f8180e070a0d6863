"""What type checkers accept, and the types that they find. Nothing of this runs."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Self, assert_never, assert_type

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

import errgrpc
from errgrpc import (
    ComponentCode,
    ErrorCode,
    MetadataField,
    RemoteError,
    ResCode,
    ServiceError,
    Spec,
    Variant,
)
from errgrpc.retries import service_config
from errgrpc.testing import failing, raises, recorded, remote_error, serve
from examples.classroom.v1.classroom_errgrpc import RAISES


class ShopCode(
    ErrorCode,
    domain="shop.example.com",
    default_locale="zh-CN",
    fallback="BROKEN",
    infer={grpc.StatusCode.NOT_FOUND: "GONE"},
):
    GONE = (
        1,
        Spec(
            grpc.StatusCode.NOT_FOUND,
            http_status=404,
            message="Gone",
            hints={"zh-CN": "没有了"},
            variants=[Variant({"sold": "true"}, {"zh-CN": "卖完了"})],
            description="The article left the shop.",
        ),
    )
    BROKEN = 2, Spec(grpc.StatusCode.INTERNAL)

    def shout(self) -> str:
        return self.message.upper()


def a_member_knows_itself() -> None:
    assert_type(ResCode.ROOM_NOT_EXIST.http_status, int | None)
    assert_type(ResCode.ROOM_NOT_EXIST.number, int)
    assert_type(int(ResCode.ROOM_NOT_EXIST), int)
    assert_type(ResCode.ROOM_NOT_EXIST.reason, str)
    assert_type(ResCode.ROOM_NOT_EXIST.domain, str)
    assert_type(ResCode.domain, str)
    assert_type(ResCode.ROOM_NOT_EXIST.grpc_status, grpc.StatusCode)
    assert_type(ResCode.ROOM_NOT_EXIST.message, str)
    assert_type(ResCode.ROOM_NOT_EXIST.description, str)
    assert_type(ResCode.ROOM_NOT_EXIST.hints, Mapping[str, str])
    assert_type(ResCode.ROOM_NOT_EXIST.hint("zh-CN", {"im_reused": "true"}), str | None)
    assert_type(ResCode(1004), ResCode)
    assert_type(ResCode["ROOM_NOT_EXIST"], ResCode)
    assert_type([code for code in ResCode], list[ResCode])  # noqa: C416
    assert_type(ResCode.CONFLICT < ResCode.NOT_FOUND, bool)
    assert_type(ResCode.CONFLICT <= ResCode.NOT_FOUND, bool)
    assert_type(ResCode.CONFLICT > ResCode.NOT_FOUND, bool)
    assert_type(ResCode.CONFLICT >= ResCode.NOT_FOUND, bool)
    assert_type(sorted(ResCode), list[ResCode])
    assert_type(ShopCode.GONE.shout(), str)
    assert_type(ShopCode.GONE.http_status, int | None)
    assert_type({ResCode.CONFLICT: 1}, dict[ResCode, int])


def a_match_over_all_members_is_exhaustive(code: ShopCode) -> str:
    match code:
        case ShopCode.GONE:
            return "gone"
        case ShopCode.BROKEN:
            return "broken"
        case _:
            assert_never(code)


def a_component_code(code: ComponentCode) -> int:
    match code:
        case ComponentCode.IM_LOGIN_ERROR | ComponentCode.RTC_INIT_ERROR:
            return 1
        case (
            ComponentCode.ENGINE_ERROR_CONNECT_FAIL
            | ComponentCode.ENGINE_ERROR_SERVER_KICKED
            | ComponentCode.ENGINE_ERROR_ROOM_CLOSED
        ):
            return 2


def raises_errors(details: list[Message]) -> None:
    ServiceError(ResCode.CONFLICT)
    ServiceError(
        ShopCode.GONE,
        "text",
        metadata={"a_key": 1, "other": None},
        hint="x",
        details=details,
        retry_delay=1.5,
        room=42,
    )
    ServiceError(
        ComponentCode.RTC_INIT_ERROR,
        hint={"en": "x"},
        details=(rpc.Help(),),
        retry_delay=timedelta(seconds=1),
    )
    ServiceError(ResCode.CONFLICT, details=[rpc.Help(), rpc.BadRequest()])
    error = ServiceError(ResCode.CONFLICT, None, metadata=None, hint=None, retry_delay=None)
    field = MetadataField("limit", "How many", example="30", optional=True, type=int)
    Spec(
        grpc.StatusCode.ABORTED,
        metadata_fields=[field],
        retryable=True,
        resolution="Wait",
        deprecated=False,
    )
    assert_type(ResCode.CONFLICT.metadata_fields, tuple[MetadataField, ...])
    assert_type(ResCode.CONFLICT.retryable, bool | None)
    assert_type(ResCode.CONFLICT.help_url, str | None)
    assert_type(error.error_code, ErrorCode)
    assert_type(error.message, str)
    assert_type(error.metadata, Mapping[str, str])
    assert_type(error.hint, str | Mapping[str, str] | None)
    assert_type(error.status_details, tuple[Message, ...])
    assert_type(error.retry_delay, float | None)
    raise error


def declares(raises: errgrpc.Raises, methods: Mapping[str, frozenset[ErrorCode]]) -> None:
    errgrpc.ServerInterceptor(ResCode, raises=raises)
    errgrpc.aio.ServerInterceptor(ResCode, raises=[raises, RAISES, {"/a/b": [ShopCode.GONE]}])
    errgrpc.ServerInterceptor(ResCode, raises=methods)
    errgrpc.ServerInterceptor(ResCode, raises=None)
    assert_type(RAISES, Mapping[str, frozenset[ErrorCode]])


def tests(add: Callable[[object, object], None], stub: Any) -> None:
    assert_type(
        remote_error(ResCode.CONFLICT, locale="en", retry_delay=1, room_uuid="r"), RemoteError
    )
    assert_type(remote_error(grpc.StatusCode.UNAVAILABLE, "refused"), RemoteError)
    with raises(ResCode.CONFLICT, room_uuid="r") as caught, raises(ShopCode):
        pass
    assert_type(caught.error, ServiceError | RemoteError)
    with serve(
        add, object(), ResCode, client={"locale": "en", "catalogues": [ShopCode]}, raises=RAISES
    ) as channel:
        assert_type(channel, grpc.Channel)
    with recorded() as answered:
        assert_type(answered, list[errgrpc.Answered])
    stub.Buy = failing(ResCode.CONFLICT, like=stub.Buy, room_uuid="r")


async def async_tests(add: Callable[[object, object], None]) -> None:
    async with serve(add, object(), ResCode) as channel:
        assert_type(channel, grpc.aio.Channel)


def tries_again(error: RemoteError, service: ServiceDescriptor) -> None:
    assert_type(error.retry_delay, float | None)
    assert_type(error.retryable, bool | None)
    config = service_config(
        ResCode,
        services=[service],
        statuses={grpc.StatusCode.UNAVAILABLE},
        safe_methods=["/a/b"],
        throttling=(5, 1),
    )
    assert_type(config, str)


class NoRoom(ServiceError):
    def __init__(self, room: str) -> None:
        super().__init__(ResCode.ROOM_NOT_EXIST, room_uuid=room)
        self.room = room

    def again(self) -> Self:
        return self


def catches(call: Callable[[], object]) -> None:
    try:
        call()
    except errgrpc.remote(ResCode.ROOM_NOT_EXIST) as error:
        assert_type(error, RemoteError)
        assert_type(error.error_code, ErrorCode | None)
        assert_type(error.number, int | None)
        assert_type(error.reason, str | None)
        assert_type(error.domain, str | None)
        assert_type(error.metadata, Mapping[str, str])
        assert_type(error.hint, str | None)
        assert_type(error.locale, str | None)
        assert_type(error.request_id, str | None)
        assert_type(error.inferred, bool)
        assert_type(error.status_details, tuple[Message, ...])
        assert_type(error.detail(rpc.BadRequest), rpc.BadRequest | None)
        assert_type(error.code(), grpc.StatusCode)
        assert_type(error.details(), str | None)
        if error.error_code is ResCode.ROOM_NOT_EXIST:
            logging.info("%s", error)
        raise ServiceError.from_remote(error) from error
    except errgrpc.remote(ResCode) as error:
        assert_type(error, RemoteError)
    except (errgrpc.remote(ShopCode.GONE), errgrpc.remote(ShopCode)) as error:
        assert_type(error, RemoteError)
    except RemoteError as error:
        assert_type(error.code(), grpc.StatusCode)
    except grpc.RpcError as error:
        assert_type(errgrpc.from_error(error, ResCode, ShopCode), RemoteError)
    with contextlib.suppress(errgrpc.remote(ResCode.CONFLICT)):
        call()
    assert_type(NoRoom.from_remote(errgrpc.decode(b"")), NoRoom)


def catches_groups(call: Callable[[], object]) -> None:
    try:
        call()
    except* errgrpc.remote(ResCode.ROOM_NOT_EXIST) as group:
        assert_type(group, ExceptionGroup[RemoteError])


def to_service_error(error: LookupError) -> ServiceError:
    return ServiceError(ResCode.NOT_FOUND, key=str(error))


def on_error(error: BaseException, *, method: str, code: ErrorCode, request_id: str) -> None:
    logging.error("%s %s %s", method, code, request_id, exc_info=error)


class Hook:
    def __call__(
        self, error: BaseException, /, *, method: str, code: ErrorCode, request_id: str
    ) -> bool:
        return True


def on_answer(answered: errgrpc.Answered) -> None:
    assert_type(answered.error, BaseException | None)
    assert_type(answered.code, ErrorCode | None)
    assert_type(answered.status, grpc.StatusCode | int)
    assert_type(answered.request_id, str | None)


def on_received(error: RemoteError, *, method: str) -> None: ...


def hears() -> None:
    errgrpc.ServerInterceptor(ResCode, on_answer=on_answer)
    errgrpc.aio.ServerInterceptor(ResCode, on_answer=lambda answered: print(answered.outcome))
    errgrpc.ClientInterceptor(ResCode, on_received=on_received)
    errgrpc.aio.client_interceptors(ResCode, on_received=on_received)
    errgrpc.wrap_channel(grpc.insecure_channel("host:1"), ResCode, on_received=on_received)
    errgrpc.aio.wrap_channel(grpc.aio.insecure_channel("host:1"), ResCode, on_received=on_received)
    assert_type(errgrpc.remote(ResCode.CONFLICT, ComponentCode), tuple[type[RemoteError], ...])
    try:
        pass
    except errgrpc.remote(ResCode.CONFLICT, ComponentCode) as error:
        assert_type(error, RemoteError)


def serves(pool: Any) -> None:
    grpc.server(pool, interceptors=[errgrpc.ServerInterceptor(ResCode)])
    grpc.aio.server(interceptors=[errgrpc.aio.ServerInterceptor(ResCode)])
    errgrpc.ServerInterceptor(
        ShopCode,
        translate={LookupError: to_service_error},
        on_error=on_error,
        max_trailer_bytes=4_000,
    )
    errgrpc.ServerInterceptor(
        ResCode, translate={KeyError: ResCode.NOT_FOUND, OSError: ShopCode.BROKEN}, on_error=Hook()
    )
    errgrpc.ServerInterceptor(
        ResCode, translate={LookupError: to_service_error, OSError: ResCode.CONFLICT}
    )
    errgrpc.ServerInterceptor(
        ResCode, translate={errgrpc.remote(ResCode): ServiceError.from_remote}
    )
    errgrpc.aio.ServerInterceptor(
        ResCode, translate={LookupError: lambda error: NoRoom(str(error))}, on_error=on_error
    )


def calls() -> None:
    grpc.intercept_channel(
        grpc.insecure_channel("host:1"),
        errgrpc.ClientInterceptor(ResCode, ComponentCode, locale="zh-CN"),
    )
    grpc.aio.insecure_channel(
        "host:1", interceptors=errgrpc.aio.client_interceptors(ResCode, locale="zh-CN")
    )
    grpc.aio.insecure_channel("host:1", interceptors=[*errgrpc.aio.client_interceptors()])
    assert_type(
        errgrpc.wrap_channel(
            grpc.insecure_channel("host:1"), ResCode, ComponentCode, locale="zh-CN"
        ),
        grpc.Channel,
    )
    assert_type(
        errgrpc.aio.wrap_channel(grpc.aio.insecure_channel("host:1"), ResCode, locale="zh-CN"),
        grpc.aio.Channel,
    )
    with errgrpc.wrap_channel(grpc.insecure_channel("host:1")) as channel:
        grpc.channel_ready_future(errgrpc.wrap_channel(channel, ShopCode))


async def calls_async() -> None:
    async with errgrpc.aio.wrap_channel(grpc.aio.insecure_channel("host:1"), ShopCode) as channel:
        await channel.channel_ready()


def holds_only_the_message(error: ServiceError) -> Iterator[RemoteError]:
    status = errgrpc.encode(error, "zh-CN, en;q=0.5")
    assert_type(status, status_pb2.Status)
    yield errgrpc.decode(status, ResCode)
    yield errgrpc.decode(status.SerializeToString(), ResCode, ShopCode)
