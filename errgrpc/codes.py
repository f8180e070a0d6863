"""What one error code is: `Spec` declares it, a member of an `ErrorCode` enum knows it."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Self

from grpc import StatusCode

from errgrpc import locales

__all__ = ["STATUSES", "ErrorCode", "Spec", "Variant", "status_of"]

# AIP-193: what `ErrorInfo.reason` looks like, and its greatest length.
REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")
MAX_REASON = 63
DOMAIN = re.compile(r"[!-~]{1,255}")  # printable ASCII without spaces: it is compared byte for byte in every language
# google.rpc.Code by number.
STATUSES: Mapping[int, StatusCode] = MappingProxyType({status.value[0]: status for status in StatusCode})
_NOTHING: Mapping[str, str] = MappingProxyType({})


def status_of(code: object) -> StatusCode | None:
    """The failure that a handler set; None for OK, nothing, or what grpc would not understand."""
    return code if isinstance(code, StatusCode) and code is not StatusCode.OK else None


@dataclass(frozen=True, slots=True)
class Variant:
    """Hints that replace a code's own, locale by locale, in errors whose metadata have all entries of `when`."""

    when: Mapping[str, str]
    hints: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError("Variant.when is empty: give the metadata that choose these hints, or put them into Spec.hints")
        object.__setattr__(self, "when", _texts("Variant.when", self.when))
        object.__setattr__(self, "hints", _hints("Variant.hints", self.hints))


@dataclass(frozen=True, slots=True)
class Spec:
    """What a catalogue says of one code.

    `grpc_status` is the gRPC status; `http_status` the HTTP one (100 to 599) or None; `message` tells developers in
    English what went wrong; `hints` tell the end user, by locale (BCP 47); `variants` are hints for some metadata;
    `description` says when the code is used. Raises TypeError and ValueError, naming what is wrong.
    """

    grpc_status: StatusCode
    http_status: int | None = field(default=None, kw_only=True)
    message: str = field(default="", kw_only=True)
    hints: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    variants: Sequence[Variant] = field(default=(), kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.grpc_status, StatusCode):
            raise TypeError(f"grpc_status is {self.grpc_status!r}, not a grpc.StatusCode")
        if self.http_status is not None and (type(self.http_status) is not int or not 100 <= self.http_status <= 599):
            raise ValueError(f"http_status is {self.http_status!r}, not None or an int from 100 to 599")
        for name in ("message", "description"):
            _checked(name, getattr(self, name))
        object.__setattr__(self, "hints", _hints("hints", self.hints))
        object.__setattr__(self, "variants", tuple(self.variants))
        seen = set[tuple[frozenset[tuple[str, str]], str]]()
        for variant in self.variants:
            if not isinstance(variant, Variant):
                raise TypeError(f"variants holds {variant!r}, not an errgrpc.Variant")
            for locale in variant.hints:
                if (key := (frozenset(variant.when.items()), locale.lower())) in seen:
                    raise ValueError(f"variants has {locale!r} twice for {dict(variant.when)}: one hint for each locale and condition")
                seen.add(key)


