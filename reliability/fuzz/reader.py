"""Runs atheris on the check `reader`.

`python -m reliability.fuzz.reader CORPUS` also takes options of libFuzzer.
"""

from .atheris_main import main

if __name__ == "__main__":
    main("reader")
