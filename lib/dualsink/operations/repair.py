"""Repair: make the hot tier equal to the archive.

Nothing is deleted that is not proven to exist elsewhere. The archive's own faults come first (`archive_repair`), as its
rows are what documents are measured by. A document is deleted only if a table holds its record (`ledger.whereabouts`).
The only copy of a record stays where it is, counted, and the result names the command that saves it.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.events.model import IDENTITY
from dualsink.iceberg import quarantine
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import check_tables
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger import documents, whereabouts
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.ledger.whereabouts import DELETED, Kind
from dualsink.opensearch import index, reader, reindex
from dualsink.opensearch.bulk import Limits
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.reader import Stats
from dualsink.operations import archive_repair, audit_log
from dualsink.operations import plan as plan_of
from dualsink.operations.archive_repair import Rows
from dualsink.operations.audit_log import Entry
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint

_MENDED = (Kind.LACKING, Kind.ALTERED, *DELETED)


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for one event day: `repair` or `keep`.

    `counts` are the rows and documents that are apart, by kind.
    """

    day: str
    counts: Mapping[Kind, int]

    @property
    def target(self) -> str:
        """The day."""
        return self.day

    def about(self) -> dict[str, Any]:
        """Return the day and its counts as JSON types."""
        return {"day": self.day, **{kind.value: count for kind, count in self.counts.items()}}


