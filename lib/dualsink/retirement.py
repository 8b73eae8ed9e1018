"""Retention of the archive: which event day is past its years, which a legal hold keeps, and why.

`plan` decides and changes nothing; `carry_out` deletes whole days, by their files and so without rewriting any, and
writes each deletion into the audit log. The bytes leave the storage when maintenance expires the older snapshots.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import reduce
from typing import Any, Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import auditlog, datafiles, holds, kafka, ledger, search, tables
from dualsink.auditlog import Entry
from dualsink.errors import FilesChanged
from dualsink.holds import Holds
from dualsink.settings import Settings
from dualsink.tables import COORDINATES


@dataclass(frozen=True)
class Step:
    """What happens to one day of a table, and why. `last` is set where a step is for all days from `day` to it.

    `files` are the day's data files in `snapshot`: what is deleted is exactly what was decided on.
    """

    table: str
    day: date
    rows: int
    size: int
    action: Literal["keep", "delete"]
    reason: str
    policy: str
    snapshot: int
    files: tuple[str, ...] = field(default=(), repr=False)
    last: date | None = None

    def __str__(self) -> str:
        days = f"{self.day} to {self.last}" if self.last else f"{self.day}"
        size = f"{self.rows:,} rows, {self.size / 1e6:,.1f} MB"
        return f"{self.action:6} {self.table.rpartition('.')[2]} {days} ({size}): {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON types."""
        days = {"day": self.day.isoformat(), "last": self.last.isoformat() if self.last else None}
        sizes = {"rows": self.rows, "bytes": self.size}
        return {"table": self.table, **days, **sizes, "action": self.action, "reason": self.reason}


def plan(spark: SparkSession, settings: Settings, today: date | None = None) -> list[Step]:
    """A step for every day of both tables that is past its years, oldest first, and one for all younger days.

    A day is past its years when it lies before this day `archive_years` (`quarantine_years`) ago, in UTC. It stays all
    the same while a legal hold holds an event of it, while Kafka still has a record of it (a replay would bring it
    back), and while OpenSearch still has it (its retention needs the archive as proof).
    """
    today, found = today or datetime.now(UTC).date(), holds.read(settings)
    years = (settings.archive_years, settings.quarantine_years)
    steps: list[Step] = []
    for shape, count in zip(tables.shapes(settings), years, strict=True):
        if spark.catalog.tableExists(shape.table):
            days = _days(spark, shape, f"{count} years, {found}")
            limit = _years_before(today, count)
            old = [day for day in days if day.day < limit]
            steps += _decided(spark, settings, shape, old, found, count) + _younger(days[len(old) :], limit, count)
    return steps


