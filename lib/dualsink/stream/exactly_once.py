"""Exactly-once commits to the archive, whoever writes.

Every commit of every writer (stream, replay, re-drive, rescue) carries the offsets that it covers. Only what was
compared may be added: a commit is refused if a snapshot since the one that its writer compared with covers one of its
offsets, and if that history is not known. Compactions and deletions add nothing and hinder nobody.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import COORDINATES, RECORD
from dualsink.iceberg import markers, quarantine, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.data_files import Fence
from dualsink.iceberg.markers import Progress, Reach, Run
from dualsink.iceberg.snapshots import Bounds, Snapshot
from dualsink.iceberg.tables import ARCHIVE, HELD

_PROPERTY = markers.PREFIX
_PLACE = ("topic", "partition", "offset")
Writer = Literal["stream", "replay", "redrive", "rescue"]


@dataclass(frozen=True)
class OffsetRange:
    """Range of offsets of one partition, both ends inclusive.

    Some of them may be no records.
    """

    topic: str
    partition: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """`topic-partition`."""
        return f"{self.topic}-{self.partition}"


Ranges = tuple[OffsetRange, ...]
Spans = Mapping[str, list[int]]
"""Ranges as a snapshot records them: `{"topic-partition": [first, last]}`."""


def spans(ranges: Ranges) -> dict[str, list[int]]:
    """Return the ranges as they are recorded."""
    return {r.name: [r.first, r.last] for r in ranges}


@dataclass(frozen=True)
class Compared:
    """Snapshots of both tables that a writer compares with.

    None if a table has none yet.
    """

    archive: int | None
    quarantine: int | None

    @classmethod
    def now(cls, spark: SparkSession, archive: Archive) -> "Compared":
        """Return the current snapshots."""
        return cls(*(snapshots.current(spark, table) for table in archive.written))

    def tables(self, spark: SparkSession, archive: Archive) -> tuple[DataFrame, DataFrame]:
        """Archive and quarantine as they were then."""
        rows = snapshots.as_of(spark, archive.table, self.archive)
        return rows, snapshots.as_of(spark, archive.quarantine, self.quarantine)


@dataclass(frozen=True)
class Reached:
    """Progress of a topic before a batch of this incarnation.

    `begins` are the batch's first offsets in all partitions.
    """

    topic_id: str
    before: Progress
    begins: Mapping[int, int]


@dataclass(frozen=True)
class Claim:
    """Claim of one writer to offsets: properties and fence.

    `confirm` raises CheckpointError where the writer's checkpoint is another's by now. Of a stream's batch the archive
    gets a commit also where it adds no row: it says how far the stream has come.
    """

    writer: Writer
    ranges: Ranges
    compared: Compared
    confirm: Callable[[], None]
    marker: Mapping[str, str]
    reached: Reached | None = None

    def after(self, found: Mapping[tuple[str, int], Sequence[Run]], quarantined: bool) -> "Claim":
        """Return the claim once the batch's records are known.

        `found` are the offsets of its records by topic and partition; `quarantined` says that a commit of the
        quarantine follows the archive's.
        """
        if not self.reached or not self.ranges:
            return self
        topic, reached = self.ranges[0].topic, self.reached
        planned = {r.partition: (r.first, r.last) for r in self.ranges}
        begins = {**{r.partition: r.first for r in self.ranges}, **reached.begins}
        records = {partition: runs for (_, partition), runs in found.items()}
        told = markers.properties(topic, reached.topic_id, reached.before, begins, planned, records)
        return replace(self, marker={**self.marker, **told, **markers.quarantine_follows(quarantined)})

    @property
    def properties(self) -> dict[str, str]:
        """The snapshot's properties."""
        return {
            f"{_PROPERTY}writer": self.writer,
            f"{_PROPERTY}offsets": json.dumps(spans(self.ranges), sort_keys=True),
            f"{_PROPERTY}compared": json.dumps(asdict(self.compared)),
            **self.marker,
        }

    @property
    def tells_progress(self) -> bool:
        """True if a commit without rows records progress."""
        return self.writer == "stream" and bool(self.ranges)

    def fence(self, base: int | None) -> Fence:
        """Return the fence of a table whose `base` was compared.

        `base` is a snapshot.
        """

        def refusal(ancestors: Iterator[Snapshot]) -> str:
            newer = snapshots.since(ancestors, base)
            if newer is None:
                return "its history since it was compared is not known: snapshots were expired or rolled back"
            return next((told for snapshot in newer if (told := _overlap(snapshot, self.ranges))), "")

        return refusal


def _overlap(snapshot: Snapshot, ranges: Ranges) -> str:
    """Return why a snapshot forbids adding these offsets, if so."""
    added = covered(snapshot)
    touched = _touched_by_files(snapshot, ranges) if added is None else _touched(added, ranges)
    if touched is None:
        return ""
    told = f"some of the offsets {touched.first} to {touched.last} of {touched.name} were written already"
    return f"{told} since they were compared, by {_writer(snapshot)} of {snapshot.made_at:%H:%M:%S} UTC"


