"""Makes the config of a client's own retry policy from catalogues and services (gRFC A6)."""

import difflib
import json
import warnings
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from errgrpc.catalog import as_catalogue
from errgrpc.codes import ErrorCode
from errgrpc.service_error import MisuseWarning

__all__ = ["service_config"]

# Seconds. grpcio subtracts up to a fifth, and counts whole milliseconds. On 0, it waits until the
# deadline (measured with 1.85.3).
_LEAST_BACKOFF = 0.01
# gRFC A6 allows 1 to 1,000. With 1 or 2 tokens, the first failure leaves at most half of them, and
# nothing would be retried.
_LEAST_TOKENS, _MOST_TOKENS = 3, 1_000
_MOST_ATTEMPTS = 5  # gRFC A6: more are treated as 5


def service_config(
    *catalogues: type[ErrorCode],
    services: Iterable[ServiceDescriptor],
    statuses: Iterable[StatusCode] = (StatusCode.UNAVAILABLE,),
    safe_methods: Iterable[str] = (),
    max_attempts: int = 4,
    initial_backoff: float = 0.1,
    max_backoff: float = 5,
    backoff_multiplier: float = 2,
    throttling: tuple[int, float] | None = (10, 0.1),
) -> str:
    """Returns a channel's service config as JSON, with which gRPC's own client retries calls.

        services = [classroom_pb2.DESCRIPTOR.services_by_name["ClassroomService"]]
        config = service_config(ResCode, services=services)
        channel = grpc.insecure_channel(target, options=[("grpc.service_config", config)])

    This works in every language, and on both stacks. As gRFC A6 says, the client retries a call
    only if no response headers have arrived. It waits as long as the server asks. If the deadline
    of the call comes first, the call ends with DEADLINE_EXCEEDED.

    The config leaves out what could do harm or could not succeed:

    - Methods that are not safe to repeat. A method is safe if its `idempotency_level` is
      NO_SIDE_EFFECTS or IDEMPOTENT, or if `safe_methods` names it.
    - Statuses of codes that declare `retryable: false`, except UNAVAILABLE. A retry policy reads
      only the status. If the status of such a code is UNAVAILABLE, a server with errgrpc stops the
      policy with `grpc-retry-pushback-ms: -1` (gRFC A6).
    - Hedging, timeouts and wait_for_ready. The caller decides on them.

    If the config retries nothing, the function warns with MisuseWarning.

    Args:
        *catalogues: The catalogues of the services.
        services: The descriptors of the services.
        statuses: The statuses after which a call is retried. AIP-194 allows only UNAVAILABLE.
        safe_methods: More methods that are safe to repeat, as `/package.Service/Method`.
        max_attempts: How many times a call is tried in all, with the first time: 2 to 5.
        initial_backoff: The wait before the first retry, in seconds: 0.01 or more.
        max_backoff: The longest wait before a retry, in seconds: 0.01 or more.
        backoff_multiplier: The factor by which the wait grows with each retry: 1 or more.
        throttling: Two numbers, which protect a server that fails: the tokens (3 to 1,000), and how
            many tokens a success gives back (0.001 to 1,000). Each failure with one of the
            `statuses` takes a token. While at most half of the tokens are left, no call is retried.
            If it is None, there is no throttling.

    Raises:
        TypeError: An argument of `catalogues` is not a catalogue, or `services` holds an object
            that is not a descriptor. `services`, `statuses` or `safe_methods` is not a collection,
            or `throttling` is not a pair.
        ValueError: A number is out of its range, or a status is not a failure. `safe_methods` names
            a method that no service has.
    """
    methods = list(
        dict.fromkeys(_safe(_listed("services", services), _listed("safe_methods", safe_methods)))
    )
    codes = [code for catalogue in catalogues for code in as_catalogue(catalogue)]
    config: dict[str, Any] = {}
    retried = _retried(_listed("statuses", statuses), codes)
    if type(max_attempts) is not int or not 2 <= max_attempts <= _MOST_ATTEMPTS:
        raise ValueError(f"max_attempts is {max_attempts!r}, not an int from 2 to {_MOST_ATTEMPTS}")
    policy = {
        "maxAttempts": max_attempts,
        "initialBackoff": _duration("initial_backoff", initial_backoff),
        "maxBackoff": _duration("max_backoff", max_backoff),
        "backoffMultiplier": _multiplier(backoff_multiplier),
        "retryableStatusCodes": retried,
    }
    if not (methods and retried):
        why = (
            "no method is safe to repeat (idempotency_level, safe_methods)"
            if retried
            else "each status has a code that is not retryable"
        )
        warnings.warn(
            f"service_config: nothing will be tried again, as {why}", MisuseWarning, stacklevel=2
        )
    else:
        names = [{"service": service, "method": method} for service, method in methods]
        config["methodConfig"] = [{"name": names, "retryPolicy": policy}]
    if throttling is not None:
        config["retryThrottling"] = _throttling(throttling)
    return json.dumps(config)


