"""Chaos: the real pipeline broken, restarted, and proven whole.

It runs as its own process on real servers. `world` holds what a scenario works with; `control`, `kills`, `outages`,
`states` and `mending` hold the scenarios, `registry` all of them by name; `driver` (the process that breaks), `child`
(the same from outside) and `proxy` are the means; `report` runs scenarios and makes the table of docs/reliability.md.
`./run_all.sh chaos` does it all.
"""
