"""Statement 2: the archive is what people search, every day.

Less what OpenSearch refused for good. People search the alias. Each document is behind it once, each day index is in
it, nothing else is. On days in the hot window OpenSearch has every event of the archive; of an older day whose index is
still there, or that was rehydrated, it may have a part, each of which the archive proves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from dualsink.errors import NotSetUp
from dualsink.events.model import IDENTITY, RECORD, document_id_sql, first_hot_day, index_name_sql
from dualsink.iceberg import quarantine
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger import digest, documents, kafka_side
from dualsink.ledger.book import NAMED_AT_MOST, NAMES, DayLine, Finding, finding_in
from dualsink.ledger.digest import digested
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import ALTERED, DOUBLED, MISSING, UNKNOWN_DOCUMENT, WAITING
from dualsink.opensearch import alias as aliases
from dualsink.opensearch import index as indices
from dualsink.opensearch.alias import Alias
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.spark import local_rows

_KEY = list(IDENTITY)
_TOPICS = 100
Alone = Callable[[DataFrame], list[Finding]]
"""What documents are that the archive has no row of: NAMES, `index` and `id` are their columns."""


def take(
    topic: Topic, hot: HotTier, tables: Tables, position: Position, named: bool
) -> tuple[list[DayLine], list[Finding]]:
    """Compare pinned tables with what the alias should have.

    As far as the stream has come, with all that is behind the alias or should be.
    """
    spark = tables.archive.sparkSession
    with closing(indices.connect(hot.cluster)) as client:
        indices.refresh(client, hot.alias)
        alias = aliases.look(client, hot)
    first_day, refusals = first_hot_day(hot.days), tables.hot_refusals()
    archive = digested(tables.archive.where(digest.on_days(alias.days, first_day)).where(~position.unread()))
    found = _in_place_or_marked(hot, documents.read_digested(spark, hot.cluster, alias.expected)).persist()
    refusals = refusals.join(found, _KEY, "left_anti")  # a refused document that is there after all is compared

    def alone(rows: DataFrame) -> list[Finding]:
        return _alone(spark, topic, tables, rows, named)

    try:
        lines, findings = compare(archive, found, refusals, named, first_day, alone)
        strangers = _strangers(spark, hot.cluster, alias, found)
    finally:
        found.unpersist()
    return lines, [*findings, *strangers, *_outside(alias)]


def compare(
    archive: DataFrame,
    found: DataFrame,
    refusals: DataFrame,
    named: bool = True,
    first_day: date | None = None,
    alone: Alone | None = None,
) -> tuple[list[DayLine], list[Finding]]:
    """Compare digested rows, less the refusals, with digested documents.

    It is statement 2. On days before `first_day` documents may be missing; `alone` judges those that have no row, which
    by default are unknown.
    """
    marked = _marked(archive, refusals, _KEY, "refused")
    expected = marked.where("NOT refused")
    sums = marked.groupBy("day").agg(F.count_if("refused").alias("refused"), *digest.sum_of("NOT refused"))
    archived = {row.day: row for row in sums.collect()}
    one = {day: row for day, row in archived.items() if row.events}
    other = {row.day: row for row in digest.sums(found, "day").collect()}
    apart = [day for day in one.keys() | other.keys() if not digest.equal(one.get(day), other.get(day))]
    wrong, findings = _apart(expected, found, apart, named, first_day, alone or _unknown(named))
    refused = {day: row.refused for day, row in archived.items()}
    days = sorted(refused.keys() | other.keys())
    return [_line(day, one.get(day), other.get(day), refused, day not in wrong) for day in days], findings


def _line(day: date, one: Row | None, other: Row | None, refused: Mapping[date, int], holds: bool) -> DayLine:
    return DayLine(
        str(day),
        one.events if one else 0,
        other.events if other else 0,
        refused.get(day, 0),
        str(one.digest) if one else "0",
        str(other.digest) if other else "0",
        holds,
    )


def _in_place_or_marked(hot: HotTier, found: DataFrame) -> DataFrame:
    """Change the digest of documents that are misplaced.

    They are not where their coordinates and day say.
    """
    there = reduce(lambda a, b: a | b, map(_in_place, hot.prefixes))
    return found.withColumn("digest", F.when(there, F.col("digest")).otherwise(F.xxhash64("digest", *documents.PLACE)))


def _in_place(alias: str) -> Column:
    """Condition: id and index are those of coordinates and day.

    See `events.model`.
    """
    name, index = F.expr(document_id_sql()), F.expr(index_name_sql(alias, "day"))
    return name.eqNullSafe(F.col("id")) & index.eqNullSafe(F.col("index")) & F.col("routing").isNull()


# -- what is apart -----------------------------------------------------------------------------------

_OPENSEARCH, _ARCHIVE, _BOTH = "OpenSearch", "archive", "archive and OpenSearch"
# Of an event with its rows and documents: verdict, store, condition. The archive has what OpenSearch lacks: `repair`.
_CASES = (
    (MISSING, _OPENSEARCH, "documents = 0 AND required"),
    (DOUBLED, _OPENSEARCH, "documents > 1"),
    (DOUBLED, _ARCHIVE, "rows > 1"),
    (ALTERED, _BOTH, "rows = 1 AND documents = 1 AND one <> other"),
)
_ALONE = "rows = 0"


def _apart(
    expected: DataFrame, found: DataFrame, days: Sequence[date], named: bool, first_day: date | None, alone: Alone
) -> tuple[set[date | None], list[Finding]]:
    """Find days with a difference, and describe it.

    Among the days whose sums differ.
    """
    if not days:
        return set(), []
    required = F.col("day") >= F.lit(first_day) if first_day else F.lit(True)
    both = _joined(expected, found, days).withColumn("required", required).persist()
    try:
        findings: list[Finding] = []
        wrong: set[date | None] = set()
        for verdict, store, condition in _CASES:
            rows = both.where(condition)
            counts = _by_days(rows)
            command = "repair" if verdict == MISSING else None
            findings += finding_in(rows, verdict, store, sum(counts.values()), named, command=command)
            wrong |= {day for pair in counts for day in pair}
        strays = both.where(_ALONE)
        if counts := _by_days(strays):
            told = alone(strays)
            findings += told
            wrong |= {day for pair in counts for day in pair if any(each.differs for each in told)}
        return wrong, findings
    finally:
        both.unpersist()


def _joined(expected: DataFrame, found: DataFrame, days: Sequence[date]) -> DataFrame:
    """Join both sides of some days, one row an event.

    NAMES, its days by the archive (`day`) and by OpenSearch, counts and digests of both.
    """
    none = F.lit(None)
    rows = expected.select(*NAMES, "day", none.cast("date").alias("other_day"), F.col("digest").alias("one"),
                           none.cast("long").alias("other"))  # fmt: skip
    sides = rows.unionAll(found.select(*NAMES, none, F.col("day"), none, "digest"))
    sides = sides.where(F.coalesce("day", "other_day").isin(list(days)))
    values = [F.max(name).alias(name) for name in ("topic", "kafka_timestamp", "day", "other_day")]
    counts = [F.count("one").alias("rows"), F.count("other").alias("documents")]
    digests = [F.max("one").alias("one"), F.max("other").alias("other")]
    return sides.groupBy(*_KEY).agg(*values, *counts, *digests)


def _by_days(rows: DataFrame) -> dict[tuple[date | None, date | None], int]:
    found = rows.groupBy("day", "other_day").count().collect()
    return {(row.day, row.other_day): row["count"] for row in found}


def _unknown(named: bool) -> Alone:
    return lambda rows: list(finding_in(rows, UNKNOWN_DOCUMENT, _OPENSEARCH, rows.count(), named))


def _alone(spark: SparkSession, topic: Topic, tables: Tables, rows: DataFrame, named: bool) -> list[Finding]:
    """Judge documents without a row on their day.

    By what Kafka, the quarantine, or another day of the archive says.
    """
    names = rows.select("topic", "topic_id").distinct().limit(_TOPICS).collect()
    positions = _positions(topic, tables, {row.topic for row in names if row.topic})
    under_way, in_kafka = (
        reduce(lambda a, b: a | b, [(F.col("topic") == p.topic) & condition(p) for p in positions], F.lit(False))
        for condition in (Position.under_way, Position.compared)
    )
    judged = rows.withColumn("under_way", under_way)
    archived = tables.archive.where(F.col("topic_id").isin([row.topic_id for row in names])).select(*_KEY)
    judged = _marked(judged, archived, _KEY, "archived")
    waits = tables.quarantine.where(quarantine.unresolved(quarantine.PARSE)).select(*RECORD)
    judged = _marked(judged, waits, list(RECORD), "quarantined")
    judged = _marked(judged.withColumn("within", in_kafka), _own(spark, topic, positions), list(RECORD), "there")
    judged = judged.withColumn("there", F.expr(f"within AND (there OR topic <> '{topic.name}')"))
    case = F.expr(
        "CASE WHEN under_way THEN 'under_way' WHEN archived THEN 'archived' WHEN quarantined THEN 'quarantined' "
        "WHEN there THEN 'there' ELSE 'unknown' END"
    )
    judged = judged.withColumn("case", case).persist()
    try:
        ends = [F.count("*").alias("count"), F.min("offset").alias("first"), F.max("offset").alias("last")]
        counts = judged.groupBy("case", "partition").agg(*ends).collect()
        return [finding for name in _JUDGED for finding in _told(judged, counts, name, named)]
    finally:
        judged.unpersist()


_JUDGED = {
    "under_way": (WAITING, _OPENSEARCH, None),
    "archived": (ALTERED, _BOTH, None),
    "quarantined": (MISSING, _ARCHIVE, "repair"),
    "there": (MISSING, _ARCHIVE, "replay"),
    "unknown": (UNKNOWN_DOCUMENT, _OPENSEARCH, None),
}
"""Verdict, store and command of a document without a row on its day."""


def _told(judged: DataFrame, counts: Sequence[Row], name: str, named: bool) -> Sequence[Finding]:
    verdict, store, command = _JUDGED[name]
    of_case = [row for row in counts if row.case == name]
    if name == "there" and of_case:
        command = kafka_side.replay_of(of_case)
    rows = judged.where(F.col("case") == name)
    return finding_in(rows, verdict, store, sum(row["count"] for row in of_case), named, command=command)


def _marked(rows: DataFrame, others: DataFrame, key: list[str], name: str) -> DataFrame:
    """Add to the rows whether the others have their key."""
    found = others.select(*key).distinct().withColumn(name, F.lit(True))
    return rows.join(found, key, "left").fillna(False, [name])


def _positions(own: Topic, tables: Tables, names: Iterable[str]) -> list[Position]:
    """Return the positions of some topics, by name.

    All on the brokers of our own, as Kafka has them now; a topic that is gone has none.
    """
    found = []
    for name in sorted(names):
        topic = replace(own, name=name)
        try:
            with topics.Incarnation(topic) as incarnation:
                found.append(Position.of(topic, tables, incarnation.id))
        except NotSetUp:
            continue
    return found


def _own(spark: SparkSession, topic: Topic, positions: Sequence[Position]) -> DataFrame:
    """Read the own topic's records, by RECORD.

    Those that the stream has read and Kafka still has.
    """
    own = [position for position in positions if position.topic == topic.name]
    if not own:
        return local_rows.frame(spark, [], "topic_id string, partition int, offset long")
    return kafka_side.records_between(spark, topic, own[0].topic_id, own[0].marks).select(*RECORD)


# -- the alias ---------------------------------------------------------------------------------------


def _outside(alias: Alias) -> list[Finding]:
    """Report a missing template, and indices that no search finds."""
    findings = []
    if not alias.template:
        note = "the next day's index will not be behind the alias"
        findings.append(Finding(MISSING, "index template", 1, (), (alias.name,), note, "setup"))
    if alias.hidden:
        names, note = tuple(alias.hidden[:NAMED_AT_MOST]), "day indices that no search finds"
        findings.append(Finding(MISSING, "alias", len(alias.hidden), (), names, note, "setup"))
    return findings


def _strangers(spark: SparkSession, cluster: Cluster, alias: Alias, found: DataFrame) -> list[Finding]:
    """Judge the alias's members that are no day index.

    By their documents: copies of others, or unknown ones.
    """
    if not alias.strangers:
        return []
    theirs = documents.read(spark, cluster, alias.strangers).select("index", "id")
    judged = _marked(theirs, found.select("id"), ["id"], "copy").groupBy("index")
    counts = {
        row["index"]: row for row in judged.agg(F.count("*").alias("all"), F.count_if("copy").alias("copies")).collect()
    }
    findings = []
    for name in alias.strangers[:NAMED_AT_MOST]:
        of_all, copies = (counts[name]["all"], counts[name]["copies"]) if name in counts else (0, 0)
        note = "an index that is no day's: setup takes it out of the alias and deletes nothing"
        if copies:
            findings.append(Finding(DOUBLED, "alias", copies, (), (name,), note, "setup"))
        if of_all > copies or not of_all:
            findings.append(Finding(UNKNOWN_DOCUMENT, "alias", of_all - copies, (), (name,), note, "setup"))
    return findings
