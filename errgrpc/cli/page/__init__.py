"""`errgrpc docs`: writes the reference of all codes as one HTML file, Markdown or JSON."""

import sys
from pathlib import Path

from errgrpc.cli.output import Exit, Misuse, json_text, safe, working
from errgrpc.cli.page.content import reference
from errgrpc.cli.page.html import html
from errgrpc.cli.page.markdown import markdown
from errgrpc.cli.tables import Tables

__all__ = ["show"]


def show(tables: Tables, title: str, form: str, output: str | None = None) -> Exit:
    """Writes the reference to `output` or to standard output. Raises Misuse if it cannot."""
    with working("writing the reference"):
        known = reference(tables, title)
        text = (
            html(known)
            if form == "html"
            else safe(markdown(known))
            if form == "markdown"
            else json_text(known)
        )
    if output is None:
        sys.stdout.write(text)
        return Exit.FINE
    try:
        Path(output).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Misuse(
            f"--output {output} cannot be written: {error.strerror}: "
            "give a file in a folder that exists"
        ) from error
    return Exit.FINE
