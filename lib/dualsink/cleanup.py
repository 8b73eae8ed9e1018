"""Removing everything a pipeline made, because it was asked for."""

from contextlib import closing

from pyspark.sql import SparkSession

from dualsink import ism, kafka, search, tables
from dualsink.checkpoint import Checkpoint
from dualsink.settings import Settings


def remove_all(spark: SparkSession, settings: Settings) -> list[str]:
    """Remove tables (purged), topic, day indices, template, policy and checkpoint; returns what was removed.

    The checkpoint is locked first, so that no running stream loses its stores. Raises CheckpointError if one runs.
    """
    checkpoint = Checkpoint(settings.checkpoint_path)
    with checkpoint.locked(spark):
        removed = [f"table {name} (purged)" for name in tables.drop_tables(spark, settings)]
        if kafka.drop_topic(settings):
            removed.append(f"topic {settings.kafka_topic}")
        with closing(search.connect(settings)) as client:
            if ism.drop_policy(client, settings):
                removed.append(f"policy {ism.policy_id(settings)}")
            removed += [f"index {name}" for name in search.drop_all(client, settings)]
        if checkpoint.remove():
            removed.append(f"checkpoint {checkpoint.path}")
    return removed
