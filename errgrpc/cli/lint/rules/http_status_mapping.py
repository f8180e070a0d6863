"""The HTTP status of a code fits its gRPC status, as in google/rpc/code.proto."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES
from errgrpc.http.statuses import grpc_status, of_grpc

__all__ = ["check", "id", "severity"]

id = "http-status-mapping"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds pairs that neither mapping has: from gRPC to HTTP, or from HTTP to gRPC.

    The second mapping has more exact HTTP statuses, such as 422.
    """
    for catalog, code in tables.codes():
        status = STATUSES.get(code.grpc_status or 0)
        if status is None or code.grpc_status is None or code.http_status is None:
            continue
        fits = (
            code.http_status // 100 == 2
            if not code.grpc_status
            else grpc_status(code.http_status) is status
        )
        if not fits and code.http_status != of_grpc(status):
            yield Found(
                anchor(catalog, code),
                f"has the HTTP status {code.http_status}, but {status.name} is {of_grpc(status)} "
                "in google/rpc/code.proto; change one",
                "http_status",
            )
