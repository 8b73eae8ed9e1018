"""Sealing: proven days are kept in the audit table, chained.

The next ledger reads only days whose files have changed since. See `ledger.seals`.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import LedgerMismatch
from dualsink.events.reading import Reading
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.day_files import DayFiles
from dualsink.iceberg.storage import file_system
from dualsink.iceberg.tables import check_tables
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger import digest, ledger, seals
from dualsink.ledger.accounts import Place
from dualsink.ledger.ledger import Ledger
from dualsink.ledger.proven import Proven, digested_days, files_of
from dualsink.ledger.seals import Seal, Span
from dualsink.ledger.tables import Tables
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import audit_log
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint

_POLICY, _REASON = "ledger", "the ledger held"


def validate(spark: SparkSession, settings: Settings, everything: bool = False) -> tuple[Ledger, list[Seal]]:
    """Take the ledger and seal what it proves.

    Nothing is sealed where it does not hold. With `everything` no seal is trusted. Days of which a batch is under way
    are left to the next ledger.
    """
    topic, archive, hot = Topic.of(settings), Archive.of(settings), HotTier.of(settings)
    check_tables(spark, archive)
    committed = Checkpoint.of(settings).seen(topic.name, topics.topic_id(topic))
    tables, reading = Tables.pinned(spark, archive), Reading.of(settings)
    book, proven = ledger.taken(topic, hot, reading, tables, everything=everything, committed=committed)
    if not book.holds:
        return book, []
    proven = replace(proven, files=proven.files or files_of(tables, file_system(archive.storage)))
    return book, _seal(tables, proven, book.taken_at)


def _seal(tables: Tables, proven: Proven, taken_at: str) -> list[Seal]:
    days = [found for table in tables.names.written for found in _days(table, tables, proven)]
    position, read_up_to = proven.position, _read_up_to(proven, days)
    newest = proven.chain.newest(position.topic)

    def seal(found: _Day) -> Seal:
        return Seal(
            found.table, found.day, position.topic, position.topic_id, found.events, found.digest,
            found.files.fingerprint, found.places, read_up_to, taken_at, proven.reading,
        )  # fmt: skip

    made = [seal(found) for found in days if not found.under_way]
    chained = proven.chain.appended(each for each in made if not each.says_the_same(newest.get((each.table, each.day))))
    if chained:
        entry, who = uuid.uuid4().hex, audit_log.whoever()
        entries = [_entry(seal, entry, who, tables, proven) for seal in chained]
        audit_log.append(tables.archive.sparkSession, tables.names, *entries)
    return chained


@dataclass(frozen=True)
class _Day:
    """A day that was read: files, and sums by partition."""

    table: str
    day: date
    files: DayFiles
    rows: list[Row]

    @property
    def under_way(self) -> bool:
        """True if a batch here is not whole yet."""
        return any(row.unread for row in self.rows)

    @property
    def events(self) -> int:
        """Number of the topic's events."""
        return sum(row.events for row in self.rows)

    @property
    def digest(self) -> str:
        """Sum of their digests, as a decimal number."""
        return str(sum(int(row.digest) for row in self.rows))

    @property
    def places(self) -> dict[Place, Span]:
        """Spans by topic id and partition."""
        return {(r.topic_id, r.partition): Span(r.events, r.records, r["first"], r["last"]) for r in self.rows}


def _days(table: str, tables: Tables, proven: Proven) -> Iterator[_Day]:
    """Yield the table's days that were read.

    Those of which the storage lacks a file are left out.
    """
    read = proven.days(table)
    files = {
        day: each
        for (of, day), each in (proven.files or {}).items()
        if of == table and (read is None or day in read) and each.fingerprint
    }
    sums = _by_day(table, tables, list(files), proven)
    for day, each in sorted(files.items()):
        yield _Day(table, day, each, sums.get(day, []))


def _by_day(table: str, tables: Tables, days: Sequence[date], proven: Proven) -> dict[date, list[Row]]:
    """Sum up some days by partition."""
    if not days:
        return {}
    rows = digested_days(table, tables, proven.position, days)
    sums = rows.groupBy("day", "topic_id", "partition").agg(
        *digest.sum_of(), F.count_if(F.col("position") == 0).alias("records"),
        F.min("offset").alias("first"), F.max("offset").alias("last"),
        F.count_if(proven.position.unread()).alias("unread"),
    )  # fmt: skip
    found: dict[date, list[Row]] = {}
    for row in sums.orderBy("day", "topic_id", "partition").collect():
        found.setdefault(row.day, []).append(row)
    return found


def _read_up_to(proven: Proven, days: Sequence[_Day]) -> dict[int, int]:
    """Return each partition's first offset that is not sealed.

    The days of a batch that is under way stay unsealed.
    """
    position = proven.position
    ends = {p: each.position for p, each in position.partitions.items()}
    for found in days:
        if found.under_way:
            for row in found.rows:
                if row.topic_id == position.topic_id and row.partition in ends:
                    ends[row.partition] = min(ends[row.partition], row["first"])
    return ends


def _entry(seal: Seal, entry: str, who: str, tables: Tables, proven: Proven) -> Entry:
    snapshot = tables.snapshots[tables.names.written.index(seal.table)]
    size = (proven.files or {})[seal.table, seal.day].size
    return Entry(
        entry, who, seals.ACTION, seal.table, seal.day, seal.events, size, _POLICY, _REASON, snapshot, snapshot,
        seal=seal.content(), previous=seal.previous, hash=seal.hash,
    )  # fmt: skip


@dataclass(frozen=True)
class Verified(plan_of.Result):
    """The chain of seals, verified by its hashes alone."""

    chain: seals.Chain

    @property
    def fact(self) -> str:
        """The number of seals, and the newest hash."""
        heads = ", ".join(self.chain.heads) or "none yet"
        return f"the chain of {words.count(len(self.chain.seals), 'seal')} is unbroken; newest: {heads}"

    def as_dict(self) -> dict[str, Any]:
        """Return counts, breaks and heads as JSON types."""
        return {
            "seals": len(self.chain.seals),
            "events": sum(seal.events for seal in self.chain.seals),
            "breaks": list(self.chain.breaks),
            "heads": list(self.chain.heads),
        }

    def check(self) -> None:
        """Raise LedgerMismatch naming each break."""
        if self.chain.breaks:
            told = "\n  ".join(self.chain.breaks)
            raise LedgerMismatch(f"The chain of seals is broken; `validate --all` begins a new one:\n  {told}")


def verify(spark: SparkSession, archive: Archive) -> Verified:
    """Verify the chain of seals.

    No store but the audit table is read.
    """
    return Verified(seals.chain(spark, archive))
