"""`{key}` in a text of a catalogue."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errgrpc.placeholders import fill, names, wrong

PIECES = st.sampled_from(
    [
        "{",
        "}",
        "{{",
        "}}",
        "{room}",
        "{limit}",
        "{x}",
        "{a.b}",
        "{0}",
        "{room!r}",
        "{room:>9}",
        " ",
        "a",
        "房",
        "\n",
    ]
)
TEMPLATES = st.lists(PIECES, max_size=12).map("".join)
VALUES = st.dictionaries(
    st.sampled_from(["room", "limit", "other"]), st.text(max_size=300) | PIECES
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{room}", "r-42"),
        ("{room}{room}", "r-42r-42"),
        ("in {room}: {limit} of {gone}", "in r-42: 30 of …"),
        ("{{room}}", "{room}"),
        ("{{{room}}}", "{r-42}"),
        ("}}{{", "}{"),
        ("{nested}", "{room} {{}} {0}"),  # braces in a value are text
        ("{long}", "x" * 200 + "…"),
        ("{exact}", "x" * 200),
        ("{hostile}", "a\ufffdb\ufffdc\ufffdd\ufffd"),
        ("{empty}|", "|"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    metadata = {
        "room": "r-42",
        "limit": "30",
        "nested": "{room} {{}} {0}",
        "long": "x" * 201,
        "exact": "x" * 200,
        "empty": "",
        "hostile": "a\x1bb\u202ec\nd\x85",
    }
    assert wrong(template) is None
    assert fill(template, metadata) == filled


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{", "a lone '{' at character 1"),
        ("a }", "a lone '}' at character 3"),
        ("{{{", "a lone '{' at character 3"),
        ("{x}", "a lone '{' at character 1"),  # a key has at least two characters
        ("{a.b}", "a lone '{' at character 1"),
        ("{room!r}", "a lone '{' at character 1"),
        ("{0}", "a lone '{' at character 1"),
        ("{Room}", "a lone '{' at character 1"),
        ("{ room }", "a lone '{' at character 1"),
        ("{{room}", "a lone '}' at character 7"),
    ],
)
def test_wrong(template: str, says: str) -> None:
    assert wrong(template) == says


def test_names() -> None:
    assert names("{room} {{limit}} {room-name} {a_b9}") == {"room", "room-name", "a_b9"}


@given(TEMPLATES, VALUES)
def test_no_input_makes_it_raise_or_does_more_than_replace(
    template: str, metadata: dict[str, str]
) -> None:
    filled = fill(template, metadata)
    if wrong(template) is None:
        shown = {key: clean(value) for key, value in metadata.items()}
        assert filled == "".join(
            replaced(piece, shown) for piece in re.findall(r"\{\{|\}\}|\{[a-z]+\}|[^{}]+", template)
        )
        assert names(template) == set(
            re.findall(r"\{([a-z]+)\}", template.replace("{{", "").replace("}}", ""))
        )


def replaced(piece: str, shown: dict[str, str]) -> str:
    if piece in {"{{", "}}"}:
        return piece[0]
    return shown.get(piece[1:-1], "…") if piece.startswith("{") else piece


def clean(value: str) -> str:
    cut = value if len(value) <= 200 else value[:200] + "…"
    bidi = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return (
        "".join(
            "\ufffd" if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in bidi else c
            for c in value[:200]
        )
        + cut[200:]
    )
