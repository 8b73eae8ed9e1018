"""Kafka as Spark reads it: one place for the options.

Every reader sees the same records. Records of aborted transactions, and the control records that end a transaction, are
no events: all of the suite reads `read_committed` (this and `topic.consumer`). A range of offsets therefore has holes,
and ends at the last stable one.
"""

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.kafka import security
from dualsink.kafka.topic import Topic

Offsets = Mapping[int, int]
"""An offset by partition."""
_FETCH = {
    "kafka.fetch.max.wait.ms": 20,
    "kafka.max.poll.records": 5_000,
    "kafka.max.partition.fetch.bytes": 2 * 1024 * 1024,
}
"""Spark reads only offsets that are there. Its cached consumers ask ahead for what follows; while a broker holds that
answer back, half a second by default, the next task waits too. After each poll, of 500 records by default, Spark asks
the broker for both ends of the partition."""
# Partitions are of uneven sizes; in so many pieces a task they make tasks of even ones, see stream/sink.py.
_PIECES_PER_TASK = 4


def stream(spark: SparkSession, topic: Topic, max_offsets_per_trigger: int) -> DataFrame:
    """Return the topic as a stream, from its first record.

    A batch has at most `max_offsets_per_trigger` records.
    """
    return spark.readStream.format("kafka").options(**stream_options(spark, topic, max_offsets_per_trigger)).load()


def stream_options(spark: SparkSession, topic: Topic, max_offsets_per_trigger: int) -> dict[str, Any]:
    """Return the options of `stream`."""
    options = {
        "startingOffsets": "earliest",
        "maxOffsetsPerTrigger": max_offsets_per_trigger,
        "minPartitions": _PIECES_PER_TASK * spark.sparkContext.defaultParallelism,
    }
    return _options(topic, options)


def records(spark: SparkSession, topic: Topic) -> DataFrame:
    """Read every record that the topic holds now.

    The columns are those of Spark's source, headers included.
    """
    options = {"startingOffsets": "earliest", "endingOffsets": "latest"}
    return spark.read.format("kafka").options(**_options(topic, options)).load()


def between(spark: SparkSession, topic: Topic, first: Offsets, end: Offsets) -> DataFrame:
    """Read records of partitions, from `first` to before `end`.

    Both name the same partitions. Columns as of `records`.
    """
    options = {"startingOffsets": _json(topic, first), "endingOffsets": _json(topic, end)}
    return spark.read.format("kafka").options(**_options(topic, options, sorted(first))).load()


def by_coordinates(records: DataFrame, topic_id: str) -> DataFrame:
    """Return records of Spark's source under the tables' names.

    With the id of the topic's incarnation in the column `topic_id`.
    """
    return records.withColumnRenamed("timestamp", "kafka_timestamp").withColumn("topic_id", F.lit(topic_id))


def _options(topic: Topic, more: Mapping[str, Any], partitions: list[int] | None = None) -> dict[str, Any]:
    chosen = {"subscribe": topic.name} if partitions is None else {"assign": json.dumps({topic.name: partitions})}
    return {
        **_FETCH,
        **security.spark_options(topic.brokers),
        "kafka.isolation.level": "read_committed",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        **chosen,
        **more,
    }


def _json(topic: Topic, offsets: Offsets) -> str:
    return json.dumps({topic.name: {str(partition): offset for partition, offset in offsets.items()}})
