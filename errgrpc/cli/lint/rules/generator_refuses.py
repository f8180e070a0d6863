"""The generator accepts the catalogue, and all that methods declare."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.lint.rules import locale_gap, name_format
from errgrpc.cli.places import linted_services
from errgrpc.cli.tables import Tables
from errgrpc.codegen import rules, schema, services

__all__ = ["check", "id", "severity"]

id = "generator-refuses"
severity: Severity = "error"


def check(tables: Tables) -> Iterator[Found]:
    """Finds what `protoc-gen-errgrpc` refuses, except what two other rules report."""
    told = {found.where for rule in (name_format, locale_gap) for found in rule.check(tables)}
    of_files = [catalog for catalog in tables.catalogs if catalog.file.endswith(".proto")]
    names = {(catalog.file, catalog.name): catalog.full_name for catalog in of_files}
    for catalog in of_files:
        names |= {(catalog.file, code.name): anchor(catalog, code) for code in catalog.values}
    known = [extension for file in tables.files.file for extension in services.extensions(file)]
    every = {
        catalog.full_name: catalog for file in tables.files.file for catalog in schema.read(file)
    }
    own = linted_services(tables)
    for refusal in (
        *rules.refusals(of_files),
        *rules.refusals_of_services(own, known, every, {service.file for service in own}),
    ):
        name = refusal.name.lstrip("/").replace("/", ".")
        where = names.get((refusal.file, refusal.name), name)
        if where not in told:
            yield Found(where, refusal.wrong)
