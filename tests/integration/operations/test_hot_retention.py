"""Retention on real stores: a day leaves OpenSearch only when the archive is proven to hold it."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from opensearchpy import OpenSearch
from tests.support.days import day
from tests.support.lost_shard import lost_shard

from dualsink.cli import jobs
from dualsink.errors import PartialAnswer
from dualsink.iceberg.archive import Archive
from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.ledger.proof import of_days
from dualsink.opensearch import index as hot_index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import hot_retention, setup
from dualsink.settings import Settings
from dualsink.stream import health
from dualsink.stream import query as streaming


def record(days_ago: int, number: int) -> Record:
    time = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    fields = {"timestamp": time, "level": "INFO", "service": "order", "message": f"event {number}"}
    return Record(b"order", json.dumps(fields).encode(), None)


def index_of(settings: Settings, days_ago: int) -> str:
    return f"{settings.opensearch_index}-{day(days_ago):%Y.%m.%d}"


@pytest.fixture
def days(spark, settings: Settings) -> Settings:
    """Three events on each of today, yesterday, and two, four and five days ago; the hot window is three days."""
    setup.create_all(spark, settings)
    producer.produce([record(days_ago, part) for part in range(3) for days_ago in (0, 1, 2, 4, 5)], Topic.of(settings))
    streaming.run(spark, settings)
    with closing(hot_index.connect(Cluster.of(settings))) as client:
        hot_index.refresh(client, settings.opensearch_index)
        for name in hot_index.day_indices(client, settings.opensearch_index).values():
            second_segment(client, name)
    return settings.model_copy(update={"hot_days": 3})


def second_segment(client: OpenSearch, index: str) -> None:
    """Write one document again as it is, so that the index has something to merge."""
    hit = client.search(index=index, body={"size": 1})["hits"]["hits"][0]
    client.index(index=index, id=hit["_id"], body=hit["_source"], params={"refresh": "true"})


@pytest.fixture
def run(spark, days, monkeypatch):
    """Run the command within this session's Spark; returns its lines and the day indices that are left."""
    monkeypatch.setattr(type(spark), "stop", lambda self: None)

    def run(settings: Settings = days, dry_run: bool = False) -> tuple[list[str], list[str]]:
        lines = list(jobs.retention(settings, dry_run=dry_run).lines())
        with closing(hot_index.connect(Cluster.of(settings))) as client:
            return lines, list(hot_index.day_indices(client, settings.opensearch_index).values())

    return run


def line_of(lines: list[str], index: str) -> str:
    return next(line for line in lines if f" {index} (" in line)


def test_a_proven_day_goes_and_an_unproven_one_survives_with_its_reason(spark, days, run):
    spark.sql(f"DELETE FROM {days.archive_table} WHERE message = 'event 1' AND to_date(timestamp) = current_date() - 4")
    lines, left = run()
    assert left == [index_of(days, ago) for ago in (4, 2, 1, 0)]
    assert line_of(lines, index_of(days, 5)).startswith("delete")
    assert "the archive holds all 3 events" in line_of(lines, index_of(days, 5))
    kept = line_of(lines, index_of(days, 4))
    assert kept.startswith("keep") and "3 events: 1 missing, such as test_a_proven_day" in kept


def test_a_dry_run_lists_what_goes_and_why_and_changes_nothing(days, run):
    lines, left = run(dry_run=True)
    assert left == [index_of(days, ago) for ago in (5, 4, 2, 1, 0)]
    actions = {ago: line_of(lines, index_of(days, ago)).split()[0] for ago in (5, 4, 2, 1, 0)}
    assert actions == {5: "delete", 4: "delete", 2: "merge", 1: "keep", 0: "keep"}


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO {t} SELECT * FROM {t} WHERE to_date(timestamp) = current_date() - 4", "3 doubled"),
        ("UPDATE {t} SET message = 'forged' WHERE to_date(timestamp) = current_date() - 4", "3 different"),
    ],
)
def test_a_day_that_the_archive_doubles_or_holds_otherwise_survives(spark, days, run, statement, reason):
    spark.sql(statement.format(t=days.archive_table))
    lines, left = run()
    assert index_of(days, 4) in left
    assert reason in line_of(lines, index_of(days, 4))


def test_a_row_that_only_the_archive_has_does_not_keep_a_day(days, run):
    with closing(hot_index.connect(Cluster.of(days))) as client:
        query = {"query": {"match": {"message": "1"}}}
        client.delete_by_query(index=index_of(days, 5), body=query, params={"refresh": "true"})
    assert index_of(days, 5) not in run()[1]


def test_an_archive_that_cannot_be_asked_proves_nothing(days, run):
    lines, left = run(days.model_copy(update={"iceberg_table": "no_such_table"}))
    assert index_of(days, 5) in left
    assert "no proof: " in line_of(lines, index_of(days, 5))


@pytest.fixture
def half(spark, settings: Settings) -> Settings:
    """Forty events on each of four and five days ago, in indices of two shards; the hot window is three days."""
    setup.create_all(spark, settings.model_copy(update={"opensearch_shards": 2}))
    producer.produce([record(days_ago, part) for part in range(40) for days_ago in (4, 5)], Topic.of(settings))
    streaming.run(spark, settings)
    return settings.model_copy(update={"hot_days": 3})


