"""Retention on real stores: a day leaves OpenSearch only when the archive is proven to hold it."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from opensearchpy import OpenSearch

from dualsink import checks, jobs, kafka, retention, search, stream
from dualsink.generator import Record
from dualsink.settings import Settings

NOW = datetime.now(UTC)


def record(days_ago: int, number: int) -> Record:
    time = (NOW - timedelta(days=days_ago)).isoformat()
    fields = {"timestamp": time, "level": "INFO", "service": "order", "message": f"event {number}"}
    return Record(b"order", json.dumps(fields).encode(), None)


def index_of(settings: Settings, days_ago: int) -> str:
    return f"{settings.opensearch_index}-{NOW - timedelta(days=days_ago):%Y.%m.%d}"


@pytest.fixture
def days(spark, settings: Settings) -> Settings:
    """Three events on each of today, yesterday, and two, four and five days ago; the hot window is three days."""
    checks.create_all(spark, settings)
    kafka.produce([record(days_ago, part) for part in range(3) for days_ago in (0, 1, 2, 4, 5)], settings)
    stream.run(spark, settings)
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        for name in search.day_indices(client, settings.opensearch_index).values():
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
        lines: list[str] = []
        jobs.retention(settings, lines.append, dry_run)
        with closing(search.connect(settings)) as client:
            return lines, list(search.day_indices(client, settings.opensearch_index).values())

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
    with closing(search.connect(days)) as client:
        query = {"query": {"match": {"message": "1"}}}
        client.delete_by_query(index=index_of(days, 5), body=query, params={"refresh": "true"})
    assert index_of(days, 5) not in run()[1]


def test_an_archive_that_cannot_be_asked_proves_nothing(days, run):
    lines, left = run(days.model_copy(update={"iceberg_table": "no_such_table"}))
    assert index_of(days, 5) in left
    assert "no proof was to be had" in line_of(lines, index_of(days, 5))


def test_a_day_that_grew_after_its_proof_is_kept(spark, days):
    with closing(search.connect(days)) as client:
        steps = retention.plan(client, days, lambda indices: jobs.proof.of_days(spark, days, indices))
        late = {"timestamp": (NOW - timedelta(days=5)).isoformat(), "message": "late"}
        client.index(index=index_of(days, 5), body=late, params={"refresh": "true"})
        done = retention.carry_out(client, days, steps)
        assert [(step.action, "more documents" in step.reason) for step in done][0] == ("keep", True)
        assert client.indices.exists(index=index_of(days, 5))


def test_closed_days_are_merged_once_and_stay_writable(days, run):
    run()
    with closing(search.connect(days)) as client:
        stats = search.day_stats(client, days.opensearch_index)
        assert (stats[index_of(days, 2)].segments, stats[index_of(days, 2)].read_only) == (1, False)
        assert stats[index_of(days, 0)].segments > 1
    assert line_of(run()[0], index_of(days, 2)).endswith("2 days old, merged")


def test_closed_days_take_no_writes_where_that_is_asked_for(days, run):
    run(days.model_copy(update={"hot_read_only": True}))
    with closing(search.connect(days)) as client:
        stats = search.day_stats(client, days.opensearch_index)
    assert {ago: stats[index_of(days, ago)].read_only for ago in (2, 1, 0)} == {2: True, 1: False, 0: False}


def test_a_day_over_the_size_limit_gives_the_next_day_more_shards(days, run):
    with closing(search.connect(days)) as client:
        largest = max(found.bytes for found in search.day_stats(client, days.opensearch_index).values())
        small = days.model_copy(update={"hot_shard_gb": largest / 2**30 / 2.5})
        assert "template: updated" in run(small)[0]
        body = client.indices.get_index_template(name=days.opensearch_index)
        settings = body["index_templates"][0]["index_template"]["template"]["settings"]["index"]
        assert settings["number_of_shards"] == "3"
    assert "template: exists" in run(small)[0]
