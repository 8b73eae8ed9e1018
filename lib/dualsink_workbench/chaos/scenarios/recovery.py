"""Kills of the commands that set up and recover."""

import signal
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import QUARANTINE_COLUMNS, RECORD
from dualsink.iceberg import quarantine
from dualsink.kafka import generator, reader
from dualsink.kafka.topic import Topic, topic_id
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import cleanup
from dualsink.settings import Settings
from dualsink_workbench.chaos.proxy import Exchange, Rule
from dualsink_workbench.chaos.scenarios.checkpoints import (
    PAST_LEASE,
    elsewhere,
    frozen_at_documents,
    store_checkpoint,
)
from dualsink_workbench.chaos.scenarios.kills import KILLED, TERMINATED
from dualsink_workbench.chaos.trial import BULK, EVENTS, START, Scenario, Trial

_FEW, _SMALL_REQUEST = 200, 100
_AGE = timedelta(days=30)
_ALL = "replay --from 0 --to 1000000"


def setup_killed(trial: Trial) -> None:
    """Kill the set-up before the quarantine table's creation.

    Topic and archive exist already.
    """
    cleanup.remove_all(trial.spark, trial.settings.as_keeper())
    end = trial.run("setup", **trial.on_commit(trial.kill_driver, table="quarantine"))
    trial.first_end = end
    trial.expect(end.status == KILLED, f"the first run should be killed, not: {end}")
    trial.clock(START)
    end = trial.run("setup")
    trial.expect(end.status == 0, f"setting up again should end well, not: {end}")
    trial.produce()
    trial.recovered(trial.run())


def redrive_killed(trial: Trial) -> None:
    """Kill a re-drive before its mark.

    Both stores have what was re-driven, which is in two places for a moment.
    """
    trial.produce()
    trial.stream()
    hold_back(trial.spark, trial.settings, _FEW)
    trial.broken(trial.run("redrive", **trial.on_commit(trial.kill_driver, table="quarantine")), KILLED)
    trial.recover("redrive")


def replay_killed(trial: Trial) -> None:
    """Kill a replay before the commit of its rows.

    Rows and documents were lost; the documents are back.
    """
    trial.produce()
    trial.stream()
    forget(trial.spark, trial.settings, _FEW)
    trial.broken(trial.run(_ALL, **trial.on_commit(trial.kill_driver)), KILLED)
    trial.recover(_ALL)


def redrive_frozen(trial: Trial) -> None:
    """Freeze a re-drive past its lease: awake, it adds nothing.

    Its documents are on their way, and another one does its work meanwhile.
    """
    trial.produce()
    store_checkpoint(trial)
    trial.stream()
    hold_back(trial.spark, trial.settings, _FEW)
    _frozen(trial, "redrive")


def replay_frozen(trial: Trial) -> None:
    """Freeze a replay of lost rows and documents likewise."""
    trial.produce()
    store_checkpoint(trial)
    trial.stream()
    forget(trial.spark, trial.settings, _FEW)
    _frozen(trial, _ALL)


def _frozen(trial: Trial, command: str) -> None:
    first = frozen_at_documents(trial, command)
    second = trial.run(command, patience=PAST_LEASE, **elsewhere(trial))
    trial.expect(second.status == 0, f"the second should take over and end well, not: {second}")
    first.thaw()
    trial.broken(first.end(), "is another driver's now")
    trial.recover(command)
    rows = trial.spark.table(trial.settings.archive_table).count()
    trial.expect(rows == trial.events, f"the archive should hold {trial.events} rows, not {rows}")


def replay_told_to_end(trial: Trial) -> None:
    """Send SIGTERM during a replay: its Spark job is cancelled.

    Then it ends in order.
    """

    def tell(exchange: Exchange) -> None:
        trial.driver.signal(signal.SIGTERM)
        time.sleep(3)
        exchange.pass_on()

    trial.produce()
    trial.stream()
    forget(trial.spark, trial.settings, _FEW)
    end = trial.run(_ALL, **trial.proxied("opensearch_port", Rule(BULK, tell, limit=1)))
    trial.expect(end.status == TERMINATED, f"the status should be {TERMINATED}, not: {end}")
    trial.broken(end)
    trial.recover(_ALL)


