"""The rules that the plugin offers to buf, and their findings."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from errgrpc.cli import settings
from errgrpc.cli.bufplugin import check_pb2 as check
from errgrpc.cli.bufplugin.descriptor_pb2 import FileDescriptor, FileLocation
from errgrpc.cli.lint import exempting
from errgrpc.cli.lint.linting import lint
from errgrpc.cli.lint.rules import RULES
from errgrpc.cli.output import safe
from errgrpc.cli.places import places
from errgrpc.cli.tables import Tables
from errgrpc.codegen import breaking, schema, services

__all__ = ["HANDLERS"]

_CATEGORIES: Mapping[str, str] = {
    "ERRGRPC": "Has all rules of errgrpc lint, and the breaking changes of errgrpc diff.",
    "ERRGRPC_CAUTION": "Has the breaking changes of errgrpc diff, and the changes to look at.",
    "ERRGRPC_NOTE": "Has all changes of errgrpc diff.",
}
_OF_SEVERITY = {
    severity: [*_CATEGORIES][index:]
    for index, severity in enumerate(("breaking", "caution", "note"))
}
_Found = tuple[str, str, FileLocation | None, FileLocation | None]
"""An id of `lint` or `diff`, a message, its place in the new files, and its place in the old."""


def _id(name: str) -> str:
    return f"ERRGRPC_{name.upper().replace('-', '_')}"


_PURPOSES = {rule.id: str(rule.__doc__) for rule in RULES} | {exempting.ID: exempting.PURPOSE}
_LINT = [
    check.Rule(
        id=_id(name),
        category_ids=["ERRGRPC"],
        default=True,
        purpose=purpose,
        type=check.RULE_TYPE_LINT,
    )
    for name, purpose in _PURPOSES.items()
]
_BREAKING = [
    check.Rule(
        id=_id(name),
        category_ids=_OF_SEVERITY[severity],
        default=severity == "breaking",
        purpose=f"Reports the change {name} of errgrpc diff ({severity}).",
        type=check.RULE_TYPE_BREAKING,
    )
    for name, severity in breaking.CHANGES.items()
]


def _list_rules(request: check.ListRulesRequest) -> check.ListRulesResponse:
    part, token = _page([*_LINT, *_BREAKING], request)
    return check.ListRulesResponse(rules=part, next_page_token=token)


def _list_categories(request: check.ListCategoriesRequest) -> check.ListCategoriesResponse:
    every = [check.Category(id=id, purpose=purpose) for id, purpose in _CATEGORIES.items()]
    part, token = _page(every, request)
    return check.ListCategoriesResponse(categories=part, next_page_token=token)


def _page(every: list[Any], request: Any) -> tuple[list[Any], str]:
    start = int(request.page_token) if re.fullmatch("[0-9]{1,9}", request.page_token) else 0
    end = start + (request.page_size or 250)
    return every[start:end], str(end) if end < len(every) else ""


def _check(request: check.CheckRequest) -> check.CheckResponse:
    """Checks the files of a request. Raises Misuse."""
    asked = set(request.rule_ids) or {rule.id for rule in (*_LINT, *_BREAKING) if rule.default}
    new, old = _Files(request.file_descriptors), _Files(request.against_file_descriptors)
    found = list[_Found]()
    if any(rule.id in asked for rule in _LINT):
        found += _findings(new)
    if any(rule.id in asked for rule in _BREAKING):
        found += _changes(old, new)
    return check.CheckResponse(
        annotations=[
            check.Annotation(
                rule_id=_id(name),
                message=" ".join(safe(message).split()),
                file_location=place,
                against_file_location=against,
            )
            for name, message, place, against in found
            if _id(name) in asked
        ]
    )


class _Files:
    """Files of a request, with the place of each declaration."""

    def __init__(self, files: Sequence[FileDescriptor]) -> None:
        known = FileDescriptorSet(file=[each.file_descriptor_proto for each in files])
        self.own = {
            schema.utf8(each.file_descriptor_proto.name) for each in files if not each.is_import
        }
        catalogs = (catalog for file in known.file for catalog in schema.read(file))
        self.tables = Tables(
            tuple(catalog for catalog in catalogs if catalog.annotated),
            known,
            {name: Path(name) for name in self.own},
        )
        self.places = {
            name: FileLocation(file_name=place.file, source_path=place.path)
            for name, place in places(self.tables).items()
        } | {
            each.full_name: FileLocation(file_name=each.file, source_path=each.path)
            for file in known.file
            for each in services.extensions(file)
        }

    def place(self, name: str) -> FileLocation | None:
        """Returns the place of a declaration, or else of the one around it."""
        while name and name not in self.places:
            name = name.rpartition(".")[0]
        return self.places.get(name)


def _findings(files: _Files) -> Iterator[_Found]:
    for each in lint(files.tables, {}, settings.read()):
        place, message = files.place(each.where), f"{each.where}: {each.message}"
        if each.file == settings.FILE:
            yield each.rule, f"{each.file}:{each.line}: {message}", None, None
        elif place is not None and place.file_name in files.own:
            yield each.rule, message, place, None


def _changes(old: _Files, new: _Files) -> Iterator[_Found]:
    for change in breaking.compare(old.tables.files, new.tables.files):
        # `shop.v1.ShopCode: GONE` is a code, and `/shop.v1.ShopService/Buy` is a method.
        name = change.where.lstrip("/").replace(": ", ".").replace("/", ".")
        place, against = new.place(name), old.place(name)
        if place is None and against is not None and against.file_name in new.own:
            place = FileLocation(file_name=against.file_name)
        shown, files = (place, new) if place is not None else (against, old)
        if shown is not None and shown.file_name in files.own:
            yield change.id, f"{change.where}: {change.what}", place, against


HANDLERS: Mapping[str, tuple[type[Message], Callable[[Any], Message]]] = {
    "Check": (check.CheckRequest, _check),
    "ListRules": (check.ListRulesRequest, _list_rules),
    "ListCategories": (check.ListCategoriesRequest, _list_categories),
}
"""The type of the request, and the function that answers it, by the name of the procedure."""
