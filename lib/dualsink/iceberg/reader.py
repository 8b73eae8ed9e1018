"""Archive reader without Spark: Nessie, PyIceberg and DuckDB.

It starts in a second where a Spark session takes ten, which is what a page for people needs. PyIceberg has no catalogue
for Nessie's own interface; one GET gives the table's metadata file, and from there on PyIceberg reads as from any
catalogue, delete files included.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyarrow import RecordBatchReader
from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, GreaterThanOrEqual, LessThan, Or
from pyiceberg.table import StaticTable

from dualsink.errors import PlatformError
from dualsink.iceberg import security
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.servers import Storage


def open_archive(archive: Archive) -> StaticTable:
    """Open the archive table as Nessie has it now.

    Raises ServiceUnavailable if Nessie does not answer, PlatformError where there is no such table.
    """
    nessie = Nessie.of(archive)
    found = nessie.table()
    if found is None:
        raise PlatformError(f"There is no table {nessie.key} on {nessie.ref} yet: run 01_setup and 03_stream first.")
    return open_metadata(archive.storage, found["metadataLocation"])


def data_folder(table: StaticTable) -> str:
    """Return the folder of a table's data files.

    It is `s3://…` without a trailing slash.
    """
    return table.properties.get("write.data.path", f"{table.location()}/data").rstrip("/")


def open_metadata(storage: Storage, location: str) -> StaticTable:
    """Open a table at one of its metadata files.

    Raises FileNotFoundError if that file is gone.
    """
    return StaticTable.from_metadata(location, security.pyiceberg(storage))


@dataclass(frozen=True)
class Slice:
    """Slice of rows by event time (UTC).

    `timestamp` is at or after `first` and before `end`.
    """

    first: datetime
    end: datetime

    def within(self, other: "Slice") -> "Slice | None":
        """Return what both slices have, None without any."""
        first, end = max(self.first, other.first), min(self.end, other.end)
        return Slice(first, end) if first < end else None

    def expression(self) -> BooleanExpression:
        """Return Iceberg's filter, by which files are skipped unread."""
        return And(GreaterThanOrEqual("timestamp", _text(self.first)), LessThan("timestamp", _text(self.end)))


def within(slices: Iterable[Slice], part: Slice) -> list[Slice]:
    """Return what slices have in common with a part."""
    return [piece for each in slices if (piece := each.within(part))]


def rows(table: StaticTable, slices: Sequence[Slice], columns: Iterable[str]) -> RecordBatchReader:
    """Read columns of some slices, batch by batch.

    Slices must not overlap.
    """
    wanted = set(columns)
    chosen = tuple(name for name in table.schema().column_names if name in wanted)
    parts = [part.expression() for part in slices]
    filter = Or(*parts) if len(parts) > 1 else parts[0] if parts else AlwaysFalse()
    return table.scan(row_filter=filter, selected_fields=chosen).to_arrow_batch_reader()


def extent(table: StaticTable) -> tuple[datetime, datetime] | None:
    """Return the span of event days (UTC), None without rows.

    First instant of the first day and end of the last one, from metadata alone.
    """
    found = days(table)
    return (found[-1][0].first, found[0][0].end) if found else None


def days(table: StaticTable) -> list[tuple[Slice, int]]:
    """Return event days (UTC), newest first, with their rows.

    They come from metadata alone; rows that delete files take away are counted.
    """
    counts: Counter[date] = Counter()
    for part in _partitions(table):
        counts[part["partition"]["timestamp_day"]] += part["record_count"]
    return [(_whole(day), rows) for day, rows in sorted(counts.items(), reverse=True)]


def volume(table: StaticTable) -> tuple[int, int]:
    """Return rows and bytes of the table's data files.

    They come from metadata alone; both are 0 before the first commit.
    """
    parts = _partitions(table)
    return sum(p["record_count"] for p in parts), sum(p["total_data_file_size_in_bytes"] for p in parts)


def _partitions(table: StaticTable) -> list[dict[str, Any]]:
    """Return the metadata of each partition, if any."""
    return table.inspect.partitions().to_pylist() if table.current_snapshot() else []


def _whole(day: date) -> Slice:
    midnight = datetime.combine(day, time(), UTC)
    return Slice(midnight, midnight + timedelta(days=1))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
