"""Producer: records for the topic, each send checked."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.partitioner.default import DefaultPartitioner, murmur2

from dualsink.errors import ServiceUnavailable
from dualsink.kafka import security
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic

_UNACKNOWLEDGED = 20_000
"""Records after which the acknowledgements are waited for: kafka-python keeps as many as there are in memory."""
_PATIENCE = 120
"""Seconds to wait for them, Kafka's own `delivery.timeout.ms`, which an idempotent producer without broker forgets."""


class RememberingPartitioner(DefaultPartitioner):
    """Kafka's partitioner, which hashes a key once.

    In Python that costs as much as sending a record.
    """

    def partition(
        self, topic: str, key: Any, serialized_key: bytes | None, value: Any, serialized_value: Any, cluster: Any
    ) -> int:
        """Return the partition of a key.

        The one that every Kafka client chooses; any one without a key.
        """
        if serialized_key is None:
            return super().partition(topic, key, serialized_key, value, serialized_value, cluster)
        partitions = sorted(cluster.partitions_for_topic(topic))
        return partitions[_hash(serialized_key) % len(partitions)]


@lru_cache(maxsize=16_384)
def _hash(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


def options(topic: Topic) -> dict[str, Any]:
    """Return options of kafka-python's producer.

    It is idempotent and waits for all replicas. Secrets are read at this call.
    """
    return {
        **security.client_options(topic.brokers),
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 20,
        "batch_size": 256 * 1024,
        "max_request_size": topic.max_message_bytes,
        "bootstrap_timeout_ms": 10_000,
        "partitioner": RememberingPartitioner(),
    }


def produce(
    records: Iterable[Record], topic: Topic, progress: Callable[[int], None] = lambda count: None
) -> dict[str, int]:
    """Send every record (idempotent producer, acks=all), each send checked.

    `progress` gets the count after every 1,000. Returns the counts `records`, `bytes` (of values) and `malformed` (on
    purpose). Raises ServiceUnavailable if Kafka did not acknowledge a record; those before it stay in the topic.
    """
    failures: list[BaseException] = []
    counts: Counter[str] = Counter(records=0, bytes=0, malformed=0)
    with _opened(topic) as producer, few_collections():
        for record in records:
            producer.send(topic.name, key=record.key, value=record.value).add_errback(failures.append)
            counts["records"] += 1
            counts["bytes"] += len(record.value or b"")
            counts["malformed"] += record.reason is not None
            if counts["records"] % 1000 == 0:
                progress(counts["records"])
                _raise_first(failures)
            if counts["records"] % _UNACKNOWLEDGED == 0:
                producer.flush(_PATIENCE)
        producer.flush(_PATIENCE)
    _raise_first(failures)
    return dict(counts)


@contextmanager
def _opened(topic: Topic) -> Iterator[KafkaProducer]:
    """Open a producer; what fails gives up its records.

    Raises ServiceUnavailable where Kafka has not answered in time.
    """
    with security.opening(topic.brokers):
        producer = KafkaProducer(**options(topic))
    try:
        yield producer
    except KafkaTimeoutError as error:
        raise ServiceUnavailable(
            f"Kafka does not acknowledge records ({error}). Those that it has acknowledged are in the topic; a record "
            "that is sent again is an event of its own."
        ) from None
    finally:
        _close(producer)


def _close(producer: KafkaProducer) -> None:
    try:
        producer.close(timeout=1)
    except KafkaTimeoutError:
        producer._sender.force_close()  # kafka-python has no public way to give records up
        producer.close(timeout=1)


@contextmanager
def few_collections() -> Iterator[None]:
    """Keep Python's collector off what is there already.

    It has nothing to collect there, and looking through it took a sixth of the time of `produce`.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _raise_first(failures: list[BaseException]) -> None:
    if failures:
        raise ServiceUnavailable(
            f"Kafka did not acknowledge {len(failures)} records; the first: {type(failures[0]).__name__}: {failures[0]}"
        )
