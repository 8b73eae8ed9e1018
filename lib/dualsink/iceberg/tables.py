"""Archive and quarantine tables: created, checked, dropped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructField

from dualsink.errors import DeploymentError, ShapeMismatch
from dualsink.events.model import ARCHIVE_COLUMNS, COORDINATES, QUARANTINE_COLUMNS
from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive

HELD, ARCHIVE = "held", "archive"
"""Column of records that may not be new: where each event of a record is, in ARCHIVE or a stage of the quarantine."""
# Format 2: Nessie's catalogue knows no 3. Distribution `none`: the default sends a whole day to one task.
TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
}


_NO_IDS = (
    "\nA table without topic_id is of an older version, which cannot tell a topic that was created again. A new table, "
    "with new indices by -p opensearch_index NAME, is filled from what Kafka still has; the old one stays as it is."
)


def create_tables(spark: SparkSession, archive: Archive) -> dict[str, str]:
    """Create what is missing of namespace, archive and quarantine.

    Returns `created`, `updated` or `exists` for each. A column that a table of an older version lacks is added. Raises
    ShapeMismatch with the difference where a table cannot be brought to this shape; nothing is dropped, and then
    nothing is changed.
    """
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {archive.namespace}")
    return {shape.table: _create(spark, shape) for shape in shapes(archive)}


def evolve_tables(spark: SparkSession, archive: Archive) -> None:
    """Add what existing tables of an older version lack.

    Raises ShapeMismatch likewise, NotSetUp where a table is missing.
    """
    for shape in _existing(spark, archive):
        _evolve(spark, shape)


def check_tables(spark: SparkSession, archive: Archive) -> None:
    """Check the tables without changing them.

    Raises ShapeMismatch if one is not of this version, DeploymentError if it is missing.
    """
    for shape in _existing(spark, archive):
        _lacking(spark, shape)


def _existing(spark: SparkSession, archive: Archive) -> Iterator["Shape"]:
    for shape in shapes(archive):
        if not spark.catalog.tableExists(shape.table):
            raise DeploymentError(f"Table {shape.table} does not exist: run 01_setup first.")
        yield shape


@dataclass(frozen=True)
class Shape:
    """Shape of a table: columns with Spark types, day column."""

    table: str
    columns: dict[str, str]
    day: str

    @property
    def essential(self) -> tuple[str, ...]:
        """Columns that identify the table; others may be added."""
        return (*COORDINATES, self.day)

    @property
    def ddl(self) -> str:
        """The statement that creates the table."""
        columns = ",\n".join(f"    `{name}` {kind}" for name, kind in self.columns.items())
        properties = ",\n".join(f"    '{name}' = '{value}'" for name, value in TABLE_PROPERTIES.items())
        return (
            f"CREATE TABLE {self.table} (\n{columns}\n) USING iceberg\n"
            f"PARTITIONED BY (days({self.day}))\nTBLPROPERTIES (\n{properties}\n)"
        )


def shapes(archive: Archive) -> tuple[Shape, Shape]:
    """Return the shapes of archive and quarantine."""
    return (
        Shape(archive.table, ARCHIVE_COLUMNS, "timestamp"),
        Shape(archive.quarantine, QUARANTINE_COLUMNS, "quarantined_at"),
    )


def _create(spark: SparkSession, shape: Shape) -> str:
    if spark.catalog.tableExists(shape.table):
        return _evolve(spark, shape)
    spark.sql(shape.ddl)
    return "created"


def _evolve(spark: SparkSession, shape: Shape) -> str:
    missing = _lacking(spark, shape)
    if not missing:
        return "exists"
    spark.sql(f"ALTER TABLE {shape.table} ADD COLUMNS ({', '.join(missing)})")
    return "updated"


def _lacking(spark: SparkSession, shape: Shape) -> list[str]:
    """Return the columns that can be added to a table.

    Raises ShapeMismatch if that does not make it one of this version.
    """
    handle = snapshots.load(spark, shape.table)
    found = {field.name: field for field in snapshots.spark_schema(spark, handle)}
    if differences := [*_column_differences(shape, found), *_partition_differences(shape, handle)]:
        raise ShapeMismatch(
            f"Table {shape.table} exists in another shape:\n  " + "\n  ".join(differences) + "\n"
            "Nothing was changed. Rename that table, or choose another with -p iceberg_table NAME."
            + ("" if "topic_id" in found else _NO_IDS)
        )
    return [f"`{name}` {kind}" for name, kind in shape.columns.items() if name not in found]


def _column_differences(shape: Shape, found: dict[str, StructField]) -> list[str]:
    """Return differences that no added column resolves.

    Another type, an identity that is missing, a column that takes no null.
    """
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


def drop_tables(spark: SparkSession, archive: Archive) -> list[str]:
    """Drop archive, quarantine and audit log with their files.

    Returns the names that existed.
    """
    known = (*archive.written, archive.audit)
    existing = [table for table in known if spark.catalog.tableExists(table)]
    for table in existing:
        # Nessie's catalogue sets `gc.enabled=false`, because files may serve other branches; a purge means them all.
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('gc.enabled'='true')")
        spark.sql(f"DROP TABLE {table} PURGE")
    return existing
