"""`errgrpc lint`: finds weak points in a table that the generator accepts.

Each rule is a module of `rules` and a section of docs/lint.md.
"""
