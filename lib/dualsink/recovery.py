"""Mending what is not equal: re-drive the quarantine, replay a range of Kafka, repair the hot tier."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from opensearchpy import helpers
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from dualsink import archive, kafka, ledger, quarantine, resend, search
from dualsink.archive import OffsetRange
from dualsink.batch import by_coordinates, store
from dualsink.checkpoint import Checkpoint
from dualsink.errors import CheckpointError, LedgerMismatch, SettingsError
from dualsink.events import Event, parse
from dualsink.settings import Settings
from dualsink.tables import COORDINATES, HELD
from dualsink.task import Summary
from dualsink.timeline import moment

_STAGED = (*COORDINATES, "stage")


# -- re-drive ----------------------------------------------------------------------------------------


def redrive(spark: SparkSession, settings: Settings) -> dict[str, Any]:
    """Parse the unresolved quarantine again with today's code.

    What is good now reaches both stores once and is marked as resolved; the rest stays. Doing it twice changes
    nothing. Raises CheckpointError while a stream runs on this table.
    """
    with Checkpoint.of(settings).locked(spark):
        waiting = _waiting(spark, settings)
        before = waiting.count()
        good = waiting.where(_parses("value", "key", "kafka_timestamp"))
        ranges = archive.ranges_of(good)
        if ranges:
            _redrive(spark, settings, good, ranges)
        after = _waiting(spark, settings).count()
    return {"waiting": before, "resolved": before - after, "still_waiting": after}


def _waiting(spark: SparkSession, settings: Settings) -> DataFrame:
    """The unresolved rows of this topic, as of now: a table, once read, stays at its snapshot."""
    table = spark.table(settings.quarantine_table).where("resolved_at IS NULL")
    return table.where(F.col("topic") == settings.kafka_topic)


@F.arrow_udf(BooleanType())
def _parses(value: pa.Array, key: pa.Array, kafka_timestamp: pa.Array) -> pa.Array:
    """Whether today's parser makes events of records."""
    times = kafka_timestamp.cast(pa.int64())
    records = zip(value.to_pylist(), key.to_pylist(), times.to_pylist(), strict=True)
    return pa.array([isinstance(parse(*record), Event) for record in records])


def _redrive(spark: SparkSession, settings: Settings, good: DataFrame, ranges: archive.Ranges) -> None:
    once = good.dropDuplicates(list(COORDINATES)).select(*COORDINATES, "key", "value", "headers")
    held = archive.with_held(once, settings, ranges)
    # That they wait in the quarantine for want of a parser is what ends now.
    redriven = held.withColumn(HELD, F.array_remove(HELD, quarantine.PARSE))
    # What OpenSearch refused before it may refuse again, all of it: here that tells nothing of the mapping.
    found = store(redriven, settings.model_copy(update={"max_refused_share": 1.0}))
    _mark_resolved(spark, settings, good, found.hot_refused)


def _mark_resolved(spark: SparkSession, settings: Settings, good: DataFrame, refused: list[tuple]) -> None:
    """Mark what both stores hold now; a document that OpenSearch still refuses stays in stage `hot`."""
    schema = "topic string, partition int, offset long, kafka_timestamp timestamp"
    still = spark.createDataFrame(refused, schema).withColumn("stage", F.lit(quarantine.HOT))
    done = good.select(*_STAGED).join(F.broadcast(still), list(_STAGED), "left_anti").distinct()
    # A checkpoint: Spark 4.1 cannot plan a merge whose source reads its own target.
    done.localCheckpoint().createOrReplaceTempView("dualsink_resolved")
    same = " AND ".join(f"q.{name} = r.{name}" for name in _STAGED)
    spark.sql(f"""
        MERGE INTO {settings.quarantine_table} q USING dualsink_resolved r
        ON {same} AND q.resolved_at IS NULL WHEN MATCHED THEN UPDATE SET q.resolved_at = current_timestamp()
    """)


# -- replay ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bounds:
    """A range of the topic: offsets per partition, `first` included, `end` not."""

    first: dict[int, int]
    end: dict[int, int]

    def ranges(self, topic: str) -> archive.Ranges:
        """The same as ranges of offsets."""
        return tuple(OffsetRange(topic, p, self.first[p], self.end[p] - 1) for p in sorted(self.first))


def replay(spark: SparkSession, settings: Settings, start: str, end: str) -> dict[str, Any]:
    """Put a range of Kafka through both sinks again and say what was missing.

    `start` and `end` are each a time (ISO 8601, UTC where no zone is given), an offset for every partition (`1200`),
    or offsets by partition (`0:1200,3:900`); `end` is exclusive. Only what the stream has read already is replayed,
    the rest is its own to write. Raises SettingsError for an unusable bound, CheckpointError while a stream runs.
    """
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        bounds = _bounds(settings, checkpoint, start, end)
        count = sum(bounds.end[p] - bounds.first[p] for p in bounds.end)
        if not count:
            return _replayed(Summary())
        records = by_coordinates(_slice(spark, settings, bounds))
        found = store(archive.with_held(records, settings, bounds.ranges(settings.kafka_topic)), settings)
        return _replayed(found)


