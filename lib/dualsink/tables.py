"""The shape of the Iceberg tables, archive and quarantine: created, checked, dropped."""

from pyspark.sql import SparkSession

from dualsink.errors import ShapeMismatch
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
    """Create namespace, archive and quarantine where missing; returns `created` or `exists` for each table.

    Raises ShapeMismatch with the difference where a table of another shape exists; nothing is dropped.
    """
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {settings.catalog_name}.{settings.database_name}")
    return {
        settings.archive_table: _create(spark, settings.archive_table, ARCHIVE_COLUMNS, "days(timestamp)"),
        settings.quarantine_table: _create(
            spark, settings.quarantine_table, QUARANTINE_COLUMNS, "days(quarantined_at)"
        ),
    }


def _create(spark: SparkSession, table: str, columns: dict[str, str], partitioning: str) -> str:
    if spark.catalog.tableExists(table):
        _check_shape(spark, table, columns, partitioning)
        return "exists"
    body = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    properties = ", ".join(f"'{k}'='{v}'" for k, v in TABLE_PROPERTIES.items())
    spark.sql(
        f"CREATE TABLE {table} ({body}) USING iceberg PARTITIONED BY ({partitioning}) TBLPROPERTIES ({properties})"
    )
    return "created"


def _check_shape(spark: SparkSession, table: str, columns: dict[str, str], partitioning: str) -> None:
    rows = spark.sql(f"DESCRIBE TABLE {table}").collect()
    described = {row.col_name: row.data_type for row in rows}
    differences = [
        f"column {name}: wanted {kind}, found {described.get(name, 'none')}"
        for name, kind in columns.items()
        if described.get(name) != kind
    ]
    found = described.get("Part 0", "none")
    if found != partitioning:
        differences.append(f"partitioning: wanted {partitioning}, found {found}")
    if differences:
        raise ShapeMismatch(
            f"Table {table} exists in another shape:\n  " + "\n  ".join(differences) + "\n"
            "Nothing was changed. Rename that table, or choose another with -p iceberg_table NAME."
        )


def drop_tables(spark: SparkSession, settings: Settings) -> list[str]:
    """Drop archive and quarantine and purge their files; returns the names that existed."""
    existing = [t for t in (settings.archive_table, settings.quarantine_table) if spark.catalog.tableExists(t)]
    for table in existing:
        # Nessie's catalogue sets `gc.enabled=false`, because files may serve other branches; a purge means them all.
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled'='true')")
        spark.sql(f"DROP TABLE {table} PURGE")
    return existing
