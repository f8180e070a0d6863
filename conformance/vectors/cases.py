"""The cases that errgrpc answers itself.

Each says what a handler raises, what its client sends, and which code a reader must find.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

import errgrpc
from conformance.v1.conformance_pb2 import AnswerResponse
from errgrpc import ComponentCode, ErrorCode, MetadataField, ResCode, ServiceError, Spec

__all__ = ["KNOWN", "Case", "later", "raised"]

KNOWN = (ResCode, ComponentCode)
"""The catalogues that a typed reader knows."""
ENGLISH = (("accept-language", "en"),)
UPSTREAM_ID = "upstream-7f3a"


@dataclass(frozen=True)
class Case:
    """One error that a server answers."""

    name: str
    error: Callable[[], BaseException]
    """Makes the exception that the handler raises."""
    code: ErrorCode
    """The code of the answer."""
    metadata: tuple[tuple[str, str], ...] = ()
    """The metadata that the client sends."""
    trailing: tuple[tuple[str, str], ...] = ()
    """The trailing metadata that the handler set."""
    known_as: ErrorCode | None = None
    """The code that a reader finds if it does not know `code`."""
    servable: bool = True


class OtherTeamCode(ErrorCode, domain="shop.example.com", default_locale="en-US"):
    """Another team's catalogue, which the readers do not know."""

    SOLD_OUT = (
        1,
        Spec(
            StatusCode.FAILED_PRECONDITION,
            message="Sold out",
            hints={"en-US": "It is sold out", "zh-CN": "已售罄"},
        ),
    )
    NO_HINT = 2, Spec(StatusCode.NOT_FOUND, message="No hint")


class GateCode(ErrorCode, domain="gate.example.com"):
    """Another team's catalogue of failures that must not be retried."""

    CLOSED = 1, Spec(StatusCode.UNAVAILABLE, message="Closed", retryable=False)
    LOCKED = 2, Spec(StatusCode.RESOURCE_EXHAUSTED, message="Locked", retryable=False)


class SeatCode(ErrorCode, domain="seats.example.com", default_locale="en-US"):
    """Another team's catalogue with placeholders in its texts."""

    FULL = (
        1,
        Spec(
            StatusCode.RESOURCE_EXHAUSTED,
            message="{limit} seats in {room_name} {{all}} taken",
            hints={
                "en-US": "All {limit} seats in {room_name} are taken",
                "zh-CN": "{room_name} 的 {limit} 个座位已满",
            },
            metadata_fields=[
                MetadataField("limit", type=int),
                MetadataField("room_name", optional=True),
            ],
        ),
    )


class NewerCode(ErrorCode, domain=ResCode.domain, default_locale="zh-CN"):
    """ResCode as a later release of the server may have it."""

    ROOM_RECORDING_FULL = (
        1099,
        Spec(
            StatusCode.RESOURCE_EXHAUSTED,
            message="Recording Full",
            hints={"zh-CN": "录制已满", "en-US": "Full"},
        ),
    )
    ROOM_GONE = (
        ResCode.ROOM_NOT_EXIST.number,
        Spec(StatusCode.NOT_FOUND, message="Room Gone", hints={"zh-CN": "房间没有了"}),
    )


class OlderCode(ErrorCode, domain=ResCode.domain):
    """ResCode before it had hints."""

    ROOM_NOT_EXIST = (
        ResCode.ROOM_NOT_EXIST.number,
        Spec(StatusCode.NOT_FOUND, message="Room Not Found"),
    )


def raised() -> Iterator[Case]:
    """Yields all cases in the order of the vectors."""
    yield from _codes()
    yield from _locales()
    yield from _texts()
    yield from _details()
    yield from _oversized()
    yield from _between_services()


def _of(
    name: str,
    code: ErrorCode,
    /,
    *,
    to: tuple[tuple[str, str], ...] = (),
    servable: bool = True,
    **arguments: object,
) -> Case:
    return Case(name, lambda: ServiceError(code, **arguments), code, to, servable=servable)  # type: ignore[arg-type]