def _touched(added: Spans, ranges: Ranges) -> OffsetRange | None:
    """Return the first range that a snapshot's own touch."""
    return next(
        (r for r in ranges if r.name in added and r.first <= added[r.name][1] and added[r.name][0] <= r.last), None
    )


def _touched_by_files(snapshot: Snapshot, ranges: Ranges) -> OffsetRange | None:
    """Return the first range that unnamed files may hold.

    By the bounds of the files of a writer who does not name his records.
    """
    files = list(snapshot.bounds(_PLACE))
    return next((r for r in ranges if any(_may_hold(bounds, r) for bounds in files)), None)


def _may_hold(places: Sequence[Bounds], wanted: OffsetRange) -> bool:
    """Return whether a file may hold a range.

    `places` are its bounds of topic, partition and offset.
    """
    ends = ((wanted.topic, wanted.topic), (wanted.partition, wanted.partition), (wanted.first, wanted.last))
    known = zip(places, ends, strict=True)
    return all(bounds is None or (bounds[0] <= last and first <= bounds[1]) for bounds, (first, last) in known)


def covered(snapshot: Snapshot) -> Spans | None:
    """Return the offsets that a snapshot covers, with holes.

    None if it adds rows and does not say of which records.
    """
    if recorded := snapshot.summary.get(f"{_PROPERTY}offsets"):
        return json.loads(recorded)
    return None if snapshot.adds else {}


def _writer(snapshot: Snapshot) -> str:
    writer = snapshot.summary.get(f"{_PROPERTY}writer")
    return f"the {writer}'s commit" if writer else "a commit"


