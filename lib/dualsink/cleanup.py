"""Removing everything a pipeline made, because it was asked for."""

from contextlib import closing

from pyspark.sql import SparkSession

from dualsink import ism, kafka, search, tables
from dualsink.checkpoint import Checkpoint
from dualsink.settings import Settings


def remove_all(spark: SparkSession, settings: Settings) -> list[str]:
    """Remove checkpoint, day indices, template, policy, tables (purged) and topic; returns what was removed.

    The checkpoint goes first and the topic last: killed in between, the next run of the stream brings back from the
    topic what had gone. Raises CheckpointError if a stream runs.
    """
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        removed = [f"checkpoint {checkpoint.place}"] if checkpoint.remove() else []
    # The folder is new: a stream that began in between keeps what it needs.
    with checkpoint.locked(spark):
        with closing(search.connect(settings)) as client:
            if ism.drop_policy(client, settings):
                removed.append(f"policy {ism.policy_id(settings)}")
            removed += [f"index {name}" for name in search.drop_all(client, settings)]
        removed += [f"table {name} (purged)" for name in tables.drop_tables(spark, settings)]
        if kafka.drop_topic(settings):
            removed.append(f"topic {settings.kafka_topic}")
        checkpoint.remove()
    return removed