class ErrorCode(Enum):
    """The base of every catalogue: an enum whose members are error codes, by hand or generated from a `.proto`.

        class ShopCode(ErrorCode, domain="shop.example.com", default_locale="en-US", fallback="BROKEN"):
            GONE = 1, Spec(StatusCode.NOT_FOUND, http_status=404, message="Gone", hints={"en-US": "It is gone"})
            BROKEN = 2, Spec(StatusCode.INTERNAL, http_status=500, message="Broken")

    `domain` is the `ErrorInfo.domain` of each code (AIP-193) and identity on the wire; `default_locale` the locale of the
    hint for who asks for none; `fallback` the reason that answers what nobody foresaw; `infer` what a status means that
    came without an ErrorInfo. A wrong declaration is a ValueError or TypeError that names all that is wrong.

    Not an IntEnum: 404 of one catalogue never equals 404 of another. Members are ordered as declared.
    """

    domain: str
    """`ErrorInfo.domain` of all codes of this catalogue."""
    default_locale: str
    """The locale of the hint when the reader asks for none that the code has; empty when none is declared."""
    fallback: "ErrorCode | None"
    """The code that answers an exception nobody foresaw."""
    inference: Mapping[StatusCode, "ErrorCode"]
    """The code that each status stands for when a peer sent no ErrorInfo."""

    spec: Spec
    """What the catalogue declares of this code."""

    _value_: int
    _sort_order_: int  # by Enum itself

    def __new__(cls, number: int, spec: Spec | None = None) -> Self:
        if type(number) is not int or not -(2**31) <= number < 2**31:
            raise TypeError(f"the number is {number!r}, not an int of 32 bits: declare `NAME = number, Spec(...)`")
        if not isinstance(spec, Spec):
            raise TypeError(f"{cls.__name__} {number} has {spec!r} for its Spec: declare `NAME = number, Spec(...)`")
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
            wrong.append(f"domain is {domain!r}, not 1 to 255 printable ASCII characters without spaces")
        if default_locale and not locales.is_language_tag(default_locale):
            wrong.append(f"default_locale is {default_locale!r}, not a BCP 47 language tag such as 'zh-CN'")
        for role, reason in (("fallback", fallback), *((f"infer[{status}]", reason) for status, reason in infer.items())):
            if reason is not None and (reason not in members or members[reason].grpc_status is StatusCode.OK):
                wrong.append(f"{role} names {reason!r}: give the reason of an error of {cls.__name__}")
        wrong += (
            f"infer has the key {status!r}, not a grpc.StatusCode of a failure"
            for status in infer
            if not isinstance(status, StatusCode) or status is StatusCode.OK
        )
        if wrong:
            raise ValueError(f"{cls.__name__}: " + "; ".join(wrong))
        cls.domain = domain
        cls.default_locale = default_locale
        cls.fallback = None if fallback is None else members[fallback]
        cls.inference = MappingProxyType({status: members[reason] for status, reason in infer.items()})

    @property
    def number(self) -> int:
        """The number of the code, unique in its catalogue; on the wire it is `ErrorInfo.metadata["code"]`."""
        return self._value_

    @property
    def reason(self) -> str:
        """`ErrorInfo.reason` (AIP-193): the bare name, unique in its domain."""
        return self._name_

    @property
    def grpc_status(self) -> StatusCode:
        """The gRPC status that an RPC fails with."""
        return self.spec.grpc_status

    @property
    def http_status(self) -> int | None:
        """The HTTP status, or None where the code has none."""
        return self.spec.http_status

    @property
    def message(self) -> str:
        """What went wrong, in English, for developers: the default `grpc-message`."""
        return self.spec.message

    @property
    def description(self) -> str:
        """When the code is used, for who looks it up; empty when the catalogue says nothing."""
        return self.spec.description

    @property
    def hints(self) -> Mapping[str, str]:
        """What the end user is told, by locale, whatever the metadata."""
        return self.spec.hints

    def hints_for(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """What the end user is told, by locale, of an error with these metadata."""
        if not self.spec.variants:
            return self.spec.hints
        variants = [variant for variant in self.spec.variants if variant.when.items() <= metadata.items()]
        chosen = {locale.lower(): (locale, text) for locale, text in self.spec.hints.items()}
        variants.sort(key=lambda variant: -len(variant.when))  # the most entries win, of equals the first
        for variant in reversed(variants):
            chosen.update((locale.lower(), (locale, text)) for locale, text in variant.hints.items())
        return dict(chosen.values())

    def hint(self, locale: str | None = None, metadata: Mapping[str, str] | None = None) -> str | None:
        """The hint for `locale`, a language tag or a whole `accept-language` value, in an error with `metadata`.

        The catalogue's default locale stands in for one that the code lacks. None when the code has no hints.
        """
        hints = self.hints_for(metadata or _NOTHING)
        chosen = locales.choose(locale, hints, self.default_locale)
        return None if chosen is None else hints[chosen]

    def __int__(self) -> int:
        return self._value_

    __hash__ = object.__hash__  # Enum's hashes the name in Python, and each error looks a code up

    # Python asks them for > and >= too, with the sides changed.

    def __lt__(self, other: Self) -> bool:
        return self._sort_order_ < other._sort_order_ if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self._sort_order_ <= other._sort_order_ if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self._name_}: {self._value_} {self.spec.grpc_status.name}>"


_FACTS = ("number", "reason", "grpc_status", "http_status", "message", "description", "hints", "hints_for", "hint")


def _wrong_members(members: Mapping[str, ErrorCode]) -> list[str]:
    wrong = []
    for name, member in members.items():
        if name != member.name:  # an alias: to Enum its values, and what is wrong with them, are those of the first
            wrong.append(f"{member.name} and {name} have the same number, {member.number}: give each code its own")
        if not REASON.fullmatch(name) or len(name) > MAX_REASON:
            wrong.append(f"{name} is no reason: AIP-193 asks for {REASON.pattern} of at most {MAX_REASON} characters")
        if name == member.name and member.grpc_status is StatusCode.OK and member.number != 0:
            wrong.append(f"{name} ({member.number}) is OK: only the number 0 may be, give it the status of a failure")
    return wrong


def _checked(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}, not a str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is {value!r}, which has a lone surrogate: give text that UTF-8 can hold") from None
    return value


def _texts(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}, not a mapping of str to str")
    return MappingProxyType({_checked(f"a key of {name}", key): _checked(f"{name}[{key!r}]", text) for key, text in value.items()})


def _hints(name: str, value: object) -> Mapping[str, str]:
    hints = _texts(name, value)
    seen = set[str]()
    for locale in hints:
        if not locales.is_language_tag(locale):
            raise ValueError(f"{name} has the locale {locale!r}, not a BCP 47 language tag such as 'zh-CN'")
        if locale.lower() in seen:
            raise ValueError(f"{name} has the locale {locale!r} twice: give one text for each locale")
        if not hints[locale]:
            raise ValueError(f"{name} has no text for the locale {locale!r}: give the text, or leave the locale out")
        seen.add(locale.lower())
    return hints
