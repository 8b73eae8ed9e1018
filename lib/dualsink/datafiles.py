"""Parquet data files of an Iceberg table: written by the tasks of a batch, committed together by its driver.

Spark's own writer takes rows out of Python, through the JVM, into Parquet. Here the task that has just parsed them
writes them with Arrow, for a tenth of the CPU (docs/decisions/one-pass.md), and the driver adds the files to the table
in one commit of the Iceberg library.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyarrow.fs import FileSystem
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from dualsink.errors import CheckpointError, FilesChanged, ServiceUnavailable, ShapeMismatch

BUFFERED_BYTES = 64 * 1024 * 1024
"""Arrow bytes that a writer holds before it writes the largest day out."""
_UTC = pa.timestamp("us", tz="UTC")
_TYPES = {
    "string": pa.string(),
    "binary": pa.binary(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "timestamp": _UTC,
    "array<struct<key:string,value:binary>>": pa.list_(pa.struct({"key": pa.string(), "value": pa.binary()})),
}


@dataclass(frozen=True)
class Layout:
    """What a task must know of a table partitioned by `days(day)`.

    `schema` carries Iceberg's field ids, `location` is the folder of data files (`s3://…`), `partition` the name of
    the partition field.
    """

    schema: pa.Schema
    location: str
    day: str
    partition: str


@dataclass(frozen=True)
class DataFile:
    """A file that was written and is in no snapshot yet."""

    path: str
    partition: str
    size: int


def layout(spark: SparkSession, table: str, columns: Mapping[str, str], day: str) -> Layout:
    """The layout of an existing table with these columns (name and Spark type); what else it has stays empty.

    Raises ShapeMismatch naming a column that the table lacks.
    """
    handle = load(spark, table)
    schema = handle.schema()

    def field_id(path: str) -> int:
        found = schema.findField(path)
        if found is None:
            raise ShapeMismatch(f"Table {table} has lost its column {path}: run 01_setup, which adds it again.")
        return found.fieldId()

    fields = [_field(name, _TYPES[kind], name, field_id) for name, kind in columns.items()]
    location = handle.locationProvider().newDataLocation("").rstrip("/")
    return Layout(pa.schema(fields), location, day, handle.spec().fields()[0].name())


def _field(name: str, kind: pa.DataType, path: str, field_id: Callable[[str], int]) -> pa.Field:
    """A field with its Iceberg id, and those of the fields in it."""
    if pa.types.is_list(kind):
        kind = pa.list_(_field("element", kind.value_type, f"{path}.element", field_id))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_field(f.name, f.type, f"{path}.{f.name}", field_id) for f in kind])
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(field_id(path))})


# -- in a task ---------------------------------------------------------------------------------------


class DataFileWriter:
    """Collects rows of one task by UTC day and writes them as files whose names begin with `name`.

    Memory stays bounded: past BUFFERED_BYTES the largest day is written out. `storage` is the file system of the
    layout's location. Raises ServiceUnavailable where the storage does not take a file.
    """

    def __init__(self, layout: Layout, storage: FileSystem, name: str):
        self._layout = layout
        self._storage = storage
        self._name = name
        self._days: dict[Any, list[pa.RecordBatch]] = {}
        self._bytes: dict[Any, int] = {}
        self._files: list[DataFile] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows with the layout's columns, in its order."""
        days = rows[self._layout.day].cast(pa.date32())
        for day in pc.unique(days).to_pylist():
            part = rows if len(pc.unique(days)) == 1 else rows.filter(pc.equal(days, day))
            self._days.setdefault(day, []).append(part)
            self._bytes[day] = self._bytes.get(day, 0) + part.nbytes
        while sum(self._bytes.values()) > BUFFERED_BYTES:
            self._write(max(self._bytes, key=self._bytes.get))

    def close(self) -> list[DataFile]:
        """Write what is left; returns all files of this writer."""
        while self._days:
            self._write(next(iter(self._days)))
        return self._files

    def _write(self, day: Any) -> None:
        rows = pa.Table.from_batches(self._days.pop(day)).cast(self._layout.schema)
        del self._bytes[day]
        partition = f"{self._layout.partition}={day:%Y-%m-%d}"
        path = f"{self._layout.location}/{partition}/{self._name}-{len(self._files):05d}.parquet"
        try:
            with self._storage.open_output_stream(path.split("://", 1)[1]) as stream:
                pq.write_table(rows, stream, compression="zstd", store_schema=False)
                size = stream.tell()
        except OSError as error:
            raise ServiceUnavailable(f"The storage did not take {path}: {str(error).splitlines()[0]}") from None
        self._files.append(DataFile(path, partition, size))


# -- in the driver -----------------------------------------------------------------------------------

Fence = Callable[[Iterator["Snapshot"]], bool]
"""Whether a commit may follow the snapshots that it would come after, newest first."""
_FENCED = "this batch was written already, by another driver with this checkpoint or by a commit whose answer was lost"


