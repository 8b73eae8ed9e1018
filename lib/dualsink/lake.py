"""The archive without Spark: Nessie says which metadata is current, PyIceberg reads it, DuckDB answers.

It starts in a second where a Spark session takes ten, which is what a page for people needs. PyIceberg has no catalogue
for Nessie's own interface; one GET gives the table's metadata file, and from there on PyIceberg reads as from any
catalogue, delete files included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyarrow import RecordBatchReader
from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, GreaterThanOrEqual, LessThan, Or
from pyiceberg.table import StaticTable

from dualsink import nessie
from dualsink.errors import PlatformError
from dualsink.settings import Settings


def open_archive(settings: Settings) -> StaticTable:
    """The archive table as Nessie has it now.

    Raises ServiceUnavailable where Nessie does not answer, PlatformError where there is no such table.
    """
    found = nessie.archive(settings)
    if found is None:
        key = f"{settings.database_name}.{settings.iceberg_table}"
        raise PlatformError(f"There is no table {key} on {settings.nessie_ref} yet: run 01_setup and 03_stream first.")
    return open_metadata(settings, found["metadataLocation"])


def data_folder(settings: Settings) -> str:
    """Where the archive's data files are, `s3://…`, without a slash at its end. Raises as `open_archive` does."""
    table = open_archive(settings)
    return table.properties.get("write.data.path", f"{table.location()}/data").rstrip("/")


def open_metadata(settings: Settings, location: str) -> StaticTable:
    """A table as one of its metadata files has it. Raises FileNotFoundError where that file is gone."""
    return StaticTable.from_metadata(location, _storage(settings))


def _storage(settings: Settings) -> dict[str, str]:
    keys = {
        "s3.access-key-id": settings.secret("s3_access_key_env"),
        "s3.secret-access-key": settings.secret("s3_secret_key_env"),
    }
    place = {"s3.endpoint": settings.s3_endpoint, "s3.region": settings.s3_region, "s3.connect-timeout": "10"}
    return place | {name: value for name, value in keys.items() if value}


@dataclass(frozen=True)
class Slice:
    """Rows with `timestamp` from `first` to before `end` (UTC), of records that arrived at `arrived` or later."""

    first: datetime
    end: datetime
    arrived: datetime | None = None

    def expression(self) -> BooleanExpression:
        """The slice as Iceberg's filter, by which files are left out unread."""
        within = [GreaterThanOrEqual("timestamp", _text(self.first)), LessThan("timestamp", _text(self.end))]
        late = [GreaterThanOrEqual("kafka_timestamp", _text(self.arrived))] if self.arrived else []
        return And(*within, *late)


def rows(table: StaticTable, slices: Sequence[Slice], columns: Iterable[str]) -> RecordBatchReader:
    """Some columns of the rows of some slices, which must not overlap, batch by batch."""
    wanted = set(columns)
    chosen = tuple(name for name in table.schema().column_names if name in wanted)
    parts = [part.expression() for part in slices]
    filter = Or(*parts) if len(parts) > 1 else parts[0] if parts else AlwaysFalse()
    return table.scan(row_filter=filter, selected_fields=chosen).to_arrow_batch_reader()


def extent(table: StaticTable) -> tuple[datetime, datetime] | None:
    """First instant of the first event day and end of the last one (UTC), from metadata alone; None without rows."""
    days = [part["partition"]["timestamp_day"] for part in _partitions(table)]
    if not days:
        return None
    return _midnight(min(days)), _midnight(max(days)) + timedelta(days=1)


def volume(table: StaticTable) -> tuple[int, int]:
    """Rows and bytes of the table's data files, from metadata alone; nothing before its first commit."""
    parts = _partitions(table)
    return sum(p["record_count"] for p in parts), sum(p["total_data_file_size_in_bytes"] for p in parts)


def _partitions(table: StaticTable) -> list[dict[str, Any]]:
    """What the metadata says of each partition; none before the first commit."""
    return table.inspect.partitions().to_pylist() if table.current_snapshot() else []


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
