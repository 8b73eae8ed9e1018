"""Retention of the archive: expired days, legal holds, reasons.

`plan` decides and changes nothing; `execute` deletes whole days, by their files and so without rewriting any, and
writes each deletion into the audit log. The bytes leave the storage when maintenance expires the older snapshots.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial, reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import FilesChanged
from dualsink.events.model import RECORD
from dualsink.iceberg import data_files, quarantine, snapshots, tables
from dualsink.iceberg.archive import Archive
from dualsink.kafka.topic import Topic, topic_id, watermarks
from dualsink.ledger import accounts, kafka_side
from dualsink.opensearch import index
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import audit_log, legal_holds
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.operations.legal_holds import Holds
from dualsink.settings import Settings


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for one day of a table: `keep` or `delete`.

    `last` is set if it is for all days from `day` to it. `files` are the day's data files in `snapshot`: what is
    deleted is exactly what was decided on.
    """

    table: str
    day: date
    rows: int
    size: int
    policy: str
    snapshot: int
    files: tuple[str, ...] = field(default=(), repr=False)
    last: date | None = None

    @property
    def target(self) -> str:
        """Table, days, rows and bytes."""
        days = f"{self.day} to {self.last}" if self.last else f"{self.day}"
        size = f"{words.count(self.rows, 'row')}, {words.size(self.size)}"
        return f"{self.table.rpartition('.')[2]} {days} ({size})"

    def about(self) -> dict[str, Any]:
        """Return table, days and size as JSON types."""
        days = {"day": self.day.isoformat(), "last": self.last.isoformat() if self.last else None}
        return {"table": self.table, **days, "rows": self.rows, "bytes": self.size}


@dataclass(frozen=True)
class Retirement(plan_of.Result):
    """Result of retirement: days deleted, or planned with `dry_run`.

    `who` is the one in the audit log.
    """

    dry_run: bool
    who: str
    steps: list[Step]

    @property
    def fact(self) -> str:
        """Days and rows that were deleted."""
        deleted = [step for step in self.steps if step.verb == "delete"]
        rows = words.count(sum(step.rows for step in deleted), "row")
        return plan_of.unless_planned(f"{words.count(len(deleted), 'day')} deleted, {rows}", self.dry_run)

    def lines(self) -> list[str]:
        """Return every step."""
        return [str(step) for step in self.steps] or ["no table holds anything"]

    def as_dict(self) -> dict[str, Any]:
        """Return the steps as JSON types."""
        return {"dry_run": self.dry_run, "who": self.who, "days": [step.as_dict() for step in self.steps]}


@dataclass(frozen=True)
class Terms:
    """Terms on which the archive lets a day go.

    `years` are those of archive and quarantine, `legal_holds` is a file, empty means none. A day that the topic or the
    hot tier still has is not let go.
    """

    archive: Archive
    topic: Topic
    hot: HotTier
    years: tuple[int, int]
    legal_holds: str

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """Return the terms of the settings."""
        return cls(
            Archive.of(settings),
            Topic.of(settings),
            HotTier.of(settings),
            (settings.archive_years, settings.quarantine_years),
            settings.legal_holds,
        )


def run(
    spark: SparkSession,
    terms: Terms,
    who: str,
    why: str = "",
    dry_run: bool = False,
    say: plan_of.Say = plan_of.quietly,
) -> Retirement:
    """Delete the planned days; `say` gets each step.

    A dry run changes nothing.
    """
    if not dry_run:
        audit_log.end_open(spark, terms.archive)
    work = None if dry_run else partial(execute, spark, terms.archive, who=who, why=why)
    return Retirement(dry_run, who, plan_of.carry_out(plan(spark, terms), work, say))


def plan(spark: SparkSession, terms: Terms, today: date | None = None) -> list[Step]:
    """Plan a step for every expired day of both tables.

    Steps are oldest day first, with one step for all younger days. A day is expired when it is before this day
    the terms' years ago, in UTC. It stays all the same while a legal hold holds an event of it,
    while Kafka still has a record of it (a replay would bring it back), and while OpenSearch still has it (its
    retention needs the archive as proof).
    """
    today, found = today or datetime.now(UTC).date(), legal_holds.read(terms.legal_holds)
    steps: list[Step] = []
    for shape, count in zip(tables.shapes(terms.archive), terms.years, strict=True):
        if spark.catalog.tableExists(shape.table):
            days = _days(spark, shape, f"{count} years, {found}")
            limit = _years_before(today, count)
            old = [day for day in days if day.day < limit]
            steps += _decided(spark, terms, shape, old, found, count) + _younger(days[len(old) :], limit, count)
    return steps


def _years_before(day: date, years: int) -> date:
    """Return the same day of an earlier year.

    The 28th for a 29th of February, so that a day is rather kept.
    """
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _days(spark: SparkSession, shape: tables.Shape, policy: str) -> list[Step]:
    """Return every day of a table with its files.

    Oldest first, all of one snapshot.
    """
    handle = snapshots.load(spark, shape.table)
    if handle.currentSnapshot() is None:
        return []
    snapshot, partition = handle.currentSnapshot().snapshotId(), handle.spec().fields()[0].name()
    rows = spark.sql(f"""
        SELECT partition.{partition} AS day, sum(record_count) AS rows, sum(file_size_in_bytes) AS size,
               collect_list(file_path) AS files
        FROM {shape.table}.files VERSION AS OF {snapshot} WHERE content = 0 GROUP BY 1 ORDER BY 1
    """).collect()
    return [Step(shape.table, r.day, r.rows, r["size"], policy, snapshot, tuple(r.files)) for r in rows]


