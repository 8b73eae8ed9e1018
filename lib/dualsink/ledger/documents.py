"""Documents of the hot tier as rows.

Spark's tasks read them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import DOCUMENT_COLUMNS
from dualsink.events.strict_json import dump_json
from dualsink.ledger.digest import digested
from dualsink.opensearch import index as indices
from dualsink.opensearch import reader
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.documents import WHOLE, attributes_of
from dualsink.spark import local_rows

PLACE = ("index", "id", "routing")
"""Where a document is. None of ours has a routing, by which an index can hold an id once in each of its shards."""
EXTRA = "extra"
"""Whether a document has something that no column holds: a field that a changed mapping let in."""


def read(spark: SparkSession, cluster: Cluster, names: Sequence[str]) -> DataFrame:
    """Read every document of some indices.

    `index`, `id`, `routing` if it has one, the columns of the archive, and EXTRA. One task an index and slice.
    """
    slices = spark.sparkContext.defaultParallelism
    pieces = [(name, i, slices) for name in names for i in range(slices)]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in _DOCUMENT_DDL.items())
    if not pieces:
        return local_rows.frame(spark, [], schema)
    work = local_rows.frame(spark, pieces, "index string, slice int, slices int").repartition(len(pieces))

    def fetch(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for piece in batch.to_pylist():
                yield from _read_slice(cluster, **piece)

    return work.mapInArrow(fetch, schema)


def read_digested(spark: SparkSession, cluster: Cluster, names: Sequence[str]) -> DataFrame:
    """Read documents as `with_digest`.

    One that tells no time is of the day of its index.
    """
    found = with_digest(read(spark, cluster, names))
    return found.withColumn("day", F.coalesce("day", F.to_date(F.right("index", F.lit(10)), "yyyy.MM.dd")))


def with_digest(found: DataFrame) -> DataFrame:
    """Return documents as `digested`, with PLACE and `content`.

    `content` is the digest of the columns alone. `digest` is another one if the document has EXTRA: it is no copy of a
    row then, although a row may hold its event.
    """
    rows = digested(found, *PLACE, EXTRA).withColumn("content", F.col("digest"))
    return rows.withColumn("digest", F.when(F.col(EXTRA), F.xxhash64("digest", EXTRA)).otherwise(F.col("digest"))).drop(
        EXTRA
    )


def named(cluster: Cluster, places: DataFrame) -> DataFrame:
    """Read the named documents that are still there.

    By PLACE, as `read` gives them, and more. `source` is the document's JSON; `if_seq_no` and `if_primary_term` are
    its version, for a deletion.
    """
    more = {"source": pa.binary(), "if_seq_no": pa.int64(), "if_primary_term": pa.int64()}

    def fetch(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with closing(indices.connect(cluster, serializer=indices.ExactSerializer())) as client:
            for batch in batches:
                for first in range(0, len(batch), _NAMED_PAGE):
                    hits = reader.named(client, batch.slice(first, _NAMED_PAGE).to_pylist())
                    found = _document_batch(hits)
                    values = (
                        [dump_json(hit["_source"]) for hit in hits],
                        *([int(hit[name]) for hit in hits] for name in ("_seq_no", "_primary_term")),
                    )
                    columns = map(pa.array, values, more.values())
                    yield pa.RecordBatch.from_arrays([*found.columns, *columns], [*found.schema.names, *more])

    known = ", ".join(f"`{name}` {kind}" for name, kind in _DOCUMENT_DDL.items())
    return places.select(*PLACE).mapInArrow(fetch, f"{known}, source binary, if_seq_no long, if_primary_term long")


_NAMED_PAGE = 50
_UTC = pa.timestamp("us", tz="UTC")
_DOCUMENT_DDL = {**dict.fromkeys(PLACE, "string"), **DOCUMENT_COLUMNS, EXTRA: "boolean"}
_ARROW = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "timestamp": _UTC, "boolean": pa.bool_()}
_FIELDS = {*DOCUMENT_COLUMNS, WHOLE}
# How a document writes what a column holds otherwise.
_READ: dict[str, Callable[[Any], Any]] = {
    "kafka_timestamp": lambda milliseconds: milliseconds * 1000,
    "timestamp": datetime.fromisoformat,
    "attributes": lambda found: found if isinstance(found, str) else dump_json(found).decode(),
}


def _read_slice(cluster: Cluster, index: str, slice: int, slices: int) -> Iterator[pa.RecordBatch]:
    """Read one slice of an index as Arrow batches.

    All its documents, through a point in time.
    """
    with closing(indices.connect(cluster, serializer=indices.ExactSerializer())) as client:
        for page in reader.scan(client, index, slice=slice, slices=slices):
            yield _document_batch(page)


def _document_batch(hits: list[dict[str, Any]]) -> pa.RecordBatch:
    documents = [_columns_of(hit["_source"]) | {name: hit.get(f"_{name}") for name in PLACE} for hit in hits]
    columns = {name: _column(documents, name, _ARROW[kind]) for name, kind in _DOCUMENT_DDL.items()}
    return pa.RecordBatch.from_pydict(columns)


def _columns_of(source: dict[str, Any]) -> dict[str, Any]:
    more = not source.keys() <= _FIELDS
    if WHOLE not in source:
        return source | {EXTRA: more}
    attributes = attributes_of(source)
    return source | {"attributes": attributes, EXTRA: more or attributes is not source[WHOLE]}


def _column(documents: list[dict[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    values, read = [document.get(name) for document in documents], _READ.get(name)
    try:
        return pa.array([v if v is None else read(v) for v in values] if read else values, kind)
    except (TypeError, ValueError):  # a value that no batch of ours wrote
        return pa.array([_value(value, read, kind) for value in values], kind)


def _value(value: Any, read: Callable[[Any], Any] | None, kind: pa.DataType) -> Any:
    """Convert a value to its kind, else to text.

    None if it cannot be that either.
    """
    try:
        return pa.scalar(read(value) if read else value, kind).as_py()
    except (TypeError, ValueError):
        return str(value) if pa.types.is_string(kind) else None
