"""Finds all mistakes in the catalogues of a request at once.

The predicates are those of `errgrpc.codes`, so both accept the same catalogues.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from errgrpc.codegen.schema import STATUSES, TYPES, Catalog, Code
from errgrpc.codegen.services import PREFIXES, Declared, Extension, Service
from errgrpc.codes import DOMAIN, MAX_REASON, REASON, wrong_help_url
from errgrpc.locales import is_language_tag
from errgrpc.specs import FITS, MetadataType, wrong_key, wrong_templates, wrong_when

__all__ = ["Refusal", "clashes", "notes", "refusals", "refusals_of_services"]

_FAILURES = ", ".join(status.name for number, status in sorted(STATUSES.items()) if number)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused declaration: its place, the mistake and the remedy. Line 0 means unknown."""

    file: str
    line: int
    name: str
    wrong: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return "".join(
            c if c.isprintable() else repr(c)[1:-1] for c in f"{place}: {self.name}: {self.wrong}"
        )


def refusals(catalogs: Sequence[Catalog], imported: Sequence[Catalog] = ()) -> list[Refusal]:
    """Returns all mistakes in `catalogs`, sorted by file and line.

    It also looks for conflicts with the `imported` catalogues.
    """
    found = list(_clashes(catalogs, imported))
    for catalog in catalogs:
        found += (
            Refusal(catalog.file, catalog.line, catalog.name, wrong)
            for wrong in _wrong_catalog(catalog)
        )
        numbers, reasons = dict[int, str](), dict[str, str]()
        prefixed = next((code.name for code in catalog.codes if code.has_prefix), None)
        for value in catalog.values:
            wrongs = (
                [*_wrong_code(value), *_gaps(catalog, value)]
                if value.annotated
                else list(_wrong_bare(catalog, value))
            )
            if value.annotated and not value.has_prefix and prefixed is not None:
                wrongs.append(
                    f"lacks the prefix {catalog.prefix}, which {prefixed} has; "
                    f"its reason would be {value.reason}"
                )
            if (first := numbers.setdefault(value.number, value.name)) != value.name:
                wrongs.append(
                    f"has the number {value.number} of {first}; give it a number of its own"
                )
            if (
                value.annotated
                and (first := reasons.setdefault(value.reason, value.name)) != value.name
            ):
                wrongs.append(
                    f"has the reason {value.reason} of {first}; give it a name of its own"
                )
            found += (Refusal(catalog.file, value.line, value.name, wrong) for wrong in wrongs)
    return sorted(found, key=lambda refusal: (refusal.file, refusal.line))


def refusals_of_services(
    services: Sequence[Service],
    known: Sequence[Extension],
    catalogs: Mapping[str, Catalog],
    files: Collection[str],
) -> list[Refusal]:
    """Returns all mistakes in the errors that services of `files` declare, by file and line.

    `known` and `catalogs` are all extensions and all catalogues of the request; the catalogues by
    full name.
    """
    found = [*_singular(services, known, catalogs, files), *_clashing(known, catalogs, files)]
    if found:  # the values of these options cannot be read
        return sorted(found, key=lambda refusal: (refusal.file, refusal.line))
    for service in services:
        found += (
            Refusal(service.file, each.line, where, wrong)
            for where, each in service.every()
            if each.option.repeated
            and (wrong := _wrong_declared(each, catalogs[each.option.type_name])) is not None
        )
        if service.declares:
            for catalog in catalogs.values():
                if catalog.file == service.file and catalog.class_name == "RAISES":
                    wrong = (
                        "makes the Python class RAISES, which is the name of what "
                        f"{service.full_name} declares; rename the enum"
                    )
                    found.append(Refusal(catalog.file, catalog.line, catalog.name, wrong))
    return sorted(dict.fromkeys(found), key=lambda refusal: (refusal.file, refusal.line))


