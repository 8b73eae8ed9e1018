"""Mending on real servers: what was lost, refused or forged is mended once, and doing it twice changes nothing."""

import copy
import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.support import days

from dualsink.cli import jobs
from dualsink.errors import (
    CheckpointError,
    DeploymentError,
    LedgerMismatch,
    MappingRefused,
    SettingsError,
)  # fmt: skip
from dualsink.iceberg.archive import Archive
from dualsink.kafka import generator, producer, topic
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.ledger.whereabouts import Kind
from dualsink.opensearch import index as indices
from dualsink.opensearch.bulk import BulkWriter, deletion
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.opensearch.limits import Limits
from dualsink.operations import audit_log, redrive, repair, replay, rescue, setup
from dualsink.operations.redrive import Redriven
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench.chaos.proxy import Exchange, Proxy, Rule
from dualsink_workbench.chaos.scenarios.recovery import forget, hold_back

ALL = ("0", "1000000")


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline with everything that it needs, and nothing in it."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    setup.create_all(spark, settings)
    return settings


def produce(settings: Settings, count: int, malformed_share: float = 0.0, seed: int = 7) -> None:
    producer.produce(generator.generate(count, seed, malformed_share, days.end_of_events()), Topic.of(settings))


def rows(spark: SparkSession, table: str, condition: str = "true") -> int:
    return spark.table(table).where(condition).count()


def documents(settings: Settings) -> list[dict]:
    with closing(indices.connect(Cluster.of(settings))) as client:
        indices.refresh(client, settings.opensearch_index)
        return client.search(index=settings.opensearch_index, body={"size": 10_000})["hits"]["hits"]


# -- re-drive ------------------------------------------------------------------------------------------


def test_what_an_older_parser_refused_comes_home_once_and_is_marked(spark, pipeline):
    produce(pipeline, 200, malformed_share=0.05)
    query.run(spark, pipeline)
    archived = rows(spark, pipeline.archive_table)
    hold_back(spark, pipeline, 20)
    held = archived - rows(spark, pipeline.archive_table)
    ledger.take(spark, pipeline).check()

    assert held > 0
    assert redrive.redrive(spark, pipeline) == Redriven(held + 10, held, 10)
    assert rows(spark, pipeline.archive_table) == len(documents(pipeline)) == archived
    assert rows(spark, pipeline.quarantine_table, "resolved_at IS NOT NULL") == held
    ledger.take(spark, pipeline).check()

    assert redrive.redrive(spark, pipeline).resolved == 0
    assert rows(spark, pipeline.archive_table) == len(documents(pipeline)) == archived
    ledger.take(spark, pipeline).check()


def test_redriving_what_is_still_malformed_changes_nothing(spark, pipeline):
    produce(pipeline, 100, malformed_share=0.1)
    query.run(spark, pipeline)
    assert redrive.redrive(spark, pipeline) == Redriven(10, 0, 10)
    ledger.take(spark, pipeline).check()


@pytest.fixture
def refusing(pipeline: Settings) -> Settings:
    """A pipeline whose day index refuses attributes; 12 events with some and 5 without are in the topic."""
    now = datetime.now(UTC)
    template = copy.deepcopy(indices.template_body(HotTier.of(pipeline)))
    template["template"]["mappings"]["properties"]["attributes"] = {"type": "object", "dynamic": "strict"}
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        client.indices.put_index_template(name=pipeline.opensearch_index, body=template)
    event = {"timestamp": now.isoformat(), "level": "INFO", "service": "odd", "message": "m"}
    events = [event | {"colour": "red"}] * 12 + [event] * 5
    producer.produce([Record(b"odd", json.dumps(each).encode(), None) for each in events], Topic.of(pipeline))
    return pipeline


