"""A classroom service whose error codes are its contract: `python -m examples.classroom demo`, or `serve`."""
