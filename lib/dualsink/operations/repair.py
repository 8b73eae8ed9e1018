"""Repair: make the hot tier equal to the archive.

Nothing is deleted that is not proven to exist elsewhere. The tables' own faults come first (`quarantine_repair`,
`archive_repair`), as their rows are what documents are measured by. A document is deleted only if a table holds its
record (`ledger.whereabouts`), and moved into the quarantine if it claims a record's place with another content. The
only copy of a record stays where it is, counted, and the result names the command that saves it.
"""

import re
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
from dualsink.events.model import IDENTITY, RECORD
from dualsink.events.reading import Reading
from dualsink.events.records import RECORD_COLUMNS
from dualsink.iceberg import quarantine
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import check_tables
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger import documents, kafka_side, whereabouts
from dualsink.ledger.book import NAMED_AT_MOST
from dualsink.ledger.digest import digested
from dualsink.ledger.foreign import Judge
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.ledger.whereabouts import DELETED, Indices, Kind
from dualsink.opensearch import index, reader, reindex
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.reader import Stats
from dualsink.opensearch.reindex import Sent
from dualsink.operations import archive_repair, audit_log, legal_holds, orphans, quarantine_repair
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.operations.orphans import Deed
from dualsink.operations.table_repair import Rows
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint

_MENDED = (Kind.LACKING, Kind.ALTERED, Kind.DISPUTED, *DELETED)
_DISPUTED = "another event of its place is archived, and Kafka cannot say which is right"


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
        return [*lines, *self.lost, *(f"the row stays, {row}" for row in self.rows)]

    @property
    def needs_more(self) -> list[str]:
        """The lines of what no stream ends by itself."""
        return [line for line in self.lines() if "are under way" not in line]


@dataclass(frozen=True)
class Repaired(plan_of.Result):
    """Result of a repair; with `dry_run` of none.

    What was done to make the hot tier equal to the archive, and what is left. `resolved` counts records of the
    quarantine that the archive holds, `orphaned` documents that were moved there.
    """

    dry_run: bool
    steps: list[Step]
    written: int = 0
    refused: int = 0
    deleted: int = 0
    left: Left = field(default_factory=Left)
    rows: Rows = field(default_factory=Rows)
    resolved: int = 0
    orphaned: int = 0

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
        more = f", {self.orphaned:,} moved into the quarantine" if self.orphaned else ""
        more += f", {self.refused:,} refused by OpenSearch" if self.refused else ""
        return f"{rows}{words.count(self.written, 'document')} written, {self.deleted:,} deleted{more}"

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
        counts |= {"rows_orphaned": self.rows.orphaned, "orphaned": self.orphaned}
        return {"days": days, **counts, "left": asdict(self.left)}

    def check(self) -> None:
        """Raise LedgerMismatch if another command is needed."""
        if self.left.needs_more and not self.dry_run:
            raise LedgerMismatch(f"{self.fact}, and not all is mended: " + "; ".join(self.left.needs_more))


