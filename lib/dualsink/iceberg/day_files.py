"""Files of a table by day, with a fingerprint."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from pyarrow.fs import FileInfo, FileSelector, FileSystem
from pyspark.sql import Row, SparkSession

from dualsink.iceberg.snapshots import load

_BOUNDED = ("topic_id", "partition", "offset")


@dataclass(frozen=True)
class DayFiles:
    """All files of one day, deletions included.

    `size` is in bytes. The fingerprint is of the columns, and of paths, sizes, rows, and the times at which the storage
    took the objects: while it stays, the day's rows stay. It is empty where the storage lacks a file, or has it in
    another size.
    """

    size: int
    fingerprint: str
    rows: tuple[Row, ...]

    def lowest_offset(self, topic_id: str, partition: int) -> int | None:
        """Return the lowest offset that a partition may have here.

        It is taken from the files' bounds; None if the partition has no file.
        """
        found = [_lowest(row) for row in self.rows if row.content == 0 and _may_hold(row, topic_id, partition)]
        return min(found, default=None)


def at(spark: SparkSession, storage: FileSystem, table: str, snapshot: int | None) -> dict[date, DayFiles] | None:
    """Return the files of a snapshot by day.

    None where one belongs to no day, as a deletion from the whole table does.
    """
    if snapshot is None:
        return {}
    handle = load(spark, table)
    bounds = ", ".join(
        f"readable_metrics.`{name}`.lower_bound AS {name}_low, readable_metrics.`{name}`.upper_bound AS {name}_high"
        for name in _BOUNDED
    )
    rows = spark.sql(f"""
        SELECT partition.{handle.spec().fields()[0].name()} AS day, content, file_path, file_size_in_bytes AS size,
               record_count, {bounds}
        FROM {table}.files VERSION AS OF {snapshot}
    """).collect()
    if any(row.day is None for row in rows):
        return None
    stored, columns = _stored(storage, handle.location()), handle.schema().toString()
    return {day: _of(files, stored, columns) for day, files in _by_day(rows).items()}


def _by_day(rows: Iterable[Row]) -> Mapping[date, Sequence[Row]]:
    found: dict[date, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.file_path):
        found.setdefault(row.day, []).append(row)
    return found


def _stored(storage: FileSystem, location: str) -> dict[str, FileInfo]:
    folder = _key(location)
    return {
        info.path: info for info in storage.get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
    }


def _key(path: str) -> str:
    """Bucket and key of an address `s3://bucket/key`."""
    address = urlsplit(path)
    return f"{address.netloc}{address.path}"


def _of(rows: Sequence[Row], stored: Mapping[str, FileInfo], columns: str) -> DayFiles:
    digest, whole = hashlib.sha256(columns.encode()), True
    for row in rows:
        info = stored.get(_key(row.file_path))
        whole &= info is not None and info.size == row.size
        taken = info.mtime_ns if info else None
        digest.update(f"{row.content} {row.file_path} {row.size} {row.record_count} {taken}\n".encode())
    return DayFiles(sum(row.size for row in rows), digest.hexdigest() if whole else "", tuple(rows))


def _may_hold(row: Row, topic_id: str, partition: int) -> bool:
    topic = row.topic_id_low is None or row.topic_id_low <= topic_id <= (row.topic_id_high or topic_id)
    return topic and (row.partition_low is None or row.partition_low <= partition <= row.partition_high)


def _lowest(row: Row) -> int:
    return 0 if row.offset_low is None else row.offset_low
