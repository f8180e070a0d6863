"""Trust boundaries over the wire.

They decide what leaves the process, what is logged, whose error it is and its language.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode
from harness import coded, logged, on_the_wire

import errgrpc
from errgrpc import ComponentCode, ErrorCode, ResCode, ServiceError, Spec

pytestmark = pytest.mark.thinned(2)  # the default: some tests have their own number

FALLBACK = "INTERNAL_SERVER_ERROR"
SECRET = "canary-4711"  # noqa: S105  the secret of the tests
FRESH = re.compile(r"[0-9a-f]{32}")


def ask(
    target: str, kind: str, act: Callable[[Any], Any], after: int = 1, **options: Any
) -> harness.Outcome:
    """What a client without our interceptor gets from a handler that acts."""
    with harness.action(act, after) as request:
        return harness.call("sync", target, kind, request, interceptors=(), **options)


def raising(error: BaseException) -> Callable[[Any], Any]:
    def act(_: Any) -> None:
        raise error

    return act


def request_id(outcome: harness.Outcome) -> str:
    return on_the_wire(outcome)["RequestInfo"].request_id


@pytest.fixture(params=harness.STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return request.param


class TestRequestId:
    @pytest.mark.parametrize("given", ["r-1", "x", "~" * 128, "with space inside", "%s{}"])
    @pytest.mark.thinned(4)
    def test_of_the_request(self, given: str, target: str, kind: str, caplog: Any) -> None:
        outcome = ask(
            target, kind, raising(ValueError(SECRET)), metadata=(("x-request-id", given),)
        )
        assert request_id(outcome) == given
        assert [record.request_id for record in logged(caplog)] == [given]

    @pytest.mark.parametrize("given", ["", "~" * 129, None], ids=["empty", "long", "absent"])
    def test_fresh(self, given: str | None, target: str, kind: str) -> None:
        metadata = () if given is None else (("x-request-id", given),)
        ids = {
            request_id(ask(target, kind, raising(ValueError(SECRET)), metadata=metadata))
            for _ in range(2)
        }
        assert len(ids) == 2
        assert all(FRESH.fullmatch(one) for one in ids)

    def test_the_first_usable_one_counts(self, target: str) -> None:
        metadata = (
            ("x-request-id", "~" * 129),
            ("x-request-id-bin", b"other"),
            ("x-request-id", "second"),
            ("x-request-id", "third"),
        )
        assert (
            request_id(ask(target, "unary_unary", raising(ValueError()), metadata=metadata))
            == "second"
        )

    @pytest.mark.parametrize("how", ["raised", "cause", "context", "group", "far"])
    @pytest.mark.thinned(4)
    def test_of_the_received_error_behind(self, how: str, target: str, kind: str) -> None:
        received = received_error(ResCode.NOT_FOUND, "upstream-1")

        def act(_: Any) -> None:
            if how == "raised":
                raise received
            if how == "group":
                raise ExceptionGroup(SECRET, [ValueError(), received])
            try:
                raise received
            except errgrpc.RemoteError as error:
                if how == "context":
                    raise ValueError(SECRET)  # noqa: B904
                if how == "cause":
                    raise ValueError(SECRET) from error
                try:
                    raise KeyError(SECRET) from error
                except KeyError:
                    raise ValueError(SECRET) from None

        outcome = ask(target, kind, act)
        assert (coded(outcome), request_id(outcome)) == (FALLBACK, "upstream-1")
        assert request_id(ask(target, kind, act, metadata=(("x-request-id", "own"),))) == "own"

    @pytest.mark.parametrize("forged", ["", "a\nb", "é", "~" * 129])
    def test_of_a_received_error_is_bounded_and_printable(self, forged: str, target: str) -> None:
        assert FRESH.fullmatch(
            request_id(
                ask(target, "unary_unary", raising(received_error(ResCode.NOT_FOUND, forged)))
            )
        )

    def test_causes_in_a_circle(self, target: str) -> None:
        one, other = ValueError(SECRET), KeyError(SECRET)
        one.__cause__, other.__cause__ = other, one
        assert FRESH.fullmatch(request_id(ask(target, "unary_unary", raising(one))))

    def test_only_of_unhandled_exceptions(self, target: str, kind: str) -> None:
        outcome = ask(
            target,
            kind,
            raising(ServiceError(ResCode.NOT_FOUND)),
            metadata=(("x-request-id", "r-1"),),
        )
        assert "RequestInfo" not in on_the_wire(outcome)


def received_error(
    code: ErrorCode, upstream_id: str = "upstream-1", **metadata: object
) -> errgrpc.RemoteError:
    """A received error, as another service answers it."""
    details = [error_details_pb2.RequestInfo(request_id=upstream_id)]
    error = ServiceError(
        code,
        f"upstream {SECRET}",
        metadata={"seen": SECRET, **metadata},
        hint=SECRET,
        details=details,
    )
    return errgrpc.decode(errgrpc.encode(error), ResCode, ComponentCode)


class TestRecord:
    def test_one_with_everything(self, target: str, kind: str, caplog: Any) -> None:
        outcome = ask(target, kind, raising(ValueError(SECRET)))
        (record,) = logged(caplog)
        assert (record.name, record.levelno) == ("errgrpc", logging.ERROR)
        assert record.getMessage() == (
            f"'/test.Service/{kind}' answers ResCode.{FALLBACK}, request id {request_id(outcome)}"
        )
        assert (record.grpc_method, record.error_code, record.request_id) == (
            f"/test.Service/{kind}",
            FALLBACK,
            request_id(outcome),
        )
        assert f"ValueError: {SECRET}" in record.exc_text
        assert ", in act\n" in record.exc_text

    def test_no_record_of_a_service_error(self, target: str, kind: str, caplog: Any) -> None:
        caplog.set_level(logging.DEBUG, "errgrpc")
        for after in range(3):
            ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)), after)
        assert not logged(caplog)

    def test_hook_in_its_place(self, style: str, kind: str, caplog: Any) -> None:
        heard: list[Any] = []

        def on_error(error: BaseException, **rest: Any) -> None:
            heard.append((error, rest))

        error = ValueError(SECRET)
        with harness.serve(style, on_error=on_error) as target:
            outcome = ask(target, kind, raising(error))
            ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))
        rest = {
            "method": f"/test.Service/{kind}",
            "code": ResCode.INTERNAL_SERVER_ERROR,
            "request_id": request_id(outcome),
        }
        assert heard == [(error, rest)]
        assert not logged(caplog)

    @pytest.mark.parametrize(
        "failure",
        [ValueError, KeyboardInterrupt, ServiceError(ResCode.NOT_FOUND), grpc.RpcError, SystemExit],
    )
    @pytest.mark.thinned(4)
    def test_hook_that_raises(self, failure: Any, style: str, kind: str, caplog: Any) -> None:
        def on_error(*_: Any, **__: Any) -> None:
            raise failure

        with harness.serve(style, on_error=on_error) as target:
            outcome = ask(target, kind, raising(ValueError(SECRET)))
        assert coded(outcome) == FALLBACK
        (record,) = logged(caplog)
        assert request_id(outcome) in record.getMessage()

    def test_handler_of_logging_that_raises(self, style: str, kind: str) -> None:
        class Broken(logging.Handler):
            def emit(self, record: Any) -> None:  # noqa: ARG002
                raise OSError("the disk is full")

        broken = Broken()
        logging.getLogger("errgrpc").addHandler(broken)
        try:
            with harness.serve(style) as target:
                assert coded(ask(target, kind, raising(ValueError(SECRET)))) == FALLBACK
        finally:
            logging.getLogger("errgrpc").removeHandler(broken)


class Leaky(Exception):
    def __init__(self) -> None:
        super().__init__(SECRET, {SECRET: SECRET})
        self.add_note(SECRET)
        self.secret = SECRET

    def __str__(self) -> str:
        return SECRET


def leaky(error: Exception) -> Exception:
    error.__cause__ = Leaky()
    error.__context__ = Leaky()
    error.add_note(SECRET)
    return error


TRAILERS = grpc.aio.Metadata(("x-secret", SECRET))
LEAKS: dict[str, Callable[[], BaseException]] = {
    "text, args and notes": Leaky,
    "causes": lambda: leaky(ValueError()),
    "causes of a ServiceError": lambda: leaky(ServiceError(ResCode.NOT_FOUND)),
    "group": lambda: ExceptionGroup(SECRET, [Leaky(), ServiceError(ResCode.NOT_FOUND)]),
    "name of the class": type(SECRET, (Exception,), {}),
    "KeyError": lambda: KeyError(SECRET),
    "received": lambda: received_error(ResCode.NOT_FOUND),
    "received, ours by name": lambda: received_error(ResCode.INTERNAL_SERVER_ERROR),
    "received, another catalogue": lambda: received_error(ComponentCode(-1)),
    "received by asyncio": lambda: grpc.aio.AioRpcError(
        StatusCode.NOT_FOUND, TRAILERS, TRAILERS, SECRET, SECRET
    ),
}


class TestLeaks:
    @pytest.mark.parametrize("name", LEAKS)
    @pytest.mark.thinned(4)
    def test_nothing_of_an_exception(self, name: str, target: str, kind: str) -> None:
        outcome = ask(target, kind, raising(LEAKS[name]()), after=2)
        assert outcome.code is not StatusCode.OK
        assert coded(outcome) == (
            "NOT_FOUND" if "ServiceError" in name or name == "group" else FALLBACK
        )
        assert SECRET not in repr(
            (outcome.details, outcome.initial, outcome.trailing, outcome.responses)
        )

    def test_nothing_of_an_exception_beside_a_status(self, target: str, kind: str) -> None:
        def act(context: Any) -> None:
            context.set_code(StatusCode.NOT_FOUND)
            raise Leaky

        outcome = ask(target, kind, act)
        assert (outcome.code, outcome.details) == (StatusCode.NOT_FOUND, "")
        assert SECRET not in repr((outcome.initial, outcome.trailing))


class LookupFailed(Exception): ...


class Stale(LookupFailed): ...


class VeryStale(Stale): ...


def to_service_error(error: LookupFailed) -> ServiceError:
    return ServiceError(ResCode.NOT_FOUND, f"No {error.args[0]}")


def failing_translation(_: Any) -> ServiceError:
    raise ValueError(SECRET)


def interrupted_translation(_: Any) -> ServiceError:
    raise KeyboardInterrupt(SECRET)


@pytest.fixture(scope="module")
def translating() -> Iterator[dict[str, str]]:
    """Servers of each style with a table of translations: their addresses."""
    table = {
        LookupFailed: to_service_error,
        Stale: ResCode.CONFLICT,
        OSError: ResCode.SERVICE_UNAVAILABLE,
    }
    with ExitStack() as stack:
        yield {
            style: stack.enter_context(harness.serve(style, translate=table))
            for style in harness.STYLES
        }


class TestTranslate:
    @pytest.mark.parametrize(
        ("error", "reason", "message"),
        [
            (LookupFailed("r-1"), "NOT_FOUND", "No r-1"),
            (Stale("r-1"), "CONFLICT", ResCode.CONFLICT.message),
            (VeryStale("r-1"), "CONFLICT", ResCode.CONFLICT.message),
            (
                ConnectionResetError(SECRET),
                "SERVICE_UNAVAILABLE",
                ResCode.SERVICE_UNAVAILABLE.message,
            ),
            (
                ExceptionGroup("group", [ValueError(), Stale("r-1")]),
                "CONFLICT",
                ResCode.CONFLICT.message,
            ),
            (
                ExceptionGroup("group", [Stale("r-1"), ServiceError(ResCode.FORBIDDEN)]),
                "FORBIDDEN",
                ResCode.FORBIDDEN.message,
            ),
            (ValueError("r-1"), FALLBACK, ResCode.INTERNAL_SERVER_ERROR.message),
        ],
        ids=repr,
    )
    @pytest.mark.thinned(3)
    def test_the_most_specific_class(
        self, error: Any, reason: str, message: str, style: str, translating: Any, kind: str
    ) -> None:
        outcome = ask(translating[style], kind, raising(error))
        assert (coded(outcome), outcome.details) == (reason, message)

    def test_is_not_logged(self, style: str, translating: Any, kind: str, caplog: Any) -> None:
        ask(translating[style], kind, raising(Stale("r-1")))
        assert not logged(caplog)

    def test_comes_before_a_status_that_was_set_and_after_an_abort(
        self, style: str, translating: Any, kind: str
    ) -> None:
        def setting(context: Any) -> None:
            context.set_code(StatusCode.DATA_LOSS)
            raise Stale

        assert coded(ask(translating[style], kind, setting)) == "CONFLICT"
        outcome = ask(
            translating[style], kind, lambda context: context.abort(StatusCode.DATA_LOSS, "lost")
        )
        assert (outcome.code, outcome.details, outcome.trailing) == (
            StatusCode.DATA_LOSS,
            "lost",
            {},
        )

    def test_a_translation_for_all_leaves_aborts_and_service_errors_alone(
        self, style: str, kind: str
    ) -> None:
        with harness.serve(style, translate={BaseException: ResCode.FORBIDDEN}) as target:
            assert coded(ask(target, kind, raising(KeyboardInterrupt()))) == "FORBIDDEN"
            assert coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))) == "NOT_FOUND"
            assert (
                ask(target, kind, lambda context: context.abort(StatusCode.DATA_LOSS, "lost")).code
                is StatusCode.DATA_LOSS
            )

    @pytest.mark.parametrize(
        "broken",
        [
            failing_translation,
            interrupted_translation,
            lambda _: None,
            lambda _: ResCode.NOT_FOUND,
            lambda: None,
        ],
    )
    @pytest.mark.thinned(4)
    def test_a_translation_that_fails(
        self, broken: Any, style: str, kind: str, caplog: Any
    ) -> None:
        with harness.serve(style, translate={LookupFailed: broken}) as target:
            outcome = ask(target, kind, raising(LookupFailed(SECRET)))
        assert coded(outcome) == FALLBACK
        assert SECRET not in repr(outcome.trailing)
        (record,) = logged(caplog)
        assert request_id(outcome) in record.getMessage()
        assert "LookupFailed" in record.exc_text or "translate[LookupFailed]" in record.exc_text


class ShopCode(ErrorCode, domain="shop.example.com", default_locale="zh-CN", fallback="BROKEN"):
    """Another team's codes, with the number and the reason of one of ours."""

    NOT_FOUND = (
        404,
        Spec(StatusCode.NOT_FOUND, message="No such article", hints={"zh-CN": "没有这个商品"}),
    )
    BROKEN = 2, Spec(StatusCode.INTERNAL, message="Broken")


