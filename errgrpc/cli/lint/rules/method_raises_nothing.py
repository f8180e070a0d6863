"""If one method declares its codes, each method does."""

from collections.abc import Iterator

from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.places import linted_services
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "method-raises-nothing"
severity: Severity = "warning"


def check(tables: Tables) -> Iterator[Found]:
    """Finds methods that declare no code, if another method declares one.

    Codes that a service declares count for all its methods.
    """
    services = linted_services(tables)
    if any(service.declares for service in services):
        for service in services:
            for method in service.methods if not service.declared else ():
                if not method.declared:
                    yield Found(
                        f"{service.full_name}.{method.path.rpartition('/')[2]}",
                        "declares no error, but other methods do; "
                        "add an option that begins with raises_ for each error (docs/raises.md)",
                    )
