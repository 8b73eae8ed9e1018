"""Kafka's retention, brought about at once."""

from contextlib import closing

from kafka import TopicPartition

from dualsink.kafka.topic import Topic, admin, watermarks


def apply(topic: Topic, before: int | None = None) -> None:
    """Let Kafka forget the topic's records.

    All that are there, or in each partition those before an offset.
    """
    ends = watermarks(topic).items()
    with closing(admin(topic.brokers)) as client:
        client.delete_records({TopicPartition(topic.name, p): before or end for p, (_, end) in ends})
