"""Declared metadata and placeholders, in all places where a text is chosen."""

import logging
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import harness
import pytest
from google.rpc import error_details_pb2 as rpc
from grpc import StatusCode

import errgrpc
import errgrpc.http
from errgrpc import (
    ErrorCode,
    MetadataField,
    MisuseWarning,
    RemoteError,
    ServiceError,
    Spec,
    Variant,
    remote,
)
from errgrpc.wire.packing import holds

FULL = [
    MetadataField("limit", "How many seats there are", example="30", type=int),
    MetadataField("room", optional=True),
]


class DeskCode(
    ErrorCode,
    domain="desk.example.com",
    default_locale="en",
    fallback="BROKEN",
    infer={StatusCode.RESOURCE_EXHAUSTED: "FULL"},
    locales=["en", "de"],
    help_url="https://errors.example.com/{domain}/{reason}#{number}",
):
    FULL = (
        1,
        Spec(
            StatusCode.RESOURCE_EXHAUSTED,
            http_status=403,
            message="{limit} seats in {{room}} {room}",
            hints={"en": "All {limit} seats are taken", "de": "Alle {limit} Plätze sind besetzt"},
            variants=[
                Variant({"room": "r-1"}, {"en": "All {limit} seats of the first room are taken"})
            ],
            metadata_fields=FULL,
            retryable=True,
            resolution="Wait for a seat.",
        ),
    )
    PLAIN = (
        2,
        Spec(
            StatusCode.NOT_FOUND,
            message="{limit} is text here",
            hints={"en": "{no} {{placeholders}}", "de": "{nein}"},
        ),
    )
    OLD = 3, Spec(StatusCode.NOT_FOUND, deprecated=True, retryable=False)
    TYPED = (
        4,
        Spec(
            StatusCode.ABORTED,
            metadata_fields=[
                MetadataField("ratio", optional=True, type=float),
                MetadataField("is_open", optional=True, type=bool),
                MetadataField("count", optional=True, type=int),
            ],
        ),
    )
    BROKEN = 5, Spec(StatusCode.INTERNAL, metadata_fields=[MetadataField("where", optional=True)])


def test_attributes() -> None:
    code = DeskCode.FULL
    assert (code.metadata_fields, code.retryable, code.resolution, code.deprecated) == (
        tuple(FULL),
        True,
        "Wait for a seat.",
        False,
    )
    assert code.help_url == "https://errors.example.com/desk.example.com/FULL#1"
    assert (DeskCode.PLAIN.retryable, DeskCode.OLD.retryable, DeskCode.OLD.deprecated) == (
        None,
        False,
        True,
    )
    assert DeskCode.locales == ("en", "de")
    assert (
        errgrpc.ResCode.CONFLICT.help_url,
        errgrpc.ResCode.locales,
        errgrpc.ResCode.NOT_FOUND.metadata_fields,
    ) == (None, (), ())


def test_texts_of_a_member_are_templates_until_metadata_are_given() -> None:
    code = DeskCode.FULL
    assert code.message == "{limit} seats in {{room}} {room}"
    assert code.hint("de") == "Alle {limit} Plätze sind besetzt"
    assert code.hint("de", {"limit": "30"}) == "Alle 30 Plätze sind besetzt"
    assert (
        code.hint("en", {"limit": "30", "room": "r-1"})
        == "All 30 seats of the first room are taken"
    )
    assert code.hint("en", {}) == "All … seats are taken"
    assert code.message_for({"limit": "30", "room": "r-2"}) == "30 seats in {room} r-2"
    plain = DeskCode.PLAIN
    assert (plain.message_for({"limit": "30"}), plain.hint("en", {"no": "x"})) == (
        "{limit} is text here",
        "{no} {{placeholders}}",
    )


@pytest.fixture(params=harness.STYLES)
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    with harness.serve(request.param, catalogue=DeskCode) as served:
        yield served


@pytest.mark.parametrize("kind", harness.KINDS)
@pytest.mark.parametrize("stack", harness.STACKS)
@pytest.mark.thinned(2)
def test_both_sides_fill(target: str, stack: str, kind: str) -> None:
    def act(_: Any) -> None:
        raise ServiceError(DeskCode.FULL, limit=30, room="r-2")

    with harness.action(act) as request:
        bare = harness.call(
            stack, target, kind, request, interceptors=(), metadata=(("accept-language", "de"),)
        )
    assert (bare.code, bare.details) == (StatusCode.RESOURCE_EXHAUSTED, "30 seats in {room} r-2")
    assert bare.error is not None
    seen = errgrpc.from_error(bare.error, DeskCode)
    assert (seen.hint, seen.locale) == ("Alle 30 Plätze sind besetzt", "de")


