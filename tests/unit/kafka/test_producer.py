"""What the producer decides before anything is sent."""

import gc
from types import SimpleNamespace

import pytest
from kafka.partitioner.default import DefaultPartitioner

from dualsink.kafka.producer import RememberingPartitioner, few_collections


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


def test_the_collector_is_as_before_though_sending_fails():
    with pytest.raises(ZeroDivisionError), few_collections():
        assert gc.get_freeze_count() > 0
        1 / 0  # noqa: B018
    assert (gc.get_freeze_count(), gc.isenabled()) == (0, True)
