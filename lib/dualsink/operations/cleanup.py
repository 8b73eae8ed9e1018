"""Removing everything a pipeline made, because it was asked for."""

from contextlib import closing

from pyspark.sql import SparkSession

from dualsink.iceberg import tables
from dualsink.iceberg.archive import Archive
from dualsink.kafka.topic import Topic, drop_topic
from dualsink.opensearch import index, ism
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint


def remove_all(spark: SparkSession, settings: Settings) -> list[str]:
    """Remove everything of a pipeline; return what was removed.

    Checkpoint, day indices, template, policy, tables (purged) and topic.

    The checkpoint goes first and the topic last: killed in between, the next run of the stream brings back from the
    topic what had gone. Raises CheckpointError if a stream runs.
    """
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        removed = [f"checkpoint {checkpoint.place}"] if checkpoint.remove() else []
    hot, topic = HotTier.of(settings), Topic.of(settings)
    # The folder is new: a stream that began in between keeps what it needs.
    with checkpoint.locked(spark):
        with closing(index.connect(Cluster.of(settings))) as client:
            if ism.drop_policy(client, hot):
                removed.append(f"policy {ism.policy_id(hot)}")
            removed += [f"index {name}" for name in index.drop_all(client, hot)]
        removed += [f"table {name} (purged)" for name in tables.drop_tables(spark, Archive.of(settings))]
        if drop_topic(topic):
            removed.append(f"topic {topic.name}")
        checkpoint.remove()
    return removed
