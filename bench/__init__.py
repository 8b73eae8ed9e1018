"""How fast: dualsink against the ceiling of its own OpenSearch node and against what people would run instead.

`python -m bench run` starts servers of its own, runs every contender on the same events in turn and writes one JSON
file; `table` and `picture` render it. `meter` measures processes, `contenders` are what is compared, `tutorial` is
the usual code as its own program, `report` renders.
"""
