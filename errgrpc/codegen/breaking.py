"""Compares two releases: catalogues, and what methods raise.

`python -m errgrpc.codegen.breaking OLD.binpb NEW.binpb` reads two descriptor sets. They are made by
`buf build -o`, or by `protoc --include_imports --descriptor_set_out`. `buf breaking` compares
numbers and names but no options: it does not see a changed status, domain or hint.

A catalogue is paired with the one of the same full name, or else of the same domain. A code is
paired with the one of the same reason, or else of the same number.

Each change has a stable id and a severity:

- breaking: a client with the old catalogue handles the error differently, or not at all.
- caution: some answers, inferred codes or shown texts change; check the change.
- note: it belongs in the changelog.

Clients branch on reason and domain, so these may not change. By AIP-193, texts may change if
ErrorInfo is always sent, as errgrpc does.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from errgrpc.codegen import rules, services
from errgrpc.codegen.schema import STATUSES, TYPES, Catalog, Code, read

__all__ = ["CHANGES", "Change", "Severity", "compare", "load", "main"]

Severity = Literal["breaking", "caution", "note"]

CHANGES: Mapping[str, Severity] = {
    "catalogue-removed": "breaking",
    "code-removed": "breaking",
    "domain-changed": "breaking",
    "number-changed": "breaking",
    "reason-changed": "breaking",
    "grpc-status-changed": "breaking",
    "http-status-changed": "breaking",
    "hint-removed": "breaking",
    "metadata-field-removed": "breaking",
    "metadata-field-retyped": "breaking",
    "metadata-field-made-optional": "breaking",
    "option-number-clash": "breaking",
    "metadata-field-required": "caution",
    "required-metadata-field-added": "caution",
    "retryable-changed": "caution",
    "deprecated-code-removed": "caution",
    "removed-not-reserved": "caution",
    "catalogue-renamed": "caution",
    "default-locale-changed": "caution",
    "fallback-changed": "caution",
    "inference-changed": "caution",
    "hints-reordered": "caution",
    "method-raises-more": "caution",
    "raises-removed": "caution",
    "option-number-changed": "caution",
    "catalogue-added": "note",
    "code-added": "note",
    "hint-added": "note",
    "fallback-added": "note",
    "inference-added": "note",
    "message-changed": "note",
    "hint-changed": "note",
    "metadata-field-added": "note",
    "metadata-field-documented": "note",
    "resolution-changed": "note",
    "locales-changed": "note",
    "help-url-changed": "note",
    "deprecation-changed": "note",
    "method-raises-less": "note",
    "raises-declared": "note",
}
"""The severity of each change, by its id."""

_T = TypeVar("_T", Catalog, Code)
_Facts = Mapping[str, tuple[str, str]]
"""Declared values by name: the stem of the ids of its changes, and the value as text.
"""


class Change(NamedTuple):
    """One difference: its id, its place, and the old and the new value."""

    id: str
    where: str
    what: str

    @property
    def severity(self) -> Severity:
        """Returns how much the change matters to clients with the old catalogue."""
        return CHANGES[self.id]

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what} [{self.id}]"


def compare(old: FileDescriptorSet, new: FileDescriptorSet) -> list[Change]:
    """Returns all changes from `old` to `new`, in the order of `old`.

    They are changes in catalogues and in the errors that methods declare.
    """
    before, after = _catalogs(old), _catalogs(new)
    changes = list[Change]()
    pairs, added = _pair(before, after, "full_name", "domain")
    for was, now in pairs:
        changes += (
            _catalog(was, now) if now else [Change("catalogue-removed", was.full_name, "removed")]
        )
    changes += (Change("catalogue-added", catalog.full_name, "added") for catalog in added)
    return [
        *changes,
        *_options(old, new, after),
        *_services(_Raised(old, before), _Raised(new, after), pairs),
    ]


def load(path: str) -> FileDescriptorSet:
    """Reads a descriptor set from a file.

    Raises OSError, and ValueError if the file holds no complete descriptor set.
    """
    try:
        files = FileDescriptorSet.FromString(Path(path).read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is no descriptor set ({error})") from error
    if not files.file:
        raise ValueError(
            f"{path} holds no files: give a descriptor set, such as `buf build -o {path}` writes"
        )
    known = {file.name for file in files.file}
    for file in files.file:
        if lacking := next((name for name in file.dependency if name not in known), None):
            raise ValueError(
                f"{path} lacks {lacking}, which {file.name} imports: "
                "make it with `protoc --include_imports`"
            )
    return files


def main(arguments: Sequence[str]) -> int:
    """Prints every change on a line, and returns the exit code.

    It is 1 if a change is breaking and not allowed, 2 if the files cannot be compared, and else 0.
    """
    parser = ArgumentParser(
        "python -m errgrpc.codegen.breaking",
        description="Show what a release changes in catalogues, and in what methods raise.",
    )
    parser.add_argument("old", metavar="OLD.binpb", help="descriptor set of the last release")
    parser.add_argument("new", metavar="NEW.binpb", help="descriptor set of this release")
    parser.add_argument(
        "--allow",
        metavar="ID",
        action="append",
        default=[],
        choices=CHANGES,
        help="id of changes that are intended and do not fail; repeat it for each id",
    )
    given = parser.parse_args(arguments)
    try:
        changes = compare(load(given.old), load(given.new))
    except (OSError, ValueError) as error:
        print(f"errgrpc.codegen.breaking: {error}", file=sys.stderr)
        return 2
    for change in changes:
        print(f"allowed {change}" if change.id in given.allow else change)
    return int(
        any(change.severity == "breaking" and change.id not in given.allow for change in changes)
    )


class _Raised:
    """The codes that the methods of some files declare, by catalogue, service and method."""

    def __init__(self, files: FileDescriptorSet, catalogs: Sequence[Catalog]) -> None:
        by_name = {catalog.full_name: catalog for catalog in catalogs}
        known = [extension for file in files.file for extension in services.extensions(file)]
        self.services = [
            service for file in files.file for service in services.read(file, known, by_name)
        ]
        self.names = {
            (catalog.full_name, code.number): code.reason
            for catalog in catalogs
            for code in catalog.codes
        }

    @staticmethod
    def of(service: services.Service) -> dict[str, set[tuple[str, int]]]:
        """Returns the codes of each method by its path, with the codes of the service."""
        every = {(each.option.type_name, each.number) for each in service.declared}
        return {
            method.path: every | {(each.option.type_name, each.number) for each in method.declared}
            for method in service.methods
        }


def _services(
    was: _Raised, now: _Raised, pairs: Sequence[tuple[Catalog, Catalog | None]]
) -> Iterator[Change]:
    became = {
        (old.full_name, code.number): (new.full_name, other.number)
        for old, new in pairs
        if new is not None
        for code, other in _pair(old.codes, new.codes, "reason", "number")[0]
        if other is not None
    }
    later = {service.full_name: service for service in now.services}
    for service in was.services:
        if (
            new := later.get(service.full_name)
        ) is None or service.declares == new.declares is False:
            continue
        if not (service.declares and new.declares):
            id_, what = (
                ("raises-declared", "declares its errors now")
                if new.declares
                else ("raises-removed", "declares no errors any more")
            )
            yield Change(id_, service.full_name, what)
            continue
        after = _Raised.of(new)
        for path, codes in _Raised.of(service).items():
            kept = {became.get(code, code) for code in codes}
            for id_, what, changed in (
                ("method-raises-more", "may raise {} now", after.get(path, kept) - kept),
                ("method-raises-less", "raises {} no more", kept - after.get(path, kept)),
            ):
                for code in sorted(changed):
                    yield Change(
                        id_,
                        path,
                        what.format(
                            f"{code[0]}.{now.names.get(code) or was.names.get(code, code[1])}"
                        ),
                    )


def _options(
    old: FileDescriptorSet, new: FileDescriptorSet, after: Sequence[Catalog]
) -> Iterator[Change]:
    """Yields changes in the options that declare codes.

    `buf breaking` does not see the numbers of extensions.
    """
    names = {catalog.full_name for catalog in after}
    was = {
        extension.full_name: extension
        for file in old.file
        for extension in services.extensions(file)
    }
    known = [extension for file in new.file for extension in services.extensions(file)]
    for option in known:
        other = was.get(option.full_name)
        if (
            option.declares
            and option.type_name in names
            and other is not None
            and other.number != option.number
        ):
            yield Change(
                "option-number-changed",
                option.full_name,
                f"number was {other.number}, is {option.number}",
            )
    for first, second in rules.clashes(known, names):
        what = (
            f"has the number {second.number} of {second.extended}, as {first.full_name}: "
            "no Python process can import both"
        )
        yield Change("option-number-clash", second.full_name, what)


def _catalogs(files: FileDescriptorSet) -> list[Catalog]:
    return [catalog for file in files.file for catalog in read(file) if catalog.annotated]


def _pair(
    before: Sequence[_T], after: Sequence[_T], *keys: str
) -> tuple[list[tuple[_T, _T | None]], list[_T]]:
    """Pairs each of `before` with one of `after`, by the first key, and the rest by the next key.

    The second list holds what is new.
    """
    became = dict[int, _T]()
    left = list(after)
    for key in keys:
        candidates = {getattr(now, key): now for now in reversed(left)}
        for index, was in enumerate(before):
            if index not in became and (now := candidates.pop(getattr(was, key), None)):
                became[index] = now
        taken = set(map(id, became.values()))
        left = [now for now in left if id(now) not in taken]
    return [(was, became.get(index)) for index, was in enumerate(before)], left


def _catalog(was: Catalog, now: Catalog) -> Iterator[Change]:
    name = was.full_name
    if now.full_name != name:
        yield Change("catalogue-renamed", name, f"is {now.full_name} now, under the same domain")
    yield from _differences(name, _catalog_facts(was), _catalog_facts(now))
    pairs, added = _pair(was.codes, now.codes, "reason", "number")
    for old, new in pairs:
        where = f"{name}: {old.reason}"
        yield from _code(where, old, new) if new else _removed(where, old, now)
    yield from (Change("code-added", f"{name}: {code.reason}", "added") for code in added)


def _code(where: str, was: Code, now: Code) -> Iterator[Change]:
    yield from _differences(where, _code_facts(was), _code_facts(now))
    yield from _fields(where, was, now)
    old, new = list(_hints(was)), list(_hints(now))
    # If no hint has the client's language, the client shows the first hint. If two conditions have
    # equal length, the first one wins. So the order matters.
    kept = [hint for hint in new if hint in old]
    if [hint for hint in old if hint in new] != kept or (
        kept and old[0] in new and new[0] != old[0]
    ):
        yield Change(
            "hints-reordered", where, f"the order was {', '.join(old)}, is {', '.join(new)}"
        )


def _fields(where: str, was: Code, now: Code) -> Iterator[Change]:
    old, new = ({field.key: field for field in code.metadata_fields} for code in (was, now))
    for key, field in old.items():
        if (other := new.get(key)) is None:
            yield Change("metadata-field-removed", where, f"metadata field {key} removed")
            continue
        if other.type != field.type:
            kinds = (
                TYPES[number].__name__ if number in TYPES else str(number)
                for number in (field.type, other.type)
            )
            yield Change(
                "metadata-field-retyped",
                where,
                "metadata field {} was {}, is {}".format(key, *kinds),
            )
        if other.optional != field.optional:
            id_ = "metadata-field-made-optional" if other.optional else "metadata-field-required"
            yield Change(
                id_,
                where,
                f"metadata field {key} is {'optional' if other.optional else 'required'} now",
            )
        if (other.description, other.example) != (field.description, field.example):
            yield Change(
                "metadata-field-documented",
                where,
                f"metadata field {key} has another description or example",
            )
    for key, field in new.items():
        if key not in old:
            id_ = (
                "metadata-field-added"
                if field.optional or not old
                else "required-metadata-field-added"
            )
            yield Change(id_, where, f"metadata field {key} added")


def _removed(where: str, was: Code, now: Catalog) -> Iterator[Change]:
    yield Change("deprecated-code-removed" if was.deprecated else "code-removed", where, "removed")
    numbers, names = (
        {value.number for value in now.values},
        {value.name for value in now.values} | now.reserved_names,
    )
    reserved = was.number in numbers or any(
        start <= was.number <= end for start, end in now.reserved_numbers
    )
    free = ([] if reserved else [str(was.number)]) + (
        [] if was.name in names else [f'"{was.name}"']
    )
    if free:
        yield Change(
            "removed-not-reserved",
            where,
            f"removed, but a later code may take {' and '.join(free)}: declare `reserved` for each",
        )


def _differences(where: str, was: _Facts, now: _Facts) -> Iterator[Change]:
    for fact, (stem, value) in was.items():
        if fact not in now:
            yield Change(_id(stem, "removed"), where, f"{fact} was {value}, is none")
        elif now[fact][1] != value:
            yield Change(_id(stem, "changed"), where, f"{fact} was {value}, is {now[fact][1]}")
    for fact, (stem, value) in now.items():
        if fact not in was:
            yield Change(_id(stem, "added"), where, f"{fact} added: {value}")


def _id(stem: str, how: str) -> str:
    return f"{stem}-{how}" if f"{stem}-{how}" in CHANGES else f"{stem}-changed"


def _catalog_facts(catalog: Catalog) -> _Facts:
    facts = {
        "domain": ("domain", repr(catalog.domain)),
        "default_locale": ("default-locale", _or_none(catalog.default_locale)),
    }
    if catalog.fallback:
        facts["fallback"] = "fallback", catalog.fallback
    facts["locales"] = "locales", ", ".join(catalog.locales) or "none"
    facts["help_url"] = "help-url", _or_none(catalog.help_url)
    return facts | {
        f"inference from {_status(number)}": ("inference", reason)
        for number, reason in catalog.infer
    }


def _code_facts(code: Code) -> _Facts:
    facts = {
        "number": ("number", str(code.number)),
        "reason": ("reason", code.reason),
        "grpc_status": (
            "grpc-status",
            "none" if code.grpc_status is None else _status(code.grpc_status),
        ),
        "http_status": (
            "http-status",
            "none" if code.http_status is None else str(code.http_status),
        ),
        "message": ("message", _or_none(code.message)),
        "retryable": (
            "retryable",
            "not said" if code.retryable is None else str(code.retryable).lower(),
        ),
        "resolution": ("resolution", _or_none(code.resolution)),
        "deprecated": ("deprecation", str(code.deprecated).lower()),
    }
    return facts | {
        f"hint for {name}": ("hint", repr(hint.text))
        for name, hint in zip(_hints(code), code.hints, strict=True)
    }


def _hints(code: Code) -> Iterator[str]:
    """Names each hint by locale and condition, as declared. Language tags are case-insensitive."""
    return (
        f"{hint.locale.lower()}{f' when {dict(hint.when)}' if hint.when else ''}"
        for hint in code.hints
    )


def _or_none(text: str) -> str:
    return repr(text) if text else "none"


def _status(number: int) -> str:
    return STATUSES[number].name if number in STATUSES else str(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