@dataclass(frozen=True)
class Left:
    """Differences that are left for other commands.

    Documents by kind, and bounds of the replay. `rows` names those of the archive that stay at fault, `taken` counts
    rows that could not be written, because an unknown document has their place; `lost` says of each day index that
    cannot be read what is missing of it.
    """

    counts: Mapping[Kind, int] = field(default_factory=dict)
    replay: str = ""
    taken: int = 0
    lost: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return what is left, with the command that ends it."""
        number = {kind: words.count(count, "document") for kind, count in self.counts.items()}
        told = {
            Kind.UNKNOWN: "stay: no table and no topic has their records. `rescue` archives them, then `repair` again",
            Kind.IN_KAFKA: f"stay: only Kafka has their records. `replay {self.replay}`, then `repair` again",
            Kind.UNDER_WAY: "are under way: `stream` archives them",
        }
        lines = [f"{number[kind]} {meaning}" for kind, meaning in told.items() if kind in number]
        if self.taken:
            lines.append(f"{words.count(self.taken, 'row')} not written: an unknown document has the place")
        return [*lines, *self.lost, *(f"the archive's row stays, {row}" for row in self.rows)]

    @property
    def needs_more(self) -> list[str]:
        """The lines of what no stream ends by itself."""
        return [line for line in self.lines() if "are under way" not in line]


@dataclass(frozen=True)
class Repaired(plan_of.Result):
    """Result of a repair; with `dry_run` of none.

    What was done to make the hot tier equal to the archive, and what is left. `resolved` counts records of the
    quarantine that the archive holds.
    """

    dry_run: bool
    steps: list[Step]
    written: int = 0
    refused: int = 0
    deleted: int = 0
    left: Left = field(default_factory=Left)
    rows: Rows = field(default_factory=Rows)
    resolved: int = 0

    @property
    def fact(self) -> str:
        """Rows removed and replaced, documents written and deleted."""
        if not (self.steps or self.rows.steps or self.left.lost or self.resolved):
            return "both stores are equal: nothing to repair"
        removed, replaced = self.rows.removed, self.rows.replaced
        rows = f"{words.count(removed, 'row')} removed, {replaced:,} replaced; " if removed or replaced else ""
        rows += f"{words.count(self.resolved, 'quarantined record')} resolved; " if self.resolved else ""
        if self.dry_run:
            days = sum(step.verb == "repair" for step in self.steps)
            return plan_of.unless_planned(f"{rows}{words.count(days, 'day')} repaired", True)
        refused = f", {self.refused:,} refused by OpenSearch" if self.refused else ""
        return f"{rows}{words.count(self.written, 'document')} written, {self.deleted:,} deleted{refused}"

    def lines(self) -> list[str]:
        """Return the days that differ, then what is left.

        The archive's come first.
        """
        return [str(step) for step in (*self.rows.steps, *self.steps)] + self.left.lines()

    def as_dict(self) -> dict[str, Any]:
        """Return days and counts as JSON types."""
        days = [step.day for step in self.steps]
        counts = {"written": self.written, "refused": self.refused, "deleted": self.deleted}
        counts |= {"rows_removed": self.rows.removed, "rows_replaced": self.rows.replaced, "resolved": self.resolved}
        return {"days": days, **counts, "left": asdict(self.left)}

    def check(self) -> None:
        """Raise LedgerMismatch if another command is needed."""
        if self.left.needs_more and not self.dry_run:
            raise LedgerMismatch(f"{self.fact}, and not all is mended: " + "; ".join(self.left.needs_more))


def repair(
    spark: SparkSession, settings: Settings, dry_run: bool = False, delete_unknown: int | None = None, who: str = ""
) -> Repaired:
    """Repair the archive's rows, then the hot tier.

    Exact copies of rows are removed, rows that differ from Kafka's record replaced, as long as Kafka has it; `who` (by
    default user and machine) goes into the audit log. Records that wait in the quarantine and are archived wait no
    more. Missing and differing documents are written from the archive.
    Documents are deleted whose records a table holds: under another id, in another index, or beside a record that waits
    in the quarantine. `delete_unknown` deletes the unknown ones too, if there are just so many. Other topics are left
    alone. A dry run changes nothing. Raises SettingsError where `delete_unknown` is another number, PartialAnswer for
    an index that fails meanwhile.
    """
    archive = Archive.of(settings)
    check_tables(spark, archive)
    checkpoint = Checkpoint.of(settings)
    who = who or audit_log.whoever()
    with checkpoint.locked(spark):
        if not dry_run:
            audit_log.end_open(spark, archive)
        with topics.Incarnation(Topic.of(settings)) as incarnation:
            rows = archive_repair.mend(spark, settings, incarnation, who, dry_run)
        resolved = _resolve_archived(spark, Tables.pinned(spark, archive), settings.kafka_topic, dry_run)
        tables = Tables.pinned(spark, archive)
        with found(spark, settings, tables) as (apart, lost):
            steps = _steps(apart)
            counts = sum((Counter(step.counts) for step in steps), Counter())
            others = {kind: count for kind, count in counts.items() if kind not in _MENDED}
            left = Left(others, _bounds(apart), lost=tuple(lost), rows=rows.left)
            planned = Repaired(dry_run, steps, left=left, rows=rows, resolved=resolved)
            if delete_unknown is not None:
                _check_count(delete_unknown, counts[Kind.UNKNOWN])
            if dry_run or not steps:
                return planned
            if delete_unknown:
                audit_log.append(spark, archive, *_deletions(settings.opensearch_index, steps, who))
            return _mend(settings, tables, apart, planned, delete_unknown is not None)


def _resolve_archived(spark: SparkSession, tables: Tables, topic: str, dry_run: bool) -> int:
    """Resolve records of the quarantine that the archive holds.

    A re-drive that was killed leaves them. Returns how many there were.
    """
    waiting = tables.quarantine.where(F.col("topic") == topic).where(quarantine.unresolved(quarantine.PARSE))
    if waiting.isEmpty():
        return 0
    archived = tables.archive.where(F.col("topic") == topic).select(*IDENTITY)
    done = waiting.select(*quarantine.STAGED).distinct().join(archived, list(IDENTITY), "left_semi").persist()
    try:
        count = done.count()
        if count and not dry_run:
            quarantine.resolve(spark, tables.names.quarantine, done)
        return count
    finally:
        done.unpersist()


@contextmanager
def found(spark: SparkSession, settings: Settings, tables: Tables) -> Iterator[tuple[DataFrame, list[str]]]:
    """Yield what is apart, and the indices that are lost.

    See `whereabouts.apart`; the latter as a line for each day index that cannot be read. No stream runs meanwhile, and
    `tables` were pinned since.
    """
    days, lost = _indices(Cluster.of(settings), settings.opensearch_index)
    topic = Topic.of(settings)
    with topics.Incarnation(topic) as incarnation:

        def position() -> Position:
            return Position.of(topic, tables, incarnation.id)

        with whereabouts.apart(spark, settings, tables, position, days, list(lost)) as apart:
            incarnation.verify(settings.retry_deadline_seconds)
            yield apart, [_lost(stats) for stats in lost.values()]


def _indices(cluster: Cluster, alias: str) -> tuple[dict[date, str], dict[str, Stats]]:
    """Return readable day indices, and lost ones.

    The former by day, and refreshed; of the latter, by name, shards are lost.
    """
    with closing(index.connect(cluster)) as client:
        stats = index.day_stats(client, alias)
        days = index.day_indices(client, alias)
        whole = {day: name for day, name in days.items() if name in stats and not stats[name].lost}
        for name in whole.values():
            reader.refresh(client, name)
    return whole, {name: found for name, found in stats.items() if found.lost}


def _lost(stats: Stats) -> str:
    return (
        f"{stats.index} stays as it is: it has lost {stats.lost} of {words.count(stats.shards, 'shard')}, with what "
        "only they may hold. Bring them back; if they are gone for good, delete the index, and `repair` writes its day "
        "from the archive"
    )


def _steps(apart: DataFrame) -> list[Step]:
    days: dict[str, Counter[Kind]] = {}
    for row in apart.groupBy("day", "kind").count().collect():
        days.setdefault(str(row.day), Counter())[Kind(row.kind)] += row["count"]
    return [_step(day, counts) for day, counts in sorted(days.items())]


def _step(day: str, counts: Counter[Kind]) -> Step:
    reason = ", ".join(f"{counts[kind]:,} {kind.value}" for kind in Kind if counts[kind])
    return Step(day, counts, verb="repair" if counts.keys() & set(_MENDED) else "keep", reason=reason)


def _bounds(apart: DataFrame) -> str:
    """Options of the replay that reaches what only Kafka has."""
    of_kafka = apart.where(F.col("kind") == Kind.IN_KAFKA).groupBy("partition")
    ends = sorted(of_kafka.agg(F.min("offset"), F.max("offset") + 1).collect())
    first, end = (",".join(f"{row[0]}:{row[i]}" for row in ends) for i in (1, 2))
    return f"--from {first} --to {end}" if ends else ""


def _check_count(given: int, there: int) -> None:
    if given != there:
        raise SettingsError(
            f"--delete-unknown {given}: there are {words.count(there, 'unknown document')}. Nothing was changed. "
            "They are the only copies of what they hold: `rescue` archives them."
        )


def _deletions(alias: str, steps: Iterable[Step], who: str) -> list[Entry]:
    """Return audit entries for unknown documents that are to go.

    One for each day; they are written before anything goes.
    """
    entry = uuid.uuid4().hex
    return [
        Entry(
            entry, who, audit_log.DELETES, alias, date.fromisoformat(step.day), count, 0,
            "repair --delete-unknown", "documents whose records no store has; a person gave their number", None,
        )
        for step in steps
        if (count := step.counts.get(Kind.UNKNOWN, 0))
    ]  # fmt: skip


def _mend(settings: Settings, tables: Tables, apart: DataFrame, planned: Repaired, with_unknown: bool) -> Repaired:
    # In this order: a document whose coordinates were changed may have the id of one that is to be written.
    gone = [*DELETED, Kind.UNKNOWN] if with_unknown else DELETED
    cluster, limits, hot = Cluster.of(settings), Limits.of(settings), HotTier.of(settings)
    deleted = reindex.delete(apart.where(F.col("kind").isin(*gone)).select(*documents.PLACE), cluster, limits)
    # `create`: what has the place of a document that is lacking is not known, and stays.
    lacking = reindex.send(_rows(tables, apart, Kind.LACKING), cluster, limits, hot, "create", hot.alias)
    altered = reindex.send(_rows(tables, apart, Kind.ALTERED), cluster, limits, hot, "index", hot.alias)
    _indices(cluster, hot.alias)
    written, refused = lacking.created + altered.created, len(lacking.refused) + len(altered.refused)
    counts = {kind: count for kind, count in planned.left.counts.items() if kind not in gone}
    left = replace(planned.left, counts=counts, taken=lacking.existing)
    return replace(planned, written=written, refused=refused, deleted=deleted, left=left)


def _rows(tables: Tables, apart: DataFrame, kind: Kind) -> DataFrame:
    """Return rows whose documents are of a kind.

    Each once; only their days are read.
    """
    wanted = apart.where(F.col("kind") == kind)
    ((first, last),) = wanted.agg(F.min("day"), F.max("day")).collect()
    rows = tables.archive.where(F.to_date("timestamp").between(F.lit(first), F.lit(last)))
    return rows.join(wanted.select(*IDENTITY), list(IDENTITY), "left_semi").dropDuplicates(list(IDENTITY))
