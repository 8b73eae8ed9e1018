"""Nothing stops the stream for ever: backfills, immense values, wrong mappings, a producer that never ends."""

import copy
import json
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from pyspark.sql import SparkSession

from dualsink.errors import DeploymentError
from dualsink.events.model import DAY, day_index, hot_window
from dualsink.kafka import producer, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index as indices
from dualsink.opensearch.bulk import BulkWriter
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.limits import Limits
from dualsink.operations import redrive, repair, setup
from dualsink.settings import Settings
from dualsink.stream import query

IMMENSE = "x" * 40_000


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline of one partition with everything that it needs, and nothing in it."""
    settings = settings.model_copy(update={"kafka_partitions": 1})
    setup.create_all(spark, settings)
    return settings


def send(settings: Settings, events: Iterable[dict], created: bool = False) -> None:
    """Send events; `created` gives their own times as CreateTime, as a backfill does."""
    with closing(KafkaProducer(**producer.options(Topic.of(settings)))) as client:
        for event in events:
            at = int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000) if created else None
            client.send(settings.kafka_topic, json.dumps(event).encode(), b"k", timestamp_ms=at).get(60)


def event(ago: float = 0, **more: object) -> dict:
    """An event of some days ago."""
    at = datetime.now(UTC) - timedelta(days=ago)
    return {"timestamp": at.isoformat(), "level": "INFO", "service": "s", "message": "m"} | more


def found(settings: Settings, query: dict | None = None) -> list[dict]:
    """Documents that people find through the alias."""
    with closing(indices.connect(Cluster.of(settings))) as client:
        indices.refresh(client, settings.opensearch_index)
        body = {"size": 1_000, "query": query or {"match_all": {}}}
        return client.search(index=settings.opensearch_index, body=body)["hits"]["hits"]


def quarantined(spark: SparkSession, settings: Settings) -> dict[str, int]:
    """Documents that wait in the quarantine, by reason."""
    waiting = spark.table(settings.quarantine_table).where("stage = 'hot' AND resolved_at IS NULL")
    return {row["reason"]: row["count"] for row in waiting.groupBy("reason").count().collect()}


def _accept_any_time(settings: Settings) -> None:
    """Let the broker take times that are ahead, as it did before Kafka 4."""
    configs = {"message.timestamp.after.max.ms": str(2**63 - 1)}
    with closing(topic.admin(Brokers.of(settings))) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic, configs=configs)])


def test_a_backfill_opens_no_index_but_of_the_days_in_the_hot_window(spark, pipeline):
    window = hot_window(pipeline.hot_days)
    _accept_any_time(pipeline)
    send(pipeline, [event(ago) for ago in range(-3, 40)], created=True)
    totals = query.run(spark, pipeline)
    today = window.stop - 2
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        names = set(indices.day_indices(client, pipeline.opensearch_index).values())
    # From midnight on, the oldest day may have left the window.
    expected = {day_index(pipeline.opensearch_index, day) for day in hot_window(pipeline.hot_days)}
    assert names >= expected and len(names) <= len(expected) + 1
    assert (totals["archived"], totals["archived_only"]) == (43, 43 - 2 - len(names))
    assert quarantined(spark, pipeline) == {"day_ahead": 2}
    assert spark.table(pipeline.archive_table).where(f"unix_micros(timestamp) DIV {DAY} > {today + 1}").count() == 2
    ledger.take(spark, pipeline).check()

    # A day that was ahead comes.
    assert redrive.redrive(spark, pipeline).resolved == 0
    ledger.take(spark, pipeline).check()


def test_an_immense_attribute_keeps_no_document_out_and_is_whole_in_both_stores(spark, pipeline):
    events = [event(note=IMMENSE, colour="red"), event(**{"k" * 100_000: 1}, colour="red"), event(note="short")]
    send(pipeline, events + [event(deep={"a": {"b": [IMMENSE, "y"]}}, **{"a.b": 1, ".": 2, "": 3})])
    totals = query.run(spark, pipeline)
    assert (totals["created"], totals["refused"], totals["partly_indexed"]) == (4, {}, 3)
    red = [hit["_source"] for hit in found(pipeline, {"term": {"attributes.colour": "red"}})]
    assert sorted(list(source["attributes"]) for source in red) == [["colour"], ["colour"]]
    assert json.loads(max(red, key=lambda source: source["offset"])["attributes_whole"])["k" * 100_000] == 1
    ledger.take(spark, pipeline).check()

    hit = next(hit for hit in found(pipeline) if "attributes_whole" in hit["_source"])
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        altered = {"doc": {"attributes": {"colour": "blue"}}}
        client.update(index=hit["_index"], id=hit["_id"], body=altered, params={"refresh": "true"})
    assert [each.kind for each in ledger.take(spark, pipeline).differences] == ["altered"]
    repair.repair(spark, pipeline)
    ledger.take(spark, pipeline).check()


def test_documents_that_opensearch_refuses_for_their_values_stop_nothing_at_any_share(spark, pipeline):
    template = copy.deepcopy(indices.template_body(HotTier.of(pipeline)))
    template["template"]["mappings"]["properties"]["message"]["analyzer"] = "keyword"
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        client.indices.put_index_template(name=pipeline.opensearch_index, body=template)
    send(pipeline, [event(message=IMMENSE) for _ in range(40)])
    totals = query.run(spark, pipeline.model_copy(update={"max_offsets_per_trigger": 20}))
    assert (totals["batches"], totals["archived"], totals["created"]) == (2, 40, 0)
    assert quarantined(spark, pipeline) == {"illegal_argument_exception": 40}
    ledger.take(spark, pipeline).check()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (b'"message":"' + b"y z " * (26 * 2**20) + b'"', "document_too_large"),
        (b'"message":"' + b"y z " * (14 * 2**20) + b'"', "mapper_parsing_exception"),
        (b'"offset":99999999999999999999', "mapper_parsing_exception"),
        (b'"timestamp":"2300-01-01T00:00:00Z"', "mapper_parsing_exception"),
        (b'"attributes":{"n":' + b"9" * 1_100 + b"}", "mapper_parsing_exception"),
    ],
    ids=["over max_content_length", "over the longest string", "number", "date", "long number"],
)
def test_each_refusal_for_a_value_is_one_documents_own(local, more, reason):
    name = f"flow-{datetime.now(UTC):%Y.%m.%d}"
    line = b'{"create":{"_index":"%b"}}\n{%b}\n' % (name.encode(), more)
    good = b'{"create":{"_index":"%b"}}\n{"message":"m"}\n' % name.encode()
    with closing(indices.connect(Cluster.of(local))) as client:
        indices.put_template(client, HotTier.of(local.model_copy(update={"opensearch_index": "flow"})))
        tally = BulkWriter(client, Limits(8 * 2**20, 5_000, 20, 1, 0.05)).write([good, line, good])
    assert tally.created == 2
    assert [(position, why) for position, why, _ in tally.refused] == [(1, reason)]


def test_a_live_stream_ends_between_batches_while_the_producer_goes_on(spark, pipeline):
    over = threading.Event()

    def produce_on() -> None:
        while not over.is_set():
            send(pipeline, [event() for _ in range(20)])

    thread = threading.Thread(target=produce_on)
    thread.start()
    live = {"streaming_mode": "live", "streaming_duration_seconds": 5, "trigger_seconds": 0.1}
    began = time.monotonic()
    try:
        totals = query.run(spark, pipeline.model_copy(update=live))
    finally:
        lasted, goes_on = time.monotonic() - began, thread.is_alive()
        over.set()
        thread.join()
    assert goes_on and lasted < 40
    assert totals["batches"] >= 2 and totals["events"] == totals["archived"] == totals["created"]
    query.run(spark, pipeline)
    ledger.take(spark, pipeline).check()


def test_a_template_that_vanishes_is_there_again_before_a_new_day(spark, pipeline):
    def drop(*told: object) -> None:
        with closing(indices.connect(Cluster.of(pipeline))) as client:
            client.indices.delete_index_template(name=pipeline.opensearch_index)

    send(pipeline, [event() for _ in range(5)] + [event(ago=2) for _ in range(5)])
    drop()
    query.run(spark, pipeline.model_copy(update={"max_offsets_per_trigger": 5}), drop)
    assert len(found(pipeline)) == 10
    assert len({hit["_index"] for hit in found(pipeline, {"term": {"level": "INFO"}})}) == 2
    # It vanished once more after the last batch.
    setup.create_all(spark, pipeline)
    ledger.take(spark, pipeline).check()


def test_a_day_that_somebody_made_read_only_ends_the_stream_with_the_remedy(spark, pipeline):
    name = day_index(pipeline.opensearch_index, hot_window(7).stop - 2)
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        client.indices.create(index=name)
        client.indices.put_settings(index=name, body={"index.blocks.read_only": True})
        send(pipeline, [event()])
        with pytest.raises(DeploymentError, match='PUT INDEX/_settings {"index.blocks.read_only": false}'):
            query.run(spark, pipeline)
        client.indices.put_settings(index=name, body={"index.blocks.read_only": False})
    assert query.run(spark, pipeline)["created"] == 1
