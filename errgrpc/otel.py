"""Describes failed calls in traces and metrics. It needs only the API of OpenTelemetry."""

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

# From OpenTelemetry's semantic conventions 1.45.0, where all three are stable. They have no request
# id.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
ERROR_TYPE = "error.type"
RPC_METHOD = "rpc.method"
OTHER = "_OTHER"

# Names of errgrpc, since version 0.1.
ERRGRPC_CODE = "errgrpc.code"
ERRGRPC_DOMAIN = "errgrpc.domain"
ERRGRPC_REASON = "errgrpc.reason"
ERRGRPC_REQUEST_ID = "errgrpc.request_id"
ERRGRPC_SIDE = "errgrpc.side"
ERRGRPC_FAILED_CALLS = "errgrpc.failed_calls"

_PATH = re.compile("/[^/]+/[^/]+")


class Telemetry:
    """Counts failed calls, and describes them in the current span.

        telemetry = Telemetry()
        ServerInterceptor(ResCode, on_answer=telemetry.on_answer)
        wrap_channel(channel, ResCode, on_received=telemetry.on_received)

    Each failed call adds 1 to the counter `errgrpc.failed_calls` (unit `{call}`). Its attributes
    have a bounded number of values, whatever a peer sends:

    - `rpc.method`: the method, or `_OTHER`.
    - `errgrpc.reason`: the reason of a declared code, or `_OTHER`. It is `_OTHER` for a status that
      the handler set, an unknown code, and an inferred code.
    - `errgrpc.side`: `server` or `client`.

    If the current span records, it gets `errgrpc.reason`, `errgrpc.domain`, `errgrpc.code` (the
    number) and `errgrpc.request_id`, if they are known. On a server, it also gets an event for an
    unhandled exception.

    Args:
        methods: The known methods as `/package.Service/Method`: `RAISES`, or a list. By default,
            they are the methods of each service whose protobuf module this process has imported.
            Other methods, and requests over HTTP, count as `_OTHER`.
        reason_as_error_type: Sets the span's `error.type` to the reason, as Google's libraries do.
            In the convention it is the status, which the instrumentation sets.
        meter_provider: OpenTelemetry's global one by default.

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
        """The hook of a server.

        If an instrumentation stands before errgrpc's interceptor, its span is current.
        """
        self._count(answered.method, answered.code, "server")
        span = trace.get_current_span()
        if span.is_recording():
            self._describe(span, answered.code, {}, answered.request_id)
            if answered.outcome == "unhandled" and answered.error is not None:
                span.record_exception(answered.error)

    def on_received(self, error: RemoteError, /, *, method: str) -> None:
        """The hook of a client.

        The current span is that of the caller or that of the call. It depends on the
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
