"""A reader made from docs/wire.md and the table of codes alone agrees with the vectors.

It imports nothing of errgrpc.
"""

import base64
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from code_table import CODES, Row
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

from conformance.vectors import Vector, load

ERRORS = [row for row in CODES if row.grpc_status is not StatusCode.OK]
CATALOGUES = {row.domain: row.catalogue for row in ERRORS}
BY_REASON = {(row.domain, row.reason): row for row in ERRORS}
BY_NUMBER = {(row.domain, row.number): row for row in ERRORS}
PAGE = Path(__file__).parents[2] / "docs" / "wire.md"
INFERRED = {
    status: row.reason
    for statuses, number in re.findall(
        r"^\| ([A-Z_, ]+) \| (\d+) [A-Z_]+ \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    for status in statuses.split(", ")
    if (row := BY_NUMBER["errgrpc.v1.ResCode", int(number)])
}


class Read(NamedTuple):
    """The details that the reader needs."""

    info: rpc.ErrorInfo | None
    hint: rpc.LocalizedMessage | None
    request: rpc.RequestInfo | None


def readable(raw: bytes, kind: Any) -> Any:
    """The first readable detail of a type."""
    try:
        details = status_pb2.Status.FromString(raw).details
    except DecodeError:
        return None
    for detail in details:
        if detail.type_url.rpartition("/")[2] == kind.DESCRIPTOR.full_name:
            try:
                return kind.FromString(detail.value)
            except DecodeError:
                continue
    return None


def identified(info: rpc.ErrorInfo) -> tuple[Row | None, str | None, int | None]:
    """Code, catalogue and number of an ErrorInfo."""
    domains = [info.domain] if info.domain else list(CATALOGUES)
    text = info.metadata.get("code", "")
    number = (
        int(text)
        if re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) and -(2**31) <= int(text) < 2**31
        else None
    )
    found = [BY_REASON.get((domain, info.reason)) for domain in domains]
    found += [BY_NUMBER.get((domain, number)) for domain in domains if number is not None]
    row = next(filter(None, found), None)
    return row, row.catalogue if row else CATALOGUES.get(info.domain), row.number if row else number


def typed(vector: Vector) -> dict[str, Any]:
    """What a reader with the table makes of the trailers."""
    trailers = vector["trailers"]
    raw = base64.b64decode(trailers["grpc-status-details-bin"] or "")
    info, hint, request = Read(
        *(readable(raw, kind) for kind in (rpc.ErrorInfo, rpc.LocalizedMessage, rpc.RequestInfo))
    )
    if info is not None:
        row, catalogue, number = identified(info)
    else:
        status = next(
            status.name for status in StatusCode if status.value[0] == trailers["grpc-status"]
        )
        row = BY_REASON.get(("errgrpc.v1.ResCode", INFERRED.get(status, "")))
        catalogue, number = None, row.number if row else None
    told = (hint.locale, hint.message) if hint is not None and hint.message else None
    locale, text = told or (("zh-CN", row.chinese) if row else (None, None))
    return {
        "catalogue": catalogue,
        "code": row and row.reason,
        "number": number,
        "inferred": info is None and row is not None,
        "locale": locale,
        "hint": text,
        "request_id": request.request_id if request is not None else None,
    }


@pytest.mark.parametrize("vector", load(), ids=lambda vector: vector["name"])
def test_it_finds_what_the_vector_says(vector: Vector) -> None:
    assert typed(vector) == vector["typed"]


def test_the_page_infers_from_each_status() -> None:
    assert set(INFERRED) == {status.name for status in StatusCode} - {"OK", "CANCELLED"}