def _younger(days: list[Step], limit: date, years: int) -> list[Step]:
    """Return one step for all days that are not expired."""
    if not days:
        return []
    rows, size = sum(day.rows for day in days), sum(day.size for day in days)
    reason = f"{words.count(len(days), 'day')}, none before {limit}, {years} years ago"
    return [replace(days[0], last=days[-1].day, rows=rows, size=size, reason=reason, files=())]


def _decided(
    spark: SparkSession, terms: Terms, shape: tables.Shape, days: list[Step], found: Holds, years: int
) -> list[Step]:
    """Decide on expired days: kept, with the reason, or deleted."""
    if not days:
        return []
    rows = spark.read.option("versionAsOf", days[0].snapshot).table(shape.table)
    rows = rows.withColumn("day", F.to_date(shape.day)).where(F.col("day") <= F.lit(days[-1].day))
    held, waiting = _held(rows, shape, found), _in_kafka(spark, terms.topic, rows)
    hot = _in_opensearch(terms.hot) if shape.table == terms.archive.table else {}
    kept = {day: reason for reasons in (hot, waiting, held) for day, reason in reasons.items()}
    gone = f"past its {years} years, held by nothing"
    return [
        replace(day, reason=kept[day.day]) if day.day in kept else replace(day, verb="delete", reason=gone)
        for day in days
    ]


def _held(rows: DataFrame, shape: tables.Shape, found: Holds) -> dict[date, str]:
    """Return days with a held event, and their holds."""
    if not found.holds:
        return {}
    of_archive = "service" in shape.columns
    conditions = [hold.of_event() if of_archive else hold.of_record() for hold in found.holds]
    counts = [F.count_if(condition).alias(f"hold_{i}") for i, condition in enumerate(conditions)]
    reasons = {}
    for row in rows.groupBy("day").agg(*counts).collect():
        holds = [_told(hold, row[f"hold_{i}"]) for i, hold in enumerate(found.holds) if row[f"hold_{i}"]]
        if holds:
            reasons[row.day] = "; ".join(holds)
    return reasons


def _told(hold: legal_holds.Hold, count: int) -> str:
    return f"legal hold {hold.name} on {count:,} of its events ({hold.reason})"


def _in_kafka(spark: SparkSession, topic: Topic, rows: DataFrame) -> dict[date, str]:
    """Return days of which the topic still has records.

    It is read only if offsets say that it may have some.
    """
    first = watermarks(topic)
    later = reduce(
        lambda a, b: a | b,
        [(F.col("partition") == p) & (F.col("offset") >= beginning) for p, (beginning, _) in first.items()],
        F.lit(False),
    )
    candidates = rows.where((F.col("topic") == topic.name) & later).select("day", *RECORD)
    if candidates.isEmpty():
        return {}
    records = kafka_side.records_between(spark, topic, topic_id(topic), first)
    found = candidates.join(records, list(RECORD), "left_semi")
    counts = found.groupBy("day").count().collect()
    return {row.day: f"Kafka still has {row['count']:,} of its records: its retention comes first" for row in counts}


def _in_opensearch(hot: HotTier) -> Mapping[date, str]:
    """Return days that OpenSearch has, rehydrated ones too.

    Without their rows its documents would be unknown, and `rescue` would archive again what was erased.
    """
    with closing(index.connect(hot.cluster)) as client:
        days = [index.day_indices(client, prefix) for prefix in hot.prefixes]
    there = {day: name for found in days for day, name in found.items()}
    return {day: f"OpenSearch still has {name}: `retention` comes first" for day, name in there.items()}


# -- doing -------------------------------------------------------------------------------------------


def execute(spark: SparkSession, archive: Archive, steps: list[Step], who: str, why: str = "") -> Iterator[Step]:
    """Delete the planned days, one commit each.

    Yields every step as it was done. `who` and `why` go into the audit log. Events that arrived for a day since the
    plan was made stay; a day whose files have changed is kept for the next run.
    """
    for step in steps:
        yield _retire(spark, archive, step, who, why) if step.verb == "delete" else step


def _records(spark: SparkSession, archive: Archive, step: Step) -> str:
    """Return the day's records and bounds by partition.

    For the ledger. A record counts by its first event.
    """
    rows = spark.read.option("versionAsOf", step.snapshot).table(step.table).where("position = 0")
    if step.table == archive.quarantine:
        rows = rows.where(quarantine.unresolved(quarantine.PARSE))
    of_day = F.to_date(data_files.day_column(spark, step.table)) == F.lit(step.day)
    ends = [F.min("offset").alias("first"), F.max("offset").alias("last")]
    sums = rows.where(of_day).groupBy("topic_id", "partition").agg(F.countDistinct("offset").alias("records"), *ends)
    found = {(r.topic_id, r.partition): (r.records, [(r["first"], r["last"])]) for r in sums.collect()}
    return accounts.written(found)


def _retire(spark: SparkSession, archive: Archive, step: Step, who: str, why: str) -> Step:
    entry = Entry(
        uuid.uuid4().hex, who, "retiring", step.table, step.day, step.rows, step.size, step.policy,
        f"{step.reason}; {why}" if why else step.reason, step.snapshot, records=_records(spark, archive, step),
    )  # fmt: skip
    try:
        audit_log.carry_out(spark, archive, [entry], partial(data_files.delete, spark, step.table, step.files))
    except FilesChanged:
        return replace(step, verb="keep", reason="its files have changed since: the next run decides")
    return step
