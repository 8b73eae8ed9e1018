"""The query: Kafka to both stores, batch by batch."""

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from opensearchpy.exceptions import TransportError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from dualsink import failures, interrupts, kafka, search, tables
from dualsink.archive import ReplayGuard
from dualsink.batch import BatchReport, DualSink
from dualsink.checkpoint import Checkpoint
from dualsink.errors import DeploymentError
from dualsink.settings import Settings
from dualsink.telemetry import Telemetry

# Into how many pieces a task's share of a batch is cut at least.
_PIECES_PER_TASK = 4
_SUMMED = ("events", "archived", "created", "existing", "retries")


Report = Callable[[BatchReport, int | None], None]
"""Called after every batch with what it did and how many records wait still; None where Kafka did not answer."""


def run(spark: SparkSession, settings: Settings, report: Report = lambda batch, waiting: None) -> dict[str, Any]:
    """Run the query as the settings say and return its totals; `report` is called after every batch.

    `available_now` reads what is in the topic and ends; `live` polls for `streaming_duration_seconds` (0: until it is
    told to end), then drains. What tables and indices of an older version lack is added first. Raises ShapeMismatch
    where they have another shape; CheckpointError, ServiceUnavailable, DeploymentError or MappingRefused, after which
    the next run replays the batch.
    """
    checkpoint = Checkpoint.of(settings)
    with checkpoint.locked(spark):
        checkpoint.check(_topic_id(settings))
        _evolve(spark, settings)
        with Telemetry(settings) as telemetry:
            totals = _Totals(report, telemetry)
            if settings.streaming_mode == "live":
                _run_query(spark, settings, checkpoint, totals, settings.streaming_duration_seconds or math.inf)
            _run_query(spark, settings, checkpoint, totals)
        return totals.result()


def _topic_id(settings: Settings) -> str:
    with closing(kafka.admin(settings)) as client:
        topic = kafka.describe_topic(client, settings.kafka_topic)
    if topic is None:
        raise DeploymentError(f"Topic {settings.kafka_topic} does not exist: run 01_setup first.")
    return topic.id


def _evolve(spark: SparkSession, settings: Settings) -> None:
    """Bring tables and day indices to this version's shape; what OpenSearch refuses here, the batch will tell of."""
    tables.evolve_tables(spark, settings)
    with closing(search.connect(settings, timeout=10)) as client, suppress(TransportError):
        search.evolve(client, settings)


class _Totals:
    def __init__(self, report: Report, telemetry: Telemetry):
        self._report = report
        self._telemetry = telemetry
        self._batches: list[BatchReport] = []
        self.error: Exception | None = None
        self._start = time.monotonic()

    def add(self, batch: BatchReport | None) -> None:
        if batch is not None:
            self._batches.append(batch)
            self._report(batch, self._telemetry.batch(batch))

    def fail(self, batch_id: int, error: Exception) -> None:
        self.error = error
        self._telemetry.failure(batch_id, error)

    def result(self) -> dict[str, Any]:
        refused: Counter[str] = Counter()
        for batch in self._batches:
            refused.update(batch.refused)
        sums = {name: sum(getattr(b, name) for b in self._batches) for name in _SUMMED}
        return {
            "batches": len(self._batches),
            **sums,
            "refused": dict(refused),
            "seconds": round(time.monotonic() - self._start, 3),
        }


def _run_query(
    spark: SparkSession, settings: Settings, checkpoint: Checkpoint, totals: _Totals, seconds: float | None = None
) -> None:
    sink = DualSink(settings, ReplayGuard(spark, settings))

    def process(records: DataFrame, batch_id: int) -> None:
        try:
            checkpoint.save()
            totals.add(sink.write(records, checkpoint.query_id, batch_id))
        except Exception as error:
            totals.fail(batch_id, failures.explained(error, settings))
            raise

    with interrupts.noted() as signals:
        query = _start(spark, settings, checkpoint, process, seconds)
        try:
            _await(query, seconds, signals)
        except Exception as error:
            raise totals.error or failures.explained(error, settings) from None
        finally:
            with suppress(*failures.GONE):
                query.stop()


def _start(spark, settings: Settings, checkpoint: Checkpoint, process, seconds: float | None) -> StreamingQuery:
    writer = read(spark, settings).writeStream.foreachBatch(process).queryName(f"dualsink {settings.kafka_topic}")
    writer = writer.option("checkpointLocation", f"file://{checkpoint.path}")
    if seconds is None:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{settings.trigger_seconds} seconds").start()


def read(spark: SparkSession, settings: Settings) -> DataFrame:
    """The topic as a stream, from its first record, at most `max_offsets_per_trigger` records a batch."""
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", settings.max_offsets_per_trigger)
        # Partitions are of uneven sizes; in pieces they make tasks of even ones, see batch.py.
        .option("minPartitions", _PIECES_PER_TASK * spark.sparkContext.defaultParallelism)
        .option("includeHeaders", "true")
        .load()
    )


def _await(query: StreamingQuery, seconds: float | None, signals: interrupts.Notes) -> None:
    """Wait for the end, or for `seconds`, then until the batch in progress is done. A signal to end is obeyed."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not query.awaitTermination(1):
        signals.obey()
        if deadline and time.monotonic() > deadline and not query.status["isTriggerActive"]:
            return
