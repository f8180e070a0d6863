"""The story of a classroom, told in both stacks and both languages: what was raised, what was on the wire, what was caught."""

import time

from . import screen
from .stage import perform
from .story import CHAPTERS
from .verdict import wrong

__all__ = ["CHAPTERS", "main"]


def main() -> int:
    """Tells the story; returns 0 when everything came as expected, else 1."""
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
