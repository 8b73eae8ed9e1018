"""Proven days, which a ledger need not read again.

They were sealed, and their files are still the same. The archive is read on all other days. Kafka is read from where it
was not read up to when the newest day was sealed, or from the lowest offset that a day with other files holds or held,
if that is lower. The last record that was sealed is read again with its day, so that a log which was cut off and
written anew is noticed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import reduce

from pyarrow.fs import S3FileSystem
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from dualsink.events.model import COORDINATES, IDENTITY
from dualsink.events.reading import Reading
from dualsink.iceberg import day_files, markers, quarantine, snapshots
from dualsink.iceberg.day_files import DayFiles
from dualsink.iceberg.markers import Run
from dualsink.iceberg.storage import file_system
from dualsink.ledger import digest, seals
from dualsink.ledger.accounts import Place
from dualsink.ledger.book import BOTH_TABLES, NAMED_AT_MOST, Finding, finding_in
from dualsink.ledger.position import Position
from dualsink.ledger.seals import Chain, Seal, Span
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import ALTERED, DOUBLED
from dualsink.spark import local_rows

Key = tuple[str, date]
"""Table and day."""
Files = Mapping[Key, DayFiles]
SPANS = "day date, topic_id string, partition int, first long, last long"


@dataclass(frozen=True)
class Proven:
    """Seals of the archive's unchanged days, and days to read.

    `changed` are the tables' days that are left to read, None for all. `start` is the first offset of each partition
    that Kafka is asked for. `others` are the newest seals of both tables' days that are read. `files` are all days'
    files: None where they cannot tell a change, or nobody asked. `reading` is how records are parsed, as seals have it.
    """

    position: Position
    start: Mapping[int, int]
    reading: str
    seals: tuple[Seal, ...] = ()
    changed: frozenset[Key] | None = None
    others: tuple[Seal, ...] = ()
    files: Files | None = None
    chain: Chain = field(default_factory=Chain)

    def days(self, table: str) -> tuple[date, ...] | None:
        """Return a table's days to read, None for all."""
        return None if self.changed is None else tuple(sorted(day for of, day in self.changed if of == table))

    def unsealed(self, table: str, column: str = "timestamp") -> Column:
        """Condition: a row of a table is to be read.

        Its day is that of `column`.
        """
        days = self.days(table)
        return F.lit(True) if days is None else digest.on_days(days, column=column)

    def compared(self) -> Column:
        """Condition: the record is compared with Kafka's.

        Those before it are sealed.
        """
        return self.position.between(self.marks)

    @property
    def marks(self) -> dict[int, tuple[int, int]]:
        """First and next offset to read from Kafka, by partition."""
        return {p: (self.start[p], each.position) for p, each in self.position.partitions.items()}

    def outside(self, events: DataFrame, read: DataFrame) -> DataFrame:
        """Select Kafka's events that no seal covers.

        And those that a row claims which is `read`. `day` is an event's day, null of a refusal.
        """
        spans = [row for row in _spans(self.seals) if row[1] == self.position.topic_id]
        if not spans:
            return events
        known = F.broadcast(local_rows.frame(events.sparkSession, spans, SPANS))
        claimed = read.select(*IDENTITY).distinct().withColumn("claimed", F.lit(True))
        events = events.join(claimed, list(IDENTITY), "left")
        same = [events[name] == known[name] for name in ("day", "topic_id", "partition")]
        within = events["offset"].between(known["first"], known["last"]) & events["claimed"].isNull()
        return events.join(known, reduce(lambda a, b: a & b, [*same, within]), "left_anti")

    def broken(self, everything: bool) -> list[Finding]:
        """Report the breaks of the chain.

        If everything was read, they are no difference, and a new chain begins.
        """
        if everything or self.chain.unbroken:
            return []
        note = "the chain of seals is broken, so somebody has changed the audit table; all was read"
        names = self.chain.breaks[:NAMED_AT_MOST]
        return [Finding(ALTERED, "audit table", len(self.chain.breaks), (), names, note, "validate --all")]

    def places(self, archive: DataFrame) -> dict[Place, "Sums"]:
        """Sum up the sealed days by partition.

        With how much of it Kafka still has.
        """
        found: dict[Place, Sums] = {}
        for seal in self.seals:
            for place, span in seal.places.items():
                found[place] = found.get(place, Sums()).plus(span, self._in_kafka(place, span))
        for row in self._straddling(archive):
            place = row.topic_id, row.partition
            found[place] = found[place].with_kafka(row.events, row.records)
        return found

    def _in_kafka(self, place: Place, span: Span) -> bool:
        return self._is_here(place) and span.first >= self.position.partitions[place[1]].beginning

    def _is_here(self, place: Place) -> bool:
        return place[0] == self.position.topic_id and place[1] in self.position.partitions

    def _straddling(self, archive: DataFrame) -> list[Row]:
        """Count rows that Kafka has of partly dropped, sealed days."""
        days: dict[int, set[date]] = {}
        for seal in self.seals:
            for place, span in seal.places.items():
                if self._is_here(place) and span.first < self.position.partitions[place[1]].beginning <= span.last:
                    days.setdefault(place[1], set()).add(seal.day)
        if not days:
            return []
        there = reduce(
            lambda a, b: a | b, (digest.on_days(some) & (F.col("partition") == p) for p, some in days.items())
        )
        rows = archive.where(there & self.position.compared()).groupBy("topic_id", "partition")
        return rows.agg(F.count("*").alias("events"), F.count_if(F.col("position") == 0).alias("records")).collect()


