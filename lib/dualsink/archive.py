"""Each event in the archive exactly once, whatever was killed before: markers, and what is compared without one."""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import datafiles
from dualsink.datafiles import Fence, Snapshot
from dualsink.settings import Settings
from dualsink.tables import ARCHIVE, COORDINATES, HELD

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


Ranges = tuple[OffsetRange, ...]


@dataclass(frozen=True)
class Batch:
    """One micro-batch: which query, which number, which offsets."""

    query_id: str
    batch_id: int
    ranges: Ranges

    @property
    def offsets(self) -> dict[str, list[int]]:
        """`{"topic-partition": [first, last]}`, as it is recorded in the snapshot."""
        return {r.name: [r.first, r.last] for r in self.ranges}


@dataclass(frozen=True)
class Marker:
    """What a snapshot says of the batch that made it, and which guard wrote it."""

    snapshot_id: int
    batch_id: int
    offsets: dict[str, list[int]]
    suspect: dict[str, int]
    writer: str


@dataclass(frozen=True)
class Seal:
    """A batch's marker, by the offsets stored, as snapshot properties; and the fence that its commits must pass.

    What the batch has passed is suspect no more once its marker was asked for.
    """

    marker: Callable[[Ranges], dict[str, str]]
    fence: Fence


class ReplayGuard:
    """Tells which records of a batch the stores may hold already, and lets no second driver write the same batch.

    Every commit of a batch records query, batch and offsets in its snapshot. Only the first batch of a run can be a
    replay, so the newest marker is looked up once. Where it does not say that the batch is new (a replay, a new or
    rolled-back checkpoint, an expired snapshot), the offsets held so far are suspect: batches that touch them are
    compared with the tables row by row. Suspect offsets travel in the markers, so that a kill in the middle of a long
    replay does not forget them.

    That look is true only while nobody else writes with this checkpoint, which a lease cannot promise of a driver that
    stood still. So each commit is fenced: it is refused where the table's newest marker is neither the one that was
    seen in the beginning nor that of an older batch of this very guard.
    """

    def __init__(self, spark: SparkSession, settings: Settings):
        self._spark = spark
        self._settings = settings
        self._tables = (settings.archive_table, settings.quarantine_table)
        self._suspect: dict[str, int] | None = None
        self._seen: set[int] = set()
        self._writer = uuid.uuid4().hex

    def checked(self, records: DataFrame, query_id: str, batch_id: int) -> DataFrame:
        """The batch's records, with the column HELD where some of them may be held already."""
        if self._suspect is None:
            self._suspect = self._suspect_offsets(query_id, batch_id)
        if not self._suspect:
            return records
        ranges = ranges_of(records)
        touched = any(r.first <= self._suspect.get(r.name, -1) for r in ranges)
        return with_held(records, self._settings, ranges) if touched else records

    def seal(self, query_id: str, batch_id: int) -> Seal:
        """How the commits of a batch are to be marked and fenced, once it was `checked`."""
        return Seal(lambda ranges: self._marker(Batch(query_id, batch_id, ranges)), self._fence(query_id, batch_id))

    def _marker(self, batch: Batch) -> dict[str, str]:
        done = {r.name: r.last for r in batch.ranges}
        self._suspect = {name: last for name, last in self._suspect.items() if last > done.get(name, -1)}
        return {
            f"{_PROPERTY}query-id": batch.query_id,
            f"{_PROPERTY}batch-id": str(batch.batch_id),
            f"{_PROPERTY}offsets": json.dumps(batch.offsets, sort_keys=True),
            f"{_PROPERTY}suspect": json.dumps(self._suspect, sort_keys=True),
            f"{_PROPERTY}writer": self._writer,
        }

    def _fence(self, query_id: str, batch_id: int) -> Fence:
        def may_follow(ancestors: Iterable[Snapshot]) -> bool:
            newest = _newest(ancestors, query_id)
            if newest is None or newest.snapshot_id in self._seen:
                return True
            return newest.writer == self._writer and newest.batch_id < batch_id

        return may_follow

    def _suspect_offsets(self, query_id: str, batch_id: int) -> dict[str, int]:
        newest, kept = (newest_marker(self._spark, table, query_id) for table in self._tables)
        self._seen = {marker.snapshot_id for marker in (newest, kept) if marker}
        if newest and newest.batch_id < batch_id:
            return newest.suspect
        if newest and newest.batch_id == batch_id:
            return newest.suspect | {
                name: max(last, newest.suspect.get(name, -1)) for name, (_, last) in newest.offsets.items()
            }
        return highest_offsets(self._spark, self._settings)


