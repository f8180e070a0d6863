"""Tests what errgrpc sends, with golden cases, against peers in other languages.

The peers read and write these errors. Run them by `python -m conformance`.
"""
