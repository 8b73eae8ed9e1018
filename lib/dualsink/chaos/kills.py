"""The driver killed, at exact points and at random ones, and told to end."""

import random
import signal
import time

from dualsink.chaos.proxy import Exchange, Rule
from dualsink.chaos.world import BULK, Scenario, Trial

KILLED = -signal.SIGKILL
SOME = 0.01
LOAD, LOAD_BATCH, MOMENTS = 40_000, 1_000, 10


def before_archive_commit(trial: Trial) -> None:
    """The data files are written, the commit has left the driver, and the catalogue has not seen it."""
    trial.produce(bad=SOME)
    drivers = []

    def kill(exchange: Exchange) -> None:
        drivers[0].kill()
        exchange.drop()

    drivers.append(trial.start(**trial.on_commit(kill, skip=1)))
    trial.broken(drivers[0].end(), KILLED)
    trial.recover()


def mid_bulk(trial: Trial) -> None:
    """Half of the second batch is in OpenSearch, all of it in the archive."""
    trial.produce(bad=SOME)
    trial.broken(trial.run("kill-mid-bulk", batch=1), KILLED)
    trial.recover()


def before_commit_log(trial: Trial) -> None:
    """Both stores hold the second batch, Spark does not know."""
    trial.produce(bad=SOME)
    trial.broken(trial.run("kill-before-commit-log", batch=1), KILLED)
    end = trial.recover()
    if end.status == 0:
        replayed = trial.batches()[0]
        trial.expect(replayed["created"] == 0 and replayed["suspect"], f"the replay should add nothing: {replayed}")


def random_moments(trial: Trial) -> None:
    """Ten kills under load: all processes at once, or Python alone, so that its JVM must notice."""
    dice = random.Random(trial.seed)
    trial.produce(LOAD, bad=SOME)
    for _ in range(MOMENTS):
        driver = trial.start(max_offsets_per_trigger=LOAD_BATCH)
        driver.await_file("began")
        driver.await_batches(dice.randrange(3))
        time.sleep(dice.uniform(0, 2))
        driver.kill() if dice.random() < 0.7 else driver.kill_python_only()
        end = driver.end()
        trial.expect(end.status == KILLED, f"a run ended before it was killed: {end}")
    trial.broken(end)
    trial.recover(max_offsets_per_trigger=LOAD)


def _told_to_end(kind: signal.Signals, status: int):
    def act(trial: Trial) -> None:
        trial.produce()
        slow = Rule(BULK, lambda exchange: (time.sleep(1.5), exchange.pass_on()))
        driver = trial.start(**trial.proxied("opensearch_port", slow))
        driver.await_file("done-0")
        time.sleep(0.7)
        driver.signal(kind)
        trial.broken(driver.end(60), None)
        trial.expect(trial.first_end.status == status, f"the status should be {status}, not: {trial.first_end}")
        trial.recover()

    return act


SCENARIOS = [
    Scenario("kill-before-archive-commit", "`kill -9` of the driver before the archive commit", before_archive_commit),
    Scenario("kill-mid-bulk", "`kill -9` after the archive commit, half of the documents indexed", mid_bulk),
    Scenario("kill-before-commit-log", "`kill -9` after both stores, before Spark's commit log", before_commit_log),
    Scenario("kill-at-random", f"`kill -9` at {MOMENTS} seeded random moments under load", random_moments),
    Scenario("sigterm", "SIGTERM in the middle of a batch", _told_to_end(signal.SIGTERM, 143)),
    Scenario("sigint", "Ctrl-C in the middle of a batch", _told_to_end(signal.SIGINT, 130)),
]
