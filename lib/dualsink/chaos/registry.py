"""Every scenario by its name."""

from dualsink.chaos import control, kills, mending, outages, states
from dualsink.chaos.world import Scenario

_ALL = (*control.SCENARIOS, *kills.SCENARIOS, *outages.SCENARIOS, *states.SCENARIOS, *mending.SCENARIOS)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
