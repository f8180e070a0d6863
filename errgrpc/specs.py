"""The declaration of one code: `Spec`, `Variant` and `MetadataField`."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from grpc import StatusCode

from errgrpc import placeholders
from errgrpc.locales import is_language_tag

__all__ = [
    "FITS",
    "MetadataField",
    "MetadataType",
    "Spec",
    "Variant",
    "checked_hints",
    "wrong_key",
    "wrong_templates",
    "wrong_when",
]

# These are no metadata keys: the parameters of ServiceError, and the key of the number.
_RESERVED = ("code", "message", "hint", "details", "metadata", "retry_delay")
MetadataType = type[str | int | float | bool]
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DOUBLE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan", re.ASCII)
FITS: Mapping[type, Callable[[str], bool]] = {
    str: lambda _: True,
    int: lambda text: bool(_INTEGER.fullmatch(text)) and -(2**63) <= int(text) < 2**63,
    float: lambda text: bool(_DOUBLE.fullmatch(text)),
    bool: lambda text: text in {"true", "false"},
}


def wrong_key(key: object) -> str | None:
    """Returns what is wrong with the key of a metadata field, or None."""
    if (
        not isinstance(key, str)
        or not placeholders.KEY.fullmatch(key)
        or len(key) > placeholders.MAX_KEY
    ):
        return (
            f"give {placeholders.KEY.pattern} of at most {placeholders.MAX_KEY} characters "
            "(AIP-193)"
        )
    if key in _RESERVED:
        return (
            f"{', '.join(_RESERVED)} are arguments of a ServiceError or the number: "
            "give another key"
        )
    return None


@dataclass(frozen=True, slots=True)
class Variant:
    """The hints of a code under a condition: the metadata of the error have all entries of `when`.

    A hint of a variant replaces the hint of the code in the same locale. If several variants match,
    the one with the most entries in `when` is used. If they have equally many, the first is used.

    Args:
        when: The metadata that the error must have, at least one entry.
        hints: The texts for the end user, by locale (BCP 47).

    Raises:
        TypeError: `when` or `hints` is not a mapping of str to str.
        ValueError: `when` is empty or has a malformed key, a locale is malformed, or a text is
            empty.
    """

    when: Mapping[str, str]
    hints: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError(
                "Variant.when is empty: "
                "give the metadata that choose these hints, or put them into Spec.hints"
            )
        object.__setattr__(self, "when", _texts("Variant.when", self.when))
        if (wrong := wrong_when(self.when)) is not None:
            raise ValueError(f"Variant.when has {wrong}")
        object.__setattr__(self, "hints", checked_hints("Variant.hints", self.hints))


@dataclass(frozen=True, slots=True)
class MetadataField:
    """The declaration of one key of `ErrorInfo.metadata`.

    Args:
        key: The key. AIP-193 allows `[a-z][a-zA-Z0-9_-]+` of at most 64 characters.
        description: What the value is.
        example: A value as the server sends it. The error reference shows it.
        optional: Whether an error may come without the key.
        type: str, int (64 bits), float or bool. The server sends each value as text, and a bool as
            `true` or `false`.

    Raises:
        TypeError: `type` is not one of these four, or another argument is not a str.
        ValueError: `key` is malformed or reserved, or `example` is not of the type.
    """

    key: str
    description: str = ""
    example: str = field(default="", kw_only=True)
    optional: bool = field(default=False, kw_only=True)
    type: MetadataType = field(default=str, kw_only=True)

    def __post_init__(self) -> None:
        if (wrong := wrong_key(self.key)) is not None:
            raise ValueError(f"the metadata field {self.key!r}: {wrong}")
        for name in ("description", "example"):
            _checked(f"{name} of the metadata field {self.key!r}", getattr(self, name))
        if self.type not in FITS:
            raise TypeError(
                f"type of the metadata field {self.key!r} is {self.type!r}: "
                "give str, int, float or bool"
            )
        if self.example and not self.fits(self.example):
            raise ValueError(
                f"the example {self.example!r} of the metadata field {self.key!r} is no "
                f"{self.type.__name__}"
            )

    def fits(self, text: str) -> bool:
        """Tells whether the text of a value is of the declared type."""
        return FITS[self.type](text)


@dataclass(frozen=True, slots=True)
class Spec:
    """The declaration of one code in a catalogue.

    If the code has `metadata_fields`, `{key}` in its message and hints stands for the value of that
    field. `{{` and `}}` then stand for braces. All hints for one condition must have the same
    placeholders.

    Args:
        grpc_status: The gRPC status. Only the code with the number 0 may be OK.
        http_status: The HTTP status (100 to 599), or None.
        message: What went wrong, in English, for developers.
        hints: The texts for the end user, by locale (BCP 47).
        variants: The hints under a condition.
        description: When the code is used.
        metadata_fields: The keys of `ErrorInfo.metadata`. If it is empty, any key is allowed.
        retryable: Whether a retry of the same call may succeed later, or None if that is not known.
        resolution: What the developer of the caller should do.
        deprecated: Whether the code is deprecated. If true, ServiceError warns with
            DeprecationWarning.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: `http_status`, a locale, a placeholder or a condition is wrong. A hint is empty,
            or a text has a lone surrogate. A key, or a locale of one condition, occurs twice.
    """

    grpc_status: StatusCode
    http_status: int | None = field(default=None, kw_only=True)
    message: str = field(default="", kw_only=True)
    hints: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    variants: Sequence[Variant] = field(default=(), kw_only=True)
    description: str = field(default="", kw_only=True)
    metadata_fields: Sequence[MetadataField] = field(default=(), kw_only=True)
    retryable: bool | None = field(default=None, kw_only=True)
    resolution: str = field(default="", kw_only=True)
    deprecated: bool = field(default=False, kw_only=True)
    # The other fields are computed for the package itself. They have comments instead of
    # docstrings, so that the documentation does not list them.
    # Whether the texts are the same for all metadata.
    is_plain: bool = field(init=False, repr=False, compare=False)
    # Whether the code is plain, and an answer never needs `grpc-retry-pushback-ms`.
    is_brief: bool = field(init=False, repr=False, compare=False)
    # Whether the server must stop the client's own retry policy (AIP-194): the status is
    # UNAVAILABLE, which the policy retries, but the code is not retryable.
    is_final: bool = field(init=False, repr=False, compare=False)
    # Whether a raise with metadata is checked: fields are declared, or the code is deprecated.
    is_checked: bool = field(init=False, repr=False, compare=False)
    # Whether each raise is checked: a field is required, or the code is deprecated.
    is_always_checked: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.grpc_status, StatusCode):
            raise TypeError(f"grpc_status is {self.grpc_status!r}, not a grpc.StatusCode")
        if self.http_status is not None and (
            type(self.http_status) is not int or not 100 <= self.http_status <= 599
        ):
            raise ValueError(
                f"http_status is {self.http_status!r}, not None or an int from 100 to 599"
            )
        for name in ("message", "description", "resolution"):
            _checked(name, getattr(self, name))
        if self.retryable is not None and type(self.retryable) is not bool:
            raise TypeError(f"retryable is {self.retryable!r}, not None or a bool")
        hints, variants, fields = (
            checked_hints("hints", self.hints),
            _variants(self.variants),
            _fields(self.metadata_fields),
        )
        for name, value in (
            ("hints", hints),
            ("variants", variants),
            ("metadata_fields", fields),
            ("deprecated", bool(self.deprecated)),
        ):
            object.__setattr__(self, name, value)
        required = any(not declared.optional for declared in fields)
        braces = bool(fields) and self._has_braces(
            {declared.key: declared.type for declared in fields}
        )
        object.__setattr__(self, "is_plain", not self.variants and not braces)
        object.__setattr__(
            self, "is_final", self.retryable is False and self.grpc_status is StatusCode.UNAVAILABLE
        )
        object.__setattr__(self, "is_brief", self.is_plain and not self.is_final)
        object.__setattr__(self, "is_checked", bool(fields) or self.deprecated)
        object.__setattr__(self, "is_always_checked", required or self.deprecated)

    def _has_braces(self, declared: Mapping[str, MetadataType]) -> bool:
        """Tells whether a text has placeholders or doubled braces.

        Raises ValueError if one is wrong.
        """
        for name, texts in self._templates():
            if (wrong := wrong_templates(texts, declared)) is not None:
                raise ValueError(f"{name} has {wrong}")
        for variant in self.variants:
            if (wrong := wrong_when(variant.when, declared)) is not None:
                raise ValueError(f"a variant has {wrong}")
        return any(
            "{" in text or "}" in text for _, texts in self._templates() for text in texts.values()
        )

    def _templates(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        yield "message", {"": self.message}
        yield "hints", self.hints
        for variant in self.variants:
            yield f"the variant for {dict(variant.when)}", variant.hints


def wrong_when(
    when: Mapping[str, str], declared: Mapping[str, MetadataType] | None = None
) -> str | None:
    """Returns what is wrong with a condition, or None.

    Each key must be valid. If fields are declared, it must be one of them, and its value must be of
    its type.
    """
    for key, value in when.items():
        if not placeholders.KEY.fullmatch(key) or len(key) > placeholders.MAX_KEY:
            return (
                f"the condition {key!r}, which no metadata have: "
                f"give {placeholders.KEY.pattern} (AIP-193)"
            )
        if declared and key not in declared:
            return (
                f"the condition {key!r}: give one of {', '.join(map(repr, sorted(declared)))}, or "
                f"declare {key!r} in metadata_fields"
            )
        if declared and not FITS[declared[key]](value):
            return (
                f"the condition {key!r} with the value {value!r}, which is no "
                f"{declared[key].__name__}"
            )
    return None


def wrong_templates(texts: Mapping[str, str], keys: Collection[str]) -> str | None:
    """Returns what is wrong with the translations of one text, or None.

    A text must not have a lone brace or an undeclared key. All locales must have the same keys.
    """
    first: tuple[str, frozenset[str]] | None = None
    for locale, text in texts.items():
        of = f" in {locale!r}" if locale else ""
        if (lone := placeholders.wrong(text)) is not None:
            return (
                f"{lone}{of}: "
                f"write {{{{ or }}}} for a brace, and one of {_braced(keys)} for a value"
            )
        named = placeholders.names(text)
        if unknown := sorted(named - set(keys)):
            return (
                f"the placeholder {{{unknown[0]}}}{of}: "
                f"give one of {_braced(keys)}, or declare {unknown[0]!r} in metadata_fields"
            )
        if first is None:
            first = locale, named
        elif named != first[1]:
            both = (
                f"{_braced(named) or 'no placeholders'}{of}, but {_braced(first[1]) or 'none'} in "
                f"{first[0]!r}"
            )
            return f"{both}: give the same in each locale"
    return None


def _braced(keys: Iterable[str]) -> str:
    return ", ".join(f"{{{key}}}" for key in sorted(keys))


def _variants(given: Sequence[Variant]) -> tuple[Variant, ...]:
    seen = set[tuple[frozenset[tuple[str, str]], str]]()
    for variant in given:
        if not isinstance(variant, Variant):
            raise TypeError(f"variants holds {variant!r}, not an errgrpc.Variant")
        for locale in variant.hints:
            if (key := (frozenset(variant.when.items()), locale.lower())) in seen:
                raise ValueError(
                    f"variants has {locale!r} twice for {dict(variant.when)}: "
                    "one hint for each locale and condition"
                )
            seen.add(key)
    return tuple(given)


def _fields(given: Sequence[MetadataField]) -> tuple[MetadataField, ...]:
    keys = set[str]()
    for declared in given:
        if not isinstance(declared, MetadataField):
            raise TypeError(f"metadata_fields holds {declared!r}, not an errgrpc.MetadataField")
        if declared.key in keys:
            raise ValueError(f"metadata_fields has {declared.key!r} twice: give each key once")
        keys.add(declared.key)
    return tuple(given)


def _checked(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}, not a str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{name} is {value!r}, which has a lone surrogate: give text that UTF-8 can hold"
        ) from None
    return value


def _texts(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}, not a mapping of str to str")
    return MappingProxyType(
        {
            _checked(f"a key of {name}", key): _checked(f"{name}[{key!r}]", text)
            for key, text in value.items()
        }
    )


def checked_hints(name: str, value: object) -> Mapping[str, str]:
    """Returns texts by locale. Raises TypeError or ValueError if they are not valid hints."""
    hints = _texts(name, value)
    seen = set[str]()
    for locale in hints:
        if not is_language_tag(locale):
            raise ValueError(
                f"{name} has the locale {locale!r}, not a BCP 47 language tag such as 'zh-CN'"
            )
        if locale.lower() in seen:
            raise ValueError(
                f"{name} has the locale {locale!r} twice: give one text for each locale"
            )
        if not hints[locale]:
            raise ValueError(
                f"{name} has no text for the locale {locale!r}: "
                "give the text, or leave the locale out"
            )
        seen.add(locale.lower())
    return hints
