"""Repair of the archive's own rows.

Exact copies go, and what Kafka contradicts becomes what Kafka has. The archive is the record, but Kafka's bytes are the
truth while they exist. A row is taken out only if an exact copy of it stays, or the row that Kafka's record makes. Rows
of one event with different contents, of which Kafka knows nothing more, stay and are told: which of them is right only
a person can say.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import partial, reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import ShapeMismatch
from dualsink.events.model import ARCHIVE_COLUMNS, IDENTITY
from dualsink.events.reading import Reading
from dualsink.iceberg import data_files, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.servers import Storage
from dualsink.kafka.topic import Incarnation, Topic, watermarks
from dualsink.ledger import kafka_side
from dualsink.ledger.digest import digested
from dualsink.operations import audit_log, legal_holds
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.operations.legal_holds import Holds
from dualsink.settings import Settings

_NAMED_AT_MOST = 20
_KEY = list(IDENTITY)


class Fault(StrEnum):
    """Fault of a row."""

    COPY = "exact copy"
    """Another row of the event has the same content: this one goes."""
    FALSE = "contradicted copy"
    """Another row of the event is what Kafka's record makes: this one goes."""
    ALTERED = "altered"
    """Kafka's record makes another row, which takes its place."""
    HELD = "altered, under a legal hold"
    """Likewise, but nothing of the event may be changed."""
    AMBIGUOUS = "with several contents"
    """Rows of the event differ, and Kafka has its record no more."""


_REMOVED, _REPLACED = (Fault.COPY, Fault.FALSE), (Fault.ALTERED,)
_REASONS = {
    "removing": "exact copies, and rows that Kafka's record contradicts, beside the right ones",
    "replacing": "Kafka's record makes another row, which has taken its place",
}


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for the rows of one event day.

    `mend`, or `keep` if nothing of it may be changed.
    """

    day: date
    counts: Mapping[Fault, int]

    @property
    def target(self) -> str:
        """The day of the archive."""
        return f"archive {self.day}"

    def about(self) -> dict[str, Any]:
        """Return the day and its counts as JSON types."""
        return {"day": str(self.day), **{fault.value: count for fault, count in self.counts.items()}}


@dataclass(frozen=True)
class Rows:
    """Rows at fault by day.

    With the names of those that stay so.
    """

    steps: list[Step] = field(default_factory=list)
    left: tuple[str, ...] = ()

    def count(self, *faults: Fault) -> int:
        """Count rows by their faults."""
        return sum(step.counts.get(fault, 0) for step in self.steps for fault in faults)

    @property
    def removed(self) -> int:
        """Rows that go."""
        return self.count(*_REMOVED)

    @property
    def replaced(self) -> int:
        """Rows that others take the place of."""
        return self.count(*_REPLACED)


def mend(spark: SparkSession, settings: Settings, incarnation: Incarnation, who: str, dry_run: bool = False) -> Rows:
    """Remove exact copies and replace altered rows.

    A row is altered if it differs from Kafka's record. Only this topic's rows; in one commit, which `who` answers for
    in the audit log. Raises FilesChanged, and changes nothing, if somebody else rewrites the files or Kafka drops the
    records meanwhile, CheckpointError if the topic is created again meanwhile, ShapeMismatch for a table with columns
    of somebody else's.
    """
    archive = Archive.of(settings)
    base = snapshots.current(spark, archive.table)
    if base is None:
        return Rows()
    topic = Topic.of(settings)
    records = kafka_side.records_between(spark, topic, incarnation.id, watermarks(topic))
    right = kafka_side.parsed(records, Reading.of(settings)).where("timestamp IS NOT NULL")
    rows = _placed(spark, archive.table, base).where(F.col("topic") == topic.name)
    holds = legal_holds.read(settings.legal_holds)
    faults = _faults(rows, right, _held(holds)).persist()
    try:
        found = Rows(_steps(faults), _names(faults))
        if not dry_run and found.removed + found.replaced:
            entries = _entries(archive.table, holds, found.steps, who, base)
            _replace(spark, settings, base, faults, right, incarnation, entries)
        return found
    finally:
        faults.unpersist()


def _placed(spark: SparkSession, table: str, base: int) -> DataFrame:
    """Return a snapshot's rows with their `file` and `pos`."""
    rows = spark.read.option("versionAsOf", base).table(table)
    return rows.select("*", F.col("_file").alias("file"), F.col("_pos").alias("pos"))


# -- what is wrong -------------------------------------------------------------------------------------


def _held(holds: Holds) -> Column:
    held = [hold.of_event() for hold in holds.holds]
    return reduce(lambda a, b: a | b, held, F.lit(False))


