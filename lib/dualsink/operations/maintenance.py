"""Maintenance of the Iceberg tables beside the running stream.

Fewer and sorted files, a short history, no orphans. `plan` says what there is to do and why, and changes nothing;
`execute` does it. What is safe, and why: docs/decisions/0006-maintenance.md.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_incrementing

from dualsink import words
from dualsink.errors import MaintenanceRefused
from dualsink.iceberg import data_files as parquet_files
from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.snapshots import Snapshot
from dualsink.iceberg.storage import Bucket
from dualsink.operations import plan as plan_of
from dualsink.settings import Settings
from dualsink.spark import local_rows
from dualsink.stream import exactly_once

IDLE = timedelta(days=30)
"""A query that has written nothing for so long loses its marker; should it run again, its first batch is compared."""
_ATTEMPTS = 4
_FILE_BYTES, _MANIFEST_BYTES = 512 * 2**20, 8 * 2**20  # Iceberg's targets
_ORDERS = {
    "timestamp": "service ASC NULLS LAST, timestamp ASC NULLS LAST",
    "quarantined_at": "stage ASC NULLS LAST, kafka_timestamp ASC NULLS LAST",
}
_TIMED = 3


@dataclass(frozen=True)
class Upkeep:
    """Upkeep of the archive: tables, catalogue, storage, and ages.

    Snapshots are kept for `snapshot_days`. A file in no snapshot is an orphan after `orphan_hours`, and goes only with
    `remove_orphans`.
    """

    archive: Archive
    catalogue: Nessie
    bucket: Bucket
    snapshot_days: float
    orphan_hours: int
    remove_orphans: bool

    @classmethod
    def of(cls, settings: Settings) -> "Upkeep":
        """Return the upkeep of the settings' archive."""
        archive = Archive.of(settings)
        return cls(
            archive,
            Nessie.of(archive),
            Bucket.of(settings),
            settings.snapshot_days,
            settings.orphan_hours,
            settings.remove_orphans,
        )


@dataclass(frozen=True)
class Figures:
    """Size of a table.

    Data files and their bytes, rows, manifests, snapshots; objects and bytes in the storage.
    """

    data_files: int
    data_bytes: int
    rows: int
    manifests: int
    snapshots: int
    objects: int
    stored_bytes: int

    def __str__(self) -> str:
        files = f"{words.count(self.data_files, 'file')} ({words.size(self.data_bytes)})"
        return (
            f"{words.count(self.rows, 'row')} in {files}, "
            f"{words.count(self.manifests, 'manifest')}, {words.count(self.snapshots, 'snapshot')}; "
            f"{words.count(self.objects, 'object')} ({words.size(self.stored_bytes)}) in the storage"
        )