@dataclass(frozen=True)
class Sums:
    """Sealed events and records of one partition.

    With how many Kafka still has, first and last offset of all.
    """

    events: int = 0
    records: int = 0
    events_in_kafka: int = 0
    records_in_kafka: int = 0
    ends: tuple[int, int] | None = None

    def plus(self, span: Span, in_kafka: bool) -> "Sums":
        """Return the sums with those of a day."""
        first, last = self.ends or (span.first, span.last)
        ends = min(first, span.first), max(last, span.last)
        grown = replace(self, events=self.events + span.events, records=self.records + span.records, ends=ends)
        return grown.with_kafka(span.events, span.records) if in_kafka else grown

    def with_kafka(self, events: int, records: int) -> "Sums":
        """Return the sums with more that Kafka still has."""
        events, records = self.events_in_kafka + events, self.records_in_kafka + records
        return replace(self, events_in_kafka=events, records_in_kafka=records)


def of(reading: Reading, tables: Tables, position: Position, everything: bool) -> Proven:
    """Apply the seals to pinned tables.

    All is to be read with `everything`, with a broken chain, where records are read otherwise than they were, and where
    Kafka has lost the end of what was read.
    """
    spark, archive = tables.archive.sparkSession, tables.names.table
    chain = seals.chain(spark, tables.names)
    newest = chain.newest(position.topic)
    files = files_of(tables, file_system(tables.names.storage)) if newest else None
    there = {key: seal for key, seal in newest.items() if files and key in files}
    read_by = seals.reading_of(reading)
    known_otherwise = any(seal.reading != read_by for seal in there.values())
    cut_off = any(each.end < each.unread for each in position.partitions.values())
    beginnings = {p: each.beginning for p, each in position.partitions.items()}
    all_read = Proven(position, beginnings, read_by, files=files, chain=chain)
    if everything or files is None or not newest or known_otherwise or cut_off:
        return replace(all_read, others=_unmended(tables, there.values()))
    same = _unchanged(position, newest, files)
    changed = {key: files.get(key) for key in files.keys() | newest.keys() if key not in same}
    return replace(
        all_read,
        start={p: _start(position, p, newest, changed) for p in position.partitions},
        seals=tuple(seal for key, seal in there.items() if key in same and key[0] == archive),
        changed=frozenset(changed.keys() & files.keys()),
        others=_unmended(tables, [seal for key, seal in there.items() if key not in same]),
    )


def files_of(tables: Tables, storage: S3FileSystem) -> Files | None:
    """Return the files of pinned tables by table and day.

    None if one of them belongs to no day.
    """
    found: dict[tuple[str, date], DayFiles] = {}
    for table, snapshot in zip(tables.names.written, tables.snapshots, strict=True):
        days = day_files.at(tables.archive.sparkSession, storage, table, snapshot)
        if days is None:
            return None
        found |= {(table, day): files for day, files in days.items()}
    return found


def _unchanged(position: Position, newest: Mapping[Key, Seal], files: Files) -> set[Key]:
    """Return sealed days that need not be read.

    Days with the same files, which the position covers, and which do not hold the last record that is sealed.
    """
    tails: dict[int, int] = {}
    for seal in newest.values():
        for (topic_id, p), span in seal.places.items():
            if topic_id == position.topic_id:
                tails[p] = max(span.last, tails.get(p, -1))

    def covered(place: Place, span: Span) -> bool:
        topic_id, p = place
        if topic_id != position.topic_id or p not in position.partitions:
            return True
        partition = position.partitions[p]
        return span.last < partition.next and (span.last < tails[p] or tails[p] < partition.beginning)

    return {
        key
        for key, seal in newest.items()
        if key in files and files[key].fingerprint == seal.files and all(covered(*item) for item in seal.places.items())
    }


def _start(position: Position, number: int, newest: Mapping[Key, Seal], changed: Mapping[Key, DayFiles | None]) -> int:
    partition, place = position.partitions[number], (position.topic_id, number)
    read = [seal.read_up_to.get(number) for seal in newest.values() if seal.topic_id == position.topic_id]
    ends = [max((each for each in read if each is not None), default=partition.beginning)]
    ends += [low for files in changed.values() if files and (low := files.lowest_offset(*place)) is not None]
    spans = [newest[key].places.get(place) for key in changed if key in newest]
    ends += [span.first for span in spans if span and span.last >= partition.beginning]
    return max(partition.beginning, min(*ends, partition.position))


