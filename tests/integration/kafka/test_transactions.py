"""Transactions on a real broker: aborted records and control records are no events, for no reader."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count

import orjson
import pytest
from kafka import KafkaProducer

from dualsink.kafka import reader, topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import replay, setup
from dualsink.settings import Settings
from dualsink.stream import backlog, exactly_once, query
from dualsink.stream.checkpoint import Checkpoint
from dualsink_workbench import kafka_retention

NUMBERS = count()


@pytest.fixture
def pipeline(spark, settings: Settings) -> Settings:
    settings = settings.model_copy(update={"kafka_partitions": 1})
    setup.create_all(spark, settings)
    return settings


@contextmanager
def producer(settings: Settings) -> Iterator[KafkaProducer]:
    """A producer in a transaction that it has begun."""
    own = f"{settings.kafka_topic}-{next(NUMBERS)}"
    with closing(
        KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=own, linger_ms=0)
    ) as found:
        found.init_transactions()
        found.begin_transaction()
        yield found


def send(producer: KafkaProducer, settings: Settings, *messages: str) -> None:
    for message in messages:
        fields = {"timestamp": datetime.now(UTC).isoformat(), "level": "INFO", "message": message}
        producer.send(settings.kafka_topic, value=orjson.dumps(fields))
    producer.flush()


def archived(spark, settings: Settings) -> list[str]:
    return [row.message for row in spark.table(settings.archive_table).orderBy("offset").collect()]


def test_committed_aborted_and_interleaved_transactions_leave_what_was_committed(spark, pipeline):
    with producer(pipeline) as one, producer(pipeline) as other:
        send(one, pipeline, "a", "b")
        send(other, pipeline, "never", "never")
        send(one, pipeline, "c")
        other.abort_transaction()
        one.commit_transaction()
        other.begin_transaction()
        send(other, pipeline, "never")
        other.abort_transaction()
        one.begin_transaction()
        send(one, pipeline, "d")
        one.commit_transaction()
    assert query.run(spark, pipeline)["events"] == 4
    assert archived(spark, pipeline) == ["a", "b", "c", "d"]
    assert reader.records(spark, Topic.of(pipeline)).count() == 4
    assert backlog.behind(pipeline) == 0
    book = ledger.take(spark, pipeline)
    book.check()
    assert [(line.beginning, line.end, line.kafka, line.archive) for line in book.partitions] == [(0, 11, 4, 4)]
    assert query.run(spark, pipeline)["batches"] == 0


def test_the_marker_keeps_the_range_that_was_read_holes_included(spark, pipeline):
    with producer(pipeline) as one:
        send(one, pipeline, "never")
        one.abort_transaction()
        one.begin_transaction()
        send(one, pipeline, "a")
        one.commit_transaction()
    query.run(spark, pipeline)
    with producer(pipeline) as one:
        send(one, pipeline, "never")
        one.abort_transaction()
    query.run(spark, pipeline)
    checkpoint = Checkpoint.of(pipeline)
    assert [exactly_once.spans(checkpoint.planned(n)) for n in (0, 1)] == [
        {f"{pipeline.kafka_topic}-0": [0, 3]},
        {f"{pipeline.kafka_topic}-0": [4, 5]},
    ]
    marker = exactly_once.newest_marker(spark, pipeline.archive_table, checkpoint.query_id)
    assert (marker.batch_id, marker.offsets) == (1, {f"{pipeline.kafka_topic}-0": [4, 5]})
    ledger.take(spark, pipeline).check()


def test_offsets_without_a_record_are_no_loss_once_kafka_has_dropped_them_and_a_row_is(spark, pipeline):
    for _ in range(3):
        with producer(pipeline) as one:
            send(one, pipeline, "never")
            one.abort_transaction()
            one.begin_transaction()
            send(one, pipeline, "a", "b")
            one.commit_transaction()
        query.run(spark, pipeline)
    kafka_retention.apply(Topic.of(pipeline))
    book = ledger.take(spark, pipeline)
    book.check()
    assert [(line.position, line.beyond_kafka, line.lost) for line in book.partitions] == [(15, 6, 0)]
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        indices.drop_all(client, HotTier.of(pipeline))
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE offset = 8")
    found = [f for f in ledger.take(spark, pipeline).findings if f.verdict == "lost"]
    assert [(f.count, [d.offset for d in f.examples], f.note) for f in found] == [(1, [8], "")]


def test_an_open_transaction_is_neither_read_nor_waited_for_and_its_end_is(spark, pipeline):
    with producer(pipeline) as one:
        send(one, pipeline, "a")
        one.commit_transaction()
        one.begin_transaction()
        send(one, pipeline, "b")
        assert topic.watermarks(Topic.of(pipeline)) == {0: (0, 2)}
        assert query.run(spark, pipeline)["events"] == 1
        assert backlog.behind(pipeline) == 0
        ledger.take(spark, pipeline).check()
        one.commit_transaction()
    assert query.run(spark, pipeline)["events"] == 1
    assert archived(spark, pipeline) == ["a", "b"]


def test_a_replay_brings_back_what_was_committed_alone(spark, pipeline):
    with producer(pipeline) as one:
        send(one, pipeline, "never")
        one.abort_transaction()
        one.begin_transaction()
        send(one, pipeline, "a", "b")
        one.commit_transaction()
    query.run(spark, pipeline)
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE true")
    assert replay.replay(spark, pipeline, "0", "1000").as_dict()["archive_repaired"] == 2
    ledger.take(spark, pipeline).check()