def _singular(
    services: Sequence[Service],
    known: Sequence[Extension],
    catalogs: Mapping[str, Catalog],
    files: Collection[str],
) -> Iterator[Refusal]:
    used = {each.option for service in services for _, each in service.every()}
    for option in known:
        if (
            option.declares
            and option.type_name in catalogs
            and not option.repeated
            and (option in used or option.file in files)
        ):
            wrong = (
                "holds one code at most; "
                f"make it `repeated {option.type_name}`, as a method may raise several"
            )
            yield Refusal(option.file, option.line, option.full_name, wrong)


def clashes(
    known: Sequence[Extension], catalogs: Collection[str]
) -> Iterator[tuple[Extension, Extension]]:
    """Yields pairs of extensions with the same number: Python cannot import both.

    At least one of the two declares codes or makes a catalogue.
    """
    owners = dict[tuple[str, int], Extension]()
    for extension in sorted(known, key=lambda extension: (extension.file, extension.full_name)):
        first = owners.setdefault((extension.extended, extension.number), extension)
        ours = (each.declares and each.type_name in catalogs for each in (first, extension))
        if first != extension and (
            any(ours) or _ANNOTATIONS & {first.full_name, extension.full_name}
        ):
            yield first, extension


def _clashing(
    known: Sequence[Extension], catalogs: Mapping[str, Catalog], files: Collection[str]
) -> Iterator[Refusal]:
    for first, second in clashes(known, catalogs):
        wrong, other = (
            (first, second) if first.file in files and second.file not in files else (second, first)
        )
        has = (
            f"has the number {wrong.number} of {wrong.extended}, as {other.full_name} of "
            f"{other.file}"
        )
        yield Refusal(
            wrong.file,
            wrong.line,
            wrong.full_name,
            f"{has}: no Python process can import both; "
            "give it a number of its own (50000 to 99999 are for use within an organization)",
        )


def _wrong_declared(declared: Declared, catalog: Catalog) -> str | None:
    value = next((value for value in catalog.values if value.number == declared.number), None)
    if value is not None and value.annotated and value.grpc_status != 0:
        return None
    what = (
        "which is no value of the enum"
        if value is None
        else "which is a success"
        if value.annotated
        else "which is no code"
    )
    name = str(declared.number) if value is None else value.name
    accepted = next((f", such as {code.name}" for code in catalog.codes if code.grpc_status), "")
    return (
        f"declares ({declared.option.full_name}) {name}, {what}; "
        f"give an error of {catalog.full_name}{accepted}"
    )


_ANNOTATIONS = {"errgrpc.v1.catalog", "errgrpc.v1.code"}


def notes(
    catalogs: Sequence[Catalog], known: Sequence[Extension] = (), every: Collection[str] = ()
) -> list[Refusal]:
    """Returns notes about declarations that are accepted but may be mistakes.

    `every` has the names of all catalogues.
    """
    return [*_prefix_notes(catalogs), *_option_notes(known, every)]


def _option_notes(known: Sequence[Extension], catalogs: Collection[str]) -> Iterator[Refusal]:
    for option in known:
        if option.extended in PREFIXES and option.type_name in catalogs and not option.declares:
            wrong = (
                "has the type of a catalogue but declares no codes, as its name does not begin "
                f"with {PREFIXES[option.extended]}"
            )
            yield Refusal(option.file, option.line, option.full_name, wrong)


def _prefix_notes(catalogs: Sequence[Catalog]) -> list[Refusal]:
    return [
        Refusal(
            catalog.file,
            catalog.line,
            catalog.name,
            f"its values do not begin with {catalog.prefix}, so their whole names are the reasons",
        )
        for catalog in catalogs
        if catalog.codes and not any(code.has_prefix for code in catalog.codes)
    ]


