"""Maintenance of the Iceberg tables beside the running stream: fewer and sorted files, short history, no orphans.

`plan` says what there is to do and why, and changes nothing; `carry_out` does it. What is safe, and why, stands in
docs/decisions/maintenance.md.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from dualsink import archive, datafiles, nessie, s3
from dualsink.datafiles import Snapshot
from dualsink.errors import MaintenanceRefused
from dualsink.settings import Settings

IDLE = timedelta(days=30)
"""A query that has written nothing for so long loses its marker; should it run again, its first batch is compared."""
_ATTEMPTS = 4
_FILE_BYTES, _MANIFEST_BYTES = 512 * 2**20, 8 * 2**20  # Iceberg's targets
_ORDERS = {
    "timestamp": "service ASC NULLS LAST, timestamp ASC NULLS LAST",
    "quarantined_at": "stage ASC NULLS LAST, kafka_timestamp ASC NULLS LAST",
}
_TIMED = 3

Action = Literal["compact", "manifests", "expire", "orphans", "keep"]


@dataclass(frozen=True)
class Figures:
    """Size of a table: its data files and their bytes, rows, manifests, snapshots; objects and bytes in the storage."""

    data_files: int
    data_bytes: int
    rows: int
    manifests: int
    snapshots: int
    objects: int
    stored_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows in {self.data_files:,} files ({self.data_bytes / 1e6:,.1f} MB), "
            f"{self.manifests:,} manifests, {self.snapshots:,} snapshots; "
            f"{self.objects:,} objects ({self.stored_bytes / 1e6:,.1f} MB) in the storage"
        )


@dataclass(frozen=True)
class Measured:
    """Figures by table, and the seconds of one question to the archive."""

    tables: dict[str, Figures]
    query_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class StoredFile:
    """An object of a table in the storage; `modified` is UTC."""

    path: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Step:
    """What maintenance does with one table, or one day of it, and why.

    `day` is set for compaction, `before` (UTC) for expiry, `orphans` for the removal of files in no snapshot.
    """

    table: str
    action: Action
    what: str
    reason: str
    day: date | None = None
    before: datetime | None = None
    orphans: tuple[StoredFile, ...] = ()

    def __str__(self) -> str:
        return f"{self.action:9} {self.table.rpartition('.')[2]}, {self.what}: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON types."""
        files = {"files": [file.path for file in self.orphans]} if self.orphans else {}
        return {"table": self.table, "action": self.action, "what": self.what, "reason": self.reason, **files}


# -- looking -----------------------------------------------------------------------------------------


def tables(spark: SparkSession, settings: Settings) -> list[str]:
    """The tables under maintenance that exist and hold something."""
    known = (settings.archive_table, settings.quarantine_table)
    return [t for t in known if spark.catalog.tableExists(t) and any(datafiles.ancestors(spark, t))]


def figures(spark: SparkSession, settings: Settings, table: str) -> Figures:
    """The figures of a table that holds something, as of now; from metadata and one listing of the storage."""
    handle = datafiles.load(spark, table)
    snapshot = handle.currentSnapshot()
    total = {name: int(snapshot.summary().get(f"total-{name}")) for name in ("data-files", "files-size", "records")}
    objects = list(stored(settings, handle.location()))
    return Figures(
        *total.values(),
        snapshot.allManifests(handle.io()).size(),
        sum(1 for _ in handle.snapshots()),
        len(objects),
        sum(file.size for file in objects),
    )


def measure(spark: SparkSession, settings: Settings) -> Measured:
    """The figures of every table, and the seconds that the archive needs for a question.

    The question is the busiest service's events by level on all closed days, asked three times; the best counts. It is
    not asked of an empty archive.
    """
    found = {table: figures(spark, settings, table) for table in tables(spark, settings)}
    return Measured(found, _query_seconds(spark, settings) if settings.archive_table in found else 0.0)


def _query_seconds(spark: SparkSession, settings: Settings) -> float:
    closed = spark.table(settings.archive_table).where(F.col("timestamp") < F.lit(_midnight(_today())))
    busiest = closed.groupBy("service").count().orderBy(F.desc("count"), "service").first()
    asked = closed.where(F.col("service").eqNullSafe(busiest.service if busiest else None))
    return round(min(_seconds(asked) for _ in range(_TIMED)), 3)


def _seconds(asked: DataFrame) -> float:
    began = time.monotonic()
    asked.groupBy("level").agg(F.count("*"), F.max("message")).collect()
    return time.monotonic() - began


