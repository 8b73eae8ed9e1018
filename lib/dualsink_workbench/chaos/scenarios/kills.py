"""Kills of the driver: whole, partial, by signal, random."""

import random
import signal
import time
from collections.abc import Callable

from dualsink.opensearch import index
from dualsink.stream import exactly_once
from dualsink.stream.checkpoint import Checkpoint
from dualsink_workbench.chaos.driver import Driver, End
from dualsink_workbench.chaos.faults import KILL
from dualsink_workbench.chaos.proxy import Exchange, Rule
from dualsink_workbench.chaos.trial import BULK, Scenario, Trial, wait_until

KILLED, TERMINATED = -signal.SIGKILL, 128 + signal.SIGTERM
SOME = 0.01
LOAD, LOAD_BATCH, MOMENTS = 40_000, 1_000, 10
# Of a batch of 1,200 records in two partitions: six bulk requests.
_SMALL_REQUEST, _REQUESTS = 200, 6


def mid_bulk(trial: Trial) -> None:
    """Kill while the second batch's documents arrive."""
    trial.produce(bad=SOME)
    rule = Rule(BULK, trial.kill_driver, skip=_REQUESTS + 2, limit=1)
    trial.broken(trial.run(bulk_max_documents=_SMALL_REQUEST, **trial.proxied("opensearch_port", rule)), KILLED)
    trial.recover()


def before_archive_commit(trial: Trial) -> None:
    """Kill after the files are written, before the archive's commit.

    The commit has left the driver, and the catalogue has not seen it.
    """
    trial.produce(bad=SOME)
    trial.broken(trial.run(**trial.on_commit(trial.kill_driver, skip=1)), KILLED)
    trial.recover()


def before_quarantine_commit(trial: Trial) -> None:
    """Kill between the archive's and the quarantine's commit.

    The commits are those of the second batch, which has refused records.
    """
    trial.produce(bad=SOME)
    trial.broken(trial.run(**trial.on_commit(trial.kill_driver, skip=1, table="quarantine")), KILLED)
    trial.recover()


def archive_ahead(trial: Trial) -> None:
    """Kill after the archive's commit, half of the documents missing.

    The commit is that of the second batch.
    """
    trial.produce(bad=SOME)
    end = trial.run(fault=KILL, batch=1)
    deleted = _delete_second_half(trial)
    trial.broken(end, KILLED)
    trial.recover()
    created = trial.batches()[0]["created"]
    trial.expect(created == deleted > 0, f"the replay should bring back {deleted} documents, not {created}")


def _delete_second_half(trial: Trial) -> int:
    """Delete the documents of the newest batch's later offsets.

    The state is then as if they had never arrived.
    """
    query_id = Checkpoint(trial.settings.checkpoint_path).query_id
    marker = exactly_once.newest_marker(trial.spark, trial.settings.archive_table, query_id)
    halves = [
        {"bool": {"filter": [{"term": {"partition": int(name.rpartition("-")[2])}}, {"range": {"offset": offsets}}]}}
        for name, (first, last) in marker.offsets.items()
        for offsets in [{"gt": (first + last) // 2, "lte": last}]
    ]
    with trial.opensearch() as client:
        index.refresh(client, trial.settings.opensearch_index)
        query = {"query": {"bool": {"should": halves}}}
        return client.delete_by_query(index=trial.settings.opensearch_index, body=query)["deleted"]


def before_commit_log(trial: Trial) -> None:
    """Both stores hold the second batch, Spark does not know."""
    trial.produce(bad=SOME)
    trial.broken(trial.run(fault=KILL, batch=1), KILLED)
    end = trial.recover()
    if end.status == 0:
        replayed = trial.batches()[0]
        trial.expect(replayed["created"] == 0 and replayed["suspect"], f"the replay should add nothing: {replayed}")


def _part_killed(kill: Callable[[Driver], None], error: str) -> Callable[[Trial], None]:
    """Kill a part of the driver amid the second batch.

    The rest has to notice.
    """

    def act(trial: Trial) -> None:
        def strike(exchange: Exchange) -> None:
            kill(trial.driver)
            exchange.drop()

        trial.produce(bad=SOME)
        rule = Rule(BULK, strike, skip=_REQUESTS + 2, limit=1)
        end = trial.run(bulk_max_documents=_SMALL_REQUEST, **trial.proxied("opensearch_port", rule))
        trial.broken(end, error)
        trial.recover()

    return act


def random_moments(trial: Trial) -> None:
    """Kill ten times under load, at random moments.

    All processes at once, Python alone, or the JVM alone; the rest must notice.
    """
    dice = random.Random(trial.seed)
    trial.produce(LOAD, bad=SOME)
    for _ in range(MOMENTS):
        end = _killed_at_random(trial, dice)
        trial.expect(end.status != 0, f"a run ended before it was killed: {end}")
    trial.broken(end)
    trial.recover(max_offsets_per_trigger=LOAD)


def _killed_at_random(trial: Trial, dice: random.Random) -> End:
    driver = trial.start(max_offsets_per_trigger=LOAD_BATCH)
    driver.await_file("began")
    driver.await_batches(dice.randrange(3))
    time.sleep(dice.uniform(0, 2))
    dice.choice([Driver.kill, Driver.kill, Driver.kill_python_only, Driver.kill_jvm])(driver)
    return driver.end()


def _told_to_end(kind: signal.Signals, status: int) -> Callable[[Trial], None]:
    def act(trial: Trial) -> None:
        trial.produce()
        slow = Rule(BULK, lambda exchange: (time.sleep(1.5), exchange.pass_on()))
        driver = trial.start(**trial.proxied("opensearch_port", slow))
        driver.await_file("done-0")
        time.sleep(0.7)
        driver.signal(kind)
        end = driver.end(60)
        trial.expect(end.status == status, f"the status should be {status}, not: {end}")
        trial.broken(end)
        trial.recover()

    return act


def told_at_start(trial: Trial) -> None:
    """Send SIGTERM while Spark's JVM starts.

    Python must not leave it behind.
    """
    trial.produce()
    driver = trial.start()
    wait_until(lambda: driver.has_jvm, "the JVM")
    driver.signal(signal.SIGTERM)
    end = driver.end(60)
    trial.expect(end.status == TERMINATED, f"the status should be {TERMINATED}, not: {end}")
    trial.broken(end)
    trial.recover()


SCENARIOS = [
    Scenario("kill-mid-bulk", "`kill -9` of the driver, some documents indexed, nothing archived", mid_bulk),
    Scenario("kill-before-archive-commit", "`kill -9` before the archive commit", before_archive_commit),
    Scenario("kill-before-quarantine-commit", "`kill -9` between the two commits", before_quarantine_commit),
    Scenario("kill-archive-ahead", "`kill -9` after the archive commit, half of the documents missing", archive_ahead),
    Scenario("kill-before-commit-log", "`kill -9` after both stores, before Spark's commit log", before_commit_log),
    Scenario("kill-jvm", "`kill -9` of Spark's JVM alone", _part_killed(Driver.kill_jvm, "Spark's JVM")),
    Scenario("kill-workers", "`kill -9` of the Python workers alone", _part_killed(Driver.kill_workers, "worker")),
    Scenario("kill-at-random", f"`kill -9` at {MOMENTS} seeded random moments under load", random_moments),
    Scenario("sigterm-at-start", "SIGTERM while Spark starts", told_at_start),
    Scenario("sigterm", "SIGTERM in the middle of a batch", _told_to_end(signal.SIGTERM, TERMINATED)),
    Scenario("sigint", "Ctrl-C in the middle of a batch", _told_to_end(signal.SIGINT, 130)),
]
