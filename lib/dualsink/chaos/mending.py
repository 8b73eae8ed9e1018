"""The commands that set up and mend, killed in the middle and given again."""

import signal
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import cleanup, generator, quarantine, search
from dualsink.chaos.kills import KILLED, TERMINATED
from dualsink.chaos.proxy import Exchange, Rule
from dualsink.chaos.world import BULK, EVENTS, START, Scenario, Trial
from dualsink.settings import Settings
from dualsink.tables import COORDINATES, QUARANTINE_COLUMNS

_FEW, _SMALL_REQUEST = 200, 100
_AGE = timedelta(days=30)
_ALL = "replay --from 0 --to 1000000"


def setup_killed(trial: Trial) -> None:
    """Topic and archive are there, the quarantine's creation is on its way."""
    cleanup.remove_all(trial.spark, trial.settings)
    end = trial.run("setup", **trial.on_commit(trial.kill_driver, table="quarantine"))
    trial.first_end = end
    trial.expect(end.status == KILLED, f"the first run should be killed, not: {end}")
    trial.clock(START)
    end = trial.run("setup")
    trial.expect(end.status == 0, f"setting up again should end well, not: {end}")
    trial.produce()
    trial.recovered(trial.run())


def redrive_killed(trial: Trial) -> None:
    """Both stores have what was re-driven, and its mark is on its way: for a moment it stands in two places."""
    trial.produce()
    trial.stream()
    hold_back(trial.spark, trial.settings, _FEW)
    trial.broken(trial.run("redrive", **trial.on_commit(trial.kill_driver, table="quarantine")), KILLED)
    trial.recover("redrive")


def replay_killed(trial: Trial) -> None:
    """Rows and documents were lost; the documents are back, the rows' commit is on its way."""
    trial.produce()
    trial.stream()
    forget(trial.spark, trial.settings, _FEW)
    trial.broken(trial.run(_ALL, **trial.on_commit(trial.kill_driver)), KILLED)
    trial.recover(_ALL)


def replay_told_to_end(trial: Trial) -> None:
    """SIGTERM while documents are on their way: Spark's job is cancelled, and all ends in order."""

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
    """Documents were lost, and only some of them are back."""
    trial.produce()
    trial.stream()
    forget_documents(trial.settings, _FEW)
    rule = Rule(BULK, trial.kill_driver, skip=1, limit=1)
    options: dict[str, Any] = {"bulk_max_documents": _SMALL_REQUEST} | trial.proxied("opensearch_port", rule)
    trial.broken(trial.run("repair", **options), KILLED)
    trial.recover("repair")


def rehydrate_killed(trial: Trial) -> None:
    """Half of the events are old, in the archive alone, and only some of those are back."""
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
    """Move the events below an offset (of every partition) to the quarantine, as if an older parser refused them."""
    archived = spark.table(settings.archive_table).select(*COORDINATES)
    refused = (
        _records(spark, settings, below)
        .join(archived, list(COORDINATES), "left_semi")
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
    topic = spark.read.format("kafka").option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
    found = topic.option("subscribe", settings.kafka_topic).option("includeHeaders", "true").load()
    return found.where(F.col("offset") < below).withColumnRenamed("timestamp", "kafka_timestamp")


def rehydrated(settings: Settings) -> int:
    """How many documents stand in rehydrated days."""
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        return client.count(index=f"{settings.rehydrated_prefix}-*")["count"]


def forget(spark: SparkSession, settings: Settings, below: int) -> None:
    """Delete rows and documents below an offset of every partition."""
    spark.sql(f"DELETE FROM {settings.archive_table} WHERE topic = '{settings.kafka_topic}' AND offset < {below}")
    forget_documents(settings, below)


def forget_documents(settings: Settings, below: int) -> int:
    """Delete documents below an offset of every partition; returns how many."""
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        query = {"query": {"range": {"offset": {"lt": below}}}}
        return client.delete_by_query(index=settings.opensearch_index, body=query)["deleted"]


SCENARIOS = [
    Scenario("kill-setup", "`kill -9` of the set-up, half of it created", setup_killed),
    Scenario("kill-redrive", "`kill -9` of a re-drive, both stores written, nothing marked", redrive_killed),
    Scenario("kill-replay", "`kill -9` of a replay, documents written, rows not", replay_killed),
    Scenario("sigterm-replay", "SIGTERM in the middle of a replay", replay_told_to_end),
    Scenario("kill-repair", "`kill -9` of a repair, some documents written", repair_killed),
    Scenario("kill-rehydrate", "`kill -9` of a rehydration of 1,000 old events, some of them back", rehydrate_killed),
]
