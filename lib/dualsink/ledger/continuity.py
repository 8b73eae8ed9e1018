"""Continuity: no record that Kafka has dropped is lost.

Every offset from the first that was ever read to the position is in Kafka, or in a table, or was no record when it was
read (the markers count those), or was erased by the archive's retention, or a person answers for it. What remains is
lost. It is counted by partition; only where something is lost are the holes themselves looked for, to name them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from dualsink.events.model import RECORD
from dualsink.iceberg import markers, quarantine
from dualsink.iceberg.markers import Run
from dualsink.ledger import accounts, digest
from dualsink.ledger.accounts import Place
from dualsink.ledger.book import BOTH_TABLES, NAMED_AT_MOST, Difference, Finding, finding_in
from dualsink.ledger.position import Position
from dualsink.ledger.proven import SPANS, Sums
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import DOUBLED, LOST, MISSING
from dualsink.spark import local_rows

_LOOKED_AT = 100_000


@dataclass
class Line:
    """Events of one partition beyond Kafka, and its lost records.

    Those that a person has acknowledged are counted apart.
    """

    events: int = 0
    lost: int = 0
    acknowledged: int = 0


@dataclass(frozen=True)
class Loss:
    """Lost records, and their offsets.

    Among the offsets some may be of no records.
    """

    records: int
    offsets: list[Run]


@dataclass
class Continuity:
    """Result: a line for each partition, and findings.

    Of each incarnation; `wrong` are the partitions of the present one with a difference.
    """

    topic_id: str
    lines: dict[Place, Line] = field(default_factory=lambda: defaultdict(Line))
    wrong: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    losses: dict[Place, Loss] = field(default_factory=dict)

    def of(self, topic_id: str, partition: int) -> Line:
        """Return the line of a partition."""
        return self.lines.get((topic_id, partition), Line())

    @property
    def events(self) -> int:
        """Events beyond Kafka, of all incarnations."""
        return sum(line.events for line in self.lines.values())

    @property
    def acknowledged(self) -> int:
        """Lost records that a person answers for, of all incarnations."""
        return sum(line.acknowledged for line in self.lines.values())

    def events_of(self, topic_id: str) -> int:
        """Events beyond Kafka of one incarnation."""
        return sum(line.events for (of, _), line in self.lines.items() if of == topic_id)


@dataclass(frozen=True)
class Known:
    """Knowledge of offsets.

    `read` are coordinates of both tables, but of sealed days, `held` those of all days, `kafka` the records of Kafka.
    `present` counts, by partition, the records that Kafka or the tables have between Kafka's first offset and the
    position. `sealed` says what the sealed days hold.
    """

    read: DataFrame
    held: DataFrame
    kafka: DataFrame
    present: Mapping[int, int]
    sealed: Mapping[Place, Sums]


def take(tables: Tables, position: Position, known: Known, named: bool) -> Continuity:
    """Account for what Kafka no longer has."""
    result = Continuity(position.topic_id)
    records = _records(known.read.where(position.beyond_kafka()))
    found = {(row.topic_id, row.partition): row for row in _by_place(records).collect()}
    books = accounts.read(tables.archive.sparkSession, tables.names)
    returned = _returned(tables, books)
    for place in sorted({*_spans(position), *found, *known.sealed}):
        row, sealed, line = found.get(place), known.sealed.get(place, Sums()), result.lines[place]
        line.events = (row.events if row else 0) + sealed.events - sealed.events_in_kafka
        there = (row.records if row else 0) + sealed.records - sealed.records_in_kafka
        there += known.present.get(place[1], 0) if place[0] == position.topic_id else 0
        account = books.get(place, accounts.Account())
        line.acknowledged = max(0, account.acknowledged - _came_back(known.held, place, account))
        span = _span(position, place, row, sealed)
        if span is None:
            continue
        absent = markers.size([span]) - there - _no_record_count(position, place)
        line.lost = max(0, absent - max(0, account.erased - returned.get(place, 0)) - line.acknowledged)
        if line.lost:
            everywhere = known.held.select(*RECORD).unionAll(known.kafka)
            holes = _holes(everywhere, place, span, [*_no_records(tables, place), *account.ranges])
            result.losses[place] = Loss(line.lost, holes)
    result.findings = [*_damaged(records, list(found.values()), named), *_lost(position.topic, result)]
    damaged = {place for place, row in found.items() if row.doubled or row.incomplete}
    result.wrong = {p for of, p in damaged | result.losses.keys() if of == position.topic_id}
    return result


def _records(places: DataFrame) -> DataFrame:
    """Return a row for each record, with its positions.

    Events held, distinct positions of them, how many there should be, whether 0 is one.
    """
    return places.groupBy(*RECORD).agg(
        F.max("topic").alias("topic"), F.max("kafka_timestamp").alias("kafka_timestamp"),
        F.count("*").alias("events"), F.collect_set("position").alias("found"),
        F.max("positions").alias("positions"), F.max((F.col("position") == 0).cast("int")).alias("first"),
    )  # fmt: skip


def _by_place(records: DataFrame) -> DataFrame:
    distinct = F.size("found")
    return records.groupBy("topic_id", "partition").agg(
        F.sum("events").alias("events"), F.sum("first").alias("records"),
        F.min("offset").alias("lowest"), F.max("offset").alias("highest"),
        F.sum(F.col("events") - distinct).alias("doubled"),
        F.sum(F.greatest(F.lit(0), F.col("positions") - distinct)).alias("incomplete"),
    )  # fmt: skip


def _spans(position: Position) -> list[Place]:
    present = [(position.topic_id, p) for p, each in position.partitions.items() if each.span]
    earlier = [(of, p) for of, parts in position.progress.items() for p in parts if of != position.topic_id]
    return present + earlier


def _span(position: Position, place: Place, row: Row | None, sealed: Sums) -> Run | None:
    """Return offsets of which nothing may be lost, if any.

    None if nothing was read.
    """
    topic_id, number = place
    if topic_id == position.topic_id and number in position.partitions:
        span = position.partitions[number].span
    else:
        reach = position.progress.get(topic_id, {}).get(number)
        span = (reach.first, reach.last) if reach else None
    ends = [span] if span else []
    ends += [(row.lowest, row.highest)] if row else []
    ends += [sealed.ends] if sealed.ends else []
    return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None


def _no_record_count(position: Position, place: Place) -> int:
    reach = position.progress.get(place[0], {}).get(place[1])
    return reach.no_records if reach else 0


def _came_back(places: DataFrame, place: Place, account: accounts.Account) -> int:
    """Count acknowledged records that are there again."""
    if not account.ranges:
        return 0
    within = reduce(lambda a, b: a | b, (F.col("offset").between(*run) for run in account.ranges))
    return places.where(_of(place) & within).select("offset").distinct().count()


def _returned(tables: Tables, books: Mapping[Place, accounts.Account]) -> dict[Place, int]:
    """Count erased records that are there again, by place.

    Of their day and between their offsets: a snapshot from before their erasure is the current one again.
    """
    found: dict[Place, int] = {}
    kept = tables.quarantine.where(quarantine.unresolved(quarantine.PARSE))
    days = (tables.archive, "timestamp"), (kept, "quarantined_at")
    for table, (rows, column) in zip(tables.names.written, days, strict=True):
        erased = [
            (each.day, *place, *each.ends)
            for place, account in books.items()
            for each in account.erasures
            if each.table == table and each.ends
        ]
        if not erased:
            continue
        known = F.broadcast(local_rows.frame(rows.sparkSession, erased, SPANS))
        there = rows.where(digest.on_days({day for day, *_ in erased}, column=column)).where("position = 0")
        there = there.select(*RECORD, F.to_date(column).alias("day")).join(known, ["day", "topic_id", "partition"])
        there = there.where(F.col("offset").between(F.col("first"), F.col("last")))
        for row in there.groupBy("topic_id", "partition").agg(F.countDistinct("offset").alias("records")).collect():
            place = row.topic_id, row.partition
            found[place] = found.get(place, 0) + row.records
    return found


def _of(place: Place) -> Column:
    return (F.col("topic_id") == place[0]) & (F.col("partition") == place[1])


def _no_records(tables: Tables, place: Place) -> list[Run]:
    return [run for _, partition, run in markers.no_records(tables.history(0), {place[0]}) if partition == place[1]]


def _holes(records: DataFrame, place: Place, span: Run, known: Sequence[Run]) -> list[Run]:
    """Return offsets of a span that no record has.

    Less those that are known to be none or acknowledged.
    """
    offsets = records.where(_of(place) & F.col("offset").between(*span)).select("offset").distinct()
    ends = local_rows.frame(records.sparkSession, [(span[0] - 1,), (span[1] + 1,)], "offset long")
    following = F.lead("offset").over(Window.orderBy("offset")).alias("next")
    pairs = offsets.unionAll(ends).select("offset", following).where("next > offset + 1")
    rows = pairs.orderBy("offset").limit(_LOOKED_AT).collect()
    return [run for row in rows for run in markers.gaps((row.offset + 1, row.next - 1), known)]


def _lost(topic: str, result: Continuity) -> list[Finding]:
    holes = {place: loss.offsets for place, loss in result.losses.items()}
    count = sum(loss.records for loss in result.losses.values())
    if not count:
        return []
    among = sum(map(markers.size, holes.values()))
    note = f"among {among:,} offsets of which the others were no records" if among > count else ""
    names = [f"{topic}-{p}-{markers.text(run)}, topic id {of}" for (of, p), runs in holes.items() for run in runs]
    examples = [
        Difference(LOST, BOTH_TABLES, topic, of, p, offset, 0, "no time")
        for (of, p), runs in holes.items() for first, last in runs for offset in range(first, last + 1)[:NAMED_AT_MOST]
    ]  # fmt: skip
    return [
        Finding(
            LOST, BOTH_TABLES, count, tuple(examples[:NAMED_AT_MOST]), tuple(names[:NAMED_AT_MOST]), note,
            f"acknowledge --count {count} --reason TEXT",
        )
    ]  # fmt: skip


def _damaged(records: DataFrame, found: Sequence[Row], named: bool) -> list[Finding]:
    """Find records beyond Kafka with doubled or missing events."""
    findings: list[Finding] = []
    if doubled := sum(row.doubled for row in found):
        rows = records.where(F.col("events") > F.size("found")).withColumn("position", F.explode("found"))
        findings += finding_in(rows, DOUBLED, BOTH_TABLES, doubled, named)
    if incomplete := sum(row.incomplete for row in found):
        absent = F.expr("explode(array_except(sequence(0, positions - 1), found))").alias("position")
        rows = records.where(F.size("found") < F.col("positions")).select("*", absent)
        note = "Kafka no longer has their records: restore them from an older snapshot of the table"
        findings += finding_in(rows, MISSING, BOTH_TABLES, incomplete, named, note=note, command="")
    return findings
