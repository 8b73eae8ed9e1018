"""Mending on real servers: what was lost, refused or forged is mended once, and doing it twice changes nothing."""

import copy
import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from dualsink import checks, generator, jobs, kafka, ledger, recovery, search, stream
from dualsink.chaos.mending import forget, hold_back
from dualsink.errors import CheckpointError, LedgerMismatch, SettingsError
from dualsink.generator import Record
from dualsink.settings import Settings

ALL = ("0", "1000000")


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    """A pipeline with everything that it needs, and nothing in it."""
    settings = settings.model_copy(update={"kafka_partitions": 2})
    checks.create_all(spark, settings)
    return settings


def produce(settings: Settings, count: int, malformed_share: float = 0.0, seed: int = 7) -> None:
    kafka.produce(generator.generate(count, seed, malformed_share, datetime.now(UTC)), settings)


def rows(spark: SparkSession, table: str, condition: str = "true") -> int:
    return spark.table(table).where(condition).count()


def documents(settings: Settings) -> list[dict]:
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        return client.search(index=settings.opensearch_index, body={"size": 10_000})["hits"]["hits"]


# -- re-drive ------------------------------------------------------------------------------------------


def test_what_an_older_parser_refused_comes_home_once_and_is_marked(spark, pipeline):
    produce(pipeline, 200, malformed_share=0.05)
    stream.run(spark, pipeline)
    archived = rows(spark, pipeline.archive_table)
    hold_back(spark, pipeline, 20)
    held = archived - rows(spark, pipeline.archive_table)
    ledger.take(spark, pipeline).check()

    assert held > 0
    assert recovery.redrive(spark, pipeline) == {"waiting": held + 10, "resolved": held, "still_waiting": 10}
    assert rows(spark, pipeline.archive_table) == len(documents(pipeline)) == archived
    assert rows(spark, pipeline.quarantine_table, "resolved_at IS NOT NULL") == held
    ledger.take(spark, pipeline).check()

    assert recovery.redrive(spark, pipeline)["resolved"] == 0
    assert rows(spark, pipeline.archive_table) == len(documents(pipeline)) == archived
    ledger.take(spark, pipeline).check()


def test_redriving_what_is_still_malformed_changes_nothing(spark, pipeline):
    produce(pipeline, 100, malformed_share=0.1)
    stream.run(spark, pipeline)
    assert recovery.redrive(spark, pipeline) == {"waiting": 10, "resolved": 0, "still_waiting": 10}
    ledger.take(spark, pipeline).check()


@pytest.fixture
def refusing(pipeline: Settings) -> Settings:
    """A pipeline whose day index refuses attributes; 12 events with some and 5 without are in the topic."""
    now = datetime.now(UTC)
    template = copy.deepcopy(search.template_body(pipeline))
    template["template"]["mappings"]["properties"]["attributes"] = {"type": "object", "dynamic": "strict"}
    with closing(search.connect(pipeline)) as client:
        client.indices.put_index_template(name=pipeline.opensearch_index, body=template)
    event = {"timestamp": now.isoformat(), "level": "INFO", "service": "odd", "message": "m"}
    events = [event | {"colour": "red"}] * 12 + [event] * 5
    kafka.produce([Record(b"odd", json.dumps(each).encode(), None) for each in events], pipeline)
    return pipeline


def test_documents_that_opensearch_refused_come_home_when_their_cause_has_gone(spark, refusing):
    stream.run(spark, refusing.model_copy(update={"max_refused_share": 1.0}))
    assert (rows(spark, refusing.archive_table), len(documents(refusing))) == (17, 5)
    assert rows(spark, refusing.quarantine_table, "stage = 'hot' AND reason LIKE '%strict%'") == 12
    ledger.take(spark, refusing).check()

    assert recovery.redrive(spark, refusing) == {"waiting": 12, "resolved": 0, "still_waiting": 12}
    ledger.take(spark, refusing).check()

    lenient = {"properties": {"attributes": {"type": "object", "dynamic": "true"}}}
    with closing(search.connect(refusing)) as client:
        client.indices.put_mapping(index=f"{refusing.opensearch_index}-*", body=lenient)
    assert recovery.redrive(spark, refusing) == {"waiting": 12, "resolved": 12, "still_waiting": 0}
    assert (rows(spark, refusing.archive_table), len(documents(refusing))) == (17, 17)
    ledger.take(spark, refusing).check()
    assert recovery.redrive(spark, refusing)["waiting"] == 0


# -- replay --------------------------------------------------------------------------------------------