def test_documents_that_opensearch_refused_come_home_when_their_cause_has_gone(spark, refusing):
    with pytest.raises(MappingRefused, match="refused 12 of 17 documents.*strict_dynamic_mapping_exception 12"):
        query.run(spark, refusing)
    assert (rows(spark, refusing.archive_table), len(documents(refusing))) == (17, 5)
    assert rows(spark, refusing.quarantine_table, "stage = 'hot' AND reason LIKE '%strict%'") == 12
    ledger.take(spark, refusing).check()

    assert redrive.redrive(spark, refusing) == Redriven(12, 0, 12)
    ledger.take(spark, refusing).check()

    lenient = {"properties": {"attributes": {"type": "object", "dynamic": "true"}}}
    with closing(indices.connect(Cluster.of(refusing))) as client:
        client.indices.put_mapping(index=f"{refusing.opensearch_index}-*", body=lenient)
    assert redrive.redrive(spark, refusing) == Redriven(12, 12, 0)
    assert (rows(spark, refusing.archive_table), len(documents(refusing))) == (17, 17)
    ledger.take(spark, refusing).check()
    assert redrive.redrive(spark, refusing).waiting == 0


# -- replay --------------------------------------------------------------------------------------------


def test_a_replay_says_what_was_missing_where_and_twice_changes_nothing(spark, pipeline):
    produce(pipeline, 200, malformed_share=0.05)
    query.run(spark, pipeline)
    kept = rows(spark, pipeline.quarantine_table)
    forget(spark, pipeline, 5)
    spark.sql(f"DELETE FROM {pipeline.quarantine_table} WHERE true")
    assert not ledger.take(spark, pipeline).holds

    first = replay.replay(spark, pipeline, *ALL)
    assert first.events == 200
    assert first.archive_repaired == first.hot_repaired > 0
    assert first.quarantine_repaired == kept == 10
    assert first.already_there == 190 - first.hot_repaired
    ledger.take(spark, pipeline).check()

    again = replay.replay(spark, pipeline, *ALL)
    assert (again.archive_repaired, again.quarantine_repaired, again.hot_repaired) == (0, 0, 0)
    assert rows(spark, pipeline.quarantine_table) == kept


def test_a_replay_by_time_or_by_offsets_reaches_that_range_alone(spark, pipeline):
    produce(pipeline, 60)
    time.sleep(0.01)
    moment = datetime.now(UTC)
    produce(pipeline, 40, seed=8)
    query.run(spark, pipeline)
    forget(spark, pipeline, 1000)

    later = replay.replay(spark, pipeline, moment.isoformat(), (moment + timedelta(hours=1)).isoformat())
    assert (later.events, later.archive_repaired, later.hot_repaired) == (40, 40, 40)
    part = replay.replay(spark, pipeline, "0", "0:5,1:3")
    assert (part.events, part.archive_repaired, part.hot_repaired) == (8, 8, 8)
    assert replay.replay(spark, pipeline, "0:0", "1000").events == topic.watermarks(Topic.of(pipeline))[0][1]
    rest = replay.replay(spark, pipeline, *ALL)
    assert rest.events == 100
    assert rest.archive_repaired + rest.already_there == 100
    assert 0 < rest.archive_repaired < 52
    ledger.take(spark, pipeline).check()


def test_a_replay_leaves_to_the_stream_what_the_stream_has_not_read(spark, pipeline):
    with pytest.raises(CheckpointError, match="has read nothing"):
        replay.replay(spark, pipeline, *ALL)
    produce(pipeline, 20)
    query.run(spark, pipeline)
    produce(pipeline, 10, seed=8)
    assert replay.replay(spark, pipeline, *ALL).events == 20
    assert query.run(spark, pipeline)["archived"] == 10
    ledger.take(spark, pipeline).check()


@pytest.mark.parametrize("bound", ["yesterday", "0:a", "1,2", "²", "2026-13-01"])
def test_a_bound_that_means_nothing_is_refused_with_examples(spark, pipeline, bound):
    produce(pipeline, 10)
    query.run(spark, pipeline)
    with pytest.raises(SettingsError, match="Cannot read .* as a bound: give a time"):
        replay.replay(spark, pipeline, bound, "10")


# -- repair --------------------------------------------------------------------------------------------


