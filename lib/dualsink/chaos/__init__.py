"""Chaos: the real pipeline as its own process on real servers, broken in every way we know, restarted, proven whole.

`world` holds what a scenario works with; `control`, `kills`, `outages`, `states` and `mending` hold the scenarios,
`registry` all of them by name; `driver` (the process that breaks), `child` (the same from outside) and `proxy` are the
means; `report` runs scenarios and makes the README's table. `python -m dualsink.chaos` does it all.
"""