def read(error: ServiceError, language: str | None = None) -> RemoteError:
    return errgrpc.decode(errgrpc.encode(error, language), DeskCode)


def without_hint(error: ServiceError) -> RemoteError:
    """As from a server without hints or in another language: the reader's table gives the hint."""
    status = errgrpc.encode(error)
    kept = [detail for detail in status.details if not holds(detail, rpc.LocalizedMessage)]
    del status.details[:]
    status.details.extend(kept)
    return errgrpc.decode(status, DeskCode)


def test_a_reader_fills_its_own_table() -> None:
    error = without_hint(ServiceError(DeskCode.FULL, limit=30))
    assert (error.hint, error.locale) == ("All 30 seats are taken", "en")
    assert pickle.loads(pickle.dumps(error)).hint == error.hint  # noqa: S301
    assert (error.retryable, error.help_url) == (True, DeskCode.FULL.help_url)


def test_an_inferred_code_says_nothing_of_the_call() -> None:
    class Refused(grpc.RpcError):
        def code(self) -> StatusCode:
            return StatusCode.RESOURCE_EXHAUSTED

        def details(self) -> str:
            return ""

        def trailing_metadata(self) -> Any:
            return ()

    error = errgrpc.from_error(Refused(), DeskCode)
    assert (error.error_code, error.inferred, error.retryable, error.help_url) == (
        DeskCode.FULL,
        True,
        None,
        None,
    )


def test_a_raisers_own_texts_are_taken_as_they_are() -> None:
    error = ServiceError(DeskCode.FULL, "{limit} of {{x}}", hint="{limit} seats", limit=30)
    assert (error.message, read(error).details(), read(error).hint) == (
        "{limit} of {{x}}",
        "{limit} of {{x}}",
        "{limit} seats",
    )
    assert ServiceError(DeskCode.FULL, limit=30).message == "30 seats in {room} …"
    assert "30 seats in" in str(ServiceError(DeskCode.FULL, limit=30))


def test_passed_on_a_text_of_the_table_is_answered_in_the_next_callers_language() -> None:
    passed = ServiceError.from_remote(read(ServiceError(DeskCode.FULL, limit=30), "en"))
    assert read(passed, "de").hint == "Alle 30 Plätze sind besetzt"
    own = ServiceError.from_remote(
        read(ServiceError(DeskCode.FULL, limit=30, hint={"en": "All 30 seats"}), "en")
    )
    assert read(own, "de").hint == "All 30 seats"


@pytest.mark.parametrize("form", ["aip193", "both", "envelope"])
def test_over_http(form: Any) -> None:
    status, headers, body = errgrpc.http.encode(
        ServiceError(DeskCode.FULL, limit=30, room="r-2"), "de", form=form
    )
    error = errgrpc.http.decode(status, headers, body, DeskCode, accept_language="de")
    assert (status, error.details()) == (403, "30 seats in {room} r-2")
    # An envelope has neither hint nor metadata. The hint comes from the reader's table, with
    # missing values marked.
    assert error.hint == (
        "Alle 30 Plätze sind besetzt" if form != "envelope" else "Alle … Plätze sind besetzt"
    )


@pytest.mark.parametrize("limit", [1_024, 7_900])
def test_filled_before_anything_is_shed(limit: int) -> None:
    """The hint shows a value that is too long to be sent itself."""
    rpc_seen = errgrpc.answering.Rpc("/desk.v1.Desk/Sit", (("accept-language", "en"),))  # type: ignore[attr-defined]
    answering = errgrpc.answering.Answering(DeskCode, max_trailer_bytes=limit)  # type: ignore[attr-defined]
    answer = answering.answer(ServiceError(DeskCode.FULL, limit=30, room="r" * 9_000), rpc_seen)
    raw: Any = dict(answer.trailers)["grpc-status-details-bin"]
    seen = errgrpc.decode(raw, DeskCode)
    assert (seen.hint, dict(seen.metadata)) == ("All 30 seats are taken", {"limit": "30"})
    assert answer.message == f"30 seats in {{room}} {'r' * 200}…"


# Misuse.


