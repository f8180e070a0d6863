"""Measures what errgrpc costs, compared with bare gRPC and with other ways to answer errors.

works.py        what a call does: kind, messages, size, calls at once
service.py      the service that all servers have, and its stub
contenders.py   the ways to do it: handlers, interceptors and clients of each
null.py         interceptors that do nothing
by_hand.py      what people write without errgrpc
server.py       a process with the server of one contender
client.py       a process with its client, which runs blocks of calls when it is told to
runs.py         those processes, and blocks in random order
in_process.py   what takes microseconds: raise to bytes, bytes to exception, catalogues of many codes
catalogues.py   those catalogues
fresh.py        what a process pays once
inside.py       runs these two, each way beside another
ratios.py       ratios of medians, with intervals
results.py      what was measured, as it is written to docs/performance.json
targets.py      what the project wants of it
report.py       the same on the screen and in docs/performance.md and docs/performance-tables.md
plots.py        and as pictures
"""
