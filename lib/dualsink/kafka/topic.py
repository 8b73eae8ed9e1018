"""Topic: creation, description, offsets."""

import base64
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from dualsink.errors import CheckpointError, DeploymentError, NotSetUp, ServiceUnavailable, ShapeMismatch
from dualsink.kafka import security
from dualsink.kafka.brokers import Brokers
from dualsink.settings import Settings


@dataclass(frozen=True)
class Topic:
    """Topic by name and brokers, with its shape at creation.

    `max_message_bytes` is the largest record that it takes, and that is sent to it. Brokers that do not answer while it
    is read are asked again for `patience` seconds.
    """

    brokers: Brokers
    name: str
    partitions: int
    replication: int
    max_message_bytes: int
    patience: float

    @classmethod
    def of(cls, settings: Settings) -> "Topic":
        """Return the topic of the settings."""
        return cls(
            Brokers.of(settings),
            settings.kafka_topic,
            settings.kafka_partitions,
            settings.kafka_replication,
            settings.kafka_max_message_bytes,
            settings.retry_deadline_seconds,
        )


@dataclass(frozen=True)
class TopicDescription:
    """Description of a topic by its brokers.

    `id` is empty if they give none.
    """

    name: str
    id: str
    partitions: int
    replication: int


def admin(brokers: Brokers) -> KafkaAdminClient:
    """Return an admin client; the caller closes it.

    Secrets are read at this call. Raises what `security.explained` returns if no broker lets us in.
    """
    with security.opening(brokers):
        return KafkaAdminClient(**security.client_options(brokers), bootstrap_timeout_ms=10_000)


def describe_topic(client: KafkaAdminClient, name: str) -> TopicDescription | None:
    """Describe a topic, None if it does not exist.

    Raises DeploymentError without the right to see it.
    """
    try:
        found = client.describe_topics([name])[0]
    except UnknownTopicOrPartitionError:
        return None
    if found.get("error_code") == UnknownTopicOrPartitionError.errno:
        return None
    if found.get("error_code") == TopicAuthorizationFailedError.errno:
        raise DeploymentError(f"Kafka refuses this user the right to describe the topic {name}: grant it.")
    partitions = found["partitions"]
    replicas = len(partitions[0].get("replica_nodes", partitions[0].get("replicas", [])))
    return TopicDescription(name, _id_text(found.get("topic_id")), len(partitions), replicas)


def _id_text(topic_id: str | None) -> str:
    """Return a topic's UUID as Kafka's own tools print it.

    It has 22 characters; empty if the broker gives none.
    """
    found = UUID(topic_id or "0" * 32)
    return base64.urlsafe_b64encode(found.bytes).rstrip(b"=").decode() if found.int else ""


class Incarnation:
    """Topic between one creation and its deletion.

    A context manager that closes its connection. Kafka gives each incarnation an `id` of its own, and never again.
    Entering it raises ServiceUnavailable if no broker answers, NotSetUp if there is no such topic, DeploymentError if
    the broker gives no ids.
    """

    def __init__(self, topic: Topic):
        self._topic = topic

    def __enter__(self) -> "Incarnation":
        self._client = admin(self._topic.brokers)
        try:
            self.id = self._id_now()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def verify(self) -> None:
        """Raise CheckpointError if the topic was created again meanwhile.

        What was read may be another's then. Raises ServiceUnavailable if no broker answers for the topic's `patience`.
        """
        limit = stop_after_delay(self._topic.patience)
        for attempt in Retrying(
            retry=retry_if_exception_type(ServiceUnavailable), stop=limit, wait=wait_fixed(1), reraise=True
        ):
            with attempt:
                found = self._id_now()
        if found != self.id:
            raise CheckpointError(
                f"Topic {self._topic.name} was deleted and created again while it was read (id {self.id}, "
                f"now {found}). Nothing was committed of what was read last."
            )

    def _id_now(self) -> str:
        try:
            found = describe_topic(self._client, self._topic.name)
        except KafkaError as error:
            raise security.explained(self._topic.brokers, error) from None
        if found is None:
            raise NotSetUp(f"topic {self._topic.name}")
        if not found.id:
            raise DeploymentError(
                f"The broker gives topic {self._topic.name} no id, without which a topic that was created "
                "again cannot be told from its predecessor: Kafka 2.8 or later does."
            )
        return found.id


