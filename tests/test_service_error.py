"""ServiceError: what a handler raises, and how a received error is passed on."""

import copy
import pickle
import threading
import warnings
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import any_pb2, wrappers_pb2
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

import errgrpc
from errgrpc import (
    ComponentCode,
    ErrorCode,
    MisuseWarning,
    RemoteError,
    ResCode,
    ServiceError,
    Spec,
    service_error,
)
from errgrpc.service_error import values_of
from errgrpc.wire import encoding
from errgrpc.wire.budget import Parts
from errgrpc.wire.packing import pack
from errgrpc.wire.received import Received

HELP = rpc.Help(links=[rpc.Help.Link(url="https://example.com")])
REQUEST = rpc.RequestInfo(request_id="id")


class NoRoom(ServiceError):
    """A subclass with an __init__ of its own."""

    def __init__(self, room: str) -> None:
        super().__init__(ResCode.ROOM_NOT_EXIST, room_uuid=room)
        self.room = room


class Forgetful(ServiceError):
    """A subclass that does not call `super().__init__`."""

    def __init__(self) -> None:
        pass


def test_what_was_given() -> None:
    error = ServiceError(
        ResCode.SERVICE_UNAVAILABLE,
        "Taken",
        metadata={"room_uuid": 42, "note": None},
        hint={"en": "It is taken"},
        details=[REQUEST, HELP],
        retry_delay=timedelta(seconds=1.5),
        seats=True,
    )
    assert error.error_code is ResCode.SERVICE_UNAVAILABLE
    assert error.message == "Taken"
    assert error.metadata == {"room_uuid": "42", "seats": "true"}
    assert error.hint == {"en": "It is taken"}
    assert error.status_details == (HELP, REQUEST)
    assert error.retry_delay == 1.5
    assert error.args == (ResCode.SERVICE_UNAVAILABLE,)
    assert str(error) == "SERVICE_UNAVAILABLE (503): 'Taken' {'room_uuid': '42', 'seats': 'true'}"
    assert repr(error) == f"<ServiceError {error}>"
    with pytest.raises(TypeError):
        error.metadata["a"] = "b"  # type: ignore[index]


def test_what_was_left_out_is_the_code_s() -> None:
    error = ServiceError(ResCode.CONFLICT)
    assert (error.message, error.metadata, error.hint, error.status_details, error.retry_delay) == (
        "Target Already Exists",
        {},
        None,
        (),
        None,
    )
    assert str(error) == "CONFLICT (409): 'Target Already Exists'"


def test_str_and_repr_are_escaped() -> None:
    error = ServiceError(ResCode.NOT_FOUND, "\x1b[31m\n\u202e", note="\x00")
    assert str(error) == r"NOT_FOUND (404): '\x1b[31m\n\u202e' {'note': '\x00'}"
    assert (
        repr(NoRoom("r")) == "<NoRoom ROOM_NOT_EXIST (1004): 'Room Not Found' {'room_uuid': 'r'}>"
    )


class Hostile:
    def __repr__(self) -> str:
        raise LookupError

    def _raise(self) -> Any:
        raise LookupError

    __class__: Any = property(_raise)


def test_what_is_no_code_is_refused_at_the_raise() -> None:
    wrong: Any
    for wrong in (None, 404, "NOT_FOUND", ResCode, StatusCode.NOT_FOUND, ServiceError, Hostile()):
        with pytest.raises(
            TypeError,
            match=r"is no error code: give a member of a catalogue such as "
            r"errgrpc.ResCode.NOT_FOUND",
        ):
            ServiceError(wrong)


def test_success_is_refused_at_the_raise() -> None:
    with pytest.raises(
        ValueError,
        match=r"ResCode\.SUCCESS is a success: return normally, "
        r"or give a code whose status is a failure",
    ):
        ServiceError(ResCode.SUCCESS)


# Misuse.

MISUSES: list[tuple[dict[str, Any], str]] = [
    ({"message": 5}, "message is a int"),
    ({"metadata": 5}, "metadata is a int"),
    ({"metadata": []}, "metadata is a list"),
    ({"metadata": {"Bad": 1}}, "the metadata key 'Bad' is left out"),
    ({"Bad": 1}, "the metadata key 'Bad' is left out"),
    ({"x": 1}, "the metadata key 'x' is left out"),
    ({"code": 1}, "the metadata key 'code' is left out"),
    ({"hint": 5}, "hint is a int"),
    ({"hint": {"zh_CN": "x"}}, "the hint for 'zh_CN' is left out"),
    ({"details": HELP}, "details is a Help"),
    ({"details": None}, "details is a NoneType"),
    ({"details": 0}, "details is a int"),
    ({"details": ["x"]}, "the detail 'x' is left out"),
    ({"details": [rpc.ErrorInfo()]}, "the detail google.rpc.ErrorInfo is left out"),
    ({"details": [rpc.LocalizedMessage()]}, "the detail google.rpc.LocalizedMessage is left out"),
    ({"details": [HELP, HELP]}, "the detail google.rpc.Help is left out"),
    (
        {"details": [rpc.RetryInfo()], "retry_delay": 1},
        "the detail google.rpc.RetryInfo is left out",
    ),
    ({"retry_delay": -1}, "retry_delay -1 is left out"),
]