def _codes() -> Iterator[Case]:
    for catalogue, group in ((ResCode, "res_code"), (ComponentCode, "component_code")):
        for code in catalogue:
            if code.grpc_status is not StatusCode.OK:
                for locale in ("zh-CN", "en-US"):
                    yield _of(
                        f"{group}/{code.reason}/{locale}", code, to=(("accept-language", locale),)
                    )
    for locale in ("zh-CN", "en-US"):
        name = f"component_code/IM_LOGIN_ERROR/{locale}/im_reused"
        yield _of(
            name, ComponentCode.IM_LOGIN_ERROR, to=(("accept-language", locale),), im_reused=True
        )
    others: tuple[tuple[str, ErrorCode, ErrorCode | None], ...] = (
        ("other_team", OtherTeamCode.SOLD_OUT, None),
        ("other_team_without_hint", OtherTeamCode.NO_HINT, None),
        ("newer", NewerCode.ROOM_RECORDING_FULL, None),
        ("renamed", NewerCode.ROOM_GONE, ResCode.ROOM_NOT_EXIST),
        ("older_without_hint", OlderCode.ROOM_NOT_EXIST, ResCode.ROOM_NOT_EXIST),
    )
    for name, other, known_as in others:
        yield Case(
            f"catalogue/{name}",
            lambda other=other: ServiceError(other),  # type: ignore[misc]
            other,
            known_as=known_as,
        )


def _locales() -> Iterator[Case]:
    code = ResCode.ROOM_NOT_EXIST
    yield _of("locale/none", code)
    for name, languages in (
        ("zh", "zh"),
        ("zh-TW", "zh-TW"),
        ("zh-Hans-CN", "zh-Hans-CN"),
        ("en", "en"),
        ("en-GB", "en-GB"),
        ("unknown", "fr"),
        ("unknown_then_known", "fr, en;q=0.5"),
        ("by_weight", "en;q=0.3, zh-CN;q=0.9"),
        ("excluded", "zh;q=0, en;q=0.1"),
        ("any", "*"),
        ("broken", "en;q=high"),
        ("broken_then_known", "?, en"),
    ):
        yield _of(f"locale/{name}", code, to=(("accept-language", languages),))
    yield _of("locale/grpc_gateway", code, to=(("grpcgateway-accept-language", "en"),))
    yield _of(
        "locale/both",
        code,
        to=(("accept-language", "zh-CN"), ("grpcgateway-accept-language", "en")),
    )
    hints = {"zh-CN": "请稍候", "en-US": "Please wait"}
    yield _of("locale/own_hints", ResCode.SERVICE_UNAVAILABLE, to=ENGLISH, hint=hints)
    yield _of(
        "locale/own_hint_in_default_locale", ResCode.SERVICE_UNAVAILABLE, to=ENGLISH, hint="请稍候"
    )


def later() -> Iterator[Case]:
    """Yields cases that were added later: at the end, so that the others keep their numbers."""
    yield from _languages()
    yield from _placeholders()
    yield from _retries()


def _placeholders() -> Iterator[Case]:
    """Yields texts that the server fills in: a reader takes them unchanged."""
    for name, metadata in (
        ("filled", {"limit": 30, "room_name": "数学 {limit}"}),
        ("missing", {"limit": 30}),
        ("cut", {"limit": 30, "room_name": "n" * 201}),
        ("control_characters", {"limit": 30, "room_name": "a\x1b[31mb\u202ec"}),
    ):
        yield _of(f"placeholder/{name}", SeatCode.FULL, to=ENGLISH, metadata=metadata)


def _retries() -> Iterator[Case]:
    """Yields what a client's own retry policy is told, with and without a RetryInfo."""
    code = ResCode.SERVICE_UNAVAILABLE
    for name, delay in (
        ("none", 0),
        ("rounded_up", 0.0001),
        ("rounded_up_to_a_millisecond", 1.2345),
        ("longest", 315_576_000_000),
    ):
        yield _of(f"retry/{name}", code, retry_delay=delay)
    yield _of("retry/never", GateCode.CLOSED)
    yield _of(
        "retry/never_in_spite_of_RetryInfo",
        GateCode.CLOSED,
        details=[rpc.RetryInfo(retry_delay={"seconds": 1})],
    )
    yield _of("retry/never_by_another_status", GateCode.LOCKED)
    own = (("grpc-retry-pushback-ms", "70"),)
    yield Case("retry/own", lambda: ServiceError(code, retry_delay=2), code, trailing=own)
    # After 0, a grpcio client waits until its deadline. So 1 is sent in its place.
    yield Case(
        "retry/own_zero",
        lambda: ServiceError(code),
        code,
        trailing=(("grpc-retry-pushback-ms", "0"),),
    )


