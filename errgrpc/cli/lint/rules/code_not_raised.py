"""Where methods declare the codes of a catalogue, each code is declared by one of them."""

from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.places import linted_services
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "code-not-raised"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds errors that no method declares, of catalogues of which a method declares one.

    The fallback and what clients infer need no declaration, and a deprecated code is on its way out.
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
                "is raised by no method; declare it where it is raised, or deprecate it",
            )