def repair(
    spark: SparkSession, settings: Settings, dry_run: bool = False, delete_unknown: int | None = None, who: str = ""
) -> Repaired:
    """Repair the archive's rows, then the hot tier.

    Of both tables exact copies of rows are removed, and rows that differ from Kafka's record replaced, as long as Kafka
    has it; rows of no event go to the orphans of the quarantine. `who` (by default user and machine) goes into the
    audit log. Records that wait in the quarantine and are archived wait no more. Missing and differing documents are
    written from the archive.
    Documents are deleted whose records a table holds: under another id, in another index, or beside a record that waits
    in the quarantine. One with other content than the row whose place it claims is moved into the quarantine, unless
    Kafka bears the row out. `delete_unknown` deletes the unknown ones too, if there are just so many. Other topics are
    left alone. A dry run changes nothing. Raises SettingsError where `delete_unknown` is another number, PartialAnswer
    for an index that fails meanwhile.
    """
    archive, topic, hot = Archive.of(settings), Topic.of(settings), HotTier.of(settings)
    check_tables(spark, archive)
    checkpoint = Checkpoint.of(settings)
    who = who or audit_log.whoever()
    with checkpoint.locked(spark):
        if not dry_run:
            audit_log.end_open(spark, archive)
        rows, resolved = _mend_tables(spark, settings, who, dry_run)
        tables = Tables.pinned(spark, archive)
        with found(topic, hot, tables) as there:
            apart, steps = there.apart, _steps(there.apart)
            counts = sum((Counter(step.counts) for step in steps), Counter())
            others = {kind: count for kind, count in counts.items() if kind not in _MENDED}
            left = Left(others, _bounds(apart), lost=tuple(there.lost), rows=rows.left)
            planned = Repaired(dry_run, steps, left=left, rows=rows, resolved=resolved)
            if delete_unknown is not None:
                _check_count(delete_unknown, counts[Kind.UNKNOWN])
            if dry_run or not steps:
                return planned
            if delete_unknown:
                audit_log.append(spark, archive, *_deletions(hot.alias, steps, who))
            return _mend(hot, tables, apart, planned, who, delete_unknown is not None)


def _mend_tables(spark: SparkSession, settings: Settings, who: str, dry_run: bool) -> tuple[Rows, int]:
    """Mend the tables' own rows.

    Returns what was mended, and how many records are resolved. The quarantine first: archived rows are compared with
    records that wait there, too.
    """
    archive, topic, reading = Archive.of(settings), Topic.of(settings), Reading.of(settings)
    holds = legal_holds.read(settings.legal_holds)
    with topics.Incarnation(topic) as incarnation:
        tables = Tables.pinned(spark, archive)
        judge = Judge(topic, tables, Position.of(topic, tables, incarnation.id))
        rows = quarantine_repair.mend(judge, holds, incarnation, who, dry_run)
        rows += archive_repair.mend(judge, reading, holds, incarnation, who, dry_run)
        resolved, left = _resolve_archived(spark, archive, reading, judge.position, dry_run)
    return rows + Rows(left=left), resolved


def _resolve_archived(
    spark: SparkSession, archive: Archive, reading: Reading, position: Position, dry_run: bool
) -> tuple[int, tuple[str, ...]]:
    """Resolve records of the quarantine that the archive holds.

    A re-drive that was killed leaves them. Returns how many there were, and the names of those whose row is not what
    today's parser makes of the record: which of the two is right only a person can say.
    """
    tables = Tables.pinned(spark, archive)
    waiting = tables.quarantine.where(position.own()).where(quarantine.unresolved(quarantine.PARSE))
    archived = digested(tables.archive.where(position.own())).select(*IDENTITY, F.col("digest").alias("archived"))
    both = waiting.join(archived, list(IDENTITY)).persist()
    try:
        if both.isEmpty():
            return 0, ()
        records = both.select(*RECORD_COLUMNS).dropDuplicates(list(RECORD))
        parsed = digested(kafka_side.parsed(records, reading).where("timestamp IS NOT NULL"))
        judged = both.join(parsed.select(*IDENTITY, "digest"), list(IDENTITY), "left")
        same = F.expr("archived <=> digest")
        done, apart = (judged.where(each).select(*quarantine.STAGED, "topic").distinct() for each in (same, ~same))
        count = done.count()
        if count and not dry_run:
            quarantine.resolve(spark, tables.names.quarantine, done.drop("topic"))
        left = apart.orderBy(*IDENTITY).limit(NAMED_AT_MOST).collect()
        return count, tuple(f"{row.topic}-{row.partition}-{row.offset}: {_TWO_CONTENTS}" for row in left)
    finally:
        both.unpersist()


_TWO_CONTENTS = "its record waits in the quarantine and makes another row"


@dataclass(frozen=True)
class Found:
    """Differences, the position of their comparison, and lost indices.

    See `whereabouts.apart`; the last as a line for each day index that cannot be read.
    """

    apart: DataFrame
    position: Position
    lost: list[str]


