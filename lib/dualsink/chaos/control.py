"""The control of the experiment: the same run with no fault."""

from dualsink.chaos.world import Scenario, Trial, Turn


def undisturbed(trial: Trial) -> None:
    """Nothing is broken; the driver's JVM leaves its class data, from which those of later drivers start."""
    trial.produce(bad=0.01)
    trial.clock("start of the run")
    draft = trial.folder / "classes.jsa"
    trial.recovered(trial.run(jvm=f"-XX:ArchiveClassesAtExit={draft}"))
    trial.expect(not trial.driver.orphans(patience=180), "the JVM should end with its class data written")
    if draft.exists():
        draft.replace(trial.world.classes)


SCENARIOS = [Scenario("nothing", "nothing: the control", undisturbed, Turn.FIRST)]
