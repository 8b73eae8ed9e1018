"""Whereabouts of records that OpenSearch and archive hold differently.

Where else each record is decides what may be done. A document may be overwritten or deleted only if a table holds its
record, with this content or by Kafka's own word. Of any other it is said who has it: Kafka, so that the stream or a
replay adds it, or nobody, so that it is the only copy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import chain

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from dualsink.events.model import IDENTITY, RECORD, document_id_sql, first_hot_day, index_name_sql
from dualsink.iceberg import quarantine
from dualsink.kafka.topic import Topic
from dualsink.ledger import documents, kafka_side
from dualsink.ledger.digest import digested
from dualsink.ledger.position import Position, own
from dualsink.ledger.tables import Tables
from dualsink.opensearch.hot_tier import HotTier


class Kind(StrEnum):
    """Fault of a row or a document, by its remedy."""

    LACKING = "lacking"
    """A row without its document, which is to be written."""
    ALTERED = "altered"
    """A document with other content than its row, which Kafka's record bears out: it is written again."""
    ASTRAY = "astray"
    """A document under another id, in another index or by another routing than its row says: it goes, its row stays."""
    DISPUTED = "disputed"
    """A document with other content than the row whose place it claims, and nothing says which is right: it is kept."""
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


@dataclass(frozen=True)
class Indices:
    """Day indices by name: readable and lost ones.

    Shards of the latter are away: of their days nothing is said, and a document that belongs there stays where it is.
    """

    days: Mapping[str, date]
    lost: Sequence[str] = ()


@contextmanager
def apart(
    topic: Topic, hot: HotTier, tables: Tables, topic_id: str, position: Callable[[], Position], indices: Indices
) -> Iterator[DataFrame]:
    """Yield rows and documents of the topic that differ.

    `kind`, `day`, IDENTITY and a document's PLACE. Other topics' rows and documents are not looked at; a document that
    names no topic is anybody's. `position` is asked once all documents are read, so that none is of a record which came
    later. A row without document has no place. Rows that are in the archive with several contents judge no document,
    and none is written from them. Raises PartialAnswer for an index that answers in part.
    """
    found = documents.read_digested(tables.archive.sparkSession, hot.cluster, list(indices.days))
    found = found.where(_is_ours(topic.name, topic_id))
    found = found.select(*IDENTITY, "day", "digest", "content", *documents.PLACE).persist()
    try:
        kinds = _kinds(topic, hot, tables, topic_id, position, found, indices).persist()
        try:
            yield kinds
        finally:
            kinds.unpersist()
    finally:
        found.unpersist()


_KEY = list(IDENTITY)
_COLUMNS = ["kind", "day", *IDENTITY, *documents.PLACE]


def _is_ours(topic: str, topic_id: str) -> Column:
    """Condition: a document is the topic's, or anybody's.

    Whatever was done to it: by its topic, or its id; without a topic it is anybody's.
    """
    return own(topic, topic_id) | F.col("topic").isNull() | F.col("id").startswith(f"{topic_id}-")


def _kinds(
    topic: Topic, hot: HotTier, tables: Tables, topic_id: str, position: Callable[[], Position],
    found: DataFrame, indices: Indices,
) -> DataFrame:  # fmt: skip
    refused = tables.hot_refusals().join(found, _KEY, "left_anti")
    ours, first_day = own(topic.name, topic_id), first_hot_day(hot.days)
    rows, now = _rows(tables, ours, first_day, found, sorted(set(indices.days.values()))), position()
    rows = rows.select(*_KEY, "row_day", "digests", "required").join(refused, _KEY, "left_anti")
    judged = found.join(rows, _KEY, "left").withColumn("home", _home(hot))
    judged = judged.withColumns({"kind": _judged(hot, indices.lost), "day": F.coalesce("row_day", "day")})
    sought = judged.where(F.col("kind").isin(Kind.UNKNOWN, Kind.DISPUTED))
    sought = _sought(topic, tables, now, sought)
    wrong = judged.where(F.col("kind").isin(Kind.ALTERED, Kind.ASTRAY)).select(*_COLUMNS).unionAll(sought)
    right = judged.where("index = home AND kind IS NULL").select(*_KEY, "index")
    right = right.unionAll(wrong.where(F.col("kind") == Kind.ALTERED).select(*_KEY, "index"))
    right = right.where(~F.col("index").startswith(f"{hot.rehydrated}-")).select(*_KEY)
    home = F.expr(index_name_sql(hot.alias, "row_day"))
    lacking = rows.where("required AND size(digests) = 1").where(~home.isin(list(indices.lost)))
    lacking = lacking.join(right, _KEY, "left_anti")
    nowhere = [F.lit(None).cast("string")] * len(documents.PLACE)
    written = lacking.select(F.lit(Kind.LACKING), "row_day", *_KEY, *nowhere)
    return written.toDF(*_COLUMNS).unionAll(wrong)


