"""Rescue: archive documents that are only copies.

A driver may die between its documents and its commit, and the archive may lose rows; once Kafka has dropped the
records, OpenSearch alone has them. A document carries every column, so its row is written from it. What claims to be an
event and is none (an id of other coordinates, an offset that Kafka never gave) goes whole into the quarantine, as
`orphan`.
"""

from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from dualsink import words
from dualsink.events.model import ARCHIVE_COLUMNS, IDENTITY, document_id_sql, index_name_sql
from dualsink.iceberg import data_files
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import check_tables
from dualsink.kafka.topic import Topic
from dualsink.ledger import documents
from dualsink.ledger.digest import of_event
from dualsink.ledger.foreign import NO_RECORD, Judge
from dualsink.ledger.tables import Tables
from dualsink.ledger.whereabouts import Kind
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import audit_log, orphans
from dualsink.operations import plan as plan_of
from dualsink.operations.orphans import Deed
from dualsink.operations.repair import found
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Claim, Compared, ranges_of

_REASON = "unknown documents: no table and no topic had their records"


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for a day's unknown documents: `archive` or `quarantine`."""

    day: Any
    documents: int

    @property
    def target(self) -> str:
        """The day and its documents."""
        return f"{self.day} ({words.count(self.documents, 'document')})"

    def about(self) -> dict[str, Any]:
        """Return day and documents as JSON types."""
        return {"day": str(self.day), "documents": self.documents}


@dataclass(frozen=True)
class Rescued(plan_of.Result):
    """Result of a rescue, or its plan with `dry_run`."""

    dry_run: bool
    steps: list[Step]
    archived: int = 0
    quarantined: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def fact(self) -> str:
        """Documents archived and quarantined."""
        if not self.steps:
            return "no document is unknown: nothing to rescue"
        done = f"{words.count(self.archived, 'document')} archived, {self.quarantined:,} quarantined as orphans"
        return plan_of.unless_planned(done, self.dry_run)

    def lines(self) -> list[str]:
        """Return the days, then the indices that cannot be read."""
        return [str(step) for step in self.steps] + self.lost

    def as_dict(self) -> dict[str, Any]:
        """Return steps and counts as JSON types."""
        days = [step.as_dict() for step in self.steps]
        return {"dry_run": self.dry_run, "days": days, "archived": self.archived, "quarantined": self.quarantined}


def rescue(spark: SparkSession, settings: Settings, who: str = "", why: str = "", dry_run: bool = False) -> Rescued:
    """Archive documents whose records nothing else has.

    No table and no topic; only documents of this topic. Those that are no events of the topic are moved into the
    quarantine. `who` (by default user and machine) and `why` go into the audit log. Doing it twice changes nothing; a
    dry run changes nothing at all. Raises CheckpointError, and adds nothing, while a stream runs or where another
    writer has added the same offsets meanwhile.
    """
    archive, topic, hot = Archive.of(settings), Topic.of(settings), HotTier.of(settings)
    check_tables(spark, archive)
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        if not dry_run:
            audit_log.end_open(spark, archive)
        tables = Tables.pinned(spark, archive)
        compared = Compared(*tables.snapshots)
        with found(topic, hot, tables) as there:
            judge = Judge(topic, tables, there.position)
            unknown = _judged(hot, judge, there.apart.where(F.col("kind") == Kind.UNKNOWN)).persist()
            try:
                steps = _steps(unknown)
                counts = [sum(step.documents for step in steps if step.verb == verb) for verb in _VERBS]
                if steps and not dry_run:
                    deed = Deed(spark, archive, who or audit_log.whoever(), f"{_REASON}; {why}" if why else _REASON)
                    _archive(deed, unknown.where("trouble IS NULL"), compared, checkpoint)
                    orphans.move_documents(deed, hot, unknown.where("trouble IS NOT NULL"))
                return Rescued(dry_run, steps, *counts, there.lost)
            finally:
                unknown.unpersist()


_VERBS = ("archive", "quarantine")


# -- what a document is --------------------------------------------------------------------------------


def _judged(hot: HotTier, judge: Judge, unknown: DataFrame) -> DataFrame:
    """Return whole unknown documents with their `trouble`.

    That is why they are no events of the topic, null of those that are. One that has changed since it was found is left
    to the next run, as is a copy of another one.
    """
    same = [F.col(f"document.{name}").eqNullSafe(F.col(f"known.{name}")) for name in (*documents.PLACE, *IDENTITY)]
    named = documents.named(hot.cluster, unknown).alias("document")
    whole = named.join(unknown.alias("known"), _all(same), "left_semi")
    trouble = _trouble(judge)
    judged = whole.withColumns({"digest": of_event(whole.columns), "trouble": trouble})
    home = F.expr(f"index = {index_name_sql(hot.alias)}")
    claims = Window.partitionBy(*IDENTITY, F.col("trouble").isNull()).orderBy(home.desc(), "index", "id")
    ranked = judged.withColumns({"chosen": F.first("digest").over(claims), "rank": F.row_number().over(claims)})
    other = ranked.where("trouble IS NOT NULL OR rank = 1 OR digest <> chosen")
    claimed = F.when(F.expr("trouble IS NULL AND rank > 1"), "another document has its coordinates")
    return other.withColumn("trouble", F.coalesce("trouble", claimed)).drop("chosen", "rank")


def _all(conditions: list[Column]) -> Column:
    return F.expr("true") if not conditions else conditions[0] & _all(conditions[1:])


def _trouble(judge: Judge) -> Column:
    """Return why a document is no event of the topic.

    Null if it is one.
    """
    needed = ("topic", "positions", "kafka_timestamp", "timestamp", "level", "service", "message")
    lacking = " OR ".join(f"{name} IS NULL" for name in needed)
    known = judge.trouble()
    return (
        F.when(~F.expr(f"id <=> {document_id_sql()}"), "its id is of other coordinates")
        .when(F.expr(lacking), "it lacks a part of an event")
        .when(known.isNotNull(), known)
        .when(judge.position.in_kafka() & judge.unrecorded(), NO_RECORD)
    )


def _steps(unknown: DataFrame) -> list[Step]:
    day, sound = F.coalesce(F.to_date("timestamp").cast("string"), F.lit("no time")), F.col("trouble").isNull()
    verb = F.when(sound, "archive").otherwise("quarantine")
    reason = F.coalesce("trouble", F.lit("no table and no topic has its record"))
    rows = unknown.groupBy(day.alias("day"), verb.alias("verb"), reason.alias("reason")).count()
    return [Step(r.day, r["count"], verb=r.verb, reason=r.reason) for r in rows.orderBy("day", "verb").collect()]


# -- doing ---------------------------------------------------------------------------------------------


def _archive(deed: Deed, rows: DataFrame, compared: Compared, checkpoint: Checkpoint) -> None:
    """Add rows to the archive by a fenced commit."""
    spark, archive = deed.spark, deed.archive
    claim = Claim("rescue", ranges_of(rows), compared, checkpoint.confirm, {})
    if not claim.ranges:
        return
    days = {r.day: r["count"] for r in rows.groupBy(F.to_date("timestamp").alias("day")).count().collect()}
    layout = data_files.layout(spark, archive.table, ARCHIVE_COLUMNS, "timestamp")
    files = data_files.write(rows, archive.storage, layout)
    claim.confirm()

    def commit(properties: dict[str, str]) -> None:
        data_files.commit(spark, archive.table, files, claim.properties | properties, claim.fence(compared.archive))

    audit_log.carry_out(spark, archive, deed.entries(archive.table, days, compared.archive), commit)