def _languages() -> Iterator[Case]:
    """Yields hints by the script of the requested language, and other `accept-language` values."""
    chinese = {"zh-CN": "请稍候", "zh-TW": "請稍候", "en-US": "Please wait"}
    by_script = {"zh-Hant": "請稍候", "zh-Hans": "请稍候", "en-US": "Please wait"}
    serbian = {"sr-Latn": "Molimo sačekajte", "sr-Cyrl": "Молимо сачекајте"}
    for hints, asked in (
        (
            chinese,
            (
                "zh",
                "zh-CN",
                "zh-SG",
                "zh-MY",
                "zh-TW",
                "zh-HK",
                "zh-MO",
                "zh-Hant",
                "zh-Hant-TW",
                "zh-Hans-HK",
                "zh_HK",
                "en_US",
            ),
        ),
        (by_script, ("zh", "zh-CN", "zh-HK", "zh-Hant-HK")),
        (serbian, ("sr", "sr-RS", "sr-ME", "sr-Latn-RS", "sr-Cyrl-ME")),
    ):
        for languages in asked:
            name = f"language/{'_'.join(hints)}/{languages}"
            yield _of(
                name, ResCode.SERVICE_UNAVAILABLE, to=(("accept-language", languages),), hint=hints
            )
    for name, languages in (
        ("any_excluded", "*;q=0"),
        ("any_then_known", "*;q=0.5, zh-HK"),
        ("only_excluded", "zh;q=0"),
        ("other_parameter", "en;level=1, zh-TW;q=0.1"),
    ):
        yield _of(
            f"language/{name}",
            ResCode.SERVICE_UNAVAILABLE,
            to=(("accept-language", languages),),
            hint=chinese,
        )


def _texts() -> Iterator[Case]:
    code = ResCode.BAD_REQUEST
    for name, text in (
        ("own", "name must not be empty"),
        ("not_ascii", "房间 r-42 is 100 % full 😀"),
        ("percent", "%E6%88%BF is not decoded twice"),
        ("lines", "first line\nsecond line\ttab"),
        ("format", "{0} %s ${name} \\x1b"),
    ):
        yield _of(f"message/{name}", code, message=text)
    yield _of("metadata/one", ResCode.ROOM_NOT_EXIST, room_uuid="r-42")
    yield _of(
        "metadata/types",
        code,
        metadata={"attempts": 3, "ratio": 0.5, "is_host": True, "left_out": None},
    )
    yield _of("metadata/not_ascii", code, metadata={"room_name": "数学 101 😀", "empty": ""})
    yield _of(
        "metadata/many", code, metadata={f"key-{index:02}": f"value {index}" for index in range(30)}
    )
    trailing = (("x-served-by", "node-3"), ("x-region", "cn-north"))
    yield Case(
        "trailing/own", lambda: ServiceError(ResCode.CONFLICT), ResCode.CONFLICT, trailing=trailing
    )


_VIOLATION = rpc.BadRequest.FieldViolation
_DETAILS = {
    "BadRequest": rpc.BadRequest(
        field_violations=[
            _VIOLATION(field="name", description="is empty"),
            _VIOLATION(field="seats[3]", description="座位不存在"),
        ]
    ),
    "PreconditionFailure": rpc.PreconditionFailure(
        violations=[
            rpc.PreconditionFailure.Violation(
                type="TOS", subject="user:7", description="Terms not accepted"
            )
        ]
    ),
    "QuotaFailure": rpc.QuotaFailure(
        violations=[
            rpc.QuotaFailure.Violation(subject="room:r-42", description="200 members at most")
        ]
    ),
    "ResourceInfo": rpc.ResourceInfo(
        resource_type="room", resource_name="r-42", owner="user:7", description="closed yesterday"
    ),
    "Help": rpc.Help(
        links=[rpc.Help.Link(description="Rooms", url="https://docs.example.com/rooms")]
    ),
    "DebugInfo": rpc.DebugInfo(
        stack_entries=["main:1", "join:42"], detail="for the team's own eyes"
    ),
}


