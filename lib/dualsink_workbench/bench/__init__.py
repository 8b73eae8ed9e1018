"""Benchmarks: dualsink, raw `_bulk`, tutorial code and Kafka Connect.

`./run_all.sh bench run` starts servers of its own, runs every contender on the same events in turn and writes one JSON
file; `table` and `picture` render it. `meter` measures processes, `contenders` are what is compared, `tutorial` is
the usual code as its own program, `report` renders.
"""
