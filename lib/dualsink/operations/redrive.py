"""Re-drive: parse the quarantine again with today's code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from dualsink import words
from dualsink.events.model import COORDINATES, RECORD, Event, Refusal, ddl
from dualsink.events.reading import Reading
from dualsink.iceberg import quarantine
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import HELD, check_tables
from dualsink.operations import plan as plan_of
from dualsink.settings import Settings
from dualsink.spark import local_rows
from dualsink.stream import exactly_once
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Claim, Compared
from dualsink.stream.sink import store
from dualsink.stream.target import Target


@dataclass(frozen=True)
class Redriven(plan_of.Result):
    """Result of a re-drive: waiting, resolved and remaining records."""

    waiting: int
    resolved: int
    still_waiting: int

    @property
    def fact(self) -> str:
        """Records resolved."""
        if not self.waiting:
            return "the quarantine holds nothing that waits"
        return f"{self.resolved:,} of {words.count(self.waiting, 'quarantined record')} resolved"


def redrive(spark: SparkSession, settings: Settings) -> Redriven:
    """Parse the unresolved quarantine again with today's code.

    What is good now reaches both stores once and is marked as resolved; the rest stays. Doing it twice changes
    nothing. Raises CheckpointError while a stream runs on this table.
    """
    archive = Archive.of(settings)
    check_tables(spark, archive)
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        compared = Compared.now(spark, archive)
        waiting = _waiting(spark, archive, settings.kafka_topic, compared)
        before = waiting.count()
        target = Target.of(settings)
        parses = _parses(target.reading)
        good = waiting.where(parses("value", "key", "kafka_timestamp", "position", "positions", "stage"))
        claim = Claim("redrive", exactly_once.ranges_of(good), compared, checkpoint.confirm, {})
        if claim.ranges:
            _redrive(target, good, claim)
        after = _waiting(spark, archive, settings.kafka_topic, Compared.now(spark, archive)).count()
    return Redriven(before, before - after, after)


def _waiting(spark: SparkSession, archive: Archive, topic: str, compared: Compared) -> DataFrame:
    """Return this topic's records that were unresolved then."""
    _, quarantined = compared.tables(spark, archive)
    unresolved = quarantined.where("resolved_at IS NULL").where(quarantine.of_records())
    return unresolved.where(F.col("topic") == topic)


def _parses(reading: Reading) -> Callable[..., Column]:
    """Return whether today's parser makes events of the record.

    As a function of columns. One of what waits, or several of a record that was refused as a whole.
    """

    @F.arrow_udf(BooleanType())
    def parses(
        value: pa.Array,
        key: pa.Array,
        kafka_timestamp: pa.Array,
        position: pa.Array,
        positions: pa.Array,
        stage: pa.Array,
    ) -> pa.Array:
        records = zip(*(c.to_pylist() for c in (value, key, kafka_timestamp.cast(pa.int64()))), strict=True)
        places = zip(*(c.to_pylist() for c in (position, positions, stage)), strict=True)
        parse = reading.parser.parse_record
        return pa.array([_is_good(parse(*each), *place) for each, place in zip(records, places, strict=True)])

    return parses


def _is_good(found: Sequence[Event | Refusal], position: int, positions: int, stage: str) -> bool:
    if len(found) == positions:
        return isinstance(found[position], Event)
    return positions == 1 and stage == quarantine.PARSE


def _redrive(target: Target, good: DataFrame, claim: Claim) -> None:
    record = [F.first(name).alias(name) for name in ("topic", "kafka_timestamp", "key", "value", "headers")]
    once = good.groupBy(*RECORD).agg(*record, F.collect_set("position").alias("good"))
    held = exactly_once.with_held(once, target.archive, claim)
    # That they wait in the quarantine for want of a parser is what ends now.
    redriven = held.withColumn(HELD, F.filter(HELD, lambda entry: ~_ends(entry)))
    found = store(redriven, target, claim)
    claim.confirm()
    _mark_resolved(good.sparkSession, target.archive, good, found.hot_refused)


def _ends(entry: Column) -> Column:
    return (entry["place"] == quarantine.PARSE) & F.array_contains("good", entry["position"])


def _mark_resolved(spark: SparkSession, archive: Archive, good: DataFrame, refused: list[tuple]) -> None:
    """Mark what both stores hold now as resolved.

    A document that OpenSearch still refuses stays in stage `hot`.
    """
    still = local_rows.frame(spark, refused, ddl(COORDINATES)).withColumn("stage", F.lit(quarantine.HOT))
    staged = list(quarantine.STAGED)
    quarantine.resolve(
        spark, archive.quarantine, good.select(*staged).join(F.broadcast(still), staged, "left_anti").distinct()
    )
