"""Telemetry of batches: JSON lines, and Prometheus metrics on request.

No content of an event is in it.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import structlog
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from dualsink.errors import PlatformError
from dualsink.kafka.topic import Topic, consumer
from dualsink.stream.backlog import Backlog, Lag
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.sink import BatchReport


class Telemetry:
    """Telemetry of a run, as a context manager.

    It closes its file, its metrics port and its Kafka connection.

    `run` is the run's folder, a `metrics_port` of 0 means none. Raises PlatformError if the port is taken.
    """

    def __init__(self, topic: Topic, checkpoint: Checkpoint, run: Path, metrics_port: int):
        self._topic, self._checkpoint = topic, checkpoint
        self._run, self._port = run, metrics_port
        self._newest: dict[str, int] = {}
        self._lock = threading.Lock()
        self._ended = False

    def __enter__(self) -> "Telemetry":
        with ExitStack() as stack:
            client = stack.enter_context(closing(consumer(self._topic.brokers)))
            self._backlog = Backlog(self._topic.name, self._checkpoint, client)
            self._run.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((self._run / "batches.jsonl").open("a", encoding="utf-8"))
            self._log = _logger(file).bind(run_id=self._run.name, topic=self._topic.name)
            self._metrics = _Metrics(CollectorRegistry())
            if self._port:
                stack.callback(_serve(self._metrics.registry, self._port))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._ended = True
            self._open.close()

    def batch(self, report: BatchReport) -> int | None:
        """Report a batch that both stores hold.

        Returns how many records wait now, None if Kafka did not answer.
        """
        lags, freshness = self._lags(report), self._freshness(report)
        self._metrics.update(report, lags, freshness)
        lag = {name: asdict(value) for name, value in lags.items()}
        self._log.info("batch", **asdict(report), lag=lag, freshness_seconds=freshness)
        return sum(value.offsets for value in lags.values()) if lags else None

    def failure(self, batch_id: int, error: Exception) -> None:
        """Report a batch that failed and will be replayed.

        Not after the end. If Spark's JVM died, the batch's own thread may learn of it later than the run, which has
        reported it then.
        """
        with self._lock:
            if not self._ended:
                self._metrics.failures.inc()
                self._log.error("batch failed", batch_id=batch_id, error=type(error).__name__)

    def _lags(self, report: BatchReport) -> dict[str, Lag]:
        self._backlog.take(report)
        try:
            return self._backlog.lags()
        except KafkaError:
            return {}  # Watching must not fail a batch; the next one reports again.

    def _freshness(self, report: BatchReport) -> dict[str, float]:
        """Return the age of each store's newest event, in seconds.

        Of those that this run has written.
        """
        for store, newest in report.newest.items():
            self._newest[store] = max(newest, self._newest.get(store, newest))
        return {store: round(time.time() - newest / 1e6, 3) for store, newest in self._newest.items()}


def _logger(file: TextIO) -> Any:
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ]
    # Line by line on the disk: whoever watches sees a batch when it is done.
    return structlog.wrap_logger(structlog.PrintLogger(file), processors=processors)


def _serve(registry: CollectorRegistry, port: int) -> Callable[[], None]:
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise PlatformError(f"metrics_port {port} cannot be used ({error}): choose another, or 0 for none.") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


class _Metrics:
    def __init__(self, registry: CollectorRegistry):
        self.registry = registry
        self.events = Counter("dualsink_events", "Records taken from Kafka", registry=registry)
        self.refused = Counter("dualsink_refused", "Records quarantined", ["reason"], registry=registry)
        self.retries = Counter("dualsink_retries", "Bulk requests sent again", registry=registry)
        self.failures = Counter("dualsink_failed_batches", "Batches that failed", registry=registry)
        self.seconds = Counter("dualsink_leg_seconds", "Wall time by step of a batch", ["leg"], registry=registry)
        self.cpu = Counter("dualsink_leg_cpu_seconds", "CPU time of the tasks by leg", ["leg"], registry=registry)
        self.lag = Gauge("dualsink_lag_records", "Records not yet read", ["partition"], registry=registry)
        self.lag_seconds = Gauge(
            "dualsink_lag_seconds", "Age of the last record read, while others wait", ["partition"], registry=registry
        )
        self.freshness = Gauge(
            "dualsink_freshness_seconds", "Now minus the newest event in a store", ["store"], registry=registry
        )

    def update(self, report: BatchReport, lags: dict[str, Lag], freshness: dict[str, float]) -> None:
        self.events.inc(report.events)
        self.retries.inc(report.retries)
        for reason, count in report.refused.items():
            self.refused.labels(reason).inc(count)
        for leg, seconds in report.seconds.items():
            self.seconds.labels(leg).inc(seconds)
        for leg, seconds in report.cpu_seconds.items():
            self.cpu.labels(leg).inc(seconds)
        for name, lag in lags.items():
            self.lag.labels(name).set(lag.offsets)
            if lag.seconds is not None:
                self.lag_seconds.labels(name).set(lag.seconds)
        for store, seconds in freshness.items():
            self.freshness.labels(store).set(seconds)