@contextmanager
def found(topic: Topic, hot: HotTier, tables: Tables) -> Iterator[Found]:
    """Yield what is apart.

    No stream runs meanwhile, and `tables` were pinned since.
    """
    days, lost = _indices(hot)
    with topics.Incarnation(topic) as incarnation:
        asked: list[Position] = []

        def position() -> Position:
            asked.append(Position.of(topic, tables, incarnation.id))
            return asked[-1]

        indices = Indices(days, list(lost))
        with whereabouts.apart(topic, hot, tables, incarnation.id, position, indices) as apart:
            incarnation.verify()
            yield Found(apart, asked[-1], [_lost(stats) for stats in lost.values()])


def _indices(hot: HotTier) -> tuple[dict[str, date], dict[str, Stats]]:
    """Return readable day indices, and lost ones, by name.

    Rehydrated ones too. The former with their days, and refreshed; of the latter shards are lost.
    """
    with closing(index.connect(hot.cluster)) as client:
        stats = {name: each for prefix in hot.prefixes for name, each in index.day_stats(client, prefix).items()}
        days = {name: day for prefix in hot.prefixes for day, name in index.day_indices(client, prefix).items()}
        whole = {name: day for name, day in days.items() if name in stats and not stats[name].lost}
        for name in whole:
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


def _mend(
    hot: HotTier, tables: Tables, apart: DataFrame, planned: Repaired, who: str, with_unknown: bool
) -> Repaired:  # fmt: skip
    # In this order: a document whose coordinates were changed may have the id of one that is to be written.
    gone = [*DELETED, Kind.UNKNOWN] if with_unknown else DELETED
    orphaned = _move_disputed(hot, tables.names, apart, who) if _count(planned, Kind.DISPUTED) else 0
    deleted = reindex.delete(apart.where(F.col("kind").isin(*gone)).select(*documents.PLACE), hot)
    # `create`: what has the place of a document that is lacking is not known, and stays.
    lacking = reindex.send(_rows(tables, apart, Kind.LACKING), hot, "create", hot.alias)
    altered = Sent()
    for prefix in hot.prefixes if _count(planned, Kind.ALTERED) else ():
        there = apart.where(F.col("index").rlike(f"^{re.escape(prefix)}-{_DAY}$"))
        altered.add(reindex.send(_rows(tables, there, Kind.ALTERED), hot, "index", prefix))
    _indices(hot)
    written, refused = lacking.created + altered.created, len(lacking.refused) + len(altered.refused)
    counts = {kind: count for kind, count in planned.left.counts.items() if kind not in gone}
    left = replace(planned.left, counts=counts, taken=lacking.existing)
    return replace(planned, written=written, refused=refused, deleted=deleted, orphaned=orphaned, left=left)


_DAY = r"\d{4}\.\d\d\.\d\d"


def _count(planned: Repaired, kind: Kind) -> int:
    return sum(step.counts.get(kind, 0) for step in planned.steps)


def _move_disputed(hot: HotTier, archive: Archive, apart: DataFrame, who: str) -> int:
    """Move documents that nothing proves into the quarantine."""
    places = apart.where(F.col("kind") == Kind.DISPUTED).select(*documents.PLACE)
    found = documents.named(hot.cluster, places).withColumn("trouble", F.lit(_DISPUTED)).persist()
    try:
        return orphans.move_documents(Deed(apart.sparkSession, archive, who, _DISPUTED), hot, found)
    finally:
        found.unpersist()


def _rows(tables: Tables, apart: DataFrame, kind: Kind) -> DataFrame:
    """Return rows whose documents are of a kind.

    Each once; only their days are read.
    """
    wanted = apart.where(F.col("kind") == kind)
    ((first, last),) = wanted.agg(F.min("day"), F.max("day")).collect()
    rows = tables.archive.where(F.to_date("timestamp").between(F.lit(first), F.lit(last)))
    return rows.join(wanted.select(*IDENTITY), list(IDENTITY), "left_semi").dropDuplicates(list(IDENTITY))
