"""Parquet data files, written by tasks, committed by the driver.

Spark's own writer takes rows out of Python, through the JVM, into Parquet. Here the task that has just parsed them
writes them with Arrow, for a tenth of the CPU (docs/decisions/0001-one-pass.md), and the driver adds the files to the
table in one commit of the Iceberg library.
"""

import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyarrow.fs import FileSystem
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.errors import CheckpointError, FilesChanged, ServiceUnavailable, ShapeMismatch
from dualsink.iceberg import snapshots
from dualsink.iceberg.servers import Storage
from dualsink.iceberg.snapshots import Snapshot, load
from dualsink.iceberg.storage import file_system

BUFFERED_BYTES = 64 * 1024 * 1024
"""Arrow bytes that a writer holds before it writes the largest day out."""
_REPEATING = frozenset(
    ("level", "service", "host", "topic", "topic_id", "partition", "position", "positions", "stage", "reason", "detail")
)
"""Columns with few values. A dictionary of ids, texts or times, which hardly repeat, costs time and space."""
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
    """Layout of a table partitioned by `days(day)`, for tasks.

    `schema` carries Iceberg's field ids, `location` is the folder of data files (`s3://…`), `partition` the name of
    the partition field.
    """

    schema: pa.Schema
    location: str
    day: str
    partition: str


@dataclass(frozen=True)
class DataFile:
    """Data file that is in no snapshot yet.

    `footer` is the file's own, in Thrift, from which the driver takes counts and bounds without a look at the storage;
    empty if it must look.
    """

    path: str
    partition: str
    size: int
    footer: bytes = b""


def layout(spark: SparkSession, table: str, columns: Mapping[str, str], day: str) -> Layout:
    """Return the layout of an existing table.

    `columns` are by name and Spark type; what else the table has stays empty.

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
    """Return a field with its Iceberg id, nested fields included."""
    if pa.types.is_list(kind):
        kind = pa.list_(_field("element", kind.value_type, f"{path}.element", field_id))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_field(f.name, f.type, f"{path}.{f.name}", field_id) for f in kind])
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(field_id(path))})


# -- in a task ---------------------------------------------------------------------------------------


class DataFileWriter:
    """Writer of one task's rows, a file a UTC day.

    File names begin with `name`. Memory stays bounded: past BUFFERED_BYTES the largest day is written out. `storage` is
    the file system of the layout's location. Raises ServiceUnavailable if the storage does not take a file.
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
        footers: list[pq.FileMetaData] = []
        options = {"compression": "zstd", "use_dictionary": [n for n in rows.column_names if n in _REPEATING]}
        try:
            with self._storage.open_output_stream(path.split("://", 1)[1]) as stream:
                pq.write_table(rows, stream, **options, store_schema=False, metadata_collector=footers)
                size = stream.tell()
        except OSError as error:
            raise ServiceUnavailable(f"The storage did not take {path}: {str(error).splitlines()[0]}") from None
        self._files.append(DataFile(path, partition, size, _thrift(footers[0])))


def _thrift(footer: pq.FileMetaData) -> bytes:
    """Return a footer without its frame.

    A file has magic before it, length and magic after it.
    """
    framed = pa.BufferOutputStream()
    footer.write_metadata_file(framed)
    return framed.getvalue().to_pybytes()[4:-8]


def write(rows: DataFrame, storage: Storage, layout: Layout) -> list[DataFile]:
    """Write rows as data files by Spark's tasks.

    The rows have the layout's columns; the files are in no snapshot yet.
    """

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        writer = DataFileWriter(layout, file_system(storage), uuid.uuid4().hex)
        for batch in batches:
            writer.add(batch)
        yield pa.RecordBatch.from_pydict({"files": [pickle.dumps(writer.close())]})

    written = rows.select(*layout.schema.names).mapInArrow(task, "files binary").collect()
    return [file for row in written for file in pickle.loads(row.files)]


# -- in the driver -----------------------------------------------------------------------------------

Fence = Callable[[Iterator[Snapshot]], str]
"""Why a commit may not follow the snapshots that it would come after, newest first; empty where it may."""


class _Validator:
    """Fence as Iceberg's SnapshotAncestryValidator.

    Iceberg asks it anew in every attempt to commit.
    """

    def __init__(self, describe: Callable[[Any], Iterator[Snapshot]], fence: Fence):
        self._describe = describe
        self._fence = fence
        self.refusal = ""

    def validate(self, ancestors: Any) -> bool:
        self.refusal = self._fence(self._describe(ancestors))
        return not self.refusal

    def errorMessage(self) -> str:  # noqa: N802 - the name in Java
        return "the fence refuses"

    class Java:
        implements: ClassVar = ["org.apache.iceberg.SnapshotAncestryValidator"]


