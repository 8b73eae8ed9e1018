"""Control of the experiment: the same run without fault."""

from dualsink_workbench.chaos.trial import Scenario, Trial, Turn


def undisturbed(trial: Trial) -> None:
    """Run without fault."""
    trial.produce(bad=0.01)
    trial.clock("start of the run")
    trial.recovered(trial.run())


SCENARIOS = [Scenario("nothing", "nothing: the control", undisturbed, Turn.FIRST)]
