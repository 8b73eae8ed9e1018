"""Being watched: every batch as a JSON line, and as Prometheus metrics where a port is given. No event content."""

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, TextIO

import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from dualsink import kafka
from dualsink.batch import BatchReport
from dualsink.errors import PlatformError
from dualsink.settings import Settings


@dataclass(frozen=True)
class Lag:
    """How far one partition is behind: records not yet read, and seconds since the last one read had arrived."""

    offsets: int
    seconds: float


class Telemetry:
    """Tells of every batch; a context manager that closes its file, its metrics port and its Kafka connection.

    Raises PlatformError where `metrics_port` is taken.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._open = ExitStack()

    def __enter__(self) -> "Telemetry":
        settings = self._settings
        self._consumer = kafka.consumer(settings)
        self._open.callback(self._consumer.close)
        settings.run_path.mkdir(parents=True, exist_ok=True)
        file = self._open.enter_context((settings.run_path / "batches.jsonl").open("a", encoding="utf-8"))
        self._log = _logger(file).bind(run_id=settings.run_id or "interactive", topic=settings.kafka_topic)
        self._metrics = _Metrics(CollectorRegistry())
        if settings.metrics_port:
            self._open.callback(_serve(self._metrics.registry, settings.metrics_port))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def batch(self, report: BatchReport) -> None:
        """Tell of a batch that both stores hold."""
        lag = self._lag(report)
        freshness = {store: round(time.time() - newest / 1e6, 3) for store, newest in report.newest.items()}
        self._metrics.update(report, lag, freshness)
        behind = {name: asdict(value) for name, value in lag.items()}
        self._log.info("batch", **asdict(report), lag=behind, freshness_seconds=freshness)

    def failure(self, batch_id: int, error: Exception) -> None:
        """Tell of a batch that failed and will be replayed."""
        self._metrics.failures.inc()
        self._log.error("batch failed", batch_id=batch_id, error=type(error).__name__)

    def _lag(self, report: BatchReport) -> dict[str, Lag]:
        try:
            ends = _ends(self._consumer, self._settings)
        except KafkaError:
            return {}  # Watching must not fail a batch; the next one tells again.
        lags = {}
        for name, (_, last) in report.offsets.items():
            waiting = max(ends.get(name, 0) - last - 1, 0)
            lags[name] = Lag(waiting, round(time.time() - report.arrived[name] / 1e6, 3) if waiting else 0.0)
        return lags


def _ends(consumer: KafkaConsumer, settings: Settings) -> dict[str, int]:
    ends = consumer.end_offsets(kafka.partitions(consumer, settings))
    return {f"{tp.topic}-{tp.partition}": offset for tp, offset in ends.items()}


def _logger(file: TextIO) -> Any:
    processors = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ]
    # Line by line on the disk: whoever watches sees a batch when it is done.
    return structlog.wrap_logger(structlog.PrintLogger(file), processors=processors)


def _serve(registry: CollectorRegistry, port: int) -> Any:
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
        self.seconds = Counter("dualsink_leg_seconds", "Wall time by leg of a batch", ["leg"], registry=registry)
        self.lag = Gauge("dualsink_lag_records", "Records not yet read", ["partition"], registry=registry)
        self.lag_seconds = Gauge(
            "dualsink_lag_seconds", "Age of the last record read, while others wait", ["partition"], registry=registry
        )
        self.freshness = Gauge(
            "dualsink_freshness_seconds", "Now minus the newest event in a store", ["store"], registry=registry
        )

    def update(self, report: BatchReport, lag: dict[str, Lag], freshness: dict[str, float]) -> None:
        self.events.inc(report.events)
        self.retries.inc(report.retries)
        for reason, count in report.refused.items():
            self.refused.labels(reason).inc(count)
        for leg, seconds in report.seconds.items():
            self.seconds.labels(leg).inc(seconds)
        for name, value in lag.items():
            self.lag.labels(name).set(value.offsets)
            self.lag_seconds.labels(name).set(value.seconds)
        for store, seconds in freshness.items():
            self.freshness.labels(store).set(seconds)
