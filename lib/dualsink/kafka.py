"""The topic: created, described, written to."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from dualsink.errors import ServiceUnavailable, ShapeMismatch
from dualsink.generator import Record
from dualsink.settings import Settings


@dataclass(frozen=True)
class Topic:
    """What the broker says of a topic."""

    name: str
    id: str
    partitions: int
    replication: int


def admin(settings: Settings) -> KafkaAdminClient:
    """An admin client. Raises ServiceUnavailable naming the address where no broker answers."""
    try:
        return KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers, bootstrap_timeout_ms=10_000)
    except KafkaError as error:
        raise _unreachable(settings, error) from None


def _unreachable(settings: Settings, error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"No Kafka broker answers at {settings.kafka_bootstrap_servers} ({type(error).__name__}). "
        "Start it (`./run_all.sh up` for the local one) or set kafka_bootstrap_servers."
    )


def describe_topic(client: KafkaAdminClient, name: str) -> Topic | None:
    """The topic, or None where it does not exist."""
    try:
        found = client.describe_topics([name])[0]
    except UnknownTopicOrPartitionError:
        return None
    if found.get("error_code") == UnknownTopicOrPartitionError.errno:
        return None
    partitions = found["partitions"]
    replicas = len(partitions[0].get("replica_nodes", partitions[0].get("replicas", [])))
    return Topic(name, str(found["topic_id"]), len(partitions), replicas)


def ensure_topic(settings: Settings) -> str:
    """Create the topic where missing; returns `created` or `exists`.

    Raises ShapeMismatch where it exists with another number of partitions or replicas.
    """
    wanted = (settings.kafka_partitions, settings.kafka_replication)
    with closing(admin(settings)) as client:
        found = describe_topic(client, settings.kafka_topic)
        if found is None:
            topic = NewTopic(
                settings.kafka_topic,
                *wanted,
                topic_configs={"max.message.bytes": str(settings.kafka_max_message_bytes)},
            )
            try:
                client.create_topics([topic], wait_for_metadata=True)
                return "created"
            except TopicAlreadyExistsError:
                found = describe_topic(client, settings.kafka_topic)
    if (found.partitions, found.replication) != wanted:
        raise ShapeMismatch(
            f"Topic {found.name} exists with {found.partitions} partitions and {found.replication} replicas; "
            f"wanted {wanted[0]} and {wanted[1]}. Nothing was changed. Set kafka_partitions and kafka_replication "
            "to what is there, or choose another kafka_topic."
        )
    return "exists"


def drop_topic(settings: Settings) -> bool:
    """Delete the topic; False where it did not exist."""
    with closing(admin(settings)) as client:
        if describe_topic(client, settings.kafka_topic) is None:
            return False
        client.delete_topics([settings.kafka_topic])
        return True


def watermarks(settings: Settings) -> dict[int, tuple[int, int]]:
    """First and next offset of every partition: `{partition: (beginning, end)}`."""
    with closing(consumer(settings)) as client:
        known = partitions(client, settings)
        first, last = client.beginning_offsets(known), client.end_offsets(known)
    return {tp.partition: (first[tp], last[tp]) for tp in known}


def offsets_at(settings: Settings, moment: datetime) -> dict[int, int]:
    """The offset of the first record at or after a moment, by partition; the end offset where there is none."""
    milliseconds = int(moment.timestamp() * 1000)
    with closing(consumer(settings)) as client:
        known = partitions(client, settings)
        found = client.offsets_for_times(dict.fromkeys(known, milliseconds))
        ends = client.end_offsets(known)
    return {tp.partition: found[tp].offset if found.get(tp) else ends[tp] for tp in known}


def consumer(settings: Settings) -> KafkaConsumer:
    """A consumer of no group. Raises ServiceUnavailable naming the address where no broker answers."""
    try:
        return KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, bootstrap_timeout_ms=10_000)
    except KafkaError as error:
        raise _unreachable(settings, error) from None


def partitions(client: KafkaConsumer, settings: Settings) -> list[TopicPartition]:
    """The topic's partitions, in order."""
    numbers = client.partitions_for_topic(settings.kafka_topic) or set()
    return [TopicPartition(settings.kafka_topic, number) for number in sorted(numbers)]


def produce(
    records: Iterable[Record], settings: Settings, progress: Callable[[int], None] = lambda count: None
) -> dict[str, int]:
    """Send every record (idempotent producer, acks=all) and check every send.

    Returns records, bytes and how many were sent as malformed on purpose. Raises ServiceUnavailable where a send
    was not acknowledged; records sent before it stay in the topic.
    """
    try:
        producer = KafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=settings.kafka_max_message_bytes,
            bootstrap_timeout_ms=10_000,
        )
    except KafkaError as error:
        raise _unreachable(settings, error) from None
    failures: list[BaseException] = []
    counts: Counter[str] = Counter(records=0, bytes=0, malformed=0)
    with closing(producer):
        for record in records:
            producer.send(settings.kafka_topic, key=record.key, value=record.value).add_errback(failures.append)
            counts["records"] += 1
            counts["bytes"] += len(record.value or b"")
            counts["malformed"] += record.reason is not None
            if counts["records"] % 1000 == 0:
                progress(counts["records"])
                _raise_first(failures)
        producer.flush()
    _raise_first(failures)
    return dict(counts)


def _raise_first(failures: list[BaseException]) -> None:
    if failures:
        raise ServiceUnavailable(
            f"Kafka did not acknowledge {len(failures)} records; the first: {type(failures[0]).__name__}: {failures[0]}"
        )