def _clashes(catalogs: Sequence[Catalog], imported: Sequence[Catalog]) -> Iterator[Refusal]:
    """Yields enums whose class name is taken, and codes whose reason is taken in the domain."""
    classes = dict[tuple[str, str], str]()
    for catalog in catalogs:
        if (
            first := classes.setdefault((catalog.file, catalog.class_name), catalog.name)
        ) != catalog.name:
            wrong = (
                f"makes the Python class {catalog.class_name}, as {first} does; "
                "rename one of the two"
            )
            yield Refusal(catalog.file, catalog.line, catalog.name, wrong)
    owners = {
        (catalog.domain, code.reason): catalog for catalog in imported for code in catalog.codes
    }
    for catalog in catalogs:
        for code in catalog.codes:
            owner = owners.setdefault((catalog.domain, code.reason), catalog)
            if owner is not catalog and catalog.domain:
                wrong = (
                    f"has the domain {catalog.domain!r} and the reason {code.reason}, as in "
                    f"{owner.full_name} of {owner.file}"
                )
                yield Refusal(
                    catalog.file,
                    code.line,
                    code.name,
                    f"{wrong}; give the enum a domain of its own, or the value another name",
                )


def _wrong_catalog(catalog: Catalog) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", catalog.class_name):
        yield "is no name of a Python class; give letters, digits and underscores"
    if not catalog.annotated:
        yield (
            f"has codes ({catalog.codes[0].name}) but is no catalogue; "
            f'add `option (errgrpc.v1.catalog) = {{domain: "..."}};`'
        )
        return
    if not catalog.domain:
        yield 'has no domain; give the owner of the codes, such as "shop.example.com"'
    elif not DOMAIN.fullmatch(catalog.domain):
        yield (
            f"has the domain {catalog.domain!r}; "
            "give 1 to 255 printable ASCII characters without spaces"
        )
    if catalog.default_locale and not is_language_tag(catalog.default_locale):
        yield (
            f"has the default_locale {catalog.default_locale!r}; "
            "give a BCP 47 language tag such as zh-CN"
        )
    if not catalog.codes:
        yield (
            "is a catalogue without codes; "
            "annotate its values with (errgrpc.v1.code), or remove (errgrpc.v1.catalog)"
        )
        return
    if catalog.fallback:
        yield from _wrong_reason(catalog, "the fallback", catalog.fallback)
        yield from _wrong_fallback(catalog)
    yield from _wrong_options(catalog)
    seen = set[int]()
    for number, reason in catalog.infer:
        status = STATUSES[number].name if number in STATUSES else str(number)
        if not number:
            yield f"infers {reason!r} from OK or from no grpc_status; give one of {_FAILURES}"
        elif number not in STATUSES:
            yield (
                f"infers {reason!r} from the unknown grpc_status {number}; give one of {_FAILURES}"
            )
        if number and number in seen:
            yield f"infers twice from {status}; give one reason for each status"
        seen.add(number)
        yield from _wrong_reason(catalog, f"the inference from {status}", reason)


def _wrong_options(catalog: Catalog) -> Iterator[str]:
    if catalog.help_url and (wrong := wrong_help_url(catalog.help_url)) is not None:
        yield f"has a help_url that {wrong}"
    for locale in catalog.locales:
        if not is_language_tag(locale):
            yield f"has {locale!r} among its locales; give BCP 47 language tags such as zh-CN"


def _wrong_fallback(catalog: Catalog) -> Iterator[str]:
    for code in (code for code in catalog.codes if code.reason == catalog.fallback):
        if required := [field.key for field in code.metadata_fields if not field.optional]:
            yield (
                f"has the fallback {code.reason}, which requires {', '.join(required)}; "
                "make it optional: no unhandled exception has it"
            )
        if code.deprecated:
            yield f"has the fallback {code.reason}, which is deprecated; give another one"


def _gaps(catalog: Catalog, code: Code) -> Iterator[str]:
    had = {hint.locale.lower() for hint in code.hints if not hint.when}
    if had and (lacking := [locale for locale in catalog.locales if locale.lower() not in had]):
        yield (
            f"has no hint for {', '.join(lacking)}; "
            "give one for each of the catalogue's locales, or none at all"
        )


