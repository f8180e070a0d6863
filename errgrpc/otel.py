"""Describes failed calls in the traces and metrics of OpenTelemetry. It needs only its API."""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pool
from opentelemetry import metrics, trace

from errgrpc.codes import DOMAIN, MAX_REASON, REASON, ErrorCode
from errgrpc.remote_error import RemoteError
from errgrpc.reports import Answered
from errgrpc.texts import is_request_id

__all__ = [
    "ERRGRPC_CODE",
    "ERRGRPC_DOMAIN",
    "ERRGRPC_FAILED_CALLS",
    "ERRGRPC_REASON",
    "ERRGRPC_REQUEST_ID",
    "ERRGRPC_SIDE",
    "ERROR_TYPE",
    "OTHER",
    "RPC_METHOD",
    "SCHEMA_URL",
    "Telemetry",
]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
"""The semantic conventions of OpenTelemetry that the next three names come from."""
ERROR_TYPE = "error.type"
"""The attribute of a span for the kind of the error (stable in the conventions)."""
RPC_METHOD = "rpc.method"
"""The attribute of the counter for the method (stable in the conventions)."""
OTHER = "_OTHER"
"""The value of an attribute for all values that have no series of their own."""

# Names of errgrpc, since version 0.1. The conventions have no request id.
ERRGRPC_CODE = "errgrpc.code"
"""The attribute of a span for the number of the code."""
ERRGRPC_DOMAIN = "errgrpc.domain"
"""The attribute of a span for `ErrorInfo.domain` (AIP-193)."""
ERRGRPC_REASON = "errgrpc.reason"
"""The attribute of a span and of the counter for `ErrorInfo.reason` (AIP-193)."""
ERRGRPC_REQUEST_ID = "errgrpc.request_id"
"""The attribute of a span for the request id."""
ERRGRPC_SIDE = "errgrpc.side"
"""The attribute of the counter for `server` or `client`."""
ERRGRPC_FAILED_CALLS = "errgrpc.failed_calls"
"""The name of the counter of failed calls."""

_PATH = re.compile("/[^/]+/[^/]+")


class Telemetry:
    """Counts failed calls, and describes them in the current span.

        telemetry = Telemetry()
        ServerInterceptor(ResCode, on_answer=telemetry.on_answer)
        wrap_channel(channel, ResCode, on_received=telemetry.on_received)

    Each failed call adds 1 to the counter `errgrpc.failed_calls` (unit `{call}`). The counter has
    three attributes. Peers cannot add values to them:

    - `rpc.method`: the method as `package.Service/Method`, or `_OTHER`.
    - `errgrpc.reason`: the reason of a declared code, or `_OTHER`. It is `_OTHER` for a status that
      the handler set, an unknown code, and an inferred code.
    - `errgrpc.side`: `server` or `client`.

    If the current span records, it gets `errgrpc.reason`, `errgrpc.domain`, `errgrpc.code` (the
    number) and `errgrpc.request_id`, if they are known. On a server, it also gets an event for an
    unhandled exception.

    Args:
        methods: The known methods as `/package.Service/Method`: `RAISES` of a generated module, or
            a list. By default, they are the methods of each service whose protobuf module this
            process has imported. Other methods, and requests over HTTP, count as `_OTHER`.
        reason_as_error_type: Whether the `error.type` of the span is the reason, as in Google's
            libraries. In OpenTelemetry's conventions it is the status, which the instrumentation
            sets.
        meter_provider: The provider of the counter. By default, it is OpenTelemetry's global one.

    Raises:
        TypeError: `methods` is not a collection of paths.
    """

    def __init__(
        self,
        *,
        methods: Iterable[str] | None = None,
        reason_as_error_type: bool = False,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._methods = None if methods is None else frozenset(_paths(methods))
        self._reason_as_error_type = reason_as_error_type
        meter = metrics.get_meter("errgrpc", meter_provider=meter_provider, schema_url=SCHEMA_URL)
        self._failed_calls = meter.create_counter(
            ERRGRPC_FAILED_CALLS, unit="{call}", description="Calls that failed, by reason"
        )

    def on_answer(self, answered: Answered, /) -> None:
        """Counts and describes a failed call on a server: the hook `on_answer`.

        To describe the span of OpenTelemetry's instrumentation, list its interceptor before
        errgrpc's.
        """
        self._count(answered.method, answered.code, "server")
        span = trace.get_current_span()
        if span.is_recording():
            self._describe(span, answered.code, {}, answered.request_id)
            if answered.outcome == "unhandled" and answered.error is not None:
                span.record_exception(answered.error)

    def on_received(self, error: RemoteError, /, *, method: str) -> None:
        """Counts and describes a failed call on a client: the hook `on_received`.

        The current span is the span of the call or the span of the caller. This depends on the
        instrumentation.
        """
        code = None if error.inferred else error.error_code
        self._count(method, code, "client")
        span = trace.get_current_span()
        if span.is_recording():
            self._describe(span, code, _received(error), error.request_id)

    def _count(self, method: str, code: ErrorCode | None, side: str) -> None:
        reason = OTHER if code is None else code.reason
        known = _is_imported(method) if self._methods is None else method in self._methods
        self._failed_calls.add(
            1,
            {
                RPC_METHOD: method[1:] if known else OTHER,
                ERRGRPC_REASON: reason,
                ERRGRPC_SIDE: side,
            },
        )

    def _describe(
        self,
        span: trace.Span,
        code: ErrorCode | None,
        facts: dict[str, str | int],
        request_id: str | None,
    ) -> None:
        if code is not None:
            facts = {
                ERRGRPC_REASON: code.reason,
                ERRGRPC_DOMAIN: code.domain,
                ERRGRPC_CODE: code.number,
            }
            if self._reason_as_error_type:
                facts[ERROR_TYPE] = code.reason
        if is_request_id(request_id):
            facts[ERRGRPC_REQUEST_ID] = request_id
        span.set_attributes(facts)


def _received(error: RemoteError) -> dict[str, str | int]:
    """Returns what a peer sent of a code, if it has the form of a code (AIP-193).

    No catalogue may declare the code.
    """
    reason, domain, number = error.reason, error.domain, error.number
    if (
        reason is None
        or domain is None
        or len(reason) > MAX_REASON
        or not REASON.fullmatch(reason)
        or not DOMAIN.fullmatch(domain)
    ):
        return {}
    facts: dict[str, str | int] = {ERRGRPC_REASON: reason, ERRGRPC_DOMAIN: domain}
    return facts if number is None else {**facts, ERRGRPC_CODE: number}


def _is_imported(path: str) -> bool:
    """Tells whether an imported protobuf module has the method. A peer cannot add one."""
    service, _, name = path[1:].rpartition("/")
    try:
        return (
            path[:1] == "/"
            and name in descriptor_pool.Default().FindServiceByName(service).methods_by_name
        )
    except (KeyError, TypeError):  # TypeError: a lone surrogate
        return False


def _paths(methods: Any) -> list[str]:
    paths: list[Any] = (
        [methods]
        if isinstance(methods, str | bytes) or not isinstance(methods, Iterable)
        else list(methods)
    )
    for path in paths:
        if path is methods or not isinstance(path, str) or not _PATH.fullmatch(path):
            raise TypeError(
                f"methods is or holds {path!r}: "
                "give a collection of paths such as '/shop.v1.ShopService/Buy'"
            )
    return paths
