"""A classroom service whose error codes are its contract.

Run it by `python -m examples.classroom demo` or `python -m examples.classroom serve`.
"""