class _Validator:
    """A fence as Iceberg's SnapshotAncestryValidator, which is asked anew in every attempt to commit."""

    def __init__(self, fence: Fence):
        self._fence = fence

    def validate(self, ancestors: Any) -> bool:
        return self._fence(_snapshots(ancestors))

    def errorMessage(self) -> str:  # noqa: N802 - the name in Java
        return _FENCED

    class Java:
        implements: ClassVar = ["org.apache.iceberg.SnapshotAncestryValidator"]


def commit(
    spark: SparkSession,
    table: str,
    files: Iterable[DataFile],
    properties: Mapping[str, str],
    fence: Fence | None = None,
) -> None:
    """Add files to a table in one commit, `properties` recorded in its snapshot; no files make a snapshot too.

    Raises CheckpointError, and adds nothing, where `fence` refuses. Raises ServiceUnavailable where the catalogue
    refuses the commit or does not answer: then it may have happened.
    """
    handle = load(spark, table)
    append = handle.newAppend()
    for file in files:
        append.appendFile(_described(spark, handle, file))
    for name, value in properties.items():
        append.set(name, value)
    if fence:
        ensure_callback_server_started(spark.sparkContext._gateway)
        append.validateWith(_Validator(fence))
    try:
        append.commit()
    except Py4JJavaError as error:
        if _FENCED in str(error.java_exception):
            raise CheckpointError(f"{table}: {_FENCED}. Nothing was added; the next run compares.") from None
        raise ServiceUnavailable(
            f"The commit to {table} was not confirmed ({_first_line(error)}). Whether it happened is found out, and "
            "the batch replayed, by the next run."
        ) from None


def delete(spark: SparkSession, table: str, paths: Iterable[str], properties: Mapping[str, str]) -> int:
    """Take whole files out of a table in one commit, `properties` in its snapshot, whose id is returned.

    Raises FilesChanged, and takes out nothing, where one of them is no longer in the table.
    """
    change = load(spark, table).newDelete().validateFilesExist()
    for path in paths:
        # Not a string: for one, py4j finds Iceberg's protected `deleteFile(String)`, which deletes in the storage.
        change.deleteFile(spark._jvm.java.lang.StringBuilder(path))
    for name, value in properties.items():
        change.set(name, value)
    try:
        change.commit()
    except Py4JJavaError as error:
        if "Missing required files" in str(error.java_exception):
            raise FilesChanged(f"{table}: {_first_line(error)}") from None
        raise ServiceUnavailable(f"The commit to {table} was not confirmed ({_first_line(error)}).") from None
    made = (s.id for s in ancestors(spark, table) if properties.items() <= dict(s.summary).items())
    return next(made)


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a table; `made_at` is UTC, to the millisecond."""

    id: int
    made_at: datetime
    summary: Mapping[str, str]


def ancestors(spark: SparkSession, table: str) -> Iterator[Snapshot]:
    """The table's snapshots, from the current one back to its oldest ancestor."""
    return _snapshots(spark._jvm.org.apache.iceberg.util.SnapshotUtil.currentAncestors(load(spark, table)))


def _snapshots(iterable: Any) -> Iterator[Snapshot]:
    found = iterable.iterator()
    while found.hasNext():
        snapshot = found.next()
        made_at = datetime.fromtimestamp(snapshot.timestampMillis() / 1000, UTC)
        yield Snapshot(snapshot.snapshotId(), made_at, snapshot.summary())


def day_column(spark: SparkSession, table: str) -> str:
    """The column by whose days a table is partitioned."""
    handle = load(spark, table)
    return handle.schema().findColumnName(handle.spec().fields()[0].sourceId())


def spark_schema(spark: SparkSession, handle: Any) -> StructType:
    """The columns of a loaded table as Spark sees them."""
    converted = spark._jvm.org.apache.iceberg.spark.SparkSchemaUtil.convert(handle.schema())
    return StructType.fromJson(json.loads(converted.json()))


def load(spark: SparkSession, table: str) -> Any:
    """Iceberg's own handle of a table, at its current snapshot."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, table)


def _described(spark: SparkSession, handle: Any, file: DataFile) -> Any:
    """Iceberg's own description of a file, with the counts and bounds of its footer."""
    iceberg = spark._jvm.org.apache.iceberg
    source = handle.io().newInputFile(file.path, file.size)
    metrics = iceberg.parquet.ParquetUtil.fileMetrics(source, iceberg.MetricsConfig.forTable(handle))
    builder = iceberg.DataFiles.builder(handle.spec()).withInputFile(source).withFormat("parquet")
    return builder.withPartitionPath(file.partition).withMetrics(metrics).build()


def _first_line(error: Py4JJavaError) -> str:
    return str(error.java_exception.toString()).splitlines()[0][:300]
