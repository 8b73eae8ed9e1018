"""Records of several events: each event is in one place, and a single one that is lost is missed and comes back."""

import json
import time
from contextlib import closing

import pytest
from pyspark.sql import SparkSession

from dualsink.errors import LedgerMismatch
from dualsink.events.model import document_id
from dualsink.kafka import producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import replay, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention


def of_logs(*messages: str) -> Record:
    """A record of an OpenTelemetry Collector; a log without a message is none."""
    moment = str(time.time_ns())
    logs = [{"timeUnixNano": moment} | ({"body": {"stringValue": m}} if m else {}) for m in messages]
    name = {"key": "service.name", "value": {"stringValue": "cart"}}
    resource = {"resource": {"attributes": [name]}, "scopeLogs": [{"logRecords": logs}]}
    return Record(b"cart", json.dumps({"resourceLogs": [resource]}).encode(), None)


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """Two records of three logs each, the second with one that is none, and one of a single log."""
    settings = settings.model_copy(update={"kafka_partitions": 1})
    setup.create_all(spark, settings)
    producer.produce([of_logs("a", "b", "c"), of_logs("d", "", "f"), of_logs("g")], Topic.of(settings))
    query.run(spark, settings)
    return settings


def places(spark: SparkSession, table: str) -> set[tuple[int, int, int]]:
    rows = spark.table(table).select("offset", "position", "positions").collect()
    assert len(set(rows)) == len(rows)
    return set(map(tuple, rows))


ARCHIVED = {(0, 0, 3), (0, 1, 3), (0, 2, 3), (1, 0, 3), (1, 2, 3), (2, 0, 1)}


def test_every_position_of_every_record_is_in_one_place(spark, pipeline):
    assert places(spark, pipeline.archive_table) == ARCHIVED
    assert places(spark, pipeline.quarantine_table) == {(1, 1, 3)}
    ids = [document_id(topic.topic_id(Topic.of(pipeline)), 0, offset, position) for offset, position, _ in ARCHIVED]
    with closing(index.connect(Cluster.of(pipeline))) as client:
        index.refresh(client, pipeline.opensearch_index)
        found = client.search(index=pipeline.opensearch_index, body={"query": {"ids": {"values": ids}}})
    assert found["hits"]["total"]["value"] == len(ids)
    ledger.take(spark, pipeline).check()


def test_one_event_of_a_record_that_is_lost_is_named_and_a_replay_brings_it_back_alone(spark, pipeline):
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE offset = 0 AND position = 2")
    with pytest.raises(
        LedgerMismatch, match=rf"missing in archive and quarantine: {pipeline.kafka_topic}-0-0 position 2"
    ):
        ledger.take(spark, pipeline).check()
    done = replay.replay(spark, pipeline, "0", "100")
    assert done.as_dict()["archive_repaired"] == 1
    assert places(spark, pipeline.archive_table) == ARCHIVED
    ledger.take(spark, pipeline).check()


def test_an_event_is_missed_also_when_kafka_has_forgotten_its_record(spark, pipeline):
    kafka_retention.apply(Topic.of(pipeline), before=3)
    ledger.take(spark, pipeline).check()
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE offset = 1 AND position = 2")
    named = {(d.kind, d.store, d.offset, d.position) for d in ledger.take(spark, pipeline).differences}
    assert ("missing", "archive and quarantine", 1, 2) in named
