"""What the clients of both stacks share.

A `Caller` prepares the metadata of calls, and types their errors. A `Method` is a method of a
wrapped channel.
"""

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
    """One client of errgrpc: the catalogues that it reads by, and the metadata that it adds.

    The arguments are those of `errgrpc.ClientInterceptor`.

    Raises:
        TypeError: An argument is not a catalogue, or `on_received` is async.
        ValueError: Two catalogues share a (domain, reason), or the locale is malformed.
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
        """Returns the typed error of a call that was made with these metadata.

        Calls `on_received`, unless that was called before (`heard`).
        """
        typed = self._reading.read(
            error, self.locale if metadata is None else self._languages(metadata)
        )
        if self._on_received is not None and not heard:
            name = _as_text(method)
            notify("on_received", self._on_received, repr(name), typed, typed, method=name)
        return typed

    def details_of(self, details: Any) -> Any:
        """Returns the details of a call, with the metadata that they lack."""
        if details.metadata is None and not self.adds:
            return details  # most calls
        metadata = self.metadata_of(details.metadata)
        if metadata is details.metadata:
            return details
        # The details of grpc and of most interceptors are named tuples.
        return (
            details._replace(metadata=metadata)
            if hasattr(details, "_replace")
            else _CallDetails(details, metadata)
        )

    def metadata_of(self, metadata: Any) -> Any:
        """Returns the metadata of a call, with the entries that they lack.

        These entries are the forwarded metadata of the current call, and `accept-language`. The
        result is a collection of the caller's type, and can be read twice. grpc accepts an
        iterator, too.
        """
        metadata = tuple(metadata) if hasattr(metadata, "__next__") else metadata
        if not self.adds:
            return metadata  # the languages are read only if the call fails
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
            return []  # invalid metadata: grpc refuses them later
        return list(lacking.items())

    def _languages(self, metadata: Any) -> Any:
        """Returns the languages that a call with these metadata asks for."""
        try:
            for key, value in metadata or ():
                if _as_text(key).lower() == locales.ACCEPT_LANGUAGE:
                    return _as_text(value)
        except (TypeError, ValueError):
            return None  # invalid metadata: grpc refuses them later
        return self.locale


def _as_text(value: object) -> str:
    """Returns a key or value of metadata as text, or nothing if grpc will refuse it.

    grpc also accepts bytes.
    """
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""


class _CallDetails(grpc.ClientCallDetails):
    """The details of a call with other metadata. All other attributes stay, and none is added."""

    def __init__(self, details: Any, metadata: Any) -> None:
        self._details = details
        self.metadata = metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._details, name)


class Method:
    """A method of a wrapped channel. It reads only the metadata among its arguments."""

    def __init__(self, method: Any, caller: Caller, name: Any) -> None:
        self._method = method
        self._name = name
        self._caller = caller
        self._adds = caller.adds

    def _prepared(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """Returns the arguments of a call with the metadata that they lack, and these metadata."""
        positional = len(args) > 2  # request, timeout, metadata
        given = args[2] if positional else kwargs.get("metadata")
        metadata = self._caller.metadata_of(given)
        if metadata is given:
            return args, kwargs, given
        if positional:
            return (*args[:2], metadata, *args[3:]), kwargs, metadata
        return args, {**kwargs, "metadata": metadata}, metadata
