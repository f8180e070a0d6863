"""Measures what errgrpc costs, compared with bare gRPC and with other ways to answer errors.

Run it by `make bench` or `python -m bench`. The modules are:

- `works.py`: the works of a call: kind, messages, size, calls at the same time.
- `service.py`: the service of all servers, and its stub.
- `contenders.py`: the contenders: handlers, interceptors and client of each.
- `null.py`: interceptors that do nothing.
- `by_hand.py`: the code that a team writes without errgrpc.
- `server.py`: a process with the server of one contender.
- `client.py`: a process with its client, which runs blocks of calls on request.
- `runs.py`: runs these processes, and their blocks in random order.
- `in_process.py`: cases of some microseconds: raise to bytes, bytes to exception, large catalogues.
- `catalogues.py`: these catalogues.
- `fresh.py`: the cost of a new process.
- `inside.py`: runs `in_process.py` and `fresh.py`, two ways in turn.
- `stages.py`: measures parts of a failed call.
- `tracking.py`: measures `track_context` and `forward`.
- `ratios.py`: ratios of medians, with intervals.
- `results.py`: the results, as they are written to docs/performance.json.
- `targets.py`: the project's targets for the results.
- `report.py`: the results on the screen and in docs/performance.md.
- `plots.py`: the results as pictures.
"""
