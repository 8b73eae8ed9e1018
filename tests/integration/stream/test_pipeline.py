"""The whole path on real servers: produced, streamed, held by both stores, proven by the ledger."""

from contextlib import closing

import pytest
from pyspark.sql import SparkSession
from tests.support import days

from dualsink.errors import LedgerMismatch, ShapeMismatch
from dualsink.kafka import generator, producer, topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import cleanup, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink.stream.health import Servers


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    setup.create_all(spark, settings)
    return settings


def produce(settings: Settings, count: int = 200, malformed_share: float = 0.0, seed: int = 7) -> dict[str, int]:
    return producer.produce(generator.generate(count, seed, malformed_share, days.end_of_events()), Topic.of(settings))


def hot_count(settings: Settings) -> int:
    with closing(indices.connect(Cluster.of(settings))) as client:
        indices.refresh(client, settings.opensearch_index)
        return client.count(index=settings.opensearch_index)["count"]


def test_every_service_is_found_in_working_order(spark, settings):
    results = setup.check_services(spark, Servers.of(settings))
    assert [str(check) for check in results if not check.ok] == []


def test_setup_a_second_time_changes_nothing(spark, pipeline):
    assert set(setup.create_all(spark, pipeline).values()) - {"exists"} <= {
        "no ISM here: `retention` deletes whole days"
    }


def test_produced_events_are_held_by_both_stores_and_the_ledger_holds(spark, pipeline):
    produce(pipeline)
    totals = query.run(spark, pipeline)
    book = ledger.take(spark, pipeline)
    assert (totals["events"], totals["archived"], totals["created"]) == (200, 200, 200)
    assert (spark.table(pipeline.archive_table).count(), hot_count(pipeline)) == (200, 200)
    assert sum(line.kafka for line in book.partitions) == 200
    assert sum(line.opensearch for line in book.days) == 200
    book.check()


def test_a_second_run_adds_exactly_its_own_events(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    produce(pipeline, 100, seed=8)
    totals = query.run(spark, pipeline)
    assert (totals["events"], totals["created"], totals["existing"]) == (100, 100, 0)
    assert (spark.table(pipeline.archive_table).count(), hot_count(pipeline)) == (300, 300)
    ledger.take(spark, pipeline).check()


def test_a_run_with_nothing_new_does_nothing(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    assert query.run(spark, pipeline)["batches"] == 0


def test_malformed_records_are_quarantined_with_their_reason_and_the_ledger_holds(spark, pipeline):
    expected: dict[str, int] = {}
    for record in generator.generate(400, 7, 0.1, days.end_of_events()):
        if record.reason:
            expected[record.reason] = expected.get(record.reason, 0) + 1
    produce(pipeline, 400, malformed_share=0.1)
    totals = query.run(spark, pipeline)
    kept = spark.table(pipeline.quarantine_table).groupBy("reason").count().collect()
    assert expected and totals["refused"] == expected
    assert {row["reason"]: row["count"] for row in kept} == expected
    ledger.take(spark, pipeline).check()


def test_the_ledger_names_a_document_deleted_from_opensearch(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        indices.refresh(client, pipeline.opensearch_index)
        hit = client.search(index=pipeline.opensearch_index, body={"size": 1})["hits"]["hits"][0]
        client.delete(index=hit["_index"], id=hit["_id"], params={"refresh": "true"})
    coordinates = "{topic}-{partition}-{offset}".format(**hit["_source"])
    with pytest.raises(LedgerMismatch, match=f"missing in OpenSearch: {coordinates} "):
        ledger.take(spark, pipeline).check()


def test_the_ledger_names_a_changed_document(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        indices.refresh(client, pipeline.opensearch_index)
        hit = client.search(index=pipeline.opensearch_index, body={"size": 1})["hits"]["hits"][0]
        client.update(
            index=hit["_index"], id=hit["_id"], body={"doc": {"message": "forged"}}, params={"refresh": "true"}
        )
    with pytest.raises(LedgerMismatch, match="altered in archive and OpenSearch"):
        ledger.take(spark, pipeline).check()


def test_the_ledger_names_a_row_deleted_from_the_archive(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 0 AND offset = 3")
    with pytest.raises(LedgerMismatch) as caught:
        ledger.take(spark, pipeline).check()
    assert f"missing in archive and quarantine: {pipeline.kafka_topic}-0-3 " in str(caught.value)
    assert f"missing in archive: {pipeline.kafka_topic}-0-3 " in str(caught.value)


def test_the_ledger_names_a_doubled_row(spark, pipeline):
    produce(pipeline)
    query.run(spark, pipeline)
    table = pipeline.archive_table
    spark.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE partition = 0 AND offset = 3")
    with pytest.raises(LedgerMismatch, match=f"doubled in archive and quarantine: {pipeline.kafka_topic}-0-3 "):
        ledger.take(spark, pipeline).check()


def test_a_table_of_another_shape_is_reported_and_left_alone(spark, settings):
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {settings.catalog_name}.{settings.database_name}")
    spark.sql(f"CREATE TABLE {settings.archive_table} (log_id string, level int) USING iceberg")
    with pytest.raises(ShapeMismatch, match="column level: wanted string, found int"):
        setup.create_all(spark, settings)
    assert spark.table(settings.archive_table).columns == ["log_id", "level"]


def test_an_index_of_another_shape_is_reported_and_left_alone(spark, settings):
    index = f"{settings.opensearch_index}-2026.01.01"
    with closing(indices.connect(Cluster.of(settings))) as client:
        client.indices.create(index=index, body={"mappings": {"properties": {"level": {"type": "text"}}}})
        with pytest.raises(ShapeMismatch, match="field level: wanted keyword, found text"):
            indices.ensure_template(client, HotTier.of(settings))
        assert client.indices.exists(index=index)


def test_a_topic_of_another_shape_is_reported_and_left_alone(pipeline):
    with pytest.raises(ShapeMismatch, match="exists with 4 partitions"):
        topic.ensure_topic(Topic.of(pipeline.model_copy(update={"kafka_partitions": 6})))


def test_cleanup_removes_everything_and_says_so(spark, pipeline):
    produce(pipeline, 50)
    query.run(spark, pipeline)
    removed = cleanup.remove_all(spark, pipeline)
    assert any(line == f"table {pipeline.archive_table} (purged)" for line in removed)
    assert not spark.catalog.tableExists(pipeline.archive_table)
    assert not pipeline.checkpoint_path.exists()
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        assert indices.day_indices(client, pipeline.opensearch_index) == {}
    assert cleanup.remove_all(spark, pipeline) == []
