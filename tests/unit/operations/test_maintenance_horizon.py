"""Which snapshots may expire: none that carries the newest marker of a living query. No server is started."""

from datetime import UTC, datetime, timedelta

from dualsink.iceberg.snapshots import Snapshot
from dualsink.operations.maintenance import IDLE, horizon

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def history(*snapshots: tuple[datetime, str]) -> list[Snapshot]:
    """Snapshots newest first, each with the query that made it, or none."""
    return [
        Snapshot(number, made_at, {"dualsink.query-id": query} if query else {})
        for number, (made_at, query) in enumerate(snapshots)
    ]


def test_snapshots_older_than_the_given_days_expire():
    assert horizon(history((ago(hours=1), "a"), (ago(days=3), "a")), NOW, 2) == ago(days=2)


def test_the_newest_marker_of_every_query_stays_and_all_that_came_after_it():
    found = history((ago(hours=1), ""), (ago(days=4), "a"), (ago(days=5), "b"), (ago(days=6), "a"))
    assert horizon(found, NOW, 2) == ago(days=5)


def test_a_query_that_was_idle_for_long_keeps_nothing():
    assert horizon(history((ago(hours=1), "a"), (NOW - IDLE, "b")), NOW, 2) == ago(days=2)


def test_the_current_snapshot_stays_whatever_its_age():
    assert horizon(history((ago(days=90), ""), (ago(days=91), "a")), NOW, 0) == ago(days=90)
