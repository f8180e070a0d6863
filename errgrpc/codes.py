"""What an error code is: a member of an `ErrorCode` enum, declared by a `Spec`."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote

from grpc import StatusCode

from errgrpc import placeholders
from errgrpc.locales import choose, is_language_tag
from errgrpc.specs import MetadataField, Spec, Variant

__all__ = [
    "STATUSES",
    "ErrorCode",
    "MetadataField",
    "Spec",
    "Variant",
    "status_of",
    "wrong_help_url",
]

# The pattern and the greatest length of `ErrorInfo.reason` (AIP-193).
REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")
MAX_REASON = 63
# Printable ASCII without spaces, because every language compares it byte by byte.
DOMAIN = re.compile(r"[!-~]{1,255}")
# Each status by its number in google.rpc.Code.
STATUSES: Mapping[int, StatusCode] = MappingProxyType(
    {status.value[0]: status for status in StatusCode}
)


def status_of(code: object) -> StatusCode | None:
    """Returns the failure that a handler set as its status, or None for OK or an invalid code."""
    return code if isinstance(code, StatusCode) and code is not StatusCode.OK else None


class ErrorCode(Enum):
    """The base of every catalogue: an enum whose members are error codes.

    A catalogue is generated from a `.proto`, or written by hand:

        class ShopCode(
            ErrorCode, domain="shop.example.com", default_locale="en-US", fallback="BROKEN"
        ):
            GONE = 1, Spec(
                StatusCode.NOT_FOUND, http_status=404, message="Gone", hints={"en-US": "It is gone"}
            )
            BROKEN = 2, Spec(StatusCode.INTERNAL, http_status=500, message="Broken")

    The name of a member is its reason. AIP-193 allows `[A-Z][A-Z0-9_]+[A-Z0-9]` of at most 63
    characters. A member never equals an int or a member of another catalogue. The members of one
    catalogue are ordered as they are declared.

    Args:
        domain: `ErrorInfo.domain` of each code (AIP-193). On the wire, domain and reason together
            identify a code.
        default_locale: The locale (BCP 47) of the hint if the code has no hint in a language that
            the caller asks for.
        fallback: The reason of the code that answers unhandled exceptions. A server needs a
            catalogue with a fallback. The fallback must not be deprecated, and all its metadata
            fields must be optional.
        infer: Maps a gRPC status to the reason of the code that a client assumes for it. The client
            uses it if the peer sent no ErrorInfo.
        locales: The locales (BCP 47) in which each code with hints must have a hint.
        help_url: The https URL that explains a code. `{reason}`, `{domain}` and `{number}` in it
            stand for the values of the code.
        full_name: The full name of the enum in its `.proto`, if it differs from the domain. The
            generator writes it.

    Raises:
        TypeError: A number is not an int of 32 bits, or a member has no Spec.
        ValueError: Another part of the declaration is wrong. The text names all mistakes.
    """

    domain: str
    """`ErrorInfo.domain` of all codes of this catalogue."""
    default_locale: str
    """The locale of the hint if the code has no hint in a language that the caller asks for.

    It is empty if the catalogue declares no default locale.
    """
    fallback: "ErrorCode | None"
    """The code that answers unhandled exceptions, or None."""
    inference: Mapping[StatusCode, "ErrorCode"]
    """The code that a client assumes for a gRPC status if the peer sent no ErrorInfo."""
    locales: "tuple[str, ...]"
    """The locales in which each code with hints has a hint."""

    spec: Spec
    """The declaration of this code."""

    _help_url: str
    _full_name: str
    _value_: int
    _sort_order_: int  # set by Enum

    def __new__(cls, number: int, spec: Spec | None = None) -> Self:
        if type(number) is not int or not -(2**31) <= number < 2**31:
            raise TypeError(
                f"the number is {number!r}, not an int of 32 bits: "
                "declare `NAME = number, Spec(...)`"
            )
        if not isinstance(spec, Spec):
            raise TypeError(
                f"{cls.__name__} {number} has {spec!r} for its Spec: "
                "declare `NAME = number, Spec(...)`"
            )
        member = object.__new__(cls)
        member._value_ = number
        member.spec = spec
        member.__doc__ = spec.description or None
        return member

    def __init_subclass__(
        cls,
        *,
        domain: str,
        default_locale: str = "",
        fallback: str | None = None,
        infer: Mapping[StatusCode, str] = MappingProxyType({}),
        locales: Sequence[str] = (),
        help_url: str = "",
        full_name: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        members = cls.__members__
        wrong = list(_wrong_members(members))
        wrong += (
            f"it overrides ErrorCode.{name}, which the wire does not read: give its value in Spec"
            for name in _FACTS
            if inspect.getattr_static(cls, name, None) is not ErrorCode.__dict__.get(name)
        )
        if not isinstance(domain, str) or not DOMAIN.fullmatch(domain):
            wrong.append(
                f"domain is {domain!r}, not 1 to 255 printable ASCII characters without spaces"
            )
        wrong += _wrong_locales(members, locales)
        if help_url and (wrong_url := wrong_help_url(help_url)) is not None:
            wrong.append(f"help_url {wrong_url}")
        if fallback is not None and fallback in members:
            wrong += _wrong_fallback(members[fallback])
        if default_locale and not is_language_tag(default_locale):
            wrong.append(
                f"default_locale is {default_locale!r}, not a BCP 47 language tag such as 'zh-CN'"
            )
        for role, reason in (
            ("fallback", fallback),
            *((f"infer[{status}]", reason) for status, reason in infer.items()),
        ):
            if reason is not None and (
                reason not in members or members[reason].grpc_status is StatusCode.OK
            ):
                wrong.append(
                    f"{role} names {reason!r}: give the reason of an error of {cls.__name__}"
                )
        wrong += (
            f"infer has the key {status!r}, not a grpc.StatusCode of a failure"
            for status in infer
            if not isinstance(status, StatusCode) or status is StatusCode.OK
        )
        if wrong:
            raise ValueError(f"{cls.__name__}: " + "; ".join(wrong))
        cls.domain = domain
        cls.default_locale = default_locale
        cls.locales = tuple(locales)
        cls._help_url = help_url
        cls._full_name = full_name
        cls.fallback = None if fallback is None else members[fallback]
        cls.inference = MappingProxyType(
            {status: members[reason] for status, reason in infer.items()}
        )

    @property
    def number(self) -> int:
        """The number of the code, unique in its catalogue.

        The server sends it as `ErrorInfo.metadata["code"]`.
        """
        return self._value_

    @property
    def reason(self) -> str:
        """The name of the code, unique in its domain: `ErrorInfo.reason` (AIP-193)."""
        return self._name_

    @property
    def grpc_status(self) -> StatusCode:
        """The gRPC status of a call that fails with this code."""
        return self.spec.grpc_status

    @property
    def http_status(self) -> int | None:
        """The HTTP status, or None if the catalogue declares none."""
        return self.spec.http_status

    @property
    def message(self) -> str:
        """The message for developers, in English. Placeholders such as `{key}` are not filled."""
        return self.spec.message

    @property
    def metadata_fields(self) -> tuple[MetadataField, ...]:
        """The declared keys of `ErrorInfo.metadata`, without the number.

        It is empty if the catalogue declares no keys for this code.
        """
        return self.spec.metadata_fields  # type: ignore[return-value]  # Spec made it a tuple

    @property
    def retryable(self) -> bool | None:
        """Whether a retry of the same call may succeed later.

        It is None if the catalogue does not declare it.
        """
        return self.spec.retryable

    @property
    def resolution(self) -> str:
        """What the developer of the caller should do. It may be empty."""
        return self.spec.resolution

    @property
    def deprecated(self) -> bool:
        """Whether the code is deprecated. ServiceError then warns, and clients still read it."""
        return self.spec.deprecated

    @property
    def help_url(self) -> str | None:
        """The URL that explains the code, or None if the catalogue has no `help_url`."""
        if not self._help_url:
            return None
        facts = {"reason": self.reason, "domain": self.domain, "number": str(self.number)}
        return _HELP_KEY.sub(lambda match: quote(facts[match[1]], safe=""), self._help_url)

    @property
    def description(self) -> str:
        """When the code is used. It may be empty."""
        return self.spec.description

    @property
    def hints(self) -> Mapping[str, str]:
        """The hints without a condition, by locale. Placeholders are not filled."""
        return self.spec.hints

    def message_for(self, metadata: Mapping[str, str]) -> str:
        """Returns the message, with its placeholders filled from the metadata of an error."""
        template, fields = self.spec.message, self.spec.metadata_fields
        return (
            placeholders.fill(template, metadata) if fields and not self.spec.is_plain else template
        )

    def hints_for(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Returns the hints of an error by locale, with their placeholders filled.

        Hints whose condition these metadata meet replace the hints without a condition.
        """
        if self.spec.is_plain:
            return self.spec.hints
        hints = self._chosen_hints(metadata) if self.spec.variants else self.spec.hints
        if not self.spec.metadata_fields:
            return hints
        return {locale: placeholders.fill(text, metadata) for locale, text in hints.items()}

    def _chosen_hints(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        variants = [
            variant for variant in self.spec.variants if variant.when.items() <= metadata.items()
        ]
        chosen = {locale.lower(): (locale, text) for locale, text in self.spec.hints.items()}
        # The variant with the most entries wins. If several have as many, the first of them wins.
        variants.sort(key=lambda variant: -len(variant.when))
        for variant in reversed(variants):
            chosen.update(
                (locale.lower(), (locale, text)) for locale, text in variant.hints.items()
            )
        return dict(chosen.values())

    def hint(
        self, locale: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> str | None:
        """Returns the hint in a language, or None if the code has no hints.

        Args:
            locale: A language tag or a whole `accept-language` value (RFC 9110). If the code has no
                such hint, the catalogue's default locale is used, or else the code's first hint.
            metadata: The metadata of the error. If it is None, placeholders are not filled and
                hints with a condition are not used.
        """
        hints = self.spec.hints if metadata is None else self.hints_for(metadata)
        chosen = choose(locale, hints, self.default_locale)
        return None if chosen is None else hints[chosen]

    def __int__(self) -> int:
        return self._value_

    __hash__ = object.__hash__  # Enum's is a Python function, which would run for each error

    # Python also uses these two for > and >=, with the operands swapped.

    def __lt__(self, other: Self) -> bool:
        return (
            self._sort_order_ < other._sort_order_ if type(other) is type(self) else NotImplemented
        )

    def __le__(self, other: Self) -> bool:
        return (
            self._sort_order_ <= other._sort_order_ if type(other) is type(self) else NotImplemented
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self._name_}: {self._value_} {self.spec.grpc_status.name}>"


_FACTS = (
    "number", "reason", "grpc_status", "http_status", "message", "description", "hints",
    "message_for", "hints_for", "hint", "metadata_fields", "retryable", "resolution", "deprecated",
    "help_url",
)  # fmt: skip
_HELP_KEY = re.compile(r"\{(reason|domain|number)\}")
_HTTPS = re.compile(r"https://[^\x00- {}\x7f-\uffff]+")


def wrong_help_url(url: object) -> str | None:
    """Returns what is wrong with the template of a help URL, or None."""
    if not isinstance(url, str) or not _HTTPS.fullmatch(_HELP_KEY.sub("x", url)):
        return (
            f"is {url!r}: give an https URL in ASCII, in which {{reason}}, {{domain}} and "
            f"{{number}} stand for those of the code"
        )
    return None


def _wrong_fallback(code: "ErrorCode") -> Iterator[str]:
    if required := [declared.key for declared in code.metadata_fields if not declared.optional]:
        yield (
            f"the fallback {code.reason} requires {', '.join(required)}, which an unhandled "
            "exception lacks: make the field optional"
        )
    if code.deprecated:
        yield f"the fallback {code.reason} is deprecated: give another one"


def _wrong_locales(members: Mapping[str, "ErrorCode"], wanted: Sequence[str]) -> Iterator[str]:
    if isinstance(wanted, str) or not all(is_language_tag(locale) for locale in wanted):
        yield f"locales is {wanted!r}, not a sequence of BCP 47 language tags such as 'zh-CN'"
        return
    for name, member in members.items():
        had = {locale.lower() for locale in member.hints}
        if had and (lacking := [locale for locale in wanted if locale.lower() not in had]):
            yield (
                f"{name} has no hint for {', '.join(lacking)}: "
                "give one for each of the locales, or none at all"
            )


def _wrong_members(members: Mapping[str, ErrorCode]) -> list[str]:
    wrong = []
    for name, member in members.items():
        # If two names have one number, Enum makes the second an alias, and drops its Spec.
        if name != member.name:
            wrong.append(
                f"{member.name} and {name} have the same number, {member.number}: "
                "give each code its own"
            )
        if not REASON.fullmatch(name) or len(name) > MAX_REASON:
            wrong.append(
                f"{name} is no reason: "
                f"AIP-193 asks for {REASON.pattern} of at most {MAX_REASON} characters"
            )
        if name == member.name and member.grpc_status is StatusCode.OK and member.number != 0:
            wrong.append(
                f"{name} ({member.number}) is OK: "
                "only the number 0 may be, give it the status of a failure"
            )
    return wrong