def test_repair_makes_the_hot_tier_equal_to_the_archive_whatever_was_done_to_it(spark, pipeline):
    produce(pipeline, 100)
    query.run(spark, pipeline)
    hits = documents(pipeline)
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        _tamper(client, hits)
    assert not ledger.take(spark, pipeline).holds

    done = repair.repair(spark, pipeline)
    assert (done.written, done.refused, done.deleted) == (3, 0, 2)
    assert (done.left.counts, done.left.taken) == ({Kind.UNKNOWN: 3}, 1)
    with pytest.raises(LedgerMismatch, match="3 documents stay: .* `rescue`"):
        done.check()

    moved = rescue.rescue(spark, pipeline, "anna")
    assert (moved.archived, moved.quarantined) == (0, 3)
    assert repair.repair(spark, pipeline).written == 1
    assert sorted(map(_identity, documents(pipeline))) == sorted(map(_identity, hits))
    orphans = spark.table(pipeline.quarantine_table).where("stage = 'orphan'").collect()
    assert {json.loads(orphan.value).get("offset") for orphan in orphans} == {999_999, 888_888, None}
    ledger.take(spark, pipeline).check()
    assert repair.repair(spark, pipeline).fact == "both stores are equal: nothing to repair"
    assert rescue.rescue(spark, pipeline).fact == "no document is unknown: nothing to rescue"
    assert redrive.redrive(spark, pipeline).waiting == 0


def _tamper(client, hits: list[dict]) -> None:
    """Lost; forged in content, in time and in coordinates; an unknown document, one that is no event, and copies."""
    lost, content, moment, place, copied = hits[:5]
    client.delete(index=lost["_index"], id=lost["_id"])
    client.update(index=content["_index"], id=content["_id"], body={"doc": {"message": "forged"}})
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    client.update(index=moment["_index"], id=moment["_id"], body={"doc": {"timestamp": yesterday}})
    client.update(index=place["_index"], id=place["_id"], body={"doc": {"offset": 999_999}})
    index = copied["_index"]
    other_day = f"{index[:-10]}{datetime.now(UTC) - timedelta(days=2):%Y.%m.%d}"
    client.index(index=index, id="unknown", body=copied["_source"] | {"offset": 888_888})
    client.index(index=index, id="copy", body=copied["_source"])
    client.index(index=index, id="bare", body={"timestamp": 5, "message": 7})
    client.index(index=other_day, id=copied["_id"], body=copied["_source"], params={"refresh": "true"})


def _identity(hit: dict) -> tuple[str, str, str]:
    return hit["_index"], hit["_id"], json.dumps(hit["_source"], sort_keys=True)


def busy(exchange: Exchange) -> None:
    """Answer every deletion of a request with 429, as a node with full queues does."""
    item = {"delete": {"status": 429, "error": {"type": "opensearch_rejected_execution_exception", "reason": "full"}}}
    exchange.answer(200, {"errors": True, "items": [item] * exchange.request.plain_body.count(b"\n")})


@pytest.fixture
def unknown(spark, pipeline) -> Settings:
    """A pipeline with 20 events and 3 documents of no event, whose retries end after two seconds."""
    produce(pipeline, 20)
    query.run(spark, pipeline)
    copied = documents(pipeline)[0]
    with closing(indices.connect(Cluster.of(pipeline))) as client:
        for number in range(3):
            body = copied["_source"] | {"offset": 900 + number}
            client.index(index=copied["_index"], id=f"unknown-{number}", body=body, params={"refresh": "true"})
    return pipeline.model_copy(update={"retry_deadline_seconds": 2.0, "retry_cap_seconds": 0.1})


def test_a_deletion_that_opensearch_is_too_busy_for_is_tried_again(spark, unknown):
    with Proxy(unknown.opensearch_port, Rule("POST /_bulk", busy, b'"delete"', limit=2)) as proxy:
        done = repair.repair(spark, unknown.model_copy(update={"opensearch_port": proxy.port}), delete_unknown=3)
        assert proxy.rules[0].hits == 2
    assert (done.deleted, len(documents(unknown))) == (3, 20)
    ledger.take(spark, unknown).check()


