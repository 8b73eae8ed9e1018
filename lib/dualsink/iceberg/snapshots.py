"""Snapshots of a table: their order, and reading at one.

Spark's DataFrame of a table does not stay at a snapshot: an action after somebody's commit sees the commit. Whoever
reads more than once, or compares, reads `pinned`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

Bounds = tuple[Any, Any] | None
"""The lowest and the highest value of a column in a file, perhaps a little wider; None where the file does not say."""
_APPENDING = ("append", "replace")
"""Operations after which all rows of before are there; `replace` is a compaction."""
_DELETED = ("deleted-records", "added-position-deletes", "added-equality-deletes")


@dataclass(frozen=True)
class Snapshot:
    """Snapshot of a table; `made_at` is UTC, in milliseconds.

    The oldest of a table has no parent.
    """

    id: int
    made_at: datetime
    summary: Mapping[str, str]
    parent: int | None = None
    bounds: Callable[[Sequence[str]], Iterator[list[Bounds]]] = field(default=lambda names: iter(()), compare=False)
    """Of every data file that it added, the bounds of some columns."""

    @property
    def adds(self) -> bool:
        """True if it has more rows than its parent.

        A compaction or an update writes rows that were there.
        """
        return self._count("added-records") > sum(map(self._count, _DELETED))

    def _count(self, name: str) -> int:
        return int(self.summary.get(name) or 0)


def tampered(spark: SparkSession, table: str) -> Iterator[tuple[datetime, str]]:
    """Yield what was done to a table besides appending.

    When a snapshot was made (UTC) that took rows away or changed them, or that is none of the table's any more.
    """
    handle = load(spark, table)
    current = _current(spark, handle)
    snapshots = handle.snapshots().iterator()
    while snapshots.hasNext():
        snapshot = snapshots.next()
        made_at = datetime.fromtimestamp(snapshot.timestampMillis() / 1000, UTC)
        if snapshot.snapshotId() not in current:
            yield made_at, f"snapshot {snapshot.snapshotId()} was rolled back"
        elif snapshot.operation() not in _APPENDING:
            yield made_at, f"snapshot {snapshot.snapshotId()} has changed or deleted rows"


def rolled_back(spark: SparkSession, table: str) -> Iterator[Snapshot]:
    """Yield snapshots that are not the table's any more.

    As long as they have not expired.
    """
    handle = load(spark, table)
    current, known = _current(spark, handle), handle.snapshots()
    if len(known) == len(current):  # each snapshot that is looked at costs several calls of the JVM
        return iter(())
    return (snapshot for snapshot in described(spark, handle, known) if snapshot.id not in current)


def _current(spark: SparkSession, handle: Any) -> set[int]:
    """Return the ids of a loaded table's own snapshots."""
    ids = spark._jvm.org.apache.iceberg.util.SnapshotUtil.currentAncestorIds(handle)
    return set(map(int, ids.toString().strip("[]").replace(",", " ").split()))


def load(spark: SparkSession, table: str) -> Any:
    """Iceberg's own handle of a table, at its current snapshot."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, table)


def spark_schema(spark: SparkSession, handle: Any) -> StructType:
    """Return the columns of a loaded table as Spark schema."""
    converted = spark._jvm.org.apache.iceberg.spark.SparkSchemaUtil.convert(handle.schema())
    return StructType.fromJson(json.loads(converted.json()))


def ancestors(spark: SparkSession, table: str) -> Iterator[Snapshot]:
    """Return the table's snapshots, current one first."""
    handle = load(spark, table)
    return described(spark, handle, spark._jvm.org.apache.iceberg.util.SnapshotUtil.currentAncestors(handle))


def described(spark: SparkSession, handle: Any, iterable: Any) -> Iterator[Snapshot]:
    """Iceberg's own snapshots of a loaded table, one by one."""
    found = iterable.iterator()
    while found.hasNext():
        snapshot = found.next()
        made_at = datetime.fromtimestamp(snapshot.timestampMillis() / 1000, UTC)
        bounds = partial(_bounds, spark, handle, snapshot)
        yield Snapshot(snapshot.snapshotId(), made_at, snapshot.summary(), snapshot.parentId(), bounds)


def _bounds(spark: SparkSession, handle: Any, snapshot: Any, names: Sequence[str]) -> Iterator[list[Bounds]]:
    fields = [handle.schema().findField(name) for name in names]
    value = spark._jvm.org.apache.iceberg.types.Conversions.fromByteBuffer
    files = snapshot.addedDataFiles(handle.io()).iterator()
    while files.hasNext():
        ends = [ends or {} for file in [files.next()] for ends in (file.lowerBounds(), file.upperBounds())]
        pairs = [[end.get(field.fieldId()) for end in ends] for field in fields]
        yield [
            None if None in pair else tuple(_plain(value(field.type(), end)) for end in pair)
            for field, pair in zip(fields, pairs, strict=True)
        ]


def _plain(value: Any) -> Any:
    """Convert a value of Java to Python.

    A text comes as a buffer.
    """
    return value if isinstance(value, int) else str(value)


def since(ancestors: Iterable[Snapshot], base: int | None) -> list[Snapshot] | None:
    """Return the snapshots after `base`, None if not known.

    They come newest first; without a `base` all since the table was made. None if that is not known.
    It is not known where `base` was expired or rolled back.
    """
    newer: list[Snapshot] = []
    for snapshot in ancestors:
        if snapshot.id == base:
            return newer
        newer.append(snapshot)
    from_the_first = base is None and (not newer or newer[-1].parent is None)
    return newer if from_the_first else None


def current(spark: SparkSession, table: str) -> int | None:
    """Return the id of the table's current snapshot, if any."""
    snapshot = load(spark, table).currentSnapshot()
    return snapshot.snapshotId() if snapshot else None


def pinned(spark: SparkSession, table: str) -> DataFrame:
    """Pin the table as it is now, whatever follows."""
    return as_of(spark, table, current(spark, table))


def as_of(spark: SparkSession, table: str, snapshot: int | None) -> DataFrame:
    """Read the table's rows at a snapshot, with today's columns.

    No snapshot, no row.
    """
    now = spark.table(table)
    if snapshot is None:
        return now.limit(0)
    then = spark.read.option("versionAsOf", snapshot).table(table)
    return then.select(*(_column(then, field) for field in now.schema))


def _column(then: DataFrame, field: StructField) -> Any:
    """Return a column of then, nulls if added since."""
    known = field.name in then.columns
    return F.col(field.name) if known else F.lit(None).cast(field.dataType).alias(field.name)
