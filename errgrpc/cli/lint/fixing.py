"""Applies the edits of findings to the text of a file."""

from collections.abc import Iterable

from errgrpc.cli.lint.findings import Edit

__all__ = ["applied"]


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits, whose places are those of the text before. Its line ends stay as they are."""
    lines = text.split("\n")
    end = "\r\n" if "\r\n" in text else "\n"
    # The last one first, so that none moves another; of two at one place, the later one first.
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