def _home(hot: HotTier) -> Column:
    """Return the index that a document's row belongs to.

    That of a rehydrated day for a document which is in one.
    """
    rehydrated = F.col("index").startswith(f"{hot.rehydrated}-")
    return F.when(rehydrated, F.expr(index_name_sql(hot.rehydrated, "row_day"))).otherwise(
        F.expr(index_name_sql(hot.alias, "row_day"))
    )


def _judged(hot: HotTier, lost: Sequence[str]) -> Column:
    """Return the kind of a document beside its rows.

    The rows are of its identity. Null if all is well, or nothing can be said. A copy on a rehydrated day is astray if
    the hot tier has the event, or is to have it: it would be found twice.
    """
    place = F.expr(f"id <=> {document_id_sql()} AND index = home AND routing IS NULL")
    rehydrated = F.col("index").startswith(f"{hot.rehydrated}-")
    in_hot_tier = F.max(place & ~rehydrated).over(Window.partitionBy(*_KEY))
    in_place = place & ~(rehydrated & (in_hot_tier | F.col("required")))
    is_proven = F.array_contains("digests", F.col("content"))
    one_row, is_row = F.size("digests") == 1, F.array_contains("digests", F.col("digest"))
    return (
        F.when(F.col("digests").isNull(), Kind.UNKNOWN)
        .when(F.col("home").isin(list(lost)), None)
        .when(~in_place & is_proven, Kind.ASTRAY)
        .when(~in_place, Kind.DISPUTED)
        .when(one_row & ~is_row & is_proven, Kind.ALTERED)
        .when(one_row & ~is_row, Kind.DISPUTED)
    )


def _rows(tables: Tables, ours: Column, first_day: date, found: DataFrame, days: list[date]) -> DataFrame:
    """Select the archived events that documents are compared with.

    Those on days of the hot tier, and those of documents that claim another day. IDENTITY, `row_day`, `digests` of all
    their rows, and whether the hot tier is `required` to have them.
    """
    archive, day = tables.archive.where(ours), F.to_date("timestamp")
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


# -- documents that no row proves ----------------------------------------------------------------------


def _sought(topic: Topic, tables: Tables, position: Position, sought: DataFrame) -> DataFrame:
    """Classify unknown and disputed documents by where records are.

    Of a disputed one whose id and fields claim the same event, Kafka's record of that event is the truth, by which the
    row was mended. One whose id and fields claim two events may be the only copy of either.
    """
    waiting = tables.quarantine.where(position.own()).where(quarantine.unresolved(quarantine.PARSE))
    marked = sought.join(waiting.select(*_KEY, F.lit(True).alias("waits")).distinct(), _KEY, "left")
    records = _in_kafka(topic, position, sought)
    marked = marked.join(records.withColumn("there", F.lit(True)), list(RECORD), "left")
    read = F.coalesce(_by_partition({p: each.unread for p, each in position.partitions.items()}), F.lit(0))
    disputed, consistent = F.col("kind") == Kind.DISPUTED, F.expr(f"id <=> {document_id_sql()}")
    kind = (
        F.when(disputed & F.col("there") & consistent & F.expr("index = home AND routing IS NULL"), Kind.ALTERED)
        .when(disputed & F.col("there") & consistent, Kind.ASTRAY)
        .when(disputed, Kind.DISPUTED)
        .when(F.col("waits"), F.when(consistent, Kind.QUARANTINED).otherwise(Kind.UNKNOWN))
        .when(F.col("there") & (F.col("offset") < read), Kind.IN_KAFKA)
        .when(F.col("there"), Kind.UNDER_WAY)
        .otherwise(Kind.UNKNOWN)
    )
    return marked.withColumn("kind", kind).select(*_COLUMNS)


def _in_kafka(topic: Topic, position: Position, sought: DataFrame) -> DataFrame:
    """Read the documents' records that Kafka still has.

    The topic is read between their offsets alone.
    """
    ours = sought.where(F.col("topic_id") == position.topic_id).groupBy("partition")
    ends = ours.agg(F.min("offset").alias("first"), F.max("offset").alias("last")).collect()
    there = {p: (each.beginning, each.end) for p, each in position.partitions.items()}
    within = {p: (max(first, there[p][0]), min(last + 1, there[p][1])) for p, first, last in ends if p in there}
    within = {p: (first, end) for p, (first, end) in within.items() if first < end}
    if not within:
        return sought.select(*RECORD).limit(0)
    return kafka_side.records_between(sought.sparkSession, topic, position.topic_id, within).select(*RECORD)


def _by_partition(offsets: Mapping[int, int]) -> Column:
    """Return the offset of a row's partition; null without one."""
    pairs = [F.lit(each) for each in chain.from_iterable(offsets.items())]
    return F.create_map(*pairs)[F.col("partition")] if pairs else F.lit(None).cast("bigint")
