"""Every scenario by its name."""

from dualsink_workbench.chaos.scenarios import checkpoints, control, kills, outages, recovery
from dualsink_workbench.chaos.trial import Scenario

_ALL = (*control.SCENARIOS, *kills.SCENARIOS, *outages.SCENARIOS, *checkpoints.SCENARIOS, *recovery.SCENARIOS)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
