"""The table of codes through Python, the protos and the wire.

On the wire, plain google.rpc messages and grpcio-status read it, too.
"""

import asyncio
import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import grpc.aio
import harness
import pytest
from code_table import CODES, Row
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status

import errgrpc
from errgrpc import ComponentCode, ErrorCode, RemoteError, ResCode, ServiceError, remote
from errgrpc.v1 import annotations_pb2, component_code_pb2, res_code_pb2

ERRORS = [row for row in CODES if row.grpc_status is not StatusCode.OK]
CATALOGUES: dict[str, type[ErrorCode]] = {"ResCode": ResCode, "ComponentCode": ComponentCode}
PROTOS = {
    "ResCode": (res_code_pb2, "RES_CODE_"),
    "ComponentCode": (component_code_pb2, "COMPONENT_CODE_"),
}


def test_the_table() -> None:
    assert (
        len(CODES)
        == len({(row.domain, row.reason) for row in CODES})
        == len({(row.domain, row.number) for row in CODES})
        == 37
    )
    assert [sum(row.catalogue == name for row in CODES) for name in CATALOGUES] == [32, 5]
    assert len(ERRORS) == 36


def test_python() -> None:
    members = {
        Row(
            name,
            code.domain,
            code.number,
            code.reason,
            code.grpc_status,
            code.http_status,
            code.message,
            code.hints["zh-CN"],
            code.hints["en-US"],
            code.description,
            tuple(
                (tuple(variant.when.items()), variant.hints["zh-CN"], variant.hints["en-US"])
                for variant in code.spec.variants
            ),
        )
        for name, catalogue in CATALOGUES.items()
        for code in catalogue
        if set(code.hints) == {"zh-CN", "en-US"}
    }
    assert members == set(CODES)


def test_protos() -> None:
    """The descriptions are left out, as they are comments."""
    assert {row for name in CATALOGUES for row in rows_of(name)} == {
        row._replace(description="") for row in CODES
    }


def rows_of(name: str) -> Iterator[Row]:
    module, prefix = PROTOS[name]
    enum = module.DESCRIPTOR.enum_types_by_name[name]
    catalog = enum.GetOptions().Extensions[annotations_pb2.catalog]
    for value in enum.values:
        if not value.GetOptions().HasExtension(annotations_pb2.code):
            assert (value.name, value.number) == (f"{prefix}UNSPECIFIED", 0)
            continue
        code = value.GetOptions().Extensions[annotations_pb2.code]
        texts: dict[Any, dict[str, str]] = {}
        for hint in code.hints:
            texts.setdefault(tuple(sorted(hint.when.items())), {})[hint.locale] = hint.text
        always = texts.pop(())
        assert always.keys() == {"zh-CN", "en-US"}
        yield Row(
            name,
            catalog.domain,
            value.number,
            value.name.removeprefix(prefix),
            StatusCode[code_pb2.Code.Name(code.grpc_status)],
            code.http_status if code.HasField("http_status") else None,
            code.message,
            always["zh-CN"],
            always["en-US"],
            "",
            tuple((when, hints["zh-CN"], hints["en-US"]) for when, hints in texts.items()),
        )


@pytest.mark.parametrize("name", CATALOGUES)
def test_the_options_of_a_catalogue_are_its_proto_s(name: str) -> None:
    catalogue = CATALOGUES[name]
    catalog = (
        PROTOS[name][0]
        .DESCRIPTOR.enum_types_by_name[name]
        .GetOptions()
        .Extensions[annotations_pb2.catalog]
    )
    assert (catalogue.domain, catalogue.default_locale) == (catalog.domain, catalog.default_locale)
    assert (catalogue.fallback.reason if catalogue.fallback else "") == catalog.fallback
    inferred = {
        StatusCode[code_pb2.Code.Name(row.grpc_status)]: row.reason for row in catalog.infer
    }
    assert {status: code.reason for status, code in catalogue.inference.items()} == inferred


# Over the wire: each error in each kind of method and style of handler, read by each client stack.

VIOLATIONS = error_details_pb2.BadRequest(
    field_violations=[error_details_pb2.BadRequest.FieldViolation(field="room_uuid")]
)


def carried(row: Row) -> dict[str, str]:
    """One declared field of the code, with a value that changes no hint.

    If the code declares nothing, any key will do.
    """
    values: dict[type, str] = {str: "r-42", int: "42", bool: "false"}
    fields = CATALOGUES[row.catalogue][row.reason].metadata_fields
    return {fields[-1].key: values[fields[-1].type]} if fields else {"room_uuid": "r-42"}


RETRY = error_details_pb2.RetryInfo(retry_delay={"seconds": 1, "nanos": 500_000_000})


def retries(row: Row) -> bool:
    """Whether a delay may be given: it is a MisuseWarning if the code forbids retries."""
    return CATALOGUES[row.catalogue][row.reason].retryable is not False


def expected(row: Row) -> status_pb2.Status:
    """The expected answer, made of google.rpc only."""
    status = status_pb2.Status(code=row.grpc_status.value[0], message=row.message)
    info = error_details_pb2.ErrorInfo(
        reason=row.reason, domain=row.domain, metadata={"code": str(row.number), **carried(row)}
    )
    for detail in (
        info,
        error_details_pb2.LocalizedMessage(locale="en-US", message=row.english),
        VIOLATIONS,
        *([RETRY] if retries(row) else []),
    ):
        status.details.add().Pack(detail, deterministic=True)
    return status