def _faults(rows: DataFrame, right: DataFrame, held: Column) -> DataFrame:
    """Rows at fault: IDENTITY, `day`, `digest`, `file`, `pos` and `fault`."""
    all_rows = digested(rows.withColumn("held", held), "file", "pos", "held")
    truth = digested(right).select(*_KEY, "positions", F.col("digest").alias("truth"))
    doubled = all_rows.groupBy(*_KEY).count().where("count > 1").select(*_KEY)
    altered = all_rows.join(truth, [*_KEY, "positions"]).where("digest <> truth").select(*_KEY)
    of_events = all_rows.join(doubled.unionAll(altered).distinct(), _KEY, "left_semi")
    known = of_events.join(truth, [*_KEY, "positions"], "left").withColumn("is_true", F.expr("digest <=> truth"))
    event, place = Window.partitionBy(*_KEY), ["file", "pos"]
    ranks = {
        "best": F.row_number().over(event.orderBy(F.desc("is_true"), *place)),
        "copy": F.row_number().over(Window.partitionBy(*_KEY, "digest").orderBy(*place)),
        "contents": F.size(F.collect_set("digest").over(event)),
        "held": F.max("held").over(event),
    }
    judged = known.withColumns(ranks).withColumn("fault", _fault()).where("fault IS NOT NULL")
    return judged.select(*_KEY, "topic", "day", "digest", "file", "pos", "fault")


def _fault() -> Column:
    there, is_true = F.col("truth").isNotNull(), F.col("is_true")
    return (
        F.when(there & is_true & (F.col("best") == 1), None)
        .when(~there & (F.col("contents") == 1) & (F.col("copy") == 1), None)
        .when((there & is_true) | (~there & (F.col("copy") > 1)), Fault.COPY)
        .when(~there, Fault.AMBIGUOUS)
        .when(F.col("held"), Fault.HELD)
        .when(F.col("best") > 1, Fault.FALSE)
        .otherwise(Fault.ALTERED)
    )


def _steps(faults: DataFrame) -> list[Step]:
    days: dict[date, Counter[Fault]] = {}
    for row in faults.groupBy("day", "fault").count().collect():
        days.setdefault(row.day, Counter())[Fault(row.fault)] += row["count"]
    return [_step(day, counts) for day, counts in sorted(days.items())]


def _step(day: date, counts: Counter[Fault]) -> Step:
    reason = ", ".join(f"{words.count(counts[fault], 'row')} {fault.value}" for fault in Fault if counts[fault])
    return Step(day, counts, verb="mend" if counts.keys() & {*_REMOVED, *_REPLACED} else "keep", reason=reason)


def _names(faults: DataFrame) -> tuple[str, ...]:
    """Name rows that stay at fault, with their digests."""
    left = faults.where(F.col("fault").isin(Fault.HELD, Fault.AMBIGUOUS)).orderBy(*_KEY, "digest").limit(_NAMED_AT_MOST)
    return tuple(
        f"{row.topic}-{row.partition}-{row.offset} position {row.position}, digest {row.digest}: {row.fault}"
        for row in left.collect()
    )


# -- doing ---------------------------------------------------------------------------------------------


def _entries(table: str, holds: Holds, steps: Sequence[Step], who: str, base: int) -> list[Entry]:
    name, policy = uuid.uuid4().hex, str(holds)
    counts = [
        (action, step.day, count)
        for step in steps
        for action, faults in (("removing", _REMOVED), ("replacing", _REPLACED))
        if (count := sum(step.counts.get(fault, 0) for fault in faults))
    ]
    return [
        Entry(name, who, action, table, day, n, 0, policy, _REASONS[action], base) for action, day, n in counts
    ]  # fmt: skip


def _replace(
    spark: SparkSession, settings: Settings, base: int, faults: DataFrame, right: DataFrame,
    incarnation: Incarnation, entries: Sequence[Entry],
) -> None:  # fmt: skip
    """Write the touched files again in one commit.

    Without what goes and with what is right.
    """
    archive, columns = Archive.of(settings), list(ARCHIVE_COLUMNS)
    if more := set(spark.table(archive.table).columns) - set(columns):
        raise ShapeMismatch(f"{archive.table} has columns of somebody else's, {sorted(more)}: no row of it is touched.")
    touched = faults.where(F.col("fault").isin(*_REMOVED, *_REPLACED))
    files = [row.file for row in touched.select("file").distinct().collect()]
    # The files' rows of other topics, too.
    there = _placed(spark, archive.table, base).where(F.col("file").isin(files))
    stay = there.join(touched, ["file", "pos"], "left_anti")
    altered = touched.where(F.col("fault") == Fault.ALTERED)
    new = stay.select(*columns).unionByName(right.join(altered, _KEY, "left_semi").select(*columns))
    written = data_files.write(
        new, Storage.of(settings), data_files.layout(spark, archive.table, ARCHIVE_COLUMNS, "timestamp")
    )
    # Not what the files count: another engine may have deleted rows by their positions.
    rows = there.count() - touched.where(F.col("fault").isin(*_REMOVED)).count()
    old = data_files.known(spark, archive.table, base, files)
    incarnation.verify(settings.retry_deadline_seconds)
    commit = partial(data_files.replace, spark, archive.table, base, old, written, rows)
    audit_log.carry_out(spark, archive, entries, commit)
