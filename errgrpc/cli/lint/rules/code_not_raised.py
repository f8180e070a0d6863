"""If methods declare one code of a catalogue, they declare all its codes."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.places import linted_services
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "code-not-raised"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds codes that no method declares, if a method declares another code of the catalogue.

    The fallback, codes that clients infer, deprecated codes and successes need no declaration.
    """
    declared = {
        (each.option.type_name, each.number)
        for service in linted_services(tables)
        for _, each in service.every()
    }
    known = {name for name, _ in declared}
    for catalog, code in tables.codes():
        used = {catalog.fallback, *(reason for _, reason in catalog.infer)}
        if (
            catalog.full_name in known
            and (catalog.full_name, code.number) not in declared
            and not (code.reason in used or code.deprecated or code.grpc_status == 0)
        ):
            yield Found(
                anchor(catalog, code),
                "no method declares it; declare it where it is raised, or deprecate it",
            )
