"""Columns and fields that come with time: an optional one reaches both stores, an impossible one is refused."""

import copy
import json
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from dualsink.errors import ShapeMismatch
from dualsink.iceberg import snapshots
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import redrive, setup
from dualsink.settings import Settings
from dualsink.stream import query as streaming

ADDED = "span_id"


def send(settings: Settings, count: int = 6) -> None:
    now = datetime.now(UTC).isoformat()
    fields = {"timestamp": now, "level": "INFO", "service": "order", "message": "m", ADDED: "00f067aa0ba902b7"}
    producer.produce([Record(b"order", json.dumps(fields).encode(), None)] * count, Topic.of(settings))


@pytest.fixture
def older(spark, settings: Settings) -> Settings:
    """A pipeline of a version that knew no ADDED: its table, template and today's index lack it."""
    setup.create_all(spark, settings)
    spark.sql(f"ALTER TABLE {settings.archive_table} DROP COLUMN {ADDED}")
    template = copy.deepcopy(index.template_body(HotTier.of(settings)))
    del template["template"]["mappings"]["properties"][ADDED]
    with closing(index.connect(Cluster.of(settings))) as client:
        client.indices.put_index_template(name=settings.opensearch_index, body=template)
        client.indices.create(index=f"{settings.opensearch_index}-{datetime.now(UTC):%Y.%m.%d}")
    return settings


def held(spark, settings: Settings) -> tuple[int, int]:
    """Events with ADDED in the archive and in OpenSearch."""
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
        query = {"query": {"exists": {"field": ADDED}}}
        found = client.count(index=settings.opensearch_index, body=query)["count"]
    return spark.table(settings.archive_table).where(f"{ADDED} IS NOT NULL").count(), found


def test_setup_adds_what_a_table_and_an_index_of_an_older_version_lack(spark, older):
    done = setup.create_all(spark, older)
    assert done[f"table {older.archive_table}"] == "updated"
    assert done[f"index template and alias {older.opensearch_index}"] == "updated"
    assert set(setup.create_all(spark, older).values()) & {"created", "updated"} == set()
    with closing(index.connect(Cluster.of(older))) as client:
        (found,) = client.indices.get_mapping(index=f"{older.opensearch_index}-*").values()
    assert found["mappings"]["properties"][ADDED] == index.MAPPING["properties"][ADDED]
    assert spark.table(older.archive_table).schema[ADDED].nullable


def test_a_stream_of_a_newer_version_adds_it_itself_and_it_reaches_both_stores(spark, older):
    send(older)
    assert streaming.run(spark, older)["refused"] == {}
    assert held(spark, older) == (6, 6)
    ledger.take(spark, older).check()


def test_a_foreign_column_and_field_that_come_while_the_stream_runs_break_no_batch(spark, settings):
    setup.create_all(spark, settings)
    live = settings.model_copy(
        update={"streaming_mode": "live", "streaming_duration_seconds": 5, "trigger_seconds": 0.5}
    )
    send(settings)
    added = threading.Event()

    def add(*batch) -> None:
        if not added.is_set():
            spark.sql(f"ALTER TABLE {settings.archive_table} ADD COLUMNS (tenant string FIRST, cost decimal(10, 2))")
            with closing(index.connect(Cluster.of(settings))) as client:
                body = {"properties": {"tenant": {"type": "keyword"}}}
                client.indices.put_mapping(index=f"{settings.opensearch_index}-*", body=body)
            send(settings)
            added.set()

    assert streaming.run(spark, live, add)["archived"] == 12
    assert set(setup.create_all(spark, settings).values()) & {"created", "updated"} == set()
    rows = spark.table(settings.archive_table)
    assert rows.where("tenant IS NULL AND cost IS NULL AND message = 'm'").count() == 12
    ledger.take(spark, settings).check()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("ALTER TABLE {t} RENAME COLUMN offset TO place", "column offset: wanted bigint, found none"),
        (
            "ALTER TABLE {t} ADD PARTITION FIELD service",
            "partitioning: wanted day(timestamp), found day(timestamp), identi",
        ),
        ("ALTER TABLE {t} ALTER COLUMN partition TYPE bigint", "column partition: wanted int, found bigint"),
    ],
    ids=["column", "partitioning", "type"],
)
def test_an_incompatible_table_is_refused_with_the_difference(spark, settings, change, difference):
    setup.create_all(spark, settings)
    spark.sql(change.format(t=settings.archive_table))
    snapshot = snapshots.load(spark, settings.archive_table).schema().toString()
    for start in (setup.create_all, streaming.run):
        with pytest.raises(ShapeMismatch) as caught:
            start(spark, settings)
        assert difference in str(caught.value)
    assert snapshots.load(spark, settings.archive_table).schema().toString() == snapshot


def test_an_incompatible_index_is_refused_by_the_stream_with_the_difference(spark, settings):
    setup.create_all(spark, settings)
    with closing(index.connect(Cluster.of(settings))) as client:
        template = copy.deepcopy(index.template_body(HotTier.of(settings)))
        template["template"]["mappings"]["properties"]["level"] = {"type": "long"}
        client.indices.put_index_template(name=settings.opensearch_index, body=template)
        client.indices.create(index=f"{settings.opensearch_index}-2026.01.01")
    with pytest.raises(ShapeMismatch, match="2026.01.01: field level: wanted keyword, found long"):
        streaming.run(spark, settings)


def test_a_table_of_a_version_without_topic_ids_is_refused_with_the_way_out(spark, settings):
    setup.create_all(spark, settings)
    for column in ("topic_id", "position", "positions"):
        spark.sql(f"ALTER TABLE {settings.archive_table} DROP COLUMN {column}")
    for command in (setup.create_all, streaming.run, ledger.take, redrive.redrive):
        with pytest.raises(
            ShapeMismatch, match=r"column topic_id: wanted string, found none(.|\n)*-p iceberg_table NAME"
        ):
            command(spark, settings)
    assert "topic_id" not in spark.table(settings.archive_table).columns
