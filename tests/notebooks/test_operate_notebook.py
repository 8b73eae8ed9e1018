"""07_operate on real servers, on two closed days of small files: fewer files, the same rows, all of it as data."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from notebook_outputs import printed, shown

from dualsink import checks, kafka, stream
from dualsink.generator import Record


@pytest.fixture(scope="module")
def executed(spark, own_pipeline, run_notebook) -> tuple:
    """The executed notebook and what it recorded."""
    settings = own_pipeline("operate", snapshot_days=0.0)
    checks.create_all(spark, settings)
    for number in range(2):
        kafka.produce([record(days_ago, number) for days_ago in (1, 2)], settings)
        stream.run(spark, settings)
    return run_notebook("07_operate", settings)


def record(days_ago: int, number: int) -> Record:
    time = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    fields = {"timestamp": time, "level": "INFO", "service": "order", "message": f"event {number}"}
    return Record(b"order", json.dumps(fields).encode(), None)


def test_it_says_what_it_is_going_to_do_and_what_came_of_it(executed):
    planned, done = (printed(executed[0], cell).splitlines() for cell in ("07-plan", "07-carry-out"))
    assert [line.split()[0] for line in planned] == ["compact", "compact", "manifests", "expire"]
    assert [line.split()[0] for line in done] == ["compact", "compact", "manifests", "expire"]
    assert "; 2 files became 1" in done[0]


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
    assert (before["data_files"], after["data_files"], before["rows"], after["rows"]) == (4, 2, 4, 4)
    assert executed[1]["fact"].startswith("2 days compacted")
