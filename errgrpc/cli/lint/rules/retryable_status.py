"""A code with `retryable: true` has a status that clients retry."""

from collections.abc import Iterator

from grpc import StatusCode

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables
from errgrpc.codegen.schema import STATUSES

__all__ = ["check", "id", "severity"]

id = "retryable-status"
severity: Severity = "warning"

# AIP-194 has only UNAVAILABLE. Clients and proxies can be configured to retry the others.
_RETRIED = {
    StatusCode.UNAVAILABLE,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.ABORTED,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.INTERNAL,
    StatusCode.UNKNOWN,
}


def check(tables: Tables) -> Iterator[Found]:
    """Finds retryable codes whose status tells clients to give up."""
    for catalog, code in tables.codes():
        status = STATUSES.get(code.grpc_status or 0)
        if code.retryable and code.grpc_status and status is not None and status not in _RETRIED:
            yield Found(
                anchor(catalog, code),
                f"is retryable, but clients do not retry {status.name}; "
                "give it UNAVAILABLE, or remove retryable",
                "retryable",
            )
