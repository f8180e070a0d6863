"""Tells the story of a classroom on both stacks and in both languages.

It shows what was raised, what was sent, and what was caught.
"""

import time

from . import screen
from .stage import perform
from .story import CHAPTERS
from .verdict import wrong

__all__ = ["CHAPTERS", "main"]


def main() -> int:
    """Tells the story. Returns 0 if every step ended as expected, else 1."""
    start = time.monotonic()
    scenes = iter(perform([step for chapter in CHAPTERS for step in chapter.steps]))
    seconds = time.monotonic() - start
    console, problems = screen.console(), 0
    screen.opening(console)
    for chapter in CHAPTERS:
        screen.heading(console, chapter)
        for step in chapter.steps:
            seen = next(scenes)
            mistakes = [wrong(step, scene) for scene in seen]
            problems += sum(map(len, mistakes))
            screen.show(console, step, seen, mistakes)
    screen.closing(console, CHAPTERS, problems, seconds)
    return 1 if problems else 0
