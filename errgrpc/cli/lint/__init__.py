"""`errgrpc lint`: what is accepted in a table and yet not good. Each rule is a module of `rules` and a section of docs/lint.md."""
