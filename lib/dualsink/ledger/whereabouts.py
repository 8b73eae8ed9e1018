"""Whereabouts of records that OpenSearch and archive hold differently.

Where else each record is decides what may be done. A document may be overwritten or deleted only if a table holds its
record. Of any other it is said who has it: Kafka, so that the stream or a replay adds it, or nobody, so that it is the
only copy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from itertools import chain

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import IDENTITY, RECORD, document_id_sql, first_hot_day, index_name_sql
from dualsink.iceberg import quarantine
from dualsink.kafka.topic import Topic
from dualsink.ledger import documents, kafka_side
from dualsink.ledger.digest import digested
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings


class Kind(StrEnum):
    """Fault of a row or a document, by its remedy."""

    LACKING = "lacking"
    """A row without its document, which is to be written."""
    ALTERED = "altered"
    """A document with other content than its row, from which it is written again."""
    ASTRAY = "astray"
    """A document under another id, in another index or by another routing than its row says: it goes, its row stays."""
    QUARANTINED = "quarantined"
    """A document whose record waits in the quarantine: it goes, the record stays."""
    IN_KAFKA = "in Kafka"
    """A document whose record the stream has read and no table holds, but Kafka: for `replay`."""
    UNDER_WAY = "under way"
    """A document whose record the stream has still to write."""
    UNKNOWN = "unknown"
    """A document whose record is nowhere else: for `rescue`."""


DELETED = (Kind.ASTRAY, Kind.QUARANTINED)
"""Kinds of documents that a table proves to be dispensable."""


@contextmanager
def apart(
    spark: SparkSession, settings: Settings, tables: Tables, position: Callable[[], Position], days: Mapping[date, str],
    lost: Sequence[str] = (),
) -> Iterator[DataFrame]:  # fmt: skip
    """Yield rows and documents of the topic that differ.

    `kind`, `day`, IDENTITY and a document's PLACE. `days` are the readable day indices by day, `lost` those that cannot
    be read: of their days nothing is said, and a document that belongs there stays where it is. Other topics' rows and
    documents are not looked at; a document that names no topic is anybody's. `position` is asked once all documents are
    read, so that none is of a record which came later. A row without document has no place. Rows that are in the
    archive with several contents judge no document, and none is written from them. Raises PartialAnswer for
    an index that answers in part.
    """
    found = documents.read_digested(spark, Cluster.of(settings), list(days.values()))
    found = (
        found.where(_of_topic(settings.kafka_topic, or_none=True))
        .select(*IDENTITY, "day", "digest", *documents.PLACE)
        .persist()
    )
    try:
        kinds = _kinds(spark, settings, tables, position, found, list(days), lost).persist()
        try:
            yield kinds
        finally:
            kinds.unpersist()
    finally:
        found.unpersist()


_KEY = list(IDENTITY)
_COLUMNS = ["kind", "day", *IDENTITY, *documents.PLACE]


def _of_topic(topic: str, or_none: bool = False) -> Column:
    ours = F.col("topic") == topic
    return ours | F.col("topic").isNull() if or_none else ours


def _kinds(
    spark: SparkSession, settings: Settings, tables: Tables, position: Callable[[], Position], found: DataFrame,
    days: list[date], lost: Sequence[str],
) -> DataFrame:  # fmt: skip
    refused = tables.hot_refusals().join(found, _KEY, "left_anti")
    first_day = first_hot_day(settings.hot_days)
    rows, now = _rows(tables, settings.kafka_topic, first_day, found, days), position()
    home = F.expr(index_name_sql(settings.opensearch_index, "row_day")).alias("home")
    rows = rows.select(*_KEY, "row_day", "digests", "required", home).join(refused, _KEY, "left_anti")
    judged = found.join(rows, _KEY, "left").withColumn("kind", _judged(lost))
    right = judged.where("index = home AND kind IS DISTINCT FROM 'astray'").select(*_KEY)
    lacking = (
        rows.where("required AND size(digests) = 1")
        .where(~F.col("home").isin(list(lost)))
        .join(right, _KEY, "left_anti")
    )
    nowhere = [F.lit(None).cast("string")] * len(documents.PLACE)
    written = lacking.select(F.lit(Kind.LACKING), "row_day", *_KEY, *nowhere)
    wrong = judged.where("kind IN ('altered', 'astray')").select(*_COLUMNS)
    unknown = judged.where("kind = 'unknown'").select(*_COLUMNS)
    return written.toDF(*_COLUMNS).unionAll(wrong).unionAll(_sought(spark, Topic.of(settings), tables, now, unknown))


def _judged(lost: Sequence[str]) -> Column:
    """Return the kind of a document beside its rows.

    The rows are of its identity. Null if all is well, or nothing can be said.
    """
    in_place = F.expr(f"id <=> {document_id_sql()} AND index = home AND routing IS NULL")
    return (
        F.when(F.col("digests").isNull(), Kind.UNKNOWN)
        .when(F.col("home").isin(list(lost)), None)
        .when(~in_place, Kind.ASTRAY)
        .when((F.size("digests") == 1) & ~F.array_contains("digests", F.col("digest")), Kind.ALTERED)
    )


def _rows(tables: Tables, topic: str, first_day: date, found: DataFrame, days: list[date]) -> DataFrame:
    """Select the archived events that documents are compared with.

    Those on days of the hot tier, and those of documents that claim another day. IDENTITY, `row_day`, `digests` of all
    their rows, and whether the hot tier is `required` to have them.
    """
    archive, day = tables.archive.where(_of_topic(topic)), F.to_date("timestamp")
    near = (day >= F.lit(first_day)) | day.isin(days)
    rows = digested(archive.where(near)).withColumn("required", F.col("day") >= F.lit(first_day))
    rows = _by_event(rows)
    homeless = found.join(rows, _KEY, "left_anti")
    (ends,) = homeless.agg(F.min("offset").alias("first"), F.max("offset").alias("last")).collect()
    if ends.first is None:
        return rows
    far = digested(archive.where(~near & F.col("offset").between(ends.first, ends.last))).withColumn(
        "required", F.lit(False)
    )
    return rows.unionAll(_by_event(far.join(homeless, _KEY, "left_semi")))


def _by_event(rows: DataFrame) -> DataFrame:
    of_all = [F.collect_set("digest").alias("digests"), F.max("required").alias("required")]
    return rows.groupBy(*_KEY).agg(F.max("day").alias("row_day"), *of_all)


# -- documents without a row ---------------------------------------------------------------------------


def _sought(spark: SparkSession, topic: Topic, tables: Tables, position: Position, unknown: DataFrame) -> DataFrame:
    """Classify unknown documents by where their records are."""
    waiting = tables.quarantine.where(_of_topic(position.topic)).where(quarantine.unresolved(quarantine.PARSE))
    marked = unknown.join(waiting.select(*_KEY, F.lit(True).alias("waits")).distinct(), _KEY, "left")
    records = _in_kafka(spark, topic, position, unknown)
    marked = marked.join(records.withColumn("there", F.lit(True)), list(RECORD), "left")
    read = F.coalesce(_by_partition({p: each.unread for p, each in position.partitions.items()}), F.lit(0))
    kind = (
        F.when(F.col("waits"), Kind.QUARANTINED)
        .when(F.col("there") & (F.col("offset") < read), Kind.IN_KAFKA)
        .when(F.col("there"), Kind.UNDER_WAY)
        .otherwise(Kind.UNKNOWN)
    )
    return marked.withColumn("kind", kind).select(*_COLUMNS)


def _in_kafka(spark: SparkSession, topic: Topic, position: Position, unknown: DataFrame) -> DataFrame:
    """Read the documents' records that Kafka still has.

    The topic is read between their offsets alone.
    """
    ours = unknown.where(F.col("topic_id") == position.topic_id).groupBy("partition")
    ends = ours.agg(F.min("offset").alias("first"), F.max("offset").alias("last")).collect()
    there = {p: (each.beginning, each.end) for p, each in position.partitions.items()}
    within = {p: (max(first, there[p][0]), min(last + 1, there[p][1])) for p, first, last in ends if p in there}
    within = {p: (first, end) for p, (first, end) in within.items() if first < end}
    if not within:
        return unknown.select(*RECORD).limit(0)
    return kafka_side.records_between(spark, topic, position.topic_id, within).select(*RECORD)


def _by_partition(offsets: Mapping[int, int]) -> Column:
    """Return the offset of a row's partition; null without one."""
    pairs = [F.lit(each) for each in chain.from_iterable(offsets.items())]
    return F.create_map(*pairs)[F.col("partition")] if pairs else F.lit(None).cast("bigint")