def misused(make: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    assert all(warning.filename == __file__ for warning in caught)
    return [f"{warning.category.__name__}: {warning.message}" for warning in caught]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ServiceError(DeskCode.FULL, limit=30), []),
        (lambda: ServiceError(DeskCode.FULL, limit="30", room="x"), []),
        (
            lambda: ServiceError(DeskCode.FULL),
            ["DeskCode.FULL requires the metadata 'limit', which is missing"],
        ),
        (
            lambda: ServiceError(DeskCode.FULL, "text"),
            ["DeskCode.FULL requires the metadata 'limit', which is missing"],
        ),
        (
            lambda: ServiceError(DeskCode.FULL, limit=None),
            ["DeskCode.FULL requires the metadata 'limit', which is missing"],
        ),
        (
            lambda: ServiceError(DeskCode.FULL, limit=30, rome=1),
            ["the metadata key 'rome' is not declared by DeskCode.FULL: did you mean 'room'?"],
        ),
        (
            lambda: ServiceError(DeskCode.FULL, limit=0.5),
            ["the metadata 'limit' of DeskCode.FULL is '0.5', which is no int"],
        ),
        (
            lambda: ServiceError(DeskCode.FULL, limit=2**63),
            [f"the metadata 'limit' of DeskCode.FULL is '{2**63}', which is no int"],
        ),
        (lambda: ServiceError(DeskCode.TYPED), []),
        (lambda: ServiceError(DeskCode.TYPED, ratio=0.5, is_open=True, count=-3), []),
        (lambda: ServiceError(DeskCode.TYPED, ratio=1e300, is_open="false", count=-(2**63)), []),
        (
            lambda: ServiceError(DeskCode.TYPED, ratio="1_0"),
            ["the metadata 'ratio' of DeskCode.TYPED is '1_0', which is no float"],
        ),
        (
            lambda: ServiceError(DeskCode.TYPED, is_open="yes"),
            ["the metadata 'is_open' of DeskCode.TYPED is 'yes', which is no bool"],
        ),
        (lambda: ServiceError(DeskCode.PLAIN, anything=1), []),
    ],
)
def test_metadata_that_are_not_as_declared_are_warned_of(
    make: Callable[[], ServiceError], says: list[str]
) -> None:
    assert misused(make) == [f"MisuseWarning: {text}" for text in says]


def test_an_undeclared_key_goes_on_the_wire_all_the_same() -> None:
    with pytest.warns(MisuseWarning, match="did you mean 'room'"):
        error = ServiceError(DeskCode.FULL, limit=30, rome=1)
    assert dict(read(error).metadata) == {"limit": "30", "rome": "1"}


def test_a_deprecated_code_is_said_where_it_is_raised_and_read_like_any_other() -> None:
    for make in (
        lambda: ServiceError(DeskCode.OLD),
        lambda: ServiceError(DeskCode.OLD, room="x"),
        lambda: ServiceError(DeskCode.OLD, "text"),
    ):
        assert misused(make) == [
            "DeprecationWarning: DeskCode.OLD is deprecated: raise another code"
        ]
    with pytest.deprecated_call():
        error = read(ServiceError(DeskCode.OLD))
    assert type(error) is remote(DeskCode.OLD)


def test_what_errgrpc_raises_itself_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answering = errgrpc.answering.Answering(
        DeskCode, translate={KeyError: DeskCode.FULL, OSError: DeskCode.OLD}
    )  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for raised, status in (
            (KeyError(), "RESOURCE_EXHAUSTED"),
            (OSError(), "NOT_FOUND"),
            (ValueError(), "INTERNAL"),
        ):
            rpc_seen = errgrpc.answering.Rpc("/x", ())  # type: ignore[attr-defined]
            assert answering.answer(raised, rpc_seen).status.name == status
        received = errgrpc.decode(errgrpc.encode(ServiceError(DeskCode.FULL, limit=3)), DeskCode)
        ServiceError.from_remote(received)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# Help.


@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
@pytest.mark.parametrize("style", harness.STYLES)
def test_send_help(style: str, kind: str) -> None:
    own = rpc.Help(links=[rpc.Help.Link(url="https://own.example.com")])
    expected = rpc.Help(
        links=[
            rpc.Help.Link(
                description="PLAIN", url="https://errors.example.com/desk.example.com/PLAIN#2"
            )
        ]
    )
    for send_help, details, found in ((True, (), expected), (False, (), None), (True, (own,), own)):
        with (
            harness.serve(style, catalogue=DeskCode, send_help=send_help) as target,
            harness.action(raising(details)) as request,
        ):
            outcome = harness.call("sync", target, kind, request, interceptors=())
        assert outcome.error is not None
        assert errgrpc.from_error(outcome.error, DeskCode).detail(rpc.Help) == found


