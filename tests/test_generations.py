"""A client and a server one generation of a catalogue apart, over a real port.

What each shows matches the table in docs/protobuf.md.
"""

import types
from pathlib import Path
from typing import Any

import grpc
import harness
import pytest
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2
from grpc import StatusCode

import errgrpc
from errgrpc import ErrorCode, MetadataField, RemoteError, ServiceError, Spec, remote
from errgrpc.wire.packing import holds

PAGE = Path(__file__).parent.parent / "docs" / "protobuf.md"
LIMIT, ROOM = MetadataField("limit", type=int), MetadataField("room", optional=True)
TEXT = "All {limit} seats are taken"


def spec(text: str = TEXT, *fields: MetadataField, **more: Any) -> Spec:
    return Spec(
        StatusCode.RESOURCE_EXHAUSTED,
        message=text,
        hints={"en": text},
        metadata_fields=fields,
        **more,
    )


def generation(**codes: Spec) -> type[ErrorCode]:
    body = {name: (number, declared) for number, (name, declared) in enumerate(codes.items(), 1)}
    options = {"domain": "desk.example.com", "default_locale": "en", "fallback": "BROKEN"}
    made: Any = types.new_class(
        "DeskCode", (ErrorCode,), options, lambda namespace: namespace.update(body)
    )
    return made  # type: ignore[no-any-return]


BROKEN = Spec(StatusCode.INTERNAL)
OLD = generation(BROKEN=BROKEN, FULL=spec(TEXT, LIMIT))
# What changed -> the new generation, and what its server raises.
CHANGES: dict[str, tuple[type[ErrorCode], dict[str, Any]]] = {
    "a new key": (
        generation(BROKEN=BROKEN, FULL=spec(TEXT, LIMIT, ROOM)),
        {"limit": 30, "room": "r-42"},
    ),
    "a removed key": (generation(BROKEN=BROKEN, FULL=spec("All seats are taken")), {}),
    "a new placeholder": (
        generation(BROKEN=BROKEN, FULL=spec("All {limit} seats of {room} are taken", LIMIT, ROOM)),
        {"limit": 30, "room": "r-42"},
    ),
    "a changed text": (
        generation(BROKEN=BROKEN, FULL=spec("No seat of {limit} is free", LIMIT)),
        {"limit": 30},
    ),
    "a code that became deprecated": (
        generation(BROKEN=BROKEN, FULL=spec(TEXT, LIMIT, deprecated=True)),
        {"limit": 30},
    ),
    "a new code": (
        generation(BROKEN=BROKEN, FULL=spec(TEXT, LIMIT), CLOSED=spec("The desk is closed")),
        {},
    ),
}


def shown(error: RemoteError) -> str:
    code = "no code, " + str(error.reason) if error.error_code is None else error.error_code.reason
    return f"{code}: {error.hint}" if error.hint else code


def told(
    server: type[ErrorCode],
    client: type[ErrorCode],
    kind: str,
    raised: tuple[str, dict[str, Any]],
    *,
    sends_hint: bool,
) -> str:
    """What a client of one generation shows of an error from a server of another.

    Without the hint, it is as from a server in another language.
    """

    def act(context: Any) -> None:
        error = ServiceError(server[raised[0]], metadata=raised[1])
        if sends_hint:
            raise error
        status = errgrpc.encode(error)
        kept = [detail for detail in status.details if not holds(detail, rpc.LocalizedMessage)]
        bare = status_pb2.Status(code=status.code, message=status.message, details=kept)
        context.abort_with_status(_Rich(bare))

    with (
        harness.serve("sync", catalogue=server) as target,
        harness.action(act) as request,
        grpc.insecure_channel(target) as bare,
        errgrpc.wrap_channel(bare, client, locale="en") as channel,
        pytest.raises(remote(client)) as caught,
    ):
        list(
            harness.method(channel, kind)(harness.argument(kind, request), timeout=harness.DEADLINE)
        )
    return shown(caught.value)


class _Rich(grpc.Status):
    def __init__(self, status: status_pb2.Status) -> None:
        self.code, self.details = StatusCode.RESOURCE_EXHAUSTED, status.message
        self.trailing_metadata = ((harness.DETAILS_KEY, status.SerializeToString()),)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", harness.KINDS)
@pytest.mark.thinned(2)
def test_one_generation_apart(change: str, kind: str) -> None:
    new, metadata = CHANGES[change]
    reason = "CLOSED" if change == "a new code" else "FULL"
    cells = [change]
    for server, client, raised in (
        (new, OLD, (reason, metadata)),
        (OLD, new, ("FULL", {"limit": 30})),
    ):
        cells += (
            told(server, client, kind, raised, sends_hint=sends_hint)
            for sends_hint in (True, False)
        )
    assert f"| {' | '.join(cells)} |" in PAGE.read_text()