def _years_before(day: date, years: int) -> date:
    """The same day of the year; the 28th for a 29th of February, so that a day is rather kept."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _days(spark: SparkSession, shape: tables.Shape, policy: str) -> list[Step]:
    """Every day of a table with its files, oldest first, all of one snapshot."""
    handle = datafiles.load(spark, shape.table)
    if handle.currentSnapshot() is None:
        return []
    snapshot, partition = handle.currentSnapshot().snapshotId(), handle.spec().fields()[0].name()
    rows = spark.sql(f"""
        SELECT partition.{partition} AS day, sum(record_count) AS rows, sum(file_size_in_bytes) AS size,
               collect_list(file_path) AS files
        FROM {shape.table}.files VERSION AS OF {snapshot} WHERE content = 0 GROUP BY 1 ORDER BY 1
    """).collect()
    return [Step(shape.table, r.day, r.rows, r["size"], "keep", "", policy, snapshot, tuple(r.files)) for r in rows]


def _younger(days: list[Step], limit: date, years: int) -> list[Step]:
    """One step for all days that are not past their years."""
    if not days:
        return []
    rows, size = sum(day.rows for day in days), sum(day.size for day in days)
    reason = f"{len(days):,} days, none before {limit}, {years} years ago"
    return [replace(days[0], last=days[-1].day, rows=rows, size=size, reason=reason, files=())]


def _decided(
    spark: SparkSession, settings: Settings, shape: tables.Shape, days: list[Step], found: Holds, years: int
) -> list[Step]:
    """The days past their years, each with what keeps it, or to be deleted."""
    if not days:
        return []
    rows = spark.read.option("versionAsOf", days[0].snapshot).table(shape.table)
    rows = rows.withColumn("day", F.to_date(shape.day)).where(F.col("day") <= F.lit(days[-1].day))
    held, waiting = _held(rows, shape, found), _in_kafka(spark, settings, rows)
    hot = _in_opensearch(settings) if shape.table == settings.archive_table else {}
    kept = {day: reason for reasons in (hot, waiting, held) for day, reason in reasons.items()}
    gone = f"past its {years} years, held by nothing"
    return [
        replace(day, reason=kept[day.day]) if day.day in kept else replace(day, action="delete", reason=gone)
        for day in days
    ]


def _held(rows: DataFrame, shape: tables.Shape, found: Holds) -> dict[date, str]:
    """Days with a held event, and which holds those are."""
    if not found.holds:
        return {}
    of_archive = "service" in shape.columns
    conditions = [hold.of_event() if of_archive else hold.of_record() for hold in found.holds]
    counts = [F.count_if(condition).alias(f"hold_{i}") for i, condition in enumerate(conditions)]
    reasons = {}
    for row in rows.groupBy("day").agg(*counts).collect():
        told = [_told(hold, row[f"hold_{i}"]) for i, hold in enumerate(found.holds) if row[f"hold_{i}"]]
        if told:
            reasons[row.day] = "; ".join(told)
    return reasons


def _told(hold: holds.Hold, count: int) -> str:
    return f"legal hold {hold.name} on {count:,} of its events ({hold.reason})"


def _in_kafka(spark: SparkSession, settings: Settings, rows: DataFrame) -> dict[date, str]:
    """Days of which the topic still has records. It is read only where offsets say that it may have some."""
    first = kafka.watermarks(settings)
    later = reduce(
        lambda a, b: a | b,
        [(F.col("partition") == p) & (F.col("offset") >= beginning) for p, (beginning, _) in first.items()],
        F.lit(False),
    )
    candidates = rows.where((F.col("topic") == settings.kafka_topic) & later).select("day", *COORDINATES)
    if candidates.isEmpty():
        return {}
    found = candidates.join(ledger.kafka_records(spark, settings), list(COORDINATES), "left_semi")
    counts = found.groupBy("day").count().collect()
    return {row.day: f"Kafka still has {row['count']:,} of its records: its retention comes first" for row in counts}


def _in_opensearch(settings: Settings) -> Mapping[date, str]:
    with closing(search.connect(settings)) as client:
        days = search.day_indices(client, settings.opensearch_index)
    return {day: f"OpenSearch still has {name}: `retention` comes first" for day, name in days.items()}


# -- doing -------------------------------------------------------------------------------------------


def carry_out(spark: SparkSession, settings: Settings, steps: list[Step], who: str, why: str = "") -> Iterator[Step]:
    """Delete the days that the plan says, one commit each, and yield every step as it was done.

    `who` and `why` go into the audit log. Events that arrived for a day since the plan was made stay; a day whose files
    have changed is kept for the next run.
    """
    for step in steps:
        yield _retire(spark, settings, step, who, why) if step.action == "delete" else step


def _retire(spark: SparkSession, settings: Settings, step: Step, who: str, why: str) -> Step:
    entry = Entry(
        uuid.uuid4().hex, who, "retiring", step.table, step.day, step.rows, step.size, step.policy,
        f"{step.reason}; {why}" if why else step.reason, step.snapshot,
    )  # fmt: skip
    auditlog.append(spark, settings, entry)
    try:
        snapshot = datafiles.delete(spark, step.table, step.files, {"dualsink.audit-entry": entry.entry})
    except FilesChanged:
        changed = "its files have changed since: the next run decides"
        auditlog.append(spark, settings, entry.then("kept", None, changed))
        return replace(step, action="keep", reason=changed)
    auditlog.append(spark, settings, entry.then("retired", snapshot))
    return step
