"""Untrusted text: escaped and bounded where it is shown, valid UTF-8 where it is sent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errgrpc import texts


class Hostile:
    def __repr__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("r-1", True),
        (" ~", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("", False),
        ("  ", False),
        ("é", False),
        ("a\n", False),
        ("\x7f", False),
        (b"a", False),
        (None, False),
    ],
)
def test_request_ids(text: object, fits: bool) -> None:
    assert texts.is_request_id(text) is fits


def test_shown_escapes_and_cuts() -> None:
    assert texts.shown("\x1b[31m\u202e\n\x00") == r"'\x1b[31m\u202e\n\x00'"
    assert texts.shown("a" * 998) == "'" + "a" * 998 + "'"
    assert texts.shown("a" * 999) == "'" + "a" * 999 + "..."
    assert texts.shown("abc", 2) == "'a..."
    assert texts.shown(Hostile()) == "<Hostile, whose repr raises LookupError>"


@given(st.text(st.characters(codec=None)))
def test_clean_leaves_what_utf8_can_hold(text: str) -> None:
    cleaned = texts.clean(text)
    assert cleaned.encode().decode() == cleaned
    if not re.search("[\ud800-\udfff]", text):
        assert cleaned == text


def test_lone_surrogates_are_replaced() -> None:
    assert texts.clean("a\ud800b\udc00") == "a\ufffdb\ufffd"
    assert texts.clean("\ud83d\ude00") == "😀"
