"""Mending what is not equal: re-drive the quarantine, replay a range of Kafka, repair the hot tier."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from opensearchpy import helpers
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import archive, hot, kafka, ledger, quarantine, search
from dualsink.archive import OffsetRange
from dualsink.batch import DualSink
from dualsink.checkpoint import Checkpoint
from dualsink.documents import bulk_lines, document, document_id, index_name
from dualsink.errors import CheckpointError, LedgerMismatch, SettingsError
from dualsink.events import Event
from dualsink.rows import COORDINATES, EVENT_COLUMNS, typed_rows
from dualsink.settings import Settings
from dualsink.tables import ARCHIVE_COLUMNS

_STAGED = (*COORDINATES, "stage")


# -- re-drive ----------------------------------------------------------------------------------------


def redrive(spark: SparkSession, settings: Settings) -> dict[str, Any]:
    """Parse the unresolved quarantine again with today's code.

    What is good now reaches both stores once and is marked as resolved; the rest stays. Doing it twice changes
    nothing. Raises CheckpointError while a stream runs on this table.
    """
    with Checkpoint(settings.checkpoint_path).locked(spark):
        table = spark.table(settings.quarantine_table).where("resolved_at IS NULL")
        waiting = table.where(F.col("topic") == settings.kafka_topic)
        records = waiting.withColumnRenamed("kafka_timestamp", "timestamp")
        good = typed_rows(records, settings).where("reason IS NULL").persist()
        try:
            return _redrive(spark, settings, records, waiting, good)
        finally:
            good.unpersist()


def _redrive(
    spark: SparkSession, settings: Settings, records: DataFrame, waiting: DataFrame, good: DataFrame
) -> dict[str, Any]:
    before = waiting.count()
    ranges = _ranges(good)
    if ranges:
        held = spark.table(settings.archive_table)
        archive.append(archive.without_held(good, held, ranges).select(*ARCHIVE_COLUMNS), settings.archive_table)
        written = hot.write(good, settings)
        if written.refused:
            quarantine.append(spark, settings, quarantine.refused(records, written.refused), ranges)
        _mark_resolved(spark, settings, good, written.refused)
    after = waiting.count()
    return {"waiting": before, "resolved": before - after, "still_waiting": after}


def _ranges(rows: DataFrame) -> tuple[OffsetRange, ...]:
    ends = rows.groupBy("topic", "partition").agg(F.min("offset").alias("first"), F.max("offset").alias("last"))
    return tuple(OffsetRange(*row) for row in ends.collect())


def _mark_resolved(spark: SparkSession, settings: Settings, good: DataFrame, refused: list[tuple]) -> None:
    """Mark what both stores hold now; a document that OpenSearch still refuses stays in stage `hot`."""
    schema = "topic string, partition int, offset long"
    still = spark.createDataFrame([row[:3] for row in refused], schema)
    parsed = good.select(*COORDINATES).withColumn("stage", F.lit(quarantine.PARSE))
    indexed = good.select(*COORDINATES).join(F.broadcast(still), ["topic", "partition", "offset"], "left_anti")
    parsed.unionAll(indexed.withColumn("stage", F.lit(quarantine.HOT))).createOrReplaceTempView("dualsink_resolved")
    same = " AND ".join(f"q.{name} = r.{name}" for name in _STAGED)
    spark.sql(f"""
        MERGE INTO {settings.quarantine_table} q USING (SELECT DISTINCT * FROM dualsink_resolved) r
        ON {same} AND q.resolved_at IS NULL WHEN MATCHED THEN UPDATE SET q.resolved_at = current_timestamp()
    """)


# -- replay ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bounds:
    """A range of the topic: offsets per partition, `first` included, `end` not."""

    first: dict[int, int]
    end: dict[int, int]


def replay(spark: SparkSession, settings: Settings, start: str, end: str) -> dict[str, Any]:
    """Put a range of Kafka through both sinks again and say what was missing.

    `start` and `end` are each a time (ISO 8601, UTC where no zone is given), an offset for every partition (`1200`),
    or offsets by partition (`0:1200,3:900`); `end` is exclusive. Only what the stream has read already is replayed,
    the rest is its own to write. Raises SettingsError for an unusable bound, CheckpointError while a stream runs.
    """
    checkpoint = Checkpoint(settings.checkpoint_path)
    with checkpoint.locked(spark):
        bounds = _bounds(settings, checkpoint, start, end)
        count = sum(bounds.end[p] - bounds.first[p] for p in bounds.end)
        if not count:
            return {"events": 0, "archive_repaired": 0, "hot_repaired": 0, "already_there": 0}
        before = spark.table(settings.archive_table).count()
        report = DualSink(settings, _EverythingSuspect()).write(_slice(spark, settings, bounds), "replay", -1)
        return {
            "events": report.events,
            "archive_repaired": spark.table(settings.archive_table).count() - before,
            "hot_repaired": report.created,
            "already_there": report.existing,
        }


class _EverythingSuspect:
    """A replay compares every row with the tables, and leaves no marker of a stream."""

    def is_suspect(self, batch: archive.Batch) -> bool:
        return True

    def properties(self, batch: archive.Batch) -> dict[str, str]:
        return {"dualsink.replay-offsets": json.dumps(batch.offsets, sort_keys=True)}


def _bounds(settings: Settings, checkpoint: Checkpoint, start: str, end: str) -> Bounds:
    read = {int(p): o for p, o in checkpoint.committed().get(settings.kafka_topic, {}).items()}
    if not read:
        raise CheckpointError(f"The stream has read nothing of {settings.kafka_topic} yet: run 03_stream instead.")
    marks = kafka.watermarks(settings)
    first, last = _offsets(settings, start, marks), _offsets(settings, end, marks)
    low = {p: max(first[p], marks[p][0]) for p in read}
    high = {p: min(last[p], read[p]) for p in read}
    kept = [p for p in read if low[p] < high[p]]
    return Bounds({p: low[p] for p in kept}, {p: high[p] for p in kept})


def _offsets(settings: Settings, text: str, marks: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """The offset that a bound means in every partition; partitions it does not name are left out of the range."""
    if text.isdigit():
        return dict.fromkeys(marks, int(text))
    try:
        if "-" in text:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return kafka.offsets_at(settings, moment)
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
    with Checkpoint(settings.checkpoint_path).locked(spark):
        book = ledger.take(spark, settings)
        if not all(line.holds for line in book.partitions):
            raise LedgerMismatch("The archive itself differs from Kafka; run `replay` first. Nothing was changed.")
        days = [line.day for line in book.days if not line.holds]
        if not days:
            return {"days": [], "written": 0, "deleted": 0}
        apart = ledger.hot_differences(spark, settings, days).persist()
        try:
            return {"days": days, "written": _rewrite(spark, settings, apart), "deleted": _delete(settings, apart)}
        finally:
            apart.unpersist()


def _rewrite(spark: SparkSession, settings: Settings, apart: DataFrame) -> int:
    wanted = apart.where("archived").select(*COORDINATES)
    rows = spark.table(settings.archive_table).join(F.broadcast(wanted), list(COORDINATES), "left_semi")
    alias = settings.opensearch_index

    def lines(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _index_lines(batch, alias)

    written = hot.write(rows.mapInArrow(lines, "topic string, partition int, offset long, bulk binary"), settings)
    return written.created


def _index_lines(batch: pa.RecordBatch, alias: str) -> pa.RecordBatch:
    """Bulk lines that overwrite: `index` instead of `create`."""
    bulk = []
    for row in batch.to_pylist():
        time = int(row["timestamp"].timestamp() * 1_000_000)
        arrived = round(row["kafka_timestamp"].timestamp() * 1000)
        event = Event(**{name: row[name] for name in EVENT_COLUMNS} | {"timestamp": time})
        place = (row["topic"], row["partition"], row["offset"], arrived)
        bulk.append(bulk_lines(index_name(alias, time), document_id(*place), document(event, *place), action=b"index"))
    columns = {name: batch[name] for name in ("topic", "partition", "offset")}
    return pa.RecordBatch.from_pydict(columns | {"bulk": pa.array(bulk, pa.binary())})


def _delete(settings: Settings, apart: DataFrame) -> int:
    """Delete documents that the archive does not have, by the ids and indices that OpenSearch gave."""
    found = apart.where("NOT archived").select("index", "id").collect()
    actions = [{"_op_type": "delete", "_index": row["index"], "_id": row["id"]} for row in found]
    with closing(search.connect(settings)) as client:
        deleted, _ = helpers.bulk(client, actions, raise_on_error=False, stats_only=True)
        search.refresh(client, settings.opensearch_index)
    return deleted