def newest_marker(spark: SparkSession, table: str, query_id: str) -> Marker | None:
    """The newest marker of a query among the ancestors of the table's current snapshot."""
    return _newest(datafiles.ancestors(spark, table), query_id)


def _newest(ancestors: Iterable[Snapshot], query_id: str) -> Marker | None:
    return next((_marker(s) for s in ancestors if s.summary.get(f"{_PROPERTY}query-id") == query_id), None)


def _marker(snapshot: Snapshot) -> Marker:
    batch_id, offsets, suspect = (
        json.loads(snapshot.summary[f"{_PROPERTY}{name}"]) for name in ("batch-id", "offsets", "suspect")
    )
    # Markers of the first versions name no writer.
    return Marker(snapshot.id, batch_id, offsets, suspect, snapshot.summary.get(f"{_PROPERTY}writer", ""))


def newest_marked(ancestors: Iterable[Snapshot]) -> list[Snapshot]:
    """Of snapshots, newest first, the newest marked one of every query."""
    newest: dict[str, Snapshot] = {}
    for snapshot in ancestors:
        if query_id := snapshot.summary.get(f"{_PROPERTY}query-id"):
            newest.setdefault(query_id, snapshot)
    return list(newest.values())


def highest_offsets(spark: SparkSession, settings: Settings) -> dict[str, int]:
    """The highest offset of every `topic-partition` that archive or quarantine hold."""
    tables = [t for t in (settings.archive_table, settings.quarantine_table) if any(datafiles.ancestors(spark, t))]
    if not tables:
        return {}
    held = reduce(DataFrame.unionAll, (spark.table(table).select(*COORDINATES) for table in tables))
    return {r.name: r.last for r in ranges_of(held)}


def ranges_of(records: DataFrame) -> Ranges:
    """The offsets of records, by topic and partition."""
    ends = records.groupBy("topic", "partition").agg(F.min("offset").alias("first"), F.max("offset").alias("last"))
    return tuple(sorted((OffsetRange(*row) for row in ends.collect()), key=lambda r: r.name))


def with_held(records: DataFrame, settings: Settings, ranges: Ranges) -> DataFrame:
    """Records with the column HELD: the places that have each, `archive` and stages of the unresolved quarantine.

    Only data files whose offsets overlap the ranges are read.
    """
    spark, within = records.sparkSession, _within(ranges)
    archived = spark.table(settings.archive_table).where(within).select(*COORDINATES, F.lit(ARCHIVE).alias("place"))
    waiting = spark.table(settings.quarantine_table).where(within).where("resolved_at IS NULL")
    places = archived.unionAll(waiting.select(*COORDINATES, "stage"))
    held = places.groupBy(*COORDINATES).agg(F.collect_set("place").alias(HELD))
    return records.join(held, list(COORDINATES), "left")


def _within(ranges: Ranges) -> Column:
    """Condition: the coordinates lie in one of the ranges."""
    conditions = [
        (F.col("topic") == r.topic) & (F.col("partition") == r.partition) & F.col("offset").between(r.first, r.last)
        for r in ranges
    ]
    return reduce(lambda a, b: a | b, conditions, F.lit(False))