def commit(
    spark: SparkSession,
    table: str,
    files: Iterable[DataFile],
    properties: Mapping[str, str],
    fence: Fence = lambda ancestors: "",
) -> None:
    """Add files to a table in one commit.

    `properties` are recorded in its snapshot; no files make a snapshot too.

    Raises CheckpointError, and adds nothing, where `fence` refuses. Raises ServiceUnavailable if the catalogue
    refuses the commit or does not answer: then it may have happened.
    """
    handle = load(spark, table)
    append = handle.newAppend()
    for file in _described(spark, handle, files):
        append.appendFile(file)
    for name, value in properties.items():
        append.set(name, value)
    ensure_callback_server_started(spark.sparkContext._gateway)
    validator = _Validator(partial(snapshots.described, spark, handle), fence)
    append.validateWith(validator)
    try:
        append.commit()
    except Py4JJavaError as error:
        if validator.refusal:
            raise CheckpointError(f"{table}: {validator.refusal}. Nothing was added; the next run compares.") from None
        raise ServiceUnavailable(
            f"The commit to {table} was not confirmed ({_first_line(error)}). Whether it happened is found out, and "
            "the batch replayed, by the next run."
        ) from None


def delete(spark: SparkSession, table: str, paths: Iterable[str], properties: Mapping[str, str]) -> None:
    """Remove whole files from a table.

    This is one commit, with `properties` in its snapshot. Raises FilesChanged, and takes out nothing, where one of them
    is no longer in the table.
    """
    change = load(spark, table).newDelete().validateFilesExist()
    for path in paths:
        # Not a string: for one, py4j finds Iceberg's protected `deleteFile(String)`, which deletes in the storage.
        change.deleteFile(spark._jvm.java.lang.StringBuilder(path))
    _set_and_commit(table, change, properties)


def known(spark: SparkSession, table: str, snapshot: int, paths: Iterable[str]) -> list[DataFile]:
    """Return files of a snapshot by their paths."""
    field = load(spark, table).spec().fields()[0].name()
    files = spark.sql(f"SELECT * FROM {table}.files VERSION AS OF {snapshot}").where(F.col("file_path").isin(*paths))
    rows = files.select("file_path", F.col(f"partition.{field}").alias("day"), "file_size_in_bytes").collect()
    return [DataFile(row.file_path, f"{field}={row.day}", row.file_size_in_bytes) for row in rows]


def replace(
    spark: SparkSession, table: str, base: int, old: Sequence[DataFile], new: Sequence[DataFile], rows: int,
    properties: Mapping[str, str],
) -> None:  # fmt: skip
    """Replace files by others in one commit.

    The old ones are of the snapshot `base`, the new ones have so many `rows`. Raises FilesChanged, and changes nothing,
    if they have another number, or if one of the old ones is no longer in the table as it was. Raises
    ServiceUnavailable as `commit` does.
    """
    handle = load(spark, table)
    gone, added = (_described(spark, handle, files) for files in (old, new))
    written = sum(file.recordCount() for file in added)
    if written != rows:
        raise FilesChanged(f"{table}: {written:,} rows were written, not {rows:,}.")
    change = handle.newOverwrite().validateFromSnapshot(base).validateNoConflictingDeletes()
    for file in gone:
        change.deleteFile(file)
    for file in added:
        change.addFile(file)
    _set_and_commit(table, change, properties)


def _set_and_commit(table: str, change: Any, properties: Mapping[str, str]) -> None:
    for name, value in properties.items():
        change.set(name, value)
    try:
        change.commit()
    except Py4JJavaError as error:
        if any(word in str(error.java_exception) for word in ("Missing required files", "ValidationException")):
            raise FilesChanged(f"{table}: {_first_line(error)}") from None
        raise ServiceUnavailable(f"The commit to {table} was not confirmed ({_first_line(error)}).") from None


def day_column(spark: SparkSession, table: str) -> str:
    """Return the column by whose days a table is partitioned."""
    handle = load(spark, table)
    return handle.schema().findColumnName(handle.spec().fields()[0].sourceId())


def _described(spark: SparkSession, handle: Any, files: Iterable[DataFile]) -> list[Any]:
    """Return Iceberg's descriptions of files.

    They have the counts and bounds of the footers.
    """
    # Each part of a class's name is a question to the JVM, and each set of options reads Hadoop's: once for all files.
    iceberg, java = spark._jvm.org.apache.iceberg, spark._jvm.java
    builders, spec, storage = iceberg.DataFiles, handle.spec(), handle.io()
    parquet, config = iceberg.parquet.ParquetUtil, iceberg.MetricsConfig.forTable(handle)
    shaded, stream, nothing = iceberg.shaded.org.apache.parquet, java.io.ByteArrayInputStream, java.util.stream.Stream
    converter = shaded.format.converter.ParquetMetadataConverter
    reader, whole = converter(shaded.ParquetReadOptions.builder().build()), converter.NO_FILTER

    def metrics(file: DataFile, stored: Any) -> Any:
        if not file.footer:
            return parquet.fileMetrics(stored, config)
        return parquet.footerMetrics(reader.readParquetMetadata(stream(file.footer), whole), nothing.empty(), config)

    def described(file: DataFile) -> Any:
        stored = storage.newInputFile(file.path, file.size)
        builder = builders.builder(spec).withInputFile(stored).withFormat("parquet")
        return builder.withPartitionPath(file.partition).withMetrics(metrics(file, stored)).build()

    return [described(file) for file in files]


def _first_line(error: Py4JJavaError) -> str:
    return str(error.java_exception.toString()).splitlines()[0][:300]
