"""Every scenario by its name."""

from dualsink.chaos import kills, outages, states
from dualsink.chaos.world import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (*kills.SCENARIOS, *outages.SCENARIOS, *states.SCENARIOS)
}
