"""07_operate on real servers, on two closed days of small files: fewer files, the same rows, all of it as data."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.notebooks.notebook_outputs import printed, shown

from dualsink.kafka import producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.stream import query


@pytest.fixture(scope="module")
def own_settings(own_pipeline) -> Settings:
    """Settings of this module's pipeline."""
    return own_pipeline("operate", snapshot_days=0.0)


@pytest.fixture(scope="module")
def executed(spark, own_settings, run_notebook) -> tuple:
    """The executed notebook and what it recorded."""
    settings = own_settings
    setup.create_all(spark, settings)
    # The newest batch keeps the snapshot that it was compared with: of three, the first expires.
    for number in range(3):
        producer.produce([record(days_ago, number) for days_ago in (1, 2)], Topic.of(settings))
        query.run(spark, settings)
    return run_notebook("07_operate", settings)


def record(days_ago: int, number: int) -> Record:
    time = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    fields = {"timestamp": time, "level": "INFO", "service": "order", "message": f"event {number}"}
    return Record(b"order", json.dumps(fields).encode(), None)


def test_it_compacts_the_oldest_day_by_hand_with_the_statement_that_it_shows(executed):
    day = (datetime.now(UTC) - timedelta(days=2)).date()
    assert f"timestamp >= TIMESTAMP '{day} 00:00:00'" in printed(executed[0], "07-call")
    by_hand = executed[1]["result"]["by_hand"]
    assert (by_hand["rewritten_data_files_count"], by_hand["added_data_files_count"]) == (3, 1)


def test_its_exercises_are_solved(executed, run_notebook, own_settings):
    solved, _ = run_notebook("solutions/07_operate", own_settings)
    assert [cell.id for cell in solved.cells if cell.cell_type == "code" and not cell.execution_count] == []


def test_it_says_what_it_is_going_to_do_and_what_came_of_it(executed):
    planned, done = (printed(executed[0], cell).splitlines() for cell in ("07-plan", "07-carry-out"))
    assert [line.split()[0] for line in planned] == ["compact", "manifests", "expire"]
    assert [line.split()[0] for line in done] == ["compact", "manifests", "expire"]
    assert "; 3 files became 1" in done[0]


def test_it_shows_figures_before_and_after_side_by_side(executed):
    (html,) = shown(executed[0], "07-after", "text/html")
    assert "seconds of a question" in html and "data files" in html


def test_it_tells_what_keeping_the_events_costs(executed):
    (table,) = shown(executed[0], "07-cost", "text/html")
    assert all(tier in table for tier in ("OpenSearch", "archive, cheaper tier", "USD a year"))
    assert len(shown(executed[0], "07-bill", "image/png")) == 1


def test_the_figures_are_recorded_as_data(executed):
    result = executed[1]["result"]
    before, after = (next(iter(result[moment]["tables"].values())) for moment in ("before", "after"))
    assert (before["data_files"], after["data_files"], before["rows"], after["rows"]) == (6, 2, 6, 6)
    assert executed[1]["fact"].startswith("2 days compacted")
