"""Checks whether a scene ended as the story says."""

from collections.abc import Iterator

from google.rpc import error_details_pb2 as rpc

import errgrpc
from errgrpc import ErrorCode, RemoteError, ServiceError

from .stage import Scene
from .story import Step
from .wire import Seen

__all__ = ["wrong"]


def wrong(step: Step, scene: Scene) -> list[str]:
    """Returns the differences between a scene and its step."""
    return list(_wrong(step, scene))


def _wrong(step: Step, scene: Scene) -> Iterator[str]:
    code, caught = step.expect, scene.caught
    if code is None:
        if caught is not None:
            yield f"failed with {caught!r}"
    elif not isinstance(caught, RemoteError) or scene.wire is None:
        yield f"caught {caught!r} instead of {code}"
    elif step.inferred:
        if (
            type(caught) is not RemoteError
            or not caught.inferred
            or caught.error_code is not code
            or scene.wire.raw is not None
        ):
            yield f"caught {caught!r}, which should be inferred"
    else:
        yield from _wrong_raise(step, code, scene)
        yield from _wrong_wire(code, scene.wire, scene.locale)
        yield from _wrong_catch(code, caught, scene)


def _wrong_raise(step: Step, code: ErrorCode, scene: Scene) -> Iterator[str]:
    raised = scene.raised
    if step.foreign is None:
        if not isinstance(raised, ServiceError) or raised.error_code is not code:
            yield f"raised {raised!r}"
    elif type(raised) is not step.foreign:
        yield f"raised {raised!r} instead of a {step.foreign.__name__}"
    elif scene.wire is None or scene.wire.raw is None or str(raised).encode() in scene.wire.raw:
        yield f"the text of {raised!r} went over the wire"


def _wrong_wire(code: ErrorCode, seen: Seen, locale: str) -> Iterator[str]:
    info, localized = seen.detail(rpc.ErrorInfo), seen.detail(rpc.LocalizedMessage)
    if seen.status is not code.grpc_status:
        yield f"{seen.status} on the wire"
    if info is None or (info.reason, info.domain, info.metadata["code"]) != (
        code.name,
        code.domain,
        str(code.number),
    ):
        yield f"ErrorInfo is {info}"
    if localized is None or localized.locale != locale:
        yield f"LocalizedMessage is {localized}"


def _wrong_catch(code: ErrorCode, caught: RemoteError, scene: Scene) -> Iterator[str]:
    if (
        type(caught) is not errgrpc.remote(code)
        or caught.error_code is not code
        or caught.number != code.number
    ):
        yield f"caught {caught!r}"
    if caught.hint != code.hint(scene.locale, caught.metadata):
        yield f"hint is {caught.hint!r}"
    logged = getattr(scene.log, "request_id", None)
    if caught.request_id != logged:
        yield f"request id {caught.request_id!r}, in the log {logged!r}"
