"""The ledger: proof, from the stores themselves, that they hold the same events.

Two statements, neither resting on a counter that the pipeline kept:

1. records in Kafka = archive + unresolved quarantine, for every partition, without gap or repeat;
2. in the hot window, archive less what OpenSearch refused for good = OpenSearch, for every event day.

Each side is summed up as a count and an order-free digest (the sum of a 64-bit hash of ids and content). Only where
sums differ are the sides joined to name the coordinates.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import kafka, quarantine, search
from dualsink.errors import LedgerMismatch
from dualsink.settings import Settings
from dualsink.shapes import dump_json
from dualsink.tables import COORDINATES, EVENT_COLUMNS

NAMED_AT_MOST = 20
_PAGE = 5_000
_KEY = ["topic", "partition", "offset", "kafka_timestamp"]
CONTENT = (*COORDINATES, *EVENT_COLUMNS)


@dataclass(frozen=True)
class Difference:
    """One record that a store lacks, doubles, holds alone or holds with other content."""

    kind: str
    store: str
    topic: str
    partition: int
    offset: int
    kafka_timestamp: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.store}: {self.topic}-{self.partition}-{self.offset} at {self.kafka_timestamp}"


@dataclass(frozen=True)
class PartitionLine:
    """Statement 1 for one partition: counts, and whether count and digest agree."""

    topic: str
    partition: int
    beginning: int
    end: int
    kafka: int
    archive: int
    quarantine: int
    holds: bool


@dataclass(frozen=True)
class DayLine:
    """Statement 2 for one event day (UTC): counts and digests of both stores."""

    day: str
    archive: int
    opensearch: int
    hot_refusals: int
    archive_digest: str
    opensearch_digest: str
    holds: bool


@dataclass(frozen=True)
class Ledger:
    """The whole proof. `differences` names at most 20 records of each kind; `earlier` counts rows of the archive
    and quarantine whose records have left Kafka (retention, or an earlier topic of the same name)."""

    taken_at: str
    partitions: list[PartitionLine]
    days: list[DayLine]
    earlier: int
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        """Whether both statements hold."""
        return all(line.holds for line in (*self.partitions, *self.days)) and not self.differences

    def as_dict(self) -> dict[str, Any]:
        """The ledger as JSON types."""
        return {"holds": self.holds, **asdict(self)}

    def check(self) -> None:
        """Raise LedgerMismatch naming the coordinates where the ledger does not hold."""
        if not self.holds:
            named = "\n  ".join(str(d) for d in self.differences) or "the sums differ"
            raise LedgerMismatch(
                f"The stores do not hold the same events:\n  {named}\n"
                "`python -m dualsink repair` makes the hot tier equal to the archive; `replay` fills gaps from Kafka."
            )


def take(spark: SparkSession, settings: Settings, named: bool = True) -> Ledger:
    """Read Kafka, archive, quarantine and OpenSearch and compare them.

    Not `named`, the ledger says that sums differ and not in which records, for which the sides have to be joined.
    """
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
    partitions, earlier, gaps = _kafka_against_archive(spark, settings, named)
    days, apart = _archive_against_hot(spark, settings, named)
    return Ledger(datetime.now(UTC).isoformat(timespec="seconds"), partitions, days, earlier, gaps + apart)


# -- statement 1: Kafka = archive + quarantine -------------------------------------------------------


def _kafka_against_archive(
    spark: SparkSession, settings: Settings, named: bool
) -> tuple[list[PartitionLine], int, list[Difference]]:
    in_kafka = kafka_records(spark, settings)
    held = _held(spark, settings)
    marks = kafka.watermarks(settings)
    current = _current(held, in_kafka)
    sums_kafka = {row.partition: row for row in _sums(in_kafka, "partition", _KEY).collect()}
    sums_held = {row.partition: row for row in _sums(current, "partition", _KEY, by_store=True).collect()}
    lines = []
    for partition, (beginning, end) in sorted(marks.items()):
        one, other = sums_kafka.get(partition), sums_held.get(partition)
        lines.append(
            PartitionLine(
                settings.kafka_topic,
                partition,
                beginning,
                end,
                one.events if one else 0,
                other.archive if other else 0,
                other.quarantine if other else 0,
                _equal(one, other),
            )
        )
    differences = _gaps(in_kafka, current) if named and not all(line.holds for line in lines) else []
    earlier = held.count() - sum(row.events for row in sums_held.values())
    return lines, earlier, differences


def kafka_records(spark: SparkSession, settings: Settings) -> DataFrame:
    """Coordinates of every record that the topic holds now."""
    return (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("endingOffsets", "latest")
        .load()
        .select("topic", "partition", "offset", F.col("timestamp").alias("kafka_timestamp"))
    )


def _held(spark: SparkSession, settings: Settings) -> DataFrame:
    """Coordinates in the archive and in the unresolved part of the quarantine, with the store's name."""
    of_topic = F.col("topic") == settings.kafka_topic
    archive = spark.table(settings.archive_table).where(of_topic).select(*_KEY, F.lit("archive").alias("store"))
    kept = spark.table(settings.quarantine_table).where(of_topic).where(quarantine.unresolved(quarantine.PARSE))
    return archive.unionAll(kept.select(*_KEY, F.lit("quarantine").alias("store")))


