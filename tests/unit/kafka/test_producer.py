"""What the producer decides before anything is sent."""

from types import SimpleNamespace

from kafka.partitioner.default import DefaultPartitioner

from dualsink.kafka.producer import RememberingPartitioner


def test_a_key_has_the_partition_that_every_kafka_client_gives_it():
    for count in (1, 3, 12):
        numbers = set(range(count))
        cluster = SimpleNamespace(
            topics=lambda: {"t"}, partitions_for_topic=lambda name: numbers,  # noqa: B023
            available_partitions_for_topic=lambda name: numbers,  # noqa: B023
        )  # fmt: skip
        for key in [b"", b"pay", *(f"service-{i}".encode() for i in range(200))]:
            expected = DefaultPartitioner().partition("t", key, key, b"", b"", cluster)
            assert RememberingPartitioner().partition("t", key, key, b"", b"", cluster) == expected
