"""How far the stream is behind: records in Kafka that no batch has taken."""

import time
from contextlib import closing
from dataclasses import dataclass

from kafka import KafkaConsumer

from dualsink import kafka
from dualsink.batch import BatchReport
from dualsink.checkpoint import Checkpoint
from dualsink.settings import Settings

_PATIENCE_MS = 5_000


@dataclass(frozen=True)
class Lag:
    """How far one partition is behind.

    `offsets` counts the records not yet read; `seconds` is the age of the last one read while others wait: zero where
    none waits, None where this run has read nothing of the partition.
    """

    offsets: int
    seconds: float | None


class Backlog:
    """The reading position of a run, compared with the topic's ends; `consumer` remains its owner's to close."""

    def __init__(self, settings: Settings, consumer: KafkaConsumer):
        self._consumer = consumer
        self._settings = settings
        committed = Checkpoint.of(settings).committed().get(settings.kafka_topic, {})
        self._next = {int(partition): offset for partition, offset in committed.items()}
        self._arrived: dict[int, int] = {}

    def take(self, batch: BatchReport) -> None:
        """A batch was read, though perhaps not yet committed."""
        for name, (_, last) in batch.offsets.items():
            partition = int(name.rpartition("-")[2])
            self._next[partition], self._arrived[partition] = last + 1, batch.arrived[name]

    def lags(self) -> dict[str, Lag]:
        """The lag of every partition now, by `topic-partition`. Raises KafkaError where no broker answers."""
        known = kafka.partitions(self._consumer, self._settings)
        first = self._consumer.beginning_offsets(known, timeout_ms=_PATIENCE_MS)
        ends = self._consumer.end_offsets(known, timeout_ms=_PATIENCE_MS)
        return {f"{tp.topic}-{tp.partition}": self._lag(tp.partition, first[tp], ends[tp]) for tp in known}

    def _lag(self, partition: int, first: int, end: int) -> Lag:
        waiting = max(end - max(self._next.get(partition, first), first), 0)
        if not waiting:
            return Lag(0, 0.0)
        arrived = self._arrived.get(partition)
        return Lag(waiting, None if arrived is None else round(time.time() - arrived / 1e6, 3))


def behind(settings: Settings) -> int:
    """Records in Kafka that no committed batch has taken. Raises ServiceUnavailable where no broker answers."""
    with closing(kafka.consumer(settings)) as consumer:
        return sum(lag.offsets for lag in Backlog(settings, consumer).lags().values())
