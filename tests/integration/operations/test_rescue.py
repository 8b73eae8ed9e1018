"""The only copy of an event: repair leaves it alone, rescue archives it, and the ledger holds."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession
from tests.support import days

from dualsink.errors import CheckpointError
from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, producer, topic
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.ledger.whereabouts import Kind
from dualsink.opensearch import index as indices
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import audit_log, repair, rescue, setup
from dualsink.settings import Settings
from dualsink.stream import query, sink
from dualsink_workbench import kafka_retention


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline with 20 events in both stores."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    produce(settings, 20)
    query.run(spark, settings)
    return settings


def produce(settings: Settings, count: int, seed: int = 7) -> None:
    producer.produce(generator.generate(count, seed, 0.0, days.end_of_events()), Topic.of(settings))


def documents(settings: Settings) -> dict[str, dict]:
    with closing(indices.connect(Cluster.of(settings))) as client:
        indices.refresh(client, settings.opensearch_index)
        hits = client.search(index=settings.opensearch_index, body={"size": 10_000})["hits"]["hits"]
    return {hit["_id"]: hit for hit in hits}


class Killed(Exception):
    """What ends a driver here."""


@pytest.fixture
def dies_before_its_commit(spark, monkeypatch):
    """A stream that has sent its documents when its driver dies."""

    def die(*_) -> None:
        raise Killed

    def run(settings: Settings) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sink, "_commit", die)
            with pytest.raises(Killed):
                query.run(spark, settings)

    return run


def test_documents_of_a_driver_that_died_are_rescued_once_kafka_has_dropped_their_records(
    spark, pipeline, dies_before_its_commit
):
    produce(pipeline, 15, seed=8)
    dies_before_its_commit(pipeline)
    done = repair.repair(spark, pipeline)
    assert (done.deleted, done.left.counts) == (0, {Kind.UNDER_WAY: 15})
    done.check()

    kafka_retention.apply(Topic.of(pipeline))
    before = documents(pipeline)
    told = {(f.verdict, f.count): f.remedy for f in ledger.take(spark, pipeline).findings if f.differs}
    assert told == {("unknown document", 15): "rescue", ("lost", 15): "rescue"}
    done = repair.repair(spark, pipeline)
    assert (done.deleted, done.left.counts) == (0, {Kind.UNKNOWN: 15})
    assert rescue.rescue(spark, pipeline, dry_run=True).archived == 15
    assert spark.table(pipeline.archive_table).count() == 20

    assert (rescue.rescue(spark, pipeline, "anna").archived, documents(pipeline)) == (15, before)
    assert spark.table(pipeline.archive_table).count() == 35
    assert rescue.rescue(spark, pipeline).steps == []
    assert repair.repair(spark, pipeline).steps == []
    ledger.take(spark, pipeline).check()
    begun, ended = audit_log.entries(spark, Archive.of(pipeline)).collect()
    assert (begun.action, ended.action, ended.who, ended.rows) == ("rescuing", "rescued", "anna", 15)


def test_after_a_wrong_delete_the_documents_bring_the_rows_back_with_all_columns(spark, pipeline):
    whole = spark.table(pipeline.archive_table).collect()
    kafka_retention.apply(Topic.of(pipeline))
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE offset < 5")
    assert repair.repair(spark, pipeline).left.counts == {Kind.UNKNOWN: 10}
    assert len(documents(pipeline)) == 20
    assert rescue.rescue(spark, pipeline).archived == 10
    assert sorted(map(str, spark.table(pipeline.archive_table).collect())) == sorted(map(str, whole))
    ledger.take(spark, pipeline).check()


def test_a_document_of_another_day_is_back_in_one_run(spark, pipeline):
    before = documents(pipeline)
    whole, dated = list(before.values())[:2]
    other = datetime.now(UTC) - timedelta(days=2)
    index = f"{pipeline.opensearch_index}-{other:%Y.%m.%d}"
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        for hit, changed in ((whole, {}), (dated, {"timestamp": other.isoformat()})):
            client.index(index=index, id=hit["_id"], body=hit["_source"] | changed, params={"refresh": "true"})
            client.delete(index=hit["_index"], id=hit["_id"])
    done = repair.repair(spark, pipeline)
    assert (done.written, done.deleted, done.left.counts) == (2, 2, {})
    assert {key: hit["_source"] for key, hit in documents(pipeline).items()} == {
        key: hit["_source"] for key, hit in before.items()
    }
    ledger.take(spark, pipeline).check()


def test_another_topic_of_the_same_tables_is_left_alone(spark, pipeline, dies_before_its_commit, tmp_path):
    other = pipeline.model_copy(
        update={"kafka_topic": f"{pipeline.kafka_topic}_other", "checkpoint_dir": str(tmp_path / "other")}
    )
    topic.ensure_topic(Topic.of(other))
    produce(other, 6)
    dies_before_its_commit(other)
    assert len(documents(pipeline)) == 26
    assert repair.repair(spark, pipeline).steps == []
    assert rescue.rescue(spark, pipeline).steps == []
    query.run(spark, other)
    assert repair.repair(spark, other).steps == []
    assert len(documents(pipeline)) == 26


def test_a_rescue_is_refused_where_another_writer_added_the_same_offsets(spark, pipeline, monkeypatch):
    kafka_retention.apply(Topic.of(pipeline))
    lost = spark.table(pipeline.archive_table).where("offset < 5").toPandas()
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE offset < 5")
    rows = spark.createDataFrame(lost, spark.table(pipeline.archive_table).schema)
    archive = rescue._archive

    def overtaken(*given) -> None:
        rows.writeTo(pipeline.archive_table).append()
        archive(*given)

    monkeypatch.setattr(rescue, "_archive", overtaken)
    with pytest.raises(CheckpointError, match="were written already"):
        rescue.rescue(spark, pipeline)
    assert spark.table(pipeline.archive_table).count() == 20


def test_a_document_that_claims_the_coordinates_of_another_one_is_an_orphan(spark, pipeline):
    kafka_retention.apply(Topic.of(pipeline))
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 0 AND offset = 0")
    (hit,) = [h for h in documents(pipeline).values() if (h["_source"]["partition"], h["_source"]["offset"]) == (0, 0)]
    other = f"{pipeline.opensearch_index}-{datetime.now(UTC) - timedelta(days=2):%Y.%m.%d}"
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        forged = hit["_source"] | {"message": "forged"}
        client.index(index=other, id=hit["_id"], body=forged, params={"refresh": "true"})
    done = rescue.rescue(spark, pipeline)
    assert (done.archived, done.quarantined) == (1, 1)
    (orphan,) = spark.table(pipeline.quarantine_table).collect()
    assert (orphan.stage, json.loads(orphan.value)) == ("orphan", forged)
    assert orphan.key.decode() == f"{other}/{hit['_id']}"
    assert repair.repair(spark, pipeline).steps == []
    ledger.take(spark, pipeline).check()
