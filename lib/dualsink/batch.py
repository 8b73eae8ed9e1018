"""One batch to both stores: parsed once, written side by side, what neither takes to the quarantine."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from dualsink import archive, hot, quarantine
from dualsink.archive import Batch, OffsetRange, ReplayGuard
from dualsink.rows import typed_rows
from dualsink.settings import Settings
from dualsink.tables import ARCHIVE_COLUMNS


@dataclass(frozen=True)
class BatchReport:
    """What one batch did.

    `archived` counts typed events, `refused` by reason; `seconds` is wall time by leg; `arrived` is the newest
    arrival of every partition and `newest` the newest event of each store, both in µs since the epoch.
    """

    batch_id: int
    events: int
    archived: int
    suspect: bool
    created: int
    existing: int
    retries: int
    refused: dict[str, int]
    offsets: dict[str, list[int]]
    arrived: dict[str, int]
    newest: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Statistics:
    ranges: tuple[OffsetRange, ...]
    events: int
    good: int
    refused: dict[str, int]
    arrived: dict[str, int]
    newest: dict[str, int]


class DualSink:
    """Writes batches of the Kafka source (`includeHeaders` on) to the archive and to OpenSearch."""

    def __init__(self, settings: Settings, guard: ReplayGuard):
        self._settings = settings
        self._guard = guard

    def write(self, records: DataFrame, query_id: str, batch_id: int) -> BatchReport | None:
        """Write one batch to both stores; None for an empty one.

        Every exception leaves this function: a swallowed one would mark the batch as done.
        """
        rows = typed_rows(records, self._settings).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            clock = _Clock()
            statistics = clock.time("parse", lambda: _statistics(rows))
            if not statistics.events:
                return None
            return self._write(records, rows, statistics, Batch(query_id, batch_id, statistics.ranges), clock)
        finally:
            rows.unpersist()

    def _write(
        self, records: DataFrame, rows: DataFrame, statistics: _Statistics, batch: Batch, clock: "_Clock"
    ) -> BatchReport:
        spark = records.sparkSession
        suspect = self._guard.is_suspect(batch)
        good = rows.where("reason IS NULL")
        if suspect:
            # Refused by an older parser: it waits for `redrive`, and must not be in two places.
            waiting = spark.table(self._settings.quarantine_table).where(quarantine.unresolved(quarantine.PARSE))
            good = archive.without_held(good, waiting, batch.ranges)
        _, written = _side_by_side(
            spark,
            archive=lambda: clock.time("archive", lambda: self._archive(good, batch, statistics, suspect)),
            hot=lambda: clock.time("hot", lambda: hot.write(good, self._settings)),
        )
        clock.time("quarantine", lambda: self._quarantine(records, rows, statistics, written))
        return BatchReport(
            batch.batch_id,
            statistics.events,
            statistics.good,
            suspect,
            written.created,
            written.existing,
            written.retries,
            statistics.refused | written.refused_by_reason,
            batch.offsets,
            statistics.arrived,
            statistics.newest,
            clock.seconds,
        )

    def _archive(self, good: DataFrame, batch: Batch, statistics: _Statistics, suspect: bool) -> None:
        if not statistics.good:
            return
        table = self._settings.archive_table
        if suspect:
            good = archive.without_held(good, good.sparkSession.table(table), batch.ranges)
        archive.append(good.select(*ARCHIVE_COLUMNS), table, self._guard.properties(batch))

    def _quarantine(self, records: DataFrame, rows: DataFrame, statistics: _Statistics, written: hot.HotResult) -> None:
        spark, settings = records.sparkSession, self._settings
        if statistics.refused:
            archived = spark.table(settings.archive_table)
            unparsed = archive.without_held(quarantine.unparsed(rows), archived, statistics.ranges)
            quarantine.append(spark, settings, unparsed, statistics.ranges)
        if written.refused:
            quarantine.append(spark, settings, quarantine.refused(records, written.refused), statistics.ranges)


class _Clock:
    """Seconds by leg."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, leg: str, work: Callable[[], Any]) -> Any:
        start = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[leg] = round(time.monotonic() - start, 3)


def _statistics(rows: DataFrame) -> _Statistics:
    """One small job over the batch, which also fills its cache."""
    groups = (
        rows.groupBy("topic", "partition", "reason")
        .agg(
            F.count("*").alias("events"),
            F.min("offset").alias("first"),
            F.max("offset").alias("last"),
            F.unix_micros(F.max("kafka_timestamp")).alias("arrived"),
            F.unix_micros(F.max("timestamp")).alias("archive"),
            F.unix_micros(F.max(F.when(F.col("bulk").isNotNull(), F.col("timestamp")))).alias("opensearch"),
        )
        .collect()
    )
    partitions: dict[tuple[str, int], list] = {}
    refused: Counter[str] = Counter()
    for group in groups:
        partitions.setdefault((group.topic, group.partition), []).append(group)
        if group.reason:
            refused[group.reason] += group.events
    ranges = tuple(
        OffsetRange(topic, partition, min(g.first for g in found), max(g["last"] for g in found))
        for (topic, partition), found in sorted(partitions.items())
    )
    events = sum(group.events for group in groups)
    arrived = {r.name: max(g.arrived for g in partitions[r.topic, r.partition]) for r in ranges}
    newest = {
        store: max(times)
        for store in ("archive", "opensearch")
        if (times := [group[store] for group in groups if group[store] is not None])
    }
    return _Statistics(ranges, events, events - refused.total(), dict(refused), arrived, newest)


def _side_by_side(spark: SparkSession, **legs: Callable[[], Any]) -> list[Any]:
    """Run the legs in parallel, each in a FAIR pool of its own; wait for all, then raise the first error."""

    def in_pool(name: str, work: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
            return work()

        return inheritable_thread_target(spark)(run)

    with ThreadPoolExecutor(len(legs)) as pool:
        futures = [pool.submit(in_pool(name, work)) for name, work in legs.items()]
        wait(futures)
    return [future.result() for future in futures]
