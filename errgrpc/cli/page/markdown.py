"""The reference in Markdown. Texts of a catalogue never become Markdown or HTML."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from errgrpc.cli.page.content import more, pretty

__all__ = ["markdown"]

# Markdown gives these a meaning, in a line or at its start. GitHub turns some of them into links.
_SPECIAL = re.compile(r"[\\`*_\[\]<>!#|~&$@]|:(?=//)|(?<=www)\.|\A[-+=]", re.IGNORECASE)
_NUMBER = re.compile(r"\A(\d+)([.)])")


def markdown(known: Mapping[str, Any]) -> str:
    """Returns the reference in GitHub's Markdown, with the anchors of the page."""
    return "\n".join(_lines(known)) + "\n"


def _lines(known: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {_text(known['title'])}"
    for catalogue in known["catalogues"]:
        yield from (
            "",
            f"## {_text(catalogue['name'])}",
            "",
            f"Domain {_code(catalogue['domain'])}.",
        )
        if catalogue["description"]:
            yield from ("", _text(catalogue["description"]))
        yield from ("", "| code | gRPC | HTTP | message |", "|---|---|---|---|")
        for code in catalogue["codes"]:
            name = f"[{code['number']} {_text(code['reason'])}](#{_attribute(code['anchor'])})"
            statuses = f"{code['grpc_status'] or ''} | {code['http_status'] or ''}"
            yield f"| {name} | {statuses} | {_text(code['message'])} |"
        for code in catalogue["codes"]:
            yield from _of_code(code)


def _of_code(code: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        "",
        f'<a id="{_attribute(code["anchor"])}"></a>',
        "",
        f"### {code['number']} {_text(code['reason'])}",
        "",
    )
    deprecated = ", deprecated" if code["deprecated"] else ""
    http = f", HTTP {code['http_status']}" if code["http_status"] is not None else ""
    status = _text(code["grpc_status"] or "no gRPC status")
    yield f"{status}{http}{deprecated}: {_text(code['message'])}"
    for name, text in (("When it occurs", code["description"]), ("What to do", code["resolution"])):
        if text:
            yield from ("", f"**{name}:** {_text(text)}")
    if code["retryable"] is not None:
        retry = (
            "the same call may succeed later" if code["retryable"] else "the same call fails again"
        )
        yield from ("", f"**Retry:** {retry}")
    if code["metadata_fields"]:
        yield from ("", "| metadata | type | example | |", "|---|---|---|---|")
        for field in code["metadata_fields"]:
            kind = field["type"].lower() + (", optional" if field["optional"] else "")
            example, description = _code(field["example"]), _text(field["description"])
            yield f"| {_code(field['key'])} | {kind} | {example} | {description} |"
    if code["hints"]:
        yield from ("", "| locale | text | if |", "|---|---|---|")
        for hint in code["hints"]:
            when = ", ".join(
                f"{_code(key)} is {_code(value)}" for key, value in hint["when"].items()
            )
            yield f"| {_text(hint['locale'])} | {_text(hint['text'])} | {when} |"
    if code["methods"]:
        yield from ("", f"**Methods:** {', '.join(map(_code, code['methods']))}")
    if (url := more(code)).startswith("https://"):
        yield from ("", f"**More:** <{_attribute(url)}>")
    if code["wire"] is not None:
        text = pretty(code["wire"])
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", text) or [""]))
        yield from ("", f"{fence}json", text, fence)


def _text(text: str) -> str:
    """Returns a text on one line, escaped for Markdown."""
    return _NUMBER.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", " ".join(text.split())))


def _code(text: str) -> str:
    """Returns a text as code. In a table, backticks cannot hold every text."""
    if re.fullmatch(r"[\w./:=-]+", text):
        return f"`{text}`"
    return (
        f"<code>{_SPECIAL.sub(lambda found: f'&#{ord(found[0])};', ' '.join(text.split()))}</code>"
        if text
        else ""
    )


def _attribute(text: str) -> str:
    """Escapes a text for quotes or angle brackets, in HTML or in an address."""
    return re.sub(
        r"[^\w.~:/?#@%&=+,;$!*-]",
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()),
        text,
    )
