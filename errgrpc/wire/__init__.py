"""All that is bytes: what goes into `grpc-status-details-bin`, how large it may be, and how a peer's is read.

`encoding` and `received` are twins: one writes an error's values, the other reads a peer's bytes.
"""