def stored(settings: Settings, location: str) -> Iterator[StoredFile]:
    """Every object under a location (`s3://…`)."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    pages = (
        s3.client(settings).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix.rstrip('/')}/")
    )
    for page in pages:
        for found in page.get("Contents", []):
            yield StoredFile(f"s3://{bucket}/{found['Key']}", found["Size"], found["LastModified"].astimezone(UTC))


# -- planning ----------------------------------------------------------------------------------------


def plan(spark: SparkSession, settings: Settings, now: datetime | None = None) -> list[Step]:
    """What there is to do, table by table, oldest day first; nothing is changed.

    A day is closed when it lies before today (UTC). Snapshots older than `snapshot_days` expire, but not the newest
    marker of a query. Orphans are files in no snapshot, older than `orphan_hours`; they go only with `remove_orphans`.
    """
    now = now or datetime.now(UTC)
    refusal = refusal_of(settings)
    steps = []
    for table in tables(spark, settings):
        deleting = [*_expiry(spark, settings, table, now), *_orphans(spark, settings, table, now)]
        steps += [*_compactions(spark, table, now.date()), *_manifests(spark, table)]
        steps += [replace(step, action="keep", reason=refusal) if refusal else step for step in deleting]
    return steps


def refusal_of(settings: Settings) -> str:
    """Why no file may be deleted now; empty where it may.

    Files of a table may serve another branch or tag of the catalogue, and this suite does not look into those.
    """
    others = [name for name in nessie.references(settings) if name != settings.nessie_ref]
    if not others:
        return ""
    return (
        f"refused, because the Nessie server has other references ({', '.join(others)}) that may need the files: "
        "delete those references, or use Nessie's own garbage collector"
    )


def _compactions(spark: SparkSession, table: str, today: date) -> list[Step]:
    """A step for every closed day that has more files than it needs."""
    partition = datafiles.load(spark, table).spec().fields()[0].name()
    days = spark.sql(f"""
        SELECT partition.{partition} AS day, file_count AS files, total_data_file_size_in_bytes AS bytes
        FROM {table}.partitions WHERE partition.{partition} < DATE '{today}' ORDER BY 1
    """)
    return [_compaction(table, row) for row in days.collect() if row.files > math.ceil(row.bytes / _FILE_BYTES)]


def _compaction(table: str, row: Row) -> Step:
    return Step(table, "compact", f"{row.day}", f"{row.files:,} files, {row.bytes / 1e6:,.1f} MB", day=row.day)


def _manifests(spark: SparkSession, table: str) -> list[Step]:
    handle = datafiles.load(spark, table)
    lengths = [manifest.length() for manifest in handle.currentSnapshot().allManifests(handle.io())]
    if len(lengths) <= math.ceil(sum(lengths) / _MANIFEST_BYTES):
        return []
    return [Step(table, "manifests", f"{len(lengths):,} manifests", "fewer would do")]


def horizon(ancestors: Sequence[Snapshot], now: datetime, days: float) -> datetime:
    """Snapshots made before this expire: older than so many days, and older than each query's newest marker.

    A query that has been idle for IDLE keeps nothing; the current snapshot (the first) always stays.
    """
    markers = (s.made_at for s in archive.newest_marked(ancestors) if s.made_at > now - IDLE)
    return min(now - timedelta(days=days), ancestors[0].made_at, *markers)


def _expiry(spark: SparkSession, settings: Settings, table: str, now: datetime) -> list[Step]:
    ancestors = list(datafiles.ancestors(spark, table))
    before = horizon(ancestors, now, settings.snapshot_days)
    expiring = sum(snapshot.made_at < before for snapshot in ancestors)
    if not expiring:
        return []
    reason = (
        f"made before {before:%Y-%m-%d %H:%M:%S}; what stays covers {settings.snapshot_days:g} days and all markers"
    )
    return [Step(table, "expire", f"{expiring:,} of {len(ancestors):,} snapshots", reason, before=before)]


def _orphans(spark: SparkSession, settings: Settings, table: str, now: datetime) -> list[Step]:
    """Data files alone: metadata that no snapshot needs is what Nessie's older commits point to."""
    limit = now - timedelta(hours=settings.orphan_hours)
    folder = datafiles.load(spark, table).locationProvider().newDataLocation("").rstrip("/")
    # Listed before the table is read: what is committed in between is found in it.
    old = {file.path: file for file in stored(settings, folder) if file.modified < limit}
    found = sorted(_unknown(spark, table, list(old)))
    if not found:
        return []
    size = sum(old[path].size for path in found)
    what = f"{len(found):,} files in no snapshot ({size / 1e6:,.1f} MB)"
    if not settings.remove_orphans:
        return [Step(table, "keep", what, "--remove-orphans removes them", orphans=tuple(old[p] for p in found))]
    reason = f"older than {settings.orphan_hours} hours, so of no batch in flight"
    return [Step(table, "orphans", what, reason, orphans=tuple(old[path] for path in found))]


