"""What errgrpc puts on the wire, as golden cases, and the peers of other languages that read and write it: `python -m conformance`."""
