"""What the clients of both stacks share: the languages that a call asks for, its typed error, the arguments of a method."""

from typing import Any

import grpc
import grpc.aio

from errgrpc import locales
from errgrpc.codes import ErrorCode
from errgrpc.reading import Reading
from errgrpc.remote_error import RemoteError
from errgrpc.reports import OnReceived, as_hook, notify

__all__ = ["Caller", "Method"]


class Caller:
    """One client of errgrpc's: the catalogues that it reads by, and the languages that it asks for.

    `locale` is a language tag or a whole `accept-language` value, sent with each call that has none.
    `on_received(error, *, method)` is called once for each failed call, when its caller is first given the error. Raises
    TypeError if an argument is not a catalogue or `on_received` is async, and ValueError if two catalogues share a
    (domain, reason) or the locale is malformed.
    """

    def __init__(self, catalogues: tuple[type[ErrorCode], ...], locale: str | None = None, on_received: OnReceived | None = None) -> None:
        self._reading = Reading.by(*catalogues)
        self._on_received: OnReceived | None = as_hook("on_received", on_received, "(error, *, method)")
        if locale is not None and not locales.is_accept_language(locale):
            raise ValueError(f"locale is {locale!r}, no language tag such as 'zh-CN' and no accept-language such as 'zh-CN, en;q=0.5'")
        self.locale = locale

    def typed_error(self, error: grpc.RpcError, metadata: Any, method: Any, *, heard: bool = False) -> RemoteError:
        """The typed error of a call of a method that was made with these metadata; `on_received` hears of it unless it has."""
        typed = self._reading.read(error, self.locale if metadata is None else self._languages(metadata)[0])
        if self._on_received is not None and not heard:
            name = _as_text(method)
            notify("on_received", self._on_received, repr(name), typed, typed, method=name)
        return typed

    def details_of(self, details: Any) -> Any:
        """The details of a call, with metadata that ask for the languages of the caller."""
        if details.metadata is None and self.locale is None:
            return details  # of most calls
        metadata = self.metadata_of(details.metadata)
        if metadata is details.metadata:
            return details
        # grpc's own details are named tuples, as are most people's.
        return details._replace(metadata=metadata) if hasattr(details, "_replace") else _CallDetails(details, metadata)

    def metadata_of(self, metadata: Any) -> Any:
        """The metadata of a call with an `accept-language`, in a collection of the type that the caller chose.

        They can be read twice; grpc takes an iterator as well.
        """
        # Asking for an Iterator, an ABC, takes four times as long.
        metadata = tuple(metadata) if hasattr(metadata, "__next__") else metadata
        if self.locale is None:
            return metadata  # what they ask for is of interest only to a call that failed
        language, missing = self._languages(metadata)
        if not missing:
            return metadata
        entries = (*(metadata or ()), (locales.ACCEPT_LANGUAGE, language))
        if isinstance(metadata, grpc.aio.Metadata):
            return grpc.aio.Metadata(*entries)
        return list(entries) if isinstance(metadata, list) else entries

    def _languages(self, metadata: Any) -> tuple[Any, bool]:
        """What a call with these metadata asks for, and whether that is the caller's locale, which they lack."""
        try:
            for key, value in metadata or ():
                if _as_text(key).lower() == locales.ACCEPT_LANGUAGE:
                    return _as_text(value), False
        except (TypeError, ValueError):
            return None, False  # these are no metadata: grpc refuses them, when it comes so far
        return self.locale, True


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
        self._localizes = caller.locale is not None

    def _prepared(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """The arguments of a call with metadata that ask for the languages of the caller, and these metadata."""
        positional = len(args) > 2  # request, timeout, metadata
        given = args[2] if positional else kwargs.get("metadata")
        metadata = self._caller.metadata_of(given)
        if metadata is given:
            return args, kwargs, given
        if positional:
            return (*args[:2], metadata, *args[3:]), kwargs, metadata
        return args, {**kwargs, "metadata": metadata}, metadata