def topic_id(topic: Topic) -> str:
    """Return the id of the topic's present incarnation.

    It is a text of 22 characters. Raises as Incarnation does.
    """
    with Incarnation(topic) as incarnation:
        return incarnation.id


def ensure_topic(topic: Topic) -> str:
    """Create the topic if it is missing.

    Returns `created` or `exists`. Raises ShapeMismatch if it exists with another number of partitions or replicas.
    """
    with closing(admin(topic.brokers)) as client:
        found = describe_topic(client, topic.name)
        if found is None:
            new = NewTopic(
                topic.name,
                topic.partitions,
                topic.replication,
                topic_configs={"max.message.bytes": str(topic.max_message_bytes)},
            )
            try:
                client.create_topics([new], wait_for_metadata=True)
                return "created"
            except TopicAlreadyExistsError:
                found = describe_topic(client, topic.name)
    if (found.partitions, found.replication) != (topic.partitions, topic.replication):
        raise ShapeMismatch(
            f"Topic {found.name} exists with {found.partitions} partitions and {found.replication} replicas; "
            f"wanted {topic.partitions} and {topic.replication}. Nothing was changed. Set kafka_partitions and "
            "kafka_replication to what is there, or choose another kafka_topic."
        )
    return "exists"


def drop_topic(topic: Topic) -> bool:
    """Delete the topic; return whether it was there."""
    with closing(admin(topic.brokers)) as client:
        if describe_topic(client, topic.name) is None:
            return False
        client.delete_topics([topic.name])
        return True


def watermarks(topic: Topic) -> dict[int, tuple[int, int]]:
    """Return first and next offset of every partition.

    The form is `{partition: (beginning, end)}`; empty without the topic. Raises as `consumer` does.
    """
    with closing(consumer(topic.brokers)) as client:
        known = partitions(client, topic.name)
        first, last = client.beginning_offsets(known), client.end_offsets(known)
    return {tp.partition: (first[tp], last[tp]) for tp in known}


def is_compacted(topic: Topic) -> bool:
    """Return whether the topic's policy is to compact it.

    True of a topic whose policy the broker does not tell this user.
    """
    wanted = ConfigResource(ConfigResourceType.TOPIC, topic.name, [_POLICY])
    with closing(admin(topic.brokers)) as client:
        try:
            told = client.describe_configs([wanted], config_filter="all")["topic"][topic.name][_POLICY]["value"]
        except (KafkaError, KeyError):
            return True
    return "compact" in told


_POLICY = "cleanup.policy"


def offsets_at(topic: Topic, moment: datetime) -> dict[int, int]:
    """Return each partition's first offset at or after `moment`.

    The end offset of a partition without such a record. `moment` has a time zone.
    """
    milliseconds = int(moment.timestamp() * 1000)
    with closing(consumer(topic.brokers)) as client:
        known = partitions(client, topic.name)
        found = client.offsets_for_times(dict.fromkeys(known, milliseconds))
        ends = client.end_offsets(known)
    return {tp.partition: found[tp].offset if found.get(tp) else ends[tp] for tp in known}


def consumer(brokers: Brokers) -> KafkaConsumer:
    """Return a consumer of no group; the caller closes it.

    It sees what is committed, up to the last stable offset. Secrets are read at this call. Raises what
    `security.explained` returns if no broker lets us in.
    """
    with security.opening(brokers):
        options = security.client_options(brokers)
        return KafkaConsumer(**options, bootstrap_timeout_ms=10_000, isolation_level="read_committed")


def partitions(client: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic, in order."""
    numbers = client.partitions_for_topic(topic) or set()
    return [TopicPartition(topic, number) for number in sorted(numbers)]