def repair_killed(trial: Trial) -> None:
    """Kill a repair when some lost documents are back."""
    trial.produce()
    trial.stream()
    forget_documents(trial.settings, _FEW)
    rule = Rule(BULK, trial.kill_driver, skip=1, limit=1)
    options: dict[str, Any] = {"bulk_max_documents": _SMALL_REQUEST} | trial.proxied("opensearch_port", rule)
    trial.broken(trial.run("repair", **options), KILLED)
    trial.recover("repair")


def rehydrate_killed(trial: Trial) -> None:
    """Kill a rehydration when some old events are back.

    Half of the events are old, in the archive alone.
    """
    now = datetime.now(UTC)
    trial.produce(EVENTS // 2)
    trial.send(generator.generate(EVENTS // 2, trial.seed, 0.0, now - _AGE))
    trial.stream()
    command = f"rehydrate --from {now - 2 * _AGE:%Y-%m-%d} --to {now:%Y-%m-%d}"
    rule = Rule(BULK, trial.kill_driver, skip=2, limit=1)
    options: dict[str, Any] = {"bulk_max_documents": _SMALL_REQUEST} | trial.proxied("opensearch_port", rule)
    trial.broken(trial.run(command, **options), KILLED)
    back = rehydrated(trial.settings)
    trial.expect(0 < back < EVENTS // 2, f"some of the old documents should be back, not {back}")
    trial.recover(command)
    back = rehydrated(trial.settings)
    trial.expect(back == EVENTS // 2, f"all of the old documents should be back once, not {back}")


def hold_back(spark: SparkSession, settings: Settings, below: int) -> None:
    """Move events below an offset to the quarantine.

    As if an older parser had refused them; the offset is of every partition.
    """
    archived = spark.table(settings.archive_table).select(*RECORD, "position", "positions")
    refused = (
        _records(spark, settings, below)
        .join(archived, list(RECORD))
        .withColumns(
            {
                "stage": F.lit(quarantine.PARSE),
                "reason": F.lit("wrong_type"),
                "detail": F.lit("an older parser said so"),
                "quarantined_at": F.current_timestamp(),
                "resolved_at": F.lit(None).cast("timestamp"),
            }
        )
    )
    refused.select(*QUARANTINE_COLUMNS).writeTo(settings.quarantine_table).append()
    forget(spark, settings, below)


def _records(spark: SparkSession, settings: Settings, below: int) -> DataFrame:
    topic = Topic.of(settings)
    found = reader.by_coordinates(reader.records(spark, topic), topic_id(topic))
    return found.where(F.col("offset") < below)


def rehydrated(settings: Settings) -> int:
    """Count documents in rehydrated days."""
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
        return client.count(index=f"{settings.rehydrated_prefix}-*")["count"]


def forget(spark: SparkSession, settings: Settings, below: int) -> None:
    """Delete rows and documents below an offset of every partition."""
    spark.sql(f"DELETE FROM {settings.archive_table} WHERE topic = '{settings.kafka_topic}' AND offset < {below}")
    forget_documents(settings, below)


def forget_documents(settings: Settings, below: int) -> int:
    """Delete documents below an offset of every partition.

    Returns how many were deleted.
    """
    with closing(index.connect(Cluster.of(settings.as_keeper()))) as client:
        index.refresh(client, settings.opensearch_index)
        query = {"query": {"range": {"offset": {"lt": below}}}}
        return client.delete_by_query(index=settings.opensearch_index, body=query)["deleted"]


SCENARIOS = [
    Scenario("kill-setup", "`kill -9` of the set-up, half of it created", setup_killed),
    Scenario("kill-redrive", "`kill -9` of a re-drive, both stores written, nothing marked", redrive_killed),
    Scenario("kill-replay", "`kill -9` of a replay, documents written, rows not", replay_killed),
    Scenario("redrive-frozen", "a re-drive frozen past its lease, while another one does its work", redrive_frozen),
    Scenario("replay-frozen", "a replay frozen past its lease, while another one does its work", replay_frozen),
    Scenario("sigterm-replay", "SIGTERM in the middle of a replay", replay_told_to_end),
    Scenario("kill-repair", "`kill -9` of a repair, some documents written", repair_killed),
    Scenario("kill-rehydrate", "`kill -9` of a rehydration of 1,000 old events, some of them back", rehydrate_killed),
]
