"""Applies the edits of findings to the text of a file."""

from collections.abc import Iterable

from errgrpc.cli.lint.findings import Edit

__all__ = ["applied"]


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Returns the text with all edits. Places are in the old text. Line ends do not change."""
    lines = text.split("\n")
    end = "\r\n" if "\r\n" in text else "\n"
    # From the last to the first, so that no edit moves the place of another one.
    for edit in sorted(dict.fromkeys(edits), key=lambda edit: (edit.line, edit.column or 0))[::-1]:
        index = edit.line - 1
        if edit.column is None:
            del lines[index]
        else:
            lines[index] = (
                lines[index][: edit.column]
                + edit.text.replace("\n", end)
                + lines[index][edit.column :]
            )
    return "\n".join(lines)