def _replayed(found: Summary) -> dict[str, int]:
    return {
        "events": found.events,
        "archive_repaired": found.archived,
        "quarantine_repaired": found.quarantined,
        "hot_repaired": found.documents["created"],
        "already_there": found.documents["existing"],
    }


def _bounds(settings: Settings, checkpoint: Checkpoint, start: str, end: str) -> Bounds:
    read = {int(p): o for p, o in checkpoint.committed().get(settings.kafka_topic, {}).items()}
    if not read:
        raise CheckpointError(f"The stream has read nothing of {settings.kafka_topic} yet: run 03_stream instead.")
    marks = kafka.watermarks(settings)
    first, last = _offsets(settings, start, marks), _offsets(settings, end, marks)
    low = {p: max(first[p], marks[p][0]) for p in read}
    high = {p: min(last[p], read[p], marks[p][1]) for p in read}
    kept = [p for p in read if low[p] < high[p]]
    return Bounds({p: low[p] for p in kept}, {p: high[p] for p in kept})


def _offsets(settings: Settings, text: str, marks: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """The offset that a bound means in every partition; partitions it does not name are left out of the range."""
    if text.isdecimal():
        return dict.fromkeys(marks, int(text))
    try:
        if "-" in text:
            return kafka.offsets_at(settings, moment(text))
        named = dict(tuple(map(int, pair.split(":"))) for pair in text.split(","))
    except (TypeError, ValueError):
        raise SettingsError(
            f"Cannot read {text!r} as a bound: give a time (2026-11-23T10:00), an offset (1200), "
            "or offsets by partition (0:1200,3:900)."
        ) from None
    return {p: named.get(p, marks[p][0]) for p in marks}


def _slice(spark: SparkSession, settings: Settings, bounds: Bounds) -> DataFrame:
    def offsets(by_partition: dict[int, int]) -> str:
        return json.dumps({settings.kafka_topic: {str(p): o for p, o in by_partition.items()}})

    partitions = json.dumps({settings.kafka_topic: sorted(bounds.first)})
    return (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("assign", partitions)
        .option("startingOffsets", offsets(bounds.first))
        .option("endingOffsets", offsets(bounds.end))
        .option("includeHeaders", "true")
        .load()
    )


# -- repair ------------------------------------------------------------------------------------------


def repair(spark: SparkSession, settings: Settings) -> dict[str, Any]:
    """Make the hot tier equal to the archive on the event days where the ledger found a difference.

    Missing and differing documents are written from the archive, documents that the archive does not have are
    deleted. Raises LedgerMismatch, and changes nothing, while the archive itself lacks records that Kafka has:
    then `replay` comes first, because the archive is no measure yet.
    """
    with Checkpoint.of(settings).locked(spark):
        book = ledger.take(spark, settings, named=False)
        if not all(line.holds for line in book.partitions):
            raise LedgerMismatch("The archive itself differs from Kafka; run `replay` first. Nothing was changed.")
        days = [line.day for line in book.days if not line.holds]
        if not days:
            return {"days": [], "written": 0, "refused": 0, "deleted": 0}
        apart = ledger.hot_differences(spark, settings, days).persist()
        try:
            # In this order: a document whose coordinates were changed may bear the id of one that is to be written.
            deleted = _delete(settings, apart)
            written, refused = _rewrite(spark, settings, apart)
        finally:
            apart.unpersist()
        return {"days": days, "written": written, "refused": refused, "deleted": deleted}


def _rewrite(spark: SparkSession, settings: Settings, apart: DataFrame) -> tuple[int, int]:
    """Write documents from the archive; returns how many, and how many OpenSearch refused for good."""
    wanted = apart.where("archived").select(*COORDINATES)
    rows = spark.table(settings.archive_table).join(F.broadcast(wanted), list(COORDINATES), "left_semi")
    sent = resend.send(rows, settings, "index", settings.opensearch_index)
    return sent.created, len(sent.refused)


def _delete(settings: Settings, apart: DataFrame) -> int:
    """Delete documents that the archive does not have, by the ids and indices that OpenSearch gave."""
    found = apart.where("NOT archived").select("index", "id").collect()
    actions = [{"_op_type": "delete", "_index": row["index"], "_id": row["id"]} for row in found]
    with closing(search.connect(settings)) as client:
        deleted, _ = helpers.bulk(client, actions, raise_on_error=False, stats_only=True)
        search.refresh(client, settings.opensearch_index)
    return deleted
