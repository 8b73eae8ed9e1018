"""Query: Kafka to both stores, batch by batch.

In the four pieces that 03_stream shows.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

from opensearchpy.exceptions import TransportError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from dualsink.errors import MappingRefused
from dualsink.iceberg import tables
from dualsink.iceberg.archive import Archive
from dualsink.kafka import reader
from dualsink.kafka.topic import Incarnation, Topic
from dualsink.ledger.position import Position
from dualsink.ledger.tables import Tables
from dualsink.opensearch import index
from dualsink.opensearch.hot_tier import HotTier
from dualsink.settings import Settings
from dualsink.spark import failures
from dualsink.spark import signals as signal_notes
from dualsink.stream import health
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Batch, OffsetRange, ReplayGuard
from dualsink.stream.sink import BatchReport, DualSink
from dualsink.stream.target import Target
from dualsink.stream.telemetry import Telemetry

_SUMMED = ("events", "archived", "archived_only", "created", "existing", "partly_indexed", "retries")

Report = Callable[[BatchReport, int | None], None]
"""Called after every batch with what it did and how many records wait still; None where Kafka did not answer."""
WriteBatch = Callable[[DataFrame, int], BatchReport | None]
"""Writes the records of a batch of this number to both stores; None for an empty batch."""


def _silent(batch: BatchReport, waiting: int | None) -> None:
    """Report nothing."""


def run(spark: SparkSession, settings: Settings, report: Report = _silent) -> dict[str, Any]:
    """Run the query as configured and return its totals.

    `report` is called after every batch. `available_now` reads what is in the topic and ends; `live` polls for
    `streaming_duration_seconds` (0: until a signal ends it), then reads what is there at that moment. What tables and
    indices of an older version lack is added first. Raises ShapeMismatch if they have another shape; CheckpointError,
    ServiceUnavailable or DeploymentError, after which the next run replays the batch; MappingRefused between two
    batches, where the archive has what OpenSearch refused.
    """
    stream = Stream(spark, settings, report)

    def write_batch(records: DataFrame, batch_id: int) -> BatchReport | None:
        return sink.write(records, stream.batch(batch_id))

    records = reader.stream(spark, Topic.of(settings), settings.max_offsets_per_trigger)
    writer = stream.writer(records, write_batch)
    with stream:
        for trigger, seconds in phases(settings):
            sink = stream.sink()  # its first batch may be a repetition
            stream.wait(writer.trigger(**trigger).start(), seconds)
    return stream.totals()


def phases(settings: Settings) -> Iterator[tuple[dict[str, Any], float | None]]:
    """Yield the triggers of a run with their seconds.

    None: until it has read what is there.
    """
    if settings.streaming_mode == "live":
        polling = {"processingTime": f"{settings.trigger_seconds} seconds"}
        yield polling, settings.streaming_duration_seconds or math.inf
    yield {"availableNow": True}, None


class _Ended(Exception):
    """End between two batches.

    The one that was due is the next run's.
    """


class Stream:
    """Run of the query, as a context manager.

    It sums up its batches, holds the checkpoint and notes signals.

    Entering it raises CheckpointError, ShapeMismatch or DeploymentError where the query must not start.
    """

    def __init__(self, spark: SparkSession, settings: Settings, report: Report = _silent):
        self._spark = spark
        self._settings = settings
        self._report = report
        self._topic, self._archive, self._hot = Topic.of(settings), Archive.of(settings), HotTier.of(settings)
        self._checkpoint = Checkpoint.of(settings)
        self._servers = health.Servers.of(settings)
        self._open = ExitStack()
        self._batches: list[BatchReport] = []
        self._error: Exception | None = None
        self._refused: MappingRefused | None = None
        self._deadline, self._ended = math.inf, False
        self._seconds = 0.0

    def __enter__(self) -> "Stream":
        with ExitStack() as opened:
            opened.enter_context(self._checkpoint.locked(self._spark))
            self._incarnation = opened.enter_context(Incarnation(self._topic))
            self._checkpoint.check(self._incarnation.id)
            _evolve(self._spark, self._archive, self._hot)
            run, port = self._settings.run_path, self._settings.metrics_port
            self._telemetry = opened.enter_context(Telemetry(self._topic, self._checkpoint, run, port))
            self._signals = opened.enter_context(signal_notes.noted())
            self._catch_up()
            self._open = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._open.__exit__(*error)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("The query is stopped; its next start goes on from the checkpoint.") from None

    def _catch_up(self) -> None:
        """Write what the checkpoint has passed and the tables lack.

        They were rolled back, or made anew, and the query itself reads none of it again. Raises CheckpointError where
        Kafka no longer has what the query is to read next.
        """
        topic = self._topic
        goes_on = self._checkpoint.next().get(topic.name)
        if not goes_on:
            return
        tables = Tables.pinned(self._spark, self._archive)
        position = Position.of(topic, tables, self._incarnation.id)
        self._checkpoint.check_kept(topic.name, goes_on, {p: each.beginning for p, each in position.partitions.items()})
        passed, number = position.lacking_before(goes_on), self._checkpoint.last()
        if not passed or number is None:
            return
        first, end = ({p: ends[i] for p, ends in passed.items()} for i in range(2))
        ranges = tuple(OffsetRange(topic.name, p, first[p], end[p] - 1) for p in sorted(passed))
        batch, sink = Batch(str(self._checkpoint.query_id), number, ranges), self.sink()
        try:
            records = reader.between(self._spark, topic, first, end)
            self.observed(lambda records, _: sink.write(records, batch))(records, number)
        except Exception as error:
            raise self._error or error from None

    def sink(self) -> DualSink:
        """Return a sink for one start of the query.

        Its first batch may be a repetition.
        """
        guard = ReplayGuard(self._spark, self._archive, self._confirm)
        return DualSink(Target.of(self._settings), guard, self._incarnation.id)

    def _confirm(self) -> None:
        """Raise CheckpointError unless checkpoint and topic are unchanged.

        Since this run's start.
        """
        self._checkpoint.confirm()
        self._incarnation.verify()

    def batch(self, batch_id: int) -> Batch:
        """Return query, number and planned offsets of a batch.

        Spark has begun it.
        """
        query_id = self._checkpoint.query_id
        assert query_id  # Spark writes it before the first batch
        begins = self._checkpoint.begins(batch_id)[self._topic.name]
        return Batch(query_id, batch_id, self._checkpoint.planned(batch_id), begins)

    @property
    def checkpoint_location(self) -> str:
        """Location of each batch's offsets, before and after it."""
        return f"file://{self._checkpoint.path}"

    def observed(self, write_batch: WriteBatch) -> Callable[[DataFrame, int], None]:
        """Wrap `write_batch` for `foreachBatch`.

        Each batch is reported, and what it raised is remembered. Spark keeps only the text of an exception. A stored
        checkpoint is brought up to date before the batch.
        """

        def process(records: DataFrame, batch_id: int) -> None:
            if self._is_over():
                # The only way to end a query that is never idle without cutting a batch in two.
                self._ended = True
                raise _Ended()
            try:
                self._checkpoint.save()
                self._note(write_batch(records, batch_id))
            except Exception as error:
                self._error = self._servers.explained(error)
                self._telemetry.failure(batch_id, self._error)
                raise

        return process

    def writer(self, records: DataFrame, write_batch: WriteBatch) -> DataStreamWriter:
        """Return the query over records, with checkpoint, without trigger."""
        writer = records.writeStream.foreachBatch(self.observed(write_batch))
        writer = writer.option("checkpointLocation", self.checkpoint_location)
        return writer.queryName(f"dualsink {self._topic.name}")

    def wait(self, query: StreamingQuery, seconds: float | None = None) -> None:
        """Wait until the query ends, then stop it.

        With `seconds`, for these and until the batch in progress is done. A signal ends the wait. Raises what a batch
        raised, explained; MappingRefused after a batch of which the mapping refused more than `max_refused_share`.
        """
        began, self._error, self._ended = time.monotonic(), None, False
        self._deadline = began + (math.inf if seconds is None else seconds)
        try:
            self._await(query)
        except Exception as error:
            if not self._ended:
                raise self._error or self._servers.explained(error) from None
        finally:
            self._seconds += time.monotonic() - began
            with suppress(*failures.GONE):
                query.stop()
        if self._refused:
            raise self._refused

    def _await(self, query: StreamingQuery) -> None:
        while not query.awaitTermination(1):
            self._signals.check()
            if self._is_over() and not query.status["isTriggerActive"]:
                return

    def _is_over(self) -> bool:
        return self._refused is not None or time.monotonic() > self._deadline

    def totals(self) -> dict[str, Any]:
        """Sum up all batches so far."""
        refused: Counter[str] = Counter()
        for batch in self._batches:
            refused.update(batch.refused)
        sums = {name: sum(getattr(b, name) for b in self._batches) for name in _SUMMED}
        seconds = round(self._seconds, 3)
        return {"batches": len(self._batches), **sums, "refused": dict(refused), "seconds": seconds}

    def _note(self, batch: BatchReport | None) -> None:
        if batch is not None:
            self._batches.append(batch)
            self._report(batch, self._telemetry.batch(batch))
            try:
                batch.check_mapping(self._hot.limits.refused_share)
            except MappingRefused as refused:
                self._refused = refused


def _evolve(spark: SparkSession, archive: Archive, hot: HotTier) -> None:
    """Bring tables and day indices to this version's shape.

    What OpenSearch refuses here, the batch reports.
    """
    tables.evolve_tables(spark, archive)
    with closing(index.connect(hot.cluster, timeout=10)) as client, suppress(TransportError):
        index.evolve(client, hot)