def _current(held: DataFrame, in_kafka: DataFrame) -> DataFrame:
    """Of what is held, what this topic can still hold: at or after the first record of each partition."""
    first = in_kafka.groupBy("partition").agg(
        F.min("offset").alias("first_offset"), F.min("kafka_timestamp").alias("first_timestamp")
    )
    still = (F.col("offset") >= F.col("first_offset")) & (F.col("kafka_timestamp") >= F.col("first_timestamp"))
    return held.join(F.broadcast(first), "partition").where(still).select(*held.columns)


def _gaps(in_kafka: DataFrame, current: DataFrame) -> list[Difference]:
    counted = current.groupBy(*_KEY).agg(F.count("*").alias("copies"))
    joined = in_kafka.withColumn("known", F.lit(True)).join(counted, _KEY, "full_outer")
    return (
        _named(joined.where("copies IS NULL"), "missing", "archive and quarantine")
        + _named(joined.where("known AND copies > 1"), "doubled", "archive and quarantine")
        + _named(joined.where("known IS NULL"), "unknown to Kafka", "archive and quarantine")
    )


# -- statement 2: archive = OpenSearch ---------------------------------------------------------------


def _archive_against_hot(
    spark: SparkSession, settings: Settings, named: bool
) -> tuple[list[DayLine], list[Difference]]:
    first_day = _first_hot_day(settings)
    refusals = _hot_refusals(spark, settings)
    archive = _archive_events(spark, settings, first_day)
    found = _opensearch_events(spark, settings, first_day).join(F.broadcast(refusals), _KEY, "left_anti").persist()
    try:
        return compare(archive, found, refusals, named)
    finally:
        found.unpersist()


def compare(
    archive: DataFrame, found: DataFrame, refusals: DataFrame, named: bool = True
) -> tuple[list[DayLine], list[Difference]]:
    """Statement 2 of some digested rows of the archive, less the refusals, and some digested documents."""
    expected = archive.join(F.broadcast(refusals), _KEY, "left_anti")
    refused_by_day = {
        str(row.day): row["count"]
        for row in archive.join(F.broadcast(refusals), _KEY, "left_semi").groupBy("day").count().collect()
    }
    lines = _day_lines(expected, found, refused_by_day)
    return lines, _apart(expected, found) if named and not all(line.holds for line in lines) else []


def hot_differences(spark: SparkSession, settings: Settings, days: Sequence[str]) -> DataFrame:
    """Records of the given event days in which the stores differ: coordinates, `archived`, `index` and `id`.

    `archived` is true where the archive's row says what the document must be, false for a document that must go: the
    archive has no such record, or it stands under another id or in another index than its coordinates and day say.
    `index` and `id` name the document where there is one.
    """
    first_day, refusals = _first_hot_day(settings), _hot_refusals(spark, settings)
    on_days = F.col("day").cast("string").isin(list(days))
    rows = _archive_events(spark, settings, first_day).where(on_days).join(F.broadcast(refusals), _KEY, "left_anti")
    found = _opensearch_events(spark, settings, first_day).where(on_days)
    found = found.join(F.broadcast(refusals), _KEY, "left_anti").withColumnRenamed("digest", "other")
    found = found.withColumn("in_place", _in_place(settings.opensearch_index))
    joined = rows.join(found.where("in_place").drop("day"), _KEY, "full_outer").where("NOT digest <=> other")
    apart = joined.select(*_KEY, F.expr("digest IS NOT NULL AS archived"), "index", "id")
    return apart.unionAll(found.where("NOT in_place").select(*_KEY, F.lit(False), "index", "id"))


