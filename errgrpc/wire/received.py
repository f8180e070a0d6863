"""Reads the `grpc-status-details-bin` of a peer. Nothing here raises because of its content."""

from collections.abc import Sequence
from functools import cached_property

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from errgrpc.wire.packing import NUMBER_KEY, M, parse, seconds_of, unpack

__all__ = ["Received"]


class Received:
    """The values of one received error. Each is read when it is asked for."""

    _status: status_pb2.Status | None = None
    _info: rpc.ErrorInfo | None = None

    def __init__(self, values: Sequence[object] = ()) -> None:
        """Takes all values of the key.

        The first with a readable ErrorInfo is used, or else the first that parses.
        """
        self._values = values

    @property
    def status(self) -> status_pb2.Status:
        """The Status. It is empty if the peer sent none."""
        if self._status is None:
            self._status, self._info = _first_readable(self._values)
        return self._status

    @property
    def info(self) -> rpc.ErrorInfo | None:
        """The ErrorInfo, or None."""
        if self._status is None:
            self._status, self._info = _first_readable(self._values)
        return self._info

    @cached_property
    def number(self) -> str:
        """The decimal digits of the number as the peer wrote them, or an empty text."""
        return "" if self.info is None else self.info.metadata.get(NUMBER_KEY, "")

    @cached_property
    def metadata(self) -> dict[str, str]:
        """ErrorInfo's metadata without the number."""
        # Sorted, because the maps of protobuf have no order.
        return (
            {}
            if self.info is None
            else {
                key: text for key, text in sorted(self.info.metadata.items()) if key != NUMBER_KEY
            }
        )

    @cached_property
    def details(self) -> tuple[Message, ...]:
        """All details. A detail stays Any if its type is unknown here, or if it does not parse."""
        return tuple(map(_known, self.status.details))

    @cached_property
    def localized(self) -> tuple[str, str] | None:
        """Locale and text of the peer's hint, or None.

        It is the first readable one that is not empty.
        """
        for detail in self.status.details:
            found = unpack(detail, rpc.LocalizedMessage)
            if found is not None and found.message:
                return found.locale, found.message
        return None

    @cached_property
    def request_id(self) -> str | None:
        """The id of the error in the server's log, or None."""
        found = self.detail(rpc.RequestInfo)
        return None if found is None or not found.request_id.strip() else found.request_id

    @cached_property
    def retry_delay(self) -> float | None:
        """How many seconds to wait before a retry, or None.

        It comes from the first readable RetryInfo that has a delay.
        """
        found = (unpack(detail, rpc.RetryInfo) for detail in self.status.details)
        delays = (None if info is None else seconds_of(info) for info in found)
        return next((delay for delay in delays if delay is not None), None)

    def detail(self, kind: type[M]) -> M | None:
        """Returns the first readable detail of a type, or None."""
        return _first(self.status, kind)


_parse_error_info = rpc.ErrorInfo.FromString
_ERROR_INFO = "/" + rpc.ErrorInfo.DESCRIPTOR.full_name


def _first_readable(values: Sequence[object]) -> tuple[status_pb2.Status, rpc.ErrorInfo | None]:
    readable = None
    for value in values:
        status = parse(value)
        for detail in status.details:
            if detail.type_url.endswith(_ERROR_INFO):
                try:
                    return status, _parse_error_info(detail.value)
                except DecodeError:
                    pass
        if readable is None and status.ByteSize():
            readable = status
    return readable or status_pb2.Status(), None


def _known(packed: any_pb2.Any) -> Message:
    try:
        kind = message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
        )
    except KeyError:
        return packed
    message: Message | None = unpack(packed, kind)
    return packed if message is None else message


def _first(status: status_pb2.Status, kind: type[M]) -> M | None:
    for detail in status.details:
        if (message := unpack(detail, kind)) is not None:
            return message
    return None
