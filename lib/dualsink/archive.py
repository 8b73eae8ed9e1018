"""Appending batches to the archive, each event exactly once, whatever was killed before."""

import json
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.rows import COORDINATES
from dualsink.settings import Settings

_PROPERTY = "dualsink."


@dataclass(frozen=True)
class OffsetRange:
    """Offsets `first` to `last`, both inclusive, of one partition."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """`topic-partition`."""
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True)
class Batch:
    """One micro-batch: which query, which number, which offsets."""

    query_id: str
    batch_id: int
    ranges: tuple[OffsetRange, ...]

    @property
    def offsets(self) -> dict[str, list[int]]:
        """`{"topic-partition": [first, last]}`, as it is recorded in the snapshot."""
        return {r.name: [r.first, r.last] for r in self.ranges}


@dataclass(frozen=True)
class Marker:
    """What a snapshot of the archive says of the batch that made it."""

    batch_id: int
    offsets: dict[str, list[int]]
    suspect: dict[str, int]


class ReplayGuard:
    """Tells which batches may hold events that the stores have already.

    Every append records query, batch and offsets in its snapshot. Only the first batch of a run can be a replay, so
    the newest marker is looked up once. Where it does not say that the batch is new (a replay, a new or rolled-back
    checkpoint, an expired snapshot), the offsets held so far are suspect: batches that touch them are compared with
    the tables row by row. Suspect offsets travel in the markers, so that a kill in the middle of a long replay does
    not forget them.
    """

    def __init__(self, spark: SparkSession, settings: Settings):
        self._spark = spark
        self._settings = settings
        self._suspect: dict[str, int] | None = None

    def is_suspect(self, batch: Batch) -> bool:
        """Whether events of this batch may be in the tables already."""
        if self._suspect is None:
            self._suspect = self._suspect_offsets(batch)
        return any(r.first <= self._suspect.get(r.name, -1) for r in batch.ranges)

    def properties(self, batch: Batch) -> dict[str, str]:
        """The marker of a batch, as snapshot properties."""
        return {
            f"{_PROPERTY}query-id": batch.query_id,
            f"{_PROPERTY}batch-id": str(batch.batch_id),
            f"{_PROPERTY}offsets": json.dumps(batch.offsets, sort_keys=True),
            f"{_PROPERTY}suspect": json.dumps(self._suspect or {}, sort_keys=True),
        }

    def _suspect_offsets(self, batch: Batch) -> dict[str, int]:
        newest = newest_marker(self._spark, self._settings.archive_table, batch.query_id)
        if newest and newest.batch_id < batch.batch_id:
            return newest.suspect
        if newest and newest.batch_id == batch.batch_id and newest.offsets == batch.offsets:
            return newest.suspect | {
                name: max(last, newest.suspect.get(name, -1)) for name, (_, last) in newest.offsets.items()
            }
        return highest_offsets(self._spark, self._settings)


def append(rows: DataFrame, table: str, properties: dict[str, str] | None = None) -> None:
    """Append rows in one commit, with properties recorded in its snapshot."""
    writer = rows.writeTo(table)
    for name, value in (properties or {}).items():
        writer = writer.option(f"snapshot-property.{name}", value)
    writer.append()


def newest_marker(spark: SparkSession, table: str, query_id: str) -> Marker | None:
    """The newest marker of a query among the ancestors of the table's current snapshot."""
    spark.sql(f"REFRESH TABLE {table}")
    rows = spark.sql(f"""
        SELECT s.summary FROM {table}.snapshots s JOIN {table}.history h ON s.snapshot_id = h.snapshot_id
        WHERE h.is_current_ancestor AND s.summary['{_PROPERTY}query-id'] = '{query_id}'
        ORDER BY s.committed_at DESC, CAST(s.summary['{_PROPERTY}batch-id'] AS BIGINT) DESC LIMIT 1
    """).collect()
    if not rows:
        return None
    summary = rows[0].summary
    offsets, suspect = (json.loads(summary[f"{_PROPERTY}{name}"]) for name in ("offsets", "suspect"))
    return Marker(int(summary[f"{_PROPERTY}batch-id"]), offsets, suspect)


def highest_offsets(spark: SparkSession, settings: Settings) -> dict[str, int]:
    """The highest offset of every `topic-partition` that archive or quarantine hold."""
    held = spark.table(settings.archive_table).select(*COORDINATES)
    held = held.unionAll(spark.table(settings.quarantine_table).select(*COORDINATES))
    rows = held.groupBy("topic", "partition").agg(F.max("offset").alias("last")).collect()
    return {f"{row.topic}-{row.partition}": row.last for row in rows}


def without_held(rows: DataFrame, table: DataFrame, ranges: tuple[OffsetRange, ...], *more: str) -> DataFrame:
    """`rows` less those whose coordinates (and columns `more`) the table holds.

    Only files whose offsets overlap the ranges are read.
    """
    keys = [*COORDINATES, *more]
    return rows.join(table.where(within(ranges)).select(*keys), keys, "left_anti").select(*rows.columns)


def within(ranges: tuple[OffsetRange, ...]) -> Column:
    """Condition: the coordinates lie in one of the ranges."""
    conditions = [
        (F.col("topic") == r.topic) & (F.col("partition") == r.partition) & F.col("offset").between(r.first, r.last)
        for r in ranges
    ]
    return reduce(lambda a, b: a | b, conditions, F.lit(False))