def test_a_day_of_which_a_shard_is_lost_is_kept_and_the_others_go(half, run):
    with closing(hot_index.connect(Cluster.of(half))) as client:
        with lost_shard(client, index_of(half, 5)):
            hits = client.search(index=index_of(half, 5), body={"size": 0, "track_total_hits": True})["hits"]
            assert 0 < hits["total"]["value"] < 40, "OpenSearch itself answers with a part"
            lines, left = run(half)
            assert left == [index_of(half, ago) for ago in (5, 2, 1, 0)]
            assert "lost 1 of 2 shards" in line_of(lines, index_of(half, 5))
        assert run(half)[1] == [index_of(half, ago) for ago in (2, 1, 0)]


def test_a_shard_that_is_lost_after_the_proof_keeps_the_day(spark, half):
    with closing(hot_index.connect(Cluster.of(half))) as client:
        steps = hot_retention.plan(
            client, HotTier.of(half), partial(of_days, spark, Cluster.of(half), Archive.of(half))
        )
        assert [step.verb for step in steps] == ["delete", "delete"]
        with lost_shard(client, index_of(half, 5)), pytest.raises(PartialAnswer, match="in part only"):
            list(hot_retention.execute(client, HotTier.of(half), steps))
        assert client.indices.exists(index=index_of(half, 5))


def test_a_ledger_of_a_day_of_which_a_shard_is_lost_raises(spark, half):
    wide = half.model_copy(update={"hot_days": 7})
    ledger.take(spark, wide).check()
    with closing(hot_index.connect(Cluster.of(half))) as client, lost_shard(client, index_of(half, 5)):
        with pytest.raises(Exception) as told:
            ledger.take(spark, wide)
        error = health.Servers.of(wide).explained(told.value)
        assert isinstance(error, PartialAnswer) and index_of(half, 5) in str(error)
    ledger.take(spark, wide).check()


def test_a_day_that_grew_after_its_proof_is_kept(spark, days):
    with closing(hot_index.connect(Cluster.of(days))) as client:
        steps = hot_retention.plan(
            client, HotTier.of(days), partial(of_days, spark, Cluster.of(days), Archive.of(days))
        )
        late = {"timestamp": (datetime.now(UTC) - timedelta(days=5)).isoformat(), "message": "late"}
        client.index(index=index_of(days, 5), body=late, params={"refresh": "true"})
        done = list(hot_retention.execute(client, HotTier.of(days), steps))
        assert [(step.verb, "more documents" in step.reason) for step in done][0] == ("keep", True)
        assert client.indices.exists(index=index_of(days, 5))


def test_closed_days_are_merged_once_and_stay_writable(days, run):
    run()
    with closing(hot_index.connect(Cluster.of(days))) as client:
        stats = hot_index.day_stats(client, days.opensearch_index)
        assert (stats[index_of(days, 2)].segments, stats[index_of(days, 2)].read_only) == (1, False)
        assert stats[index_of(days, 0)].segments > 1
    assert line_of(run()[0], index_of(days, 2)).endswith("2 days old, merged")


def test_closed_days_take_no_writes_where_that_is_asked_for(days, run):
    run(days.model_copy(update={"hot_read_only": True}))
    assert states_of(days) == {2: True, 1: False, 0: False}


def test_a_late_event_opens_its_closed_day_and_the_next_run_closes_it_again(spark, days, run):
    sealing = days.model_copy(update={"hot_read_only": True})
    run(sealing)
    producer.produce([record(2, 99)], Topic.of(days))
    assert streaming.run(spark, sealing)["created"] == 1
    assert states_of(days)[2] is False
    run(sealing)
    assert states_of(days)[2] is True


def states_of(settings: Settings) -> dict[int, bool]:
    """Whether each day, by its age, takes no writes."""
    with closing(hot_index.connect(Cluster.of(settings))) as client:
        stats = hot_index.day_stats(client, settings.opensearch_index)
    return {ago: stats[index_of(settings, ago)].read_only for ago in (2, 1, 0)}


def settled(measure: Callable[[], int]) -> int:
    """A measure that has stayed the same for a second."""
    before = -1
    while (now := measure()) != before:
        before = now
        time.sleep(1)
    return now


def test_a_day_over_the_size_limit_gives_the_next_day_more_shards(days, run):
    with closing(hot_index.connect(Cluster.of(days))) as client:
        # A merge between the two runs would change the sizes, and so do the segments that it has left behind.
        client.indices.forcemerge(index=days.opensearch_index, params={"max_num_segments": 1})
        client.indices.flush(index=days.opensearch_index, params={"force": "true", "wait_if_ongoing": "true"})
        hot_index.refresh(client, days.opensearch_index)
        largest = settled(lambda: max(s.bytes for s in hot_index.day_stats(client, days.opensearch_index).values()))
        small = days.model_copy(update={"hot_shard_gb": largest / 2**30 / 2.5})
        assert "template: updated" in run(small)[0]
        body = client.indices.get_index_template(name=days.opensearch_index)
        settings = body["index_templates"][0]["index_template"]["template"]["settings"]["index"]
        assert settings["number_of_shards"] == "3"
    assert "template: exists" in run(small)[0]
