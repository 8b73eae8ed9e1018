"""Records sent to the partitions in turn, so that a test knows which offsets there are."""

from collections.abc import Iterable
from contextlib import closing

from kafka import KafkaProducer

from dualsink.kafka.records import Record
from dualsink.settings import Settings


def produce_evenly(records: Iterable[Record], settings: Settings) -> None:
    """Send records to the partitions of the topic in turn, the first to partition 0."""
    with closing(KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)) as producer:
        sent = [
            producer.send(settings.kafka_topic, record.value, record.key, partition=i % settings.kafka_partitions)
            for i, record in enumerate(records)
        ]
        for promise in sent:
            promise.get(30)