def _in_place(alias: str) -> Column:
    """Whether a document's id and index are those of its coordinates and day (see `documents`)."""
    name = F.format_string("%s-%d-%019d-%d", "topic", "partition", "offset", F.unix_millis("kafka_timestamp"))
    index = F.format_string(f"{alias}-%s", F.date_format("day", "yyyy.MM.dd"))
    return name.eqNullSafe(F.col("id")) & index.eqNullSafe(F.col("index"))


def _first_hot_day(settings: Settings) -> date:
    return datetime.now(UTC).date() - timedelta(days=settings.hot_days)


def _hot_refusals(spark: SparkSession, settings: Settings) -> DataFrame:
    table = spark.table(settings.quarantine_table)
    return table.where(quarantine.unresolved(quarantine.HOT)).select(*_KEY).distinct()


def _archive_events(spark: SparkSession, settings: Settings, first_day: date) -> DataFrame:
    """Rows of the archive that the hot tier must hold, with their digest."""
    arrived, happened = F.to_date("kafka_timestamp"), F.to_date("timestamp")
    rows = spark.table(settings.archive_table).where(happened >= F.lit(first_day))
    return digested(rows.where(F.datediff(arrived, happened) <= settings.hot_days))


def _opensearch_events(spark: SparkSession, settings: Settings, first_day: date) -> DataFrame:
    """Documents of the day indices from `first_day` on, read from OpenSearch by one task an index and slice."""
    with closing(search.connect(settings)) as client:
        days = search.day_indices(client, settings.opensearch_index)
    names = [name for day, name in days.items() if day >= first_day]
    found = digested(documents(spark, settings, names), "index", "id")
    # A document without a time is a difference of its index's day.
    return found.withColumn("day", F.coalesce("day", F.to_date(F.right("index", F.lit(10)), "yyyy.MM.dd")))