def test_a_replay_says_what_was_missing_where_and_twice_changes_nothing(spark, pipeline):
    produce(pipeline, 200, malformed_share=0.05)
    stream.run(spark, pipeline)
    kept = rows(spark, pipeline.quarantine_table)
    forget(spark, pipeline, 5)
    spark.sql(f"DELETE FROM {pipeline.quarantine_table} WHERE true")
    assert not ledger.take(spark, pipeline).holds

    first = recovery.replay(spark, pipeline, *ALL)
    assert first["events"] == 200
    assert first["archive_repaired"] == first["hot_repaired"] > 0
    assert first["quarantine_repaired"] == kept == 10
    assert first["already_there"] == 190 - first["hot_repaired"]
    ledger.take(spark, pipeline).check()

    again = recovery.replay(spark, pipeline, *ALL)
    assert (again["archive_repaired"], again["quarantine_repaired"], again["hot_repaired"]) == (0, 0, 0)
    assert rows(spark, pipeline.quarantine_table) == kept


def test_a_replay_by_time_or_by_offsets_reaches_that_range_alone(spark, pipeline):
    produce(pipeline, 60)
    time.sleep(0.01)
    moment = datetime.now(UTC)
    produce(pipeline, 40, seed=8)
    stream.run(spark, pipeline)
    forget(spark, pipeline, 1000)

    later = recovery.replay(spark, pipeline, moment.isoformat(), (moment + timedelta(hours=1)).isoformat())
    assert (later["events"], later["archive_repaired"], later["hot_repaired"]) == (40, 40, 40)
    part = recovery.replay(spark, pipeline, "0", "0:5,1:3")
    assert (part["events"], part["archive_repaired"], part["hot_repaired"]) == (8, 8, 8)
    rest = recovery.replay(spark, pipeline, *ALL)
    assert (rest["events"], rest["archive_repaired"], rest["already_there"]) == (100, 52, 48)
    ledger.take(spark, pipeline).check()


def test_a_replay_leaves_to_the_stream_what_the_stream_has_not_read(spark, pipeline):
    with pytest.raises(CheckpointError, match="has read nothing"):
        recovery.replay(spark, pipeline, *ALL)
    produce(pipeline, 20)
    stream.run(spark, pipeline)
    produce(pipeline, 10, seed=8)
    assert recovery.replay(spark, pipeline, *ALL)["events"] == 20
    assert stream.run(spark, pipeline)["archived"] == 10
    ledger.take(spark, pipeline).check()


@pytest.mark.parametrize("bound", ["yesterday", "0:a", "1,2", "²", "2026-13-01"])
def test_a_bound_that_means_nothing_is_refused_with_examples(spark, pipeline, bound):
    produce(pipeline, 10)
    stream.run(spark, pipeline)
    with pytest.raises(SettingsError, match="Cannot read .* as a bound: give a time"):
        recovery.replay(spark, pipeline, bound, "10")


# -- repair --------------------------------------------------------------------------------------------


def test_repair_makes_the_hot_tier_equal_to_the_archive_whatever_was_done_to_it(spark, pipeline):
    produce(pipeline, 100)
    stream.run(spark, pipeline)
    hits = documents(pipeline)
    with closing(search.connect(pipeline)) as client:
        _tamper(client, hits)
    assert not ledger.take(spark, pipeline).holds

    done = recovery.repair(spark, pipeline)
    assert (done["written"], done["refused"], done["deleted"]) == (4, 0, 6)
    assert sorted(map(_identity, documents(pipeline))) == sorted(map(_identity, hits))
    ledger.take(spark, pipeline).check()
    assert recovery.repair(spark, pipeline) == {"days": [], "written": 0, "refused": 0, "deleted": 0}


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


def test_repair_changes_nothing_while_the_archive_itself_lacks_records(spark, pipeline):
    produce(pipeline, 50)
    stream.run(spark, pipeline)
    spark.sql(f"DELETE FROM {pipeline.archive_table} WHERE partition = 0 AND offset < 5")
    with pytest.raises(LedgerMismatch, match="run `replay` first"):
        recovery.repair(spark, pipeline)
    assert len(documents(pipeline)) == 50


# -- what the command line says ------------------------------------------------------------------------


@pytest.fixture
def job(spark: SparkSession, monkeypatch: pytest.MonkeyPatch):
    """A job on the session of these tests: the line that it ends with."""
    monkeypatch.setattr(jobs, "spark_session", lambda settings: spark)
    monkeypatch.setattr(jobs, "_stop", lambda session: None)
    return lambda name, settings, *bounds: getattr(jobs, name)(settings, print, *bounds)[1]


def test_each_command_ends_with_a_line_of_what_it_mended(spark, pipeline, job):
    produce(pipeline, 100)
    stream.run(spark, pipeline)
    assert job("redrive", pipeline) == "0 of 0 quarantined records resolved"
    assert job("replay", pipeline, *ALL) == "100 records replayed: nothing was missing"
    assert job("repair", pipeline) == "0 documents written, 0 deleted"

    hold_back(spark, pipeline, 3)
    assert job("redrive", pipeline) == "6 of 6 quarantined records resolved"
    forget(spark, pipeline, 4)
    replayed = "100 records replayed: 8 added to the archive, 8 added to OpenSearch"
    assert job("replay", pipeline, *ALL) == replayed
