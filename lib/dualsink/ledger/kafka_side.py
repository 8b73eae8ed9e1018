"""Statement 1: what Kafka has = archive + unresolved quarantine.

For every partition, up to the position. From the first offset ever read nothing is lost: what Kafka no longer has is in
the tables, or was no record, or was erased or acknowledged by a person (see `continuity`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import COORDINATES, DOCUMENT_COLUMNS, RECORD
from dualsink.events.reading import Reading
from dualsink.events.records import RECORD_COLUMNS, Parsed
from dualsink.iceberg import quarantine
from dualsink.iceberg.markers import Progress
from dualsink.kafka import reader as kafka_reader
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger import continuity, digest, reverted
from dualsink.ledger import proven as proofs
from dualsink.ledger.accounts import Place
from dualsink.ledger.book import BOTH_TABLES, NAMED_AT_MOST, Finding, PartitionLine, finding_in
from dualsink.ledger.foreign import NO_RECORD, Judge
from dualsink.ledger.position import Position
from dualsink.ledger.proven import Proven, Sums
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import ALTERED, BEYOND_KAFKA, DOUBLED, MISSING, WAITING


@dataclass
class Statement:
    """Statement 1: a line for each partition, and findings.

    `beyond_kafka` counts events, `acknowledged` records that are lost and answered for; `losses` are the others, by
    topic id and partition; `proven` is what was not read again.
    """

    position: Position
    lines: list[PartitionLine]
    findings: list[Finding]
    beyond_kafka: int
    acknowledged: int
    losses: Mapping[Place, continuity.Loss]
    proven: Proven


def take(
    topic: Topic, reading: Reading, tables: Tables, named: bool, everything: bool = False,
    committed: Mapping[int, int] | None = None,
) -> Statement:  # fmt: skip
    """Compare Kafka, as it is read, with pinned tables.

    What seals prove is left out unless `everything` is to be read. `committed` are the next offsets of the stream's
    checkpoint, by partition. Raises CheckpointError where the topic is created again meanwhile.
    """
    spark = tables.archive.sparkSession
    with topics.Incarnation(topic) as incarnation:
        once = reverted.progress(tables, topic.name)
        position = reverted.remembering(Position.of(topic, tables, incarnation.id), once)
        proven = proofs.of(reading, tables, position, everything)
        records = records_between(spark, topic, incarnation.id, proven.marks)
        judge = Judge(topic, tables, position)
        known = _held(tables, proven).withColumn("trouble", judge.trouble())
        held = known.where("trouble IS NULL")
        here = held.where(proven.compared())
        in_kafka = proven.outside(_events_of(records, reading), here)
        sums_kafka, sums_held = _sums(in_kafka), _sums(here, *_STORES)
        apart = {p for p in position.partitions if not digest.equal(sums_kafka.get(p), sums_held.get(p))}
        compared = _compare(in_kafka, here, apart, named, judge)
        incarnation.verify()
    before = {}
    if proven.changed is not None:
        before = _sums(held.where(position.compared() & ~proven.compared()), *_STORES)
    sealed = proven.places(_archived(tables, position))
    counts = {p: _Counts.of(p, position, sums_kafka, sums_held, before, sealed) for p in position.partitions}
    present = {p: counts[p].records + compared.alone.get(p, 0) for p in position.partitions}
    offsets = continuity.Known(
        held.select(*COORDINATES),
        _places(tables, position).withColumn("trouble", judge.trouble()).where("trouble IS NULL").drop("trouble"),
        records_between(spark, topic, position.topic_id, position.marks).select(*RECORD),
        present,
        sealed,
    )
    rest = continuity.take(tables, position, offsets, named)
    foreign = _foreign(known, named)
    gone = _reverted(topic, tables, proven, once, committed or {})
    wrong = compared.wrong | rest.wrong | gone.keys()
    lines = [
        _line(position, number, counts[number], rest, compared, number not in wrong) for number in position.partitions
    ]
    normal = [*_waiting(position, gone), *_beyond_kafka(rest, compared, position)]
    sealed_too = [*proofs.doubled(tables, proven, named), *proofs.altered(tables, proven)]
    findings = [
        *compared.findings,
        *rest.findings,
        *foreign,
        *reverted.report(position, gone),
        *sealed_too,
        *proven.broken(everything),
        *normal,
    ]
    beyond_kafka = rest.events + sum(compared.compacted.values())
    return Statement(position, lines, findings, beyond_kafka, rest.acknowledged, rest.losses, proven)


@dataclass(frozen=True)
class _Counts:
    """Events and records of one partition.

    Between Kafka's first offset and the position.
    """

    kafka: int
    archive: int
    quarantine: int
    records: int

    @classmethod
    def of(
        cls, number: int, position: Position, kafka: Mapping[int, Row], held: Mapping[int, Row],
        before: Mapping[int, Row], sealed: Mapping[Place, Sums],
    ) -> "_Counts":  # fmt: skip
        """Add up compared, quarantined and sealed counts."""
        one, two, three = kafka.get(number), held.get(number), before.get(number)
        more = sealed.get((position.topic_id, number), Sums())
        return cls(
            _count(one, "events") + _count(three, "events") + more.events_in_kafka,
            _count(two, "archive") + _count(three, "archive") + more.events_in_kafka,
            _count(two, "quarantine") + _count(three, "quarantine"),
            _count(one, "records") + _count(three, "records") + more.records_in_kafka,
        )


def _line(
    position: Position, number: int, counts: _Counts, rest: continuity.Continuity,
    compared: "Comparison", holds: bool,
) -> PartitionLine:  # fmt: skip
    partition, more = position.partitions[number], rest.of(position.topic_id, number)
    return PartitionLine(
        position.topic,
        number,
        partition.beginning,
        partition.end,
        counts.kafka,
        counts.archive,
        counts.quarantine,
        holds,
        partition.unread,
        partition.waiting,
        more.events + compared.compacted.get(number, 0),
        more.lost,
        more.acknowledged,
    )


def _count(row: Row | None, name: str) -> int:
    return row[name] if row else 0


def _sums(rows: DataFrame, *stores: str) -> dict[int, Row]:
    """Events, digest, records, and events by store, of each partition."""
    more = [F.count_if(F.col("store") == store).alias(store) for store in stores]
    records = F.count_if(F.col("position") == 0).alias("records")
    found = rows.groupBy("partition").agg(*digest.sum_of(), records, *more)
    return {row.partition: row for row in found.collect()}


def _reverted(
    topic: Topic, tables: Tables, proven: Proven, once: Progress, committed: Mapping[int, int]
) -> dict[int, tuple[int, int]]:  # fmt: skip
    position, spark = proven.position, tables.archive.sparkSession

    def again() -> Position:
        return Position.of(topic, Tables.pinned(spark, tables.names), position.topic_id)

    return reverted.offsets(position, once, proven.chain.newest(topic.name).values(), committed, again)


def _waiting(position: Position, gone: Mapping[int, tuple[int, int]]) -> list[Finding]:
    """Report offsets that the stream will read.

    Those that it had read before are not among them. Some may be no records.
    """
    begins = {p: gone[p][1] if p in gone else each.next for p, each in position.partitions.items()}
    found = {p: (begins[p], each.end) for p, each in position.partitions.items() if begins[p] < each.end}
    names = [f"{position.topic}-{p}-{first} to {end - 1}" for p, (first, end) in found.items()]
    count = sum(end - first for first, end in found.values())
    return [Finding(WAITING, "Kafka", count, names=tuple(names[:NAMED_AT_MOST]))] if count else []


def _beyond_kafka(rest: continuity.Continuity, compared: "Comparison", position: Position) -> list[Finding]:
    reasons = {
        "retention": rest.events_of(position.topic_id),
        "compaction": sum(compared.compacted.values()),
        "an earlier topic of this name": rest.events - rest.events_of(position.topic_id),
    }
    count, note = sum(reasons.values()), ", ".join(f"{each}: {n:,}" for each, n in reasons.items() if n)
    return [Finding(BEYOND_KAFKA, BOTH_TABLES, count, note=note)] if count else []


def _foreign(known: DataFrame, named: bool) -> list[Finding]:
    """Report rows of no event, by their trouble."""
    rows = known.where("trouble IS NOT NULL")
    counts = {row.trouble: row["count"] for row in rows.groupBy("trouble").count().collect()}
    return [
        finding
        for trouble, count in sorted(counts.items())
        for finding in _of_trouble(rows.where(F.col("trouble") == trouble), trouble, count, named)
    ]


def _of_trouble(rows: DataFrame, trouble: str, count: int, named: bool) -> Sequence[Finding]:
    return finding_in(rows, ALTERED, BOTH_TABLES, count, named, note=f"{trouble}: a foreign hand writes to the table")


def records_between(
    spark: SparkSession, topic: Topic, topic_id: str, marks: Mapping[int, tuple[int, int]]
) -> DataFrame:
    """Read the records between two offsets of each partition.

    With RECORD_COLUMNS; the same ones whenever they are read.
    """
    first, end = ({p: ends[i] for p, ends in marks.items()} for i in range(2))
    return kafka_reader.by_coordinates(kafka_reader.between(spark, topic, first, end), topic_id).select(*RECORD_COLUMNS)


_STORES = ("archive", "quarantine")
_EVENT_DDL = ", ".join(f"`{name}` {kind}" for name, kind in DOCUMENT_COLUMNS.items())


def _events_of(records: DataFrame, reading: Reading) -> DataFrame:
    """Parse records and digest the result.

    COORDINATES, the `digest` that a store must have, `bytes`, `day`, and whether it is an event, `typed`.
    """
    found = parsed(records, reading)
    day, typed = F.to_date("timestamp").alias("day"), F.col("timestamp").isNotNull().alias("typed")
    event = F.when(F.col("timestamp").isNotNull(), digest.of_event(found.columns))
    return found.select(*COORDINATES, F.coalesce(event, digest.of_refusal()).alias("digest"), "bytes", day, typed)


def parsed(records: DataFrame, reading: Reading) -> DataFrame:
    """Parse records into events and refusals.

    DOCUMENT_COLUMNS and `bytes`, by today's parser. `bytes` is the digest of the record's bytes: it alone is compared
    where the quarantine holds the record. A refusal has no `timestamp`.
    """
    ready = records.withColumns({"bytes": digest.of_bytes(), "headers": F.coalesce("headers", F.array())})
    names = list(DOCUMENT_COLUMNS)

    def parse(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            parsed = Parsed.of(batch, reading.parser)
            every = list(range(len(parsed.outcomes)))
            rows, taken = parsed.archive_rows(every).select(names), batch["bytes"].take(pa.array(parsed.rows))
            yield pa.RecordBatch.from_arrays([*rows.columns, taken], [*names, "bytes"])

    return ready.mapInArrow(parse, f"{_EVENT_DDL}, bytes long")


def _archived(tables: Tables, position: Position) -> DataFrame:
    return tables.archive.where(position.own())


def _held(tables: Tables, proven: Proven) -> DataFrame:
    """Select unsealed archive and unresolved quarantine.

    COORDINATES, `store`, `digest`, `bytes`.
    """
    archive = _archived(tables, proven.position).where(proven.unsealed(tables.names.table))
    archive = archive.select(
        *COORDINATES, F.lit("archive").alias("store"), digest.of_event(archive.columns).alias("digest"),
        F.lit(None).cast("long").alias("bytes"),
    )  # fmt: skip
    kept = _kept(tables, proven.position).withColumn("bytes", digest.of_bytes())
    return archive.unionAll(kept.select(*COORDINATES, F.lit("quarantine"), digest.of_refusal(), "bytes"))


def _kept(tables: Tables, position: Position) -> DataFrame:
    return tables.quarantine.where(position.own()).where(quarantine.unresolved(quarantine.PARSE))


def _places(tables: Tables, position: Position) -> DataFrame:
    """Select the coordinates of what both tables hold."""
    return _archived(tables, position).select(*COORDINATES).unionAll(_kept(tables, position).select(*COORDINATES))


@dataclass
class Comparison:
    """Differences by partition: findings, and what only tables hold.

    `alone` counts records, `compacted` events of the tables that Kafka does not have, by partition.
    """

    wrong: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    alone: dict[int, int] = field(default_factory=dict)
    compacted: dict[int, int] = field(default_factory=dict)


def _compare(
    in_kafka: DataFrame, held: DataFrame, partitions: set[int], named: bool, judge: Judge
) -> Comparison:  # fmt: skip
    """Compare the partitions whose sums differ, record by record."""
    if not partitions:
        return Comparison()
    joined = _joined(in_kafka, held, partitions).persist()
    try:
        found = _judged(joined, judge)
        counts = found.groupBy("kind", "partition").agg(
            F.count("*").alias("events"), F.count_if(F.col("position") == 0).alias("records"),
            F.min("offset").alias("first"), F.max("offset").alias("last"),
        ).collect()  # fmt: skip
        kinds = (MISSING, DOUBLED, ALTERED, _READ_OTHERWISE, _FOREIGN)
        findings = [f for kind in kinds for f in _findings(found, counts, kind, named)]
    finally:
        joined.unpersist()
    alone = {row.partition: row for row in counts if row.kind == BEYOND_KAFKA}
    return Comparison(
        {row.partition for row in counts if row.kind != BEYOND_KAFKA},
        findings,
        {p: row.records for p, row in alone.items()},
        {p: row.events for p, row in alone.items()},
    )


def _judged(joined: DataFrame, judge: Judge) -> DataFrame:
    """Separate foreign rows from those of compacted records."""
    alone = F.col("kind") == BEYOND_KAFKA
    if joined.where(alone).isEmpty():
        return joined
    return joined.withColumn("kind", F.when(alone & judge.unrecorded(), _FOREIGN).otherwise(F.col("kind")))


def _findings(found: DataFrame, counts: Sequence[Row], kind: str, named: bool) -> Sequence[Finding]:
    of_kind = [row for row in counts if row.kind == kind]
    rows, count = found.where(F.col("kind") == kind), sum(row.events for row in of_kind)
    if kind == _READ_OTHERWISE:
        note = "this version, these formats and this record_format refuse their records, or split them otherwise; with "
        note += "those that they were written by they are compared"
        return finding_in(rows, ALTERED, "Kafka and archive", count, named, note=note, command="")
    if kind == _FOREIGN:
        return _of_trouble(rows, NO_RECORD, count, named)
    store = "Kafka and archive" if kind == ALTERED else BOTH_TABLES
    command = replay_of(of_kind) if kind == MISSING else None
    return finding_in(rows, kind, store, count, named, command=command)


def replay_of(counts: Sequence[Row]) -> str:
    """Return the command that replays what is missing.

    By `partition`, its `first` and its `last` offset.
    """
    ordered = sorted(counts, key=lambda row: row.partition)
    first = ",".join(f"{row.partition}:{row['first']}" for row in ordered)
    end = ",".join(f"{row.partition}:{row['last'] + 1}" for row in ordered)
    return f"replay --from {first} --to {end}"


def _joined(in_kafka: DataFrame, held: DataFrame, partitions: set[int]) -> DataFrame:
    """Select positions not held as Kafka has them.

    Each with its `kind`.
    """
    of = F.col("partition").isin(sorted(partitions))
    one = in_kafka.where(of).groupBy(*RECORD).agg(
        F.max("topic").alias("topic"), F.max("kafka_timestamp").alias("kafka_timestamp"),
        F.collect_list(F.struct("position", "positions", "digest", "bytes", "typed")).alias("now"),
    )  # fmt: skip
    other = held.where(of).groupBy(*RECORD).agg(
        F.max("topic").alias("topic"), F.max("kafka_timestamp").alias("kafka_timestamp"),
        F.collect_list(F.struct("position", "positions", "store", "digest", "bytes")).alias("held"),
    )  # fmt: skip
    joined = one.join(other.withColumnsRenamed({"topic": "t", "kafka_timestamp": "k"}), list(RECORD), "full_outer")
    names = [F.coalesce("topic", "t").alias("topic"), F.coalesce("kafka_timestamp", "k").alias("kafka_timestamp")]
    return joined.select(*names, *RECORD, "now", "held").mapInArrow(_compared, _DIFFERENCE_DDL)


_DIFFERENCE_DDL = (
    "topic string, kafka_timestamp timestamp, topic_id string, partition int, offset long, position int, kind string"
)


def _compared(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        sides = zip(batch["now"].to_pylist(), batch["held"].to_pylist(), strict=True)
        found = [(row, *each) for row, (now, held) in enumerate(sides) for each in compared(now or [], held or [])]
        rows = batch.drop_columns(["now", "held"]).take(pa.array([row for row, _, _ in found], pa.int32()))
        more = [pa.array([position for _, position, _ in found], pa.int32())]
        more += [pa.array([kind for _, _, kind in found], pa.string())]
        yield pa.RecordBatch.from_arrays([*rows.columns, *more], [*rows.schema.names, "position", "kind"])


def compared(now: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield one record's positions not held as Kafka has them.

    Each with its verdict. Of a record that Kafka has compacted away they are beyond Kafka, and may be doubled too.
    `now` is what today's parser makes of it: `position`, `positions`, `digest`, `bytes`, `typed`. `held` has `store`
    instead of the last. A record that waits in the quarantine as another parser split it is there once its bytes are,
    at all its positions. Of one that is archived as another parser split it no position is missing.
    """
    expected = {each["position"]: each for each in now}
    splits = {each["positions"] for each in held}
    gone = not now
    waits = all(each["store"] == "quarantine" for each in held)
    if now and waits and len(splits) == 1 and splits != {now[0]["positions"]}:
        expected = dict.fromkeys(range(*splits), now[0])
    if now and any(each["store"] == "archive" and each["positions"] != now[0]["positions"] for each in held):
        yield from ((position, _READ_OTHERWISE) for position in sorted({each["position"] for each in held}))
        return
    found = {
        position: [each for each in held if each["position"] == position]
        for position in {each["position"] for each in held}
    }
    for position in sorted(expected.keys() | found.keys()):
        if gone:
            yield position, BEYOND_KAFKA
        if kind := _kind(expected.get(position), found.get(position, []), gone):
            yield position, kind


_FOREIGN = "foreign"
"""Kind of rows at an offset where Kafka has no record, and had none."""
_READ_OTHERWISE = "read otherwise"
"""Kind of rows of which today's parser makes no row at all: altered, and no command makes them equal."""


def _kind(expected: Mapping[str, Any] | None, found: Sequence[Mapping[str, Any]], gone: bool) -> str:
    if len(found) != 1:
        return DOUBLED if found else MISSING
    if expected is None:
        return "" if gone else ALTERED
    if found[0]["store"] == "quarantine":
        return "" if found[0]["bytes"] == expected["bytes"] else ALTERED
    if not expected["typed"]:
        return _READ_OTHERWISE
    return "" if found[0]["digest"] == expected["digest"] else ALTERED