@contextmanager
def raising(row: Row) -> Iterator[bytes]:
    def act(_: object) -> None:
        raise ServiceError(
            CATALOGUES[row.catalogue][row.reason],
            metadata=carried(row),
            details=[VIOLATIONS],
            retry_delay=1.5 if retries(row) else None,
        )

    with harness.action(act, after=1) as request:
        yield request


def by_grpcio_status(error: Any) -> Any:
    return rpc_status.from_call(error)


def check_typed(error: Any, responses: list[bytes], row: Row, kind: str) -> None:
    """What a client with errgrpc sees."""
    code = CATALOGUES[row.catalogue](row.number)
    assert type(error) is remote(code)
    assert (error.error_code, error.number, error.reason, error.domain) == (
        code,
        row.number,
        row.reason,
        row.domain,
    )
    assert (error.code(), error.details(), error.metadata) == (
        row.grpc_status,
        row.message,
        carried(row),
    )
    assert (error.hint, error.locale, error.request_id) == (row.english, "en-US", None)
    assert error.status_details[2:] == ((VIOLATIONS, RETRY) if retries(row) else (VIOLATIONS,))
    assert error.retry_delay == (1.5 if retries(row) else None)
    assert by_grpcio_status(error) == expected(row)
    assert responses == ([] if kind.endswith("unary") else [b"first"])


def check_plain(error: Any, responses: list[bytes], row: Row, kind: str) -> None:
    """What a client without errgrpc sees."""
    assert not isinstance(error, RemoteError)
    assert (error.code(), error.details()) == (row.grpc_status, row.message)
    (raw,) = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw)
    assert status == expected(row)
    names = [
        "ErrorInfo",
        "LocalizedMessage",
        "BadRequest",
        *(["RetryInfo"] if retries(row) else []),
    ]
    assert [detail.type_url for detail in status.details] == [
        f"type.googleapis.com/google.rpc.{name}" for name in names
    ]
    assert by_grpcio_status(error) == status
    assert responses == ([] if kind.endswith("unary") else [b"first"])


ENGLISH = (("accept-language", "en"),)


def read_sync(target: str, kind: str) -> None:
    typed = errgrpc.ClientInterceptor(ResCode, ComponentCode, locale="en")
    with grpc.insecure_channel(target) as channel:
        doors = (
            grpc.intercept_channel(channel, typed),
            errgrpc.wrap_channel(channel, ResCode, ComponentCode, locale="en"),
        )
        for check, metadata, through in (
            *((check_typed, None, door) for door in doors),
            (check_plain, ENGLISH, channel),
        ):
            method = getattr(through, kind)(f"/test.Service/{kind}")
            for row in ERRORS:
                with raising(row) as request:
                    responses: list[bytes] = []
                    argument = iter([request]) if kind.startswith("stream") else request
                    try:
                        result = method(argument, timeout=harness.DEADLINE, metadata=metadata)
                        responses.extend(
                            [result]
                            if kind.endswith("unary")
                            else iter(functools.partial(next, result), None)
                        )
                    except grpc.RpcError as error:
                        check(error, responses, row, kind)
                    else:
                        pytest.fail(f"{row.reason} has not been raised")


async def read_aio(target: str, kind: str) -> None:
    typed = errgrpc.aio.client_interceptors(ResCode, ComponentCode, locale="en")
    wrapped = errgrpc.aio.wrap_channel(
        grpc.aio.insecure_channel(target), ResCode, ComponentCode, locale="en"
    )
    intercepted, bare = (
        grpc.aio.insecure_channel(target, interceptors=typed),
        grpc.aio.insecure_channel(target),
    )
    for check, metadata, through in (
        (check_typed, None, intercepted),
        (check_typed, None, wrapped),
        (check_plain, ENGLISH, bare),
    ):
        async with through as channel:
            method = getattr(channel, kind)(f"/test.Service/{kind}")
            for row in ERRORS:
                with raising(row) as request:
                    responses: list[bytes] = []
                    argument = iter([request]) if kind.startswith("stream") else request
                    try:
                        call = method(argument, timeout=harness.DEADLINE, metadata=metadata)
                        if kind.endswith("unary"):
                            responses.append(await call)
                        else:
                            async for response in call:
                                responses.append(response)
                    except grpc.RpcError as error:
                        check(error, responses, row, kind)
                    else:
                        pytest.fail(f"{row.reason} has not been raised")


@pytest.mark.thinned(4)
def test_every_error_over_the_wire(target: str, kind: str, stack: str) -> None:
    if stack == "sync":
        read_sync(target, kind)
    else:
        asyncio.run(read_aio(target, kind))


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_every_hint_over_the_wire(targets: dict[str, str], locale: str) -> None:
    with ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(targets["sync"]))
        method: Any = grpc.intercept_channel(
            channel, errgrpc.ClientInterceptor(ResCode, ComponentCode, locale=locale)
        ).unary_unary("/test.Service/unary_unary")
        for row in ERRORS:
            variants = [((), row.chinese, row.english), *row.variants]
            for when, chinese, english in variants:

                def act(_: object, row: Row = row, when: Any = when) -> None:
                    raise ServiceError(CATALOGUES[row.catalogue][row.reason], metadata=dict(when))

                with harness.action(act) as request, pytest.raises(RemoteError) as caught:
                    method(request, timeout=harness.DEADLINE)
                assert (caught.value.locale, caught.value.hint) == (
                    locale,
                    chinese if locale == "zh-CN" else english,
                )
                assert caught.value.error_code is CATALOGUES[row.catalogue][row.reason]
