"""Reads and writes `grpc-status-details-bin`, and limits its size.

`encoding` writes the values of an error, and `received` reads the bytes of a peer.
"""
