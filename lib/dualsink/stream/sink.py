"""Sink: one batch to both stores, committed at its end.

Every record is parsed once, indexed and written in one pass.
"""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from opensearchpy.exceptions import TransportError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import ARCHIVE_COLUMNS, QUARANTINE_COLUMNS
from dualsink.events.records import PLACE
from dualsink.iceberg import data_files
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import HELD
from dualsink.kafka.reader import by_coordinates
from dualsink.opensearch import index, sender
from dualsink.opensearch.hot_tier import HotTier
from dualsink.stream import task
from dualsink.stream.exactly_once import Batch, Claim, ReplayGuard, spans
from dualsink.stream.target import Target


@dataclass(frozen=True)
class BatchReport:
    """Report of one batch.

    `archived` counts typed events, `archived_only` those of them whose days have left the hot window, `partly_indexed`
    documents with attributes that no index can take, `refused` by reason; `suspect` says that records were compared
    with the tables. `arrived` is the newest arrival of every partition and `newest` the newest event of each store,
    both in µs since the epoch. `seconds` is wall time by step, `cpu_seconds` the tasks' CPU time by leg.
    """

    batch_id: int
    events: int
    archived: int
    suspect: bool
    created: int
    existing: int
    retries: int
    archived_only: int
    partly_indexed: int
    refused: dict[str, int]
    offsets: dict[str, list[int]]
    arrived: dict[str, int]
    newest: dict[str, int]
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]

    def check_mapping(self, share: float) -> None:
        """Raise MappingRefused if the mapping refused too many documents.

        More than a share of them.
        """
        prefix = task.HOT_REASON
        refused = {r.removeprefix(prefix): count for r, count in self.refused.items() if r.startswith(prefix)}
        sender.check_refusals(refused, self.created + self.existing + sum(refused.values()), share)


class DualSink:
    """Sink of the Kafka source's batches to both stores.

    The source has `includeHeaders` on; the stores are the archive and OpenSearch.
    """

    def __init__(self, target: Target, guard: ReplayGuard, topic_id: str):
        self._target = target
        self._guard = guard
        self._topic_id = topic_id

    def write(self, records: DataFrame, batch: Batch) -> BatchReport | None:
        """Write one batch to both stores; None without records.

        Every exception leaves this function: a swallowed one would mark the batch as done.
        """
        clock = Clock()
        of_topic = by_coordinates(records, self._topic_id)
        checked, claim = clock.time("check", lambda: self._guard.checked(of_topic, batch, self._topic_id))
        found = store(checked, self._target, claim, clock)
        return _report(batch, found, HELD in checked.columns, clock.seconds) if found.events else None


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


def store(records: DataFrame, target: Target, claim: Claim, clock: Clock | None = None) -> task.Summary:
    """Store records in both stores and return the summary.

    The records are those of `by_coordinates`, perhaps with HELD.
    The archive's commit comes first. Of a stream's batch it happens also where it adds no row, and carries the batch's
    marker: whatever is killed after it, a replay knows that this batch must be compared. Raises CheckpointError where
    the claim does not allow a commit.
    """
    clock = clock or Clock()
    _restore_template(target.hot)
    found = clock.time("pass", lambda: _pass(records, target))
    clock.time("commit", lambda: _commit(records.sparkSession, target.archive, found, claim))
    return found


def _pass(records: DataFrame, target: Target) -> task.Summary:
    spark, archive = records.sparkSession, target.archive
    rows = data_files.layout(spark, archive.table, ARCHIVE_COLUMNS, "timestamp")
    kept = data_files.layout(spark, archive.quarantine, QUARANTINE_COLUMNS, "quarantined_at")
    held = [HELD] if HELD in records.columns else []
    lists = (_without_nulls(records, name) for name in ("headers", *held))
    columns = records.select(*PLACE, "key", "value", *lists)
    # As many tasks as cores: a task has its price, and more of them write more and smaller data files.
    shares = columns.coalesce(spark.sparkContext.defaultParallelism)
    return task.sum_up(shares.mapInArrow(task.one_pass(target, rows, kept), task.RESULT).collect())


def _without_nulls(records: DataFrame, name: str) -> Column:
    """Return a list column that is empty instead of null.

    Spark measures an Arrow batch after each of its rows, and Arrow then walks over all nulls at the end of a list
    column: time that grows with the square of the batch, most of what a record cost in the JVM.
    """
    return F.coalesce(name, F.array().cast(records.schema[name].dataType)).alias(name)


def _restore_template(hot: HotTier) -> None:
    """Ask for the template, a request a batch.

    What OpenSearch refuses here, the batch reports.
    """
    with closing(index.connect(hot.cluster, timeout=10)) as client, suppress(TransportError):
        index.restore_template(client, hot)


def _commit(spark: SparkSession, archive: Archive, found: task.Summary, claim: Claim) -> None:
    claim = claim.after({place: span.runs for place, span in found.spans.items()}, bool(found.quarantine_files))
    if found.archive_files or claim.tells_progress:
        _add(spark, archive.table, found.archive_files, claim, claim.compared.archive)
    if found.quarantine_files:
        _add(spark, archive.quarantine, found.quarantine_files, claim, claim.compared.quarantine)


def _add(spark: SparkSession, table: str, files: list[data_files.DataFile], claim: Claim, compared: int | None) -> None:
    claim.confirm()
    data_files.commit(spark, table, files, claim.properties, claim.fence(compared))


def _report(batch: Batch, found: task.Summary, suspect: bool, seconds: dict[str, float]) -> BatchReport:
    return BatchReport(
        batch_id=batch.number,
        events=found.events,
        archived=found.good,
        suspect=suspect,
        created=found.documents["created"],
        existing=found.documents["existing"],
        retries=found.documents["retries"],
        archived_only=found.archived_only,
        partly_indexed=found.partly_indexed,
        refused=dict(found.refused),
        offsets=spans(batch.ranges),
        arrived={f"{topic}-{partition}": span.arrived for (topic, partition), span in sorted(found.spans.items())},
        newest=found.newest,
        seconds=seconds,
        cpu_seconds={leg: round(spent, 3) for leg, spent in found.seconds.items()},
    )
