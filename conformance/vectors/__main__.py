"""Writes `vectors.json` again."""

from conformance.vectors import PATH
from conformance.vectors.build import as_json, vectors

made = vectors()
PATH.write_text(as_json(made), "utf-8")
print(f"{PATH.name}: {len(made)} vectors")