def _unknown(spark: SparkSession, table: str, paths: list[str]) -> list[str]:
    """Those of some files that stand in no snapshot."""
    if not paths:
        return []
    listed = spark.createDataFrame([(path,) for path in paths], "file_path string")
    known = spark.sql(f"SELECT file_path FROM {table}.all_files")
    return [row.file_path for row in listed.join(known, "file_path", "left_anti").collect()]


# -- doing -------------------------------------------------------------------------------------------


def carry_out(spark: SparkSession, settings: Settings, steps: list[Step]) -> Iterator[Step]:
    """Do what the plan says, step by step, and yield each step as it was done, with what came of it.

    Where the stream's commits come first again and again, the step is kept for the next run. Raises
    MaintenanceRefused before it deletes a file that another reference of the catalogue may need.
    """
    work = {"compact": _compact, "manifests": _rewrite_manifests, "expire": _expire, "orphans": _remove}
    for step in steps:
        if step.action == "keep":
            yield step
            continue
        try:
            done = _patiently(partial(work[step.action], spark, settings, step))
            yield replace(step, reason=f"{step.reason}; {done}")
        except _Overtaken:
            yield replace(step, action="keep", reason="other commits came first: the next run does it")


class _Overtaken(Exception):
    """Another commit came first, every time."""


def _patiently(work: Callable[[], str]) -> str:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return work()
        except (Py4JError, PySparkException) as error:
            if "CommitFailed" not in str(error) and "ValidationException" not in str(error):
                raise
            time.sleep(0.5 * attempt)
    raise _Overtaken


def _compact(spark: SparkSession, settings: Settings, step: Step) -> str:
    column = datafiles.day_column(spark, step.table)
    end = step.day + timedelta(days=1)
    row = _call(
        spark, settings, "rewrite_data_files", step.table,
        strategy="'sort'", sort_order=f"'{_ORDERS[column]}'", options="map('min-input-files', '2')",
        where=f"\"{column} >= TIMESTAMP '{step.day} 00:00:00' AND {column} < TIMESTAMP '{end} 00:00:00'\"",
    )  # fmt: skip
    return f"{row.rewritten_data_files_count:,} files became {row.added_data_files_count:,}"


def _rewrite_manifests(spark: SparkSession, settings: Settings, step: Step) -> str:
    row = _call(spark, settings, "rewrite_manifests", step.table)
    return f"{row.rewritten_manifests_count:,} became {row.added_manifests_count:,}"


def _expire(spark: SparkSession, settings: Settings, step: Step) -> str:
    with collecting(spark, settings, step.table):
        row = _call(spark, settings, "expire_snapshots", step.table, older_than=_literal(step.before), retain_last="1")
    return f"{row.deleted_data_files_count:,} data files and {_metadata_files(row):,} metadata files deleted"


def _metadata_files(row: Row) -> int:
    return row.deleted_manifest_files_count + row.deleted_manifest_lists_count


def _remove(spark: SparkSession, settings: Settings, step: Step) -> str:
    """Iceberg compares the files that were listed with the table once more, and deletes what it does not know."""
    listed = [(file.path, file.modified) for file in step.orphans]
    spark.createDataFrame(listed, "file_path string, last_modified timestamp").createOrReplaceTempView(
        "dualsink_stored"
    )
    limit = datetime.now(UTC) - timedelta(hours=settings.orphan_hours)
    with collecting(spark, settings, step.table):
        rows = _call_all(
            spark, settings, "remove_orphan_files", step.table,
            older_than=_literal(limit), file_list_view="'dualsink_stored'",
        )  # fmt: skip
    return f"{len(rows):,} deleted"


@contextmanager
def collecting(spark: SparkSession, settings: Settings, table: str) -> Iterator[None]:
    """Let Iceberg delete files of a table while the block runs; afterwards the catalogue's protection is back.

    Raises MaintenanceRefused where the files may be needed by another reference.
    """
    if refusal := refusal_of(settings):
        raise MaintenanceRefused(f"Nothing of {table} was deleted: {refusal}.")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled' = 'true')")
    try:
        yield
    finally:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled' = 'false')")


def _call(spark: SparkSession, settings: Settings, procedure: str, table: str, **arguments: str) -> Row:
    return _call_all(spark, settings, procedure, table, **arguments)[0]


def _call_all(spark: SparkSession, settings: Settings, procedure: str, table: str, **arguments: str) -> list[Row]:
    """Rows of one of Iceberg's procedures; arguments are SQL."""
    given = ", ".join(f"{name} => {value}" for name, value in {"table": f"'{table}'", **arguments}.items())
    return spark.sql(f"CALL {settings.catalog_name}.system.{procedure}({given})").collect()


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"


def _today() -> date:
    return datetime.now(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
