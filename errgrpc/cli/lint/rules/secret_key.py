"""No metadata key names a secret: clients, logs and proxies can read metadata."""

import re
from collections.abc import Iterator

from errgrpc.cli.facts import anchor
from errgrpc.cli.lint.findings import Found, Severity
from errgrpc.cli.tables import Tables

__all__ = ["check", "id", "severity"]

id = "secret-key"
severity: Severity = "error"

_SECRET = re.compile(
    r"_(password|passwd|pwd|passphrase|secret|token|credentials?|authorization|cookie|jwt|otp|cvv|pin|"
    r"(api|access|private|signing|encryption)_?key|session_?id)s?_"
)


def check(tables: Tables) -> Iterator[Found]:
    """Finds metadata fields whose keys have a word for a secret."""
    for catalog, code in tables.codes():
        for field in code.metadata_fields:
            if (named := _SECRET.search(f"_{_snake(field.key)}_")) is not None:
                yield Found(
                    anchor(catalog, code),
                    f"the metadata key {field.key!r} looks like a secret ({named[1]}), "
                    "and metadata reach clients and logs; remove it",
                    f'"{field.key}"',
                )


def _snake(key: str) -> str:
    """`apiKey` and `api-key` -> `api_key`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).replace("-", "_").lower()