def calling(stack: str, target: str, kind: str, request: bytes) -> Callable[[Any], Any]:
    """A handler that calls another service with our client interceptor and catches nothing."""
    catalogues = (ResCode, ShopCode)

    def act(_: Any) -> None:
        with grpc.insecure_channel(target) as channel:
            intercepted = grpc.intercept_channel(channel, errgrpc.ClientInterceptor(*catalogues))
            made = getattr(intercepted, kind)(f"/test.Service/{kind}")(
                argument(kind, request), timeout=harness.DEADLINE
            )
            for _ in made if kind.endswith("stream") else ():
                pass

    async def act_async(_: Any) -> None:
        interceptors = errgrpc.aio.client_interceptors(*catalogues)
        async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
            made: Any = getattr(channel, kind)(f"/test.Service/{kind}")(
                argument(kind, request), timeout=harness.DEADLINE
            )
            if kind.endswith("unary"):
                await made
            else:
                async for _ in made:
                    pass

    return act if stack == "sync" else act_async


def argument(kind: str, request: bytes) -> Any:
    return iter([request]) if kind.startswith("stream") else request


def passing_on(act: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A handler that explicitly passes on what it receives."""

    def passing(context: Any) -> Any:
        async def wait(awaitable: Any) -> None:
            try:
                await awaitable
            except errgrpc.RemoteError as error:
                raise ServiceError.from_remote(error) from error

        try:
            result = act(context)
        except errgrpc.RemoteError as error:
            raise ServiceError.from_remote(error) from error
        return None if result is None else wait(result)

    return passing


@contextmanager
def chain(
    style: str, kind: str, acts: list[Callable[[Any], Any]], **options: Any
) -> Iterator[tuple[str, bytes]]:
    """Servers of a style that call one another, the last of which acts.

    Yields the address of the first one and the request for it.
    """
    stack = "aio" if style in {"aio", "reader_writer"} else "sync"
    with ExitStack() as open_:
        target, request = "", b""
        for wrap in reversed(acts):
            act = wrap(calling(stack, target, kind, request)) if target else wrap
            request = open_.enter_context(harness.action(act, 1))
            target = open_.enter_context(harness.serve(style, **options))
        yield target, request


def same(act: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return act


class TestReceived:
    """A received error is not ours, unless a handler explicitly passes it on."""

    @pytest.mark.parametrize(
        "code", [ResCode.NOT_FOUND, ResCode.INTERNAL_SERVER_ERROR, ShopCode.NOT_FOUND], ids=str
    )
    def test_is_masked_whatever_domain_it_claims(
        self, code: ErrorCode, style: str, kind: str
    ) -> None:
        error = ServiceError(code, f"upstream {SECRET}", metadata={"seen": SECRET}, hint=SECRET)
        with chain(style, kind, [same, raising(error)]) as (target, request):
            outcome = harness.call("sync", target, kind, request, interceptors=())
        details = on_the_wire(outcome)
        assert (coded(outcome), outcome.details) == (
            FALLBACK,
            ResCode.INTERNAL_SERVER_ERROR.message,
        )
        assert dict(details["ErrorInfo"].metadata) == {"code": "500"}
        assert SECRET not in repr((outcome.details, outcome.trailing, outcome.initial))

    def test_the_request_id_of_a_masked_error_goes_all_the_way(
        self, style: str, kind: str, caplog: Any
    ) -> None:
        with chain(style, kind, [same, same, raising(ValueError(SECRET))]) as (target, request):
            outcome = harness.call("sync", target, kind, request, interceptors=())
        assert coded(outcome) == FALLBACK
        assert [record.request_id for record in logged(caplog)] == [request_id(outcome)] * 3

    def test_is_passed_on_by_name(self, style: str, kind: str, caplog: Any) -> None:
        details = [
            error_details_pb2.RequestInfo(request_id="first-1"),
            error_details_pb2.ResourceInfo(resource_name="r-42"),
        ]
        error = ServiceError(
            ResCode.SERVICE_UNAVAILABLE, "No r-42", room_uuid="r-42", details=details, retry_delay=2
        )
        with chain(style, kind, [passing_on, passing_on, raising(error)]) as (target, request):
            outcome = harness.call(
                "sync",
                target,
                kind,
                request,
                interceptors=(),
                metadata=(("accept-language", "en"),),
            )
        read = on_the_wire(outcome)
        assert list(read) == [
            "ErrorInfo",
            "LocalizedMessage",
            "ResourceInfo",
            "RetryInfo",
            "RequestInfo",
        ]
        assert (coded(outcome), outcome.details, request_id(outcome)) == (
            "SERVICE_UNAVAILABLE",
            "No r-42",
            "first-1",
        )
        assert dict(read["ErrorInfo"].metadata) == {"code": "503", "room_uuid": "r-42"}
        # the hint of the table, in the caller's language
        assert read["LocalizedMessage"].locale == "en-US"
        assert read["RetryInfo"].retry_delay.seconds == 2
        assert "grpc-retry-pushback-ms" not in outcome.trailing  # only the first server may send it
        assert not logged(caplog)

    def test_of_another_team_is_passed_on_as_theirs(self, style: str, kind: str) -> None:
        with chain(style, kind, [passing_on, raising(ServiceError(ShopCode.NOT_FOUND))]) as (
            target,
            request,
        ):
            info = on_the_wire(harness.call("sync", target, kind, request, interceptors=()))[
                "ErrorInfo"
            ]
        assert (info.domain, info.reason) == ("shop.example.com", "NOT_FOUND")

    def test_is_passed_on_by_a_gateway(self, style: str, kind: str) -> None:
        table = {
            errgrpc.remote(ResCode): ServiceError.from_remote,
            errgrpc.remote(ResCode.CONFLICT): ResCode.FORBIDDEN,
        }
        for code, reason in (
            (ResCode.NOT_FOUND, "NOT_FOUND"),
            (ResCode.CONFLICT, "FORBIDDEN"),
            (ShopCode.NOT_FOUND, FALLBACK),
        ):
            with chain(style, kind, [same, raising(ServiceError(code))], translate=table) as (
                target,
                request,
            ):
                assert coded(harness.call("sync", target, kind, request, interceptors=())) == reason

    @pytest.mark.parametrize("how", ["inferred", "unknown"])
    def test_what_is_not_known_cannot_be_passed_on(self, how: str, style: str, kind: str) -> None:
        def act(context: Any) -> Any:
            status = status_pb2.Status(code=code_pb2.NOT_FOUND, message=SECRET)
            if how == "unknown":
                status.details.add().Pack(
                    error_details_pb2.ErrorInfo(reason="NEWER", domain="errgrpc.v1.ResCode")
                )
            context.set_trailing_metadata(((harness.DETAILS_KEY, status.SerializeToString()),))
            return context.abort(StatusCode.NOT_FOUND, SECRET)

        with chain(style, kind, [passing_on, act]) as (target, request):
            outcome = harness.call("sync", target, kind, request, interceptors=())
        assert coded(outcome) == FALLBACK
        assert SECRET not in repr((outcome.details, outcome.trailing))


class TestLocale:
    @pytest.mark.parametrize(
        ("metadata", "locale"),
        [
            ((), "zh-CN"),
            ((("accept-language", "en-GB,en;q=0.9"),), "en-US"),
            ((("grpcgateway-accept-language", "en"),), "en-US"),
            ((("accept-language", "zh-TW"), ("grpcgateway-accept-language", "en")), "zh-CN"),
            ((("accept-language", "!!"), ("grpcgateway-accept-language", "en")), "en-US"),
            ((("accept-language", "fr"), ("grpcgateway-accept-language", "en")), "zh-CN"),
            ((("accept-language", "fr"), ("accept-language", "en;q=0.1")), "en-US"),
            ((("accept-language", "zh;q=0, *"),), "en-US"),
            ((("accept-language", "%s{0}\\"),), "zh-CN"),
            (
                (("accept-language", ",".join(f"x{number % 10}" for number in range(1_000))),),
                "zh-CN",
            ),
        ],
    )
    @pytest.mark.thinned(4)
    def test_is_negotiated(self, metadata: Any, locale: str, target: str, kind: str) -> None:
        for error in (ServiceError(ResCode.ROOM_NOT_EXIST), ValueError()):
            hint = on_the_wire(ask(target, kind, raising(error), metadata=metadata))[
                "LocalizedMessage"
            ]
            code = (
                ResCode.ROOM_NOT_EXIST
                if isinstance(error, ServiceError)
                else ResCode.INTERNAL_SERVER_ERROR
            )
            assert (hint.locale, hint.message) == (locale, code.hints[locale])

    def test_of_a_hint_of_the_raiser(self, target: str, kind: str) -> None:
        error = ServiceError(ResCode.ROOM_NOT_EXIST, hint={"de": "Kein Raum", "fr": "Pas de salle"})
        for asked, locale in (("fr", "fr"), ("en", "de")):
            found = on_the_wire(
                ask(target, kind, raising(error), metadata=(("accept-language", asked),))
            )["LocalizedMessage"]
            assert found.locale == locale


@pytest.mark.parametrize("style", harness.STYLES)
def test_another_catalogue_answers_by_its_own_fallback(style: str, kind: str) -> None:
    with harness.serve(style, catalogue=ShopCode) as target:
        info = on_the_wire(ask(target, kind, raising(ValueError(SECRET))))["ErrorInfo"]
        assert (info.domain, info.reason) == ("shop.example.com", "BROKEN")
        assert coded(ask(target, kind, raising(ServiceError(ResCode.NOT_FOUND)))) == "NOT_FOUND"


@pytest.mark.parametrize("stack", [errgrpc, errgrpc.aio], ids=["sync", "aio"])
@pytest.mark.parametrize(
    ("catalogue", "options", "kind"),
    [
        (ComponentCode, {}, ValueError),  # no fallback
        (ErrorCode, {}, TypeError),
        (ResCode.NOT_FOUND, {}, TypeError),
        (ResCode, {"translate": {"KeyError": ResCode.NOT_FOUND}}, TypeError),
        (ResCode, {"translate": {KeyError: "NOT_FOUND"}}, TypeError),
        (ResCode, {"translate": {KeyError: ResCode.SUCCESS}}, ValueError),
        (ResCode, {"on_error": "log"}, TypeError),
        (ResCode, {"max_trailer_bytes": 1_023}, ValueError),
        (ResCode, {"max_trailer_bytes": 8_000.0}, ValueError),
    ],
)
def test_wrong_arguments(stack: Any, catalogue: Any, options: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        stack.ServerInterceptor(catalogue, **options)