def raising(details: tuple[rpc.Help, ...]) -> Callable[[Any], None]:
    def act(_: Any) -> None:
        raise ServiceError(DeskCode.PLAIN, details=details)

    return act


def test_help_over_http() -> None:
    answer = errgrpc.http.Responder(DeskCode, form="aip193", send_help=True).answer(
        ServiceError(DeskCode.PLAIN), errgrpc.http.Request()
    )
    found = errgrpc.http.decode(*answer, DeskCode).detail(rpc.Help)
    assert found is not None
    assert found.links[0].url == DeskCode.PLAIN.help_url


# Wrong declarations.


def declared(**options: Any) -> None:
    class WrongCode(ErrorCode, domain="wrong.example.com", **options):
        KNOWN = (
            1,
            Spec(StatusCode.NOT_FOUND, hints={"en": "x"}, metadata_fields=[MetadataField("room")]),
        )
        NO_HINT = 2, Spec(StatusCode.NOT_FOUND)
        OLD_ONE = 3, Spec(StatusCode.NOT_FOUND, deprecated=True)


ROOM = [MetadataField("room")]


def declaring(message: str, *variants: Variant) -> Spec:
    return Spec(
        StatusCode.ABORTED,
        metadata_fields=[*ROOM, MetadataField("on", type=bool)],
        message=message,
        variants=variants,
    )


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda: MetadataField("R"), ValueError, r"the metadata field 'R': give \[a-z\]"),
        (
            lambda: MetadataField("details"),
            ValueError,
            "the metadata field 'details': code, message, hint, details",
        ),
        (
            lambda: MetadataField("room", example="x", type=int),
            ValueError,
            "the example 'x' of the metadata field 'room' is no int",
        ),
        (lambda: MetadataField("room", type=dict), TypeError, "give str, int, float or bool"),  # type: ignore[arg-type]
        (
            lambda: Spec(StatusCode.ABORTED, metadata_fields=["room"]),  # type: ignore[list-item]
            TypeError,
            "metadata_fields holds 'room'",
        ),
        (
            lambda: Spec(StatusCode.ABORTED, metadata_fields=ROOM * 2),
            ValueError,
            "metadata_fields has 'room' twice",
        ),
        (
            lambda: declaring("{rome}"),
            ValueError,
            r"message has the placeholder \{rome\}: give one of \{on\}, \{room\}",
        ),
        (
            lambda: declaring("a {"),
            ValueError,
            r"message has a lone '\{' at character 3: write \{\{",
        ),
        (
            lambda: Spec(
                StatusCode.ABORTED, metadata_fields=ROOM, hints={"en": "{room}", "de": "x"}
            ),
            ValueError,
            (
                r"hints has no placeholders in 'de', but \{room\} in 'en': "
                r"give the same in each locale"
            ),
        ),
        (
            lambda: declaring("", Variant({"roam": "1"}, {"en": "x"})),
            ValueError,
            "the condition 'roam': give one of 'on', 'room'",
        ),
        (
            lambda: declaring("", Variant({"on": "True"}, {"en": "x"})),
            ValueError,
            "the condition 'on' with the value 'True', which is no bool",
        ),
        (
            lambda: Variant({"R": "1"}, {"en": "x"}),
            ValueError,
            "Variant.when has the condition 'R', which no metadata have",
        ),
        (
            lambda: Spec(StatusCode.ABORTED, retryable=1),  # type: ignore[arg-type]
            TypeError,
            "retryable is 1, not None or a bool",
        ),
        (lambda: declared(locales=["en", "de"]), ValueError, "KNOWN has no hint for de"),
        (lambda: declared(locales="en"), ValueError, "locales is 'en', not a sequence"),
        (
            lambda: declared(help_url="http://x/{reason}"),
            ValueError,
            "help_url is 'http://x/{reason}': give an https URL",
        ),
        (
            lambda: declared(help_url="https://x/{name}"),
            ValueError,
            "help_url is 'https://x/{name}': give an https URL",
        ),
        (lambda: declared(help_url="https://x/ y"), ValueError, "give an https URL"),
        (
            lambda: declared(fallback="KNOWN"),
            ValueError,
            "the fallback KNOWN requires room, which an unhandled exception lacks",
        ),
        (lambda: declared(fallback="OLD_ONE"), ValueError, "the fallback OLD_ONE is deprecated"),
    ],
)
def test_a_wrong_declaration_is_refused(
    make: Callable[[], object], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        make()
