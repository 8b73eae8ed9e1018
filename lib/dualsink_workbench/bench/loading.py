"""Bulk loading: Spark's tasks run the generator side by side."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

import pyarrow as pa
from kafka.consumer.fetcher import ConsumerRecord
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, security, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.topic import Topic
from dualsink.operations import cleanup, setup
from dualsink.settings import Settings
from dualsink.stream import sink
from dualsink.stream.exactly_once import Claim, Compared
from dualsink.stream.target import Target
from dualsink_workbench.bench import rig
from dualsink_workbench.bench.shapes import Make, seeds

COLUMNS = "chunk long, number long, key binary, value binary"
ARROW_ROWS = 10_000
TASKS = 4
TOPIC_CHUNK = 50_000
SEED = 0
CHUNKS_OF_A_DAY = timedelta(days=1) // generator.SPREAD
_HEADERS = "array<struct<key:string,value:binary>>"


def generated(
    spark: SparkSession,
    make: Make,
    total: int,
    chunk_size: int,
    seed: int,
    end: datetime,
    step: timedelta = timedelta(0),
) -> DataFrame:
    """Make records of `total` events in chunks of `chunk_size`.

    The first chunk ends at `end`, each further one a `step` before the last.

    Columns are COLUMNS: the chunk, the record's number in it, key and value.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in batches:
            for chunk in rows["id"].to_pylist():
                events = min(chunk_size, total - chunk * chunk_size)
                yield from _chunk(chunk, make(events, seed + chunk, end - chunk * step))

    return spark.range(0, -(-total // chunk_size), 1, TASKS).mapInArrow(run, COLUMNS)


def _chunk(chunk: int, records: Iterator[generator.Record]) -> Iterator[pa.RecordBatch]:
    numbered = ((chunk, number, record.key, record.value) for number, record in enumerate(records))
    while some := list(islice(numbered, ARROW_ROWS)):
        columns = [pa.array(column) for column in zip(*some, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, ["chunk", "number", "key", "value"])


@contextmanager
def filled(settings: Settings, events: int, make: Make = seeds) -> Iterator[None]:
    """Create and fill topic, tables and indices for a measurement.

    All is removed afterwards.
    """
    keeper = settings.as_keeper()
    rig.with_spark(keeper, lambda spark, own: prepare(spark, own, events, make))
    yield
    rig.with_spark(keeper, cleanup.remove_all)


def prepare(spark: SparkSession, settings: Settings, events: int, make: Make = seeds) -> None:
    """Make all that the stream needs, and fill the topic."""
    setup.create_all(spark, settings)
    fill_topic(spark, settings, events, make)


def fill_topic(
    spark: SparkSession, settings: Settings, events: int, make: Make, chunk: int = TOPIC_CHUNK,
    step: timedelta = timedelta(0),
) -> None:  # fmt: skip
    """Send events to the topic, each chunk of two hours.

    The first one ends now, each further one a `step` before the last.
    """
    chunk_size = min(chunk, -(-events // TASKS))
    records = generated(spark, make, events, chunk_size, SEED, datetime.now(UTC), step).select("key", "value")
    target = records.write.format("kafka").options(**security.spark_options(Brokers.of(settings)))
    target.option("topic", settings.kafka_topic).save()


def records(settings: Settings) -> Iterator[ConsumerRecord]:
    """Yield every record that is in the topic now."""
    with closing(topic.consumer(Brokers.of(settings))) as client:
        known = topic.partitions(client, settings.kafka_topic)
        client.assign(known)
        client.seek_to_beginning()
        ends = client.end_offsets(known)
        while any(client.position(place) < end for place, end in ends.items()):
            for batch in client.poll(timeout_ms=1000, max_records=ARROW_ROWS).values():
                yield from batch


def fill_day(spark: SparkSession, settings: Settings, events: int, ago: int) -> None:
    """Put a day of `events` events into both stores.

    They are spread over the 24 hours that ended `ago` days before now.

    They take the pass that every batch takes; only Kafka is left out, and the coordinates are made up.
    """
    now = datetime.now(UTC)
    arrived = now.replace(microsecond=now.microsecond // 1000 * 1000)  # Kafka counts milliseconds.
    chunk_size = -(-events // CHUNKS_OF_A_DAY)
    ended, seed = arrived - timedelta(days=ago), CHUNKS_OF_A_DAY * ago
    chunks = generated(spark, seeds, events, chunk_size, seed, ended, generator.SPREAD)
    coordinates = (
        F.lit(settings.kafka_topic).alias("topic"),
        F.lit(topic.topic_id(Topic.of(settings))).alias("topic_id"),
        (F.col("chunk") % settings.kafka_partitions).cast("int").alias("partition"),
        (F.lit(ago * 10**9) + F.col("chunk") * chunk_size + F.col("number")).alias("offset"),
        F.lit(arrived).alias("kafka_timestamp"),
    )
    claim = Claim("replay", (), Compared.now(spark, Archive.of(settings)), lambda: None, {})
    records = chunks.select(*coordinates, "key", "value", F.lit(None).cast(_HEADERS).alias("headers"))
    sink.store(records, Target.of(settings), claim)
