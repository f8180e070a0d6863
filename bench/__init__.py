"""Measures what errgrpc costs, compared with bare gRPC and with other ways to answer errors.

The modules:

- works.py: what a call does: kind, messages, size, calls at once
- service.py: the service of all servers, and its stub
- contenders.py: the compared ways: handlers, interceptors and clients of each
- null.py: interceptors that do nothing
- by_hand.py: the code that teams write without errgrpc
- server.py: a process with the server of one contender
- client.py: a process with the client of one contender, which runs blocks of calls
- runs.py: runs these processes, with blocks in random order
- in_process.py: cases of microseconds: raise to bytes, bytes to exception, large catalogues
- catalogues.py: the large catalogues
- fresh.py: what a process pays once
- inside.py: runs in_process.py and fresh.py, two ways in turn
- ratios.py: ratios of medians, with intervals
- results.py: the results, as docs/performance.json has them
- targets.py: the project's targets for the results
- report.py: tables on the screen, in docs/performance.md and in docs/performance-tables.md
- plots.py: the pictures
- stages.py: where a failed call spends its time
- tracking.py: the cost of `track_context` and `forward`
"""
