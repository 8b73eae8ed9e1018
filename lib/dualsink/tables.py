"""The shape of the Iceberg tables, archive and quarantine: created, checked, dropped."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructField

from dualsink import datafiles
from dualsink.errors import DeploymentError, ShapeMismatch
from dualsink.events import Event
from dualsink.settings import Settings

COORDINATES = ("topic", "partition", "offset", "kafka_timestamp")
"""Columns that say which Kafka record a row is: its identity."""
EVENT_COLUMNS = Event._fields
HELD, ARCHIVE = "held", "archive"
"""Column of records that may not be new: the places that have each, ARCHIVE and stages of the quarantine."""
# Name and Spark type of every column, in order.
ARCHIVE_COLUMNS = {
    "log_id": "string",
    "timestamp": "timestamp",
    "level": "string",
    "service": "string",
    "host": "string",
    "message": "string",
    "stack_trace": "string",
    "trace_id": "string",
    "span_id": "string",
    "attributes": "string",
    "topic": "string",
    "partition": "int",
    "offset": "bigint",
    "kafka_timestamp": "timestamp",
}
QUARANTINE_COLUMNS = {
    "topic": "string",
    "partition": "int",
    "offset": "bigint",
    "kafka_timestamp": "timestamp",
    "key": "binary",
    "value": "binary",
    "headers": "array<struct<key:string,value:binary>>",
    "stage": "string",
    "reason": "string",
    "detail": "string",
    "quarantined_at": "timestamp",
    "resolved_at": "timestamp",
}
# Format 2: Nessie's catalogue knows no 3. Distribution `none`: the default sends a whole day to one task.
TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
}


def create_tables(spark: SparkSession, settings: Settings) -> dict[str, str]:
    """Create namespace, archive and quarantine where missing; returns `created`, `updated` or `exists` for each.

    A column that a table of an older version lacks is added. Raises ShapeMismatch with the difference where a table
    cannot be brought to this shape; nothing is dropped, and then nothing is changed.
    """
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {settings.catalog_name}.{settings.database_name}")
    return {shape.table: _create(spark, shape) for shape in shapes(settings)}


def evolve_tables(spark: SparkSession, settings: Settings) -> None:
    """Add what existing tables of an older version lack.

    Raises ShapeMismatch likewise, DeploymentError where a table is missing.
    """
    for shape in shapes(settings):
        if not spark.catalog.tableExists(shape.table):
            raise DeploymentError(f"Table {shape.table} does not exist: run 01_setup first.")
        _evolve(spark, shape)


@dataclass(frozen=True)
class Shape:
    """A table as this version needs it: columns with their Spark types, and the column by whose days it is divided."""

    table: str
    columns: dict[str, str]
    day: str

    @property
    def essential(self) -> tuple[str, ...]:
        """Columns without which a table is another one; all others may be added to it."""
        return (*COORDINATES, self.day)


def shapes(settings: Settings) -> tuple[Shape, Shape]:
    """The archive and the quarantine."""
    return (
        Shape(settings.archive_table, ARCHIVE_COLUMNS, "timestamp"),
        Shape(settings.quarantine_table, QUARANTINE_COLUMNS, "quarantined_at"),
    )


def _create(spark: SparkSession, shape: Shape) -> str:
    if spark.catalog.tableExists(shape.table):
        return _evolve(spark, shape)
    body = ", ".join(f"`{name}` {kind}" for name, kind in shape.columns.items())
    properties = ", ".join(f"'{k}'='{v}'" for k, v in TABLE_PROPERTIES.items())
    spark.sql(
        f"CREATE TABLE {shape.table} ({body}) USING iceberg PARTITIONED BY (days({shape.day})) "
        f"TBLPROPERTIES ({properties})"
    )
    return "created"


def _evolve(spark: SparkSession, shape: Shape) -> str:
    handle = datafiles.load(spark, shape.table)
    found = {field.name: field for field in datafiles.spark_schema(spark, handle)}
    if differences := [*_column_differences(shape, found), *_partition_differences(shape, handle)]:
        raise ShapeMismatch(
            f"Table {shape.table} exists in another shape:\n  " + "\n  ".join(differences) + "\n"
            "Nothing was changed. Rename that table, or choose another with -p iceberg_table NAME."
        )
    missing = [f"`{name}` {kind}" for name, kind in shape.columns.items() if name not in found]
    if not missing:
        return "exists"
    spark.sql(f"ALTER TABLE {shape.table} ADD COLUMNS ({', '.join(missing)})")
    return "updated"


def _column_differences(shape: Shape, found: dict[str, StructField]) -> list[str]:
    """What no added column mends: another type, an identity that is missing, a column that takes no null."""
    kinds = {name: field.dataType.simpleString() for name, field in found.items()}
    apart = [
        f"column {name}: wanted {kind}, found {kinds.get(name, 'none')}"
        for name, kind in shape.columns.items()
        if kinds.get(name) != kind and (name in kinds or name in shape.essential)
    ]
    strange = [field.name for field in found.values() if field.name not in shape.columns and not field.nullable]
    return apart + [f"column {name}: not wanted, found NOT NULL, so it takes no row of ours" for name in strange]


def _partition_differences(shape: Shape, handle: Any) -> list[str]:
    wanted, schema = f"day({shape.day})", handle.schema()
    fields = [f"{f.transform()}({schema.findColumnName(f.sourceId())})" for f in handle.spec().fields()]
    found = ", ".join(fields) or "none"
    return [] if found == wanted else [f"partitioning: wanted {wanted}, found {found}"]


def drop_tables(spark: SparkSession, settings: Settings) -> list[str]:
    """Drop archive, quarantine and audit log and purge their files; returns the names that existed."""
    known = (settings.archive_table, settings.quarantine_table, settings.audit_table)
    existing = [table for table in known if spark.catalog.tableExists(table)]
    for table in existing:
        # Nessie's catalogue sets `gc.enabled=false`, because files may serve other branches; a purge means them all.
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled'='true')")
        spark.sql(f"DROP TABLE {table} PURGE")
    return existing