def _safe(services: Iterable[ServiceDescriptor], named: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields the service and the name of each method that is safe to repeat."""
    left = set(named)
    known = set[str]()
    for service in services:
        if not isinstance(service, ServiceDescriptor):
            raise TypeError(
                f"services holds {service!r}: "
                "give a descriptor such as shop_pb2.DESCRIPTOR.services_by_name['ShopService']"
            )
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            known.add(path)
            if (
                path in left
                or method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
            ):
                yield service.full_name, method.name
    for name in sorted(map(str, left - known)):
        nearest = difflib.get_close_matches(name, known, 1, 0)
        hint = f", such as {nearest[0]!r}" if nearest else ""
        raise ValueError(
            f"safe_methods names {name!r}, which no service has: "
            f"give '/package.Service/Method'{hint}"
        )


def _retried(statuses: Iterable[StatusCode], codes: Iterable[ErrorCode]) -> list[str]:
    given = set(statuses)
    for status in given:
        if not isinstance(status, StatusCode) or status is StatusCode.OK:
            raise ValueError(f"statuses holds {status!r}: give the grpc.StatusCode of a failure")
    final = {code.grpc_status for code in codes if code.retryable is False} - {
        StatusCode.UNAVAILABLE
    }
    return sorted(status.name for status in given - final)


def _duration(name: str, seconds: float) -> str:
    if _positive(name, seconds) < _LEAST_BACKOFF:
        raise ValueError(
            f"{name} is {seconds!r} seconds: "
            f"give {_LEAST_BACKOFF} or more, as a client of grpcio hangs on one of 0 ms"
        )
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration.ToJsonString()


def _multiplier(value: float) -> float:
    if _positive("backoff_multiplier", value) < 1:
        raise ValueError(
            f"backoff_multiplier is {value!r}: "
            "give 1 or more, as the wait would shrink to 0, on which a client of grpcio hangs"
        )
    return value


def _positive(name: str, value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:
        raise ValueError(f"{name} is {value!r}, not a number above 0")
    return value


def _throttling(given: object) -> dict[str, float]:
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(
            f"throttling is {given!r}: "
            "give two numbers, the tokens and how many each success gives back, or None"
        )
    tokens, ratio = given
    if type(tokens) is not int or not _LEAST_TOKENS <= tokens <= _MOST_TOKENS:
        raise ValueError(
            f"throttling has {tokens!r} tokens, not an int from {_LEAST_TOKENS} to {_MOST_TOKENS}"
        )
    # clients read three decimals
    if not 0.001 <= _positive("the ratio of throttling", ratio) <= _MOST_TOKENS:
        raise ValueError(
            f"throttling gives back {ratio!r} tokens for a success: give 0.001 to {_MOST_TOKENS}"
        )
    # grpcio reads 1 as 0.001, and 1.0 as 1
    return {"maxTokens": tokens, "tokenRatio": round(float(ratio), 3)}


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}, not a collection")
    return list(given)
