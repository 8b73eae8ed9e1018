"""Many events quickly: Spark's tasks run the generator, which is faster than one producer in Python."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

import pyarrow as pa
from kafka.consumer.fetcher import ConsumerRecord
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench import rig
from dualsink import batch, checks, cleanup, generator, kafka
from dualsink.settings import Settings

COLUMNS = "lot long, number long, key binary, value binary"
ARROW_ROWS = 10_000
TASKS = 4
TOPIC_LOT = 50_000
SEED = 0
LOTS_OF_A_DAY = timedelta(days=1) // generator.SPREAD
_HEADERS = "array<struct<key:string,value:binary>>"


def generated(
    spark: SparkSession, total: int, a_lot: int, seed: int, end: datetime, step: timedelta = timedelta(0)
) -> DataFrame:
    """`total` events in lots of `a_lot`; the first lot ends at `end`, every other one a `step` before the last.

    Columns are COLUMNS: the lot, the event's number in it, key and value of its record.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in batches:
            for lot in rows["id"].to_pylist():
                events = min(a_lot, total - lot * a_lot)
                yield from _lot(lot, generator.generate(events, seed + lot, 0.0, end - lot * step))

    return spark.range(0, -(-total // a_lot), 1, TASKS).mapInArrow(run, COLUMNS)


def _lot(lot: int, records: Iterator[generator.Record]) -> Iterator[pa.RecordBatch]:
    numbered = ((lot, number, record.key, record.value) for number, record in enumerate(records))
    while some := list(islice(numbered, ARROW_ROWS)):
        columns = [pa.array(column) for column in zip(*some, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, ["lot", "number", "key", "value"])


@contextmanager
def filled(settings: Settings, events: int) -> Iterator[None]:
    """A topic of so many events, tables and indices for one measurement; all is removed after it."""
    rig.with_spark(settings, lambda spark, own: prepare(spark, own, events))
    yield
    rig.with_spark(settings, cleanup.remove_all)


def prepare(spark: SparkSession, settings: Settings, events: int) -> None:
    """Make all that the stream needs, and fill the topic."""
    checks.create_all(spark, settings)
    fill_topic(spark, settings, events)


def fill_topic(spark: SparkSession, settings: Settings, events: int) -> None:
    """Send that many events of the last two hours to the topic."""
    a_lot = min(TOPIC_LOT, -(-events // TASKS))
    records = generated(spark, events, a_lot, SEED, datetime.now(UTC)).select("key", "value")
    target = records.write.format("kafka").option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
    target.option("topic", settings.kafka_topic).save()


def records(settings: Settings) -> Iterator[ConsumerRecord]:
    """Every record that is in the topic now."""
    with closing(kafka.consumer(settings)) as client:
        known = kafka.partitions(client, settings)
        client.assign(known)
        client.seek_to_beginning()
        ends = client.end_offsets(known)
        while any(client.position(place) < end for place, end in ends.items()):
            for found in client.poll(timeout_ms=1000, max_records=ARROW_ROWS).values():
                yield from found


def fill_day(spark: SparkSession, settings: Settings, events: int, ago: int) -> None:
    """Put `events` events, spread over the 24 hours that ended `ago` days before now, into both stores.

    They take the pass that every batch takes; only Kafka is left out, and the coordinates are made up.
    """
    now = datetime.now(UTC)
    arrived = now.replace(microsecond=now.microsecond // 1000 * 1000)  # Kafka counts milliseconds.
    a_lot = -(-events // LOTS_OF_A_DAY)
    ended, seed = arrived - timedelta(days=ago), LOTS_OF_A_DAY * ago
    lots = generated(spark, events, a_lot, seed, ended, generator.SPREAD)
    coordinates = (
        F.lit(settings.kafka_topic).alias("topic"),
        (F.col("lot") % settings.kafka_partitions).cast("int").alias("partition"),
        (F.lit(ago * 10**9) + F.col("lot") * a_lot + F.col("number")).alias("offset"),
        F.lit(arrived).alias("kafka_timestamp"),
    )
    batch.store(lots.select(*coordinates, "key", "value", F.lit(None).cast(_HEADERS).alias("headers")), settings)