def documents(spark: SparkSession, settings: Settings, names: Sequence[str]) -> DataFrame:
    """Every document of some indices: `index`, `id` and the columns of the archive. One task an index and slice."""
    slices = spark.sparkContext.defaultParallelism
    pieces = [(name, i, slices) for name in names for i in range(slices)]
    schema = ", ".join(f"{name} {kind}" for name, kind in _DOCUMENT_DDL.items())
    if not pieces:
        return spark.createDataFrame([], schema)
    work = spark.createDataFrame(pieces, "index string, slice int, slices int").repartition(len(pieces))

    def fetch(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for piece in batch.to_pylist():
                yield from _read_slice(settings, **piece)

    return work.mapInArrow(fetch, schema)


_UTC = pa.timestamp("us", tz="UTC")
_DOCUMENT_DDL = {
    "index": "string",
    "id": "string",
    "topic": "string",
    "partition": "int",
    "offset": "long",
    "kafka_timestamp": "timestamp",
    **{name: "timestamp" if name == "timestamp" else "string" for name in EVENT_COLUMNS},
}
_ARROW = {"string": pa.string(), "int": pa.int32(), "long": pa.int64(), "timestamp": _UTC}
# How a document writes what a column holds otherwise.
_READ: dict[str, Callable[[Any], Any]] = {
    "kafka_timestamp": lambda milliseconds: milliseconds * 1000,
    "timestamp": datetime.fromisoformat,
    "attributes": lambda tree: dump_json(tree).decode(),
}


def _read_slice(settings: Settings, index: str, slice: int, slices: int) -> Iterator[pa.RecordBatch]:
    """All documents of one slice of an index as Arrow batches, through a point in time."""
    with closing(search.connect(settings, serializer=search.ExactSerializer())) as client:
        for page in search.scan(client, index, slice=slice, slices=slices, page=_PAGE):
            yield _document_batch(page)


def _document_batch(hits: list[dict[str, Any]]) -> pa.RecordBatch:
    documents = [hit["_source"] | {"index": hit["_index"], "id": hit["_id"]} for hit in hits]
    columns = {name: _column(documents, name, _ARROW[kind]) for name, kind in _DOCUMENT_DDL.items()}
    return pa.RecordBatch.from_pydict(columns)


def _column(documents: list[dict[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    values, read = [document.get(name) for document in documents], _READ.get(name)
    try:
        return pa.array([v if v is None else read(v) for v in values] if read else values, kind)
    except (TypeError, ValueError):  # a value that no batch of ours wrote
        return pa.array([_value(value, read, kind) for value in values], kind)


def _value(value: Any, read: Callable[[Any], Any] | None, kind: pa.DataType) -> Any:
    """A value, as text where it is not of its kind; None where it cannot be that either."""
    try:
        return pa.scalar(read(value) if read else value, kind).as_py()
    except (TypeError, ValueError):
        return str(value) if pa.types.is_string(kind) else None


def digested(rows: DataFrame, *more: str) -> DataFrame:
    """Coordinates, event day (UTC) and `digest`, the hash of all content, of rows of the archive or documents."""
    # The hash passes over nulls: a column that an old snapshot lacks counts as one.
    digest = F.xxhash64(*(name for name in CONTENT if name in rows.columns))
    return rows.select(*_KEY, F.to_date("timestamp").alias("day"), digest.alias("digest"), *more)


def _day_lines(expected: DataFrame, found: DataFrame, refused: dict[str, int]) -> list[DayLine]:
    one = {str(row.day): row for row in _sums(expected, "day", ["digest"]).collect()}
    other = {str(row.day): row for row in _sums(found, "day", ["digest"]).collect()}
    return [
        DayLine(
            day,
            one[day].events if day in one else 0,
            other[day].events if day in other else 0,
            refused.get(day, 0),
            str(one[day].digest) if day in one else "0",
            str(other[day].digest) if day in other else "0",
            _equal(one.get(day), other.get(day)),
        )
        for day in sorted(one.keys() | other.keys() | refused.keys())
    ]


def _apart(expected: DataFrame, found: DataFrame) -> list[Difference]:
    archived = expected.groupBy(*_KEY).agg(F.max("digest").alias("one"), F.count("*").alias("rows"))
    indexed = found.groupBy(*_KEY).agg(F.max("digest").alias("other"), F.count("*").alias("documents"))
    joined = archived.join(indexed, _KEY, "full_outer")
    return (
        _named(joined.where("documents IS NULL"), "missing", "OpenSearch")
        + _named(joined.where("rows IS NULL"), "missing", "archive")
        + _named(joined.where("documents > 1"), "doubled", "OpenSearch")
        + _named(joined.where("rows > 1"), "doubled", "archive")
        + _named(joined.where("one <> other"), "different content", "archive and OpenSearch")
    )


# -- the archive alone, at any snapshot --------------------------------------------------------------


def by_day(rows: DataFrame) -> dict[str, tuple[int, int]]:
    """Events and digest of every event day (UTC) of rows of the archive, as statement 2 sums them up."""
    return {str(row.day): (row.events, int(row.digest)) for row in _sums(digested(rows), "day", ["digest"]).collect()}


def lost_by_day(then: DataFrame, now: DataFrame, days: Sequence[str]) -> dict[str, int]:
    """How many rows of `then`, on the given event days, are not in `now` with the same content."""
    on_days = F.col("day").cast("string").isin(list(days))
    one, other = (digested(rows).where(on_days) for rows in (then, now))
    return {str(row.day): row["count"] for row in one.exceptAll(other).groupBy("day").count().collect()}


# -- sums --------------------------------------------------------------------------------------------


def _sums(rows: DataFrame, by: str, hashed: list[str], by_store: bool = False) -> DataFrame:
    """Events and digest of every group: the sum of the rows' hashes, which no order changes."""
    digest = F.sum(F.xxhash64(*hashed).cast("decimal(20,0)")).alias("digest")
    stores = [F.count_if(F.col("store") == s).alias(s) for s in ("archive", "quarantine")] if by_store else []
    return rows.groupBy(by).agg(F.count("*").alias("events"), digest, *stores)


def _equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return (one.events, one.digest) == (other.events, other.digest)


def _named(rows: DataFrame, kind: str, store: str) -> list[Difference]:
    found = rows.select(*_KEY).orderBy(*_KEY).limit(NAMED_AT_MOST).collect()
    return [Difference(kind, store, r.topic, r.partition, r.offset, _iso(r.kafka_timestamp)) for r in found]


def _iso(moment: datetime | None) -> str:
    return moment.replace(tzinfo=UTC).isoformat() if moment else "no time"
