"""Runs atheris on the check `accept_language`.

`python -m reliability.fuzz.accept_language CORPUS` also takes options of libFuzzer.
"""

from .atheris_main import main

if __name__ == "__main__":
    main("accept_language")