def test_deletions_that_opensearch_goes_on_refusing_are_told_and_never_counted(spark, unknown):
    with Proxy(unknown.opensearch_port, Rule("POST /_bulk", busy, b'"delete"')) as proxy:
        refusing = unknown.model_copy(update={"opensearch_port": proxy.port})
        with pytest.raises(PythonException, match="ServiceUnavailable: OpenSearch did not take . documents"):
            repair.repair(spark, refusing, delete_unknown=3)
    assert len(documents(unknown)) == 23


def test_unknown_documents_are_deleted_by_nobody_who_does_not_know_their_number(spark, unknown):
    with pytest.raises(SettingsError, match="--delete-unknown 2: there are 3 unknown documents. Nothing was changed"):
        repair.repair(spark, unknown, delete_unknown=2)
    assert repair.repair(spark, unknown).deleted == 0
    assert len(documents(unknown)) == 23
    assert repair.repair(spark, unknown, delete_unknown=3, who="ann").deleted == 3
    ledger.take(spark, unknown).check()
    entries = audit_log.entries(spark, Archive.of(unknown)).where(F.col("action") == audit_log.DELETES).collect()
    assert sum(entry.rows for entry in entries) == 3 and {entry.who for entry in entries} == {"ann"}


def test_a_document_that_is_gone_already_is_no_refused_deletion(unknown):
    index = documents(unknown)[0]["_index"]
    with closing(indices.connect(Cluster.of(unknown))) as client:
        tally = BulkWriter(client, Limits.of(unknown)).write([deletion(index, "unknown-0"), deletion(index, "no")])
        assert (tally.created, tally.existing, tally.refused) == (1, 1, [])
        with pytest.raises(DeploymentError, match="index_not_found"):
            BulkWriter(client, Limits.of(unknown)).write([deletion("no-such-index", "x")])


def test_repair_leaves_to_a_replay_and_to_the_stream_what_only_kafka_has(spark, pipeline):
    produce(pipeline, 50)
    query.run(spark, pipeline)
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 0 AND offset < 5")
    with pytest.raises(LedgerMismatch, match="5 documents stay: .* `replay --from 0:0 --to 0:5`"):
        repair.repair(spark, pipeline).check()
    produce(pipeline, 1, seed=8)
    done = repair.repair(spark, pipeline)
    assert (done.written, done.deleted, done.left.counts) == (0, 0, {Kind.IN_KAFKA: 5})
    assert rescue.rescue(spark, pipeline).steps == []
    assert replay.replay(spark, pipeline, "0:0", "0:5").archive_repaired == 5
    assert repair.repair(spark, pipeline).steps == []
    assert len(documents(pipeline)) == 50


# -- what the command line says ------------------------------------------------------------------------


@pytest.fixture
def job(spark: SparkSession, monkeypatch: pytest.MonkeyPatch):
    """A job on the session of these tests: the line that it ends with."""
    monkeypatch.setattr(jobs, "spark_session", lambda settings: spark)
    monkeypatch.setattr(jobs, "_stop", lambda session: None)
    return lambda name, settings, *bounds: getattr(jobs, name)(settings, print, *bounds).fact


def test_each_command_ends_with_a_line_of_what_it_mended(spark, pipeline, job):
    produce(pipeline, 100)
    query.run(spark, pipeline)
    assert job("redrive", pipeline) == "the quarantine holds nothing that waits"
    assert job("replay", pipeline, *ALL) == "100 records replayed: nothing was missing"
    assert job("repair", pipeline) == "both stores are equal: nothing to repair"

    hold_back(spark, pipeline, 3)
    assert job("redrive", pipeline) == "6 of 6 quarantined records resolved"
    forget(spark, pipeline, 4)
    replayed = "100 records replayed: 8 added to the archive, 8 added to OpenSearch"
    assert job("replay", pipeline, *ALL) == replayed
