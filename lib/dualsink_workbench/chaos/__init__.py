"""Chaos: the real pipeline broken, restarted, and proven whole.

It runs as its own process on real servers. `scenarios` holds what is broken by kind of fault, `registry` all of them
by name, `trial` what a scenario works with. `driver` is the pipeline's process seen from outside, `faults` breaks it
from inside, `proxy` at a server's request. `report` runs scenarios and makes the table of docs/reliability.md.
`./run_all.sh chaos` does it all.
"""
