"""Ledger: proof that the stores hold the same events.

It is taken from the stores themselves, up to a position: the offsets of the newest markers. What Kafka has beyond is
waiting for the stream. Two statements, neither resting on a counter that the pipeline kept:

1. events in Kafka = archive + unresolved quarantine, for every partition, without gap or repeat: Kafka's bytes are
   parsed again and compared with the archive's rows, and with the bytes of the quarantine. Of what Kafka no longer has
   nothing is lost, from the first offset ever read on (see `continuity`);
2. archive less what OpenSearch refused for good = what people search behind the alias, for every event day.

Each side is summed up as a count and an order-free digest (the sum of a 64-bit hash of coordinates and content, see
`digest`). Only where sums differ are the sides brought together to name the coordinates. What is found has one of seven
verdicts, each with the command that ends it (see `verdicts`). Days that an earlier ledger has proven, and whose files
are the same still, are not read again for the first statement (see `seals` and `proven`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from dualsink.events.reading import Reading
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import check_tables
from dualsink.kafka.topic import Topic
from dualsink.ledger import hot_side, kafka_side
from dualsink.ledger.book import Finding, Ledger
from dualsink.ledger.proven import Proven
from dualsink.ledger.tables import Tables
from dualsink.ledger.verdicts import LOST, UNKNOWN_DOCUMENT, VERDICTS
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings


def take(
    spark: SparkSession, settings: Settings, named: bool = True, tables: Tables | None = None, everything: bool = False
) -> Ledger:
    """Read and compare archive, quarantine, Kafka and OpenSearch.

    The tables as they are now, or some pinned `tables`. Days that are sealed and have the same files still are not read
    again, unless `everything` is to be (see `proven`). Not `named`, the ledger says that stores differ and not in which
    events. Raises ShapeMismatch for tables of an older version, CheckpointError where the topic is created again
    meanwhile.
    """
    archive = Archive.of(settings)
    check_tables(spark, archive)
    topic, hot, reading = Topic.of(settings), HotTier.of(settings), Reading.of(settings)
    return taken(topic, hot, reading, tables or Tables.pinned(spark, archive), named, everything)[0]


def taken(
    topic: Topic, hot: HotTier, reading: Reading, tables: Tables, named: bool = True, everything: bool = False,
    committed: Mapping[int, int] | None = None,
) -> tuple[Ledger, Proven]:  # fmt: skip
    """Take the ledger; return what it did not read, too.

    `committed` are the next offsets of the stream's checkpoint, by partition.
    """
    one = kafka_side.take(topic, reading, tables, named, everything, committed)
    days, findings = hot_side.take(topic, hot, tables, one.position, named)
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    seals = [seal for seal in one.proven.seals if seal.events]
    told = _rescued_first([*one.findings, *findings])
    book = Ledger(
        taken_at, one.lines, days, one.beyond_kafka, told, one.acknowledged,
        sealed_days=len(seals), sealed_events=sum(seal.events for seal in seals),
    )  # fmt: skip
    return book, one.proven


def _rescued_first(findings: list[Finding]) -> list[Finding]:
    """Name `rescue` for lost records while there are unknown documents.

    Their records may be among the lost ones, and nobody shall answer for what can still be saved.
    """
    rescue = VERDICTS[UNKNOWN_DOCUMENT].command
    if not any(each.verdict == UNKNOWN_DOCUMENT and each.remedy == rescue for each in findings):
        return findings

    def rescued(lost: Finding) -> Finding:
        note = f"unknown documents may hold some of them; after that `{lost.remedy}`"
        return replace(lost, command=rescue, note="; ".join(filter(None, [lost.note, note])))

    return [rescued(each) if each.verdict == LOST else each for each in findings]