def _details() -> Iterator[Case]:
    code = ResCode.BAD_REQUEST
    for name, message in _DETAILS.items():
        yield _of(f"details/{name}", code, details=[message])
    yield _of("details/RetryInfo", ResCode.SERVICE_UNAVAILABLE, retry_delay=2)
    yield _of(
        "details/RetryInfo_fraction",
        ResCode.SERVICE_UNAVAILABLE,
        retry_delay=timedelta(milliseconds=1500),
    )
    yield _of(
        "details/RequestInfo",
        code,
        details=[rpc.RequestInfo(request_id="req-1", serving_data="shard-4")],
    )
    localized = _VIOLATION(field="name", description="is empty", reason="EMPTY")
    localized.localized_message.MergeFrom(
        rpc.LocalizedMessage(locale="zh-CN", message="请输入房间名")
    )
    yield _of(
        "details/BadRequest_localized", code, details=[rpc.BadRequest(field_violations=[localized])]
    )
    yield _of("details/of_a_team", code, details=[AnswerResponse(index=7)])
    yield _of("details/well_known", code, details=[Duration(seconds=90)])
    every = [*_DETAILS.values(), AnswerResponse(index=7)]
    yield _of(
        "details/all",
        code,
        details=every,
        retry_delay=0.5,
        metadata={"room_uuid": "r-42"},
        to=ENGLISH,
    )


def _oversized() -> Iterator[Case]:
    # Near the limit. No other server knows which parts to drop.
    code, cut = ResCode.BAD_REQUEST, partial(_of, servable=False)
    violations = [
        _VIOLATION(field=f"items[{index}].name", description=f"item {index} has no name")
        for index in range(1_000)
    ]
    yield cut(
        "oversized/debug_info",
        code,
        details=[_DETAILS["BadRequest"], rpc.DebugInfo(detail="stack " * 4_000)],
    )
    yield cut("oversized/violations", code, details=[rpc.BadRequest(field_violations=violations)])
    yield cut("oversized/message", code, message="房间 " * 10_000)
    yield cut(
        "oversized/metadata", code, metadata={f"key-{index:03}": "v" * 60 for index in range(200)}
    )
    yield cut("oversized/hint", code, hint="提示" * 3_000)
    trailing = tuple((f"x-filler-{index}", "f" * 1_000) for index in range(10))
    yield Case(
        "oversized/trailing", lambda: ServiceError(code), code, trailing=trailing, servable=False
    )


def _between_services() -> Iterator[Case]:
    room = ResCode.ROOM_NOT_EXIST
    passed_on = Case(
        "upstream/passed_on",
        lambda: ServiceError.from_remote(_received(room, room_uuid="r-42")),
        room,
    )
    yield passed_on
    yield Case("upstream/passed_on_in_english", passed_on.error, room, ENGLISH)
    hint = {"zh-CN": "房间已迁移"}
    yield Case(
        "upstream/passed_on_with_its_hint",
        lambda: ServiceError.from_remote(_received(room, hint=hint)),
        room,
    )
    yield Case("upstream/masked", lambda: _received(room), ResCode.INTERNAL_SERVER_ERROR)
    asked = (("x-request-id", "req-2026-11-25"),)
    yield Case(
        "fallback/unforeseen", lambda: ValueError("secret"), ResCode.INTERNAL_SERVER_ERROR, asked
    )
    yield Case(
        "fallback/in_english",
        lambda: KeyError("secret"),
        ResCode.INTERNAL_SERVER_ERROR,
        (*asked, *ENGLISH),
    )
    yield Case(
        "fallback/before_upstream", lambda: _received(room), ResCode.INTERNAL_SERVER_ERROR, asked
    )


def _received(code: ErrorCode, **arguments: object) -> errgrpc.RemoteError:
    """Returns the error of a server behind this one, which had a request id."""
    request = rpc.RequestInfo(request_id=UPSTREAM_ID)
    error = ServiceError(code, details=[request], **arguments)  # type: ignore[arg-type]
    return errgrpc.decode(errgrpc.encode(error), ResCode)