def make(wrong: dict[str, Any]) -> ServiceError:
    message = wrong.get("message", "Text")
    rest = {key: value for key, value in wrong.items() if key != "message"}
    rest = {"room_uuid": "r", **rest}
    return ServiceError(ResCode.SERVICE_UNAVAILABLE, message, **rest)


LINE = make.__code__.co_firstlineno + 4


@pytest.mark.parametrize(
    ("wrong", "says"), MISUSES, ids=lambda value: value if isinstance(value, str) else None
)
def test_misuse_is_left_out_with_one_warning_at_the_raiser_s_line(
    wrong: dict[str, Any], says: str
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        error = make(wrong)
    assert [(warning.category, warning.filename, warning.lineno) for warning in caught] == [
        (MisuseWarning, __file__, LINE)
    ]
    assert str(caught[0].message).startswith(says)
    assert error.error_code is ResCode.SERVICE_UNAVAILABLE
    assert error.metadata == {"room_uuid": "r"}
    assert error.message == ("Service Busy" if "message" in wrong else "Text")
    written = errgrpc.encode(error)
    assert (written.code, len(written.details)) == (
        14,
        2 + len([*error.status_details]) + (error.retry_delay is not None),
    )


@pytest.mark.parametrize(
    ("wrong", "says"), MISUSES, ids=lambda value: value if isinstance(value, str) else None
)
def test_misuse_raises_where_warnings_are_errors(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(MisuseWarning, match=f"^{says}"):
        make(wrong)


def test_several_misuses_are_several_warnings() -> None:
    with pytest.warns(MisuseWarning) as caught:
        ServiceError(ResCode.CONFLICT, 5, metadata={"A": 1, "B": 2}, retry_delay=True)  # type: ignore[arg-type]
    assert len(caught) == 4


def test_the_same_line_warns_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            make({"Bad": 1})
    assert len(caught) == 1


def test_warnings_about_data_fill_no_memory() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for number in range(3_000):
            make({f"Key{number}": 1})
    assert len(caught) == 3_000
    assert len(service_error._reported) <= 1_001
    own = globals().get("__warningregistry__", {})
    assert not [key for key in own if isinstance(key, tuple) and key[1] is MisuseWarning]


def test_a_raiser_without_a_module_is_warned_too() -> None:
    with pytest.warns(MisuseWarning, match="'x'") as caught:
        exec("\n\nmake(code, x=1)", {"make": ServiceError, "code": ResCode.CONFLICT})  # noqa: S102
    assert (caught[0].filename, caught[0].lineno) == ("<string>", 3)


# Subclasses, copies.


def test_a_subclass_may_have_an_init_of_its_own() -> None:
    error = NoRoom("r-42")
    assert (error.error_code, error.metadata, error.room) == (
        ResCode.ROOM_NOT_EXIST,
        {"room_uuid": "r-42"},
        "r-42",
    )
    with pytest.raises(NoRoom):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        NoRoom("r-42"),
        ServiceError(
            ResCode.ROOM_NOT_PREPARED,
            "Taken",
            metadata={"room_uuid": 1},
            hint="x",
            details=[HELP, REQUEST, any_pb2.Any(type_url="x/y")],
            retry_delay=2,
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickles_and_copies(error: ServiceError) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(again) is type(error)
        assert again.args == error.args
        assert again.__notes__ == ["a note"]
        assert errgrpc.encode(again, "en") == errgrpc.encode(error, "en")
        assert (again.metadata, again.hint, again.status_details, str(again)) == (
            error.metadata,
            error.hint,
            error.status_details,
            str(error),
        )
        assert getattr(again, "room", None) == getattr(error, "room", None)


def test_a_subclass_that_forgets_our_init_pickles_as_itself() -> None:
    assert type(pickle.loads(pickle.dumps(Forgetful()))) is Forgetful  # noqa: S301


def test_unrelated_to_remote_error() -> None:
    assert not issubclass(ServiceError, RemoteError)
    assert not issubclass(RemoteError, ServiceError)


# On the wire.


def parts_of(error: ServiceError, *arguments: Any, **keywords: Any) -> Parts:
    values = values_of(error)
    assert values is not None
    return encoding.parts_of(values, *arguments, **keywords)


def details_of(
    error: ServiceError, languages: str | None = None, request_id: str | None = None
) -> list[Any]:
    raw = encoding.whole(error.error_code, parts_of(error, languages, request_id))
    return list(Received([raw]).details)


def test_parts_in_their_order() -> None:
    error = ServiceError(
        ResCode.SERVICE_UNAVAILABLE,
        details=[REQUEST, rpc.DebugInfo(detail="d"), HELP],
        retry_delay=1.5,
    )
    kinds = [type(detail) for detail in details_of(error)]
    assert kinds == [
        rpc.ErrorInfo,
        rpc.LocalizedMessage,
        rpc.DebugInfo,
        rpc.Help,
        rpc.RetryInfo,
        rpc.RequestInfo,
    ]
    retry = details_of(error)[4].retry_delay
    assert (retry.seconds, retry.nanos) == (1, 500_000_000)
    parts = parts_of(error, None)
    assert [detail.TypeName() for detail in parts.details] == [
        "google.rpc.DebugInfo",
        "google.rpc.Help",
    ]
    assert (parts.retry, parts.request) == (
        pack(rpc.RetryInfo(retry_delay={"seconds": 1, "nanos": 500_000_000})),
        pack(REQUEST),
    )


def test_retry_info_and_request_info_by_hand() -> None:
    error = ServiceError(
        ResCode.SERVICE_UNAVAILABLE, details=[REQUEST, rpc.RetryInfo(retry_delay={"seconds": 9})]
    )
    parts = parts_of(error, None)
    assert (parts.details, parts.request) == ([], pack(REQUEST))
    assert parts.retry == pack(rpc.RetryInfo(retry_delay={"seconds": 9}))
    assert parts_of(ServiceError(ResCode.CONFLICT, details=[rpc.RetryInfo()]), None).request is None
    assert parts_of(ServiceError(ResCode.CONFLICT, details=[HELP]), None).details == [pack(HELP)]
    assert parts_of(ServiceError(ResCode.CONFLICT, details=[REQUEST]), None, "own").request == pack(
        rpc.RequestInfo(request_id="own")
    )
    assert parts_of(ServiceError(ResCode.CONFLICT), None, trailers=iter([("a", "b")])).trailers == [
        ("a", "b")
    ]


@pytest.mark.parametrize(
    ("hint", "languages", "localized"),
    [
        (None, None, ("zh-CN", "房间已存在")),
        (None, "en-GB", ("en-US", "Room already exists")),
        ("占了", "en-GB", ("zh-CN", "占了")),
        ({"en": "Taken", "de": "Belegt"}, "de-CH", ("de", "Belegt")),
        ({"en": "Taken", "de": "Belegt"}, "fr", ("en", "Taken")),
        ({}, "en", None),
    ],
)
def test_the_hint_of_the_raiser_replaces_the_code_s(
    hint: Any, languages: str | None, localized: tuple[str, str] | None
) -> None:
    found = [
        detail
        for detail in details_of(ServiceError(ResCode.CONFLICT, hint=hint), languages)
        if type(detail) is rpc.LocalizedMessage
    ]
    assert [(message.locale, message.message) for message in found] == (
        [] if localized is None else [localized]
    )


def test_the_hint_is_chosen_by_the_metadata() -> None:
    error = ServiceError(ComponentCode.IM_LOGIN_ERROR, im_reused=True)
    assert details_of(error, "en")[1].message == "Log in to IM first when IM is reused"


def test_a_catalogue_without_a_default_locale() -> None:
    class PlainCode(ErrorCode, domain="plain.example.com"):
        BROKEN = 1, Spec(StatusCode.INTERNAL)

    assert len(details_of(ServiceError(PlainCode.BROKEN))) == 1
    localized = details_of(ServiceError(PlainCode.BROKEN, hint="Broken"))[1]
    assert (localized.locale, localized.message) == ("und", "Broken")


def test_one_error_raised_by_many_threads_shows_nothing_of_another_request() -> None:
    shared = ServiceError(
        ResCode.CONFLICT,
        details=[
            rpc.BadRequest(field_violations=[rpc.BadRequest.FieldViolation(field="f" * 2_000)] * 9)
        ],
    )
    whole = errgrpc.encode(shared)
    wrong: list[str] = []

    def answer(number: int) -> None:
        for _ in range(50):
            parts = parts_of(
                shared,
                "en" if number % 2 else "zh",
                f"request-{number}",
                [("x-number", str(number))],
            )
            raw, _ = encoding.fitted(shared.error_code, parts, 2_000 + number)
            received = Received([raw])
            if received.request_id != f"request-{number}" or parts.trailers != [
                ("x-number", str(number))
            ]:
                wrong.append(f"{number}: {received.request_id}")

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert errgrpc.encode(shared) == whole


# Passing on a received error.


def received(
    *details: Any,
    code: ErrorCode = ResCode.ROOM_NOT_EXIST,
    message: str = "Upstream says",
    **metadata: Any,
) -> RemoteError:
    info = rpc.ErrorInfo(
        reason=code.reason, domain=code.domain, metadata={"code": str(code.number), **metadata}
    )
    packed = [
        detail if isinstance(detail, any_pb2.Any) else pack(detail) for detail in (info, *details)
    ]
    status = status_pb2.Status(code=code.grpc_status.value[0], message=message, details=packed)
    return errgrpc.decode(status, ResCode, ComponentCode)


def test_from_remote_takes_all_over() -> None:
    string = wrappers_pb2.StringValue(value="x")
    retry, request = (
        rpc.RetryInfo(retry_delay={"seconds": 1}),
        rpc.RequestInfo(request_id="r-1", serving_data="secret"),
    )
    error = ServiceError.from_remote(
        received(
            rpc.LocalizedMessage(locale="fr", message="Rien"), request, string, retry, room_uuid="r"
        )
    )
    assert type(error) is ServiceError
    assert error.error_code is ResCode.ROOM_NOT_EXIST
    assert error.message == "Upstream says"
    assert error.metadata == {"room_uuid": "r"}
    assert error.hint == {"fr": "Rien"}
    assert error.status_details == (string, retry, rpc.RequestInfo(request_id="r-1"))
    assert error.retry_delay is None
    assert error.args == (ResCode.ROOM_NOT_EXIST,)


def test_a_hint_of_the_table_is_answered_in_the_next_caller_s_language() -> None:
    hinted = rpc.LocalizedMessage(locale="zh-CN", message="房间不存在")
    assert details_of(ServiceError.from_remote(received(hinted)), "en")[1].locale == "en-US"
    assert details_of(ServiceError.from_remote(received()), "en")[1].locale == "en-US"
    other = rpc.LocalizedMessage(locale="zh-CN", message="别的")
    assert details_of(ServiceError.from_remote(received(other)), "en")[1] == other
    reused = rpc.LocalizedMessage(locale="zh-CN", message="复用IM时，请先登录IM")
    variant = received(reused, code=ComponentCode.IM_LOGIN_ERROR, im_reused="true")
    assert (
        details_of(ServiceError.from_remote(variant), "en")[1].message
        == "Log in to IM first when IM is reused"
    )
    no_variant = received(reused, code=ComponentCode.IM_LOGIN_ERROR)
    assert details_of(ServiceError.from_remote(no_variant), "en")[1] == reused


@pytest.mark.parametrize("request_id", ["", "é", "a\n", "a" * 129])
def test_a_request_id_that_may_not_travel_stays(request_id: str) -> None:
    assert (
        ServiceError.from_remote(received(rpc.RequestInfo(request_id=request_id))).status_details
        == ()
    )


def test_what_a_peer_sent_wrong_is_left_out_silently() -> None:
    """In these tests, a warning would be an error."""
    garbage = any_pb2.Any(type_url="type.googleapis.com/google.rpc.Help", value=b"\xff")
    no_type = any_pb2.Any(value=b"x")
    localized = rpc.LocalizedMessage(locale="no locale", message="x")
    garbled: dict[str, Any] = {"Bad": "1", "good": "2", "x" * 99: "3"}
    error = ServiceError.from_remote(
        received(garbage, no_type, HELP, HELP, localized, rpc.ErrorInfo(), **garbled)
    )
    assert error.metadata == {"good": "2"}
    assert error.status_details == (HELP,)  # the first readable one
    assert details_of(error, "en")[1].locale == "en-US"


def test_a_subclass_is_made_without_its_init() -> None:
    error = NoRoom.from_remote(received(room_uuid="r"))
    assert type(error) is NoRoom
    assert error.metadata == {"room_uuid": "r"}
    assert type(pickle.loads(pickle.dumps(error))) is NoRoom  # noqa: S301


def test_what_is_not_ours_to_claim_is_refused() -> None:
    inferred = errgrpc.decode(status_pb2.Status(code=5, message="\x1b"), ResCode)
    assert inferred.inferred
    with pytest.raises(
        ValueError,
        match=r"cannot pass on NOT_FOUND: inferred NOT_FOUND \(404\), '\\x1b', .*: "
        r"its code is inferred; raise a code of",
    ):
        ServiceError.from_remote(inferred)
    unknown = errgrpc.decode(
        status_pb2.Status(
            code=5, details=[pack(rpc.ErrorInfo(reason="NEW", domain=ResCode.domain))]
        ),
        ResCode,
    )
    with pytest.raises(ValueError, match="its code is unknown"):
        ServiceError.from_remote(unknown)
    wrong: Any
    for wrong in (ServiceError(ResCode.CONFLICT), None, Hostile()):
        with pytest.raises(
            TypeError,
            match=r"is no RemoteError: errgrpc.from_error makes one of another grpc.RpcError",
        ):
            ServiceError.from_remote(wrong)
