"""One batch to both stores: every record parsed once, indexed and written in one pass, committed at its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import datafiles, hot, task
from dualsink.archive import OffsetRange, Ranges, ReplayGuard, Seal
from dualsink.settings import Settings
from dualsink.tables import ARCHIVE_COLUMNS, COORDINATES, HELD, QUARANTINE_COLUMNS


@dataclass(frozen=True)
class BatchReport:
    """What one batch did.

    `archived` counts typed events, `refused` by reason; `suspect` says that records were compared with the tables.
    `arrived` is the newest arrival of every partition and `newest` the newest event of each store, both in µs since
    the epoch. `seconds` is wall time by step, `cpu_seconds` the tasks' CPU time by leg.
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
    cpu_seconds: dict[str, float]


class DualSink:
    """Writes batches of the Kafka source (`includeHeaders` on) to the archive and to OpenSearch."""

    def __init__(self, settings: Settings, guard: ReplayGuard):
        self._settings = settings
        self._guard = guard

    def write(self, records: DataFrame, query_id: str, batch_id: int) -> BatchReport | None:
        """Write one batch to both stores; None for an empty one.

        Every exception leaves this function: a swallowed one would mark the batch as done.
        """
        clock = Clock()
        checked = clock.time("check", lambda: self._guard.checked(by_coordinates(records), query_id, batch_id))
        found = store(checked, self._settings, self._guard.seal(query_id, batch_id), clock)
        return _report(batch_id, found, HELD in checked.columns, clock.seconds) if found.events else None


class Clock:
    """Wall seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, step: str, work: Callable[[], Any]) -> Any:
        """Do the work and note its seconds."""
        start = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[step] = round(time.monotonic() - start, 3)


def by_coordinates(records: DataFrame) -> DataFrame:
    """Records of the Kafka source with their arrival under its name in the tables, `kafka_timestamp`."""
    return records.withColumnRenamed("timestamp", "kafka_timestamp")


def store(records: DataFrame, settings: Settings, seal: Seal | None = None, clock: Clock | None = None) -> task.Summary:
    """Put records (see `by_coordinates`, perhaps with HELD) into both stores and say what was done.

    The archive's commit comes first. With a seal it happens also where it adds no row, and carries the batch's marker:
    whatever is killed after it, a replay knows that this batch must be compared. Raises MappingRefused before anything
    is committed, CheckpointError where the seal's fence refuses a commit.
    """
    clock = clock or Clock()
    found = clock.time("pass", lambda: _pass(records, settings))
    _check_refusals(found, settings.max_refused_share)
    if found.events:
        clock.time("commit", lambda: _commit(records.sparkSession, settings, found, seal))
    return found


def _pass(records: DataFrame, settings: Settings) -> task.Summary:
    spark = records.sparkSession
    archive = datafiles.layout(spark, settings.archive_table, ARCHIVE_COLUMNS, "timestamp")
    kept = datafiles.layout(spark, settings.quarantine_table, QUARANTINE_COLUMNS, "quarantined_at")
    held = [HELD] if HELD in records.columns else []
    lists = (_without_nulls(records, name) for name in ("headers", *held))
    columns = records.select(*COORDINATES, "key", "value", *lists)
    # As many tasks as cores: a task has its price, and more of them write more and smaller data files.
    shares = columns.coalesce(spark.sparkContext.defaultParallelism)
    return task.sum_up(shares.mapInArrow(task.one_pass(settings, archive, kept), task.RESULT).collect())


def _without_nulls(records: DataFrame, name: str) -> Column:
    """A list column, empty instead of null.

    Spark measures an Arrow batch after each of its rows, and Arrow then walks over all nulls at the end of a list
    column: time that grows with the square of the batch, most of what a record cost in the JVM.
    """
    return F.coalesce(name, F.array().cast(records.schema[name].dataType)).alias(name)


def _check_refusals(found: task.Summary, share: float) -> None:
    refused = {reason: count for reason, count in found.refused.items() if reason.startswith(task.HOT_REASON)}
    documents = found.documents["created"] + found.documents["existing"] + sum(refused.values())
    hot.check_refusals(refused, documents, share)


def _commit(spark: SparkSession, settings: Settings, found: task.Summary, seal: Seal | None) -> None:
    properties, fence = (seal.marker(_ranges(found)), seal.fence) if seal else ({}, None)
    if seal or found.archive_files:
        datafiles.commit(spark, settings.archive_table, found.archive_files, properties, fence)
    if found.quarantine_files:
        datafiles.commit(spark, settings.quarantine_table, found.quarantine_files, properties, fence)


def _ranges(found: task.Summary) -> Ranges:
    return tuple(OffsetRange(*place, span.first, span.last) for place, span in sorted(found.spans.items()))


def _report(batch_id: int, found: task.Summary, suspect: bool, seconds: dict[str, float]) -> BatchReport:
    spans = {f"{topic}-{partition}": span for (topic, partition), span in sorted(found.spans.items())}
    return BatchReport(
        batch_id=batch_id,
        events=found.events,
        archived=found.good,
        suspect=suspect,
        created=found.documents["created"],
        existing=found.documents["existing"],
        retries=found.documents["retries"],
        refused=dict(found.refused),
        offsets={name: [span.first, span.last] for name, span in spans.items()},
        arrived={name: span.arrived for name, span in spans.items()},
        newest=found.newest,
        seconds=seconds,
        cpu_seconds={leg: round(spent, 3) for leg, spent in found.seconds.items()},
    )
