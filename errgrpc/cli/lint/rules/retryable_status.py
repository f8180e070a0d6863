"""A code that says `retryable: true` has a status that clients try again."""

from collections.abc import Iterator

from grpc import StatusCode

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES

__all__ = ["check", "id", "severity"]

id = "retryable-status"
severity: Severity = "warning"

# UNAVAILABLE is what AIP-194 has; the others are what clients and proxies may be told to try again.
_RETRIED = {
    StatusCode.UNAVAILABLE,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.ABORTED,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.INTERNAL,
    StatusCode.UNKNOWN,
}


def check(tables: Tables) -> Iterator[Found]:
    """Finds codes that are retryable and have a status that tells clients to give up."""
    for catalog, code in tables.codes():
        status = STATUSES.get(code.grpc_status or 0)
        if code.retryable and code.grpc_status and status is not None and status not in _RETRIED:
            yield Found(
                anchor(catalog, code),
                f"is retryable, but clients do not try {status.name} again; give it UNAVAILABLE, or take retryable away",
                "retryable",
            )
