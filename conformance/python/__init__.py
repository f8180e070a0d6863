"""The peers in Python: released libraries other than errgrpc, as client and as server."""
