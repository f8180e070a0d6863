"""Runs atheris on the check `pasted`.

`python -m reliability.fuzz.pasted CORPUS` also takes options of libFuzzer.
"""

from .atheris_main import main

if __name__ == "__main__":
    main("pasted")