# -- the stream --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """One micro-batch: which query, which number, which offsets.

    `begins` are the first offsets of all partitions, those without a record in it included.
    """

    query_id: str
    number: int
    ranges: Ranges
    begins: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Marker:
    """Marker of a batch in its snapshot.

    `suspect` is the highest offset of every partition that the tables may have held when the batch was compared with
    the snapshots `compared`, which an older version did not record.
    """

    snapshot_id: int
    batch_id: int
    offsets: dict[str, list[int]]
    suspect: dict[str, int]
    compared: Compared | None


class ReplayGuard:
    """Guard against replayed batches, with marks and fences.

    It knows which records of a batch the stores may hold already.

    What the tables may hold is known as the highest offset of every partition: that of the newest marker, and of
    whatever was committed since, by whomever. Where neither says it (a new or rolled-back checkpoint, an expired
    snapshot, rows of somebody who does not name his records), the tables are asked. A batch that reaches below is
    compared with the tables row by row, as they were when they were looked at; the fence holds from there on.
    """

    def __init__(self, spark: SparkSession, archive: Archive, confirm: Callable[[], None] = lambda: None):
        self._spark = spark
        self._archive = archive
        self._confirm = confirm
        self._compared: Compared | None = None
        self._suspect: dict[str, int] = {}

    def checked(self, records: DataFrame, batch: Batch, topic_id: str) -> tuple[DataFrame, Claim]:
        """Return the batch's records and claim.

        The column HELD is there if some of them may be held already.
        """
        compared = self._look(batch)
        marker = {
            f"{_PROPERTY}query-id": batch.query_id,
            f"{_PROPERTY}batch-id": str(batch.number),
            f"{_PROPERTY}suspect": json.dumps(self._suspect, sort_keys=True),
        }
        reached = Reached(topic_id, self._progress(batch, compared, topic_id), batch.begins)
        claim = Claim("stream", batch.ranges, compared, self._confirm, marker, reached)
        touched = any(r.first <= self._suspect.get(r.name, -1) for r in batch.ranges)
        return (with_held(records, self._archive, claim) if touched else records), claim

    def _progress(self, batch: Batch, compared: Compared, topic_id: str) -> Progress:
        """Return how far the topic was read before.

        By the tables if no marker says it.
        """
        if compared.archive is None or not batch.ranges:
            return {}
        topic = batch.ranges[0].topic
        history = snapshots.ancestors(self._spark, self._archive.table)
        known = markers.progress(history, topic)
        if known is not None:
            return known
        held = markers.held(compared.tables(self._spark, self._archive), topic)
        # Rows do not say which partitions there were.
        untouched = {p: Reach(first, first - 1) for p, first in batch.begins.items()}
        return {**held, topic_id: {**untouched, **held[topic_id]}} if topic_id in held else held

    def _look(self, batch: Batch) -> Compared:
        """Learn what the tables may hold now.

        From what is known of them so far.
        """
        if self._compared is None:
            newest = newest_marker(self._spark, self._archive.table, batch.query_id)
            if newest and newest.batch_id <= batch.number:
                self._compared, self._suspect = newest.compared, newest.suspect
        before, now = self._compared, Compared.now(self._spark, self._archive)
        added = self._added(before, now) if before else None
        if added is None:
            self._suspect = highest_offsets(self._spark, self._archive, now)
        else:
            self._suspect = reduce(_highest, added, self._suspect)
        self._compared = now
        return now

    def _added(self, before: Compared, now: Compared) -> list[Spans] | None:
        """Return what was committed between two looks, if known."""
        found = [
            *_covered_between(self._spark, self._archive.table, before.archive, now.archive),
            *_covered_between(self._spark, self._archive.quarantine, before.quarantine, now.quarantine),
        ]
        known = [spans for spans in found if spans is not None]
        return known if len(known) == len(found) else None


def _covered_between(spark: SparkSession, table: str, base: int | None, head: int | None) -> list[Spans | None]:
    if base == head:
        return []
    newer = snapshots.since(snapshots.ancestors(spark, table), base)
    return [None] if newer is None else [covered(snapshot) for snapshot in newer]


def _highest(known: Mapping[str, int], added: Spans) -> dict[str, int]:
    return {**known, **{name: max(last, known.get(name, last)) for name, (_, last) in added.items()}}


def newest_marker(spark: SparkSession, table: str, query_id: str) -> Marker | None:
    """Return the newest marker of a query.

    Among the ancestors of the table's current snapshot.
    """
    found = (s for s in snapshots.ancestors(spark, table) if s.summary.get(f"{_PROPERTY}query-id") == query_id)
    return next((_marker(snapshot) for snapshot in found), None)


def _marker(snapshot: Snapshot) -> Marker:
    names = ("batch-id", "offsets", "suspect")
    batch_id, offsets, suspect = (json.loads(snapshot.summary[f"{_PROPERTY}{name}"]) for name in names)
    return Marker(snapshot.id, batch_id, offsets, suspect, _compared(snapshot))


def _compared(snapshot: Snapshot) -> Compared | None:
    recorded = snapshot.summary.get(f"{_PROPERTY}compared")
    return Compared(**json.loads(recorded)) if recorded else None


def needed_since(ancestors: Iterable[Snapshot], after: datetime) -> datetime | None:
    """Return the age of the oldest snapshot that queries need.

    Queries that are idle since before `after` need none.
    Ancestors come newest first. A run looks at its newest marker, and at all since the snapshot that was compared.
    """
    newest: dict[str, Snapshot] = {}
    made_at: dict[int, datetime] = {}
    for snapshot in ancestors:
        made_at[snapshot.id] = snapshot.made_at
        if query_id := snapshot.summary.get(f"{_PROPERTY}query-id"):
            newest.setdefault(query_id, snapshot)
    living = [snapshot for snapshot in newest.values() if snapshot.made_at > after]
    bases = [base for s in living if (compared := _compared(s)) for base in (compared.archive, compared.quarantine)]
    wanted = [*(snapshot.id for snapshot in living), *(base for base in bases if base in made_at)]
    return min((made_at[snapshot] for snapshot in wanted), default=None)


# -- what is held ------------------------------------------------------------------------------------


def highest_offsets(spark: SparkSession, archive: Archive, compared: Compared) -> dict[str, int]:
    """Return the highest archived or quarantined offset, by partition.

    By `topic-partition`.
    """
    rows, kept = compared.tables(spark, archive)
    kept = kept.where(quarantine.of_records())
    return {r.name: r.last for r in ranges_of(rows.select(*COORDINATES).unionAll(kept.select(*COORDINATES)))}


def ranges_of(records: DataFrame) -> Ranges:
    """Return the offsets of records, by topic and partition."""
    ends = records.groupBy("topic", "partition").agg(F.min("offset").alias("first"), F.max("offset").alias("last"))
    return tuple(sorted((OffsetRange(*row) for row in ends.collect()), key=lambda r: r.name))


def with_held(records: DataFrame, archive: Archive, claim: Claim) -> DataFrame:
    """Add the column HELD: where each event already is.

    It has `position`, `positions` and `place` of what was there of each.
    Places are `archive` and the stages of the unresolved quarantine. Only data files whose offsets overlap the claim's
    ranges are read.
    """
    within = _within(claim.ranges)
    rows, kept = claim.compared.tables(records.sparkSession, archive)
    archived = rows.where(within).select(*COORDINATES, F.lit(ARCHIVE).alias("place"))
    waiting = kept.where(within).where("resolved_at IS NULL").where(quarantine.of_records())
    places = archived.unionAll(waiting.select(*COORDINATES, "stage"))
    entry = F.struct("position", "positions", "place")
    held = places.groupBy(*RECORD).agg(F.collect_set(entry).alias(HELD))
    return records.join(held, list(RECORD), "left")


def _within(ranges: Ranges) -> Column:
    """Condition: the coordinates lie in one of the ranges."""
    conditions = [
        (F.col("topic") == r.topic) & (F.col("partition") == r.partition) & F.col("offset").between(r.first, r.last)
        for r in ranges
    ]
    return reduce(lambda a, b: a | b, conditions, F.lit(False))