def _wrong_reason(catalog: Catalog, role: str, reason: str) -> Iterator[str]:
    errors = [code.reason for code in catalog.codes if code.grpc_status]
    if reason not in errors:
        wrong = "is OK" if any(code.reason == reason for code in catalog.codes) else "names no code"
        nearest = difflib.get_close_matches(reason, errors, 1, 0)
        yield (
            f"has {role} {reason!r}, which {wrong}; "
            f"give the reason of an error{f', such as {nearest[0]}' if nearest else ''}"
        )


def _wrong_bare(catalog: Catalog, value: Code) -> Iterator[str]:
    if catalog.annotated and (value.number != 0 or not value.name.endswith("_UNSPECIFIED")):
        yield (
            "is no code; annotate it with (errgrpc.v1.code), which only a zero named "
            "*_UNSPECIFIED may lack"
        )


def _wrong_code(code: Code) -> Iterator[str]:
    if not REASON.fullmatch(code.reason) or len(code.reason) > MAX_REASON:
        prefix = code.name.removesuffix(code.reason)
        what = f"what follows {prefix}" if prefix else "the name"
        yield (
            f"has the reason {code.reason!r}; "
            f"make {what} match {REASON.pattern} with at most {MAX_REASON} characters (AIP-193)"
        )
    or_ok = " or, as its number is 0, OK" if code.number == 0 else ""
    if code.grpc_status is None:
        yield f"has no grpc_status; give one of {_FAILURES}{or_ok}"
    elif code.grpc_status not in STATUSES:
        yield f"has the unknown grpc_status {code.grpc_status}; give one of {_FAILURES}{or_ok}"
    elif code.grpc_status == 0 and code.number != 0:
        yield f"has the grpc_status OK, which only the number 0 may have; give one of {_FAILURES}"
    if code.http_status is not None and not 100 <= code.http_status <= 599:
        yield f"has the http_status {code.http_status}; give 100 to 599, or leave it out"
    types = {field.key: TYPES.get(field.type, str) for field in code.metadata_fields}
    yield from _wrong_fields(code)
    if types:
        yield from _wrong_texts(code, types)
    seen = set[tuple[str, tuple[tuple[str, str], ...]]]()
    for hint in code.hints:
        condition = f" when {dict(hint.when)}" if hint.when else ""
        if not is_language_tag(hint.locale):
            yield (
                f"has a hint for the locale {hint.locale!r}{condition}; "
                "give a BCP 47 language tag such as zh-CN"
            )
        elif (key := (hint.locale.lower(), hint.when)) in seen:
            yield (
                f"has two hints for the locale {hint.locale}{condition}; "
                "give one for each locale and condition"
            )
        else:
            seen.add(key)
        if (wrong := wrong_when(dict(hint.when), types)) is not None:
            yield f"has a hint with {wrong}"
        if not hint.text:
            yield (
                f"has a hint without text for the locale {hint.locale!r}{condition}; "
                "give the text, or leave the hint out"
            )


def _wrong_fields(code: Code) -> Iterator[str]:
    seen = set[str]()
    for field in code.metadata_fields:
        if (wrong := wrong_key(field.key)) is not None:
            yield f"has the metadata field {field.key!r}; {wrong}"
        if field.key in seen:
            yield f"has the metadata field {field.key!r} twice; give each key once"
        seen.add(field.key)
        if field.type not in TYPES:
            yield (
                f"has the metadata field {field.key!r} of the unknown type {field.type}; "
                "give STRING, INT64, DOUBLE or BOOL"
            )
        elif field.example and not FITS[TYPES[field.type]](field.example):
            yield (
                f"has the metadata field {field.key!r}, whose example {field.example!r} is no "
                f"{TYPES[field.type].__name__}; give another"
            )


def _wrong_texts(code: Code, types: Mapping[str, MetadataType]) -> Iterator[str]:
    if (wrong := wrong_templates({"": code.message}, types)) is not None:
        yield f"has a message with {wrong}"
    for when in dict.fromkeys(hint.when for hint in code.hints):
        texts = {hint.locale: hint.text for hint in code.hints if hint.when == when}
        if (wrong := wrong_templates(texts, types)) is not None:
            yield f"has hints{f' when {dict(when)}' if when else ''} with {wrong}"