@dataclass(frozen=True)
class Measured:
    """Figures by table, and the seconds of one question."""

    tables: dict[str, Figures]
    query_seconds: float

    def lines(self) -> list[str]:
        """Return the figures for people, a line each."""
        figures = [f"{table.rpartition('.')[2]}: {found}" for table, found in self.tables.items()]
        return [*figures, f"a question to closed days takes {self.query_seconds} s"]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class StoredFile:
    """Object of a table in the storage; `modified` is UTC."""

    path: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for a table or its day.

    Verbs are `compact`, `manifests`, `expire`, `orphans` and `keep`.

    `day` is set for compaction, `before` (UTC) for expiry, `orphans` for the removal of files in no snapshot.
    """

    table: str
    what: str
    day: date | None = None
    before: datetime | None = None
    orphans: tuple[StoredFile, ...] = ()

    @property
    def target(self) -> str:
        """Table, and what of it."""
        return f"{self.table.rpartition('.')[2]}, {self.what}"

    def about(self) -> dict[str, Any]:
        """Return table, and files to remove, as JSON types."""
        files = {"files": [file.path for file in self.orphans]} if self.orphans else {}
        return {"table": self.table, "what": self.what, **files}


@dataclass(frozen=True)
class Maintenance(plan_of.Result):
    """Result of maintenance, with the figures before and after.

    With `dry_run` the steps are planned only; `refusal` as of `refusal_of`.
    """

    dry_run: bool
    before: Measured
    after: Measured
    steps: list[Step]
    refusal: str = ""

    @property
    def fact(self) -> str:
        """Days compacted, histories shortened, steps left for later."""
        counts = Counter(step.verb for step in self.steps)
        days = f"{words.count(counts['compact'], 'day')} compacted"
        histories = f"{words.count(counts['expire'], 'history', 'histories')} shortened"
        return plan_of.unless_planned(f"{days}, {histories}, {counts['keep']} kept", self.dry_run)

    def lines(self) -> list[str]:
        """Return the steps, then the figures."""
        moments = {"now": self.before} if self.dry_run else {"before": self.before, "after": self.after}
        figures = [f"{moment:9} {line}" for moment, measured in moments.items() for line in measured.lines()]
        return [*([str(step) for step in self.steps] or ["nothing to do"]), *figures]

    def as_dict(self) -> dict[str, Any]:
        """Return figures and steps as JSON types."""
        figures = {"before": self.before.as_dict(), "after": self.after.as_dict()}
        return {"dry_run": self.dry_run, **figures, "steps": [step.as_dict() for step in self.steps]}

    def check(self) -> None:
        """Raise MaintenanceRefused if files had to stay."""
        if self.refusal and not self.dry_run:
            raise MaintenanceRefused(f"No snapshot expired and no file was removed: {self.refusal}.")


def run(spark: SparkSession, upkeep: Upkeep, dry_run: bool = False, say: plan_of.Say = plan_of.quietly) -> Maintenance:
    """Measure, execute the plan, and measure again.

    `say` gets each step as it is done. A dry run changes nothing. The result's `check` raises MaintenanceRefused if
    files had to stay.
    """
    before, refusal = measure(spark, upkeep), refusal_of(upkeep.catalogue)
    work = None if dry_run else partial(execute, spark, upkeep)
    steps = plan_of.carry_out(plan(spark, upkeep), work, say)
    return Maintenance(dry_run, before, before if dry_run else measure(spark, upkeep), steps, refusal)


# -- looking -----------------------------------------------------------------------------------------


def tables(spark: SparkSession, archive: Archive) -> list[str]:
    """Return the existing, non-empty tables under maintenance."""
    return [t for t in archive.written if spark.catalog.tableExists(t) and any(snapshots.ancestors(spark, t))]


def figures(spark: SparkSession, bucket: Bucket, table: str) -> Figures:
    """Measure a table that holds something, as of now.

    From metadata and one listing of the storage.
    """
    handle = snapshots.load(spark, table)
    snapshot = handle.currentSnapshot()
    total = {name: int(snapshot.summary().get(f"total-{name}")) for name in ("data-files", "files-size", "records")}
    objects = list(stored(bucket, handle.location()))
    return Figures(
        *total.values(),
        snapshot.allManifests(handle.io()).size(),
        sum(1 for _ in handle.snapshots()),
        len(objects),
        sum(file.size for file in objects),
    )


def measure(spark: SparkSession, upkeep: Upkeep) -> Measured:
    """Measure every table, and the seconds of a question.

    The question is the busiest service's events by level on all closed days, asked three times; the best counts. It is
    not asked of an empty archive.
    """
    found = {table: figures(spark, upkeep.bucket, table) for table in tables(spark, upkeep.archive)}
    return Measured(found, _query_seconds(spark, upkeep.archive.table) if upkeep.archive.table in found else 0.0)


def _query_seconds(spark: SparkSession, archive: str) -> float:
    closed = snapshots.pinned(spark, archive).where(F.col("timestamp") < F.lit(_midnight(_today())))
    busiest = closed.groupBy("service").count().orderBy(F.desc("count"), "service").first()
    asked = closed.where(F.col("service").eqNullSafe(busiest.service if busiest else None))
    return round(min(_seconds(asked) for _ in range(_TIMED)), 3)


def _seconds(asked: DataFrame) -> float:
    began = time.monotonic()
    asked.groupBy("level").agg(F.count("*"), F.max("message")).collect()
    return time.monotonic() - began


def stored(bucket: Bucket, location: str) -> Iterator[StoredFile]:
    """List every object under a location (`s3://…`)."""
    name, _, prefix = location.removeprefix("s3://").partition("/")
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=f"{prefix.rstrip('/')}/")
    for page in pages:
        for found in page.get("Contents", []):
            yield StoredFile(f"s3://{name}/{found['Key']}", found["Size"], found["LastModified"].astimezone(UTC))


# -- planning ----------------------------------------------------------------------------------------


def plan(spark: SparkSession, upkeep: Upkeep, now: datetime | None = None) -> list[Step]:
    """Plan the steps of every table, without changing any.

    Tables come in order, oldest day first. A day is closed when it is before today (UTC). Snapshots older than
    `snapshot_days` expire, but not the newest marker of a query. Orphans are files in no snapshot, older than
    `orphan_hours`; they go only with `remove_orphans`.
    """
    now = now or datetime.now(UTC)
    refusal = refusal_of(upkeep.catalogue)
    steps = []
    for table in tables(spark, upkeep.archive):
        deleting = [*_expiry(spark, upkeep.snapshot_days, table, now), *_orphans(spark, upkeep, table, now)]
        steps += [*_compactions(spark, table, now.date()), *_manifests(spark, table)]
        steps += [replace(step, verb="keep", reason=refusal) if refusal else step for step in deleting]
    return steps


def refusal_of(catalogue: Nessie) -> str:
    """Return why no file may be deleted now, else nothing.

    Files of a table may serve another branch or tag of the catalogue, and this suite does not look into those.
    """
    others = [name for name in catalogue.references() if name != catalogue.ref]
    if not others:
        return ""
    return (
        f"refused, because the Nessie server has other references ({', '.join(others)}) that may need the files: "
        "delete those references, or use Nessie's own garbage collector"
    )


def _compactions(spark: SparkSession, table: str, today: date) -> list[Step]:
    """Plan the compaction of closed days with too many files."""
    partition = snapshots.load(spark, table).spec().fields()[0].name()
    days = spark.sql(f"""
        SELECT partition.{partition} AS day, file_count AS files, total_data_file_size_in_bytes AS bytes
        FROM {table}.partitions WHERE partition.{partition} < DATE '{today}' ORDER BY 1
    """)
    return [_compaction(table, row) for row in days.collect() if row.files > math.ceil(row.bytes / _FILE_BYTES)]


def _compaction(table: str, row: Row) -> Step:
    found = f"{words.count(row.files, 'file')}, {words.size(row.bytes)}"
    return Step(table, f"{row.day}", row.day, verb="compact", reason=found)


def _manifests(spark: SparkSession, table: str) -> list[Step]:
    handle = snapshots.load(spark, table)
    lengths = [manifest.length() for manifest in handle.currentSnapshot().allManifests(handle.io())]
    if len(lengths) <= math.ceil(sum(lengths) / _MANIFEST_BYTES):
        return []
    return [Step(table, f"{len(lengths):,} manifests", verb="manifests", reason="fewer would do")]


def horizon(ancestors: Sequence[Snapshot], now: datetime, days: float) -> datetime:
    """Return the time before which snapshots expire.

    Those are older than so many days, and older than what each query's next run looks at.
    A query that has been idle for IDLE keeps nothing; the current snapshot (the first) always stays.
    """
    needed = exactly_once.needed_since(ancestors, now - IDLE) or now
    return min(now - timedelta(days=days), ancestors[0].made_at, needed)


def _expiry(spark: SparkSession, days: float, table: str, now: datetime) -> list[Step]:
    ancestors = list(snapshots.ancestors(spark, table))
    before = horizon(ancestors, now, days)
    expiring = sum(snapshot.made_at < before for snapshot in ancestors)
    if not expiring:
        return []
    reason = f"made before {before:%Y-%m-%d %H:%M:%S}; what stays covers {days:g} days and all markers"
    what = f"{expiring:,} of {words.count(len(ancestors), 'snapshot')}"
    return [Step(table, what, before=before, verb="expire", reason=reason)]


def _orphans(spark: SparkSession, upkeep: Upkeep, table: str, now: datetime) -> list[Step]:
    """Return orphaned data files.

    Not metadata: what no snapshot needs is what Nessie's older commits point to.
    """
    limit = now - timedelta(hours=upkeep.orphan_hours)
    folder = snapshots.load(spark, table).locationProvider().newDataLocation("").rstrip("/")
    # Listed before the table is read: what is committed in between is found in it.
    old = {file.path: file for file in stored(upkeep.bucket, folder) if file.modified < limit}
    found = sorted(_unknown(spark, table, list(old)))
    if not found:
        return []
    size = sum(old[path].size for path in found)
    what = f"{words.count(len(found), 'file')} in no snapshot ({words.size(size)})"
    step = Step(table, what, orphans=tuple(old[path] for path in found), reason="--remove-orphans removes them")
    if not upkeep.remove_orphans:
        return [step]
    return [replace(step, verb="orphans", reason=f"older than {upkeep.orphan_hours} hours, so of no batch in flight")]


def _unknown(spark: SparkSession, table: str, paths: list[str]) -> list[str]:
    """Return those of some files that are in no snapshot."""
    if not paths:
        return []
    listed = local_rows.frame(spark, [(path,) for path in paths], "file_path string")
    known = spark.sql(f"SELECT file_path FROM {table}.all_files")
    return [row.file_path for row in listed.join(known, "file_path", "left_anti").collect()]


# -- doing -------------------------------------------------------------------------------------------


def execute(spark: SparkSession, upkeep: Upkeep, steps: list[Step]) -> Iterator[Step]:
    """Carry the plan out, yielding each step with its result.

    Where the stream's commits come first again and again, the step is kept for the next run. Raises
    MaintenanceRefused before it deletes a file that another reference of the catalogue may need.
    """
    work = {"compact": _compact, "manifests": _rewrite_manifests, "expire": _expire, "orphans": _remove}
    for step in steps:
        if step.verb == "keep":
            yield step
            continue
        try:
            done = _patiently(partial(work[step.verb], spark, upkeep, step))
            yield replace(step, reason=f"{step.reason}; {done}")
        except _Overtaken:
            yield replace(step, verb="keep", reason="other commits came first: the next run does it")


class _Overtaken(Exception):
    """Another commit came first, every time."""


def _patiently(work: Callable[[], str]) -> str:
    again = Retrying(
        retry=retry_if_exception(_lost_the_race), stop=stop_after_attempt(_ATTEMPTS), wait=wait_incrementing(0.5, 0.5)
    )
    try:
        return again(work)
    except RetryError:
        raise _Overtaken from None


def _lost_the_race(error: BaseException) -> bool:
    known = isinstance(error, (Py4JError, PySparkException))
    return known and any(sign in str(error) for sign in ("CommitFailed", "ValidationException"))


def _compact(spark: SparkSession, upkeep: Upkeep, step: Step) -> str:
    column = parquet_files.day_column(spark, step.table)
    end = step.day + timedelta(days=1)
    row = _call(
        spark, "rewrite_data_files", step.table,
        strategy="'sort'", sort_order=f"'{_ORDERS[column]}'", options="map('min-input-files', '2')",
        where=f"\"{column} >= TIMESTAMP '{step.day} 00:00:00' AND {column} < TIMESTAMP '{end} 00:00:00'\"",
    )  # fmt: skip
    return f"{words.count(row.rewritten_data_files_count, 'file')} became {row.added_data_files_count:,}"


def _rewrite_manifests(spark: SparkSession, upkeep: Upkeep, step: Step) -> str:
    row = _call(spark, "rewrite_manifests", step.table)
    return f"{row.rewritten_manifests_count:,} became {row.added_manifests_count:,}"


def _expire(spark: SparkSession, upkeep: Upkeep, step: Step) -> str:
    with collecting(spark, upkeep.catalogue, step.table):
        row = _call(spark, "expire_snapshots", step.table, older_than=_literal(step.before), retain_last="1")
    return f"{row.deleted_data_files_count:,} data files and {_metadata_files(row):,} metadata files deleted"


def _metadata_files(row: Row) -> int:
    return row.deleted_manifest_files_count + row.deleted_manifest_lists_count


def _remove(spark: SparkSession, upkeep: Upkeep, step: Step) -> str:
    """Remove listed files that Iceberg does not know.

    It compares them with the table once more.
    """
    listed = [(file.path, file.modified) for file in step.orphans]
    local_rows.frame(spark, listed, "file_path string, last_modified timestamp").createOrReplaceTempView(
        "dualsink_stored"
    )
    limit = datetime.now(UTC) - timedelta(hours=upkeep.orphan_hours)
    with collecting(spark, upkeep.catalogue, step.table):
        rows = _call_all(
            spark, "remove_orphan_files", step.table,
            older_than=_literal(limit), file_list_view="'dualsink_stored'",
        )  # fmt: skip
    return f"{len(rows):,} deleted"


@contextmanager
def collecting(spark: SparkSession, catalogue: Nessie, table: str) -> Iterator[None]:
    """Let Iceberg delete files of a table during the block.

    Afterwards the catalogue's protection is back. Raises MaintenanceRefused if the files may be needed by another
    reference.
    """
    if refusal := refusal_of(catalogue):
        raise MaintenanceRefused(f"Nothing of {table} was deleted: {refusal}.")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled' = 'true')")
    try:
        yield
    finally:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled' = 'false')")


def _call(spark: SparkSession, procedure: str, table: str, **arguments: str) -> Row:
    return _call_all(spark, procedure, table, **arguments)[0]


def _call_all(spark: SparkSession, procedure: str, table: str, **arguments: str) -> list[Row]:
    """Call one of Iceberg's procedures and return its rows.

    Arguments are SQL.
    """
    given = ", ".join(f"{name} => {value}" for name, value in {"table": f"'{table}'", **arguments}.items())
    return spark.sql(f"CALL {table.partition('.')[0]}.system.{procedure}({given})").collect()


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"


def _today() -> date:
    return datetime.now(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
