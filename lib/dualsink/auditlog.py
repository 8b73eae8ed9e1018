"""The audit log: a table beside the archive that says which days were deleted, by whom, when, and why.

It is only ever appended to. Each deletion is two entries of one id: `retiring` before it, and after it `retired`, or
`kept` where it did not happen. A `retiring` alone means that the run was cut short; the snapshot that the deletion
made, if it did, carries the id as `dualsink.audit-entry`.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from pyspark.sql import DataFrame, SparkSession

from dualsink.settings import Settings

COLUMNS = {
    "time": "timestamp",
    "entry": "string",
    "who": "string",
    "action": "string",
    "table_name": "string",
    "day": "date",
    "rows": "bigint",
    "bytes": "bigint",
    "policy": "string",
    "reason": "string",
    "snapshot_before": "bigint",
    "snapshot_after": "bigint",
}
_DDL = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())


@dataclass(frozen=True)
class Entry:
    """One line of the log; the fields are its columns. `time` is UTC, set when it is written.

    `rows` and `bytes` (of data files) are those of the day; the snapshots are those of the table `table_name`.
    """

    entry: str
    who: str
    action: Literal["retiring", "retired", "kept"]
    table_name: str
    day: date
    rows: int
    bytes: int
    policy: str
    reason: str
    snapshot_before: int
    snapshot_after: int | None = None

    def then(self, action: Literal["retired", "kept"], snapshot_after: int | None, reason: str = "") -> "Entry":
        """The entry that ends this one."""
        return replace(self, action=action, snapshot_after=snapshot_after, reason=reason or self.reason)


def append(spark: SparkSession, settings: Settings, entry: Entry) -> None:
    """Write an entry; the table is made with the first one."""
    spark.sql(f"CREATE TABLE IF NOT EXISTS {settings.audit_table} ({_DDL}) USING iceberg")
    values = {"time": datetime.now(UTC), **asdict(entry)}
    spark.createDataFrame([tuple(values[name] for name in COLUMNS)], _DDL).writeTo(settings.audit_table).append()


def entries(spark: SparkSession, settings: Settings) -> DataFrame:
    """All entries, oldest first, with the columns COLUMNS; none where nothing was ever deleted."""
    if not spark.catalog.tableExists(settings.audit_table):
        return spark.createDataFrame([], _DDL)
    return spark.table(settings.audit_table).orderBy("time")
