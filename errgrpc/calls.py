"""What the clients of both stacks share: the languages that a call asks for, its typed error, the arguments of a method."""

from collections.abc import Iterable
from typing import Any

import grpc
import grpc.aio

from errgrpc import locales
from errgrpc.codes import ErrorCode
from errgrpc.context import as_forward, forwarded
from errgrpc.reading import Reading
from errgrpc.remote_error import RemoteError
from errgrpc.reports import OnReceived, as_hook, notify

__all__ = ["Caller", "Method"]


class Caller:
    """One client of errgrpc's: the catalogues that it reads by, and the languages that it asks for.

    `locale` is a language tag or a whole `accept-language` value, sent with each call that has none. `forward` names metadata of
    the current call that are sent on.
    `on_received(error, *, method)` is called once for each failed call, when its caller is first given the error. Raises
    TypeError if an argument is not a catalogue or `on_received` is async, and ValueError if two catalogues share a
    (domain, reason) or the locale is malformed.
    """

    def __init__(
        self,
        catalogues: tuple[type[ErrorCode], ...],
        locale: str | None = None,
        on_received: OnReceived | None = None,
        forward: Iterable[str] = (),
    ) -> None:
        self._reading = Reading.by(*catalogues)
        self._on_received: OnReceived | None = as_hook(
            "on_received", on_received, "(error, *, method)"
        )
        if locale is not None and not locales.is_accept_language(locale):
            raise ValueError(
                f"locale is {locale!r}, no language tag such as 'zh-CN' and no accept-language "
                "such as 'zh-CN, en;q=0.5'"
            )
        self.locale = locale
        self._forward = as_forward(forward)
        self.adds = locale is not None or bool(self._forward)
        """Whether calls get metadata that they lack."""

    def typed_error(
        self, error: grpc.RpcError, metadata: Any, method: Any, *, heard: bool = False
    ) -> RemoteError:
        """The typed error of a call of a method that was made with these metadata; `on_received` hears of it unless it has."""
        typed = self._reading.read(
            error, self.locale if metadata is None else self._languages(metadata)
        )
        if self._on_received is not None and not heard:
            name = _as_text(method)
            notify("on_received", self._on_received, repr(name), typed, typed, method=name)
        return typed

    def details_of(self, details: Any) -> Any:
        """The details of a call, with metadata that ask for the languages of the caller."""
        if details.metadata is None and not self.adds:
            return details  # of most calls
        metadata = self.metadata_of(details.metadata)
        if metadata is details.metadata:
            return details
        # grpc's own details are named tuples, as are most people's.
        return (
            details._replace(metadata=metadata)
            if hasattr(details, "_replace")
            else _CallDetails(details, metadata)
        )

    def metadata_of(self, metadata: Any) -> Any:
        """The metadata of a call with what they lack: what is to be sent on of the current call, and an `accept-language`.

        In a collection of the type that the caller chose.

        They can be read twice; grpc takes an iterator as well.
        """
        # Asking for an Iterator, an ABC, takes four times as long.
        metadata = tuple(metadata) if hasattr(metadata, "__next__") else metadata
        if not self.adds:
            return metadata  # what they ask for is of interest only to a call that failed
        lacking = self._lacking(metadata)
        if not lacking:
            return metadata
        entries = (*(metadata or ()), *lacking)
        if isinstance(metadata, grpc.aio.Metadata):
            return grpc.aio.Metadata(*entries)
        return list(entries) if isinstance(metadata, list) else entries

    def _lacking(self, metadata: Any) -> list[tuple[str, str]]:
        lacking = dict(forwarded(self._forward))
        if self.locale is not None:
            lacking.setdefault(locales.ACCEPT_LANGUAGE, self.locale)
        try:
            for key, _ in metadata or ():
                lacking.pop(_as_text(key).lower(), None)
        except (TypeError, ValueError):
            return []  # these are no metadata: grpc refuses them, when it comes so far
        return list(lacking.items())

    def _languages(self, metadata: Any) -> Any:
        """What a call with these metadata asks for."""
        try:
            for key, value in metadata or ():
                if _as_text(key).lower() == locales.ACCEPT_LANGUAGE:
                    return _as_text(value)
        except (TypeError, ValueError):
            return None  # these are no metadata: grpc refuses them, when it comes so far
        return self.locale


def _as_text(value: object) -> str:
    """A key or value of metadata, which grpc also takes as bytes; empty for what it will refuse."""
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""


class _CallDetails(grpc.ClientCallDetails):
    """The details of a call with other metadata; what they lack stays absent, and what they have beyond grpc's stays."""

    def __init__(self, details: Any, metadata: Any) -> None:
        self._details = details
        self.metadata = metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._details, name)


class Method:
    """A method of a wrapped channel. Its arguments are grpc's affair, but for the metadata."""

    def __init__(self, method: Any, caller: Caller, name: Any) -> None:
        self._method = method
        self._name = name
        self._caller = caller
        self._adds = caller.adds

    def _prepared(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """The arguments of a call with metadata that ask for the languages of the caller, and these metadata."""
        positional = len(args) > 2  # request, timeout, metadata
        given = args[2] if positional else kwargs.get("metadata")
        metadata = self._caller.metadata_of(given)
        if metadata is given:
            return args, kwargs, given
        if positional:
            return (*args[:2], metadata, *args[3:]), kwargs, metadata
        return args, {**kwargs, "metadata": metadata}, metadata
