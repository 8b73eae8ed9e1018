"""Backlog of the stream: records in Kafka without a batch."""

import time
from contextlib import closing
from dataclasses import dataclass

from kafka import KafkaConsumer

from dualsink.kafka.brokers import Brokers
from dualsink.kafka.topic import consumer, partitions
from dualsink.settings import Settings
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.sink import BatchReport

_PATIENCE_MS = 5_000


@dataclass(frozen=True)
class Lag:
    """Lag of one partition.

    `offsets` counts the records not yet read; `seconds` is the age of the last one read while others wait: zero where
    none waits, None if this run has read nothing of the partition.
    """

    offsets: int
    seconds: float | None


class Backlog:
    """Backlog of a run: reading position against the topic's ends.

    `topic` is its name, `checkpoint` has the position at the start; `client` remains its owner's to close.
    """

    def __init__(self, topic: str, checkpoint: Checkpoint, client: KafkaConsumer):
        self._client = client
        self._topic = topic
        self._next = dict(checkpoint.committed().get(topic, {}))
        self._arrived: dict[int, int] = {}

    def take(self, batch: BatchReport) -> None:
        """Note a batch that was read, perhaps not yet committed."""
        for name, (_, last) in batch.offsets.items():
            self._next[_partition(name)] = last + 1
        self._arrived |= {_partition(name): arrived for name, arrived in batch.arrived.items()}

    def lags(self) -> dict[str, Lag]:
        """Return the lag of every partition now, by `topic-partition`.

        Raises KafkaError if no broker answers.
        """
        known = partitions(self._client, self._topic)
        first = self._client.beginning_offsets(known, timeout_ms=_PATIENCE_MS)
        ends = self._client.end_offsets(known, timeout_ms=_PATIENCE_MS)
        return {f"{tp.topic}-{tp.partition}": self._lag(tp.partition, first[tp], ends[tp]) for tp in known}

    def _lag(self, partition: int, first: int, end: int) -> Lag:
        waiting = max(end - max(self._next.get(partition, first), first), 0)
        if not waiting:
            return Lag(0, 0.0)
        arrived = self._arrived.get(partition)
        return Lag(waiting, None if arrived is None else round(time.time() - arrived / 1e6, 3))


def _partition(name: str) -> int:
    return int(name.rpartition("-")[2])


def behind(settings: Settings) -> int:
    """Count records in Kafka that no committed batch has taken.

    Raises ServiceUnavailable if no broker answers.
    """
    with closing(consumer(Brokers.of(settings))) as client:
        backlog = Backlog(settings.kafka_topic, Checkpoint.of(settings), client)
        return sum(lag.offsets for lag in backlog.lags().values())