def _spans(sealed: Iterable[Seal]) -> list[tuple[date, str, int, int, int]]:
    return [(s.day, of, p, span.first, span.last) for s in sealed for (of, p), span in s.places.items()]


def _unmended(tables: Tables, sealed: Iterable[Seal]) -> tuple[Seal, ...]:
    """Select seals of days that no command has changed since.

    As the audit table says.
    """
    sealed = list(sealed)
    if not sealed:
        return ()
    log = snapshots.pinned(tables.archive.sparkSession, tables.names.audit)
    deeds = log.where(F.col("action") != seals.ACTION).groupBy("table_name", "day").agg(F.max("time").alias("time"))
    done = {(row.table_name, row.day): row.time.astimezone(UTC) for row in deeds.collect()}
    none = datetime.min.replace(tzinfo=UTC)
    return tuple(s for s in sealed if done.get((s.table, s.day), none) < datetime.fromisoformat(s.taken_at))


def digested_days(table: str, tables: Tables, position: Position, days: Sequence[date]) -> DataFrame:
    """Select a topic's rows of some days, as `digested` does.

    A quarantined record's day is that of its arrival there; its digest is of its bytes, and no re-drive changes it.
    """
    if table == tables.names.table:
        return digest.digested(tables.archive.where(position.own() & digest.on_days(days)))
    kept = tables.quarantine.where(position.own() & digest.on_days(days, column="quarantined_at"))
    kept = kept.where(quarantine.of_records()).withColumn("bytes", digest.of_bytes())
    return kept.select(*COORDINATES, F.to_date("quarantined_at").alias("day"), digest.of_refusal().alias("digest"))


def altered(tables: Tables, proven: Proven) -> list[Finding]:
    """Report days with as many events and other content.

    They are read, and do not have the content that their seal says.
    """
    stores = zip(("archive", "quarantine"), tables.names.written, strict=True)
    return [finding for store, table in stores for finding in _altered(store, table, tables, proven)]


def _altered(store: str, table: str, tables: Tables, proven: Proven) -> list[Finding]:
    of_table = [seal for seal in proven.others if seal.table == table]
    spans = _spans(of_table)
    if not spans:
        return []
    known = F.broadcast(local_rows.frame(tables.archive.sparkSession, spans, SPANS))
    rows = digested_days(table, tables, proven.position, [seal.day for seal in of_table])
    rows = rows.join(known, ["day", "topic_id", "partition"])
    rows = rows.where(F.col("offset").between(F.col("first"), F.col("last")))
    now = {row.day: row for row in digest.sums(rows, "day").collect()}
    names = [
        str(seal)
        for seal in of_table
        if (row := now.get(seal.day)) and row.events == seal.events and str(int(row.digest)) != seal.content_digest
    ]
    note = "days whose events are as many and not the same as when they were sealed: restore them from a snapshot"
    shown = tuple(names[:NAMED_AT_MOST])
    return [Finding(ALTERED, store, len(names), names=shown, note=note, command="")] if names else []


def doubled(tables: Tables, proven: Proven, named: bool) -> Sequence[Finding]:
    """Report events that a sealed day holds too."""
    if not proven.seals:
        return []
    own = proven.position.own()
    kept = tables.quarantine.where(own & quarantine.unresolved(quarantine.PARSE))
    kept = kept.where(proven.unsealed(tables.names.quarantine, "quarantined_at"))
    read = (
        tables.archive.where(own & proven.unsealed(tables.names.table))
        .select(*COORDINATES)
        .unionAll(kept.select(*COORDINATES))
    )
    near = _near(read)
    days = [seal.day for seal in proven.seals if seal.reaches(near)]
    if not days:
        return []
    sealed = tables.archive.where(digest.on_days(days)).where(_within(near))
    twice = read.join(sealed.select(*IDENTITY), list(IDENTITY), "left_semi")
    return finding_in(twice, DOUBLED, BOTH_TABLES, twice.count(), named)


_BLOCK = 16_384
_MOST_RUNS = 500


def _near(read: DataFrame) -> dict[Place, list[Run]]:
    """Return runs of offsets near those read, by partition.

    Offsets that are far apart count one by one, or a late event on an old day would have all days between be read.
    """
    blocks = read.select("topic_id", "partition", F.expr(f"offset DIV {_BLOCK}")).distinct().collect()
    found: dict[Place, list[Run]] = {}
    for topic_id, partition, block in blocks:
        found.setdefault((topic_id, partition), []).append((block * _BLOCK, (block + 1) * _BLOCK - 1))
    runs = {place: markers.merged(pieces) for place, pieces in found.items()}
    if sum(map(len, runs.values())) > _MOST_RUNS:
        runs = {place: [(pieces[0][0], pieces[-1][1])] for place, pieces in runs.items()}
    return runs


def _within(near: Mapping[Place, Iterable[Run]]) -> str:
    """Condition: an offset is in the runs.

    Iceberg skips files by it.
    """
    return " OR ".join(
        f"(topic_id = '{of}' AND partition = {p} AND offset BETWEEN {first} AND {last})"
        for (of, p), pieces in near.items()
        for first, last in pieces
    )
