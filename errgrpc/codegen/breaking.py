"""What a release changes in the catalogues of the last one: `python -m errgrpc.codegen.breaking OLD.binpb NEW.binpb`.

Both are descriptor sets (`buf build -o`, or `protoc --include_imports --descriptor_set_out`). `buf breaking` sees numbers and
names but is blind to options: a changed status, domain or hint passes it. A catalogue is the same one while its enum keeps
its full name, or else its domain; a code while it keeps its reason, or else its number. What was declared must stay as it
was: number, reason, domain, statuses, message, hints, default locale, fallback, inference. New catalogues, codes, hints and
inferences break nothing, nor do comments and the order of declarations.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from errgrpc.codegen.schema import STATUSES, Catalog, Code, read

__all__ = ["Change", "compare", "load", "main"]

_T = TypeVar("_T", Catalog, Code)
_Facts = Mapping[str, str]  # what is declared, as it is shown; what must not come later either is there as `none`


class Change(NamedTuple):
    """One difference: where, what it was and is. What is only added does not break."""

    where: str
    what: str
    breaks: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def compare(old: FileDescriptorSet, new: FileDescriptorSet) -> list[Change]:
    """All that changed in the catalogues from `old` to `new`, in the order of `old`; new catalogues come last."""
    before, after = _catalogs(old), _catalogs(new)
    changes = list[Change]()
    pairs, added = _pair(before, after, "full_name", "domain")
    for was, now in pairs:
        changes += _catalog(was, now) if now else [Change(was.full_name, "removed", True)]
    return [*changes, *(Change(catalog.full_name, "added", False) for catalog in added)]


def load(path: str) -> FileDescriptorSet:
    """The descriptor set in a file. Raises OSError, and ValueError when it holds none."""
    try:
        files = FileDescriptorSet.FromString(Path(path).read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is no descriptor set ({error})") from error
    if not files.file:
        raise ValueError(f"{path} holds no files: give a descriptor set, such as `buf build -o {path}` writes")
    return files


def main(arguments: Sequence[str]) -> int:
    """Prints every change, a line each: 1 if one breaks, 0 if none does, 2 if the two files cannot be compared."""
    parser = ArgumentParser(
        "python -m errgrpc.codegen.breaking", description="Show what a release changes in the catalogues of the last one."
    )
    parser.add_argument("old", metavar="OLD.binpb", help="descriptor set of the last release")
    parser.add_argument("new", metavar="NEW.binpb", help="descriptor set of this one")
    given = parser.parse_args(arguments)
    try:
        changes = compare(load(given.old), load(given.new))
    except (OSError, ValueError) as error:
        print(f"errgrpc.codegen.breaking: {error}", file=sys.stderr)
        return 2
    for change in changes:
        print(change)
    return int(any(change.breaks for change in changes))


def _catalogs(files: FileDescriptorSet) -> list[Catalog]:
    return [catalog for file in files.file for catalog in read(file) if catalog.annotated]


def _pair(before: Sequence[_T], after: Sequence[_T], *keys: str) -> tuple[list[tuple[_T, _T | None]], list[_T]]:
    """Each of `before` with what it became, by the first key, the rest by the next; and what is new."""
    became = dict[int, _T]()
    left = list(after)
    for key in keys:
        candidates = {getattr(now, key): now for now in reversed(left)}
        for index, was in enumerate(before):
            if index not in became and (now := candidates.pop(getattr(was, key), None)):
                became[index] = now
        left = [now for now in left if not any(now is taken for taken in became.values())]
    return [(was, became.get(index)) for index, was in enumerate(before)], left


def _catalog(was: Catalog, now: Catalog) -> Iterator[Change]:
    name = was.full_name
    if now.full_name != name:
        yield Change(name, f"is {now.full_name} now, under the same domain", False)
    yield from _differences(name, _catalog_facts(was), _catalog_facts(now))
    pairs, added = _pair(was.codes, now.codes, "reason", "number")
    for old, new in pairs:
        where = f"{name}: {old.reason}"
        yield from _differences(where, _code_facts(old), _code_facts(new)) if new else [Change(where, "removed", True)]
    yield from (Change(f"{name}: {code.reason}", "added", False) for code in added)


def _differences(where: str, was: _Facts, now: _Facts) -> Iterator[Change]:
    for fact, value in was.items():
        if now.get(fact, "none") != value:
            yield Change(where, f"{fact} was {value}, is {now.get(fact, 'none')}", True)
    for fact, value in now.items():
        if fact not in was:
            yield Change(where, f"{fact} added: {value}", False)


def _catalog_facts(catalog: Catalog) -> _Facts:
    facts = {"domain": repr(catalog.domain), "default_locale": _or_none(catalog.default_locale)}
    if catalog.fallback:
        facts["fallback"] = catalog.fallback
    return facts | {f"inference from {_status(number)}": reason for number, reason in catalog.infer}


def _code_facts(code: Code) -> _Facts:
    facts = {
        "number": str(code.number),
        "reason": code.reason,
        "grpc_status": "none" if code.grpc_status is None else _status(code.grpc_status),
        "http_status": "none" if code.http_status is None else str(code.http_status),
        "message": _or_none(code.message),
    }
    hints = {f"hint for {hint.locale}{f' when {dict(hint.when)}' if hint.when else ''}": repr(hint.text) for hint in code.hints}
    return facts | hints


def _or_none(text: str) -> str:
    return repr(text) if text else "none"


def _status(number: int) -> str:
    return STATUSES[number].name if number in STATUSES else str(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
