"""What one error code is: a member of an `ErrorCode` enum, as a `Spec` declares it."""

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

# AIP-193: what `ErrorInfo.reason` looks like, and its greatest length.
REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")
MAX_REASON = 63
# printable ASCII without spaces: it is compared byte for byte in every language
DOMAIN = re.compile(r"[!-~]{1,255}")
# google.rpc.Code by number.
STATUSES: Mapping[int, StatusCode] = MappingProxyType(
    {status.value[0]: status for status in StatusCode}
)


def status_of(code: object) -> StatusCode | None:
    """The failure that a handler set; None for OK, nothing, or what grpc would not understand."""
    return code if isinstance(code, StatusCode) and code is not StatusCode.OK else None


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
    locales: "tuple[str, ...]"
    """The locales in which each code that has a hint has one."""

    spec: Spec
    """What the catalogue declares of this code."""

    _help_url: str
    _value_: int
    _sort_order_: int  # by Enum itself

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
        cls.fallback = None if fallback is None else members[fallback]
        cls.inference = MappingProxyType(
            {status: members[reason] for status, reason in infer.items()}
        )

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
        """What went wrong, in English, for developers: the default `grpc-message`, with its placeholders."""
        return self.spec.message

    @property
    def metadata_fields(self) -> tuple[MetadataField, ...]:
        """What errors with this code carry in `ErrorInfo.metadata` beside the number; empty when the catalogue does not say."""
        return self.spec.metadata_fields  # type: ignore[return-value]  # a tuple since Spec was made

    @property
    def retryable(self) -> bool | None:
        """Whether the same call may succeed later; None when the catalogue does not say."""
        return self.spec.retryable

    @property
    def resolution(self) -> str:
        """What the caller's developer should do; empty when the catalogue says nothing."""
        return self.spec.resolution

    @property
    def deprecated(self) -> bool:
        """Whether no new code should raise it. It is still read like any other."""
        return self.spec.deprecated

    @property
    def help_url(self) -> str | None:
        """Where the code is explained, or None."""
        if not self._help_url:
            return None
        facts = {"reason": self.reason, "domain": self.domain, "number": str(self.number)}
        return _HELP_KEY.sub(lambda match: quote(facts[match[1]], safe=""), self._help_url)

    @property
    def description(self) -> str:
        """When the code is used, for who looks it up; empty when the catalogue says nothing."""
        return self.spec.description

    @property
    def hints(self) -> Mapping[str, str]:
        """What the end user is told, by locale, whatever the metadata; with placeholders."""
        return self.spec.hints

    def message_for(self, metadata: Mapping[str, str]) -> str:
        """The message of an error with these metadata."""
        template, fields = self.spec.message, self.spec.metadata_fields
        return (
            placeholders.fill(template, metadata) if fields and not self.spec.is_plain else template
        )

    def hints_for(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """What the end user is told, by locale, of an error with these metadata."""
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
        # the most entries win, of equals the first
        variants.sort(key=lambda variant: -len(variant.when))
        for variant in reversed(variants):
            chosen.update(
                (locale.lower(), (locale, text)) for locale, text in variant.hints.items()
            )
        return dict(chosen.values())

    def hint(
        self, locale: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> str | None:
        """The hint for `locale`, a language tag or a whole `accept-language` value, in an error with `metadata`.

        The catalogue's default locale stands in for one that the code lacks. None when the code has no hints. Without `metadata`
        the placeholders stay.
        """
        hints = self.spec.hints if metadata is None else self.hints_for(metadata)
        chosen = choose(locale, hints, self.default_locale)
        return None if chosen is None else hints[chosen]

    def __int__(self) -> int:
        return self._value_

    __hash__ = object.__hash__  # Enum's hashes the name in Python, and each error looks a code up

    # Python asks them for > and >= too, with the sides changed.

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
    "number", "reason", "grpc_status", "http_status", "message", "description", "hints", "message_for", "hints_for", "hint",
    "metadata_fields", "retryable", "resolution", "deprecated", "help_url",
)  # fmt: skip
_HELP_KEY = re.compile(r"\{(reason|domain|number)\}")
_HTTPS = re.compile(r"https://[^\x00- {}\x7f-\uffff]+")


def wrong_help_url(url: object) -> str | None:
    """What is wrong with the template of a help URL, or None."""
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
        # an alias: to Enum its values, and what is wrong with them, are those of the first
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
