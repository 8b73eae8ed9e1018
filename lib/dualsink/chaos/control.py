"""The control of the experiment: the same run with no fault."""

from dualsink.chaos.world import Scenario, Trial, Turn


def undisturbed(trial: Trial) -> None:
    """Nothing is broken."""
    trial.produce(bad=0.01)
    trial.clock("start of the run")
    trial.recovered(trial.run())


SCENARIOS = [Scenario("nothing", "nothing: the control", undisturbed, Turn.FIRST)]
